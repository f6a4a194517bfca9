"""The pictures that a request begins with: how each is come by, in steps that can be taken again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import discord
from PIL import Image, ImageStat

from realbot.adapters import captions
from realbot.adapters.outbox import Down
from realbot.errors import Invalid
from realbot.jobs import Generate, ImageId, Origin, User
from realbot.studio import Studio

#: What is made of a file, and its address; of a card: its job and the picture's number.
Step: TypeAlias = tuple[str, str]

#: Bytes of an attached picture that are fetched; what is in them is checked by the studio.
LARGEST = 25 * 2**20
#: How a file begins that has no transparent parts.
OPAQUE = b"\xff\xd8\xff"
#: Steps whose first picture is the one that masks belong to.
SOURCES = ("plain", "cut", "card")


@dataclass(frozen=True, slots=True)
class Masked:
    """A request that paints a part of a picture anew, which is shown first; `steps` bring its pictures again."""

    request: Generate
    steps: tuple[Step, ...] = ()


class Pictures:
    """Those of one request of one person. Every verb raises Invalid, in one sentence, and NotYours."""

    def __init__(self, studio: Studio, client: discord.Client, user: User, origin: Origin) -> None:
        self._studio, self._client, self._user, self._origin = studio, client, user, origin
        self._steps: list[Step] = []
        self._files: dict[str, bytes] = {}

    async def plain(self, attachment: discord.Attachment) -> ImageId:
        """A picture as it is."""
        (image,) = await self._attached("plain", attachment)
        return image

    async def cut(self, attachment: discord.Attachment) -> tuple[ImageId, ImageId | None]:
        """A picture, and the mask of its transparent parts, where it has any."""
        made = await self._attached("cut", attachment)
        return (made[0], made[1]) if made else (await self.plain(attachment), None)

    async def file(self, attachment: discord.Attachment) -> bytes:
        """A picture's file as it was attached, of which nothing is kept."""
        if attachment.size > LARGEST:
            raise Invalid(captions.too_large(attachment.size, LARGEST))
        return await self._read(attachment.url)

    async def light(self, source: ImageId, attachment: discord.Attachment) -> ImageId:
        """The mask of a picture from a second one."""
        (mask,) = await self._attached("light", attachment, source)
        return mask

    async def drawn(self, job_id: str, count: int, attachment: discord.Attachment) -> tuple[ImageId, ImageId]:
        """The picture of a card, as it was painted, and the mask of what was drawn over this copy of it.

        Of several pictures it is the one from which the copy differs least.
        """
        found: list[tuple[float, ImageId, ImageId, list[Step]]] = []
        refused: Invalid | None = None
        for index in range(count):
            card = f"{job_id}.{index}"
            try:
                (source,) = await self._made("card", card, "")
                (mask,) = await self._attached("strokes", attachment, source)
            except Invalid as error:
                refused = refused or error
                continue
            steps = [("card", card), self._steps.pop()]
            share = await asyncio.to_thread(_painted, await self._studio.source(self._user, mask)) if count > 1 else 0.0
            found.append((share, source, mask, steps))
        if not found:
            raise refused or Invalid(captions.gone())
        _, source, mask, steps = min(found)
        self._steps += steps
        return source, mask

    def masked(self, request: Generate) -> Generate | Masked:
        """The request, to be agreed to first where it paints a part of a picture."""
        return request if request.mask is None and request.region is None else Masked(request, tuple(self._steps))

    async def again(self, steps: Iterable[Step]) -> None:
        """Come by the same pictures once more."""
        source = ""
        for task, address in steps:
            made = await self._take(task, address, source)
            source = source or (made[0] if made and task in SOURCES else "")

    async def _attached(self, task: str, attachment: discord.Attachment, source: ImageId = "") -> list[ImageId]:
        if attachment.size > LARGEST:
            raise Invalid(captions.too_large(attachment.size, LARGEST))
        return await self._take(task, attachment.url, source)

    async def _take(self, task: str, address: str, source: ImageId = "") -> list[ImageId]:
        made = await self._made(task, address, source)
        if made:
            self._steps.append((task, address))
        return made

    async def _made(self, task: str, address: str, source: ImageId) -> list[ImageId]:
        if task == "card":
            job_id, _, index = address.partition(".")
            return [(await self._studio.enlarge(self._user, job_id, int(index), 2, shown=True)).source]
        data = await self._read(address)
        match task:
            case "cut":
                if data.startswith(OPAQUE):
                    return []
                return list(await self._studio.mask_from_alpha(self._user, data, self._origin) or ())
            case "light":
                return [await self._studio.mask(self._user, source, data, self._origin)]
            case "strokes":
                return [await self._studio.mask_by_strokes(self._user, source, data, self._origin)]
            case _:
                return [await self._studio.upload(self._user, data, self._origin)]

    async def _read(self, address: str) -> bytes:
        if address not in self._files:
            try:
                self._files[address] = await self._client.http.get_from_cdn(address)
            except (discord.HTTPException, Down, OSError):
                raise Invalid(captions.not_loaded()) from None
        return self._files[address]


def _painted(path: Path) -> float:
    """How much of a mask is white."""
    with Image.open(path) as mask:
        return float(ImageStat.Stat(mask.convert("L")).mean[0])


def pictures(message: Any) -> list[discord.Attachment]:
    """The attached pictures of a message, as many as a menu shows."""
    return [one for one in message.attachments if (one.content_type or "").startswith("image/")][:10]
