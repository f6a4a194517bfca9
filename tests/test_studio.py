"""The door: who is taken, what is answered from before, and whose it is."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from lag import LagProbe
from pools import InProcessPool
from realbot.errors import Blocked, Invalid, NotYours, OverQuota, QueueFull, Refused, TooSoon
from realbot.jobs import Cancelled, Done, Generate, Running, StyleUse, Train, Upscale, User, Waiting
from studios import ANNA, BERT, HERE, end, lora, rig, until

# Acceptance and limits


async def test_D2_what_was_taken_is_on_the_disk_before_the_answer(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a cat")
        row = await r.store.row(job.id)
        assert row.request == job.request
        assert row.origin == HERE
        assert job.request.seed is not None
        assert None not in (job.request.width, job.request.guidance, job.request.scheduler, job.request.model)


async def test_Q1_a_flood_of_one_person_is_cut_off_and_others_do_not_wait_longer(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"waiting_per_user": 5}}) as r:
        await until(lambda: r.studio.engine().up)
        tries = await asyncio.gather(*(r.ask(f"flood {n}") for n in range(1000)), return_exceptions=True)
        taken = [job for job in tries if not isinstance(job, BaseException)]
        refused = [error for error in tries if isinstance(error, QueueFull)]
        assert len(taken) == 5
        assert len(refused) == 995
        assert "at most 5 may" in str(refused[0])
        await until(r.pool.working)
        other = await r.ask("mine", BERT)
        assert other.status.position == 5


async def test_Q2_two_hundred_people_are_served_in_the_order_of_their_acceptance(tmp_path: Path):
    async with rig(tmp_path) as r:
        people = [User("web", f"u{n}") for n in range(200)]
        jobs = await asyncio.gather(*(r.ask("a cat", user) for user in people))
        for job in jobs:
            assert isinstance(await end(job, 60), Done)
        order = {job.id: (await r.store.row(job.id)).seq for job in jobs}
        assert [order[job] for job in r.pool.jobs] == sorted(order.values())


async def test_Q1_in_turn_another_person_overtakes_the_crowd(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"queue": {"order": "round_robin"}}) as r:
        await until(lambda: r.studio.engine().up)
        crowd = [await r.ask(f"{n}") for n in range(4)]
        await until(r.pool.working)
        other = await r.ask("mine", BERT)
        assert other.status.position == 1
        await until(lambda: [job.status.position for job in crowd[1:]] == [2, 3, 4])
        r.pool.finish()
        await until(lambda: r.pool.jobs == [crowd[0].id, other.id])


async def test_Q3_of_two_requests_for_the_last_place_exactly_one_is_taken(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"waiting_per_user": 1}}) as r:
        people = [User("web", f"u{n}") for n in range(500)]
        for some in (people[n : n + 100] for n in range(0, 500, 100)):
            pairs = await asyncio.gather(
                *(r.ask(prompt, user) for user in some for prompt in ("one", "two")), return_exceptions=True
            )
            for first, second in zip(pairs[::2], pairs[1::2], strict=True):
                assert isinstance(first, QueueFull) != isinstance(second, QueueFull)
        assert sum(r.studio.line()) == 500


async def test_Q4_a_full_line_refuses_and_drops_nobody(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"queue": {"waiting_total": 3}}) as r:
        jobs = [await r.ask(f"{n}", User("web", f"u{n}")) for n in range(3)]
        with pytest.raises(QueueFull, match="3 requests are waiting, of at most 3"):
            await r.ask("one more", BERT)
        assert len(await r.store.waiting()) == 3
        await r.studio.cancel(jobs[2].user, jobs[2].id)
        await r.ask("one more", BERT)


async def test_Q5_lower_limits_hold_for_new_requests_only(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        waiting = [await r.ask(f"{n}", steps=50) for n in range(4)]
        sections = r.studio._house.base
        r.studio.configure(
            sections.model_copy(
                update={"limits": sections.limits.model_copy(update={"waiting_per_user": 2, "max_steps": 10})}
            )
        )
        with pytest.raises(Invalid, match="from 1 to 10"):
            await r.ask("new", steps=11)
        with pytest.raises(QueueFull, match="at most 2 may"):
            await r.ask("new", steps=10)
        for job in waiting:
            await until(r.pool.working)
            r.pool.finish()
            assert isinstance(await end(job), Done)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (Generate(prompt=""), Invalid),
        (Generate(prompt="x", steps=0), Invalid),
        (Generate(prompt="x", width=100), Invalid),
        (Generate(prompt="x", model="gpt"), Invalid),
        (Generate(prompt="x", scheduler="nonsense"), Invalid),
        (Generate(prompt="x", styles=(StyleUse("nonsense"),)), Invalid),
        (Generate(prompt="a gun"), Blocked),
        (Upscale(source="0" * 64), NotYours),
        (Upscale(source="nonsense"), Invalid),
        (Generate(prompt="x", source="0" * 64), NotYours),
        (Generate(prompt="x", strength=0.5), Invalid),
        (Train(style="x", trigger="x", images=()), Blocked),
    ],
)
async def test_Q17_nonsense_is_refused_and_leaves_nothing(tmp_path: Path, request_: Generate, error: type[Refused]):
    async with rig(tmp_path, sections={"moderation": {"blocked": ("gun",)}}) as r:
        with pytest.raises(error):
            await r.studio.submit(ANNA, request_, HERE)
        assert r.studio.line() == (0, 0)
        assert await r.store.waiting() == []


async def test_Q17_an_unknown_style_names_the_nearest(tmp_path: Path):
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "realism.safetensors")
        with pytest.raises(Invalid) as caught:
            await r.ask("x", styles=(StyleUse("relism"),))
        assert caught.value.nearest == "realism"
        job = await r.ask("x", styles=(StyleUse("Realism"),))
        assert job.request.styles == (StyleUse("realism"),)


async def test_Q1_cooldown_and_quota_hold_and_cancelled_jobs_are_free(tmp_path: Path):
    now = 1_000_000.0
    limits = {"per_day": 3, "cooldown": 60}
    async with rig(tmp_path, hand=True, sections={"limits": limits}, clock=lambda: now) as r:
        job = await r.ask("a", count=2)
        now += 45
        with pytest.raises(TooSoon) as early:
            await r.ask("b")
        assert early.value.wait == 15
        now += 15
        with pytest.raises(OverQuota) as caught:
            await r.ask("c", count=2)
        assert caught.value.resets == 1_000_000 + 86_400
        assert await r.studio.cancel(ANNA, job.id)
        await r.ask("c", count=2)


@pytest.mark.parametrize("pause", [None, 0.05])
async def test_Q16_a_repeated_submission_is_one_job(tmp_path: Path, pause: float | None):
    async with rig(tmp_path, hand=True) as r:
        if pause is None:
            first, again = await asyncio.gather(r.ask("a cat", dedup="i1"), r.ask("a cat", dedup="i1"))
        else:
            first = await r.ask("a cat", dedup="i1")
            await asyncio.sleep(pause)
            again = await r.ask("a cat", dedup="i1")
        assert again is first
        other = await r.ask("a cat", dedup="i2")
        assert other.id != first.id
        assert len(await r.store.waiting()) == 2
        await until(r.pool.working)
        r.pool.finish()
        assert isinstance(await end(first), Done)
        finished = await r.ask("a cat", dedup="i1")
        assert finished.id == first.id


async def test_Q16_a_repeated_submission_needs_no_free_place(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"waiting_per_user": 1}}) as r:
        first = await r.ask("a cat", dedup="i1")
        assert await r.ask("a cat", dedup="i1") is first


async def test_D19_a_caller_that_gives_up_loses_no_accepted_job(tmp_path: Path):
    async with rig(tmp_path) as r:
        draw = random.Random(0)
        for n in range(40):
            asking = asyncio.create_task(r.ask(f"{n}"))
            await asyncio.sleep(draw.uniform(0, 0.01))
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0.05)
        await until(lambda: r.studio.line() == (0, 0))
        assert await r.store.waiting() == []
        assert len(await r.studio.history(ANNA, 100)) == len(r.pool.produced)


async def test_D11_after_closing_nothing_is_taken_and_nothing_is_lost(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        jobs = [await r.ask(f"{n}") for n in range(3)]
        await until(r.pool.working)
        began = time.monotonic()
        await r.studio.close(0.2)
        assert time.monotonic() - began < 2
        with pytest.raises(QueueFull):
            await r.ask("late")
        assert [row.id for row in await r.store.waiting()] == [job.id for job in jobs]
        assert not any(isinstance(job.status, Cancelled) for job in jobs)


async def test_D11_what_is_being_painted_may_finish_within_the_grace(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        first, second = await r.ask("1"), await r.ask("2")
        await until(r.pool.working)
        closing = asyncio.create_task(r.studio.close(30))
        await asyncio.sleep(0.05)
        r.pool.finish()
        await closing
        assert isinstance(first.status, Done)
        assert isinstance(second.status, Waiting)


# Cancelling


async def test_Q7_who_cancels_while_waiting_is_gone_at_once_and_others_move_up(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"waiting_per_user": 4}}) as r:
        jobs = [await r.ask(f"{n}") for n in range(4)]
        with pytest.raises(QueueFull):
            await r.ask("no room")
        began = time.monotonic()
        assert await r.studio.cancel(ANNA, jobs[1].id)
        assert jobs[1].status == Cancelled()
        await until(lambda: [job.status.position for job in jobs[2:]] == [1, 2])
        assert time.monotonic() - began < 1
        await r.ask("room")


async def test_Q8_who_cancels_while_painting_stops_it_and_the_next_one_starts(tmp_path: Path):
    async with rig(tmp_path, pace=0.05) as r:
        first, second = await r.ask("1", steps=100), await r.ask("2")
        await until(lambda: isinstance(first.status, Running) and first.status.step >= 1)
        began = time.monotonic()
        assert await r.studio.cancel(ANNA, first.id)
        assert first.status == Cancelled()
        await until(lambda: r.pool.working() and r.pool.working().job == second.id)
        assert time.monotonic() - began < 2
        assert isinstance(await end(second), Done)
        assert r.pool.restarts == []
        assert (await r.store.row(first.id)).state == "cancelled"


async def test_Q9_cancelling_at_the_moment_of_completion_has_one_outcome(tmp_path: Path):
    draw = random.Random(9)
    outcomes = {True: 0, False: 0}
    async with rig(tmp_path) as r:
        for n in range(200):
            job = await r.ask(f"{n}", steps=1)
            moment = draw.randrange(4)
            while moment and not (
                job.id in r.pool.jobs if moment == 1 else job.id in {key.job for key in r.pool.produced}
            ):
                await asyncio.sleep(0)
            for _ in range(draw.randrange(30)):
                await asyncio.sleep(0 if moment < 3 else 0.0005)
            won = await r.studio.cancel(ANNA, job.id)
            status = await end(job)
            assert status == Cancelled() if won else isinstance(status, Done)
            state = (await r.store.row(job.id)).state
            assert state == ("cancelled" if won else "produced")
            outcomes[won] += 1
        assert r.studio.line() == (0, 0)
        await until(lambda: not r.pool.working())
    assert min(outcomes.values()) > 10, outcomes


async def test_Q10_cancelling_what_cannot_be_cancelled(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a")
        with pytest.raises(NotYours):
            await r.studio.cancel(BERT, job.id)
        assert isinstance(job.status, Waiting | Running)
        assert await r.studio.cancel(ANNA, job.id)
        assert not await r.studio.cancel(ANNA, job.id)
        finished = await r.ask("b")
        await until(lambda: r.pool.working() and r.pool.working().job == finished.id)
        r.pool.finish()
        await end(finished)
        assert not await r.studio.cancel(ANNA, finished.id)
        await r.studio.delivered(finished.id)
        assert not await r.studio.cancel(ANNA, finished.id)
        twice = await r.ask("c")
        assert sorted(await asyncio.gather(r.studio.cancel(ANNA, twice.id), r.studio.cancel(ANNA, twice.id))) == [
            False,
            True,
        ]


async def test_P13_what_is_deleted_while_it_is_painted_leaves_nothing(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a")
        await until(r.pool.working)
        await r.studio.forget(ANNA, job.id)
        await until(lambda: not r.pool.working())
        assert await r.store.row(job.id) is None
        assert await r.studio.history(ANNA) == []
        assert r.studio.pending("web") == []


# What front-ends see


async def test_D6_an_answer_is_pending_until_it_was_shown(tmp_path: Path):
    async with rig(tmp_path) as r:
        shown, kept, open_ = [await r.ask(f"{n}") for n in range(3)]
        for job in (shown, kept, open_):
            await end(job)
        await r.studio.delivering(shown.id)
        await r.studio.delivered(shown.id)
        await r.studio.kept(kept.id, "The channel is gone.")
        assert [job.id for job in r.studio.pending("web")] == [open_.id]
        assert r.studio.job(ANNA, shown.id) is shown
        assert [await r.state(job) for job in (shown, kept, open_)] == ["delivered", "kept", "produced"]
    async with rig(tmp_path) as r:
        pending = r.studio.pending("web")
        assert [job.id for job in pending] == [open_.id]
        assert pending[0].status == open_.status
        assert r.pool.works == []


async def test_Q11_arrival_is_told_once_there_is_something_to_go_by_and_its_accuracy_is_kept(tmp_path: Path):
    async with rig(tmp_path, pace=0.01) as r:
        first = await r.ask("0")
        assert first.status.eta is None
        await end(first)
        job = await r.ask("1")
        assert job.status.eta is not None
        assert job.status.eta.low >= 1
        await end(job)
        await until(lambda: r.studio.line() == (0, 0))
        await asyncio.sleep(0.05)
        assert await r.studio.accuracy() == 1.0
    async with rig(tmp_path, hand=True) as r:
        await until(lambda: r.studio.engine().up)
        assert (await r.ask("2")).status.eta is not None


async def test_C9_the_event_loop_is_not_held_up_by_a_crowd(tmp_path: Path):
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        async with LagProbe() as lag:
            people = [User("web", f"u{n}") for n in range(100)]
            jobs = await asyncio.gather(*(r.ask("a cat", user, count=4, styles=(StyleUse("ink"),)) for user in people))
            for job in jobs:
                assert isinstance(await end(job, 60), Done)
        assert lag.quantile(0.99) < 0.25


async def test_G20_intake_is_open_while_the_model_loads(tmp_path: Path):
    pool = InProcessPool(tmp_path / "spool", start=False)
    async with rig(tmp_path, pool=pool) as r:
        job = await r.ask("a")
        pool.rise("one", fingerprint="")
        await until(lambda: r.studio._forecast.benches)
        assert r.studio.engine() == type(r.studio.engine())(False, loading=True)
        assert job.status == Waiting(1)
        pool.rise("one")
        assert isinstance(await end(job), Done)
        assert r.studio.engine().up
