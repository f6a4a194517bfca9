"""Who may ask: the lists of the settings, and bans. Owners of the bot are never locked out.

Front-ends put "owners" and "administrators" among the roles of whoever is one, also of whom they name for a ban.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from .bans import Ban
from .dispatcher import Dispatcher
from .endings import Endings
from .errors import Blocked, ConfigError, Invalid, QueueFull
from .house import House
from .jobs import Job, Origin, User
from .phrases import Phrase
from .places import EVERYWHERE, checked
from .store import Store
from .tickets import Ticket

#: What stands on the card of a request that was cancelled by a ban.
CANCELLED = Phrase("Whoever asked for this may not ask here any more.")
#: How the lists name the web page.
PAGE = "web:page"
#: Characters of a reason, and of a name that is kept with a ban.
REASON, NAME = 300, 80
#: Seconds within which a picture that was finished when its person was banned is committed.
LANDING = 10.0


class Gate:
    """Asking never waits."""

    def __init__(  # noqa: PLR0917 - what a ban touches
        self,
        store: Store,
        house: House,
        endings: Endings,
        dispatcher: Dispatcher,
        whole: Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, Any]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`whole` runs something to its end, whatever becomes of the caller."""
        self._store, self._house, self._endings, self._dispatcher = store, house, endings, dispatcher
        self._whole, self._clock = whole, clock

    async def open(self) -> None:
        """End what waits of those who are banned, in case an earlier life could not."""
        for ticket in list(self._endings.tickets.values()):
            if self.banned(ticket.job.user, ticket.job.origin) is not None:
                await self._end(ticket)

    def admit(self, user: User, origin: Origin) -> None:
        """Raise Blocked for whom or where nothing is painted, in one sentence: what, until when, why, whom to ask."""
        if owns(user):
            return
        access = self._house.base.access
        person, places = self._person(user), _places(origin)
        if person & set(access.denied):
            raise Blocked("You may not ask this bot for pictures; whoever runs it can change that.")
        if places & set(access.denied):
            raise Blocked("Pictures cannot be asked for here; whoever runs this bot can change that.")
        ban = self.banned(user, origin)
        if ban is not None:
            raise _told(ban)
        if access.allowed and not (person | places) & set(access.allowed):
            raise Blocked(
                "This bot paints for some people and in some places only, and neither you nor this place is among"
                " them; whoever runs it can change that."
            )

    def banned(self, user: User, origin: Origin) -> Ban | None:
        """The ban that holds for this person there."""
        return None if owns(user) else self._store.bans.of(user.key, origin.keys)

    def exempt(self, user: User, origin: Origin) -> bool:
        """Whether cooldown, quotas and the number of waiting requests do not hold for this person there."""
        exempt = self._house.base.access.exempt
        return bool(exempt) and bool((self._person(user) | _places(origin)) & set(exempt))

    def heeds(self, platform: str) -> bool:
        """Whether the lists name roles of a platform, so that what a person is there must be found out."""
        access = self._house.base.access
        start = f"{platform}:role:"
        return any(one.startswith(start) for one in (*access.allowed, *access.denied, *access.exempt))

    async def ban(
        self, whom: User, place: str | None, by: User, *, seconds: float | None = None, reason: str = ""
    ) -> tuple[Ban, int]:
        """Ban a person from a server (None: everywhere) for some seconds or for good; how many requests it ended.

        What they have waiting there is cancelled, and what is being painted is thrown away: when this returns, none of
        it becomes a picture any more. Raises Blocked for an owner of the bot and for oneself.
        """
        if owns(whom):
            raise Blocked("An owner of this bot cannot be banned.")
        if self._store.people.same(whom.key, by.key):
            raise Blocked("You cannot ban yourself.")
        if not whom.id:
            raise Invalid("Say who is to be banned.")
        now, key = self._clock(), EVERYWHERE if place is None else checked(place)
        ban = Ban(
            whom.key,
            key,
            name=" ".join(whom.name.split())[:NAME],
            reason=" ".join(reason.split())[:REASON],
            author=by.key,
            at=now,
            until=None if seconds is None else now + seconds,
        )
        ended: int = await self._whole(self._ban(ban))
        return ban, ended

    async def lift(self, subject: str, place: str | None, by: User) -> Ban:
        """Lift the ban of a person, named by the key of an account or by a ban's subject.

        Raises Invalid where there is none, and Blocked for whom it holds.
        """
        key = EVERYWHERE if place is None else checked(place)
        ban = self._store.bans.of(by.key, () if place is None else (key,))
        if not owns(by) and ban is not None and ban.place == key and ban.subject in self._store.bans.subjects(subject):
            raise Blocked("You cannot lift your own ban.")
        lifted: Ban | None = await self._whole(self._store.bans.lift(subject, key, by.key))
        if lifted is None:
            raise Invalid("There is no such ban here.")
        return lifted

    def bans(self, place: str | None) -> list[Ban]:
        """The bans of a server (None: those that hold everywhere), the latest first."""
        return self._store.bans.listed(EVERYWHERE if place is None else place)

    async def seen(self, place: str | None, limit: int = 20) -> list[User]:
        """Who asked in a server lately (None: anywhere), the latest first, for administrators to choose from."""
        found = await self._store.bans.seen(place, limit)
        return [User(*key.partition(":")[::2], name) for key, name in found]

    async def _ban(self, ban: Ban) -> int:
        await self._store.bans.add(ban)
        theirs = [one for one in self._endings.tickets.values() if self._holds(ban, one.job)]
        return sum([await self._end(ticket) for ticket in theirs])

    def _holds(self, ban: Ban, job: Job) -> bool:
        here = ban.place == EVERYWHERE or ban.place in job.origin.keys
        return here and self._store.people.same(job.user.key, ban.subject)

    async def _end(self, ticket: Ticket) -> bool:
        """Cancel a request; one that has just been finished is waited for, so that it comes before the ban."""
        try:
            if await self._dispatcher.withdraw(ticket, CANCELLED):
                return True
        except ConfigError:
            raise QueueFull(
                "The disk of this bot is full, so nothing can be changed; please try again later."
            ) from None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LANDING):
                async for _ in ticket.job.watch():
                    pass
        return False

    def _person(self, user: User) -> set[str]:
        """Under what the lists may name a person."""
        roles: Iterable[str] = (f"{user.platform}:role:{role}" for role in user.roles)
        own = {"owners"} if owns(user) else set()
        return {*self._store.people.accounts(user.key), *roles, *own}


def _places(origin: Origin) -> set[str]:
    """Under what the lists may name a place; the web page is one."""
    return {*origin.keys, PAGE} if origin.platform == "web" else set(origin.keys)


def owns(user: User) -> bool:
    """Whether this is an owner of the bot; whoever sits at its terminal is one."""
    return "owners" in user.roles or user.platform == "cli"


def _told(ban: Ban) -> Blocked:
    """What a banned person is told."""
    everywhere = ban.place == EVERYWHERE
    where = Phrase("from this bot") if everywhere else Phrase("here")
    until = Phrase("for good") if ban.until is None else Phrase("until {moment}", moment=moment(ban.until))
    who = Phrase("whoever runs this bot") if everywhere else Phrase("the administrators here")
    if ban.reason:
        return Blocked(
            "You are banned {where} {until} ({reason}); ask {who}.",
            where=where, until=until, reason=ban.reason, who=who,
        )  # fmt: skip
    return Blocked("You are banned {where} {until}; ask {who}.", where=where, until=until, who=who)


def moment(at: float) -> str:
    """A Unix time as everybody reads it."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
