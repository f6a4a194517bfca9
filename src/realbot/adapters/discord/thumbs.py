"""Small pictures for lists, made in a thread and kept nowhere."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path


async def small(path: Path, side: int) -> bytes | None:
    """The picture as a WebP whose sides are `side` pixels at most; None when the file is gone or no picture."""
    return await asyncio.to_thread(_small, path, side)


def _small(path: Path, side: int) -> bytes | None:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            shown = picture.convert("RGB")
    except OSError:
        return None
    shown.thumbnail((side, side))
    data = io.BytesIO()
    shown.save(data, "WEBP", quality=85)
    return data.getvalue()
