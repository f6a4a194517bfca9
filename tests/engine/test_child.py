"""The pool of one local engine: its promise, what it passes on, and how it closes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from engine.contract import EngineContract, Listener, Make, check, gone, opened
from engine.pooled import SCRIPTED, MakePool, children
from lag import LagProbe
from realbot.engine import Cancelled, EngineDown, EngineUp, Failed, Produced, RunKey, Started, Step
from realbot.engine.child import ChildPool
from realbot.engine.watch import Patience
from realbot.errors import EngineLost

pytestmark = pytest.mark.usefixtures("nothing_leaks")


class TestScripted(EngineContract):
    """The promise, kept by the pool with an engine that can do everything but paint."""

    @pytest.fixture
    async def told(self, pool: ChildPool) -> AsyncIterator[Listener]:
        async with opened(pool) as told:
            yield told


async def test_what_libraries_print_is_no_fact(pool: ChildPool, work: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with opened(pool) as told:
        one = work("job", "fault:print")
        await pool.run((await told.up()).engine, one)
        await told.produced(one.key)
    assert "engine: and so does its C++ part" in caplog.messages


async def test_G1_out_of_memory_keeps_the_engine(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        up = await told.up()
        big, small = work("big", "fault:memory"), work("small")
        await pool.run(up.engine, big)
        end = await told.end(big.key)
        assert isinstance(end, Failed)
        assert (end.kind, end.engine_ok) == ("out_of_memory", True)
        await pool.run(up.engine, small)
        await told.produced(small.key)
        assert not [f for f in told.facts if isinstance(f, EngineDown)]


async def test_G11_a_flood_of_progress_is_thinned(make_pool: MakePool, work: Make) -> None:
    pool = make_pool(Patience(steps=0.1))
    async with LagProbe() as probe, opened(pool) as told:
        up = await told.up()
        one = work("job", "fault:flood")
        began = time.monotonic()
        await pool.run(up.engine, one)
        await told.produced(one.key)
        took = time.monotonic() - began
        steps = [f for f in told.of(one.key) if isinstance(f, Step)]
        assert 1 <= len(steps) <= took / 0.1 + 2
        assert isinstance(told.of(one.key)[0], Started)
    assert probe.quantile(0.95) < 0.010, sorted(probe.lags)[-10:]


async def test_G11_a_flood_that_nobody_reads_does_not_stop_the_engine(pool: ChildPool, work: Make) -> None:
    await pool.open()
    first = anext(pool.facts())
    up = await first
    assert isinstance(up, EngineUp)
    one = work("job", "fault:flood")
    await pool.run(up.engine, one)
    result = pool._spool / f"{one.key}-0.png"
    async with asyncio.timeout(30):
        while not result.exists():
            await asyncio.sleep(0.05)
    await pool.close(5.0)
    rest = [fact async for fact in pool.facts()]
    assert [type(fact) for fact in rest] == [Started, Produced, EngineDown]


async def test_G14_a_giant_result_goes_by_file(pool: ChildPool, work: Make) -> None:
    async with LagProbe() as probe, opened(pool) as told:
        up = await told.up()
        one = work("job", "fault:giant")
        before = psutil.Process().memory_info().rss
        await pool.run(up.engine, one)
        (picture,) = (await told.produced(one.key)).pictures
        assert picture.size == Path(picture.path).stat().st_size == 200_000_000
        assert psutil.Process().memory_info().rss - before < 50_000_000
        await pool.release(one.key)
        await gone(picture)
    assert probe.quantile(0.98) < 0.010, sorted(probe.lags)[-10:]


async def test_G15_a_late_result_is_released_unseen(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        up = await told.up()
        first, second = work("job", "fault:late@1"), work("job", "fault:late@1", attempt=2)
        await pool.run(up.engine, first)
        assert isinstance(await told.end(first.key), Failed)
        await pool.run(up.engine, second)
        await told.produced(second.key)
        assert [type(f) for f in told.ends(first.key)] == [Failed]
        async with asyncio.timeout(5):
            while list(pool._spool.glob(f"{first.key}-*")):
                await asyncio.sleep(0.01)


async def test_G15_a_result_of_a_run_nobody_asked_for_is_dropped(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        one = work("job", "fault:foreign")
        await pool.run((await told.up()).engine, one)
        await told.produced(one.key)
        assert told.of(RunKey("nobody", 1)) == []


async def test_G15_a_deaf_engine_ends_its_run_once(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        one = work("job", "fault:deaf")
        await pool.run((await told.up()).engine, one)
        await told.until(Started)
        await pool.cancel(one.key)
        await told.produced(one.key)
        assert len(told.ends(one.key)) == 1


@pytest.mark.parametrize("fault", ["missing", "outside"])
async def test_a_result_that_is_not_in_the_spool_is_none(pool: ChildPool, work: Make, fault: str) -> None:
    async with opened(pool) as told:
        one = work("job", f"fault:{fault}")
        await pool.run((await told.up()).engine, one)
        end = await told.end(one.key)
        assert isinstance(end, Failed)
        assert end.kind == "engine"


async def test_a_run_too_large_for_a_frame_is_refused(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        up = await told.up()
        large = work("job", "cat " * 20_000)
        await pool.run(up.engine, large)
        end = await told.end(large.key)
        assert isinstance(end, Failed)
        assert end.kind == "bad_request"


async def test_faults_of_a_picture_are_pictures(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        up = await told.up()
        for fault in ("black", "size", "nan"):
            await pool.run(up.engine, work(fault, f"fault:{fault}"))
        black = check((await told.produced(RunKey("black", 1))).pictures[0])
        assert black.getcolors() == [(64 * 64, (0, 0, 0))]
        assert check((await told.produced(RunKey("size", 1))).pictures[0]).size == (72, 64)
        assert isinstance(await told.end(RunKey("nan", 1)), Failed)
        good = work("good", seed=3)
        await pool.run(up.engine, good)
        image: Image.Image = check((await told.produced(good.key)).pictures[0])
        assert image.getpixel((0, 0)) != (0, 0, 0)


async def test_close_lets_the_run_under_way_finish(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        one = work("job", steps=40)
        await pool.run((await told.up()).engine, one)
        await told.until(Started)
        await pool.close(10.0)
        await told.produced(one.key)
        assert (await told.down()).reason == "stopped"
        assert children(SCRIPTED.name) == []
        with pytest.raises(EngineLost):
            await pool.run("local", work("late"))


@pytest.mark.parametrize("prompt", ["a cat", "fault:hang"])
async def test_close_without_grace_kills(make_pool: MakePool, work: Make, prompt: str) -> None:
    async with opened(make_pool(Patience())) as told:
        one = work("job", prompt, long=True)
        await told.pool.run((await told.up()).engine, one)
        await told.until(Step, test=lambda s: s.n >= 2)
        began = time.monotonic()
        await told.pool.close(0.2)
        assert time.monotonic() - began < 3
        assert (await told.down()).reason == "stopped"
        assert told.ends(one.key) == []


async def test_close_is_final_in_every_state(make_pool: MakePool) -> None:
    await make_pool().close(1.0)
    for start in ("ok", "never", "die"):
        pool = make_pool(Patience(pauses=(60.0,)), start=start)
        await pool.open()
        await asyncio.sleep(0 if start == "ok" else 0.5)
        await asyncio.gather(pool.close(0.1), pool.close(0.1))
        await pool.close(0.0)
        assert children(SCRIPTED.name) == []
        async with asyncio.timeout(5):
            assert all(isinstance(f, EngineUp | EngineDown) for f in [f async for f in pool.facts()])


async def test_an_unknown_engine_is_named(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        await told.up()
        with pytest.raises(EngineLost, match="'elsewhere'"):
            await pool.run("elsewhere", work("job"))


async def test_leftovers_of_an_earlier_process_are_swept(make_pool: MakePool, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    for name in ("old#1-0.png", "old#1-0.part", "notes.txt"):
        (spool / name).write_text("x")
    async with opened(make_pool()) as told:
        await told.up()
        assert [path.name for path in spool.iterdir()] == ["notes.txt"]


async def test_cancelled_tells_the_step(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        one = work("job", long=True)
        await pool.run((await told.up()).engine, one)
        step = await told.until(Step)
        await pool.cancel(one.key)
        end = await told.end(one.key)
        assert isinstance(end, Cancelled)
        assert end.at_step >= step.n
