"""What whoever runs the bot looks at: the line, the engines, the last hours in numbers, and what failed.

It is kept in memory alone and begins anew with each start. Nobody is named in it, and no prompt and no style.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

from .engine import EngineDown, EngineUp, Fact, RunKey, Step
from .errors import NotYours
from .forecast import Forecast
from .jobs import Done, Eta, Failed, Origin, Request, Running, Status, User, Waiting, count_of
from .journal import Journal, Observer
from .places import EVERYWHERE
from .store import Store
from .tickets import Bench, Run, Ticket

#: Seconds between two points of a chart, and how many are kept: six hours.
EVERY, KEPT = 20.0, 1080
#: Failures that are remembered.
FAILURES = 50
#: Errors whose details are about the machine and not about what somebody asked for.
OURS = frozenset({"EngineError", "EngineLost", "OutOfMemory", "ModelMissing"})

EngineStatus: TypeAlias = Literal["painting", "idle", "loading", "down"]


@dataclass(frozen=True, slots=True)
class Sample:
    """The numbers of `EVERY` seconds; None: nothing happened that could be measured."""

    at: float  #: Unix time in seconds
    waiting: int  #: at most
    wait: float | None  #: mean seconds from acceptance to the start
    pictures: float  #: a minute
    step: float | None  #: mean seconds of a step


@dataclass(frozen=True, slots=True)
class Turn:
    """A job that waits or is painted, whosever it is."""

    position: int  #: 0 for one that is painted
    platform: str
    kind: str  #: "generate", "upscale" or "train"
    age: float  #: seconds since it was accepted
    eta: Eta | None = None
    paused: bool = False
    step: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class EngineView:
    """One engine as it is at this moment."""

    name: str
    status: EngineStatus
    device: str = ""
    models: tuple[str, ...] = ()
    memory_mb: int = 0  #: of its device, 0 where it has none of its own
    restarts: int = 0  #: since this realbot started
    reason: str = ""  #: why it is down
    step: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that failed, or an engine that ended."""

    at: float  #: Unix time in seconds
    job: str  #: empty for an engine
    error: str  #: class in `errors`, or how an engine ended
    detail: str = ""


@dataclass(slots=True)
class _Tally:
    """What happened since the last sample."""

    waits: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    pictures: int = 0
    waiting: int = 0


