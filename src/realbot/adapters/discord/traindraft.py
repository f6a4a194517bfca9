"""The pictures that a person gathers to train a style on: where each is to be had, kept in their panel's buttons."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import discord

from realbot.academy import Brought
from realbot.actions import Action, Asking, fresh
from realbot.adapters import captions, lessonwords
from realbot.adapters.discord.brought import LARGEST
from realbot.adapters.outbox import Down
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Origin, Train, User, from_json, to_json
from realbot.rulebook import Training
from realbot.studio import Studio
from realbot.styles import slug

#: The verbs of a panel's buttons: with a set that can be learnt from, and with one that cannot yet.
START: Final = "train"
GATHER: Final = "gather"
#: Days for which a panel can be used; Discord keeps its pictures about as long.
DAYS = 1.0
#: Files that are fetched at a time, and bytes that all of a set may have.
AT_ONCE, HEAVIEST = 4, 250 * 2**20
#: Panels whose newest state is remembered.
REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class File:
    """A picture as Discord keeps it."""

    name: str
    address: str
    size: int  #: bytes
    alt: str = ""  #: what is on it, as whoever attached it said


@dataclass(frozen=True, slots=True)
class Draft:
    """What is gathered so far. `steps=None`: as many as are usual."""

    id: str
    name: str
    trigger: str
    steps: int | None = None
    files: tuple[File, ...] = ()


class Drafts:
    """The sets of all people. What a panel needs is in its buttons; here is only which panel is the newest."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._newest: OrderedDict[str, Draft] = OrderedDict()
        self._begun: dict[tuple[str, str], str] = {}
        #: The newest buttons of each set, by its id.
        self._buttons: dict[str, str] = {}

    async def begin(self, user: User, name: str, trigger: str, steps: int | None, *, named: bool) -> Draft:
        """The set of this name that this person is gathering, or a new one; a later trigger and number hold.

        `named`: it is only another name for what is gathered already, if anything is.
        """
        known = await self._alive(user, self._newest.get(self._begun.get((user.key, slug(name)), "")))
        if known is None and named:
            known = await self.latest(user)
        if known is None:
            known = Draft(fresh(), name, trigger, steps)
        return replace(known, name=name, trigger=trigger, steps=known.steps if steps is None else steps)

    async def latest(self, user: User) -> Draft | None:
        """What this person gathers, if anything."""
        ids = [id for (key, _), id in self._begun.items() if key == user.key]
        return await self._alive(user, self._newest.get(ids[-1])) if ids else None

    def add(self, user: User, draft: Draft, found: Iterable[discord.Attachment], rules: Training) -> Draft:
        """The set with more pictures, each once. Raises Invalid when they are too many."""
        files = {file.address.partition("?")[0]: file for file in draft.files}
        for one in found:
            if one.size > LARGEST:
                raise Invalid(captions.too_large(one.size, LARGEST))
            files.setdefault(one.url.partition("?")[0], File(one.filename, one.url, one.size, one.description or ""))
        if len(files) > rules.max_pictures:
            raise Invalid(
                "{count} pictures are too many to train on; choose the best {most}.",
                count=len(files),
                most=rules.max_pictures,
            )
        if (size := sum(file.size for file in files.values())) > HEAVIEST:
            raise Invalid(lessonwords.too_much(size, HEAVIEST))
        return self._keep(user, replace(draft, files=tuple(files.values())))

    async def buttons(self, user: User, draft: Draft, request: Train | None, token: str) -> str:
        """The id of what the buttons of a panel stand for; `token` is that of the interaction that the panel answers.

        `request` is what is trained when the person says so, None while that is not possible.
        """
        known: dict[str, Any] = {"draft": asdict(draft), "token": token}
        if request is not None:
            private = (await self._studio.preferences(user)).private
            known |= {"request": to_json(request), "steps": [], "private": private}
        verb, detail = START if request else GATHER, json.dumps(known, sort_keys=True)
        asking = Asking(verb, owner=user.key, detail=detail, uses=1, days=DAYS)
        (self._buttons[draft.id],) = await self._studio.actions([asking])
        return self._buttons[draft.id]

    def of(self, user: User, action: Action) -> tuple[Draft, str]:
        """The set of a panel's buttons as it is by now, and the panel's token. Raises Invalid."""
        known = _known(action)
        told = known["draft"]
        draft = Draft(**{**told, "files": tuple(File(**file) for file in told["files"])})
        newest = self._newest.get(draft.id)
        return newest or self._keep(user, draft), known["token"]

    def drop(self, draft: Draft) -> None:
        """It is trained on, or given up."""
        self._newest.pop(draft.id, None)
        self._buttons.pop(draft.id, None)
        self._begun = {key: id for key, id in self._begun.items() if id != draft.id}

    async def agreed(self, client: discord.Client, action: Action, user: User, origin: Origin) -> Train:
        """What the person agreed to, its pictures fetched once more where they are not kept now. Raises Invalid."""
        request = from_json(_known(action)["request"])
        assert isinstance(request, Train)
        try:
            for image in request.images:
                await self._studio.source(user, image)
        except (NotYours, Invalid):
            for file in await fetched(client, self.of(user, action)[0]):
                try:
                    await self._studio.upload(user, file.data, origin)
                except Invalid:
                    # It was left out before.
                    continue
        return request

    async def _alive(self, user: User, draft: Draft | None) -> Draft | None:
        """The set, unless its buttons are expired, used up, or deleted with what was kept of the person."""
        if draft is None or draft.id not in self._buttons:
            return draft
        try:
            await self._studio.acted(self._buttons[draft.id], user, press=False)
        except Refused:
            self.drop(draft)
            return None
        return draft

    def _keep(self, user: User, draft: Draft) -> Draft:
        self.drop(draft)
        self._newest[draft.id] = draft
        self._begun[user.key, slug(draft.name)] = draft.id
        if len(self._newest) > REMEMBERED:
            self.drop(next(iter(self._newest.values())))
        return draft


async def fetched(client: discord.Client, draft: Draft) -> list[Brought]:
    """The files of a set. Raises Invalid when Discord has one no more."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(file: File) -> Brought:
        async with turns:
            try:
                return Brought(file.name, await client.http.get_from_cdn(file.address), file.alt)
            except (discord.HTTPException, Down, OSError):
                raise Invalid(captions.not_loaded()) from None

    return list(await asyncio.gather(*map(one, draft.files)))


def _known(action: Action) -> Mapping[str, Any]:
    try:
        known: Mapping[str, Any] = json.loads(action.detail)
        _ = known["draft"], known["token"], action.verb == GATHER or known["request"]
    except (KeyError, TypeError, ValueError):
        raise Invalid("This button is not known any more; please ask anew.") from None
    return known
