"""The ways by which a card or a result reaches its person without being seen twice.

A change of a message can be repeated; a message that may have arrived is never sent again. So a single picture comes as
a change of its card, and a new message is sent once: what became of it is noted before and after.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from telegram import InputMediaDocument, InputMediaPhoto, Message
from telegram.error import BadRequest, ChatMigrated, TelegramError

from realbot.adapters import words
from realbot.adapters.outbox import Down
from realbot.adapters.telegram import phrases, wire
from realbot.adapters.telegram.asked import below
from realbot.adapters.telegram.card import Card
from realbot.adapters.telegram.files import Photo, shown
from realbot.adapters.telegram.keyboard import Key, Rows, keyboard
from realbot.adapters.telegram.limiter import RESULT, USUAL, Patience
from realbot.adapters.telegram.text import CAPTION, MESSAGE, Text
from realbot.jobs import Cancelled, Done, Job, Origin

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.adapters.telegram.place import Moves
    from realbot.studio import Studio

    from .wire import Bot

log = logging.getLogger(__name__)

#: How many smaller copies of a picture are tried when Telegram does not take it.
FORMATS = 3
#: Signs in Telegram's answer that it does not take this picture, though it was measured.
UNFIT = ("photo_invalid_dimensions", "too big", "image_process_failed", "entity too large", "wrong file")


class Undeliverable(Exception):
    """Nothing reached the person; the message says what was tried and why it failed."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the card of a job is and what was tried with it: everything that has to survive a restart."""

    message: str = ""  #: empty while there is none
    posted: float = 0.0  #: Unix time of the message
    chat: str = ""  #: of the message, when it is not where the job was asked for
    photo: bool = False  #: the message shows a picture, so its text is a caption
    sent: float = 0.0  #: Unix time of a new message whose fate is not known
    album: tuple[str, ...] = ()  #: the messages of an album
    photos: tuple[str, ...] = ()  #: Telegram's ids of the files that it has of the pictures
    how: str = ""  #: "edit", "message", "direct" or "uncertain" once delivered
    pinged: bool = False

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        for name in ("album", "photos"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def data(self) -> dict[str, Any]:
        """What is kept beside the message's id and time, which the store knows itself."""
        return {name: value for name, value in asdict(self).items() if name not in ("message", "posted")}


#: Keeps a spot on the disk.
Note = Callable[[Spot], Awaitable[None]]


class To(NamedTuple):
    """Where a new message goes, and how that is called once it has arrived."""

    origin: Origin
    how: str


class Delivery:
    """Sends and changes messages. Every verb raises Down when Telegram is away, and may be called again later."""

    def __init__(self, studio: Studio, bot: Bot, clock: Clock, moves: Moves) -> None:
        self._studio, self._bot, self._clock, self._moves = studio, bot, clock, moves

    async def card(self, job: Job, card: Card, origin: Origin) -> Spot:
        """Show the first card of a job, without a sound. Raises Down and the errors of Telegram."""
        message = await self._send(job, Card(card.text, card.rows), origin, USUAL, silent=True)
        return Spot(str(message.message_id), self._clock.now(), chat=str(message.chat.id))

    async def edit(self, job: Job, card: Card, spot: Spot, patience: Patience) -> Spot:
        """Change the card; what it is now. Raises TelegramError when that cannot be done."""
        where = {"chat_id": int(spot.chat or job.origin.place), "message_id": int(spot.message)}
        markup = await keyboard(self._studio, card.rows, job.user, spot.chat or job.origin.place)
        try:
            if card.pictures:
                return await self._picture(card, spot, {**where, "reply_markup": markup}, patience)
            await self._words(card.text, spot, {**where, "reply_markup": markup, "rate_limit_args": patience})
        except TelegramError as error:
            if not wire.unchanged(error):
                raise
        return spot

    async def deliver(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot:
        """Bring the end of a job to its person by the first way that works; `note` keeps what a restart must know.

        Raises Undeliverable when no way works.
        """
        album = isinstance(job.status, Done) and len(card.pictures or ()) > 1
        failures = []
        ways = [self._album, self._albums_direct] if album else [self._edited, self._posted, self._direct]
        for way in ways[:1] if isinstance(job.status, Cancelled) else ways:
            try:
                reached = await way(job, card, spot, note)
            except TelegramError as error:
                failures.append(f"{way.__name__.strip('_')}: {error.message}")
                continue
            if reached is not None:
                return reached
        raise Undeliverable("; ".join(failures) or "there is no place for it")

    async def ping(self, job: Job, text: Text) -> None:
        """Answer the message that asked, which makes a sound. Raises Down and the errors of Telegram."""
        await self._send(job, Card(text), job.origin, RESULT)

    async def remove(self, origin: Origin, spot: Spot) -> None:
        """Take the card and its album away, as far as Telegram allows."""
        for message in filter(None, (spot.message, *spot.album)):
            try:
                await self._bot.delete_message(int(spot.chat or origin.place), int(message))
            except (TelegramError, Down) as error:
                log.info("message %s stays where it is: %s", message, error)

    async def _edited(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot | None:
        if not spot.message:
            return None
        return replace(await self.edit(job, card, spot, RESULT), how="edit")

    async def _posted(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot | None:
        if not job.origin.place:
            return None
        return await self._once(job, card, replace(spot, chat=""), note, To(job.origin, "message"))

    async def _direct(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot | None:
        """To the person alone, where realbot may write to them and not to the group."""
        alone = _alone(job)
        return await self._once(job, card, spot, note, To(alone, "direct")) if alone is not None else None

    async def _album(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot | None:
        """Several pictures: an album, and below it one message with the buttons, which takes the card's place."""
        return await self._albums(job, card, spot, note, To(job.origin, "message")) if job.origin.place else None

    async def _albums_direct(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot | None:
        alone = _alone(job)
        return await self._albums(job, card, spot, note, To(alone, "direct")) if alone is not None else None

    async def _albums(self, job: Job, card: Card, spot: Spot, note: Note, to: To) -> Spot:
        if not spot.album and spot.sent:
            return await self._asking(job, card, spot, note)
        if not spot.album:
            try:
                spot = await self._pictures(card, spot, note, to.origin)
            except Down as error:
                if not error.uncertain:
                    raise
                return await self._asking(job, card, spot, note)
        controls, old = Card(card.text, card.rows), spot
        try:
            message = await self._send(job, controls, replace(to.origin, message=spot.album[0]), RESULT)
        except Down as error:
            if not error.uncertain:
                raise
            # Whether they arrived or not, the buttons are on the card.
            if spot.message:
                await self.edit(job, controls, spot, RESULT)
            return replace(spot, how=to.how)
        chat = str(message.chat.id)
        spot = replace(
            spot, message=str(message.message_id), posted=self._clock.now(), chat=chat, photo=False, how=to.how
        )
        await note(spot)
        if old.message:
            await self.remove(job.origin, replace(old, album=()))
        return spot

    async def _pictures(self, card: Card, spot: Spot, note: Note, origin: Origin) -> Spot:
        await note(replace(spot, sent=self._clock.now()))
        try:
            messages = await self._fitting(card, lambda photos: self._group(photos, origin))
        except (TelegramError, Down) as error:
            if not (isinstance(error, Down) and error.uncertain):
                await note(replace(spot, sent=0.0))
            raise
        ids = tuple(str(message.message_id) for message in messages)
        spot = replace(spot, album=ids, photos=tuple(map(_file, messages)), sent=0.0)
        await note(spot)
        return spot

    async def _group(self, photos: list[Photo], origin: Origin) -> tuple[Message, ...]:
        documents = any(one.document for one in photos)
        made = [_media(photo, Text(), documents=documents) for photo in photos]
        send = self._bot.send_media_group
        found: tuple[Message, ...] = await self._to(
            origin, lambda where: send(media=made, rate_limit_args=RESULT, **where)
        )
        return found

    async def _asking(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot:
        """Nobody knows whether the album arrived: the card says so, and shows it again when it is asked to."""
        spot = replace(spot, sent=spot.sent or self._clock.now(), how="uncertain")
        await note(spot)
        if not spot.message:
            raise Undeliverable("Telegram did not tell whether the pictures arrived")
        with words.language(job.origin.locale):
            text = Text.lines([card.text, phrases.uncertain(len(card.pictures or ()))])
            rows: Rows = [[Key(phrases.show_again(), "show", job.id, style="primary")], *card.rows]
        await self.edit(job, Card(text, rows), spot, RESULT)
        return spot

    async def _once(self, job: Job, card: Card, spot: Spot, note: Note, to: To) -> Spot:
        """Send a new message, unless an earlier try may have arrived."""
        if spot.sent:
            raise Undeliverable("Telegram did not tell whether the picture arrived")
        await note(replace(spot, sent=self._clock.now()))
        try:
            messages = await self._fitting(card, lambda photos: self._one(job, card, photos, to.origin))
        except (TelegramError, Down) as error:
            if isinstance(error, Down) and error.uncertain:
                raise Undeliverable(f"Telegram did not tell whether it arrived: {error}") from error
            await note(spot)
            raise
        first = messages[0]
        return replace(
            spot,
            message=str(first.message_id),
            posted=self._clock.now(),
            chat=str(first.chat.id),
            photo=bool(first.photo or first.document),
            photos=(_file(first),) if first.photo else (),
            sent=0.0,
            how=to.how,
        )

    async def _one(self, job: Job, card: Card, photos: list[Photo], origin: Origin) -> tuple[Message, ...]:
        if not photos:
            return (await self._send(job, card, origin, RESULT),)
        markup = await keyboard(self._studio, card.rows, job.user, origin.place)
        text, photo = card.text.cut(CAPTION), photos[0]
        given: dict[str, Any] = {
            "caption": str(text),
            "caption_entities": text.entities(),
            "filename": photo.name,
            "reply_markup": markup,
            "rate_limit_args": RESULT,
        }
        send = self._bot.send_document if photo.document else self._bot.send_photo
        given |= {"document" if photo.document else "photo": photo.data}
        return (await self._to(origin, lambda where: send(**given, **where)),)

    async def _send(self, job: Job, card: Card, origin: Origin, patience: Patience, *, silent: bool = False) -> Message:
        markup = await keyboard(self._studio, card.rows, job.user, origin.place)
        text = card.text.cut(MESSAGE)
        message: Message = await self._to(
            origin,
            lambda where: self._bot.send_message(
                text=str(text),
                entities=text.entities(),
                reply_markup=markup,
                disable_notification=silent,
                rate_limit_args=patience,
                **where,
            ),
        )
        return message

    async def _to(self, origin: Origin, send: Callable[[dict[str, Any]], Awaitable[Any]]) -> Any:
        """Send to a chat, or to the supergroup that it has become."""
        where = below(origin)
        if (now := await self._moves.now(origin.place)) != origin.place:
            return await send({"chat_id": int(now)})
        try:
            return await send(where)
        except ChatMigrated as error:
            await self._moves.note(origin.place, str(error.new_chat_id))
            return await send({"chat_id": error.new_chat_id})

    async def _words(self, text: Text, spot: Spot, where: dict[str, Any]) -> None:
        if spot.photo:
            text = text.cut(CAPTION)
            await self._bot.edit_message_caption(caption=str(text), caption_entities=text.entities(), **where)
        else:
            text = text.cut(MESSAGE)
            await self._bot.edit_message_text(text=str(text), entities=text.entities(), **where)

    async def _picture(self, card: Card, spot: Spot, where: dict[str, Any], patience: Patience) -> Spot:
        text = card.text.cut(CAPTION)

        async def put(photos: list[Photo]) -> Message | bool:
            media = _media(photos[0], text)
            return await self._bot.edit_message_media(media=media, rate_limit_args=patience, **where)

        changed = await self._fitting(card, put)
        photo = (_file(changed),) if isinstance(changed, Message) and changed.photo else ()
        return replace(spot, photo=True, photos=photo)

    async def _fitting(self, card: Card, put: Callable[[list[Photo]], Awaitable[Any]]) -> Any:
        """Send the pictures, and in the next smaller format when Telegram still does not take them."""
        for first in range(FORMATS):
            photos = [await shown(picture, first) for picture in card.pictures or ()]
            try:
                return await put(photos)
            except BadRequest as error:
                unfit = any(sign in error.message.casefold() for sign in UNFIT)
                if not unfit or not photos or first + 1 == FORMATS:
                    raise
        raise AssertionError("a format was tried")


def _alone(job: Job) -> Origin | None:
    """The private chat with whoever asked, None when they asked there."""
    if job.origin.place == job.user.id:
        return None
    return replace(job.origin, place=job.user.id, message="", thread="")


def _media(photo: Photo, text: Text, *, documents: bool = False) -> InputMediaPhoto | InputMediaDocument:
    kind = InputMediaDocument if documents or photo.document else InputMediaPhoto
    return kind(photo.data, filename=photo.name, caption=str(text) or None, caption_entities=text.entities())


def _file(message: Message) -> str:
    """Telegram's id of the file that a message shows, empty for none."""
    if message.photo:
        return message.photo[-1].file_id
    return message.document.file_id if message.document else ""
