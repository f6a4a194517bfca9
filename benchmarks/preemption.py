"""How long does somebody wait for a picture because a style is being trained?

The bundled model learns a style from 12 pictures in a running studio. At random moments of it somebody asks for a
picture: how many steps of the training end between the request and the picture's start, how long that took as a share
of a step, and how much longer the training takes for all the interruptions.

Found: of 15 pictures each began after one step at most, most of them within the one under way; a wait of 0.8 steps in
the middle and of 2.6 where samples were just begun; the training took 1.28 x as long for 15 pauses in 120 steps.

    python benchmarks/preemption.py [--pictures 20] [--steps 150]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from realbot.academy import Brought
from realbot.app import built
from realbot.config import Settings
from realbot.engine import Cancelled, Fact, Produced, Started, Step
from realbot.jobs import Done, Generate, Job, Origin, User
from realbot.studio import Studio

PREDICTED = "predicted: the picture begins after at most 1 step, half of one in the middle; at most 2 are allowed"
HERE = Origin("cli")
TRAINER, PAINTER = User("cli", "trainer"), User("cli", "painter")


def drawn(index: int) -> bytes:
    image = Image.new("RGB", (128, 128), (250, 240, 220))
    draw = ImageDraw.Draw(image)
    for y in range(index % 8, 128, 8):
        draw.line((0, y, 128, y), fill=(120, 90, 60))
    draw.ellipse((20 + 3 * index, 30, 80 + 3 * index, 90), outline=(60, 20, 120), width=6)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def lesson(studio: Studio, name: str, steps: int) -> Job:
    files = [Brought(f"a-ring-{n}.png", drawn(n)) for n in range(12)]
    plan = await studio.plan(TRAINER, HERE, name, "rings", files, steps=steps)
    return await studio.submit(TRAINER, replace(plan.request, batch=4), HERE)


async def ended(job: Job) -> Done:
    async for _ in job.watch():
        pass
    assert isinstance(job.status, Done), job.status
    return job.status


async def measure(pictures: int, steps: int) -> None:
    told: list[tuple[float, Fact]] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(paths={"data": Path(folder)}, training={"roles": ("everyone",)})
        async with built(settings) as studio:
            pool = studio._dispatcher.pool
            facts = pool.facts

            async def overheard() -> AsyncIterator[Fact]:
                async for fact in facts():
                    told.append((time.perf_counter(), fact))
                    yield fact

            pool.facts = overheard  # type: ignore[method-assign]
            await studio.open()
            alone = await ended(await lesson(studio, "alone", steps))
            told.clear()
            training = await lesson(studio, "disturbed", steps)
            draw = random.Random(1)
            passed, waited = [], []
            each = alone.seconds / steps
            for n in range(pictures):
                await asyncio.sleep(each * draw.uniform(2, 6))
                if isinstance(training.status, Done):
                    break
                heard, asked = len(told), time.perf_counter()
                picture = await studio.submit(PAINTER, Generate(prompt=f"apple {n}", steps=4, seed=n), HERE)
                await ended(picture)
                since = told[heard:]
                started = next(
                    n for n, (_, one) in enumerate(since) if isinstance(one, Started) and one.key.job == picture.id
                )
                steps_taken = (one for _, one in since[:started] if isinstance(one, Step) and one.numbers)
                passed.append(len({one.n for one in steps_taken if one.key.job == training.id}))
                waited.append(since[started][0] - asked)
            disturbed = await ended(training)
            pauses = sum(isinstance(one, Cancelled) and one.key.job == training.id for _, one in told)
            assert any(isinstance(one, Produced) and one.key.job == training.id for _, one in told)
            await studio.close(2.0)
    print(PREDICTED)
    print(f"{len(passed)} pictures, {pauses} pauses; a step of the training takes {each * 1e3:.0f} ms with its looks")
    print(f"steps that ended before the picture began: median {statistics.median(passed):.0f}, most {max(passed)}")
    print(f"wait in steps: median {statistics.median(waited) / each:.2f}, most {max(waited) / each:.2f}")
    print(f"the training itself took {disturbed.seconds / alone.seconds:.2f} x as long as undisturbed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--steps", type=int, default=150)
    given = parser.parse_args()
    asyncio.run(measure(given.pictures, given.steps))
