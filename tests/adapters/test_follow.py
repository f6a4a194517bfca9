"""A card follows its job: never faster than its pace, never without the end."""

from __future__ import annotations

import asyncio
import time

from realbot.adapters import final, follow
from realbot.jobs import Board, Cancelled, Done, Generate, Job, Origin, Running, Status, User, Waiting


class Card:
    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.seen: list[tuple[float, Status]] = []

    async def show(self, status: Status) -> None:
        self.seen.append((time.monotonic(), status))


def job(status: Status) -> Job:
    return Job("j", User("web", "anna"), Generate(prompt="x"), Origin("web"), 0.0, Board(status))


async def paint(one: Job, steps: int, pause: float) -> None:
    for step in range(1, steps + 1):
        await asyncio.sleep(pause)
        one.board.post(Running(step, steps))
    one.board.post(Done(("a",), 1, 1.0))


async def test_the_first_and_the_last_status_are_shown():
    one, card = job(Waiting(2)), Card(0.0)
    painting = asyncio.create_task(paint(one, 3, 0.01))
    assert await follow(one, card) == Done(("a",), 1, 1.0)
    await painting
    assert card.seen[0][1] == Waiting(2)
    assert card.seen[-1][1] == Done(("a",), 1, 1.0)


async def test_changes_keep_the_pace_and_skip_what_is_old():
    one, card = job(Waiting(1)), Card(0.2)
    painting = asyncio.create_task(paint(one, 50, 0.01))
    await follow(one, card)
    await painting
    assert 3 <= len(card.seen) <= 8
    between = [later - earlier for (earlier, _), (later, _) in zip(card.seen[:-2], card.seen[1:-1], strict=True)]
    assert all(gap >= 0.19 for gap in between)


async def test_the_end_does_not_wait_for_the_pace():
    one, card = job(Waiting(1)), Card(30.0)
    asyncio.get_running_loop().call_later(0.05, one.board.post, Cancelled())
    async with asyncio.timeout(5):
        assert await follow(one, card) == Cancelled()
    assert [status for _, status in card.seen] == [Waiting(1), Cancelled()]


async def test_a_job_that_is_over_is_shown_once():
    one, card = job(Cancelled()), Card(30.0)
    assert await follow(one, card) == Cancelled()
    assert len(card.seen) == 1
    assert await final(one) == Cancelled()
