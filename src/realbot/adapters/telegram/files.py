"""Pictures as Telegram takes them: a photo to be looked at, and the file itself as a document, each measured first."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from realbot.adapters import files
from realbot.adapters.files import Picture, Sized

#: Bytes of a photo and of a document, and of a file that a bot can download.
PHOTO, DOCUMENT, DOWNLOAD = 10 * 10**6, 50 * 10**6, 20 * 10**6
#: Width and height of a photo together, in pixels, and the longer side divided by the shorter.
SIDES, RATIO = 10_000, 20
#: Bytes that the rest of a request may take.
REST = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Photo:
    """What is shown: a photo, or a document where Telegram takes no photo of that shape."""

    data: bytes
    name: str
    alt: str
    document: bool = False


async def shown(picture: Picture, first: int = 0) -> Photo:
    """The picture as a photo, smaller or in another format where it must be; `first` as in `files.fitted`.

    Raises OSError for a file that cannot be read.
    """
    narrow, picture = await asyncio.to_thread(_within, picture)
    if narrow:
        (sized,) = await files.fitted([picture], DOCUMENT - REST, first)
    else:
        (sized,) = await files.fitted([picture], PHOTO - REST, first)
    return Photo(sized.data, sized.name, sized.alt, document=narrow)


async def original(picture: Picture) -> tuple[Sized, bool]:
    """The file as it was painted, or the largest copy of it that Telegram takes; whether it is the original."""
    (sized,) = await files.fitted([picture], DOCUMENT - REST)
    return sized, sized.name == picture.name


def _within(picture: Picture) -> tuple[bool, Picture]:
    """Whether the shape is too long for a photo; the picture with sides that are short enough."""
    source = io.BytesIO(picture.source) if isinstance(picture.source, bytes) else Path(picture.source)
    with Image.open(source) as opened:
        width, height = opened.size
        if max(width, height) > RATIO * min(width, height):
            return True, picture
        if width + height <= SIDES:
            return False, picture
        share = SIDES / (width + height)
        smaller = opened.convert("RGB").resize((int(width * share), int(height * share)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    smaller.save(out, "PNG")
    return False, Picture(out.getvalue(), picture.name, picture.alt)