class Overview(Observer):
    """Listens from when it is made; `run` samples until cancelled."""

    def __init__(
        self,
        store: Store,
        forecast: Forecast,
        journal: Journal,
        restart: Callable[[str, str], Coroutine[Any, Any, None]],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`restart` has an engine start anew, given its name and a reason."""
        self._store, self._forecast, self._restart = store, forecast, restart
        self._clock, self._monotonic = clock, monotonic
        self._tally = _Tally()
        self._steps: dict[RunKey, tuple[int, float]] = {}
        self._boots = {name: {bench.boot} for name, bench in forecast.benches.items() if bench.boot}
        self._sampled = monotonic()
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.failures: deque[Failure] = deque(maxlen=FAILURES)
        journal.observers.append(self)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            self.sample()

    def sample(self) -> Sample:
        """Put what happened since the last time into one point."""
        now = self._monotonic()
        minutes = max(now - self._sampled, 1e-3) / 60
        tally, self._tally, self._sampled = self._tally, _Tally(), now
        waiting = max(tally.waiting, len(self._forecast.line))
        point = Sample(self._clock(), waiting, _mean(tally.waits), tally.pictures / minutes, _mean(tally.steps))
        self.samples.append(point)
        return point

    def turns(self, most: int) -> list[Turn]:
        """What is painted, then the line; `most` of it."""
        tickets = self._forecast.tickets
        painted = [one for one in tickets.values() if one.run is not None]
        waiting = [tickets[place.job] for place in islice(self._forecast.line, most) if place.job in tickets]
        return [self._turn(one, one.job.status) for one in (painted + waiting)[:most]]

    def engines(self) -> list[EngineView]:
        return [self._view(bench) for bench in self._forecast.benches.values()]

    def paused(self) -> bool:
        """Whether nothing is painted anywhere until an administrator says so."""
        return self._forecast.stopped(Origin("", ""))

    async def restart(self, engine: str, by: User) -> None:
        """Have an engine start anew, which gives what it paints another attempt. Raises NotYours for an unknown one."""
        if engine not in self._forecast.benches:
            raise NotYours
        await self._restart(engine, "asked for")
        await self._store.note(EVERYWHERE, by.key, {"restarted": engine})

    # What the journal tells

    def started(self, run: Run, engine: str, waited: float | None) -> None:
        if waited is not None:
            self._tally.waits.append(waited)

    def ended(self, ticket: Ticket, status: Status, took: float | None) -> None:
        for key in [key for key in self._steps if key.job == ticket.id]:
            del self._steps[key]
        match status:
            case Done(cached=False) if not ticket.idle:
                self._tally.pictures += count_of(ticket.request)
            case Failed(error, detail):
                self.failures.append(Failure(self._clock(), ticket.id, error, _short(detail) if error in OURS else ""))

    def heard(self, fact: Fact) -> None:
        match fact:
            case EngineUp() if fact.fingerprint:
                self._boots.setdefault(fact.engine, set()).add(fact.boot)
            case EngineDown(reason=reason, detail=detail) if reason not in ("stopped", "replaced"):
                self.failures.append(Failure(self._clock(), "", reason, _short(detail)))
            case Step(key, n):
                now, before = self._monotonic(), self._steps.get(key)
                self._tally.waiting = max(self._tally.waiting, len(self._forecast.line))
                if before is not None and n == before[0] + 1:
                    self._tally.steps.append(now - before[1])
                self._steps[key] = n, now

    def _turn(self, ticket: Ticket, status: Status) -> Turn:
        age, platform, kind = self._clock() - ticket.job.created, ticket.job.user.platform, _kind(ticket.request)
        match status:
            case Running(step, steps, eta):
                return Turn(0, platform, kind, age, eta, step=step, steps=steps)
            case Waiting(position, eta) as waiting:
                return Turn(position, platform, kind, age, eta, paused=waiting.paused)
        return Turn(0, platform, kind, age)

    def _view(self, bench: Bench) -> EngineView:
        restarts = max(len(self._boots.get(bench.name, ())) - 1, 0)
        if bench.down is not None:
            return EngineView(bench.name, "down", restarts=restarts, reason=bench.down.reason)
        if bench.up is None or not bench.ready:
            return EngineView(bench.name, "loading", restarts=restarts)
        up, step, steps = bench.up, 0, 0
        if bench.run is not None and isinstance(status := bench.run.ticket.job.status, Running):
            step, steps = status.step, status.steps
        state: EngineStatus = "idle" if bench.run is None else "painting"
        return EngineView(bench.name, state, up.device, up.bases, up.vram_mb, restarts, "", step, steps)


def thinned(samples: list[Sample], most: int) -> list[Sample]:
    """At most so many points, each the mean of its neighbours; the newest ends the last one."""
    size = -(-len(samples) // most) or 1
    return [_merged(group) for group in _groups(samples, size)]


def _groups(samples: list[Sample], size: int) -> Iterator[list[Sample]]:
    first = len(samples) % size
    if first:
        yield samples[:first]
    for at in range(first, len(samples), size):
        yield samples[at : at + size]


def _merged(group: list[Sample]) -> Sample:
    return Sample(
        group[-1].at,
        max(one.waiting for one in group),
        _mean([one.wait for one in group if one.wait is not None]),
        sum(one.pictures for one in group) / len(group),
        _mean([one.step for one in group if one.step is not None]),
    )


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _kind(request: Request) -> str:
    return type(request).__name__.lower()


def _short(detail: str) -> str:
    """The last line of a detail: above it stands how it came to that."""
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    return lines[-1][:240] if lines else ""
