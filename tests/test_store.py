"""Acceptance and the line on a real SQLite file: what is promised, and what a fault may not take away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from realbot import rows
from realbot import store as store_module
from realbot.errors import QueueFull, Refused
from realbot.jobs import Generate, Origin, Train, Upscale, User
from realbot.spending import DAY, HOUR, MONTH, Charge, Usage
from realbot.store import Store
from stored import ANN, APPLE, BOB, NOW, STAGES, free, ids, paint, picture, put, state


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "data", clock=lambda: NOW) as opened:
        yield opened


async def test_a_job_is_remembered_as_it_was_asked_and_answered(store: Store, tmp_path: Path) -> None:
    origin = Origin("discord", "room", "message", "thread", "de")
    row = await store.put("job", ANN, APPLE, "asked", origin, "click", NOW, free)
    assert (row.user, row.request, row.origin, row.asked_key, row.created) == (ANN, APPLE, origin, "asked", NOW)
    assert (row.state, row.attempt, row.images, row.seed, row.shown) == ("accepted", 0, (), 7, False)
    image = await picture(store, tmp_path)
    assert await store.start("job", 1)
    assert await store.produce("job", [image], 2.5, STAGES, "print", "key", notes=[("scheduler", "ddim")])
    found = await store.row("job")
    assert found == replace(
        row,
        state="produced",
        attempt=1,
        started=NOW,
        finished=NOW,
        images=(image,),
        seconds=2.5,
        stages=STAGES,
        notes=(("scheduler", "ddim"),),
        key="key",
        fingerprint="print",
    )


@pytest.mark.parametrize(
    "request_",
    [
        replace(APPLE, prompt="\ud800 \x00 ok 🦊", negative="'); DROP TABLE jobs; --"),
        Upscale(source="a" * 64, factor=4),
        Train(style="mine", trigger="sks", images=("b" * 64, "c" * 64)),
    ],
)
async def test_every_kind_of_request_survives_a_restart(tmp_path: Path, request_: Generate | Upscale | Train) -> None:
    person = User("cli", "1", "Zoë \ud800\x00")
    async with Store.open(tmp_path) as store:
        await put(store, person, request_, job="job")
    async with Store.open(tmp_path) as store:
        (row,) = await store.waiting()
        assert row.request == request_
        assert row.user_key == "cli:1"


async def test_the_states_follow_each_other_and_in_no_other_order(store: Store, tmp_path: Path) -> None:
    image = await picture(store, tmp_path)

    async def verbs(job: str) -> dict[str, bool]:
        return {
            "start": await store.start(job, 9),
            "requeue": await store.requeue(job),
            "deliver": await store.deliver(job),
            "keep": await store.keep(job, "late"),
            "delivered": await store.delivered(job),
            "cancel": await store.cancel(job),
            "fail": await store.fail(job, "EngineLost", "no"),
            "quarantine": await store.quarantine(job, "no"),
            "produce": await store.produce(job, [image], 1.0, {}, "", None),
        }

    assert not any((await verbs("unknown")).values())
    for end, reached in {
        "cancel": "cancelled",
        "fail": "failed",
        "quarantine": "quarantined",
        "delivered": "delivered",
        "keep": "kept",
    }.items():
        row = await put(store)
        image = await picture(store, tmp_path)
        if reached in ("delivered", "kept"):
            assert await store.produce(row.id, [image], 1.0, {}, "", None)
        if end in ("cancel", "delivered"):
            assert await getattr(store, end)(row.id)
        elif end == "fail":
            assert await store.fail(row.id, "OutOfMemory", "too large")
        else:
            assert await getattr(store, end)(row.id, "the reason")
        assert await state(store, row.id) == reached
        image = await picture(store, tmp_path, b"late")
        later = await verbs(row.id)
        assert {verb for verb, done in later.items() if done} <= {"delivered"}
        assert await state(store, row.id) == reached


async def test_D4_a_running_job_goes_back_to_its_place_with_its_seed(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        for n in range(5):
            await put(store, request=replace(APPLE, seed=n), job=f"j{n}")
        assert await store.start("j1", 1)
    async with Store.open(tmp_path) as store:
        line = await store.waiting()
        assert [(row.id, row.state, row.attempt) for row in line][:3] == [
            ("j0", "accepted", 0),
            ("j1", "running", 1),
            ("j2", "accepted", 0),
        ]
        assert await store.requeue("j1")
        line = await store.waiting()
        assert [row.id for row in line] == ["j0", "j1", "j2", "j3", "j4"]
        assert (line[1].state, line[1].attempt, line[1].deaths, line[1].seed) == ("accepted", 1, 0, 1)
        assert not await store.start("j1", 1)
        assert await store.start("j1", 2)
        assert await store.requeue("j1", died=True)
        assert (await store.waiting())[1].deaths == 1


async def test_D13_order_is_of_acceptance_whatever_the_clock_says(store: Store) -> None:
    for now in (NOW, NOW - 3600, NOW + 90_000, NOW - 7200):
        await put(store, now=now, job=f"at {now}")
    assert [row.created for row in await store.waiting()] == [NOW, NOW - 3600, NOW + 90_000, NOW - 7200]


async def test_D2_Q16_the_same_click_is_one_job_even_when_limits_are_reached(store: Store) -> None:
    first = await put(store, dedup="interaction-9")

    def full(_: Usage) -> None:
        raise QueueFull

    again = await store.put("other", ANN, APPLE, None, Origin("discord"), "interaction-9", NOW, full)
    assert again == first
    assert len(await store.waiting()) == 1
    for other in (User("telegram", "1"), BOB):
        assert (await put(store, other, dedup="interaction-9")).user == other
    both = await asyncio.gather(*(put(store, dedup="double") for _ in range(20)))
    assert len({row.id for row in both}) == 1


async def test_Q3_of_two_requests_for_one_place_exactly_one_is_accepted(store: Store) -> None:
    def one(usage: Usage) -> None:
        if usage.waiting_user >= 1:
            raise QueueFull

    async def ask(user: User) -> bool:
        try:
            await store.put(f"job-{next(ids)}", user, APPLE, None, Origin("cli"), None, NOW, one)
        except QueueFull:
            return False
        return True

    pairs = [User("cli", str(n)) for n in range(500)]
    answers = await asyncio.gather(*(ask(user) for user in pairs for _ in range(2)))
    assert [answers[2 * n] + answers[2 * n + 1] for n in range(500)] == [1] * 500
    assert len(await store.waiting()) == 500


async def test_Q3_a_refusal_takes_nothing_with_it_and_leaves_nothing_behind(store: Store) -> None:
    def refuse(_: Usage) -> None:
        raise Refused("no")

    verbs = [
        store.put(f"j{n}", ANN, APPLE, None, Origin("cli"), f"d{n}", NOW, refuse if n % 2 else free) for n in range(40)
    ]
    done = await asyncio.gather(*verbs, return_exceptions=True)
    assert [isinstance(value, Refused) for value in done] == [bool(n % 2) for n in range(40)]
    assert [row.id for row in await store.waiting()] == [f"j{n}" for n in range(0, 40, 2)]
    assert (await store.usage(ANN, NOW)).today == 20


async def test_usage_counts_what_waits_and_what_was_painted_today(store: Store, tmp_path: Path) -> None:
    assert await store.usage(ANN, NOW) == Usage(charges={HOUR: (), DAY: (), MONTH: ()})
    await put(store, BOB)
    await put(store, request=replace(APPLE, count=4), now=NOW - 2 * rows.DAY)
    old = await put(store, now=NOW - 100)
    await put(store, request=replace(APPLE, count=3), now=NOW - 50)
    usage = await store.usage(ANN, NOW)
    assert (usage.waiting_user, usage.waiting_total, usage.today, usage.last_accept) == (3, 4, 4, NOW - 50)
    assert usage.charges[HOUR] == (Charge(NOW - 100, 1), Charge(NOW - 50, 3))
    assert sum(one.pictures for one in usage.charges[MONTH]) == 8
    assert await store.start(old.id, 1)
    assert (await store.usage(ANN, NOW)).waiting_user == 3
    assert await store.cancel(old.id)
    usage = await store.usage(ANN, NOW)
    assert (usage.waiting_user, usage.waiting_total, usage.today, usage.last_accept) == (2, 3, 3, NOW - 50)
    assert usage.charges[HOUR] == (Charge(NOW - 50, 3),)
    failed = await put(store)
    assert await store.fail(failed.id, "OutOfMemory", "")
    cached = await put(store)
    assert await store.produce(cached.id, [await picture(store, tmp_path)], 1.0, {}, "", None, cached=True)
    assert (await store.usage(ANN, NOW)).today == 3
    assert (await store.usage(ANN, NOW)).last_accept == NOW


async def test_D13_a_clock_set_back_does_not_lock_anyone_out(store: Store) -> None:
    await put(store, now=NOW + 3600)
    assert (await store.usage(ANN, NOW)).last_accept is None
    assert (await store.usage(ANN, NOW)).today == 1


async def test_P15_deleting_history_is_no_way_around_the_quota(store: Store, tmp_path: Path) -> None:
    row = await paint(store, tmp_path)
    await store.forget(ANN, row.id)
    usage = await store.usage(ANN, NOW)
    assert (usage.today, usage.last_accept) == (1, NOW)


async def test_every_end_stays_pending_until_its_owner_has_seen_it(store: Store, tmp_path: Path) -> None:
    jobs = [(await put(store)).id for _ in range(5)]
    await put(store, User("telegram", "1"))
    await store.cancel(jobs[0])
    await store.fail(jobs[1], "EngineLost", "")
    await store.produce(jobs[2], [await picture(store, tmp_path)], 1.0, {}, "", None)
    await store.start(jobs[3], 1)
    assert [row.id for row in await store.pending("discord")] == jobs
    assert not await store.delivered(jobs[3])
    for job in jobs[:3]:
        assert await store.delivered(job)
        assert await store.delivered(job)
    assert [row.id for row in await store.pending("discord")] == jobs[3:]
    assert [await state(store, job) for job in jobs] == ["cancelled", "failed", "delivered", "running", "accepted"]


async def test_a_job_that_could_not_be_delivered_is_in_the_history_with_the_reason(
    store: Store, tmp_path: Path
) -> None:
    row = await put(store)
    await store.produce(row.id, [await picture(store, tmp_path)], 1.0, {}, "", None)
    assert await store.deliver(row.id)
    assert await store.keep(row.id, "the channel is gone")
    (kept,) = await store.history(ANN)
    assert (kept.state, kept.detail, kept.shown) == ("kept", "the channel is gone", True)


async def test_Q9_either_cancel_or_completion_wins_never_both(store: Store, tmp_path: Path) -> None:
    rng = random.Random(9)
    for _ in range(50):
        row = await put(store)
        await store.start(row.id, 1)
        image = await picture(store, tmp_path)
        verbs = [store.cancel(row.id), store.produce(row.id, [image], 1.0, {}, "", None, attempt=1)]
        rng.shuffle(verbs)
        assert sorted(await asyncio.gather(*verbs)) == [False, True]
        found = await store.row(row.id)
        assert found is not None
        assert (found.state, bool(found.images)) in (("cancelled", False), ("produced", True))


async def test_F2_the_answer_of_an_older_attempt_is_refused(store: Store, tmp_path: Path) -> None:
    row = await put(store)
    await store.start(row.id, 1)
    await store.requeue(row.id)
    await store.start(row.id, 2)
    late, good = await picture(store, tmp_path, b"late"), await picture(store, tmp_path, b"good")
    path = await store.picture(late)
    assert not await store.produce(row.id, [late], 1.0, {}, "", None, attempt=1)
    assert not path.exists()
    assert await store.produce(row.id, [good], 1.0, {}, "", None, attempt=2)


async def test_P19_only_the_owner_of_the_process_reads_the_folder(store: Store, tmp_path: Path) -> None:
    await paint(store, tmp_path)
    for path in [tmp_path / "data", *(tmp_path / "data").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


async def test_timings_scores_and_facts_are_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "OBSERVATIONS", 3)
    for n in range(5):
        await store.record({"model": "mini", "steps": n}, {"denoise": n / 2})
        await store.score(n, n + 1, n + 0.5)
    assert await store.timings() == [({"model": "mini", "steps": n}, {"denoise": n / 2}) for n in (2, 3, 4)]
    assert await store.scores() == [(n, n + 1, n + 0.5) for n in (2, 3, 4)]
    assert await store.remembered("fingerprint") is None
    await store.remember("fingerprint", "one")
    await store.remember("fingerprint", "two")
    assert await store.remembered("fingerprint") == "two"
    await store.remember("identity", "mine")
    await store.remember("commits", "0")
    assert (await store.remembered("commits"), await store.remembered("identity")) == ("0", "mine")
