"""A contact sheet of the pictures that a style is about to be trained on."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

#: Cells in a row, pixels of each, and between two.
ACROSS, SIDE, GAP = 8, 120, 6


async def sheet(paths: Sequence[Path]) -> bytes:
    """A WebP with a square from the middle of each picture, in their order. Raises OSError when one is gone."""
    return await asyncio.to_thread(_sheet, paths)


def _sheet(paths: Sequence[Path]) -> bytes:
    from PIL import Image, ImageOps

    across = min(len(paths), ACROSS)
    down = -(-len(paths) // across)
    whole = Image.new("RGBA", (across * (SIDE + GAP) - GAP, down * (SIDE + GAP) - GAP))
    for n, path in enumerate(paths):
        with Image.open(path) as picture:
            cell = ImageOps.fit(picture.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS)
        whole.paste(cell, (n % across * (SIDE + GAP), n // across * (SIDE + GAP)))
    data = io.BytesIO()
    whole.save(data, "WEBP", quality=85)
    return data.getvalue()
