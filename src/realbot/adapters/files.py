"""Pictures as files that a platform takes: PNG as painted while it is small enough, then WebP, then JPEG.

Sizes are measured before anything is sent, and encoding runs in a thread.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from PIL import Image

#: Shares of the side length that are tried when even a JPEG is too large.
SHARES = (0.75, 0.5, 0.35, 0.25, 0.125)
#: How many formats there are: as painted, WebP, JPEG.
STEPS = 3


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on its way to a message. `source` is its path, or the bytes of what may be gone in a moment."""

    source: Path | bytes
    name: str  #: ASCII and short; its ending may change with the format it is sent in
    alt: str  #: at most 1024 characters
    spoiler: bool = False  #: it is seen only once somebody presses it


@dataclass(frozen=True, slots=True)
class Sized:
    """A picture as it is sent."""

    data: bytes
    name: str
    alt: str
    spoiler: bool = False


async def fitted(pictures: Sequence[Picture], limit: int, first: int = 0) -> list[Sized]:
    """The pictures, none larger than `limit` bytes; `first` is the format to begin with, as its number.

    Raises OSError for a file that cannot be read.
    """
    made = [await asyncio.to_thread(_fit, picture, limit, first) for picture in pictures]
    return [replace(one, spoiler=picture.spoiler) for one, picture in zip(made, pictures, strict=True)]


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
