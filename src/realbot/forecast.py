"""What waiting people are shown: their position and when their picture will be there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .eta import Features, Guess, Timings, schedule
from .jobs import Eta, Running, Waiting
from .queue import Line
from .tickets import Bench, Run, Ticket


@dataclass(slots=True)
class Forecast:
    """Reads the line and the benches, and posts to the boards of the jobs that wait."""

    line: Line
    timings: Timings
    tickets: Mapping[str, Ticket]
    benches: dict[str, Bench] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic

    def running(self, run: Run, of: int, preview: str | None = None) -> Running:
        """The status of a job under way."""
        left = self._left(run)
        return Running(run.step, of, self.timings.eta([left]) if left is not None else None, preview)

    def show(self) -> None:
        """Post position and arrival to everyone who waits."""
        etas = self._etas()
        for n, place in enumerate(self.line):
            self.tickets[place.job].job.board.post(Waiting(n + 1, etas[n]))

    def place(self, ticket: Ticket) -> Waiting:
        """Position and arrival of one job; 1 for one that an engine is about to get."""
        position = self.line.positions().get(ticket.id)
        return Waiting(1) if position is None else Waiting(position, self._etas()[position - 1])

    def _left(self, run: Run) -> Guess | None:
        elapsed = 0.0 if run.started is None else self.monotonic() - run.started
        return self.timings.left(run.ticket.features, run.step, elapsed)

    def _etas(self) -> list[Eta | None]:
        loads = []
        for bench in self.benches.values():
            if bench.ready:
                left = self._left(bench.run) if bench.run is not None else Guess(0.0, 0.0)
                if left is None:
                    return [None] * len(self.line)
                loads.append((left, bench.styles))
        return schedule(self.timings, loads, self._painted())

    def _painted(self) -> list[Features | None]:
        """What each waiting job costs; None for one that shares the picture of another before it."""
        seen = {bench.run.ticket.question for bench in self.benches.values() if bench.run is not None}
        costs: list[Features | None] = []
        for place in self.line:
            ticket = self.tickets[place.job]
            costs.append(None if ticket.question and ticket.question in seen else ticket.features)
            seen.add(ticket.question)
        return costs
