"""What does the engine cost beside the painting itself? Warm requests, from submitting to the finished file.

bare     diffusers in one process: FluxPipeline with a prompt, then a PNG file
engine   realbot's engine process behind its pool: frames, progress, previews, a synced PNG file, its checksum
again    the same with a prompt that was asked before, which is not encoded again

The contenders take turns, request by request, so that a busy machine is equally hard on all.

    python benchmarks/warm.py [--requests 20] [--steps 12] [--side 128] [--threads 0] [--device cpu] [--model FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from diffusers import FluxPipeline

from realbot.engine import EngineDown, EngineUp, Failed, Produced, RunKey, Work
from realbot.engine.child import ChildPool
from realbot.engine.loading import quiet
from realbot.engine.models import bundled
from realbot.jobs import Generate, to_json


class Engine:
    """Submits to a pool and waits for the answer."""

    def __init__(self, pool: ChildPool, told: argparse.Namespace) -> None:
        self.pool, self.told, self.count = pool, told, 0
        self.facts = pool.facts()

    async def up(self) -> None:
        async for fact in self.facts:
            if isinstance(fact, EngineUp) and fact.fingerprint:
                return
            if isinstance(fact, EngineDown):
                raise SystemExit(fact.detail)

    async def paint(self, prompt: str, seed: int) -> float:
        self.count += 1
        key = RunKey(f"job{self.count}", 1)
        asked = Generate(prompt=prompt, seed=seed, steps=self.told.steps, width=self.told.side, height=self.told.side)
        began = time.perf_counter()
        await self.pool.run("local", Work(key, to_json(asked)))
        async for fact in self.facts:
            if isinstance(fact, Failed | EngineDown):
                raise SystemExit(fact.detail)
            if isinstance(fact, Produced) and fact.key == key:
                break
        seconds = time.perf_counter() - began
        await self.pool.release(key)
        return seconds


def bare(pipeline: FluxPipeline, prompt: str, seed: int, told: argparse.Namespace, folder: Path) -> float:
    began = time.perf_counter()
    image = pipeline(
        prompt,
        width=told.side,
        height=told.side,
        num_inference_steps=told.steps,
        guidance_scale=3.0,
        max_sequence_length=32,
        generator=torch.Generator("cpu").manual_seed(seed),
    ).images[0]
    image.save(folder / f"bare-{seed}.png", compress_level=1)
    return time.perf_counter() - began


async def measure(told: argparse.Namespace) -> dict[str, list[float]]:
    quiet()
    if told.threads:
        torch.set_num_threads(told.threads)
    dtype = torch.float32 if told.device == "cpu" else torch.bfloat16
    pipeline = FluxPipeline.from_pretrained(told.model, dtype=dtype).to(told.device)
    pipeline.set_progress_bar_config(disable=True)
    seconds: dict[str, list[float]] = {"bare": [], "engine": [], "again": []}
    with tempfile.TemporaryDirectory() as name:
        spool = Path(name) / "spool"
        settings = {
            "model": {"name": "mini", "path": told.model, "device": told.device},
            "engine": {"threads": told.threads},
            "spool": str(spool),
        }
        argv = (sys.executable, "-m", "realbot.engine.worker", "--settings", json.dumps(settings))
        pool = ChildPool(argv, spool=spool, environ=os.environ)
        await pool.open()
        try:
            engine = Engine(pool, told)
            await engine.up()
            for n in range(-2, told.requests):
                prompt = f"a red apple on a blue background {n + 2}"
                turn = {
                    "bare": await asyncio.to_thread(bare, pipeline, prompt, n + 2, told, Path(name)),
                    "engine": await engine.paint(prompt, n + 2),
                    "again": await engine.paint(prompt, n + 1000),
                }
                if n >= 0:
                    for contender, value in turn.items():
                        seconds[contender].append(value)
        finally:
            await pool.close(0.0)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default=str(bundled()))
    told = parser.parse_args()
    seconds = asyncio.run(measure(told))
    base = statistics.median(seconds["bare"])
    print(f"{told.requests} requests, {told.side}x{told.side}, {told.steps} steps, {told.device}")
    print(f"{'':8} {'median ms':>10} {'p90 ms':>10} {'ratio to bare':>14}")
    for contender, values in seconds.items():
        middle, late = statistics.median(values), statistics.quantiles(values, n=10)[-1]
        print(f"{contender:8} {middle * 1000:10.1f} {late * 1000:10.1f} {middle / base:14.3f}")


if __name__ == "__main__":
    main()
