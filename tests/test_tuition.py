"""A style is trained by the real engine on the bundled model, while people ask for pictures and the engine dies."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from safetensors.numpy import load_file

from realbot import app
from realbot.academy import Brought
from realbot.config import Settings
from realbot.engine import Fact, Started, Step
from realbot.engine.child import ChildPool
from realbot.jobs import Done, Generate, Job, StyleUse, Train
from realbot.studio import Studio
from studios import ANNA, BERT, HERE, end, until

STEPS = 10


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Studio, list[Fact]]]:
    """The studio of `realbot run`, and everything that its engine tells."""
    told: list[Fact] = []
    settings = Settings(paths={"data": folder}, training={"roles": ("everyone",)}, engine={"threads": 1})
    async with app.built(settings) as studio:
        pool = studio._dispatcher.pool
        assert isinstance(pool, ChildPool)
        facts = pool.facts

        async def overheard() -> AsyncIterator[Fact]:
            async for fact in facts():
                told.append(fact)
                yield fact

        pool.facts = overheard  # type: ignore[method-assign]
        await studio.open()
        try:
            yield studio, told
        finally:
            await studio.close(2.0)


def drawn(index: int) -> bytes:
    """A ring on stripes: a look that the model does not know."""
    image = Image.new("RGB", (128, 128), (250, 240, 220))
    draw = ImageDraw.Draw(image)
    for y in range(index, 128, 8):
        draw.line((0, y, 128, y), fill=(120, 90, 60))
    draw.ellipse((24 + 4 * index, 30, 90 + 4 * index, 96), outline=(60, 20, 120), width=6)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def lesson(studio: Studio, name: str) -> Job:
    files = [Brought(f"a-ring-{n}.png", drawn(n)) for n in range(6)]
    plan = await studio.plan(ANNA, HERE, name, "rings", files, steps=STEPS, rank=4)
    return await studio.submit(ANNA, replace(plan.request, batch=2), HERE)


async def pixels(studio: Studio, **asked: Any) -> np.ndarray[Any, Any]:
    job = await studio.submit(ANNA, Generate(**{"prompt": "an apple", "steps": 4, "seed": 1} | asked), HERE)
    status = await end(job, 120)
    assert isinstance(status, Done), status
    return np.asarray(Image.open(io.BytesIO((await studio.picture(ANNA, status.images[0])).read_bytes())))


async def test_a_training_pauses_within_two_steps_and_comes_to_the_same_style_whatever_happens(tmp_path: Path):
    async with opened(tmp_path / "data") as (studio, told):
        whole = await lesson(studio, "whole")
        assert isinstance(await end(whole, 200), Done), whole.status
        plain = await pixels(studio)

        cut = await lesson(studio, "cut")
        steps = lambda: [one for one in told if isinstance(one, Step) and one.key.job == cut.id and one.numbers]  # noqa: E731
        await until(lambda: len(steps()) >= 2, 60)
        heard = len(told)
        picture = await studio.submit(BERT, Generate(prompt="a frog", steps=4), HERE)
        assert isinstance(await end(picture, 60), Done)
        since = told[heard:]
        started = next(n for n, one in enumerate(since) if isinstance(one, Started) and one.key.job == picture.id)
        taken = {one.n for one in since[:started] if isinstance(one, Step) and one.key.job == cut.id and one.numbers}
        assert len(taken) <= 2, "the picture begins within two steps of the training"

        await until(lambda: len(steps()) >= 5, 60)
        pool = studio._dispatcher.pool
        assert isinstance(pool, ChildPool)
        assert pool._life is not None
        os.kill(pool._life.process.pid, signal.SIGKILL)
        assert isinstance(await end(cut, 200), Done), cut.status
        assert len({one.key.attempt for one in told if isinstance(one, Started) and one.key.job == cut.id}) == 3

        one, other = (load_file(studio.weights(ANNA, name)) for name in ("whole", "cut"))
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)
        styled = await pixels(studio, styles=(StyleUse("cut"),))
        assert not np.array_equal(styled, plain)
        assert np.array_equal(await pixels(studio, steps=5), await pixels(studio, steps=5, seed=1))
        # What people look at: the table, and the chart above the samples.
        table = studio.metrics(ANNA, "cut").read_text().splitlines()
        assert table[0].startswith("step,loss")
        assert isinstance(cut.request, Train)
        assert isinstance(cut.status, Done)
        with Image.open(await studio.picture(ANNA, cut.status.images[0])) as board:
            assert board.width == 960
            assert board.height > 600
