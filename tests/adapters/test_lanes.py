"""Progress: one change of a channel at a time, the newest status only, never before a result."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from moving import Time

from realbot.adapters.lanes import Lanes, news
from realbot.jobs import Board, Eta, Generate, Job, Origin, Running, User, Waiting

PACE = 2.5
#: A training of a thousand steps, of which every twentieth is told.
LESSON = Running(100, 1000, numbers={"loss": 0.1})


def job(name: str, place: str = "1") -> Job:
    return Job(name, User("discord", "1"), Generate(prompt="x"), Origin("discord", place), 0.0, Board(Waiting(1)))


class Rig:
    """Lanes on a clock that moves by itself; `sent` is what was shown, and when."""

    def __init__(self) -> None:
        self.time = Time()
        self.sent: list[tuple[float, str, object]] = []
        self.results: set[str] = set()
        self.asks = True
        self.lanes = Lanes(self.send, lambda place: place in self.results, self.time.clock(), PACE)
        self.begun = self.time.at

    async def send(self, job, status) -> bool:
        self.sent.append((self.time.at - self.begun, job.id, status))
        return self.asks

    async def idle(self) -> None:
        async with asyncio.timeout(5):
            while self.lanes._tasks:
                await asyncio.sleep(0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_changes_of_one_channel_lie_apart_and_take_turns(rig):
    for name in "abc":
        rig.lanes.put(job(name), Running(1, 9))
    await rig.idle()
    assert [(at, name) for at, name, _ in rig.sent] == [(0.0, "a"), (PACE, "b"), (2 * PACE, "c")]


async def test_channels_do_not_wait_for_each_other(rig):
    for place in "123":
        rig.lanes.put(job(place, place), Running(1, 9))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert {name for _, name, _ in rig.sent} == {"1", "2", "3"}
    await rig.lanes.close()


async def test_only_the_newest_status_of_a_card_is_shown(rig):
    for step in range(1, 6):
        rig.lanes.put(job("a"), Running(step, 9))
    await rig.idle()
    assert [status for _, _, status in rig.sent] == [Running(5, 9)]


async def test_a_result_goes_first_and_ends_the_progress_of_its_card(rig):
    rig.results.add("1")
    rig.lanes.put(job("a"), Running(1, 9))
    rig.lanes.put(job("b"), Running(1, 9))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not rig.sent
    await rig.lanes.drop(job("a"))
    rig.results.clear()
    await rig.idle()
    assert [name for _, name, _ in rig.sent] == ["b"]


async def test_a_change_that_hangs_makes_way_for_the_result(rig, monkeypatch):
    monkeypatch.setattr("realbot.adapters.lanes.HURRY", 0.05)
    ended = []

    async def hangs(job, status) -> bool:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(job.id)
        return True

    lanes = Lanes(hangs, lambda _: False, rig.time.clock(), PACE)
    lanes.put(job("a"), Running(1, 9))
    await asyncio.sleep(0.01)
    await asyncio.wait_for(lanes.drop(job("b")), 1)
    assert ended == ["a"]
    await lanes.close()


async def test_what_asked_discord_nothing_costs_no_time(rig):
    rig.asks = False
    for name in "abc":
        rig.lanes.put(job(name), Running(1, 9))
    await rig.idle()
    assert [at for at, _, _ in rig.sent] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, Waiting(5), True),
        (Waiting(5), Waiting(5), False),
        (Waiting(5), Waiting(4), True),
        (Waiting(90), Waiting(89), False),
        (Waiting(57), Waiting(56), True),
        (Waiting(90, Eta(50, 60)), Waiting(89, Eta(49, 59)), False),
        (Waiting(90, Eta(50, 60)), Waiting(89, Eta(100, 120)), True),
        (Waiting(3), Running(0, 9), True),
        (Running(1, 9), Running(2, 9), True),
        (Waiting(1), Waiting(1, until=7200.0), True),
        (Waiting(1, until=7200.0), Waiting(1, until=7230.0), False),
        (Waiting(1, until=7200.0), Waiting(1), True),
        (LESSON, replace(LESSON, step=101), False),
        (LESSON, replace(LESSON, step=120), True),
        (LESSON, Waiting(1), True),
        (Waiting(1), LESSON, True),
    ],
)
def test_the_card_rests_unless_there_is_news(before, after, told):
    assert news(before, after) is told


async def test_a_failure_to_show_one_card_leaves_the_rest(rig, caplog):
    real = rig.send

    async def send(job, status) -> bool:
        if job.id == "a":
            raise ValueError("broken")
        return await real(job, status)

    lanes = Lanes(send, lambda _: False, rig.time.clock(), PACE)
    lanes.put(job("a"), Running(1, 9))
    lanes.put(job("b"), Running(1, 9))
    async with asyncio.timeout(5):
        while not rig.sent:
            await asyncio.sleep(0)
    assert "progress of job a cannot be shown" in caplog.text
    await lanes.close()
