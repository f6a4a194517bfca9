"""The Discord front-end on a loopback Discord, in the test's process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from easel import easel
from loopback import Loopback
from loopback_world import Channel, Message
from PIL import Image

from realbot.adapters.clock import Clock
from realbot.adapters.discord import Front
from realbot.adapters.discord.courier import PACE
from realbot.sections import Discord
from studios import Rig, rig, until


def section(home: Loopback, **more: Any) -> Discord:
    """Settings that lead to the loopback."""
    return Discord(token=home.token, api_base=home.api_base, gateway=home.gateway_url, **more)


def hurried(home: Loopback, haste: float) -> Clock:
    """The loopback's time; what the front-end sleeps takes `haste` times less, what it measures is real."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0) / haste)

    return Clock(now=home.clock, monotonic=time.monotonic, sleep=sleep)


@asynccontextmanager
async def serving(
    bench: Rig, home: Loopback, *, haste: float = 1.0, pace: float = PACE, ready: bool = True
) -> AsyncIterator[Front]:
    """A front-end that people can talk to; it is stopped at the end as a service manager stops it."""
    front = Front(bench.studio, section(home), clock=hurried(home, haste), pace=pace)
    task = asyncio.create_task(front.serve())
    connecting = asyncio.create_task(home.ready()) if ready else None
    front_task[front] = task
    try:
        if connecting is not None:
            await asyncio.wait([task, connecting], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            await connecting
        yield front
    finally:
        if connecting is not None:
            connecting.cancel()
        ended = task.done()
        task.cancel()
        # How it ended by itself is the test's business.
        with contextlib.suppress(asyncio.CancelledError, *((Exception,) if ended else ())):
            await task
        del front_task[front]


#: The task in which a front-end serves, for tests about how that ends.
front_task: dict[Front, asyncio.Task[None]] = {}


@asynccontextmanager
async def house(folder: Path, home: Loopback, *, haste: float = 1.0, **options: Any) -> AsyncIterator[Rig]:
    """A studio on a folder with a front-end on Discord; both can be opened again on the same folder."""
    options.setdefault("pool", easel(folder))
    async with rig(folder, clock=home.clock, **options) as bench, serving(bench, home, haste=haste):
        yield bench


def cards(channels: Iterable[Channel], words: str) -> list[Message]:
    """The messages that show these words and a picture."""
    return [m for channel in channels for m in channel.messages.values() if words in m.text and finished(m)]


def finished(message: Message) -> bool:
    """Whether it shows a painted picture, not a preview or a placeholder."""
    return any(not attachment.name.startswith("preview") for attachment in message.attachments)


async def arrives(message: Message | None, words: str = "", seconds: float = 10.0) -> Message:
    """The message, once it shows a painted picture."""
    assert message is not None
    await until(lambda: finished(message) and words in message.text, seconds)
    return message


async def shows(message: Message | None, words: str, seconds: float = 10.0) -> None:
    assert message is not None
    try:
        await until(lambda: words in message.text, seconds)
    except TimeoutError:
        raise AssertionError(f"{words!r} is not in {message.text!r}") from None


async def soon(what: Callable[[], Any], why: str = "", seconds: float = 10.0) -> None:
    try:
        await until(what, seconds)
    except TimeoutError:
        raise AssertionError(why or "it does not happen") from None


def border(data: bytes) -> tuple[float, float, float]:
    """Mean colour of a picture's border."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    edges = [image.crop((0, 0, image.width, 8)), image.crop((0, image.height - 8, image.width, image.height))]
    pixels = [pixel for edge in edges for pixel in edge.get_flattened_data()]
    red, green, blue = (sum(pixel[i] for pixel in pixels) / len(pixels) for i in range(3))
    return red, green, blue
