"""The ways by which a card or a result reaches its person without being seen twice.

A change of a message can be repeated; a message that may have arrived is never sent again. So a single picture comes as
a change of its card, and a new message is sent once: what became of it is noted before and after.
"""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from PIL import Image
from telegram import InputMediaPhoto, Message
from telegram.error import BadRequest, ChatMigrated, TelegramError

from realbot.adapters import captions, words
from realbot.adapters.files import Picture
from realbot.adapters.outbox import Down
from realbot.adapters.telegram import files, phrases, wire
from realbot.adapters.telegram.asked import below
from realbot.adapters.telegram.card import Card
from realbot.adapters.telegram.files import WAYS, Photo, media, shown
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

T = TypeVar("T")

#: Signs in Telegram's answer that it does not take this picture, though it was measured.
UNFIT = ("photo_invalid_dimensions", "too big", "image_process_failed", "entity too large", "wrong file")
#: Signs that it cannot read the looks of a text.
UNREADABLE = ("can't parse", "entity begin")
#: Signs that a message shows a picture by now, and that it is too old to be deleted.
SHOWS, STAYS = ("no text in the message",), ("can't be deleted",)
#: Why an end stays in the history whose only message may have arrived.
UNKNOWN = "Telegram did not tell whether it arrived"


class Undeliverable(Exception):
    """Nothing reached the person; the message says what was tried and why it failed."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the card of a job is and what was tried with it: everything that has to survive a restart."""

    message: str = ""  #: empty while there is none
    chat: str = ""  #: of the message, when it is not where the job was asked for
    photo: bool = False  #: the message shows a picture, so its text is a caption
    sent: float = 0.0  #: Unix time of a new message whose fate is not known
    album: tuple[str, ...] = ()  #: the messages of an album
    shelf: str = ""  #: the chat of the album
    photos: tuple[str, ...] = ()  #: Telegram's ids of the photos that it has of the pictures, empty for a document
    how: str = ""  #: "edit", "message" or "uncertain" once delivered
    pinged: bool = False

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Self:
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        for name in ("album", "photos"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def data(self) -> dict[str, Any]:
        """What is kept beside the message's id, which the store knows itself."""
        return {name: value for name, value in asdict(self).items() if name != "message"}

    def messages(self, place: str) -> list[tuple[str, str]]:
        """Every message that shows the job, with its chat; `place` is where it was asked for."""
        card = [(self.chat or place, self.message)] if self.message else []
        return card + [(self.shelf or place, message) for message in self.album]


#: Keeps a spot on the disk.
Note = Callable[[Spot], Awaitable[None]]


class Delivery:
    """Sends and changes messages. Every verb raises Down when Telegram is away, and may be called again later."""

    def __init__(self, studio: Studio, bot: Bot, clock: Clock, moves: Moves) -> None:
        self._studio, self._bot, self._clock, self._moves = studio, bot, clock, moves

    async def card(self, job: Job, card: Card) -> Spot:
        """Show the first card of a job, without a sound. Raises Down and the errors of Telegram."""
        message = await self._send(job, Card(card.text, card.rows), job.origin, USUAL, silent=True)
        return Spot(str(message.message_id), str(message.chat.id))

    async def edit(self, job: Job, card: Card, spot: Spot, patience: Patience) -> Spot:
        """Change the card; what it is now. Raises Down and the errors of Telegram."""
        chat = spot.chat or job.origin.place
        where = {
            "chat_id": int(chat),
            "message_id": int(spot.message),
            "reply_markup": await keyboard(self._studio, card.rows, job.user, chat),
            "rate_limit_args": patience,
        }
        change = self._picture if card.pictures else self._words
        try:
            return await _legibly(card, lambda card: change(card, spot, where))
        except BadRequest as error:
            if not wire.unchanged(error):
                raise
        return spot

    async def deliver(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot:
        """Bring the end of a job to its person by the first way that works; `note` keeps what a restart must know.

        Raises Undeliverable when no way works, and Down.
        """
        if isinstance(job.status, Done) and len(card.pictures or ()) > 1:
            return await self._album(job, card, spot, note)
        failures = []
        if spot.message:
            try:
                return replace(await self.edit(job, card, spot, RESULT), how="edit")
            except TelegramError as error:
                failures.append(f"the card: {error.message}")
        for origin in [] if isinstance(job.status, Cancelled) else _places(job):
            try:
                reached = await self._once(job, card, spot, note, origin)
            except TelegramError as error:
                failures.append(f"chat {origin.place}: {error.message}")
                continue
            if spot.message:
                # What could not be changed would say for ever that the picture is on its way.
                await note(reached)
                await self.remove(spot.messages(job.origin.place))
            return reached
        raise Undeliverable("; ".join(failures) or "there is no place for it")

    async def ping(self, job: Job, text: Text) -> None:
        """Answer the message that asked, which makes a sound. Raises Down and the errors of Telegram."""
        await self._send(job, Card(text), job.origin, RESULT)

    async def remove(self, messages: Iterable[tuple[str, str]]) -> None:
        """Take messages away, each named by its chat and its number, or what they show where Telegram keeps them."""
        for chat, number in messages:
            where: dict[str, Any] = {"chat_id": int(chat), "message_id": int(number)}
            try:
                try:
                    await self._bot.delete_message(**where)
                except BadRequest as error:
                    if not _signed(error, STAYS):
                        raise
                    await self._blank(where)
            except (TelegramError, Down) as error:
                log.info("message %s stays where it is: %s", number, error)

    async def _blank(self, where: dict[str, Any]) -> None:
        """Empty a message that is too old to be deleted."""
        try:
            await self._bot.edit_message_text(captions.deleted(), **where)
        except BadRequest as error:
            if not _signed(error, SHOWS):
                raise
            await self._bot.edit_message_media(InputMediaPhoto(_nothing(), caption=captions.deleted()), **where)

    async def _album(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot:
        """Several pictures: an album, and below it one message with the buttons, which takes the place of the card."""
        if not spot.album and not spot.sent:
            spot = await self._pictures(job, card, spot, note)
        if spot.album:
            return await self._buttons(job, card, spot, note)
        return await self._asking(job, card, spot)

    async def _pictures(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot:
        """Send the album. Where the spot has none afterwards, nobody knows whether it arrived."""
        failures, trying = [], replace(spot, sent=self._clock.now())
        await note(trying)
        for origin in _places(job):
            try:
                found = await self._fitting(card, functools.partial(self._group, origin))
            except TelegramError as error:
                failures.append(f"chat {origin.place}: {error.message}")
            except Down as error:
                if error.uncertain:
                    return trying
                await note(spot)
                raise
            else:
                numbers = tuple(str(message.message_id) for message in found)
                spot = replace(spot, album=numbers, shelf=str(found[0].chat.id), photos=tuple(map(_photo, found)))
                await note(spot)
                return spot
        await note(spot)
        raise Undeliverable("; ".join(failures) or "there is no place for it")

    async def _group(self, origin: Origin, photos: list[Photo]) -> tuple[Message, ...]:
        documents = any(photo.document for photo in photos)
        made = [media(photo, document=documents) for photo in photos]
        send = functools.partial(self._bot.send_media_group, media=made, rate_limit_args=RESULT)
        found: tuple[Message, ...] = await self._to(origin, send)
        return found

    async def _buttons(self, job: Job, card: Card, spot: Spot, note: Note) -> Spot:
        """Send the message with the buttons below the album, once; where that fails they are on the card."""
        controls, here = Card(card.text, card.rows), replace(job.origin, place=spot.shelf, message=spot.album[0])
        if spot.shelf == job.user.id:
            here = replace(here, thread="")
        if not spot.sent:
            await note(replace(spot, sent=self._clock.now()))
            try:
                message = await self._send(job, controls, here, RESULT)
            except TelegramError as error:
                log.info("the buttons of job %s stay on its card: %s", job.id, error)
            except Down as error:
                if not error.uncertain:
                    await note(spot)
                    raise
            else:
                await self.remove(replace(spot, album=()).messages(job.origin.place))
                told = replace(spot, message=str(message.message_id), chat=spot.shelf, photo=False)
                return replace(told, how="message")
        if spot.message:
            with suppress(TelegramError):
                spot = await self.edit(job, controls, spot, RESULT)
        return replace(spot, sent=0.0, how="message")

    async def _asking(self, job: Job, card: Card, spot: Spot) -> Spot:
        """Nobody knows whether the pictures arrived: the person is told so, and is shown them again on request."""
        with words.language(job.origin.locale):
            text = Text.lines([card.text, phrases.uncertain(len(card.pictures or ()))])
            rows: Rows = [[Key(phrases.show_again(), "show", job.id, style="primary")], *card.rows]
        remark = Card(text, rows)
        if spot.message:
            try:
                return replace(await self.edit(job, remark, spot, RESULT), how="uncertain")
            except TelegramError as error:
                log.info("the card of job %s cannot tell of the doubt: %s", job.id, error)
        try:
            message = await self._send(job, remark, job.origin, RESULT)
        except (TelegramError, Down) as error:
            if isinstance(error, Down) and not error.uncertain:
                raise
            raise Undeliverable(f"{UNKNOWN}: {error}") from error
        spot = replace(spot, message=str(message.message_id), chat=str(message.chat.id), photo=False)
        return replace(spot, how="uncertain")

    async def _once(self, job: Job, card: Card, spot: Spot, note: Note, origin: Origin) -> Spot:
        """Send a new message; where an earlier try may have arrived, ask instead."""
        trying = replace(spot, sent=spot.sent or self._clock.now())
        if spot.sent:
            return await self._doubted(job, card, trying)
        await note(trying)
        try:
            message: Message = await self._fitting(card, functools.partial(self._one, job, card, origin))
        except (TelegramError, Down) as error:
            if isinstance(error, Down) and error.uncertain:
                return await self._doubted(job, card, trying)
            await note(spot)
            raise
        return Spot(
            str(message.message_id),
            str(message.chat.id),
            photo=bool(message.photo or message.document),
            photos=(_photo(message),) if message.photo else (),
            how="message",
        )

    async def _doubted(self, job: Job, card: Card, spot: Spot) -> Spot:
        """A new message may have arrived. What could not be changed before is no place to ask."""
        if not card.pictures:
            raise Undeliverable(UNKNOWN)
        return await self._asking(job, card, replace(spot, message="", chat=""))

    async def _one(self, job: Job, card: Card, origin: Origin, photos: list[Photo]) -> Message:
        if not photos:
            return await self._send(job, card, origin, RESULT)
        markup = await keyboard(self._studio, card.rows, job.user, origin.place)

        async def send(card: Card) -> Message:
            given = functools.partial(files.send, self._bot, photos[0], card.text, reply_markup=markup)
            message: Message = await self._to(origin, functools.partial(given, rate_limit_args=RESULT))
            return message

        return await _legibly(card, send)

    async def _send(self, job: Job, card: Card, origin: Origin, patience: Patience, *, silent: bool = False) -> Message:
        markup = await keyboard(self._studio, card.rows, job.user, origin.place)

        async def send(card: Card) -> Message:
            text = card.text.cut(MESSAGE)
            given = functools.partial(self._bot.send_message, text=str(text), entities=text.entities())
            about = {"reply_markup": markup, "disable_notification": silent, "rate_limit_args": patience}
            message: Message = await self._to(origin, functools.partial(given, **about))
            return message

        return await _legibly(card, send)

    async def _to(self, origin: Origin, send: Callable[..., Awaitable[Any]]) -> Any:
        """Send to a chat, or to the supergroup that it has become."""
        if (now := await self._moves.now(origin.place)) != origin.place:
            return await send(chat_id=int(now))
        try:
            return await send(**below(origin))
        except ChatMigrated as error:
            await self._moves.note(origin.place, str(error.new_chat_id))
            return await send(chat_id=error.new_chat_id)

    async def _words(self, card: Card, spot: Spot, where: dict[str, Any]) -> Spot:
        """Change what a message says, be it a text or the caption of a picture."""
        text = card.text.cut(CAPTION if spot.photo else MESSAGE)
        try:
            if spot.photo:
                await self._bot.edit_message_caption(caption=str(text), caption_entities=text.entities(), **where)
            else:
                await self._bot.edit_message_text(text=str(text), entities=text.entities(), **where)
        except BadRequest as error:
            if spot.photo or not _signed(error, SHOWS):
                raise
            # A preview arrived without our knowing.
            return await self._words(card, replace(spot, photo=True), where)
        return spot

    async def _picture(self, card: Card, spot: Spot, where: dict[str, Any]) -> Spot:
        async def put(photos: list[Photo]) -> Message | bool:
            return await self._bot.edit_message_media(media=media(photos[0], card.text), **where)

        changed = await self._fitting(card, put)
        photos = (_photo(changed),) if isinstance(changed, Message) and changed.photo else ()
        return replace(spot, photo=True, photos=photos)

    async def _fitting(self, card: Card, put: Callable[[list[Photo]], Awaitable[Any]]) -> Any:
        """Send the pictures, and in another way when Telegram still does not take them, each way once."""
        before: list[Photo] = []
        refused: BadRequest | None = None
        for way in range(WAYS):
            photos = [await shown(picture, way) for picture in card.pictures or ()]
            if refused is not None and photos == before:
                continue
            before = photos
            try:
                return await put(photos)
            except BadRequest as error:
                if not _signed(error, UNFIT):
                    raise
                refused = error
        assert refused is not None
        raise refused


async def _legibly(card: Card, tell: Callable[[Card], Awaitable[T]]) -> T:
    """Show a card, as plain text where Telegram cannot read its looks, which it always should."""
    try:
        return await tell(card)
    except BadRequest as error:
        if not _signed(error, UNREADABLE):
            raise
        log.error("Telegram does not take the looks of a text: %s", error)
        return await tell(replace(card, text=Text(str(card.text))))


def _places(job: Job) -> list[Origin]:
    """Where a new message can go: where the job was asked for, and else to the person alone."""
    here = [job.origin] if job.origin.place else []
    if job.origin.place == job.user.id:
        return here
    return [*here, replace(job.origin, place=job.user.id, message="", thread="")]


def _signed(error: TelegramError, signs: Iterable[str]) -> bool:
    told = error.message.casefold()
    return any(sign in told for sign in signs)


def _photo(message: Message) -> str:
    """Telegram's id of the photo that a message shows, empty for none."""
    return message.photo[-1].file_id if message.photo else ""


def blank() -> Picture:
    """What stands in a message whose picture was taken away, which cannot become a text again."""
    return Picture(_nothing(), "empty.png", "")


@functools.cache
def _nothing() -> bytes:
    """A grey tile, as a PNG file."""
    out = io.BytesIO()
    Image.new("RGB", (320, 320), "grey").save(out, "PNG")
    return out.getvalue()
