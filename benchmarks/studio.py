"""What a person waits for beside the painting: submit to Done through studio, store and engine, against bare diffusers.

bare     FluxPipeline with a prompt, then a PNG file, in a process of its own
studio   Studio.submit to Done: limits, commit, queue, engine, picture taken into the store, commit
known    an identical request, submit to Done, answered from the cache (at most 20 ms)

Bare and studio take turns. The history holds 100 000 rows of others. The event loop's lag is measured while the engine
paints.

    python benchmarks/studio.py [--requests 20] [--steps 12] [--rows 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from history import fill

from realbot import database
from realbot.app import opened
from realbot.config import Settings
from realbot.engine.models import bundled
from realbot.jobs import Done, Generate, Origin, User
from realbot.store import Store
from realbot.studio import Studio

USER, ORIGIN = User("cli", "benchmark"), Origin("cli")
#: Seconds between two looks at the clock.
TICK = 0.005


def bare(pipe: Connection, steps: int, folder: str) -> None:
    """Serve (prompt, seed) with the seconds that diffusers takes for it."""
    import torch
    from diffusers import FluxPipeline

    pipeline = FluxPipeline.from_pretrained(bundled(), dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    while (asked := pipe.recv()) is not None:
        prompt, seed = asked
        began = time.perf_counter()
        image = pipeline(
            prompt, width=128, height=128, num_inference_steps=steps, guidance_scale=3.0, max_sequence_length=32,
            generator=torch.Generator("cpu").manual_seed(seed),
        ).images[0]  # fmt: skip
        image.save(Path(folder) / "bare.png", compress_level=1)
        pipe.send(time.perf_counter() - began)


async def paint(studio: Studio, prompt: str, seed: int, steps: int) -> tuple[float, bool]:
    """Seconds from submit to Done, and whether the cache answered."""
    began = time.perf_counter()
    job = await studio.submit(USER, Generate(prompt=prompt, seed=seed, steps=steps), ORIGIN)
    async for _ in job.watch():
        pass
    took = time.perf_counter() - began
    if not isinstance(job.status, Done):
        raise SystemExit(f"not painted: {job.status}")
    await studio.delivered(job.id)
    return took, job.status.cached


async def lag(found: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        found.append(time.perf_counter() - began - TICK)


async def remember(folder: Path, rows: int) -> None:
    """A history of that many pictures."""
    source = folder / "picture.png"
    source.write_bytes(random.Random(1).randbytes(30_000))
    async with Store.open(folder / "data") as store:
        fill(folder / "data" / database.NAME, rows, await store.adopt(source))


async def measure(requests: int, steps: int, rows: int, folder: Path) -> None:
    await remember(folder, rows)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=bare, args=(theirs, steps, str(folder)), daemon=True)
    process.start()
    settings = Settings.load(None, {"REALBOT_PATHS__DATA": str(folder / "data")})
    seconds: dict[str, list[float]] = {"bare": [], "studio": [], "known": []}
    late: list[float] = []
    async with opened(settings, grace=0.0) as studio:
        for n in range(-3, requests):
            prompt = f"a red apple on a blue background {n + 3}"
            ours.send((prompt, n + 3))
            first = await asyncio.to_thread(ours.recv)
            probe = asyncio.create_task(lag(late if n >= 0 else []))
            second, _ = await paint(studio, prompt, n + 3, steps)
            probe.cancel()
            third, cached = await paint(studio, prompt, n + 3, steps)
            if not cached:
                raise SystemExit("an identical request was painted again")
            if n >= 0:
                for name, value in zip(seconds, (first, second, third), strict=True):
                    seconds[name].append(value)
    ours.send(None)
    process.join(10)
    base = statistics.median(seconds["bare"])
    print(f"{requests} requests, 128x128, {steps} steps, {rows:,} rows of history")
    print(f"{'':8} {'median ms':>10} {'p90 ms':>10} {'ratio to bare':>14}")
    for name, values in seconds.items():
        middle, slow = statistics.median(values), statistics.quantiles(values, n=10)[-1]
        print(f"{name:8} {middle * 1000:10.1f} {slow * 1000:10.1f} {middle / base:14.3f}")
    worst = statistics.quantiles(late, n=100)[-1]
    print(f"event loop while painting: p99 {worst * 1000:.1f} ms late, of {len(late)} looks (at most 50)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rows", type=int, default=100_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(told.requests, told.steps, told.rows, Path(name)))


if __name__ == "__main__":
    main()
