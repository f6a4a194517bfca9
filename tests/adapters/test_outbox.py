"""Results on their way: the oldest first, one channel at a time, and nothing but a look now and then in an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from moving import Time

from realbot.adapters.outbox import ABREAST, LONGEST, Down, Outbox
from realbot.jobs import Board, Generate, Job, Origin, User, Waiting

HOUR = 3600.0


def job(n: int, place: str = "1") -> Job:
    origin = Origin("discord", place)
    return Job(f"job{n:04}", User("discord", "1"), Generate(prompt="x"), origin, float(n), Board(Waiting(1)))


class Post:
    """Takes letters while `open` says so."""

    def __init__(self, open: Callable[[], bool] = lambda: True) -> None:
        self.open, self.tried, self.taken, self.abreast, self.most = open, [], [], 0, 0
        self.places: list[str] = []

    async def __call__(self, job: Job) -> None:
        self.tried.append(job.id)
        assert job.origin.place not in self.places, "two results of one channel at a time"
        self.places.append(job.origin.place)
        self.most = max(self.most, len(self.places))
        await asyncio.sleep(0)
        self.places.remove(job.origin.place)
        if not self.open():
            raise Down("away")
        self.taken.append(job.id)


@pytest.fixture
def time() -> Time:
    return Time()


async def test_every_result_is_delivered_once_and_several_channels_at_a_time(time):
    post = Post()
    outbox = Outbox(post, time.clock(), lambda: 1.0)
    await asyncio.gather(*(outbox.put(job(n, str(n % 20))) for n in range(200)))
    assert sorted(post.taken) == [f"job{n:04}" for n in range(200)]
    assert len(post.tried) == 200
    assert 1 < post.most <= ABREAST
    assert not outbox.busy("1")


async def test_R7_six_hours_of_outage_end_with_everything_delivered_oldest_first(time):
    begun = time.at
    post = Post(lambda: time.at - begun > 6 * HOUR)
    outbox = Outbox(post, time.clock(), lambda: 1.0)
    jobs = [job(n, str(n % 3)) for n in range(120)]
    async with asyncio.timeout(20):
        await asyncio.gather(*(outbox.put(one) for one in reversed(jobs)))
    assert sorted(post.taken) == [one.id for one in jobs]
    for place in "012":
        mine = [one.id for one in jobs if one.origin.place == place]
        assert [taken for taken in post.taken if taken in mine] == mine
    looks = len(post.tried) - len(jobs)
    assert looks <= 6 * HOUR / LONGEST * 1.1 + ABREAST + 10, "no storm: one look a minute"
    assert not outbox.down


async def test_R7_in_an_outage_one_asks_for_all(time):
    post = Post(lambda: len(time.slept) >= 5)
    outbox = Outbox(post, time.clock(), lambda: 1.0)
    await asyncio.gather(*(outbox.put(job(n, str(n))) for n in range(50)))
    # The first ones found out together; from then on only one looked.
    assert len(post.tried) - 50 <= ABREAST + 5
    assert len(post.taken) == len(set(post.taken)) == 50


async def test_results_make_progress_wait(time):
    gate = asyncio.Event()

    async def deliver(_: Job) -> None:
        await gate.wait()

    outbox = Outbox(deliver, time.clock(), lambda: 1.0)
    task = asyncio.create_task(outbox.put(job(1, "5")))
    await asyncio.sleep(0)
    assert outbox.busy("5")
    assert not outbox.busy("6")
    gate.set()
    await task
    assert not outbox.busy("5")


async def test_DC7_a_channel_that_takes_no_more_does_not_hold_up_the_others(time):
    tried: list[str] = []

    async def deliver(one: Job) -> None:
        tried.append(one.id)
        if one.origin.place == "slow" and time.at < 1_000_100:
            raise Down("limited", wait=100, local=True)

    outbox = Outbox(deliver, time.clock(), lambda: 1.0)
    await asyncio.gather(outbox.put(job(1, "slow")), outbox.put(job(2, "a")), outbox.put(job(3, "b")))
    assert tried[:3] == ["job0001", "job0002", "job0003"]
    assert tried[3:] == ["job0001"]
    assert not outbox.down


async def test_what_goes_wrong_with_one_does_not_stop_the_rest(time, caplog):
    post = Post()

    async def deliver(one: Job) -> None:
        if one.id == "job0001":
            raise ValueError("broken")
        await post(one)

    outbox = Outbox(deliver, time.clock(), lambda: 1.0)
    await asyncio.gather(*(outbox.put(job(n)) for n in range(3)))
    assert post.taken == ["job0000", "job0002"]
    assert "job0001 could not be delivered" in caplog.text


async def test_closing_waits_for_what_is_being_sent_and_no_longer_than_it_may(time):
    done: list[str] = []

    async def deliver(one: Job) -> None:
        await asyncio.sleep(0.05 if one.id == "job0001" else 60)
        done.append(one.id)

    outbox = Outbox(deliver, time.clock(), lambda: 1.0)
    tasks = [asyncio.create_task(outbox.put(job(n, str(n)))) for n in (1, 2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(outbox.close(0.5), 2)
    assert done == ["job0001"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
