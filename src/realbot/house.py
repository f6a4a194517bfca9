"""Which rules hold where: the settings, over them what the bot's owners settled for everywhere, and over that what the
administrators of each server and channel did.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .config import Settings
from .errors import Blocked, Invalid
from .jobs import Generate, Job, Origin, Request, Train, User
from .phrases import listed
from .places import EVERYWHERE, PlaceRules, checked
from .rows import Circle
from .store import Store

#: Places whose settings are kept ready.
READY = 1000


class House:
    """All rules are in memory and in the store; asking for them never waits."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._base = settings
        self._rules: dict[str, PlaceRules] = {}
        self._ready: dict[tuple[str, ...], Settings] = {}
        self._changing = asyncio.Lock()

    async def open(self) -> None:
        """Read the rules of every place."""
        self._rules = {key: PlaceRules.load(key, data) for key, data in (await self._store.places()).items()}
        self._ready.clear()

    @property
    def base(self) -> Settings:
        """The settings where no place says otherwise."""
        return self._base

    @base.setter
    def base(self, settings: Settings) -> None:
        self._base = settings
        self._ready.clear()

    def settings(self, origin: Origin | None) -> Settings:
        """The settings as they hold there; without a place, everywhere."""
        keys = () if origin is None else origin.keys
        found = self._ready.get(keys)
        if found is None:
            found = self._base.for_place(*keys)
            for rules in self._here(*keys):
                found = rules.over(found)
            if len(self._ready) >= READY:
                self._ready.clear()
            self._ready[keys] = found
        return found

    def circle(self, origin: Origin) -> Circle:
        """Among whom a picture that is asked for there may be shared."""
        cache = self.settings(origin).cache
        scope = cache.scope
        if origin.private or not cache.enabled or (scope == "server" and not origin.server):
            scope = "user"
        return Circle(scope, origin.server_key, origin.adult)

    def admit(self, request: Request, origin: Origin) -> None:
        """Raise Blocked where nothing is painted, Invalid for a style that may not be used there."""
        for rules in self._here(*origin.keys):
            rules.admit(origin)
            for use in request.styles if isinstance(request, Generate) else ():
                if rules.styles and use.name not in rules.styles:
                    raise Invalid(
                        "The style {name} is not allowed here; these are: {styles}.",
                        name=use.name,
                        styles=listed(rules.styles),
                        word=use.name,
                    )

    def teaches(self, user: User, origin: Origin) -> bool:
        """Whether this person may train styles there. "owners" and "administrators" are among a person's roles."""
        roles = self.settings(origin).training.roles
        if "everyone" in roles or user.key in roles or user.roles & {"owners", "administrators"} & set(roles):
            return True
        named = {one for rules in self._here(*origin.keys) for one in rules.trainers}
        return "administrators" in roles and bool(named & {user.id, *user.roles})

    def teach(self, user: User, origin: Origin) -> None:
        """Raise Blocked where this person may not train styles."""
        if not self.teaches(user, origin):
            raise Blocked("Styles can be trained by some people only; the administrators here say by whom.")

    def held(self, job: Job) -> bool:
        """Whether it waits until an administrator, or the hour, lets it go on."""
        if isinstance(job.request, Train) and not self._base.training.open(self._clock()):
            return True
        return self.stopped(job.origin)

    def now(self) -> float:
        """Unix time in seconds."""
        return self._clock()

    def opens(self) -> float:
        """The Unix time, now or later, from which styles are trained."""
        return self._base.training.opens(self._clock())

    def styles(self, origin: Origin, names: list[str]) -> list[str]:
        """Those of the styles that may be used there."""
        for rules in self._here(*origin.keys):
            if rules.styles:
                names = [name for name in names if name in rules.styles]
        return names

    def stopped(self, origin: Origin) -> bool:
        """Whether what is asked for there waits until an administrator resumes it."""
        return bool(self._rules) and any(one.paused for one in self._here(*origin.keys))

    def paused(self, key: str | None) -> bool:
        """Whether a server or channel is paused, by itself or with everywhere."""
        return any(rules.paused for rules in self._here(*filter(None, (key,))))

    def place(self, key: str | None) -> PlaceRules:
        """What was settled for a server or channel; None: for everywhere."""
        return self._rules.get(key or EVERYWHERE) or PlaceRules(key or EVERYWHERE)

    async def rule(self, key: str | None, author: str, changes: Mapping[str, Any]) -> PlaceRules:
        """Change a place's rules, or those of everywhere, at once and for good, with a note of who did.

        Raises Invalid.
        """
        if key is None and {"allowed", "denied"} & set(changes):
            raise Invalid("Channels are settled in the server that they belong to.")
        async with self._changing:
            base = self._base
            if key is not None:
                base = self.place(None).over(base.for_place(checked(key)))
            rules = self.place(key).changed(base, changes)
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
        """A place has another key from now on; what was settled for it holds on."""
        async with self._changing:
            rules = self._rules.get(old)
            if rules is None:
                return
            moved = replace(rules, key=checked(new))
            await self._store.rule(new, moved.data(), "", {"moved": old})
            await self._store.rule(old, None, "", {"moved": new})
            del self._rules[old]
            self._keep(moved)

    async def leave(self, key: str, author: str) -> None:
        """The bot is not there any more."""
        async with self._changing:
            await self._store.rule(checked(key), None, author, {"left": True})
            self._rules.pop(key, None)
            self._ready.clear()

    def _here(self, *keys: str) -> list[PlaceRules]:
        """What was settled for everywhere and for these places, the widest first."""
        return [self._rules[key] for key in (EVERYWHERE, *keys) if key in self._rules]

    def _keep(self, rules: PlaceRules) -> None:
        self._rules[rules.key] = rules
        self._ready.clear()
