"""What happens again and again in tests of cards: a request that is painted, and the messages that show it."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any

from botapi import BotApi
from botapi_calls import Call
from botapi_people import Actor
from botapi_world import Chat, Clock, Message
from PIL import Image
from tg_fronts import House

from realbot.jobs import Job, User
from studios import until


async def asks(
    house: House, who: Actor, text: str = "a red fox steps:4", chat: Chat | None = None, **about: Any
) -> Message:
    """A request whose card is there and whose picture is being painted."""
    card = await who.ask(chat or who.chat, text, **about)
    await soon(house.easel.working, f"nothing is painted: {card.words!r}")
    return card


async def finishes(house: House) -> None:
    """What is being painted is ready, and nothing is on its way any more."""
    await soon(house.easel.working, "nothing is painted")
    house.easel.finish()
    await settled(house)


async def settled(house: House, seconds: float = 15.0) -> None:
    """Every end was brought to its person, or is kept."""
    await soon(lambda: not house.studio.pending("telegram"), "something is on its way", seconds)


async def soon(condition: Any, why: str, seconds: float = 10.0) -> None:
    try:
        await until(condition, seconds)
    except TimeoutError:
        raise AssertionError(why) from None


async def calm(seconds: float = 0.25) -> None:
    """Long enough for what must not happen to happen."""
    await asyncio.sleep(seconds)


def jobs(house: House) -> list[Job]:
    """Every job that is remembered, the oldest first."""
    known = {**house.studio._seen, **house.studio._jobs}
    return sorted(known.values(), key=lambda job: job.created)


def shown(where: BotApi | Chat, words: str) -> list[Message]:
    """The messages that show a finished picture of these words now."""
    chats = list(where.chats.values()) if isinstance(where, BotApi) else [where]
    told = [message for chat in chats for message in chat.told]
    return [m for m in told if m.picture is not None and words in m.words and "seed " in m.words]


def uploads(api: BotApi) -> list[Call]:
    """The requests that brought pictures."""
    return [call for call in api.calls if call.files]


def names(calls: list[Call]) -> list[list[str]]:
    """The endings of the files of each request."""
    return [sorted(file.name.rpartition(".")[2] for file in call.files.values()) for call in calls]


def rows(message: Message) -> list[list[str]]:
    """The labels of the buttons, row by row."""
    return [[key["text"] for key in row] for row in (message.markup or {}).get("inline_keyboard") or []]


def user(actor: Actor) -> User:
    return User("telegram", str(actor.id))


def data(message: Message, label: str) -> str:
    """What the button with this label carries."""
    (found,) = [key["callback_data"] for key in message.buttons if key["text"] == label]
    return str(found)


async def painted(house: House, who: Actor, text: str, chat: Chat | None = None, **about: Any) -> Message:
    """A finished card."""
    card = await asks(house, who, text, chat, **about)
    await finishes(house)
    return card


async def choose(who: Actor, card: Message, *labels: str) -> None:
    """Press one button after the other."""
    for label in labels:
        await who.press(card, label)


def drawn(colour: str, kind: str = "PNG", size: tuple[int, int] = (96, 64)) -> bytes:
    """The file of a picture in one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


class Hurried(Clock):
    """A time on Telegram's wall that goes by `haste` times faster, as that of a hurried front-end does."""

    def __init__(self, haste: float) -> None:
        super().__init__()
        self._haste, self._begun = haste, time.time()

    def __call__(self) -> float:
        return self._begun + (time.time() - self._begun) * self._haste + self.ahead
