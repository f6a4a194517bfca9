"""Trainings give way: to whoever waits for a picture, at the end of their hours, and when realbot stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .engine import EnginePool
from .forecast import Forecast
from .house import House
from .queue import Line, Place
from .tickets import Bench


@dataclass(slots=True)
class Preemption:
    """What is preempted returns to its place in the line, and goes on from there when its turn comes again."""

    pool: EnginePool
    forecast: Forecast
    line: Line
    house: House
    _alarm: asyncio.TimerHandle | None = None

    async def look(self, head: Callable[[tuple[str, ...]], Place | None], feed: Callable[[], None]) -> None:
        """Stop the trainings that have to, and look again when the hour of those that wait comes.

        `head` tells who is next for an engine with these models.
        """
        for bench in list(self.forecast.benches.values()):
            run = bench.run
            if run is None or not run.ticket.idle or bench.up is None:
                continue
            place = head(bench.up.bases)
            if (place is not None and not place.idle) or self.house.held(run.ticket.job):
                await self.preempt(bench)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        wait = self.house.opens() - self.house.now()
        if wait > 0 and any(place.idle for place in self.line):
            self._alarm = asyncio.get_running_loop().call_later(wait, feed)

    async def preempt(self, bench: Bench) -> None:
        """Stop the training of an engine after the step under way, if it has one."""
        run = bench.run
        if run is not None and run.ticket.idle and run.work is not None and not run.yielding:
            run.yielding = True
            await self.pool.cancel(run.key)

    async def close(self) -> None:
        """Stop every training."""
        if self._alarm is not None:
            self._alarm.cancel()
        for bench in list(self.forecast.benches.values()):
            await self.preempt(bench)
