"""Pictures that people bring: checked and decoded in a process apart, then kept like any other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import regions
from .archive import KEEP
from .decoder import packed, unpacked
from .errors import ConfigError, Invalid, QueueFull
from .grammar import nearest
from .jobs import ImageId, User
from .phrases import Phrase, listed
from .rulebook import Limits
from .store import Store

log = logging.getLogger(__name__)

#: Seconds a decoding may take, and decodings at a time.
PATIENCE, AT_ONCE = 60.0, 2
#: How the files begin that may hold a picture; the decoder reads the rest.
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_MB = 2**20
#: The decoder finds realbot where this process has it, and nothing else that is not installed.
_CHILD = f"import sys; sys.path.append({str(Path(__file__).parents[1])!r}); from realbot.decoder import main; main()"


@dataclass(slots=True)
class Uploads:
    """Who may start from which picture besides those of their own jobs: what they brought, and what was shown to them.

    What was brought outlives a restart. Once a request names its source, the store knows it for good.
    """

    store: Store
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[tuple[str, ImageId], float] = field(default_factory=dict)
    _brought: set[ImageId] = field(default_factory=set)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def open(self) -> None:
        """Take up what was brought in an earlier life."""
        for key, image, ago in await self.store.brought():
            self._known[key, image] = self.monotonic() - ago
            self._brought.add(image)

    async def take(self, user: User, data: bytes, limits: Limits) -> ImageId:
        """Keep a PNG, JPEG or WebP picture as a plain PNG, upright and without metadata.

        Raises Invalid, in one sentence, for anything else, and QueueFull when the disk does not take it.
        """
        (image,) = await self.develop(user, "plain", limits, brought=data)
        return image

    async def develop(
        self,
        user: User,
        task: str,
        limits: Limits,
        *sources: ImageId,
        brought: bytes | None = None,
        **given: Any,
    ) -> list[ImageId]:
        """Keep what a task of the decoder makes of pictures: kept ones that this person may start from, and a file.

        Raises as `take`, and NotYours.
        """
        self.store.space.admit()
        made = await self.make(user, task, limits, *sources, brought=brought, **given)
        await self._forget()
        images = []
        for plain in made:
            try:
                image = await self._adopt(plain)
                await self.store.bring(user.key, image)
            except ConfigError as error:
                log.error("a picture could not be kept: %s", error)
                raise QueueFull(
                    "The disk of this bot is full, so nothing can be taken; please try again later."
                ) from None
            self._brought.add(image)
            self.show(user, image)
            images.append(image)
        return images

    async def region(self, user: User, source: ImageId, region: str, limits: Limits) -> ImageId:
        """The mask of a region of a picture, always the same one. Raises Invalid for a region that is none."""
        try:
            named = regions.read(region)
        except ValueError:
            raise Invalid(
                "There is no region {region}; there are {names}, and x, y, width and height in percent.",
                region=region[:60],
                names=listed(regions.NAMES),
                word=region[:100],
                nearest=nearest(region, regions.NAMES),
            ) from None
        (mask,) = await self.develop(user, "region", limits, source, region=named)
        return mask

    async def make(
        self,
        user: User,
        task: str,
        limits: Limits,
        *sources: ImageId,
        brought: bytes | None = None,
        **given: Any,
    ) -> list[bytes]:
        """As `develop`, but nothing is kept: the files themselves."""
        files = []
        for source in sources:
            path = await self.path(user, source)
            files.append(await asyncio.to_thread(path.read_bytes))
        if brought is not None:
            fits(brought, limits)
            files.append(brought)
        async with self._turns:
            return await _decoded(task, {"pixels": limits.max_upload_pixels, **given}, files)

    def show(self, user: User, image: ImageId) -> None:
        """This person may start from this picture for the next hour."""
        self._known[user.key, image] = self.monotonic()

    def knows(self, user: User, image: ImageId) -> bool:
        """Whether this person brought this picture or was shown it lately."""
        known = (self._known.get((key, image)) for key in self.store.people.accounts(user.key))
        return any(since is not None and self.monotonic() - since < KEEP for since in known)

    async def check(self, user: User, image: ImageId) -> None:
        """Raise NotYours when this person may not start from this picture, Invalid when it is lost."""
        await self.path(user, image)

    async def path(self, user: User, image: ImageId) -> Path:
        """The verified file of a picture that this person may start from. Raises as `check`."""
        return await self.store.picture(image, None if self.knows(user, image) else user)

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
        lapsed = [key for key, since in self._known.items() if now - since >= KEEP]
        for key in lapsed:
            del self._known[key]
        if lapsed:
            # On a full disk they are forgotten at the next start.
            with contextlib.suppress(ConfigError):
                await self.store.brought()
        kept = {image for _, image in self._known}
        for image in self._brought - kept:
            self._brought.discard(image)
            await self.store.abandon(image)


def fits(data: bytes, limits: Limits) -> None:
    """Raise Invalid for a file that is too large or does not begin as a picture does."""
    if len(data) > limits.max_upload_mb * _MB:
        raise Invalid(
            "The picture has {size:.1f} MB; at most {most} MB are allowed, so make it smaller.",
            size=len(data) / _MB,
            most=limits.max_upload_mb,
        )
    if not data.startswith(BEGINNINGS):
        raise Invalid(_SENTENCES["format"])


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(24)


async def _decoded(task: str, given: dict[str, Any], files: list[bytes]) -> list[bytes]:
    """The decoder's answer. Raises Invalid."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        _CHILD,
        task,
        json.dumps(given),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(PATIENCE):
            answer, _ = await process.communicate(packed(files))
    except TimeoutError:
        raise Invalid(_SENTENCES["broken"]) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode == 0:
        return unpacked(answer)
    reason, *numbers = answer.decode("ascii", "replace").split() if process.returncode == 1 and answer else ["broken"]
    width, height, most = (*numbers, "?", "?", "?")[:3]
    raise Invalid(_SENTENCES.get(reason, _SENTENCES["broken"]), width=width, height=height, most=most)


_SENTENCES = {
    "format": Phrase("This is not a PNG, JPEG or WebP picture; please send one of those."),
    "animated": Phrase("The picture moves; please send a still one."),
    "pixels": Phrase("The picture has {width}×{height} pixels; at most {most} in all are allowed, so make it smaller."),
    "small": Phrase("The picture has {width}×{height} pixels, which is too small to start from; 16 is the least."),
    "broken": Phrase("The picture is damaged or incomplete; please save it anew and send it again."),
    "dark": Phrase("The mask is black all over; paint white what is to change."),
    "other": Phrase(
        "This does not look like the same picture; draw on the picture itself, and neither cut nor turn it."
    ),
    "untouched": Phrase("Nothing seems to be drawn on the picture; draw over what is to change and send it again."),
    "everything": Phrase("Nearly all of the picture is drawn over; leave out what is to stay."),
}
