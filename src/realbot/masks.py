"""Masks, in which white is what is painted: from transparency, a second picture, words, or strokes of a finger.

Runs in the decoder's process only.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from realbot.decoder import Refusal
from realbot.regions import box

Grid: TypeAlias = np.ndarray[Any, np.dtype[Any]]

#: Less opaque than this is transparent, of 255.
_OPAQUE = 242
#: Pixels of the longer side in which a background is looked for, and how far a colour may be from one at the border.
_SCENE, _LIKE = 256, 48
#: Colour and strength of the tint over a mask, and the largest side of a picture that shows it.
_TINT, _TINTED, _SHOWN = (255, 0, 110), 0.55, 1280


def by_alpha(picture: Image.Image) -> Image.Image | None:
    """White where a picture is transparent; None for one that is not."""
    if picture.mode != "RGBA":
        return None
    mask = picture.getchannel("A").point(lambda value: 0 if value >= _OPAQUE else 255)
    return mask if mask.getbbox() else None


def by_light(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """White where a second picture is light, or transparent with something dark beside it. Raises Refusal."""
    mask = by_alpha(picture)
    light = picture.convert("L")
    if mask is not None:
        seen = np.asarray(light)[np.asarray(mask) == 0]
        # White strokes on nothing are a mask already.
        if seen.size and np.mean(seen >= 128) > 0.95:
            mask = ImageChops.invert(mask)
    else:
        mask = light
    fitted = mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)
    fitted = fitted.point(lambda value: 255 if value >= 128 else 0)
    if fitted.getbbox() is None:
        raise Refusal("dark")
    return fitted


def by_region(picture: Image.Image, region: str) -> Image.Image:
    """White in the region that was named."""
    place = box(region)
    if place is None:
        found = background(picture)
        return found if region == "background" else ImageChops.invert(found)
    mask = Image.new("L", picture.size)
    x, y, width, height = place
    left, top = (math.floor(side * at / 100) for side, at in zip(picture.size, (x, y), strict=True))
    right = min(max(left + 1, math.ceil(picture.width * (x + width) / 100)), picture.width)
    lower = min(max(top + 1, math.ceil(picture.height * (y + height) / 100)), picture.height)
    mask.paste(255, (left, top, right, lower))
    return mask


def background(picture: Image.Image) -> Image.Image:
    """White where the colours of the border reach without a break; around the middle where that says nothing."""
    scale = min(1.0, _SCENE / max(picture.size))
    size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
    small = np.asarray(picture.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1)), np.float32)
    edges = [strip for side in (small[:3], small[-3:], small[:, :3].swapaxes(0, 1), small[:, -3:].swapaxes(0, 1))
             for strip in np.array_split(side, 4, axis=1)]  # fmt: skip
    near = np.min([np.linalg.norm(small - np.median(strip, (0, 1)), axis=2) for strip in edges], axis=0) < _LIKE
    outer = _reached(near)
    if not 0.08 <= outer.mean() <= 0.97:
        oval = Image.new("L", size, 255)
        ImageDraw.Draw(oval).ellipse((size[0] * 0.15, size[1] * 0.1, size[0] * 0.85, size[1] * 0.9), 0)
        outer = np.asarray(oval) > 0
    return whole(outer, picture.size)


def overlay(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with the mask tinted, for people to look at."""
    mask = mask.convert("L")
    if mask.size != picture.size:
        mask = mask.resize(picture.size, Image.Resampling.BILINEAR)
    shown, mask = picture.copy(), mask.copy()
    for one in (shown, mask):
        one.thumbnail((_SHOWN, _SHOWN))
    tinted = Image.blend(shown, Image.new("RGB", shown.size, _TINT), _TINTED)
    found = Image.composite(tinted, shown, mask)
    line = ImageChops.subtract(mask.filter(ImageFilter.MaxFilter(3)), mask)
    found.paste("white", mask=line)
    return found


def canvas(picture: Image.Image, size: tuple[int, int], place: tuple[int, int, int, int]) -> Image.Image:
    """The picture in `place`, x, y, width and height of a larger or shifted canvas, its edges drawn out around it."""
    x, y, width, height = place
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(picture)
    columns = np.clip(np.arange(size[0]) - x, 0, width - 1)
    rows = np.clip(np.arange(size[1]) - y, 0, height - 1)
    drawn = Image.fromarray(pixels[rows][:, columns])
    around = drawn.filter(ImageFilter.GaussianBlur(max(size) / 40))
    around.paste(picture, (x, y))
    return around


def around(size: tuple[int, int], place: tuple[int, int, int, int]) -> Image.Image:
    """White around `place`, which may reach over the edge."""
    x, y, width, height = place
    mask = Image.new("L", size, 255)
    mask.paste(0, (x, y, x + width, y + height))
    return mask


def components(mask: Grid, *, diagonal: bool) -> tuple[Grid, int]:
    """Each connected part of a mask numbered from 1, and how many there are."""
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    change = np.diff(padded, axis=1)
    rows, starts = np.nonzero(change == 1)
    _, ends = np.nonzero(change == -1)
    parents = list(range(len(rows)))

    def root(n: int) -> int:
        while parents[n] != n:
            parents[n] = parents[parents[n]]
            n = parents[n]
        return n

    first = np.searchsorted(rows, np.arange(mask.shape[0] + 1)).tolist()
    begins, stops, touch = starts.tolist(), ends.tolist(), int(diagonal)
    for y in range(1, mask.shape[0]):
        above, here = first[y - 1], first[y]
        while above < first[y] and here < first[y + 1]:
            if begins[above] < stops[here] + touch and begins[here] < stops[above] + touch:
                parents[root(above)] = root(here)
            if stops[above] < stops[here]:
                above += 1
            else:
                here += 1
    roots = np.array([root(n) for n in range(len(parents))], int)
    known, numbers = np.unique(roots, return_inverse=True)
    labels = np.zeros(mask.shape, np.int32)
    for row, start, end, number in zip(rows.tolist(), begins, stops, numbers.tolist(), strict=True):
        labels[row, start:end] = number + 1
    return labels, len(known)


def filled(mask: Grid) -> Grid:
    """With what it encloses."""
    return ~_reached(~mask)


def whole(mask: Grid, size: tuple[int, int]) -> Image.Image:
    """A small mask in the size of its picture."""
    found = Image.fromarray(mask.astype(np.uint8) * 255)
    if found.size != size:
        found = found.resize(size, Image.Resampling.BILINEAR).point(lambda value: 255 if value >= 128 else 0)
    return found


def _reached(mask: Grid) -> Grid:
    """The parts of a mask that touch the border."""
    labels, _ = components(mask, diagonal=False)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.isin(labels, border[border > 0])
