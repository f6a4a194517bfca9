"""What it costs to look at each picture before anybody sees it, and what the checker makes of the bundled model's.

check    Classifier.score of a PNG file, through its process, by the picture's size
share    of the time from Studio.submit to Done with mini that the checker takes, in the same run
scores   of the pictures that were painted: how many are suspect (0.5) or unsafe (0.8), none of which should be

Predicted before the first run: 25 ms a picture of 128x128 (22 ms of it the network), 2 % of a mini picture, and no
score above 0.25. Found on two busy cores: 35 ms, 5 % of 675 ms, and 0.001 at most.

    python benchmarks/safety.py [--pictures 12] [--checker opennsfw]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from realbot.app import opened
from realbot.classifier import Classifier
from realbot.config import Settings
from realbot.jobs import Done, Generate, Origin, User

USER, ORIGIN = User("cli", "benchmark"), Origin("cli")
SIDES = (128, 512, 1024)
#: Scores of each size.
ROUNDS = 15
WORDS = (
    "a red apple on a blue background",
    "a green tree on a white background",
    "a yellow star on a black background",
)


def noise(side: int) -> bytes:
    """A PNG file of a smooth picture with grain, which compresses like a photograph."""
    random = np.random.default_rng(side)
    small = Image.fromarray(random.integers(0, 255, (8, 8, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    grain = np.asarray(small, np.int16) + random.normal(0, 4, (side, side, 3)).astype(np.int16)
    out = io.BytesIO()
    Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(out, "PNG", compress_level=1)
    return out.getvalue()


async def checks(checker: str) -> None:
    """The time of one score by size, in milliseconds."""
    classifier = Classifier(checker)
    begun = time.perf_counter()
    await classifier.open()
    print(f"loading {classifier.name}: {time.perf_counter() - begun:.2f} s\n\ncheck       median   slowest")
    for side in SIDES:
        data, took = noise(side), []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            await classifier.score(data)
            took.append(time.perf_counter() - begun)
        took.sort()
        print(f"{side:>4}x{side:<4} {statistics.median(took) * 1e3:7.1f} ms {took[-1] * 1e3:6.1f} ms")
    await classifier.close()


async def painted(checker: str, pictures: int) -> None:
    """How much of a picture's time the checker takes, and what it finds."""
    took: list[float] = []
    looked: list[float] = []
    scores: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(paths={"data": Path(folder)}, safety={"checker": checker}, limits={"cooldown": 0})
        async with opened(settings) as studio:
            classifier = studio.safety.classifier
            assert classifier is not None
            score = classifier.score

            async def timed(png: bytes) -> float:
                begun = time.perf_counter()
                scores.append(await score(png))
                looked.append(time.perf_counter() - begun)
                return scores[-1]

            classifier.score = timed  # type: ignore[method-assign]
            for number in range(pictures + 1):
                request = Generate(prompt=WORDS[number % len(WORDS)], seed=number)
                begun = time.perf_counter()
                job = await studio.submit(USER, request, ORIGIN)
                async for _ in job.watch():
                    pass
                assert isinstance(job.status, Done), job.status
                took.append(time.perf_counter() - begun)
    # The first one waits for the engine too.
    whole, share = statistics.median(took[1:]), statistics.median(looked[1:])
    print(f"\nsubmit to Done {whole * 1e3:.0f} ms, the checker {share * 1e3:.0f} ms of it: {share / whole:.1%}")
    high = sum(score >= 0.5 for score in scores)
    print(f"scores of {len(scores)} pictures of mini: at most {max(scores):.3f}, {high} suspect or unsafe")


async def measure(pictures: int, checker: str) -> None:
    await checks(checker)
    await painted(checker, pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--checker", default="opennsfw")
    given = parser.parse_args()
    asyncio.run(measure(given.pictures, given.checker))


if __name__ == "__main__":
    main()
