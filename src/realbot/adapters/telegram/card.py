"""The card of a job: a message that tells its place and time, then its progress, and becomes the picture."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from telegram import MessageEntity

from realbot.adapters import captions, lessonwords, verdicts, words
from realbot.adapters.files import Picture
from realbot.adapters.plain import plain
from realbot.adapters.promises import Shown
from realbot.adapters.telegram import phrases, traincard
from realbot.adapters.telegram.controls import controls
from realbot.adapters.telegram.keyboard import Key, Rows
from realbot.adapters.telegram.text import Text, block, dead, quoted
from realbot.errors import Blocked, Refused
from realbot.jobs import (
    Cancelled,
    Done,
    Eta,
    Failed,
    Generate,
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

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.studio import Studio

#: Pictures of one album.
ALBUM = 10
ALT = 1024
#: Jobs under way whose cards' promises are remembered.
REMEMBERED = 5000


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of a job. `pictures` is None where the message keeps the one that it has."""

    text: Text
    rows: Rows = ()
    pictures: tuple[Picture, ...] | None = None


class Cards:
    """Draws the cards of one studio's jobs. `inline` tells whether the bot has inline mode."""

    def __init__(self, studio: Studio, clock: Clock, inline: Callable[[], bool]) -> None:
        self._studio, self._clock, self.inline = studio, clock, inline
        self._shown: OrderedDict[str, Shown] = OrderedDict()

    async def render(self, job: Job, status: Status, showing: Showing = "here") -> Card:
        """The card of a job in this status, in the language of whoever asked, its pictures as they may be shown."""
        if showing == "withheld":
            with words.language(job.origin.locale):
                return await self.closed(job.id, job.user, job.request)
        card = await self._rendered(job, status)
        return spoilered(card) if showing == "spoiler" else card

    async def closed(self, job_id: str, user: User, request: Request) -> Card:
        """The card of a job whose picture is withheld."""
        safety = self._studio.safety
        case, reached = await safety.case(job_id), await safety.reached(job_id)
        ask = [Key(verdicts.appeal(), "appeal", job_id)] if reached and verdicts.appealable(case) else []
        text = Text.lines([heading(request), dead(verdicts.withheld(case, reached=reached))])
        return Card(text, [[*ask, Key("🗑", "delete", job_id, style="danger")]])

    async def _rendered(self, job: Job, status: Status) -> Card:
        with words.language(job.origin.locale):
            group = job.origin.server_key
            rows = self.rows(job.user, job.id, job.request, status, group)
            if not is_final(status):
                return Card(self._under_way(job, status), rows, await self._preview(job, status))
            self._shown.pop(job.id, None)
            if isinstance(status, Failed | Cancelled):
                return Card(ended(job.request, status), rows)
            assert isinstance(status, Done)
            text = self.finished(job.user, job.id, job.request, status, group)
            try:
                pictures = await self.pictures(job.user, job.request, status)
            except Refused as error:
                return Card(Text.lines([text, dead(words.refusal(error))]), rows[-1:])
            return Card(text, rows, pictures)

    async def kept(
        self,
        user: User,
        job_id: str,
        request: Request,
        done: Done,
        group: str = "",
        *,
        favourite: bool,
        origin: Origin | None = None,
    ) -> Card:
        """The card of a picture in the history, for where it is shown, without a place for its owner alone.

        Raises Refused when the picture is lost or withheld there.
        """
        veil = await self._studio.safety.veil(job_id, done.images, origin)
        if veil == "withhold":
            raise Blocked("This picture is withheld.")
        rows = self.rows(user, job_id, request, done, group, favourite=favourite)
        text = self.finished(user, job_id, request, done, group)
        card = Card(text, rows, await self.pictures(user, request, done))
        return spoilered(card) if veil == "spoiler" else card

    def rows(
        self, owner: User, job_id: str, request: Request, status: Status, group: str, *, favourite: bool = False
    ) -> Rows:
        """The buttons of a card; `group` is the key of where it is shown, empty in private."""
        if isinstance(request, Train):
            style = traincard.of(self._studio, owner, job_id)
            return traincard.controls(job_id, request, status, style, group, favourite=favourite)
        return controls(job_id, request, status, favourite=favourite, inline=self.inline())

    async def pictures(self, user: User, request: Request, done: Done) -> tuple[Picture, ...]:
        """The finished pictures of a job that one album can hold. Raises Refused when one is lost."""
        return tuple([await self.picture(user, request, done, n) for n in range(min(len(done.images), ALBUM))])

    async def picture(self, user: User, request: Request, done: Done, index: int) -> Picture:
        """One finished picture. Raises Refused when it is lost or somebody else's."""
        path = await self._studio.picture(user, done.images[index])
        return Picture(path, words.file_name(request, done.seed, index), plain(_alt(request), ALT))

    def finished(self, owner: User, job_id: str, request: Request, done: Done, group: str) -> Text:
        """What stands below a finished job; `group` is the key of where it is shown, empty in private."""
        if isinstance(request, Train):
            return traincard.finished(request, done, traincard.of(self._studio, owner, job_id), private=not group)
        return finished(request, done)

    def _under_way(self, job: Job, status: Status) -> Text:
        eta = status.eta if isinstance(status, Waiting | Running) else None
        so_far = self._so_far(job)
        ready = so_far.promise.keep(eta, self._clock.now())
        if isinstance(status, Running):
            so_far.latest = status
            if isinstance(job.request, Train):
                return traincard.learning(job.request, status, _ready(ready, eta))
            return painting(job.request, status, _ready(ready, eta))
        engine = self._studio.engine()
        trouble = "" if engine.up else words.engine(engine.up, engine.loading, engine.device, engine.reason)
        assert isinstance(status, Waiting)
        if isinstance(job.request, Train):
            step = so_far.latest.step if so_far.latest is not None else 0
            return traincard.waiting(job.request, status, _ready(ready, eta), trouble, step)
        return waiting(job.request, status, _ready(ready, eta), trouble)

    async def _preview(self, job: Job, status: Status) -> tuple[Picture, ...] | None:
        if isinstance(status, Running) and status.preview and self._so_far(job).due(status):
            with suppress(OSError):
                data = await asyncio.to_thread(Path(status.preview).read_bytes)
                return (Picture(data, "preview.jpg", plain(captions.preview(_alt(job.request)), ALT)),)
        return None

    def _so_far(self, job: Job) -> Shown:
        shown = self._shown.setdefault(job.id, Shown())
        if len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        return shown


