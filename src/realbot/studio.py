"""The one door: submit, cancel, history. Refuses a request, answers it from before, or takes it and paints it.

What was accepted is on the disk before anybody hears of it; `submit` raises nothing but Refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .academy import Academy
from .budget import Budget
from .classifier import Classifier
from .config import Settings
from .desk import Asked, Desk
from .dispatcher import Dispatcher
from .endings import Endings
from .engine import EnginePool
from .engine.models import FAMILIES, Preset, preset
from .entries import Entry, revived
from .errors import ConfigError, Invalid, NotYours, QueueFull
from .eta import Features, Timings
from .finder import Finder
from .forecast import Forecast
from .gate import CANCELLED, Gate
from .health import Health, told
from .house import House
from .jobs import Board, Done, Eta, ImageId, Job, Origin, Request, Status, User, Waiting
from .journal import Journal
from .phrases import Phrase
from .queue import Line
from .reload import Reload
from .rulebook import Limits
from .safety import Safety
from .spending import Usage
from .store import Store
from .styles import Styles
from .tasks import Tasks
from .tickets import Pace, Ticket
from .upkeep import Upkeep

log = logging.getLogger(__name__)

#: Whose unseen answers are taken up at the start.
PLATFORMS = ("discord", "telegram", "web", "cli")
#: Jobs that are remembered after their owner has seen the end.
SEEN = 1000
#: A longer line is shown to its newest member only, and to everyone else at the next turn.
LONG = 500


@dataclass(frozen=True, slots=True)
class EngineState:
    """What front-ends tell of the engine."""

    up: bool
    device: str = ""
    loading: bool = False
    reason: str = ""


class Studio(Academy):
    """Build it once, `open` it, and give it to every front-end."""

    def __init__(
        self,
        store: Store,
        pool: EnginePool,
        settings: Settings,
        styles: Styles,
        *,
        model: Preset | None = None,
        classifier: Classifier | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`model` is the settings' preset unless given. Raises ConfigError or ModelMissing when there is none."""
        house = House(store, settings, clock)
        desk = Desk(store, styles, model or preset(settings.model.name, settings.model.path), house)
        super().__init__(store, styles, desk, house, clock)
        self._monotonic = monotonic
        self._turn = asyncio.Event()
        self._line = Line(settings.queue.order)
        self._timings = Timings()
        self._pace = pace or Pace()
        self.finder = Finder(store, house, desk.uploads, lambda: self.line()[1] > 0)
        self.safety = Safety(store, house, classifier, clock=clock)
        self._endings = Endings(
            store, pool, self._line, self._timings, self.safety, self._finish, self._room, monotonic, self._pace.disk
        )
        self._forecast = Forecast(
            self._line,
            self._timings,
            self._endings.tickets,
            house.held,
            house.stopped,
            house.opens,
            house.abreast,
            monotonic=monotonic,
        )
        self.journal = Journal(monotonic)
        store.timed(self.journal.committed)
        self._dispatcher = Dispatcher(
            store,
            pool,
            self._desk,
            self._endings,
            self._forecast,
            self._turn.set,
            self.journal,
            pace=self._pace,
            monotonic=monotonic,
        )
        self.health = Health(store, pool, self._endings, self._forecast, monotonic)
        self.upkeep = Upkeep(store, lambda: house.base, clock, monotonic)
        self.health.add("upkeep", self.upkeep.check)
        looks = Phrase("Pictures are checked before they are shown.")
        self.health.add("safety", lambda: told("safety", self.safety.down, looks) if self.safety.active else None)
        self.gate = Gate(store, house, self._endings, self._dispatcher, self._whole, clock)
        self.budget = Budget(store, house, desk, self._forecast, self.gate, clock)
        #: Jobs whose end their owner has not seen yet, and some of those seen lately.
        self._jobs: dict[str, Job] = {}
        self._seen: OrderedDict[str, Job] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asides = Tasks()
        self._shower: asyncio.Task[None] | None = None
        self._open = False
        self.reload = Reload(settings)
        self.reload.listeners.append(self._reconfigure)
        self.health.add("settings", lambda: told("settings", self.reload.trouble, Phrase("The settings are in force.")))
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """New limits, order and words from now on; who waits keeps their place and is not judged again."""
        self._house.base = settings
        self._store.space.rules = settings.storage
        self._line.order = settings.queue.order
        self._dispatcher.previews = settings.engine.previews
        self._dispatcher.parameters = settings.privacy.png_parameters

    def _reconfigure(self, _: Settings, settings: Settings) -> None:
        self.configure(settings)
        self._stir()

    async def open(self) -> None:
        """Take up what an earlier life left, then start the engines. Returns before they are ready."""
        await self._house.open()
        await self.safety.open()
        await self.finder.open()
        await self._desk.uploads.open()
        for features, stages in await self._store.timings():
            seconds = stages.pop("seconds", None)
            self._timings.record(Features.load(features), stages, seconds)
        for low, high, actual in await self._store.scores():
            self._timings.score(Eta(low, high), actual)
        self._desk.fingerprint = await self._store.remembered("fingerprint") or ""
        for platform in PLATFORMS:
            for row in await self._store.pending(platform):
                self._jobs[row.id] = revived(row)
        for row in await self._store.waiting():
            if row.state == "running":
                await self._store.requeue(row.id)
            job = self._jobs.setdefault(row.id, revived(row))
            person = self._store.people.person(row.user_key)
            self._dispatcher.add(Ticket(job, row.request, row.seq, row.attempt, row.deaths, person=person))
        await self._same()
        await self.gate.open()
        await self._dispatcher.open()
        self._open = True
        self._shower = asyncio.create_task(self._show(), name="positions")

    async def close(self, grace: float) -> None:
        """Take nothing more, give what is being painted `grace` seconds, stop the engines. Nothing accepted is lost."""
        self._open = False
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.health.close()
        await self._dispatcher.close(grace)
        await self._asides.close(5.0)
        await self.safety.close()
        await self.finder.close()
        if self._shower is not None:
            self._shower.cancel()
            await asyncio.gather(self._shower, return_exceptions=True)

    async def submit(self, user: User, request: Request, origin: Origin, *, dedup: str | None = None) -> Job:
        """Take a request. It is on the disk when this returns; the same `dedup` gives the same job again.

        Raises Refused: Invalid, Blocked, TooSoon, OverQuota or QueueFull.
        """
        with self.journal.asking(user.platform):
            self.gate.admit(user, origin)
            if not self._open:
                raise QueueFull("The bot is not taking requests at the moment; please try again in a minute.")
            self._store.space.admit(self._endings.full)
            asked = await self._desk.ask(user, request, origin)
            with self._desk.taking(user, asked):
                await self.safety.admit(user, asked.request, origin)
            # What is committed must also reach the line, whatever becomes of the caller.
            return await self._whole(self._accept(user, asked, origin, dedup))

    async def cancel(self, user: User, job_id: str, moderator_of: str = "") -> bool:
        """Give a job up; False when it has ended. A moderator of its server (the id) may too.

        Raises NotYours, also for a job that there is not.
        """
        await self._owner(user, job_id, moderator_of)
        ticket = self._endings.tickets.get(job_id)
        if ticket is None:
            return False
        try:
            return await self._whole(self._dispatcher.withdraw(ticket))
        except ConfigError:
            raise QueueFull(
                "The disk of this bot is full, so nothing can be changed; please try again later."
            ) from None

    def job(self, user: User, job_id: str) -> Job:
        """A job of this person that was taken or delivered lately. Raises NotYours."""
        return self._own(user, job_id)

    async def entry(self, user: User, job_id: str) -> Entry:
        """Any job of this person, however old. Raises NotYours, also for a job that there is not."""
        row = await self._store.row(job_id, user)
        if row is None:
            raise NotYours
        return Entry.of(row)

    async def history(
        self, user: User, limit: int = 20, before: int | None = None, search: str = "", *, favourites: bool = False
    ) -> list[Entry]:
        """This person's pictures, latest first, from before an entry's `seq`; `search` looks for words or meaning."""
        return await self.finder.history(user, limit, before, search, favourites=favourites)

    async def picture(self, user: User, image: ImageId) -> Path:
        """The verified file of one of this person's pictures. Raises NotYours, and Invalid when it is lost."""
        await self.safety.hidden(user, image)
        return await self._store.picture(image, user)

    async def forget(self, user: User, job_id: str, moderator_of: str = "") -> None:
        """Delete a job and its pictures for good; a moderator of its server (the id) may too. Raises NotYours."""
        owner = await self._owner(user, job_id, moderator_of)
        async with self._deleting([job_id], self.safety.retracting(job_id=job_id)):
            await self.cancel(owner, job_id)
            await self._store.forget(owner, job_id)
        self._jobs.pop(job_id, None)
        self._seen.pop(job_id, None)

    def pending(self, platform: str) -> list[Job]:
        """Jobs of a platform whose end nobody has been shown: what its front-end takes up when it starts."""
        return [job for job in self._jobs.values() if job.user.platform == platform]

    async def delivering(self, job_id: str) -> None:
        """Its owner is about to be shown the answer."""
        await self._store.deliver(job_id)

    async def delivered(self, job_id: str) -> None:
        """Its owner was shown the end of it, be it a picture, an apology or a cancellation."""
        await self._store.delivered(job_id)
        self._leave(job_id)

    async def kept(self, job_id: str, reason: str) -> None:
        """Its owner could not be shown the answer, which stays in the history with the reason."""
        await self._store.keep(job_id, reason)
        self._leave(job_id, reason)

    def waiting(self, user: User) -> list[Job]:
        """This person's jobs that have not ended, the oldest first."""
        return [one.job for one in self._tickets(user)]

    def preset(self) -> Preset:
        return self._desk.preset

    def schedulers(self) -> tuple[str, ...]:
        return FAMILIES[self._desk.preset.family].schedulers

    def limits(self, user: User, origin: Origin | None = None) -> Limits:
        """The limits that hold for this person, or in a place."""
        return self._house.settings(origin, user).limits

    def line(self) -> tuple[int, int]:
        """How many wait and how many are being painted."""
        running = sum(ticket.run is not None for ticket in self._endings.tickets.values())
        return len(self._endings.tickets) - running, running

    def engine(self) -> EngineState:
        """Whether pictures can be painted now, on what, and if not why."""
        benches = list(self._forecast.benches.values())
        for bench in benches:
            if bench.ready and bench.up is not None:
                return EngineState(True, bench.up.device)
        down = next((bench.down for bench in benches if bench.down is not None), None)
        return EngineState(False, loading=down is None, reason="" if down is None else down.reason)

    async def _accept(self, user: User, asked: Asked, origin: Origin, dedup: str | None) -> Job:
        now, job_id = self._clock(), secrets.token_hex(12)
        terms, circle = self.budget.terms(user, asked, origin, now), self._house.circle(origin)

        def admit(usage: Usage) -> None:
            self.gate.admit(user, origin)
            terms.admit(usage)

        who, what = (job_id, user), (asked.request, asked.asked_key or None)
        with self._desk.taking(user, asked):
            row = await self._store.put(
                *who, *what, origin, dedup, now, admit, circle, seconds=terms.seconds, windows=terms.windows
            )
        if row.id != job_id:
            self._desk.settled(user, asked.asked_key)
            if row.user.key != user.key:
                raise NotYours
            return self._jobs.get(row.id) or self._seen.get(row.id) or revived(row)
        job = Job(row.id, user, asked.request, origin, row.created, Board(Waiting(len(self._line) + 1)))
        ticket = Ticket(
            job,
            asked.request,
            row.seq,
            notes=asked.notes,
            question=asked.question,
            asked_key=asked.asked_key,
            pixels=asked.pixels,
            accepted=self._monotonic(),
            person=self._store.people.person(user.key),
        )
        self._jobs[row.id] = job
        self.journal.accepted(job, cached=asked.earlier is not None)
        # From here on a ban finds it.
        self._endings.tickets[job.id] = ticket
        if self.gate.banned(user, origin) is not None:
            await self._endings.cancel(ticket, CANCELLED)
            return job
        if asked.earlier is not None:
            await self._endings.answer(ticket, asked.earlier)
            return job
        self._dispatcher.add(ticket)
        status = self._forecast.place(ticket) if len(self._line) <= LONG else Waiting(len(self._line))
        ticket.promised = status.eta
        job.board.post(status)
        self._dispatcher.feed()
        return job

    async def _same(self) -> None:
        """Find out which of the jobs of an earlier life share a picture."""
        for ticket in self._endings.tickets.values():
            with contextlib.suppress(Invalid):
                ticket.pixels = await self._desk.pixels(ticket.request)
                if ticket.idle:
                    continue
                files = await self._desk.files(ticket.request)
                hashes = {name: file["sha256"] for name, file in files.items()}
                ticket.question = self._desk.question(ticket.job.user, ticket.request, hashes, ticket.job.origin)

    async def _show(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0 if len(self._line) else None):
                    await self._turn.wait()
            self._turn.clear()
            try:
                self._forecast.show()
            except Exception:
                log.exception("positions could not be shown")
            await asyncio.sleep(0.1 + len(self._line) / 2000)

    def _room(self) -> None:
        self._dispatcher.feed()

    def _finish(self, ticket: Ticket, status: Status) -> None:
        self.journal.ended(ticket, status)
        self._desk.settled(ticket.job.user, ticket.asked_key)
        if ticket.idle:
            # The engine may still write there; what it leaves is deleted when it has given the run back.
            self._asides.spawn(self._store.wardrobe.leave(ticket.id, kept=isinstance(status, Done)))
            self._asides.spawn(asyncio.to_thread(self._styles.sweep))
        ticket.job.board.post(status)
        self._turn.set()

    def _leave(self, job_id: str, kept: str = "") -> None:
        job = self._jobs.pop(job_id, None)
        if job is not None:
            self.journal.delivered(job, kept)
            self._seen[job_id] = job
            if len(self._seen) > SEEN:
                self._seen.popitem(last=False)

    def _own(self, user: User, job_id: str) -> Job:
        job = self._jobs.get(job_id) or self._seen.get(job_id)
        if job is None or not self.owns(user, job.user.key):
            raise NotYours
        return job
