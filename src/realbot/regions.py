"""Words for a part of a picture: `left`, `background`, or `10,10,60,80%` for x, y, width and height."""

from __future__ import annotations

import re
from typing import TypeAlias

#: x, y, width and height in percent of the picture.
Box: TypeAlias = tuple[float, float, float, float]

BOXES: dict[str, Box] = {
    "left": (0, 0, 50, 100),
    "right": (50, 0, 50, 100),
    "top": (0, 0, 100, 50),
    "bottom": (0, 50, 100, 50),
    "center": (20, 20, 60, 60),
    "top-left": (0, 0, 50, 50),
    "top-right": (50, 0, 50, 50),
    "bottom-left": (0, 50, 50, 50),
    "bottom-right": (50, 50, 50, 50),
}
#: Parts that only the picture itself tells.
GROUNDS = ("background", "foreground")
NAMES = (*BOXES, *GROUNDS)
_ALIASES = {"centre": "center", "middle": "center", "upper": "top", "lower": "bottom", "subject": "foreground"}
_NUMBERS = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%?(?:,\s*|$)")


def read(text: str) -> str:
    """A region as it is written. Raises ValueError for what is none."""
    name = re.sub(r"[\s_]+", "-", text.strip().casefold())
    name = _ALIASES.get(name, name)
    if name in NAMES:
        return name
    plain = text.strip().removesuffix("%")
    numbers = [float(found[1]) for found in _NUMBERS.finditer(plain)]
    if _NUMBERS.sub("", plain) or plain.endswith(",") or len(numbers) != 4:
        raise ValueError(text)
    x, y, width, height = numbers
    if not (x < 100 and y < 100 and width > 0 and height > 0):
        raise ValueError(text)
    return ",".join(f"{number:g}" for number in (x, y, min(width, 100 - x), min(height, 100 - y))) + "%"


def box(region: str) -> Box | None:
    """The place of a region that was read; None for one that only the picture tells."""
    if region in GROUNDS:
        return None
    if region in BOXES:
        return BOXES[region]
    x, y, width, height = (float(number) for number in region.removesuffix("%").split(","))
    return x, y, width, height
