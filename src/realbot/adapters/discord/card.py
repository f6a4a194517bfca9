"""The card of a job: one calm embed, the pictures above it, the buttons below it.

What a person wrote stands in it escaped, and nothing on it notifies anybody.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import discord

from realbot.actions import Asking
from realbot.adapters import captions, lessonwords, verdicts, words
from realbot.adapters.clock import Clock
from realbot.adapters.discord import controls, marked, traincard
from realbot.adapters.discord.controls import OPEN, Control, menus, view
from realbot.adapters.discord.markup import escaped, plain
from realbot.adapters.discord.payload import Payload, Picture
from realbot.adapters.promises import Promise, Shown
from realbot.errors import Refused
from realbot.jobs import (
    Cancelled,
    Done,
    Failed,
    Job,
    Origin,
    Request,
    Running,
    Showing,
    Status,
    Train,
    User,
    Waiting,
    is_final,
)
from realbot.studio import Studio

__all__ = ["Cards", "Payload", "Picture", "Promise"]

QUIET, BUSY, GOOD, BAD = 0x99A1AB, 0x6C8EF5, 0x3FB68B, 0xE0736E
#: Characters of the prompt on a card; the recipe has it whole.
PROMPT = 280
#: Pictures that one message can carry.
MOST = 10
ALT = 1024
#: Jobs under way whose cards' promises are remembered.
REMEMBERED = 5000


class Cards:
    """Draws the cards of one studio's jobs."""

    def __init__(self, studio: Studio, clock: Clock | None = None) -> None:
        self._studio, self._clock = studio, clock or Clock()
        self._shown: OrderedDict[str, Shown] = OrderedDict()

    async def render(self, job: Job, status: Status, showing: Showing = "here") -> Payload:
        """The card of a job in this status, its pictures as they may be shown.

        One under way keeps the file it has until there is a newer preview.
        """
        if showing == "withheld":
            with words.language(job.origin.locale):
                return await self.closed(job.id, job.user, job.request, place=job.origin.place)
        payload = await self._rendered(job, status)
        veiled = showing == "spoiler"
        if showing == "directly" and isinstance(status, Done):
            veiled = await self._studio.safety.veil(job.id, status.images) == "spoiler"
        return spoilered(payload) if veiled else payload

    async def _rendered(self, job: Job, status: Status) -> Payload:
        with words.language(job.origin.locale):
            embed = self._embed(job, status)
            try:
                images = await self._images(job, status)
            except Refused as error:
                images = ()
                embed.description = f"{embed.description}\n{escaped(words.refusal(error))}"
            shown = await self._view(
                job.id, job.user, job.request, status, place=job.origin.place, server=job.origin.server_key
            )
            if is_final(status):
                self._shown.pop(job.id, None)
            return Payload(embeds=(embed,), view=shown, images=images)

    async def kept(
        self,
        user: User,
        job_id: str,
        request: Request,
        done: Done,
        *,
        favourite: bool,
        images: bool = True,
        origin: Origin | None = None,
        server: str = "",
    ) -> Payload:
        """The card of a picture in the history; with `origin` as it is there, otherwise for its owner anywhere.

        `server` is the key of the server in which it is looked at.
        """
        veil = await self._studio.safety.veil(job_id, done.images)
        if veil == "withhold":
            return await self.closed(job_id, user, request)
        place, who = ("", "") if origin is None else (origin.place, asker(user, origin))
        server = server if origin is None else origin.server_key
        embed = self._finished(job_id, user, request, done, asker=who, server=server)
        shown = await self._view(job_id, user, request, done, place=place, favourite=favourite, server=server)
        pictures = await self.pictures(user, request, done) if images else None
        payload = Payload(embeds=(embed,), view=shown, images=pictures)
        return spoilered(payload) if veil == "spoiler" else payload

    async def closed(self, job_id: str, user: User, request: Request, *, place: str = "") -> Payload:
        """The card of a job whose picture is withheld."""
        case, reached = await self._studio.safety.case(job_id), await self._studio.safety.reached(job_id)
        embed = _embed(QUIET, request, verdicts.withheld(case, reached=reached))
        offered = controls.closed(case, reached=reached)
        try:
            ids = await self._studio.actions([asking(control, job_id, user, place) for control in offered])
        except Refused:
            return Payload(embeds=(embed,))
        return Payload(embeds=(embed,), view=controls.view(offered, ids))

    def _embed(self, job: Job, status: Status) -> discord.Embed:
        match status:
            case Done():
                who, server = asker(job.user, job.origin), job.origin.server_key
                return self._finished(job.id, job.user, job.request, status, asker=who, server=server)
            case Failed() | Cancelled():
                return ended(job.request, status)
        so_far = self._so_far(job)
        ready = so_far.promise.keep(status.eta, self._clock.now())
        if isinstance(status, Running):
            so_far.latest = status
            if isinstance(job.request, Train):
                return _embed(BUSY, job.request, *traincard.learning(status, ready))
            return painting(job.request, status, ready)
        engine = self._studio.engine()
        trouble = "" if engine.up else words.engine(engine.up, engine.loading, engine.device, engine.reason)
        if isinstance(job.request, Train):
            return _embed(QUIET, job.request, *traincard.waiting(status, so_far.latest, ready, trouble))
        return waiting(job.request, status, ready, trouble)

    def _finished(
        self, job_id: str, user: User, request: Request, done: Done, *, asker: str, server: str
    ) -> discord.Embed:
        if not isinstance(request, Train):
            return finished(request, done, asker)
        known = traincard.standing(self._studio, user, job_id, request, server)
        embed = _embed(GOOD, request, *traincard.finished(request, known, asker))
        for name, value in traincard.fields(request) if known.there else ():
            embed.add_field(name=name, value=value)
        return embed.set_footer(text=traincard.footer(request, done))

    def _so_far(self, job: Job) -> Shown:
        shown = self._shown.setdefault(job.id, Shown())
        if len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        return shown

    async def _view(
        self,
        job_id: str,
        user: User,
        request: Request,
        status: Status,
        *,
        place: str = "",
        favourite: bool = False,
        server: str = "",
    ) -> discord.ui.View | None:
        if isinstance(request, Train):
            known = traincard.standing(self._studio, user, job_id, request, server)
            offered = traincard.controls(status, known)
        else:
            offered = [*controls.controls(request, status, favourite=favourite), *menus(status)]
        asked = [asking(control, job_id, user, place) for control in offered]
        try:
            ids = await self._studio.actions(asked)
        except Refused:
            # Deleted while it was drawn: a card without buttons, which the deletion takes away.
            return None
        return view(offered, ids, pictures=len(status.images) if isinstance(status, Done) else 1)

    async def _images(self, job: Job, status: Status) -> tuple[Picture, ...] | None:
        match status:
            case Done():
                return await self.pictures(job.user, job.request, status)
            case Running(preview=str(path)) if self._so_far(job).due(status):
                with suppress(OSError):
                    data = await asyncio.to_thread(Path(path).read_bytes)
                    return (Picture(data, "preview.jpg", plain(captions.preview(_alt(job.request)), ALT)),)
                return None
            case Running() | Waiting():
                return None
        return ()

    async def pictures(self, user: User, request: Request, done: Done) -> tuple[Picture, ...]:
        """The finished pictures of a job that one message can carry. Raises Refused when one is lost."""
        return tuple([await self.picture(user, request, done, n) for n in range(min(len(done.images), MOST))])

    async def picture(self, user: User, request: Request, done: Done, index: int) -> Picture:
        """One finished picture. Raises Refused when it is lost or somebody else's."""
        path = await self._studio.picture(user, done.images[index])
        count = len(done.images)
        alt = _alt(request) + (f" ({index + 1}/{count})" if count > 1 else "")
        return Picture(path, words.file_name(request, done.seed, index), plain(alt, ALT))


