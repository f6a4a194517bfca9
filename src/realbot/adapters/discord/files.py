"""Pictures as files that a place takes: PNG as painted while it is small enough, then WebP, then JPEG.

Sizes are measured before anything is sent, and encoding runs in a thread.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import discord
from PIL import Image

from .payload import Picture

#: Bytes of a file where nothing else is known, and of all files of one message.
LIMIT, TOTAL = 10 * 2**20, 25 * 2**20
#: Bytes that the rest of a message may take.
REST = 64 * 2**10
#: Shares of the side length that are tried when even a JPEG is too large.
SHARES = (0.75, 0.5, 0.35, 0.25, 0.125)
#: How many formats there are: as painted, WebP, JPEG.
STEPS = 3


@dataclass(frozen=True, slots=True)
class Sized:
    """A picture as it is sent."""

    data: bytes
    name: str
    alt: str

    def file(self, *, spoiler: bool = False) -> discord.File:
        """A file for one message; discord.py reads each only once."""
        return discord.File(io.BytesIO(self.data), self.name, description=self.alt[:1024] or None, spoiler=spoiler)


async def fitted(pictures: Sequence[Picture], limit: int = LIMIT, first: int = 0) -> list[Sized]:
    """The pictures, none larger than `limit` bytes and all together small enough for one message.

    `first` is the format to begin with, as its number. Raises OSError for a file that cannot be read.
    """
    share = (TOTAL - REST) // max(1, len(pictures))
    return [await asyncio.to_thread(_fit, picture, min(limit, share), first) for picture in pictures]


def _fit(picture: Picture, limit: int, first: int) -> Sized:
    data = picture.source if isinstance(picture.source, bytes) else picture.source.read_bytes()
    stem, ending = PurePath(picture.name).stem, PurePath(picture.name).suffix
    if first == 0 and len(data) <= limit:
        return Sized(data, picture.name, picture.alt)
    smallest = Sized(data, f"{stem}{ending}", picture.alt)
    for name, encoded in _smaller(data, max(first, 1)):
        smallest = Sized(encoded, stem + name, picture.alt)
        if len(encoded) <= limit:
            break
    return smallest


def _smaller(data: bytes, first: int) -> Iterator[tuple[str, bytes]]:
    """The picture in less and less bytes, each with its file's ending."""
    with Image.open(io.BytesIO(data)) as opened:
        whole = opened.convert("RGB")
    if first < STEPS - 1:
        yield ".webp", _encoded(whole, "WEBP", 92)
    for quality in (92, 80):
        yield ".jpg", _encoded(whole, "JPEG", quality)
    for share in SHARES:
        size = (max(1, round(whole.width * share)), max(1, round(whole.height * share)))
        yield ".jpg", _encoded(whole.resize(size, Image.Resampling.LANCZOS), "JPEG", 80)


def _encoded(picture: Image.Image, kind: str, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, quality=quality)
    return out.getvalue()


def renamed(
    embeds: Sequence[discord.Embed], pictures: Sequence[Picture], files: Sequence[discord.File]
) -> list[discord.Embed]:
    """Copies of the embeds that show the files under the names with which they are sent."""
    names = {f"attachment://{p.name}": f"attachment://{f.filename}" for p, f in zip(pictures, files, strict=True)}
    copies = [embed.copy() for embed in embeds]
    for embed in copies:
        if embed.image.url in names:
            embed.set_image(url=names[embed.image.url])
        if embed.thumbnail.url in names:
            embed.set_thumbnail(url=names[embed.thumbnail.url])
    return copies
