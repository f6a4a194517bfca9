"""What moderators are asked about withheld pictures, and what they decide; it can be taken back.

Front-ends add a window for each platform, through which people see it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from .cases import Case, Decision
from .entries import Entry, revived
from .errors import Invalid, NotYours, Refused
from .house import House
from .jobs import Job, Origin, User
from .places import EVERYWHERE
from .store import Store
from .tasks import Tasks

#: Questions of this life that are remembered, so that they can be taken away with what they show.
REMEMBERED = 1000


class Window(Protocol):
    """How a front-end shows what happens to jobs after their end. Each verb may raise what it likes."""

    def reaches(self, origin: Origin) -> bool:
        """Whether there is somebody who can be asked about a picture from there."""
        ...

    async def open(self) -> None:
        """Ask about what an earlier life could not ask."""
        ...

    async def redraw(self, job: Job) -> None:
        """The pictures of a job of this platform are shown now, or not any more."""
        ...

    async def consult(self, job: Job) -> None:
        """Ask moderators whether a picture can be shown; asked again for one that they were asked about before."""
        ...

    async def retract(self, place: str, message: str) -> None:
        """Take away a question to moderators whose picture is deleted."""
        ...

    async def alarm(self, *, down: bool) -> None:
        """Pictures cannot be checked, or can be again."""
        ...


class Appeals:
    """The part of the studio's safety that is about people."""

    def __init__(self, store: Store, house: House, clock: Callable[[], float]) -> None:
        self.windows: dict[str, Window] = {}
        self._store, self._house, self._clock = store, house, clock
        self._cases, self._asides = store.cases, Tasks()
        #: Where moderators were asked since the start: whose job it is, and platform, place and message, by its id.
        self._asked: dict[str, tuple[str, list[str]]] = {}

    async def begin(self, platform: str) -> None:
        """A front-end can be seen from now on: take away and ask there what an earlier life could not."""
        for spot in await self._cases.stranded(platform):
            self._retract(*spot)
        await self.windows[platform].open()

    async def entry(self, job_id: str) -> Entry:
        """Any job, for whoever decides about it. Raises NotYours for one that is deleted."""
        row = await self._store.row(job_id)
        if row is None:
            raise NotYours
        return Entry.of(row)

    async def reopen(self, job_id: str) -> None:
        """The end of a job is to be shown anew; a front-end that then follows it does."""
        await self._cases.reopen(job_id)

    def moderators(self, origin: Origin) -> tuple[str, ...]:
        """The ids of the channels where moderators are asked about pictures from there."""
        return self._house.moderators(origin)

    def moderated(self, platform: str) -> list[str]:
        """The ids of all channels of moderators on a platform."""
        found = [ids for key, ids in self._house.moderated().items() if key.startswith(f"{platform}:")]
        return list(dict.fromkeys(one for ids in found for one in ids))

    async def reached(self, job_id: str) -> bool:
        """Whether there is somebody who can be asked about a job's pictures."""
        row = await self._store.row(job_id)
        return row is not None and self._window(revived(row)) is not None

    async def appeal(self, user: User, job_id: str) -> None:
        """Ask moderators for another look at a job of this person, once. Raises Refused."""
        row = await self._store.row(job_id, user)
        if row is None:
            raise NotYours
        job = revived(row)
        if self._window(job) is None:
            raise Refused("There is nobody here who could be asked.")
        if not await self._cases.appeal(job_id):
            raise Refused("A moderator was asked already.")
        self._asides.spawn(self._consult(job))

    async def pending(self, platform: str) -> list[Job]:
        """Jobs about which moderators are asked on a platform, and that they did not decide yet."""
        rows = [await self._store.row(job_id) for job_id in await self._cases.appealed()]
        jobs = [revived(row) for row in rows if row is not None]
        return [job for job in jobs if self._window(job) is self.windows.get(platform)]

    async def asked(self, job_id: str, platform: str, place: str, message: str) -> None:
        """Note where moderators were asked about a job; when it was deleted meanwhile, that message is too."""
        row, spot = await self._store.row(job_id), [platform, place, message]
        if row is None:
            self._retract(*spot)
            return
        self._asked[job_id] = row.user.key, spot
        if len(self._asked) > REMEMBERED:
            del self._asked[next(iter(self._asked))]
        await self._store.place_card(job_id, "", {"case": spot})
        await self._sweep([job_id])

    @asynccontextmanager
    async def retracting(self, user: User | None = None, job_id: str = "") -> AsyncIterator[None]:
        """Take the questions to moderators away about a job, or all of a person, that is deleted in this block."""
        accounts = [] if user is None else self._store.people.accounts(user.key)
        told = await self._cases.questions(job_id=job_id, user_key="" if user is None else user.key)
        # Without its front-end, or when realbot is killed now, it is done at the next start.
        if told:
            await self._cases.strand(told)
        for spot in told:
            self._retract(*spot)
        yield
        theirs = [one for one, (owner, _) in self._asked.items() if one == job_id or owner in accounts]
        await self._sweep(theirs, told)

    async def _sweep(self, jobs: Iterable[str], told: Sequence[list[str]] = ()) -> None:
        """Take away what was asked in this life about those of these jobs that are not there any more."""
        for job_id in jobs:
            if await self._store.row(job_id) is None and (asked := self._asked.pop(job_id, None)) is not None:
                _, spot = asked
                if spot not in told:
                    self._retract(*spot)

    def _retract(self, platform: str, place: str, message: str) -> None:
        window = self.windows.get(platform)
        if window is not None:
            self._asides.spawn(self._taken(window, platform, place, message))

    async def _taken(self, window: Window, platform: str, place: str, message: str) -> None:
        await window.retract(place, message)
        await self._cases.settled((platform, place, message))

    async def decide(self, by: User, job_id: str, *, release: bool) -> Case:
        """What a moderator decides about a job's pictures; front-ends see to it that only one asks. Raises Invalid."""
        decision: Decision = "released" if release else "upheld"
        row, changed = await self._store.row(job_id), await self._cases.decide(job_id, decision, by.key)
        case = await self._cases.of(job_id)
        if row is None or case is None:
            raise Invalid("This picture was deleted meanwhile.")
        if changed:
            job = revived(row)
            await self._store.note(job.origin.server_key or EVERYWHERE, by.key, {decision: job_id})
            self._asides.spawn(self._redraw(job))
        return case

    async def _redraw(self, job: Job) -> None:
        window = self.windows.get(job.origin.platform)
        if window is not None:
            await window.redraw(job)

    async def _consult(self, job: Job) -> None:
        window = self._window(job)
        if window is not None:
            await window.consult(job)

    def _window(self, job: Job) -> Window | None:
        """Where somebody can be asked: on the platform of the job first."""
        own = self.windows.get(job.origin.platform)
        others = [window for window in self.windows.values() if window is not own]
        return next((one for one in (own, *others) if one is not None and one.reaches(job.origin)), None)

    def _tell(self, *, down: bool) -> None:
        for window in self.windows.values():
            self._asides.spawn(window.alarm(down=down))
