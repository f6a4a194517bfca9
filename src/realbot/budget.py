"""What a person may still ask for: whether a request is taken, what is left of each limit, and what a dear one costs.

Seconds of the engine are judged by what is expected of a request; so nobody has more than their share by queueing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .desk import Asked, Desk
from .errors import Blocked
from .eta import Features, Guess
from .forecast import Forecast
from .gate import Gate
from .house import House
from .jobs import Board, Eta, Job, Origin, Request, Train, User, Waiting, count_of, seed_of, seeded
from .places import EVERYWHERE, checked
from .policy import check, cooldown
from .spending import Allowance, Usage, allowance, in_force, windows
from .store import Store
from .tickets import Ticket

#: Comes after every request that was accepted.
_LAST = 2**62


@dataclass(frozen=True, slots=True)
class Terms:
    """How a request is judged: `admit` raises Refused, given what the person has had in these `windows`."""

    admit: Callable[[Usage], None]
    windows: tuple[float, ...]
    seconds: float  #: of the engine that are charged for it until it is painted


@dataclass(frozen=True, slots=True)
class Purse:
    """What a person has left in a place. Times are Unix times in seconds."""

    allowances: tuple[Allowance, ...]  #: of each limit in force
    waiting: int  #: the person's requests that wait or run
    waiting_most: int
    rested: float | None = None  #: until when they have to wait before the next request; None where they need not
    exempt: bool = False  #: none of it holds for them


@dataclass(frozen=True, slots=True)
class Quote:
    """What a dear request costs. Submit `request`, which is exactly what was judged, when the person agrees."""

    request: Request
    painting: Eta  #: seconds on the engine
    waiting: Waiting  #: the place in line, and the seconds until it is there
    pictures: int
    seconds: float  #: of the engine that it will be charged with
    purse: Purse


class Budget:
    """Asks the books and the forecast; it keeps nothing."""

    def __init__(  # noqa: PLR0917 - what it looks at
        self,
        store: Store,
        house: House,
        desk: Desk,
        forecast: Forecast,
        gate: Gate,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._house, self._desk, self._forecast = store, house, desk, forecast
        self._gate, self._clock = gate, clock

    def terms(self, user: User, asked: Asked, origin: Origin, now: float) -> Terms:
        """How this request of this person is judged there at a Unix time."""
        settings, exempt = self._house.settings(origin, user), self._gate.exempt(user, origin)
        granted = self._house.granted(origin, user).limits
        guess = self._guess(asked)

        def admit(usage: Usage) -> None:
            if asked.earlier is not None:
                if not exempt:
                    cooldown(settings.limits, usage, now)
                return
            check(
                asked.request,
                settings.limits,
                usage,
                now,
                waiting_total=settings.queue.waiting_total,
                training=settings.training,
                seconds=None if guess is None else guess.middle,
                base=granted,
                exempt=exempt,
            )

        return Terms(admit, windows(settings.limits, granted), 0.0 if guess is None else guess.middle)

    async def purse(self, user: User, origin: Origin) -> Purse:
        """What this person has left there."""
        now = self._clock()
        return self._purse(user, origin, await self._store.usage(user, now, origin.server_key), now)

    async def quote(self, user: User, request: Request, origin: Origin) -> Quote | None:
        """What a request would cost, where it is dear enough there to ask first; None otherwise.

        Raises Refused as submitting it would.
        """
        limits = self._house.settings(origin, user).limits
        if not limits.quote_seconds or isinstance(request, Train):
            return None
        self._gate.admit(user, origin)
        asked = await self._desk.look(user, request, origin)
        guess = self._guess(asked)
        if asked.earlier is not None or guess is None or guess.middle <= limits.quote_seconds:
            return None
        now = self._clock()
        usage = await self._store.usage(user, now, origin.server_key)
        self.terms(user, asked, origin, now).admit(usage)
        board = Board(Waiting(1))
        trial = Ticket(
            Job("", user, asked.request, origin, now, board),
            asked.request,
            _LAST,
            pixels=asked.pixels,
            person=self._store.people.person(user.key),
        )
        return Quote(
            seeded(request, seed_of(asked.request)),
            self._forecast.timings.eta([guess]),
            self._forecast.trial(trial),
            count_of(asked.request),
            guess.middle,
            self._purse(user, origin, usage, now),
        )

    async def reset(self, user: User, by: User, server: str | None) -> None:
        """Hand back what a person has asked for so far, noting who did.

        Administrators of a server, by its key, do so where what they settled themselves is judged; the bot's owners,
        for everywhere (None), of every limit.
        """
        if server is None and "owners" not in by.roles and by.platform != "cli":
            raise Blocked("Only the owners of this bot can hand back what counts everywhere.")
        await self._store.forgive(user, "" if server is None else checked(server), self._clock())
        told = {"quota": "handed back", "person": user.key, "name": user.name}
        await self._store.note(server or EVERYWHERE, by.key, told)

    def _purse(self, user: User, origin: Origin, usage: Usage, now: float) -> Purse:
        limits, granted = self._house.settings(origin, user).limits, self._house.granted(origin, user).limits
        found = [allowance(quota, limit, usage, now) for quota, limit in in_force(limits)]
        # Of a limit that an administrator of the server handed back, what whoever runs the bot has set is left.
        most = {quota: allowance(quota, limit, usage, now, forgiving=False) for quota, limit in in_force(granted)}
        rested = None if usage.last_accept is None else min(usage.last_accept, now) + limits.cooldown
        return Purse(
            tuple(min(one, most.get(one.quota, one), key=lambda each: each.left) for one in found),
            usage.waiting_user,
            limits.waiting_per_user,
            rested if rested is not None and rested > now else None,
            self._gate.exempt(user, origin),
        )

    def _guess(self, asked: Asked) -> Guess | None:
        """Seconds of the engine that a request will take. Trainings have what nobody else wants."""
        if isinstance(asked.request, Train) or asked.earlier is not None:
            return None
        return self._forecast.timings.guess(Features.of(asked.request, asked.pixels), switch=True)
