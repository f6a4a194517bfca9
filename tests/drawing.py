"""Pictures to draw on, strokes of a finger, and what a messenger makes of them."""

from __future__ import annotations

import io
import math
import random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

Grid = np.ndarray[Any, Any]
#: Pens of a phone's editor.
PENS = {
    "red": (235, 30, 40),
    "yellow": (255, 220, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "green": (20, 200, 70),
    "blue": (30, 90, 240),
}


def photo(seed: int, size: tuple[int, int] = (1024, 768)) -> Image.Image:
    """Something as busy as a photograph: noise at every scale, and grain."""
    rng = np.random.default_rng(seed)
    found = np.full((size[1], size[0], 3), 128.0)
    for cells, strength in ((4, 90), (16, 50), (64, 25), (256, 12)):
        for channel in range(3):
            coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
            found[..., channel] += strength * np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))
    found += rng.normal(0, 4, (size[1], size[0], 1))
    return Image.fromarray(np.clip(found, 0, 255).astype(np.uint8))


def plain(seed: int, side: int = 128) -> Image.Image:
    """A simple thing on a plain ground, as the bundled model paints it."""
    rng = random.Random(seed)
    ground, thing, spot = rng.sample(
        [(222, 56, 49), (64, 168, 80), (56, 116, 222), (246, 150, 190), (250, 250, 250)], 3
    )
    picture = Image.new("RGB", (side * 2, side * 2), ground)
    pen = ImageDraw.Draw(picture)
    corner = [round(side * rng.uniform(0.3, 0.6)), round(side * rng.uniform(0.3, 0.6))]
    pen.ellipse((*corner, corner[0] + side, corner[1] + side), thing)
    pen.rectangle((side, side * 0.8, side * 1.3, side * 1.1), spot)
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def stroke(size: tuple[int, int], seed: int, kind: str, width: float) -> tuple[Image.Image, Image.Image]:
    """A line of a share `width` of the longer side, and what it marks: a `loop` means what it encloses too."""
    rng, thick = random.Random(seed), max(2.0, width * max(size))
    middle = [side * rng.uniform(0.4, 0.6) for side in size]
    radius = min(size) * rng.uniform(0.14, 0.25)
    if kind == "loop":
        turns = [2 * math.pi * n / 90 for n in range(91)]
        at = [
            (
                middle[0] + radius * (1 + 0.15 * math.sin(3 * turn)) * math.cos(turn),
                middle[1] + radius * (1 + 0.15 * math.cos(2 * turn)) * math.sin(turn),
            )
            for turn in turns
        ]
    else:
        at = [
            (middle[0] + radius * (2 * n / 120 - 1), middle[1] + 0.8 * radius * math.sin(14 * n / 120))
            for n in range(121)
        ]
    line, inside = Image.new("L", size), Image.new("L", size)
    pen = ImageDraw.Draw(line)
    pen.line(at, 255, round(thick), joint="curve")
    for x, y in at:
        pen.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), 255)
    if kind == "loop":
        ImageDraw.Draw(inside).polygon(at, 255)
    return line, Image.fromarray(np.maximum(np.asarray(line), np.asarray(inside)))


def drawn(picture: Image.Image, line: Image.Image, colour: tuple[int, int, int], opacity: float = 1.0) -> Image.Image:
    found = picture.copy()
    found.paste(colour, mask=line.point(lambda value: round(value * opacity)))
    return found


def sent(picture: Image.Image, quality: int = 87, side: int = 1280) -> bytes:
    """A picture as Telegram passes it on."""
    small = picture.copy()
    small.thumbnail((side, side))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def shows(picture: Image.Image, line: Image.Image, colour: tuple[int, int, int]) -> bool:
    """Whether a person can see this pen on this picture."""
    under = np.asarray(picture).astype(float)[np.asarray(line) > 0]
    return float(np.mean(np.linalg.norm(under - np.array(colour), axis=1) < 70)) < 0.1


def overlap(one: Image.Image | Grid, other: Image.Image | Grid) -> float:
    """Intersection over union of two masks."""
    a, b = (np.asarray(mask) > 0 for mask in (one, other))
    return float((a & b).sum() / max((a | b).sum(), 1))
