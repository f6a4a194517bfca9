"""What every front-end promises, kept on Telegram: a person alone with the bot, at a loopback Bot API."""

from __future__ import annotations

import pytest
from botapi_people import Actor
from botapi_world import Message
from contract import Contract
from tg_fronts import House, house


class Chat:
    """One person's private chat with the bot."""

    done = "seed "

    def __init__(self, home: House, anna: Actor, bert: Actor) -> None:
        self.bench, self.anna, self.bert = home.bench, anna, bert
        self.card: Message | None = None
        self.read: set[int] = set()

    async def ask(self, text: str) -> None:
        self.card = await self.anna.ask(self.anna.chat, text)

    async def sees(self) -> str:
        """What was ever there, and the recipe of a finished card, which is asked for once."""
        for message in self.finished():
            if "Recipe" in message.labels and message.id not in self.read:
                self.read.add(message.id)
                await self.anna.press(message, "Recipe")
        told = [message for message in self.anna.chat.everything.values() if message.by_bot]
        return "\n".join(version.text or version.caption for message in told for version in message.past)

    async def bar(self) -> float:
        return self.card.words.count("▰") / 12

    async def pictures(self) -> list[bytes]:
        return [message.uploaded for message in self.finished() if message.picture]

    async def cancel(self) -> None:
        await self.anna.press(self.card, "Cancel")

    async def stranger_sees(self) -> str:
        """Another person looks around, and presses the very buttons of the card in a chat of their own."""
        bert, chat = self.bert, self.bert.chat
        for text in ("/history", "/queue", "/history apple"):
            await bert.ask(chat, text)
        message = await bert.ask(chat, "a public apple steps:4")
        ids = [key["callback_data"] for key in self.card.buttons if "callback_data" in key]
        pressed = [await bert.forge(message, one) for one in ids]
        return "\n".join([press.text for press in pressed] + [message.words for message in chat.told])

    def finished(self) -> list[Message]:
        return [message for message in self.anna.chat.told if "seed " in message.words]


@pytest.fixture
async def face(api, anna, bert, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        yield Chat(home, anna, bert)


class TestPrivateChat(Contract):
    """On Telegram."""
