"""Whose turn it is where a person or a server may have only so many painted at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pools import InProcessPool
from realbot.eta import Features, Guess, Timings
from realbot.jobs import Done, Generate, Job, Origin, Train, User
from realbot.turns import Seat, Share, Standing, fits, served
from studios import Rig, end, rig, until

ANN, BOB, CAROL = (User("discord", number, name) for number, name in (("7", "Ann"), ("8", "Bob"), ("9", "Carol")))
ADMIN = User("discord", "1", "Admin")
A, B = Origin("discord", "10", server="1"), Origin("discord", "20", server="2")
WORK = Features("mini", 1_000_000, 10)


def learned() -> Timings:
    timings = Timings()
    for _ in range(5):
        timings.record(WORK, {"denoise": 10.0})
    return timings


def order(seats: int, *who: tuple[str, int] | tuple[str, int, str, int]) -> list[int]:
    """In which order they begin, each a person with how many of theirs may be painted, and perhaps a server."""
    waiting = [
        Standing(WORK, Share(one[0], one[2] if len(one) == 4 else "", one[1], one[3] if len(one) == 4 else 0))
        for one in who
    ]
    return [n for n, _ in served(learned(), [Seat(Guess(0.0, 0.0))] * seats, waiting)]


def test_who_has_enough_on_the_engines_is_skipped_over():
    assert order(2, ("ann", 1), ("ann", 1), ("bob", 1), ("bob", 1)) == [0, 2, 1, 3]
    assert order(2, ("ann", 2), ("ann", 2), ("bob", 1)) == [0, 1, 2]
    assert order(1, ("ann", 1), ("ann", 1), ("bob", 1)) == [0, 1, 2]
    assert order(3, ("ann", 0, "s", 1), ("bob", 0, "s", 1), ("carol", 0, "t", 1)) == [0, 2, 1]
    assert order(3, *[("ann", 1)] * 4) == [0, 1, 2, 3]


def test_who_waits_for_their_own_engine_is_told_when_it_is_done():
    waiting = [Standing(WORK, Share("ann", "", 1)) for _ in range(3)]
    times = [eta for _, eta in served(learned(), [Seat(Guess(0.0, 0.0))] * 2, waiting)]
    assert [eta is not None and eta.low <= 10 * n <= eta.high for n, eta in enumerate(times, 1)] == [True] * 3
    free = [Standing(WORK, Share("ann")) for _ in range(3)]
    (_, first), (_, second), _ = served(learned(), [Seat(Guess(0.0, 0.0))] * 2, free)
    assert first == second


def test_what_is_being_painted_counts():
    share = Share("ann", "1", 1, 2)
    assert fits(share, [])
    assert not fits(share, [Share("ann", "2")])
    assert fits(share, [Share("bob", "1")])
    assert not fits(share, [Share("bob", "1"), Share("carol", "1")])
    assert fits(Share("ann"), [Share("ann")] * 9)
    busy = [Seat(Guess(30.0, 1.0), Share("ann")), Seat(Guess(0.0, 0.0))]
    waiting = [Standing(WORK, Share("ann", "", 1)), Standing(WORK, Share("bob", "", 1))]
    assert [n for n, _ in served(learned(), busy, waiting)] == [1, 0]


def test_without_engines_or_times_the_line_is_as_it_is():
    waiting = [Standing(WORK, Share("ann", "", 1)), Standing(None, Share("bob")), Standing(WORK, Share("bob", "", 1))]
    assert served(learned(), [], waiting) == [(0, None), (1, None), (2, None)]
    assert served(Timings(), [Seat(Guess(0.0, 0.0))] * 2, waiting)[0] == (0, None)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "s", "t"]), st.integers(1, 4)), max_size=25),
    st.integers(1, 4),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_Q2_the_order_is_that_of_engines_which_take_the_first_who_may(
    who: list[tuple[str, str, int]], engines: int, most: tuple[int, int]
):
    timings = learned()
    features = [Features("mini", 1_000_000, 10 * size) for _, _, size in who]
    waiting = [Standing(one, Share(name, server, *most)) for one, (name, server, _) in zip(features, who, strict=True)]
    left, running, begun, now = list(range(len(who))), dict[int, float](), list[int](), 0.0
    while left:
        for one in left[:]:
            if len(running) < engines and fits(waiting[one].share, [waiting[n].share for n in running]):
                left.remove(one)
                begun.append(one)
                guess = timings.guess(features[one])
                assert guess is not None
                running[one] = now + guess.middle
        now = min(running.values())
        running = {one: until for one, until in running.items() if until > now + 1e-9}
    found = served(timings, [Seat(Guess(0.0, 0.0))] * engines, waiting)
    assert [n for n, _ in found] == begun
    highs = [eta.high for _, eta in found if eta is not None]
    assert highs == sorted(highs)


# In a studio with two engines


async def ask(r: Rig, user: User, prompt: str, origin: Origin = A) -> Job:
    return await r.studio.submit(user, Generate(prompt=prompt, steps=2), origin)


def two(folder: Path) -> InProcessPool:
    return InProcessPool(folder / "spool", names=("one", "two"), hand=True)


async def test_Q1_one_person_leaves_an_engine_to_others(tmp_path: Path):
    pool = two(tmp_path)
    async with rig(tmp_path, pool=pool, sections={"limits": {"running_per_user": 1}}) as r:
        own = [await ask(r, ANN, f"a cat {n}") for n in range(3)]
        await until(lambda: len(pool.works) == 1)
        await asyncio.sleep(0.02)
        assert pool.jobs == [own[0].id]
        other = await ask(r, BOB, "a dog")
        await until(lambda: len(pool.works) == 2)
        assert pool.jobs == [own[0].id, other.id]
        later = await ask(r, CAROL, "a cow")
        r.studio._forecast.show()
        assert [job.status.position for job in (*own[1:], later)] == [1, 3, 2]
        pool.finish(_at(pool, other))
        await until(lambda: len(pool.works) == 3)
        assert pool.jobs[-1] == later.id
        for job in (own[0], later):
            pool.finish(_at(pool, job))
            assert isinstance(await end(job), Done)
        for job in own[1:]:
            await until(lambda job=job: job.id in pool.jobs)
            pool.finish(_at(pool, job))
            assert isinstance(await end(job), Done)


async def test_Q1_one_server_leaves_an_engine_to_others_by_its_own_rule(tmp_path: Path):
    pool = two(tmp_path)
    async with rig(tmp_path, pool=pool) as r:
        await r.studio.rule("discord:1", ADMIN, limits={"running_per_server": 1})
        here = [await ask(r, ANN, "a cat"), await ask(r, BOB, "a dog")]
        there = [await ask(r, ANN, "a cow", B), await ask(r, BOB, "an ox", B)]
        await until(lambda: len(pool.works) == 2)
        assert pool.jobs == [here[0].id, there[0].id]
        # The rule is taken back, and holds for what waits at once.
        pool.finish(_at(pool, there[0]))
        await until(lambda: len(pool.works) == 3)
        assert pool.jobs[-1] == there[1].id
        pool.finish(_at(pool, there[1]))
        await asyncio.sleep(0.02)
        assert len(pool.works) == 3
        await r.studio.rule("discord:1", ADMIN, limits={"running_per_server": None})
        await until(lambda: len(pool.works) == 4)
        assert pool.jobs[-1] == here[1].id
        for job in here:
            pool.finish(_at(pool, job))
            assert isinstance(await end(job), Done)


async def test_Q8_what_was_cancelled_frees_its_turn_once(tmp_path: Path):
    pool = two(tmp_path)
    async with rig(tmp_path, pool=pool, sections={"limits": {"running_per_user": 1}}) as r:
        own = [await ask(r, ANN, f"a cat {n}") for n in range(3)]
        await until(lambda: len(pool.works) == 1)
        await r.studio.cancel(ANN, own[0].id)
        await until(lambda: len(pool.works) == 2)
        await asyncio.sleep(0.02)
        assert pool.jobs == [own[0].id, own[1].id]


async def test_a_training_takes_no_turn_from_the_pictures_of_its_person(tmp_path: Path):
    pool = two(tmp_path)
    sections = {"limits": {"running_per_user": 1}, "training": {"roles": ["everyone"]}}
    async with rig(tmp_path, pool=pool, sections=sections) as r:
        painted = await ask(r, ANN, "a cat")
        await until(lambda: len(pool.works) == 1)
        place = r.studio._endings.tickets[painted.id]
        assert not r.studio._forecast.free()(place)
        place.request = Train(style="x", trigger="x", images=())
        assert r.studio._forecast.free()(place)


def _at(pool: InProcessPool, job: Job) -> str:
    """The engine that works on a job."""
    return next(name for name in pool.engines if (key := pool.working(name)) is not None and key.job == job.id)
