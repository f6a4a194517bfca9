"""Does a picture go from its source the further, the higher the strength? Measured with `mini`.

Each picture is painted from words, and then changed at six strengths under the words of another one, with one seed.
How like its source it stays is told in four ways: by its pixels (mean absolute error, and SSIM of Wang et al., 2004),
by its latents, and by what the recipe's probe sees before it judges. For each way there is Spearman's rank correlation
of strength and likeness: of the mean over all pictures, the mean of each picture's own, and how many are -0.9 or less
(at six strengths, -0.94 is one pair of neighbours in the wrong order).

Predicted before the first run: -1 for the mean in all four ways; per picture -0.97 by error, latents and SSIM, and -0.9
by the probe, which is used to telling objects, so that a picture which has become another one may come nearer again.
Found with 50 pictures: -1 for the mean in all four ways; per picture -1.00 by error and latents (50 of 50 are -0.9 or
less), -0.98 by SSIM (46 of 50) and -0.96 by the probe (46 of 50).

    python benchmarks/source.py [--pictures 60] [--strengths 0.15,0.3,0.45,0.6,0.75,0.9] [--sheet FILE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import reference as looks
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "mini"))
import evaluate
import probe as judges

STRENGTHS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
WAYS = ("error", "ssim", "latents", "probe")
#: A picture is asked to become the one so many prompts further on, which is of another object on another background.
ON = 7


class Likeness:
    """How like one another two pictures are, in each way; higher is more like."""

    def __init__(self, studio: looks.Studio) -> None:
        self._studio, self._probe = studio, evaluate.judge()

    @torch.no_grad()
    def __call__(self, one: Image.Image, other: Image.Image) -> list[float]:
        error = np.abs(np.asarray(one, float) - np.asarray(other, float)).mean() / 255
        a, b = (self._studio.painter.stages._latents(image) for image in (one, other))
        seen = [self._probe.body(torch.from_numpy(judges.small(image))[None]) for image in (one, other)]
        return [
            -float(error),
            structure(one, other),
            -float((a - b).square().mean().sqrt()),
            float(torch.nn.functional.cosine_similarity(*seen)),
        ]


def structure(one: Image.Image, other: Image.Image, side: int = 7) -> float:
    """The mean of SSIM over all places, of the brightness, with a window of `side` pixels."""
    x, y = (torch.from_numpy(np.asarray(image.convert("L"), np.float32))[None, None] / 255 for image in (one, other))

    def mean(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(values, side, 1)

    a, b = mean(x), mean(y)
    spread = mean(x * x) - a * a + mean(y * y) - b * b
    together = mean(x * y) - a * b
    found = (2 * a * b + 1e-4) * (2 * together + 9e-4) / ((a * a + b * b + 1e-4) * (spread + 9e-4))
    return float(found.mean())


def spearman(one: list[float], other: list[float]) -> float:
    """The correlation of ranks, for values that are all different."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def measured(studio: looks.Studio, count: int, strengths: tuple[float, ...] = STRENGTHS) -> np.ndarray:
    """The likeness to its source of each picture at each strength in each way, [count, strengths, ways]."""
    like, asked = Likeness(studio), evaluate.prompts(100)
    found = np.zeros((count, len(strengths), len(WAYS)))
    for n in range(count):
        source = studio.paint(asked[n][0], n)
        words = asked[(n + ON) % 100][0]
        for k, strength in enumerate(strengths):
            made = studio.paint(words, 1000 + n, source=source, strength=strength)
            found[n, k] = like(studio.picture(source), studio.picture(made))
    return found


def sheet(studio: looks.Studio, strengths: tuple[float, ...]) -> Image.Image:
    """Ten of them: the source, and below it what became of it."""
    asked = evaluate.prompts(100)
    page = Image.new("RGB", (1280, 128 * (len(strengths) + 1)))
    for n in range(10):
        source = studio.paint(asked[n][0], n)
        words = asked[(n + ON) % 100][0]
        made = [studio.paint(words, 1000 + n, source=source, strength=strength) for strength in strengths]
        for k, image in enumerate([source, *made]):
            page.paste(studio.picture(image), (128 * n, 128 * k))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--strengths", default=",".join(f"{strength:g}" for strength in STRENGTHS))
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    told = parser.parse_args()
    if told.threads:
        torch.set_num_threads(told.threads)
    strengths = tuple(map(float, told.strengths.split(",")))
    with tempfile.TemporaryDirectory() as name:
        studio = looks.Studio(Path(name))
        found = measured(studio, told.pictures, strengths)
        if told.sheet:
            sheet(studio, strengths).save(told.sheet)
    print(
        f"{'likeness':10}" + "".join(f"{strength:8g}" for strength in strengths) + "   of the mean  each  -0.9 or less"
    )
    for way, name in enumerate(WAYS):
        middle = found[:, :, way].mean(0)
        each = [spearman(list(strengths), row) for row in found[:, :, way].tolist()]
        steady = sum(one <= -0.9 for one in each)
        values = "".join(f"{value:8.3f}" for value in middle)
        whole = spearman(list(strengths), middle.tolist())
        print(f"{name:10}{values}{whole:14.2f}{np.mean(each):6.2f}{steady:7} of {len(each)}")


if __name__ == "__main__":
    main()
