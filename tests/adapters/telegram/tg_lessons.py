"""People who train styles: their pictures, the set that grows, and an engine that learns at the test's command."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from botapi_people import Actor
from botapi_world import Chat, Message
from PIL import Image
from tg_fronts import House, shows
from tg_scenes import soon, user

from pools import InProcessPool
from realbot.engine import Step
from realbot.jobs import Origin


def taken(seed: int, size: tuple[int, int] = (160, 144)) -> bytes:
    """A picture file unlike that of any other seed."""
    spots = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(spots).resize(size, Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def pictures(number: int = 5) -> list[bytes]:
    return [taken(n) for n in range(number)]


async def gathered(who: Actor, asked: str = "/train dots dotty steps:6", number: int = 5) -> Message:
    """A set in private; the message that tells of it."""
    status = await who.ask(who.chat, asked)
    who.album(who.chat, pictures(number))
    await shows(status, f"{number} pictures so far")
    return status


async def looked(who: Actor, status: Message) -> Message:
    """A set of which is told what was found among its pictures."""
    await who.press(status, "Check them")
    await shows(status, "to learn from", 30)
    return status


async def begun(home: House, who: Actor, asked: str = "/train dots dotty steps:6") -> Message:
    """The card of a training that was handed in."""
    status = await looked(who, await gathered(who, asked))
    before = set(who.chat.everything)
    await who.press(status, "Train")
    await soon(lambda: [m for m in who.chat.told if m.id not in before], "no card")
    return next(m for m in who.chat.told if m.id not in before)


def step(home: House, n: int, preview: Any = None) -> None:
    """The engine has learnt so far."""
    one = home.easel.engines["one"]
    assert one.work is not None
    if preview is None:
        InProcessPool.step(home.easel, n)
        return
    path = home.easel.spool / f"{one.work.key}-preview-{n}.jpg"
    Image.open(io.BytesIO(preview)).convert("RGB").save(path)
    numbers = {"loss": 0.25, "smoothed": 0.2, "validation": 0.3, "rate": 2e-3, "speed": 8.0, "left": 60.0}
    home.easel.tell(one, Step(one.work.key, n, one.work.request["steps"], str(path), numbers))


async def learnt(home: House) -> None:
    """The training is over."""
    await soon(home.easel.working, "nothing is learnt")
    InProcessPool.finish(home.easel)
    await soon(lambda: not home.studio.pending("telegram"), "the end was not delivered")


def last(chat: Chat) -> Message:
    return chat.told[-1]


def group_origin(group: Chat) -> Origin:
    return Origin("telegram", str(group.id), server=str(group.id))


async def names(home: House, who: Actor, chat: Chat | None = None) -> list[str]:
    """The styles that somebody may use there."""
    where = Origin("telegram", str(who.id)) if chat is None else group_origin(chat)
    return [style.name for style in home.studio.styles(where, user(who))]