def asking(control: Control, job_id: str, user: User, place: str) -> Asking:
    """The button behind a control: its owner's, or for everybody in its place."""
    if control.verb in OPEN:
        return Asking(control.verb, job_id, index=control.index, detail=user.id, place=place)
    return Asking(control.verb, job_id, owner=user.key, index=control.index, place=place)


def asker(user: User, origin: Origin) -> str:
    """The id of the person that a card names: where others see it too."""
    return user.id if origin.server and not origin.private else ""


def heading(request: Request) -> str:
    """What is painted, in bold, as it was written."""
    text = escaped(words.subject(request), PROMPT)
    return f"**{text}**" if text else ""


def waiting(request: Request, status: Waiting, ready: int | None, trouble: str = "") -> discord.Embed:
    """A card in the line."""
    if status.paused:
        return _embed(QUIET, request, captions.paused(), trouble)
    line = words.say(Waiting(status.position))
    return _embed(QUIET, request, " · ".join(filter(None, (line, marked.ready(ready) if ready else ""))), trouble)


def painting(request: Request, status: Running, ready: int | None) -> discord.Embed:
    """A card of what is being painted."""
    line = words.say(Running(status.step, status.steps, None))
    when = marked.ready(ready) if ready and status.step < status.steps else ""
    bar = captions.bar(status.step, status.steps)
    return _embed(BUSY, request, bar, " · ".join(filter(None, (line, when))))


def finished(request: Request, done: Done, asker: str) -> discord.Embed:
    """A card below its pictures: what was asked, for whom, and the recipe in one line."""
    said = [captions.from_history()] if done.cached else []
    said += [escaped(note, 400) for note in words.notes(done)]
    who = marked.asker(asker) if asker else ""
    embed = _embed(GOOD, request, *(f"-# {note}" for note in said), f"-# {who}" if who else "")
    embed.set_footer(text=plain(captions.line(request, done.seed, 0.0 if done.cached else done.seconds), 500) or None)
    return embed


def spoilered(payload: Payload) -> Payload:
    """The card with its pictures behind a spoiler."""
    if payload.images is None:
        return payload
    return replace(payload, images=tuple(replace(picture, spoiler=True) for picture in payload.images))


def withheld(reason: str) -> Payload:
    """A card without its picture and without the words that it was asked for with."""
    return Payload(embeds=(discord.Embed(colour=QUIET, description=reason),))


def ended(request: Request, status: Failed | Cancelled) -> discord.Embed:
    """A card without a picture."""
    untrained = isinstance(status, Failed) and isinstance(request, Train)
    said = lessonwords.failure(status) if isinstance(status, Failed) and untrained else words.say(status)
    return _embed(BAD if isinstance(status, Failed) else QUIET, request, escaped(said, 600))


def _alt(request: Request) -> str:
    return lessonwords.alt(request) if isinstance(request, Train) else words.alt(request)


def _embed(colour: int, request: Request, *lines: str) -> discord.Embed:
    return discord.Embed(colour=colour, description="\n".join(filter(None, (heading(request), *lines))))
