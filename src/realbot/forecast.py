"""What waiting people are shown: their position and when their picture will be there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .engine import Step
from .eta import DOUBT, Features, Guess, Timings, schedule
from .jobs import Eta, Generate, Job, Origin, Running, Waiting
from .queue import Line, Place
from .tickets import Bench, Run, Ticket
from .turns import Seat, Share, Standing, fits, served


@dataclass(slots=True)
class Forecast:
    """Reads the line and the benches, and posts to the boards of the jobs that wait."""

    line: Line
    timings: Timings
    tickets: dict[str, Ticket]
    held: Callable[[Job], bool]  #: whether a job waits for an administrator or for its hour
    stopped: Callable[[Origin], bool]  #: whether nothing is painted for a place at the moment
    opens: Callable[[], float]  #: the Unix time from which styles are trained
    #: How many of its person's and of its server's jobs may be painted at a time together with a job; 0: any number.
    abreast: Callable[[Job], tuple[int, int]] = lambda job: (0, 0)
    benches: dict[str, Bench] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic

    def running(
        self, run: Run, of: int, preview: str | None = None, numbers: Mapping[str, float] | None = None
    ) -> Running:
        """The status of a job under way."""
        left = self._left(run)
        eta = self.timings.eta([left]) if left is not None else None
        return Running(run.step, of, eta, preview, {k: v for k, v in (numbers or {}).items() if k != "left"})

    def step(self, run: Run, fact: Step) -> None:
        """Post how far a job is. A training also gives signs of life between its steps, which tell nothing."""
        run.step, run.left = fact.n, fact.numbers.get("left", run.left)
        run.preview = (fact.preview or run.preview) if run.ticket.idle else fact.preview
        if fact.numbers or not run.ticket.idle:
            run.ticket.job.board.post(self.running(run, fact.of, run.preview, fact.numbers))

    def show(self) -> None:
        """Post position and arrival to everyone who waits."""
        for ticket, status in self._statuses():
            ticket.job.board.post(status)

    def place(self, ticket: Ticket) -> Waiting:
        """Position and arrival of one job; 1 for one that an engine is about to get."""
        return next((status for one, status in self._statuses() if one is ticket), Waiting(1))

    def trial(self, ticket: Ticket) -> Waiting:
        """Position and arrival that a job would have which is not accepted yet."""
        self.tickets[ticket.id] = ticket
        self.line.add(ticket.place)
        try:
            return self.place(ticket)
        finally:
            self.line.drop(ticket.id)
            del self.tickets[ticket.id]

    def _statuses(self) -> Iterator[tuple[Ticket, Waiting]]:
        """Who is held is overtaken by everyone else, and has the place that they would have if they went on now."""
        ahead = 0
        for place, eta in self._served():
            ticket = self.tickets[place.job]
            if self.stopped(ticket.job.origin):
                yield ticket, Waiting(ahead + 1, paused=True)
            elif self.held(ticket.job):
                yield ticket, Waiting(ahead + 1, until=self.opens())
            else:
                ahead += 1
                yield ticket, Waiting(ahead, eta)

    def free(self) -> Callable[[Ticket], bool]:
        """Tells of a waiting job whether it may be painted now, given what the engines are working on."""
        running = [share for share in map(self._holder, self.benches.values()) if share is not None]
        return lambda ticket: not self.held(ticket.job) and fits(self._share(ticket), running)

    def _share(self, ticket: Ticket) -> Share:
        if ticket.idle:
            return Share("")
        return Share(ticket.place.user, ticket.job.origin.server_key, *self.abreast(ticket.job))

    def _holder(self, bench: Bench) -> Share | None:
        """Whose job an engine works on. A training gives way, and what was cancelled is as good as gone."""
        run = bench.run
        return None if run is None or run.ticket.idle or run.ticket.ended else self._share(run.ticket)

    def _served(self) -> Iterable[tuple[Place, Eta | None]]:
        """Who waits, with when they are done, in the order in which they begin."""
        places, etas = list(self.line), self._etas()
        if not any(most for place in places for most in self.abreast(self.tickets[place.job].job)):
            return zip(places, etas, strict=True)
        shares = [self._share(self.tickets[place.job]) for place in places]
        seats = [
            Seat(self._busy(bench) or Guess(1.0, 0.0), self._holder(bench), bench.styles)
            for bench in self.benches.values()
            if bench.ready
        ]
        standing = [Standing(*one) for one in zip(self._painted(), shares, strict=True)]
        order = served(self.timings, seats, standing)
        return [(places[n], None if etas[n] is None else eta) for n, eta in order]

    def _busy(self, bench: Bench) -> Guess | None:
        """How long an engine has to go with what nobody can take from it; None where that is not known."""
        # A training gives way.
        busy = bench.run is not None and not bench.run.ticket.idle
        return self._left(bench.run) if busy and bench.run is not None else Guess(0.0, 0.0)

    def _left(self, run: Run) -> Guess | None:
        if run.ticket.idle:
            return None if run.left is None else Guess(run.left, run.left * DOUBT)
        elapsed = 0.0 if run.started is None else self.monotonic() - run.started
        # The parts of an enlarged picture are not the steps that its duration was learned by.
        step = run.step if isinstance(run.ticket.request, Generate) else 0
        return self.timings.left(run.ticket.features, step, elapsed)

    def _etas(self) -> list[Eta | None]:
        loads = []
        for bench in self.benches.values():
            if bench.ready:
                left = self._busy(bench)
                if left is None:
                    return [None] * len(self.line)
                loads.append((left, bench.styles))
        etas = schedule(self.timings, loads, self._painted())
        if any(bench.run is not None and bench.run.ticket.idle for bench in self.benches.values()):
            # What waits behind a training that gives way again and again cannot be told.
            return [None if place.idle else eta for place, eta in zip(self.line, etas, strict=True)]
        return etas

    def _painted(self) -> list[Features | None]:
        """What each waiting job costs; None for one that shares another's picture or is held."""
        seen = {bench.run.ticket.question for bench in self.benches.values() if bench.run is not None}
        costs: list[Features | None] = []
        for place in self.line:
            ticket = self.tickets[place.job]
            if self.held(ticket.job):
                costs.append(None)
                continue
            costs.append(None if ticket.question and ticket.question in seen else ticket.features)
            seen.add(ticket.question)
        return costs
