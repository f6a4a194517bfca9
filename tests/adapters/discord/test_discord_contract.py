"""What every front-end promises, kept on Discord: a person alone with the bot, at a loopback Discord."""

from __future__ import annotations

import contextlib

import pytest
from contract import Contract
from fronts import finished, serving
from loopback_people import Actor, Unable
from loopback_world import Interaction


class Chat:
    """One person's direct conversation with the bot."""

    done = "seed "

    def __init__(self, bench, anna: Actor, bert: Actor) -> None:
        self.bench, self.anna, self.bert = bench, anna, bert
        self.asked: list[Interaction] = []

    @property
    def card(self):
        return self.asked[-1].message

    async def ask(self, text: str) -> None:
        self.asked.append(await self.anna.slash(self.anna.dm, "imagine", prompt=text))
        assert self.asked[-1].answer is not None

    async def sees(self) -> str:
        seen = [line for m in self.anna.sees(self.anna.dm) for line in (*m.past, m.text)]
        if self.card is not None and "Recipe" in self.card.labels and finished(self.card):
            seen.append((await self.anna.press(self.card, "Recipe")).text)
        return "\n".join(seen)

    async def bar(self) -> float:
        return self.card.text.count("▰") / 12

    async def pictures(self) -> list[bytes]:
        messages = [m for m in self.anna.sees(self.anna.dm) if finished(m)]
        return [a.data for m in messages for a in m.attachments]

    async def cancel(self) -> None:
        await self.anna.press(self.card, "Cancel")

    async def stranger_sees(self) -> str:
        """Another person looks around, and presses the very buttons of the card in a place of their own."""
        bert = self.bert
        bert.patience = 0.4  # The library does not even hear of a button that is not on the message.
        seen: list[str] = []
        for command, options in (("history", {}), ("queue", {}), ("history", {"search": "private"})):
            with contextlib.suppress(Unable):
                seen.append((await bert.slash(bert.dm, command, **options)).text)
        message = (await bert.slash(bert.dm, "imagine", prompt="a public apple steps:4")).message
        for button in self.card.buttons:
            forged = await bert.forge(message, button["custom_id"])
            seen.append(forged.text + str(forged.modal))
        return "\n".join(seen)


@pytest.fixture
async def face(atelier, discord, anna, bert):
    async with serving(atelier, discord, haste=50):
        yield Chat(atelier, anna, bert)


class TestChat(Contract):
    """On Discord."""
