"""Engines that die, lie, come back and run out of disk, and jobs that survive all of it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from pools import InProcessPool
from realbot.engine import EngineDown, RunKey, Step
from realbot.errors import ConfigError, QueueFull
from realbot.jobs import Done, Failed, Running, StyleUse, User
from realbot.tickets import Pace
from studios import ANNA, BERT, QUICK, end, lora, rig, until


@pytest.mark.parametrize("reason", ["crashed", "hung", "unreachable", "stopped", "replaced"])
async def test_G6_a_lost_run_returns_to_its_place_with_the_same_seed(tmp_path: Path, reason: str):
    async with rig(tmp_path, hand=True) as r:
        jobs = [await r.ask(f"{n}") for n in range(3)]
        await until(r.pool.working)
        r.pool.step(1)
        r.pool.crash(reason=reason)
        await until(lambda: r.pool.keys == [RunKey(jobs[0].id, 1), RunKey(jobs[0].id, 2)])
        assert r.pool.works[1].request == r.pool.works[0].request
        for job in jobs:
            await until(lambda job=job: r.pool.working() and r.pool.working().job == job.id)
            r.pool.finish()
            assert isinstance(await end(job), Done)
        assert (await r.store.row(jobs[0].id)).deaths == (reason in ("crashed", "hung"))


async def test_G6_a_lost_run_waits_for_the_engine_to_say_what_it_holds(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", hand=True)
    async with rig(tmp_path, pool=pool, waits=Pace()) as r:
        job = await r.ask("a")
        await until(pool.working)
        key = pool.working()
        pool.queue.put_nowait(EngineDown("one", pool.engines["one"].boot, "unreachable"))
        await until(lambda: not r.studio.engine().up)
        pool.rise("one", holding=(key,))
        await until(lambda: r.studio.engine().up)
        pool.finish()
        assert isinstance(await end(job), Done)
        assert pool.keys == [key]


async def test_G6_an_engine_that_never_comes_back_leaves_its_job_to_another(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", names=("one", "two"), hand=True)
    async with rig(tmp_path, pool=pool) as r:
        first, second = await r.ask("1"), await r.ask("2")
        await until(lambda: pool.working("one") and pool.working("two"))
        pool.silent = True
        pool.crash("one", "unreachable")
        pool.finish("two")
        await end(second)
        await asyncio.sleep(QUICK.reattach)
        await until(lambda: pool.working("two") == RunKey(first.id, 2))
        pool.finish("two")
        assert isinstance(await end(first), Done)


async def test_G6_a_result_is_fetched_again_when_the_engine_still_holds_it(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", hand=True)
    async with rig(tmp_path, pool=pool, waits=Pace()) as r:
        job = await r.ask("a")
        await until(pool.working)
        key = pool.working()
        boot = pool.engines["one"].boot
        pool.queue.put_nowait(EngineDown("one", boot, "unreachable"))
        await until(lambda: not r.studio.engine().up)
        held = pool.queue
        pool.queue = asyncio.Queue()
        pool.finish()
        pool.queue = held
        pool.rise("one", holding=(key,))
        assert isinstance(await end(job), Done)
        assert pool.produced == [key]


async def test_G15_a_late_result_of_an_older_attempt_is_released_and_not_shown(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", hand=True)
    async with rig(tmp_path, pool=pool) as r:
        job = await r.ask("a")
        await until(pool.working)
        first = pool.works[0]
        pool.crash()
        await until(lambda: pool.working() == RunKey(job.id, 2))
        kept, pool.engines["one"].work = pool.engines["one"].work, first
        pool.queue.put_nowait(Step(first.key, 1, 2))
        pool.finish()
        pool.engines["one"].work = kept
        await until(lambda: RunKey(job.id, 1) in pool.released[1:])
        assert isinstance(job.status, Running)
        assert job.status.step == 0
        pool.finish()
        assert isinstance(await end(job), Done)


async def test_G15_a_result_that_comes_after_the_cancellation_is_released(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a")
        await until(r.pool.working)
        work = r.pool.engines["one"].work
        cancelling = asyncio.create_task(r.studio.cancel(ANNA, job.id))
        await asyncio.sleep(0)
        if r.pool.engines["one"].work is work:
            r.pool.finish()
        assert await cancelling
        await until(lambda: work.key in r.pool.released)
        assert list((tmp_path / "spool").iterdir()) == []
        assert await r.studio.history(ANNA) == []


async def test_G7_a_job_that_kills_the_engine_twice_is_set_aside_and_the_others_are_painted(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool")
    pool.poison["poison"] = -1
    async with rig(tmp_path, pool=pool) as r:
        jobs = [await r.ask("poison" if n % 10 == 3 else f"{n}", User("web", f"u{n}"), seed=n) for n in range(30)]
        for n, job in enumerate(jobs):
            status = await end(job)
            if n % 10 == 3:
                assert isinstance(status, Failed)
                assert status.error == "Quarantined"
                assert await r.state(job) == "quarantined"
            else:
                assert isinstance(status, Done)
        for n in (3, 13, 23):
            assert pool.jobs.count(jobs[n].id) == 2
        order = list(dict.fromkeys(pool.jobs))
        assert order == [job.id for job in jobs]


async def test_G7_a_job_alone_is_set_aside_as_well(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool")
    pool.poison["poison"] = -1
    async with rig(tmp_path, pool=pool) as r:
        status = await end(await r.ask("poison"))
        assert status.error == "Quarantined"
        assert len(pool.works) == 2
        assert isinstance(await end(await r.ask("fine")), Done)


async def test_G7_deaths_are_remembered_over_a_restart(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool")
    pool.poison["poison"] = -1
    pool.silent = True
    async with rig(tmp_path, pool=pool) as r:
        job = await r.ask("poison")
        async with asyncio.timeout(20):
            while (await r.store.row(job.id)).deaths != 1:
                await asyncio.sleep(0.01)
    pool = InProcessPool(tmp_path / "spool")
    pool.poison["poison"] = -1
    async with rig(tmp_path, pool=pool) as r:
        assert (await end(r.studio.job(ANNA, job.id))).error == "Quarantined"
        assert pool.keys == [RunKey(job.id, 2)]


async def test_G9_when_the_engine_dies_under_everything_no_job_is_blamed(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool")
    async with rig(tmp_path, pool=pool) as r:
        pool.poison.update({"0": 2, "1": 2, "2": 1})
        jobs = [await r.ask(f"{n}", User("web", f"u{n}")) for n in range(6)]
        for job in jobs:
            assert isinstance(await end(job), Done)
        assert [await r.state(job) for job in jobs] == ["produced"] * 6


@pytest.mark.parametrize(
    ("kind", "ok", "error", "state"),
    [
        ("out_of_memory", True, "OutOfMemory", "failed"),
        ("out_of_memory", False, "OutOfMemory", "failed"),
        ("style", True, "StyleBroken", "failed"),
        ("model", True, "ModelMissing", "failed"),
        ("bad_request", True, "Invalid", "failed"),
        ("engine", True, "EngineError", "failed"),
        ("deadline", False, "EngineError", "failed"),
        ("from the future", True, "EngineError", "failed"),
    ],
)
async def test_G1_a_failure_is_named_told_and_the_next_job_runs(
    tmp_path: Path, kind: str, ok: bool, error: str, state: str
):
    async with rig(tmp_path, hand=True) as r:
        job, after = await r.ask("a"), await r.ask("b")
        await until(r.pool.working)
        r.pool.fail(kind, "For a reason.", ok=ok)
        assert await end(job) == Failed(error, "For a reason.")
        assert await r.state(job) == state
        assert r.pool.restarts == ([] if ok else [("one", kind)])
        await until(lambda: r.pool.working() == RunKey(after.id, 1))
        r.pool.finish()
        assert isinstance(await end(after), Done)


async def test_G3_after_a_device_assert_the_process_is_replaced_and_the_job_tried_once_more(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a")
        await until(r.pool.working)
        boot = r.pool.engines["one"].boot
        r.pool.fail("engine", "device-side assert", ok=False)
        await until(lambda: r.pool.working() == RunKey(job.id, 2))
        assert r.pool.engines["one"].boot != boot
        r.pool.fail("engine", "device-side assert", ok=False)
        assert (await end(job)).error == "Quarantined"
        assert len(r.pool.restarts) == 2


@pytest.mark.parametrize("spoil", ["bytes", "count", "missing"])
async def test_R13_a_result_that_cannot_be_used_is_painted_once_more(tmp_path: Path, spoil: str):
    async with rig(tmp_path, hand=True) as r:
        jobs = [await r.ask("a"), await r.ask("b")]

        async def ruin() -> None:
            await until(r.pool.working)
            key = r.pool.working()
            r.pool.finish(spoil=spoil == "bytes", count=2 if spoil == "count" else None)
            if spoil == "missing":
                for path in r.pool.spool.glob(f"{key}-*"):
                    path.unlink()

        await ruin()
        await until(lambda: len(r.pool.works) >= 2)
        await until(r.pool.working)
        while not isinstance(jobs[0].status, Done):
            if r.pool.working():
                r.pool.finish()
            await asyncio.sleep(0.005)
        await r.studio.cancel(ANNA, jobs[1].id)
        hopeless = await r.ask("c")
        for _ in range(2):
            await ruin()
        assert (await end(hopeless)).error == "EngineError"


async def test_Q15_a_job_for_a_model_that_is_gone_does_not_hold_up_the_line(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", start=False)
    async with rig(tmp_path, pool=pool) as r:
        stuck = await r.ask("a")
    other = InProcessPool(tmp_path / "spool", bases=("another",))
    async with rig(tmp_path, pool=other) as r:
        job = r.studio.job(ANNA, stuck.id)
        assert (await end(job)).error == "ModelMissing"
        assert other.works == []


async def test_Q15_a_style_that_vanished_fails_its_job_only(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        first = await r.ask("first")
        job, after = await r.ask("a", styles=(StyleUse("ink"),)), await r.ask("b")
        (tmp_path / "styles" / "ink.safetensors").unlink()
        await until(r.pool.working)
        r.pool.finish()
        assert isinstance(await end(first), Done)
        status = await end(job)
        assert status.error == "StyleBroken"
        assert "ink" in status.detail
        await until(lambda: r.pool.working() == RunKey(after.id, 1))


class Full:
    """A disk that takes nothing while `full`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, r: object, *verbs: str) -> None:
        self.full = True
        for verb in verbs:
            real = getattr(r.store, verb)

            async def refuse(*arguments: object, real: object = real, **options: object) -> object:
                if self.full:
                    raise ConfigError("The data folder cannot be written: free some space.")
                return await real(*arguments, **options)

            monkeypatch.setattr(r.store, verb, refuse)


