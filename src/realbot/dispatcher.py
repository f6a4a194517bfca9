"""Brings waiting jobs and idle engines together, and follows what the engines tell.

The rows decide, not this memory: a fact of an older attempt or of a job that has ended is dropped. Losing an engine
means not knowing; the next attempt begins when the engine, or the time, has told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .desk import Desk
from .endings import ERRORS, Endings
from .engine import Cancelled, EngineDown, EnginePool, EngineUp, Fact, Failed, Produced, RunKey, Started, Step
from .errors import EngineLost, Invalid, Refused
from .forecast import Forecast
from .jobs import Upscale, Waiting, key_of
from .journal import Journal
from .orders import order
from .preemption import Preemption
from .queue import Place
from .rows import inputs
from .store import Store
from .suspects import Suspects
from .tasks import Tasks
from .tickets import Bench, Pace, Run, Ticket, printed

log = logging.getLogger(__name__)

#: Results that could not be used, after which a job is given up.
SPOILED = 2
#: How an engine ends when it may have been the job's doing.
DEATHS = frozenset({"crashed", "hung"})


@dataclass(slots=True)
class Dispatcher:
    """`changed` is called when the line or an engine is not what it was."""

    store: Store
    pool: EnginePool
    desk: Desk
    endings: Endings
    forecast: Forecast
    changed: Callable[[], None]
    journal: Journal = field(default_factory=Journal)
    previews: bool = True
    parameters: bool = False  #: whether PNG files carry the recipe
    pace: Pace = field(default_factory=Pace)
    monotonic: Callable[[], float] = time.monotonic
    _suspects: Suspects = field(default_factory=Suspects)
    _aside: dict[str, Ticket] = field(default_factory=dict)
    _landing: set[Run] = field(default_factory=set)
    _tasks: Tasks = field(default_factory=Tasks)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _reader: asyncio.Task[None] | None = None
    _paused: bool = False
    _closing: bool = False
    _preemption: Preemption = field(init=False)

    def __post_init__(self) -> None:
        self._preemption = Preemption(self.pool, self.forecast, self.endings.line, self.desk.house)

    def add(self, ticket: Ticket) -> None:
        """An accepted job takes its place in the line; `feed` then looks whether an engine is free for it."""
        self.endings.tickets[ticket.id] = ticket
        self._suspects.load(ticket.id, ticket.deaths)
        self.endings.line.add(ticket.place)

    async def open(self) -> None:
        """Start the engines; returns at once."""
        await self.pool.open()
        self._reader = asyncio.create_task(self._read(), name="engine facts")

    async def close(self, grace: float) -> None:
        """Start nothing more, give the runs under way `grace` seconds, stop the engines; the rest keeps its place."""
        self._closing = True
        await self._preemption.close()
        deadline = self.monotonic() + grace
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._landing or any(bench.run and bench.ready for bench in self.forecast.benches.values()):
                    self._moved.clear()
                    await self._moved.wait()
        await self.pool.close(max(deadline - self.monotonic(), 0.0))
        if self._reader is not None:
            await self._reader
        await self._tasks.close(1.0)

    async def withdraw(self, ticket: Ticket, why: str = "") -> bool:
        """Cancel, for a reason that its person is told; False when it is too late.

        The engine stops before its next step, and nobody waits for that.
        """
        run = ticket.run
        if not await self.endings.cancel(ticket, why):
            return False
        self._aside.pop(ticket.id, None)
        self._suspects.forget(ticket.id)
        if run is not None and run.work is not None:
            await self.pool.cancel(run.key)
        self.feed()
        return True

    def feed(self) -> None:
        """Give each idle engine the first job that it can do."""
        self.changed()
        self._moved.set()
        if self._closing or self._paused or self.endings.full:
            return
        for bench in self.forecast.benches.values():
            if not bench.ready or bench.run is not None or bench.up is None:
                continue
            place = self._next(bench.up.bases)
            if place is None:
                continue
            ticket = self.endings.tickets[place.job]
            self.endings.line.serve(place.job)
            ticket.attempt += 1
            run = Run(ticket, RunKey(ticket.id, ticket.attempt), bench.boot)
            bench.run = ticket.run = run
            self._tasks.spawn(self._start(bench, run))
        if any(ticket.idle for ticket in self.endings.tickets.values()):
            self._tasks.spawn(self._preemption.look(self._next, self.feed))
        self._settle()

    def _next(self, bases: tuple[str, ...]) -> Place | None:
        """The head of the line for these models; while a job stands accused, first somebody else's as a witness."""
        busy, free = {run.ticket.question for run in self._landing}, self.forecast.free()
        busy.update(bench.run.ticket.question for bench in self.forecast.benches.values() if bench.run is not None)

        def alone(place: Place) -> bool:
            ticket = self.endings.tickets[place.job]
            return free(ticket) and (not ticket.question or ticket.question not in busy)

        if self._aside:
            accused = {ticket.place.user for ticket in self._aside.values()}
            witness = self.endings.line.head(bases, lambda place: place.user not in accused and alone(place))
            if witness is not None:
                return witness
        return self.endings.line.head(bases, alone)

    def _settle(self) -> None:
        """Every engine is idle: nothing can witness for what is set aside, and none can paint what is in the line."""
        benches = self.forecast.benches.values()
        if not benches or self._landing or any(not bench.ready or bench.run is not None for bench in benches):
            return
        tickets = self.endings.tickets
        left = [place for place in self.endings.line if not self.desk.house.held(tickets[place.job].job)]
        if not left:
            self._convict()
        for place in left:
            detail = f"The model {place.model} is not loaded any more."
            self._tasks.spawn(self.endings.fail(self.endings.tickets[place.job], "ModelMissing", detail))

    def _convict(self) -> None:
        for ticket in self._aside.values():
            self._suspects.forget(ticket.id)
            self._tasks.spawn(self.endings.condemn(ticket))
        self._aside.clear()

    async def _start(self, bench: Bench, run: Run) -> None:
        try:
            await self._hand(bench, run)
        except EngineLost:
            # Its EngineDown was read or is on its way; nothing of this attempt has run.
            if bench.run is run:
                bench.up = None if bench.boot == run.boot else bench.up
                await self._return(run, bench)
        except Exception as error:
            refused = isinstance(error, Refused)
            if not refused:
                log.exception("%s could not be started", run.key)
            self._free(bench, run)
            lost = isinstance(error, Invalid) and error.word in inputs(run.ticket.request)
            name = ("Invalid" if lost else "StyleBroken") if refused else "EngineError"
            await self.endings.fail(run.ticket, name, str(error) if refused else "")

    async def _hand(self, bench: Bench, run: Run) -> None:
        ticket, request = run.ticket, run.ticket.request
        assert bench.up is not None
        engine = bench.up.fingerprint
        files = await self.desk.files(request)
        hashes = {name: file["sha256"] for name, file in files.items()}
        run.fingerprint = printed(engine, hashes)
        earlier = None
        if not ticket.idle:
            earlier = await self.desk.find(ticket.job.user, key_of(request, run.fingerprint), ticket.job.origin)
        if earlier is not None and await self.endings.answer(ticket, earlier):
            self._free(bench, run)
            return
        if not ticket.ended and not await self.endings.begin(run.key):
            log.error("the store holds no job %s that could be started", ticket.id)
            await self.endings.cancel(ticket)
        if ticket.ended:
            self._free(bench, run)
            return
        if bench.boot != run.boot or not bench.ready:
            raise EngineLost
        guess = self.forecast.timings.guess(ticket.features, switch=True)
        sources = await self.desk.sources(request)
        recipe = self.parameters
        preview = self.previews and self.endings.safety.previews(run.ticket.job.origin)
        folder = str(self.store.wardrobe.lesson(ticket.id).absolute())
        work = order(run, self.desk.preset, guess, files, sources, recipe=recipe, preview=preview, folder=folder)
        run.work = work
        if not isinstance(request, Upscale):
            bench.styles = ticket.features.styles
        ticket.job.board.post(self.forecast.running(run, ticket.features.steps))
        try:
            await self.pool.run(bench.name, work)
        except EngineLost:
            run.work = None
            raise
        self.journal.started(run, bench.name)
        if ticket.ended:
            await self.pool.cancel(run.key)
        elif ticket.idle:
            # Somebody may have asked for a picture meanwhile.
            await self._preemption.look(self._next, self.feed)

    def _free(self, bench: Bench | None, run: Run) -> None:
        if bench is not None and bench.run is run:
            bench.run = None
        run.ticket.run = None
        self.feed()

    async def _read(self) -> None:
        async for fact in self.pool.facts():
            try:
                await self._hear(fact)
            except Exception:
                log.exception("a fact of the engine could not be followed: %s", fact)

    async def _hear(self, fact: Fact) -> None:
        self.journal.heard(fact)
        match fact:
            case EngineUp():
                await self._up(fact)
            case EngineDown():
                self._down(fact)
            case Started(key):
                if (held := self._held(key)) is not None:
                    held[1].started = self.monotonic()
                    self.changed()
            case Step(key):
                if (held := self._held(key)) is not None and not held[1].ticket.ended:
                    self.forecast.step(held[1], fact)
                    if self.desk.house.held(held[1].ticket.job):
                        self._tasks.spawn(self._preemption.preempt(held[0]))
                    self.changed()
            case Produced():
                await self._produced(fact)
            case Failed():
                await self._failed(fact)
            case Cancelled(key):
                await self.pool.release(key)
                if (held := self._held(key)) is not None:
                    held[1].work = None
                    self._tasks.spawn(self._return(held[1], held[0]))

    def _held(self, key: RunKey) -> tuple[Bench, Run] | None:
        """The engine and the run of a key, unless it is of an older attempt."""
        for bench in self.forecast.benches.values():
            if bench.run is not None and bench.run.key == key:
                return bench, bench.run
        return None

    async def _up(self, fact: EngineUp) -> None:
        bench = self.forecast.benches.setdefault(fact.engine, Bench(fact.engine))
        reason = bench.down.reason if bench.down is not None else "crashed"
        back = bench.down is not None or bench.boot not in ("", fact.boot)
        if bench.boot != fact.boot:
            bench.styles = ()
        bench.up, bench.boot, bench.down = fact, fact.boot, None
        if fact.fingerprint not in ("", self.desk.fingerprint):
            self.desk.fingerprint = fact.fingerprint
            self._tasks.spawn(self.endings.insist(lambda: self.store.remember("fingerprint", fact.fingerprint)))
        run = bench.run
        if run is not None and run.work is not None and (back or run.boot != fact.boot):
            if run.key in fact.holding:
                run.boot = fact.boot
                await self.pool.run(bench.name, run.work)
            else:
                await self._lose(bench, run, reason)
        for key in fact.holding:
            if run is None or key != run.key:
                await self.pool.cancel(key)
                await self.pool.release(key)
        self.feed()

    def _down(self, fact: EngineDown) -> None:
        bench = self.forecast.benches.setdefault(fact.engine, Bench(fact.engine))
        if fact.boot != bench.boot and bench.up is not None:
            return
        bench.up, bench.down = None, fact
        if bench.run is not None and bench.run.work is not None and not self._closing:
            self._tasks.spawn(self._wait_for(bench, bench.run, fact))
        self.changed()

    async def _wait_for(self, bench: Bench, run: Run, fact: EngineDown) -> None:
        await asyncio.sleep(self.pace.reattach)
        if bench.run is run and bench.down is fact and run.work is not None:
            await self._lose(bench, run, fact.reason)

    async def _lose(self, bench: Bench, run: Run, reason: str) -> None:
        """The run is lost for certain, so the next attempt may begin."""
        run.work = None
        await self.pool.cancel(run.key)
        await self.pool.release(run.key)
        self._tasks.spawn(self._return(run, bench, died=reason in DEATHS))

    async def _return(self, run: Run, bench: Bench | None = None, *, died: bool = False) -> None:
        """Back to its place for another attempt, unless it ended meanwhile or took too many engines with it.

        Its engine gets nothing else before it stands in the line again, or the next one would overtake it.
        """
        ticket, run.work = run.ticket, None
        if not ticket.ended and not self._closing:
            ticket.deaths += died
            verdict = self._suspects.died(ticket.id) if died else "again"
            await self.endings.insist(lambda: self.store.requeue(ticket.id, died=died))
            if verdict == "aside" and not ticket.ended:
                self._aside[ticket.id] = ticket
                ticket.job.board.post(Waiting(1))
            elif not ticket.ended:
                self.endings.line.put_back(ticket.place)
            if verdict == "sick":
                log.error("the engine dies under every job, so it gets a pause of %g seconds", self.pace.sick)
                for other in self._aside.values():
                    self.endings.line.put_back(other.place)
                self._aside.clear()
                self._tasks.spawn(self._pause())
                self._paused = True
        if ticket.ended and ticket.idle:
            await self.store.wardrobe.leave(ticket.id, kept=False)
        self._free(bench, run)

    async def _pause(self) -> None:
        await asyncio.sleep(self.pace.sick)
        self._paused = False
        self.feed()

    async def _produced(self, fact: Produced) -> None:
        held = self._held(fact.key)
        if held is None or held[1].ticket.ended:
            await self.pool.release(fact.key)
            if held is not None:
                self._free(*held)
            return
        bench, run = held
        self._suspects.survived(run.ticket.id)
        self._convict()
        # The engine goes on while the pictures are copied; the ticket keeps its run until they are committed.
        bench.run = None
        self._landing.add(run)
        self._tasks.spawn(self._land(run, fact))
        self.feed()

    async def _land(self, run: Run, fact: Produced) -> None:
        ticket = run.ticket
        try:
            usable = await self.endings.paint(run, fact)
            await self.pool.release(fact.key)
        finally:
            self._landing.discard(run)
        if usable:
            self._free(None, run)
            return
        ticket.spoiled += 1
        if ticket.spoiled < SPOILED:
            await self._return(run)
        else:
            await self.endings.fail(ticket, "EngineError", "")
            ticket.run = None

    async def _failed(self, fact: Failed) -> None:
        await self.pool.release(fact.key)
        held = self._held(fact.key)
        if held is None:
            return
        bench, run = held
        log.error("%s failed: %s: %s", fact.key, fact.kind, fact.detail)
        run.work = None
        if not fact.engine_ok:
            bench.up = None
            self._tasks.spawn(self.pool.restart(bench.name, fact.kind))
        if fact.kind == "engine" and not fact.engine_ok:
            self._tasks.spawn(self._return(run, bench, died=True))
        else:
            self._suspects.forget(run.ticket.id)
            self._free(bench, run)
            self._tasks.spawn(self.endings.fail(run.ticket, ERRORS.get(fact.kind, "EngineError"), fact.detail))
