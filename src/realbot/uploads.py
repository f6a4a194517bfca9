"""Pictures that people bring: checked and decoded in a process apart, then kept like any other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ConfigError, Invalid, QueueFull
from .jobs import ImageId, User
from .phrases import Phrase
from .sections import Limits
from .store import Store

log = logging.getLogger(__name__)

#: Seconds a decoding may take, and decodings at a time.
PATIENCE, AT_ONCE = 60.0, 2
#: Seconds a picture stays that was brought or shown and that no request names.
KEEP = 3600.0
#: How the files begin that may hold a picture; the decoder reads the rest.
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_MB = 2**20


@dataclass(slots=True)
class Uploads:
    """Who may start from which picture besides those of their own jobs: what they brought, and what was shown to them.

    Kept in memory: a request names its source, and from then on the store knows it.
    """

    store: Store
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, ImageId], float] = field(default_factory=dict)
    _brought: set[ImageId] = field(default_factory=set)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def take(self, user: User, data: bytes, limits: Limits) -> ImageId:
        """Keep a PNG, JPEG or WebP picture as a plain PNG, upright and without metadata.

        Raises Invalid, in one sentence, for anything else, and QueueFull when the disk does not take it.
        """
        if len(data) > limits.max_upload_mb * _MB:
            raise Invalid(
                "The picture has {size:.1f} MB; at most {most} MB are allowed, so make it smaller.",
                size=len(data) / _MB,
                most=limits.max_upload_mb,
            )
        if not data.startswith(BEGINNINGS):
            raise Invalid(_SENTENCES["format"])
        async with self._turns:
            plain = await _decoded(data, limits.max_upload_pixels)
        await self._forget()
        try:
            image = await self._adopt(plain)
        except ConfigError as error:
            log.error("a picture could not be kept: %s", error)
            raise QueueFull("The disk of this bot is full, so nothing can be taken; please try again later.") from None
        self._brought.add(image)
        self.show(user, image)
        return image

    def show(self, user: User, image: ImageId) -> None:
        """This person may start from this picture for the next hour."""
        self._known[user.key, image] = self.monotonic()

    def knows(self, user: User, image: ImageId) -> bool:
        """Whether this person brought this picture or was shown it lately."""
        known = (self._known.get((key, image)) for key in self.store.people.accounts(user.key))
        return any(since is not None and self.monotonic() - since < KEEP for since in known)

    async def check(self, user: User, image: ImageId) -> None:
        """Raise NotYours when this person may not start from this picture, Invalid when it is lost."""
        await self.store.picture(image, None if self.knows(user, image) else user)

    async def size(self, image: ImageId) -> tuple[int, int]:
        """Width and height of a kept picture, from its header. Raises Invalid when it is lost."""
        path = await self.store.picture(image)
        head = await asyncio.to_thread(_head, path)
        if not head.startswith(BEGINNINGS[0]):
            raise Invalid("This picture is lost, please ask for it again.", word=image)
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")

    async def forget(self, user_key: str) -> None:
        """Nothing that this account brought or was shown is kept for them, and what nobody needs is deleted."""
        for key in [key for key in self._known if key[0] == user_key]:
            del self._known[key]
        await self._forget()

    async def _adopt(self, plain: bytes) -> ImageId:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            await asyncio.to_thread(path.write_bytes, plain)
            return await self.store.adopt(path)

    async def _forget(self) -> None:
        """Delete what was brought and asked for by nobody."""
        now = self.monotonic()
        for key in [key for key, since in self._known.items() if now - since >= KEEP]:
            del self._known[key]
        kept = {image for _, image in self._known}
        for image in self._brought - kept:
            self._brought.discard(image)
            await self.store.abandon(image)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(24)


async def _decoded(data: bytes, pixels: int) -> bytes:
    """The decoder's answer. Raises Invalid."""
    script = Path(__file__).with_name("decoder.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(script),
        str(pixels),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            answer, _ = await process.communicate(data)
    except TimeoutError:
        raise Invalid(_SENTENCES["broken"]) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == 0:
        return answer
    reason, *numbers = answer.decode("ascii", "replace").split() if process.returncode == 1 else ["broken"]
    width, height = numbers if len(numbers) == 2 else ("?", "?")
    raise Invalid(_SENTENCES.get(reason, _SENTENCES["broken"]), width=width, height=height, most=pixels)


_SENTENCES = {
    "format": Phrase("This is not a PNG, JPEG or WebP picture; please send one of those."),
    "animated": Phrase("The picture moves; please send a still one."),
    "pixels": Phrase("The picture has {width}×{height} pixels; at most {most} in all are allowed, so make it smaller."),
    "small": Phrase("The picture has {width}×{height} pixels, which is too small to start from; 16 is the least."),
    "broken": Phrase("The picture is damaged or incomplete; please save it anew and send it again."),
}
