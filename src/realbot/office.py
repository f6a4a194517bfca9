"""What administrators and data protection ask of the studio: rules of places, pauses, numbers, export and deletion."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from .audit import Change
from .dispatcher import Dispatcher
from .endings import Endings
from .errors import NotYours
from .gate import Gate
from .jobs import Job, Origin, Showing, User
from .journal import Journal
from .overview import Overview
from .places import EVERYWHERE, SECTIONS, PlaceRules, checked
from .policy import showing
from .reception import Reception
from .reload import Outcome, Reload
from .safety import Safety
from .sections import Section
from .tally import Stats
from .tickets import Ticket

T = TypeVar("T")


class Office(Reception):
    """The part of the studio that is about servers and rights. Front-ends see to it that only administrators ask."""

    safety: Safety
    gate: Gate
    reload: Reload
    journal: Journal
    _monotonic: Callable[[], float]
    _endings: Endings
    _dispatcher: Dispatcher
    _jobs: dict[str, Job]
    _seen: OrderedDict[str, Job]
    _tasks: set[asyncio.Task[Any]]
    _turn: asyncio.Event

    async def place(self, key: str | None) -> PlaceRules:
        """What was settled for a server or channel, "discord:GUILD" or "discord:CHANNEL"; None: for everywhere."""
        return self._house.place(key)

    def roles(self, key: str) -> list[PlaceRules]:
        """What was settled for roles of a server."""
        return self._house.roles(key)

    def heeds_roles(self, platform: str) -> bool:
        """Whether it matters what people are on a platform, so that a front-end must find it out."""
        return self.gate.heeds(platform) or self._house.heeds(platform)

    def settled(self, origin: Origin | None = None, user: User | None = None) -> dict[str, Section]:
        """The limits, moderation and cache as they hold in a place, or everywhere; for a person with their roles."""
        settings = self._house.settings(origin, user)
        return {name: getattr(settings, name) for name in SECTIONS}

    def granted(self, origin: Origin | None = None, user: User | None = None) -> dict[str, Section]:
        """The same as whoever runs the bot has them: what administrators settle there cannot be looser."""
        settings = self._house.granted(origin, user)
        return {name: getattr(settings, name) for name in SECTIONS}

    def configured(self) -> dict[str, Section]:
        """The limits, moderation and cache as the settings have them, which what holds everywhere goes over."""
        return {name: getattr(self._house.base, name) for name in SECTIONS}

    async def showing(self, job: Job, *, adult: bool, settle: bool = True) -> Showing:
        """Where a job's picture may be shown, whose place is open to adults only by now, or is not.

        A picture that is withheld is noted as such, unless `settle` says that this is a question only.
        """
        if self.gate.banned(job.user, job.origin) is not None:
            # It was finished before its person was banned, and could not be brought to them until now.
            return "nowhere"
        rules = self._house.settings(job.origin).moderation
        where = showing(await self._desk.prompts(job.request), job.origin.adult, adult, rules)
        return await self.safety.showing(job, where, adult=adult, settle=settle)

    async def rule(self, key: str | None, by: User, **changes: Any) -> PlaceRules:
        """Change what holds in a server or channel (None: everywhere), at once and noting who did; see `PlaceRules`.

        `limits`, `moderation` and `cache` are tables of single keys, and None takes one back; the other rules are
        replaced. Raises Invalid for what is unknown, out of range, or looser than the settings of the bot.
        """
        if "styles" in changes:
            changes["styles"] = [self._styles.get(name).name for name in changes["styles"] or ()]
        rules = await self._whole(self._house.rule(key, by.key, changes))
        self._stir()
        return rules

    async def lend(self, role: str, server: str, by: User, **changes: Any) -> PlaceRules:
        """Change what holds for a role, "discord:role:ROLE", of a server, by its key, as `rule` does for a place.

        Only `limits` and `training` can be settled for a role. Its values hold in place of the server's and the
        channel's own, and for who has several such roles the loosest.
        """
        rules = await self._whole(self._house.rule(role, by.key, changes, checked(server)))
        self._stir()
        return rules

    async def pause(self, key: str | None, by: User) -> None:
        """What is asked for in a server or channel (None: everywhere) waits; what is being painted is finished."""
        await self._whole(self._house.pause(key, by.key, on=True))
        self._stir()

    async def resume(self, key: str | None, by: User) -> None:
        """What waits there is painted again, in its old order."""
        await self._whole(self._house.pause(key, by.key, on=False))
        self._stir()

    async def clear(self, key: str | None, by: User) -> int:
        """Cancel everything that waits in a server or channel (None: everywhere), but not what is being painted.

        Returns how many.
        """
        if key is not None:
            checked(key)
        waiting = [one for one in self._endings.tickets.values() if one.run is None]
        gone = await self._withdraw([one for one in waiting if key is None or key in one.job.origin.keys])
        await self._store.note(key or EVERYWHERE, by.key, {"cleared": gone})
        return gone

    async def accuracy(self) -> float | None:
        """The share of arrival times that fell into the range shown at acceptance; None when there were none."""
        scores = await self._store.scores()
        return sum(low <= actual <= high for low, high, actual in scores) / len(scores) if scores else None

    def learnt(self, style: str) -> bool:
        """Whether a style was trained here, so that its name is somebody's."""
        return self._store.wardrobe.get(style) is not None

    @cached_property
    def overview(self) -> Overview:
        """What whoever runs the bot looks at; it counts from when it is first asked for."""
        restart = self._dispatcher.pool.restart
        seen = self._dispatcher.forecast
        return Overview(self._store, seen, self.journal, restart, clock=self._clock, monotonic=self._monotonic)

    async def reread(self, by: User) -> Outcome:
        """Have the settings of the bot read anew, noting who did when that changed any; for its owners."""
        outcome = await self.reload.now()
        if outcome.changes:
            await self._store.note(EVERYWHERE, by.key, {"reloaded": [change.key for change in outcome.changes]})
        return outcome

    async def stats(self, key: str | None = None) -> Stats:
        """The numbers of a server, or of everything; nobody is named in them."""
        stats = await self._store.tally(key or "")
        return replace(stats, paused=self._house.paused(key))

    async def audit(
        self, key: str | None, limit: int = 20, before: int | None = None, *, within: Sequence[str] = ()
    ) -> list[Change]:
        """Who changed what about a place and the channels `within` it, the latest first; None: about everywhere.

        An empty key is for owners of the bot: whatever was changed, about any place.
        """
        keys = None if key == "" else [key or EVERYWHERE, *within]
        return await self._store.audit(keys, limit, before)

    async def moved(self, old: str, new: str) -> None:
        """A server or channel has another key from now on; what is kept of it goes with it."""
        await self._whole(self._moved(old, new))
        self._stir()

    async def _moved(self, old: str, new: str) -> None:
        await self._house.move(old, new)
        await self._store.bans.open()
        await self._store.wardrobe.reread()

    async def left(self, key: str) -> int:
        """The bot is not in this server any more: its rules are deleted, what waits there is cancelled; how many."""
        gone = await self._withdraw([one for one in self._endings.tickets.values() if key in one.job.origin.keys])
        await self._whole(self._house.leave(key, ""))
        await self._store.bans.open()
        return gone

    async def export(self, user: User, *, pictures: bool = True) -> Path:
        """A ZIP file with everything that is kept of this person, of this account and those linked with it.

        Whoever sends it deletes it afterwards.
        """
        return await self._store.export(user, pictures=pictures)

    async def keeps(self, user: User) -> bool:
        """Whether anything at all is kept of this person."""
        return await self._store.keeps(user)

    async def erase(self, user: User) -> int:
        """Cancel and delete everything of this person for good, of this account and those linked with it, links too.

        Returns how many jobs there were. A picture under way is thrown away. Only a keyed hash of each account stays
        for a month, so that limits still hold.
        """
        return await self._whole(self._erase(user))

    async def _erase(self, user: User) -> int:
        accounts = self._store.people.accounts(user.key)
        theirs = [job.id for job in self._jobs.values() if job.user.key in accounts]
        async with self._deleting(theirs, self.safety.retracting(user)):
            await self._withdraw(self._tickets(user))
            gone = await self._store.erase(user)
        for jobs in (self._jobs, self._seen):
            for job_id in [job.id for job in jobs.values() if job.user.key in accounts]:
                jobs.pop(job_id, None)
        for key in accounts:
            await self._desk.forget(key)
        return gone

    @asynccontextmanager
    async def _deleting(
        self, jobs: Collection[str], retracting: AbstractAsyncContextManager[None]
    ) -> AsyncIterator[None]:
        """Jobs are deleted in this block; while they end nobody is offered to ask for them again."""
        self._leaving.update(jobs)
        try:
            async with retracting:
                yield
        finally:
            self._leaving.difference_update(jobs)

    def _tickets(self, user: User) -> list[Ticket]:
        """What this person has on its way, the oldest first."""
        return [one for one in self._endings.tickets.values() if self.owns(user, one.job.user.key)]

    async def _withdraw(self, tickets: list[Ticket]) -> int:
        won = [await self._whole(self._dispatcher.withdraw(ticket)) for ticket in tickets]
        return sum(won)

    async def _owner(self, user: User, job_id: str, moderator_of: str) -> User:
        """Whose job it is, if this person may decide over it. Raises NotYours, also for a job that there is not."""
        job = self._jobs.get(job_id) or self._seen.get(job_id)
        row = await self._store.row(job_id) if job is None else None
        found = job or row
        if found is None:
            raise NotYours
        moderates = moderator_of and found.origin.server_key == f"{user.platform}:{moderator_of}"
        if not self.owns(user, found.user.key) and not moderates:
            raise NotYours
        return found.user

    def _stir(self) -> None:
        """Rules or pauses changed: look again who is next, and show it."""
        self._turn.set()
        self._dispatcher.feed()

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end, also when the caller is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)
