"""What a person drew over a picture with the editor of a phone, found by comparison with the original.

Runs in the decoder's process only. The drawn picture was scaled, compressed and its colours moved a little on its way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from realbot.decoder import Refusal
from realbot.masks import Grid, components, filled, whole

#: Pixels of the longer side in which pictures are compared.
_LOOK = 640
#: How far the shapes of two copies of a picture may be apart.
_SHAPE = 0.04
#: A difference in colour that may belong to a stroke, and one that does, of 442; both grow with the noise.
_WEAK, _STRONG = 18.0, 40.0
#: Shares of the picture: less than the first is no stroke, more than the second is another picture unless it is drawn
#: in few colours, more than the third leaves nothing of the picture.
_NOTHING, _MUCH, _ALL = 0.0004, 0.15, 0.9
#: Shares of the longer side: gaps in a loop that are closed, and the margin around strokes.
_GAP, _MARGIN = 0.016, 0.006
#: The share of the contrast beside a pixel that is no difference.
_SLACK = 0.12
#: Pixels across which a stroke's edge is compressed.
_EDGE = 7


def by_strokes(original: Image.Image, drawn: Image.Image) -> Image.Image:
    """White where something was drawn and within closed loops, in the size of the original. Raises Refusal."""
    shapes = math.log(drawn.width / drawn.height) - math.log(original.width / original.height)
    if abs(shapes) > _SHAPE:
        raise Refusal("other")
    scale = min(1.0, _LOOK / max(original.size), max(drawn.size) / max(original.size))
    size = (max(8, round(original.width * scale)), max(8, round(original.height * scale)))
    before, after = (_seen(picture, size) for picture in (original, drawn))
    expected = _moved(before, after)
    found = _changed(expected, after)
    share = found.mean()
    if share < _NOTHING and _alike(expected, after, found):
        raise Refusal("untouched")
    if share > _MUCH and not _in_few_colours(expected, after, found):
        raise Refusal("other")
    if share <= _ALL and not _alike(expected, after, found):
        raise Refusal("other")
    longest = max(size)
    gap = max(1, round(_GAP * longest))
    loops = _shrunk(filled(_grown(found, gap)), gap) | found
    if loops.mean() > _ALL:
        raise Refusal("everything")
    return whole(_grown(loops, max(1, round(_MARGIN * longest))), original.size)


def _seen(picture: Image.Image, size: tuple[int, int]) -> Grid:
    small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return np.asarray(small.filter(ImageFilter.GaussianBlur(max(size) / 800)), np.float32)


def _moved(before: Grid, after: Grid) -> Grid:
    """The original in the colours of the copy, as most of its pixels tell."""
    expected = before.copy()
    for channel in range(3):
        x, y = before[..., channel].ravel(), after[..., channel].ravel()
        slope, offset = 1.0, float(np.median(y - x))
        for _ in range(4):
            away = np.abs(y - slope * x - offset)
            kept = away <= max(8.0, float(np.percentile(away, 60)))
            spread = float(np.var(x[kept]))
            if spread > 20:
                covariance = float(np.mean((x[kept] - x[kept].mean()) * (y[kept] - y[kept].mean())))
                slope = min(max(covariance / spread, 0.85), 1.15)
            offset = float(np.mean(y[kept] - slope * x[kept]))
        expected[..., channel] = slope * x.reshape(before.shape[:2]) + min(max(offset, -32.0), 32.0)
    return expected


def _changed(expected: Grid, after: Grid) -> Grid:
    """Where the copy has a colour that the original has nowhere near, in parts that are clear somewhere."""
    low, high = _around(expected, np.minimum), _around(expected, np.maximum)
    # At an edge of the picture compression moves more, the more the harder the edge is.
    slack = _SLACK * np.linalg.norm(_around(high, np.maximum) - _around(low, np.minimum), axis=2)
    away = np.linalg.norm(np.maximum(np.maximum(low - after, after - high), 0), axis=2) - slack
    away = np.maximum(away, 0)
    noise = float(np.median(away)) / 0.67
    weak, strong = max(_WEAK, 4 * noise), max(_STRONG, 8 * noise)
    labels, count = components(away > weak, diagonal=True)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    clear = np.bincount(labels[away > strong], minlength=count + 1)
    least = max(6.0, 0.00015 * away.size)
    kept = (areas >= least) & (clear >= 0.2 * areas)
    kept[0] = False
    # Compression spreads a stroke; its edge is where the difference is half of what it is beside it.
    near = Image.fromarray(np.clip(away, 0, 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(_EDGE))
    return np.asarray(kept[labels] & (away > 0.45 * np.asarray(near, np.float32)))


def _around(grid: Grid, most: Any) -> Grid:
    """The least or the most of each pixel and its eight neighbours."""
    padded = np.pad(grid, ((1, 1), (1, 1), (0, 0)), "edge")
    rows = most(most(padded[:-2], padded[1:-1]), padded[2:])
    return np.asarray(most(most(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:]))


def _alike(expected: Grid, after: Grid, found: Grid) -> bool:
    """Whether the rest of the picture follows the original; a plain one says nothing."""
    rest = ~found
    if rest.mean() < 0.05:
        return False
    x, y = expected.mean(2)[rest], after.mean(2)[rest]
    if x.std() < 6:
        return bool(abs(x.mean() - y.mean()) < 40 and y.std() < 12)
    return bool(np.corrcoef(x, y)[0, 1] > 0.7) if y.std() > 0 else False


def _in_few_colours(expected: Grid, after: Grid, found: Grid) -> bool:
    """Whether what changed looks like a pen's: three colours at most, or one that the picture shines through."""
    colours: Grid = after[found]
    left = colours
    for _ in range(3):
        if not len(left):
            break
        bins, counts = np.unique((left // 24).astype(np.int64) @ np.array([121, 11, 1]), return_counts=True)
        chosen = (left // 24).astype(np.int64) @ np.array([121, 11, 1]) == bins[counts.argmax()]
        middle = np.median(left[chosen], 0)
        left = left[np.linalg.norm(left - middle, axis=1) > 45]
    if len(left) <= 0.2 * len(colours):
        return True
    shining = [_residue(expected[found][:, channel], colours[:, channel]) for channel in range(3)]
    return float(np.mean(shining)) < 18


def _residue(x: Any, y: Any) -> float:
    """What of a channel does not follow the original."""
    spread = float(np.var(x))
    slope = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 1 else 0.0
    return float(np.std(y - slope * x))


def _grown(mask: Grid, radius: int) -> Grid:
    """With everything up to `radius` pixels away."""
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    for n in range(radius):
        # Squares and crosses in turn are nearly round.
        image = image.filter(ImageFilter.MaxFilter(3)) if n % 2 == 0 else _crossed(image)
    return np.asarray(image) > 0


def _shrunk(mask: Grid, radius: int) -> Grid:
    padded = np.pad(~mask, radius, "edge")
    return ~_grown(padded, radius)[radius:-radius, radius:-radius]


def _crossed(image: Image.Image) -> Image.Image:
    grid = np.pad(np.asarray(image), 1)
    found = np.maximum.reduce([grid[1:-1, 1:-1], grid[:-2, 1:-1], grid[2:, 1:-1], grid[1:-1, :-2], grid[1:-1, 2:]])
    return Image.fromarray(found)