@pytest.mark.parametrize("verb", ["adopt", "produce", "start"])
async def test_H2_on_a_full_disk_jobs_wait_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
):
    async with rig(tmp_path, start=False) as r:
        disk = Full(monkeypatch, r, verb)
        jobs = [await r.ask(f"{n}") for n in range(3)]
        r.pool.rise("one")
        await until(lambda: r.studio._endings.full)
        await asyncio.sleep(5 * QUICK.disk)
        assert not any(isinstance(job.status, Done | Failed) for job in jobs)
        with pytest.raises(QueueFull, match="disk"):
            await r.ask("more")
        disk.full = False
        for job in jobs:
            assert isinstance(await end(job), Done)
        assert sorted(r.pool.jobs) == sorted(job.id for job in jobs)
        assert isinstance(await end(await r.ask("more")), Done)


async def test_H2_what_the_disk_did_not_take_before_the_end_is_painted_after_the_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with rig(tmp_path) as r:
        Full(monkeypatch, r, "produce")
        job = await r.ask("a")
        await until(lambda: r.studio._endings.full)
    async with rig(tmp_path) as r:
        assert isinstance(await end(r.studio.job(ANNA, job.id)), Done)
        assert r.pool.keys == [RunKey(job.id, 2)]
        assert r.pool.works[0].request["seed"] == job.request.seed


