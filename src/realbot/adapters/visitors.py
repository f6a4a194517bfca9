"""The visitors of the page: the jobs each of them has under way, and the wake-up of their open tabs."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from realbot.adapters import follow
from realbot.errors import RealbotError
from realbot.jobs import Done, Job, Origin, Running, Status, User, is_final

if TYPE_CHECKING:
    from realbot.studio import Studio

log = logging.getLogger(__name__)

#: Visitors without a job under way that are remembered.
KEPT = 1000


class Visitor:
    """One browser, in as many tabs as it likes."""

    def __init__(self, visitors: Visitors, user: User) -> None:
        self.user = user
        self.latest: Job | None = None  #: the job that ended last
        self.version = 0  #: grows with each change
        self.pictures = 0  #: grows with each change of the history
        self.tabs = 0  #: open live streams
        self._visitors = visitors
        self._jobs: dict[str, Job] = {}
        self._changed: asyncio.Future[None] | None = None

    def active(self) -> list[Job]:
        """The jobs under way, the one being painted first, then in the order of the line."""
        jobs = [job for job in self._jobs.values() if not is_final(job.status)]
        return sorted(jobs, key=lambda job: (not isinstance(job.status, Running), job.created))

    def last(self) -> Job | None:
        """The job that ended last."""
        return next((job for job in reversed(self._jobs.values()) if is_final(job.status)), self.latest)

    def take(self, job: Job) -> None:
        """Show a job from now on."""
        if job.id in self._jobs:
            return
        self._jobs[job.id] = job
        self._visitors.watch(self, job)
        self.touch()

    def end(self, job: Job) -> None:
        """A job is over; its card stays until the next one ends."""
        self._jobs.pop(job.id, None)
        self.latest = job
        self.touch(pictures=True)

    def drop(self, job_id: str) -> None:
        """A picture was deleted."""
        if self.latest is not None and self.latest.id == job_id:
            self.latest = None
        self.touch(pictures=True)

    def touch(self, *, pictures: bool = False) -> None:
        """Wake the open tabs."""
        self.version += 1
        self.pictures += pictures
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None

    async def changed(self, since: int, stop: asyncio.Future[Any], timeout: float) -> None:
        """Return when anything is newer than the version `since`, when `stop` is done, or after `timeout` seconds."""
        if self.version != since:
            return
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._changed, stop], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


class _Card:
    """The card of one job in the tabs of its visitor, which read the job's latest status when they are woken."""

    pace = 0.1

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def show(self, status: Status) -> None:
        if not is_final(status):
            self._visitor.touch()


class Visitors:
    """Everyone who has a job under way, and the latest others. Open it to follow jobs, those of an earlier run too."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._all: OrderedDict[str, Visitor] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def reaches(self, origin: Origin) -> bool:
        """Nobody keeps order on the page."""
        return False

    async def open(self) -> None:
        """Nobody is asked here."""

    async def redraw(self, job: Job) -> None:
        """A picture of a visitor is shown now, or not any more."""
        await self._studio.delivered(job.id)
        self.of(job.user).touch(pictures=True)

    async def consult(self, job: Job) -> None:
        """Nobody is asked here."""

    async def retract(self, place: str, message: str) -> None:
        """Nobody was asked here."""

    async def alarm(self, *, down: bool) -> None:
        """Administrators find it where they look at the health of the bot."""

    async def __aenter__(self) -> Visitors:
        self._studio.safety.windows["web"] = self
        for job in self._studio.pending("web"):
            self.of(job.user).take(job)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def of(self, user: User) -> Visitor:
        """The visitor with that id."""
        person = self._all.get(user.key)
        if person is None:
            person = self._all[user.key] = Visitor(self, user)
        self._all.move_to_end(user.key)
        if len(self._all) > KEPT:
            idle = next(
                (
                    key
                    for key, other in self._all.items()
                    if not other.active() and not other.tabs and other is not person
                ),
                None,
            )
            if idle is not None:
                del self._all[idle]
        return person

    def watch(self, person: Visitor, job: Job) -> None:
        """Follow a job to its end on its visitor's card."""
        task = asyncio.create_task(self._follow(person, job), name=f"card {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, person: Visitor, job: Job) -> None:
        status = await follow(job, _Card(person))
        try:
            # The history is the delivery: from here the picture is on the person's page whenever they open it.
            if isinstance(status, Done):
                await self._studio.delivering(job.id)
            await self._studio.delivered(job.id)
        except RealbotError:
            log.exception("job %s could not be marked as delivered", job.id)
        finally:
            person.end(job)
