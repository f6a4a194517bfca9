"""What front-ends keep with the studio: where a card is, what a button stands for, what a person likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .actions import Action, Asking, Guard
from .desk import Desk
from .engine.models import resolve
from .entries import Entry
from .errors import Invalid, NotYours
from .grammar import nearest
from .house import House
from .inbox import Parcel
from .jobs import Generate, Origin, User
from .policy import ranges
from .preferences import Preferences
from .store import Store
from .styles import Style, Styles


class Reception:
    """The part of the studio that is about messages and people."""

    def __init__(self, store: Store, styles: Styles, desk: Desk, house: House, clock: Callable[[], float]) -> None:
        self._store, self._styles, self._desk, self._house, self._clock = store, styles, desk, house, clock
        self._guard = Guard()
        #: Jobs that are being deleted: their cards are drawn without buttons already.
        self._leaving: set[str] = set()

    async def card(self, job_id: str) -> str | None:
        """The message that shows a job, None while there is none."""
        return (await self._store.card(job_id)).get("message") or None

    async def cards(self, job_id: str) -> dict[str, Any]:
        """All that was noted of a job's card: "message", "posted" (its Unix time in seconds) and the `extra`."""
        return await self._store.card(job_id)

    async def place_card(self, job_id: str, message: str = "", extra: Mapping[str, Any] | None = None) -> None:
        """Note the message that shows a job, and JSON facts about it, which are added to the earlier ones.

        An empty `message` keeps the last one. It survives restarts; nothing is kept of a deleted job.
        """
        await self._store.place_card(job_id, message, extra or {})

    async def action(
        self,
        verb: str,
        job_id: str = "",
        user: User | None = None,
        *,
        index: int = 0,
        detail: str = "",
        place: str = "",
        uses: int = 0,
        days: float = 30.0,
    ) -> str:
        """The id of a button: random, 16 characters, kept. Only `user` may press it; None: anybody.

        The same button gets the same id again, unless `uses` limits its presses. Raises NotYours for a deleted job.
        """
        owner = "" if user is None else user.key
        return (await self.actions([Asking(verb, job_id, owner, index, detail, place, uses, days)]))[0]

    async def actions(self, asked: Sequence[Asking]) -> list[str]:
        """The ids of several buttons, in one transaction."""
        if any(one.job_id in self._leaving for one in asked):
            raise NotYours
        return await self._store.actions(asked)

    async def acted(
        self, action_id: str, by: User | None = None, *, place: str = "", moderator_of: str = "", press: bool = True
    ) -> Action:
        """What a pressed button stands for. With `by`, it must be theirs, or of a job of the server they moderate.

        With `place`, the button must have been made for there. Raises Invalid when it is unknown, NotYours, Refused
        when it is expired, used up or from another place, TooSoon after too many unknown ones.
        """
        key = "" if by is None else by.key
        self._guard.check(key, self._clock())
        moderated = f"{by.platform}:{moderator_of}" if by is not None and moderator_of else ""
        try:
            return await self._store.acted(action_id, key, place, moderated, press=press)
        except Invalid:
            self._guard.miss(key, self._clock())
            raise

    async def shown(self, action: Action) -> Entry:
        """The job that a button is about, for whoever was shown the button. Raises NotYours when it is deleted."""
        row = await self._store.row(action.job_id)
        if row is None:
            raise NotYours
        return Entry.of(row)

    def owns(self, user: User, key: str) -> bool:
        """Whether the account of a key is this person's: that one, or one that is linked with it."""
        return self._store.people.same(user.key, key)

    async def favourite(self, user: User, job_id: str, on: bool) -> None:
        """Mark a job or unmark it. Raises NotYours."""
        await self._store.favourite(user, job_id, on)

    async def preferences(self, user: User) -> Preferences:
        """This person's own defaults, the same with each linked account."""
        return Preferences.load(await self._store.preferences(user.key))

    async def prefer(self, user: User, **changes: Any) -> Preferences:
        """Change some of this person's defaults; None goes back to the usual one. Raises Invalid."""
        usual, known = Preferences(), Preferences.__slots__
        for name in changes:
            if name not in known:
                raise Invalid("There is no preference {name}.", name=name, word=name, nearest=nearest(name, known))
        plain = {name: getattr(usual, name) if value is None else value for name, value in changes.items()}
        prefs = replace(await self.preferences(user), **plain)
        await self._desk.swept()

        def usable(style: Style) -> bool:
            return self._store.wardrobe.somewhere(style, user.key)

        own = (replace(use, name=self._styles.get(use.name, usable).name) for use in prefs.styles)
        prefs = replace(prefs, styles=tuple(own))
        request = prefs.over(Generate(prompt="x"))
        ranges(request, self._house.settings(None, user).limits)
        resolve(request, self._desk.preset)
        await self._store.prefer(user.key, prefs.data())
        return prefs

    async def defaulted(self, user: User, request: Generate, origin: Origin | None = None) -> Generate:
        """The request with what it leaves open taken from this person's defaults, as far as they hold there.

        A default that is not possible any more never refuses a request: it is cut to the limit or left out.
        """
        prefs = await self.preferences(user)
        limits = self._house.settings(origin, user).limits
        server = "" if origin is None else origin.server_key
        visible = self._store.wardrobe.visible
        names = [style.name for style in self._styles.all() if visible(style, user.key, server)]
        if origin is not None:
            names = self._house.styles(origin, names, user)

        def possible(**fields: Any) -> bool:
            try:
                one = Generate(prompt="x", **fields)
                ranges(one, limits)
                resolve(one, self._desk.preset)
            except Invalid:
                return False
            return True

        sized = possible(width=prefs.width, height=prefs.height)
        prefs = replace(
            prefs,
            steps=None if prefs.steps is None else min(prefs.steps, limits.max_steps),
            guidance=prefs.guidance if possible(guidance=prefs.guidance) else None,
            width=prefs.width if sized else None,
            height=prefs.height if sized else None,
            scheduler=prefs.scheduler if possible(scheduler=prefs.scheduler) else None,
            negative=prefs.negative if possible(negative=prefs.negative) else "",
            styles=tuple(use for use in prefs.styles if use.name in names)[: limits.max_styles],
        )
        return prefs.over(request)

    async def receive(self, post: str, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Keep messages before the platform is told that they came; return those that were not known, in their order.

        `post` names platform and bot, "telegram:BOT". Raises QueueFull when nothing is kept: then nothing must be
        confirmed. A caller that was cancelled finds what was kept in `unopened`.
        """
        return await self._store.receive(post, parcels)

    async def unopened(self, post: str) -> list[Parcel]:
        """Messages that were kept and not handled yet, in the order in which they came."""
        return await self._store.unopened(post)

    async def opened(self, post: str, id: int) -> None:
        """A message was handled: what it says is erased, and for three days a replay of it is recognised."""
        await self._store.opened(post, id)

    async def remember(self, name: str, value: str) -> None:
        """Keep a small fact of a front-end, such as the hash of its commands, under a name."""
        await self._store.remember(f"front {name}", value)

    async def remembered(self, name: str) -> str | None:
        """The fact kept under a name."""
        return await self._store.remembered(f"front {name}")
