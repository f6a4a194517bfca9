"""Which rules hold where: the settings, over them what the bot's owners settled for everywhere, and over that what the
administrators of each server and channel did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .addresses import ROLE
from .config import Settings
from .errors import Blocked, Invalid
from .jobs import Generate, Job, Origin, Request, Train, User
from .phrases import listed
from .places import EVERYWHERE, LENT, PlaceRules, checked, lent
from .rows import Circle
from .store import Store
from .styles import slug

#: Places whose settings are kept ready.
READY = 1000
_ABREAST = ("running_per_user", "running_per_server")


class House:
    """All rules are in memory and in the store; asking for them never waits."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._base = settings
        self._rules: dict[str, PlaceRules] = {}
        self._ready: dict[tuple[str, ...], tuple[Settings, Settings]] = {}
        self._abreast: bool | None = None
        self._changing = asyncio.Lock()

    async def open(self) -> None:
        """Read the rules of every place."""
        self._rules = {key: PlaceRules.load(key, data) for key, data in (await self._store.places()).items()}
        self._anew()

    @property
    def base(self) -> Settings:
        """The settings where no place says otherwise."""
        return self._base

    @base.setter
    def base(self, settings: Settings) -> None:
        self._base = settings
        self._anew()

    def settings(self, origin: Origin | None, user: User | None = None) -> Settings:
        """The settings as they hold there, for a person with their roles; without a place, everywhere."""
        return self._settings(origin, user)[1]

    def granted(self, origin: Origin | None, user: User | None = None) -> Settings:
        """The same by whoever runs the bot alone, whatever the administrators of a server settled."""
        return self._settings(origin, user)[0]

    def _settings(self, origin: Origin | None, user: User | None) -> tuple[Settings, Settings]:
        places = () if origin is None else origin.keys
        roles = self._roles(user)
        keys = (*places, *roles)
        found = self._ready.get(keys)
        if found is None:
            granted = self.place(None).over(self._base.for_place(*keys))
            settled = granted
            for rules in self._here(*places)[EVERYWHERE in self._rules :]:
                settled = rules.over(settled)
            own = [self._rules[role] for role in roles if role in self._rules]
            found = granted, lent(settled, granted, own) if own else settled
            if len(self._ready) >= READY:
                self._ready.clear()
            self._ready[keys] = found
        return found

    def heeds(self, platform: str) -> bool:
        """Whether something is settled for roles of a platform, so that what a person is there must be found out."""
        start = f"{platform}:role:"
        return any(key.startswith(start) for key in (*self._base.override, *self._rules))

    def roles(self, server: str) -> list[PlaceRules]:
        """What was settled for roles of a server."""
        return [one for one in self._rules.values() if one.server == server and (one.limits or one.training)]

    def _roles(self, user: User | None) -> tuple[str, ...]:
        """The keys of a person's roles for which something is settled."""
        if user is None or not user.roles:
            return ()
        keys = sorted(f"{user.platform}:role:{role}" for role in user.roles)
        return tuple(key for key in keys if key in self._base.override or key in self._rules)

    def circle(self, origin: Origin) -> Circle:
        """Among whom a picture that is asked for there may be shared."""
        cache = self.settings(origin).cache
        scope = cache.scope
        if origin.private or not cache.enabled or (scope == "server" and not origin.server):
            scope = "user"
        return Circle(scope, origin.server_key, origin.adult)

    def admit(self, request: Request, origin: Origin, user: User | None = None) -> None:
        """Raise Blocked where nothing is painted, Invalid for a style that may not be used there by this person."""
        for rules in self._here(*origin.keys):
            rules.admit(origin)
        for allowed in self._wardrobes(origin, user):
            for use in request.styles if isinstance(request, Generate) else ():
                if use.name not in allowed:
                    raise Invalid(
                        "The style {name} is not allowed here; these are: {styles}.",
                        name=use.name,
                        styles=listed(allowed),
                        word=use.name,
                    )

    def teaches(self, user: User, origin: Origin) -> bool:
        """Whether this person may train styles there. "owners" and "administrators" are among a person's roles."""
        roles = self.settings(origin, user).training.roles
        if "everyone" in roles or user.key in roles or user.roles & {"owners", "administrators"} & set(roles):
            return True
        named = {one for rules in self._here(*origin.keys) for one in rules.trainers}
        return "administrators" in roles and bool(named & {user.id, *user.roles})

    def teach(self, user: User, origin: Origin) -> None:
        """Raise Blocked where this person may not train styles."""
        if not self.teaches(user, origin):
            raise Blocked("Styles can be trained by some people only; the administrators here say by whom.")

    def moderators(self, origin: Origin) -> tuple[str, ...]:
        """The channels where moderators are asked about pictures from there, of the narrowest place that names some."""
        return next((rules.moderators for rules in reversed(self._here(*origin.keys)) if rules.moderators), ())

    def moderated(self) -> dict[str, tuple[str, ...]]:
        """The channels of moderators, by the places that name them."""
        return {key: rules.moderators for key, rules in self._rules.items() if rules.moderators}

    def held(self, job: Job) -> bool:
        """Whether it waits until an administrator, or the hour, lets it go on."""
        if isinstance(job.request, Train) and not self._base.training.open(self._clock()):
            return True
        return self.stopped(job.origin)

    def abreast(self, job: Job) -> tuple[int, int]:
        """How many of its person's and of its server's jobs may be painted at a time; 0 sets no limit."""
        if self._abreast is None:
            tables: list[Mapping[str, Any]] = [self._base.limits.model_dump()]
            tables += [override.limits for override in self._base.override.values()]
            tables += [rules.limits for rules in self._rules.values()]
            self._abreast = any(table.get(name) for table in tables for name in _ABREAST)
        if not self._abreast:
            return 0, 0
        limits = self.settings(job.origin, job.user).limits
        return limits.running_per_user, limits.running_per_server

    def now(self) -> float:
        """Unix time in seconds."""
        return self._clock()

    def opens(self) -> float:
        """The Unix time, now or later, from which styles are trained."""
        return self._base.training.opens(self._clock())

    def styles(self, origin: Origin, names: list[str], user: User | None = None) -> list[str]:
        """Those of the styles that may be used there by this person."""
        for allowed in self._wardrobes(origin, user):
            names = [name for name in names if name in allowed]
        return names

    def _wardrobes(self, origin: Origin, user: User | None) -> list[tuple[str, ...]]:
        """Each list of the only styles that may be used there."""
        own = tuple(slug(name) for name in self.settings(origin, user).limits.styles)
        return [names for names in (own, *(rules.styles for rules in self._here(*origin.keys))) if names]

    def stopped(self, origin: Origin) -> bool:
        """Whether what is asked for there waits until an administrator resumes it."""
        return bool(self._rules) and any(one.paused for one in self._here(*origin.keys))

    def paused(self, key: str | None) -> bool:
        """Whether a server or channel is paused, by itself or with everywhere."""
        return any(rules.paused for rules in self._here(*filter(None, (key,))))

    def place(self, key: str | None) -> PlaceRules:
        """What was settled for a server or channel; None: for everywhere."""
        return self._rules.get(key or EVERYWHERE) or PlaceRules(key or EVERYWHERE)

    async def rule(self, key: str | None, author: str, changes: Mapping[str, Any], server: str = "") -> PlaceRules:
        """Change a place's rules, or those of everywhere, at once and for good, with a note of who did.

        A role belongs to a `server`. Raises Invalid.
        """
        if key is None and {"allowed", "denied"} & set(changes):
            raise Invalid("Channels are settled in the server that they belong to.")
        async with self._changing:
            base, rules = self._base, self.place(key)
            if key is not None and ROLE.fullmatch(key):
                if set(changes) - set(LENT):
                    raise Invalid("This cannot be settled for a role.")
                base = self.place(None).over(base.for_place(*filter(None, (server, key))))
                rules = replace(rules, server=server)
            elif key is not None:
                base = self.place(None).over(base.for_place(checked(key)))
            rules = rules.changed(base, changes)
            await self._store.rule(rules.key, rules.data(), author, changes)
            self._keep(rules)
            return rules

    async def pause(self, key: str | None, author: str, on: bool) -> None:
        """Hold or let go what is asked for in a server or channel; None: everywhere."""
        async with self._changing:
            rules = replace(self.place(None if key is None else checked(key)), paused=on)
            await self._store.rule(rules.key, rules.data(), author, {"paused": on})
            self._keep(rules)

    async def move(self, old: str, new: str) -> None:
        """A place has another key from now on; what was settled for it, and everything else that names it, holds on."""
        async with self._changing:
            rules = self._rules.get(old)
            moved = None if rules is None else replace(rules, key=checked(new))
            await self._store.move(old, checked(new), None if moved is None else moved.data())
            if moved is not None:
                del self._rules[old]
                self._keep(moved)

    async def leave(self, key: str, author: str) -> None:
        """The bot is not there any more."""
        async with self._changing:
            roles = [one.key for one in self._rules.values() if one.server == key]
            await self._store.leave(checked(key), roles, author)
            for one in (key, *roles):
                self._rules.pop(one, None)
            self._anew()

    def _here(self, *keys: str) -> list[PlaceRules]:
        """What was settled for everywhere and for these places, the widest first."""
        return [self._rules[key] for key in (EVERYWHERE, *keys) if key in self._rules]

    def _keep(self, rules: PlaceRules) -> None:
        self._rules[rules.key] = rules
        self._anew()

    def _anew(self) -> None:
        self._ready.clear()
        self._abreast = None
