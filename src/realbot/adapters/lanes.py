"""Progress, one change of a channel at a time: what happened to a card meanwhile is skipped, results go first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from realbot.adapters.clock import Clock
from realbot.jobs import Job, Running, Status, Waiting

log = logging.getLogger(__name__)

#: Seconds that a change under way gets when a result comes for its channel.
HURRY = 1.5
#: Up to this place in line every step forward is shown; further back only the places in `FAR` and new promises.
NEAR = 7
FAR = frozenset({9, 11, 14, 18, 23, 29, 36, 45, 56, 70, 88, 110, 140, 175})
#: Changes that the steps of a training, which may take hours, are worth in all.
TOLD = 50
#: Seconds by which the time differs at which trainings begin when it is told twice.
SAME = 120.0


class Lanes:
    """`send` changes a card and tells whether the platform was asked; `busy`: a channel's results are on their way."""

    def __init__(
        self,
        send: Callable[[Job, Status], Awaitable[bool]],
        busy: Callable[[str], bool],
        clock: Clock,
        pace: float,
    ) -> None:
        self._send, self._busy, self._clock, self._pace = send, busy, clock, pace
        self._waiting: dict[str, dict[str, tuple[Job, Status]]] = {}
        self._shown: dict[str, Status] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sending: dict[str, asyncio.Task[bool]] = {}

    def put(self, job: Job, status: Status) -> None:
        """Show a status when it is its channel's turn, unless a newer one comes first or it tells nothing new."""
        if not news(self._shown.get(job.id), status):
            return
        place = job.origin.place
        self._waiting.setdefault(place, {})[job.id] = (job, status)
        if place not in self._tasks:
            self._tasks[place] = asyncio.create_task(self._drain(place), name=f"progress in {place}")

    async def drop(self, job: Job) -> None:
        """This job's end is there: nothing before it is shown any more, and what is under way soon ends."""
        self._shown.pop(job.id, None)
        self._waiting.get(job.origin.place, {}).pop(job.id, None)
        under_way = self._sending.get(job.origin.place)
        if under_way is not None:
            await asyncio.wait({under_way}, timeout=HURRY)
            under_way.cancel()
            await asyncio.wait({under_way})

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self, place: str) -> None:
        lane = self._waiting[place]
        try:
            while lane:
                if self._busy(place):
                    await self._clock.sleep(self._pace / 2)
                    continue
                job_id = next(iter(lane))
                job, status = lane.pop(job_id)
                self._shown[job_id] = status
                if await self._one(place, job, status):
                    await self._clock.sleep(self._pace)
        finally:
            self._tasks.pop(place, None)
            self._waiting.pop(place, None)

    async def _one(self, place: str, job: Job, status: Status) -> bool:
        """Change one card; whether the platform was asked."""
        task = self._sending[place] = asyncio.ensure_future(self._send(job, status))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            del self._sending[place]
        if task.cancelled():
            return True
        if task.exception() is not None:
            log.error("the progress of job %s cannot be shown", job.id, exc_info=task.exception())
            return True
        return task.result()


def news(before: Status | None, status: Status) -> bool:
    """Whether a status is worth a change of the card."""
    if before == status:
        return False
    if isinstance(before, Running) and isinstance(status, Running) and before.numbers and status.steps:
        return before.step * TOLD // status.steps != status.step * TOLD // status.steps
    if not (isinstance(before, Waiting) and isinstance(status, Waiting)) or before.paused != status.paused:
        return True
    if (before.until is None) is not (status.until is None) or abs((before.until or 0) - (status.until or 0)) > SAME:
        return True
    if status.position != before.position and (status.position <= NEAR or status.position in FAR):
        return True
    if before.eta is None or status.eta is None:
        return before.eta is not status.eta
    # The time counts down on the reader's device; only a broken promise is news.
    return not before.eta.low / 2 <= status.eta.high <= before.eta.high * 1.25