async def test_H2_a_cancellation_that_cannot_be_written_is_refused_and_the_job_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with rig(tmp_path, hand=True) as r:
        first, second = await r.ask("1"), await r.ask("2")
        await until(r.pool.working)
        disk = Full(monkeypatch, r, "cancel")
        for job in (first, second):
            with pytest.raises(QueueFull, match="disk"):
                await r.studio.cancel(ANNA, job.id)
        disk.full = False
        for job in (first, second):
            await until(lambda job=job: r.pool.working() == RunKey(job.id, 1))
            r.pool.finish()
            assert isinstance(await end(job), Done)


async def test_Q2_two_engines_share_the_line_in_order(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", names=("one", "two"), hand=True)
    async with rig(tmp_path, pool=pool) as r:
        jobs = [await r.ask(f"{n}", draw) for n, draw in enumerate([ANNA, BERT] * 3)]
        for n in range(0, 6, 2):
            await until(lambda n=n: len(pool.works) == n + 2)
            assert pool.jobs == [job.id for job in jobs[: n + 2]]
            pool.finish("two")
            pool.finish("one")
        for job in jobs:
            assert isinstance(await end(job), Done)


async def test_G6_with_many_engine_deaths_every_job_is_painted_once_and_in_order(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool")
    pool.poison.update({f"{n}": 1 for n in random.Random(6).sample(range(40), 20)})
    async with rig(tmp_path, pool=pool) as r:
        jobs = await asyncio.gather(*(r.ask(f"{n}", User("web", f"u{n}")) for n in range(40)))
        for job in jobs:
            assert isinstance(await end(job, 60), Done)
        seq = {job.id: (await r.store.row(job.id)).seq for job in jobs}
        assert [key.job for key in pool.produced] == sorted(seq, key=lambda job: seq[job])
        assert len(pool.works) == 60
        seeds = {job.id: job.request.seed for job in jobs}
        assert all(work.request["seed"] == seeds[work.key.job] for work in pool.works)
