"""The Telegram front-end on a loopback Bot API, in the test's process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from botapi import BotApi
from botapi_world import Chat, Message
from easel import Easel, easel
from PIL import Image

from realbot.adapters.clock import Clock
from realbot.adapters.telegram import Front
from realbot.sections import Telegram
from studios import Rig, rig, until


def section(api: BotApi, **more: Any) -> Telegram:
    """Settings that lead to the loopback."""
    return Telegram(token=api.token, api_base=api.base, **more)


def hurried(api: BotApi, haste: float) -> Clock:
    """The loopback's time; what the front-end sleeps and measures goes by `haste` times faster."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / haste)

    return Clock(now=api.clock, monotonic=lambda: time.monotonic() * haste, sleep=sleep)


@asynccontextmanager
async def serving(
    bench: Rig, api: BotApi, *, haste: float = 50.0, ready: bool = True, **settings: Any
) -> AsyncIterator[Front]:
    """A front-end that people can talk to; it is stopped at the end as a service manager stops it."""
    front = Front(bench.studio, section(api, **settings), clock=hurried(api, haste), hold=2)
    up = asyncio.Event()
    task = asyncio.create_task(front.serve(ready=up))
    front_task[front] = task
    try:
        if ready:
            waiter = asyncio.create_task(up.wait())
            await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
            if task.done():
                task.result()
        yield front
    finally:
        ended = task.done()
        task.cancel()
        # How it ended by itself is the test's business.
        with contextlib.suppress(asyncio.CancelledError, *((Exception,) if ended else ())):
            await task
        del front_task[front]


#: The task in which a front-end serves, for tests about how that ends.
front_task: dict[Front, asyncio.Task[None]] = {}


class House:
    """A studio with an engine that paints discs, its front-end, and the Telegram that they talk to."""

    def __init__(self, api: BotApi, bench: Rig, front: Front) -> None:
        self.api, self.bench, self.front, self.studio = api, bench, front, bench.studio

    @property
    def easel(self) -> Easel:
        pool = self.bench.pool
        assert isinstance(pool, Easel)
        return pool


@asynccontextmanager
async def house(
    folder: Path,
    api: BotApi,
    *,
    hand: bool = False,
    haste: float = 50.0,
    telegram: dict[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[House]:
    """Everything on a folder, which can be opened again. `hand`: the engine moves at the test's command."""
    more.setdefault("pool", easel(folder, hand=hand))
    async with (
        rig(folder, clock=api.clock, **more) as bench,
        serving(bench, api, haste=haste, **(telegram or {})) as front,
    ):
        yield House(api, bench, front)


async def shows(message: Message, words: str, seconds: float = 10.0) -> None:
    try:
        await until(lambda: words in message.words, seconds)
    except TimeoutError:
        raise AssertionError(f"{words!r} is not in {message.words!r}") from None


async def painted(chat: Chat, number: int = 1, seconds: float = 10.0) -> list[Message]:
    """The messages of the bot that show a finished picture, once there are so many."""

    def finished() -> list[Message]:
        return [m for m in chat.told if m.picture is not None and "seed" in "".join(x.words for x in chat.told)]

    try:
        await until(lambda: len(finished()) >= number, seconds)
    except TimeoutError:
        raise AssertionError(f"{len(finished())} pictures in {chat.told}") from None
    return finished()


def border(data: bytes | None) -> tuple[int, int, int]:
    """The colour of a picture's corner."""
    assert data is not None
    colour = Image.open(io.BytesIO(data)).convert("RGB").getpixel((2, 2))
    assert isinstance(colour, tuple)
    return colour[0], colour[1], colour[2]


def near(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Whether two colours look the same, recompressed or not."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) < 24
