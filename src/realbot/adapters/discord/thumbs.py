"""Small pictures for lists, made in a thread and kept nowhere."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

#: The part of its side by which a veiled picture is blurred.
VEIL = 12


async def small(path: Path, side: int, *, veiled: bool = False) -> bytes | None:
    """The picture as a WebP whose sides are `side` pixels at most; None when the file is gone or no picture.

    One that is `veiled` shows no more than its colours.
    """
    return await asyncio.to_thread(_small, path, side, veiled)


def _small(path: Path, side: int, veiled: bool) -> bytes | None:
    from PIL import Image, ImageFilter

    try:
        with Image.open(path) as picture:
            shown = picture.convert("RGB")
    except OSError:
        return None
    shown.thumbnail((side, side))
    if veiled:
        shown = shown.filter(ImageFilter.GaussianBlur(side / VEIL))
    data = io.BytesIO()
    shown.save(data, "WEBP", quality=85)
    return data.getvalue()