def spoilered(card: Card) -> Card:
    """The card with its pictures behind a spoiler."""
    return replace(card, pictures=tuple(replace(picture, spoiler=True) for picture in card.pictures or ()) or None)


def _alt(request: Request) -> str:
    """What a screen reader says for the picture of a job."""
    return lessonwords.alt(request) if isinstance(request, Train) else words.alt(request)


def _ready(moment: int | None, eta: Eta | None) -> Text:
    """When it will be there: counted down where the reader's client can, in words elsewhere."""
    if moment is None:
        return Text()
    told = words.eta(eta) if eta is not None and math.isfinite(eta.high) else ""
    return phrases.ready(told, moment)


def waiting(request: Request, status: Waiting, ready: Text, trouble: str = "") -> Text:
    """A card in the line."""
    if status.paused:
        return Text.lines([heading(request), captions.paused(), trouble])
    line = Text(words.say(Waiting(status.position)))
    return Text.lines([heading(request), Text(line, " · ", ready) if ready else line, trouble])


def painting(request: Request, status: Running, ready: Text) -> Text:
    """A card of what is being painted."""
    line = Text(words.say(Running(status.step, status.steps, None)))
    bar = captions.bar(status.step, status.steps)
    if ready and status.step < status.steps:
        line = Text(line, " · ", ready)
    return Text.lines([heading(request), bar, line])


def finished(request: Request, done: Done) -> Text:
    """What stands below a picture: what was asked, and the recipe in one line."""
    said = [captions.from_history()] if done.cached else []
    line = captions.line(request, done.seed, 0.0 if done.cached else done.seconds)
    notes = [dead(plain(note, 400), MessageEntity.ITALIC) for note in [*said, *words.notes(done)]]
    return Text.lines([heading(request), *notes, dead(line)])


def ended(request: Request, status: Failed | Cancelled) -> Text:
    """A card without a picture."""
    if isinstance(request, Train):
        return traincard.ended(request, status)
    return Text.lines([heading(request), dead(plain(words.say(status), 600))])


def heading(request: Request) -> Text:
    """What is painted, as it was written."""
    text = words.subject(request)
    return Text(quoted(text)) if text else Text()


def recipe(request: Request, done: Done | None) -> Text:
    """All that a picture was made with, and the line that asks for it again, which a tap copies."""
    if isinstance(request, Train):
        return traincard.recipe(request, done)
    facts = [dead(phrases.fact(label, plain(value, 400))) for label, value in words.facts(request, done)]
    line = Text(block(words.recipe(request))) if isinstance(request, Generate) else Text()
    return Text.lines([heading(request), *facts, line])
