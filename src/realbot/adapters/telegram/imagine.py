"""Every way of asking for a picture: /imagine, plain words, a picture with a caption, an answer to a picture."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from telegram import Chat, Document, Message, PhotoSize, Update
from telegram.error import TelegramError
from telegram.ext import MessageHandler, filters

from realbot import grammar
from realbot.adapters.outbox import Down
from realbot.adapters.telegram import phrases
from realbot.adapters.telegram.asked import Asked
from realbot.adapters.telegram.delivery import Spot
from realbot.adapters.telegram.files import DOWNLOAD
from realbot.adapters.telegram.masking import Masking
from realbot.adapters.telegram.presses import actions
from realbot.errors import Invalid, Refused
from realbot.jobs import Generate, ImageId, Origin, User

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front

#: Sides are multiples of this, in pixels.
MULTIPLE = 16
#: How often a file is asked for, and seconds for each try.
TRIES, DEADLINE = 2, 20.0
#: Own pictures among which one of an album is looked for, and albums of others that are remembered.
LATEST, ALBUMS = 20, 100
COMMAND = re.compile(r"/(?P<name>\w+)(?:@(?P<bot>\w+))?(?:\s+|$)")


class Imagine:
    """Options are checked by the studio, so that every way of asking has the same limits."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio
        self._masking = Masking(front.studio)
        #: Albums of which one picture was answered; the others say nothing new.
        self._albums: deque[str] = deque(maxlen=ALBUMS)

    async def asked(self, asked: Asked) -> None:
        """Paint what follows the command, or what a picture's caption says. Raises Refused."""
        source, mask = await self._start(asked)
        if not asked.text:
            raise Invalid(phrases.wordless() if source is None else phrases.captionless())
        request = await self._request(asked, source, mask)
        if request.mask is not None:
            await self._masking.offer(asked, request)
            return

        async def wish(user: User, origin: Origin) -> Generate:
            return request

        await self._front.intake.take(asked.user, asked.origin, asked.update_id, wish)

    async def message(self, update: Update, context: object = None) -> None:
        """A message without a command of ours at its beginning."""
        message = update.message
        if message is None or message.via_bot is not None or message.forward_origin is not None:
            return
        words, album = (message.text or message.caption or "").strip(), message.media_group_id
        if album is not None:
            if not words and album in self._albums:
                return
            self._albums.append(album)
        command = COMMAND.match(words)
        if command is not None:
            await self._commanded(update, command, words)
        elif self._meant(message, words):
            await self._front.ask(update, self._plain)

    async def _commanded(self, update: Update, command: re.Match[str], words: str) -> None:
        """A command in a caption, which the library does not look at, or one that there is not."""
        message, ours = update.message, (command["bot"] or "").casefold() == (self._front.me.username or "").casefold()
        assert message is not None
        if command["bot"] and not ours:
            return
        if message.caption and command["name"].casefold() == "imagine":
            await self._front.ask(update, self.asked, command=True)
        elif message.chat.type == Chat.PRIVATE or ours:
            await self._front.ask(update, self._unknown)

    def _meant(self, message: Message, words: str) -> bool:
        """Whether this is for us: everything in private, answers to our pictures and mentions in groups."""
        if message.chat.type == Chat.PRIVATE:
            return True
        answered = message.reply_to_message
        if words and answered is not None and self._ours(answered) and (_picture(answered) or _picture(message)):
            return True
        return self._name.search(words) is not None

    def _ours(self, message: Message) -> bool:
        return message.from_user is not None and message.from_user.id == self._front.me.id

    @property
    def _name(self) -> re.Pattern[str]:
        """The bot's own name in a text."""
        return re.compile(rf"(?<!\w)@{re.escape(self._front.me.username or '')}\b", re.IGNORECASE)

    async def _plain(self, asked: Asked) -> None:
        """Words without a command; our own name is no part of them."""
        words = self._name.sub(" ", asked.text).strip()
        command = COMMAND.match(words)
        if command is not None and command["name"].casefold() == "imagine":
            words = words[command.end() :]
        await self.asked(Asked(asked.bot, asked.message, asked.user, asked.origin, words, asked.update_id))

    async def _unknown(self, asked: Asked) -> None:
        name = COMMAND.match(asked.text)
        raise Invalid(phrases.unknown_command(name["name"] if name else ""))

    async def _request(self, asked: Asked, source: ImageId | None, mask: ImageId | None) -> Generate:
        """What is asked for; a region in words has become a mask."""
        preset = self._studio.preset()
        base = Generate(prompt="", source=source, mask=mask)
        request = grammar.parse(asked.text, base, area=preset.width * preset.height, multiple=MULTIPLE)
        if source is None and (request.strength is not None or request.region is not None):
            raise Invalid(phrases.sourceless())
        if source is not None and request.region is not None:
            made = await self._studio.mask_of_region(asked.user, source, request.region, asked.origin)
            request = replace(request, mask=made, region=None)
        return await self._studio.defaulted(asked.user, request, asked.origin)

    async def _start(self, asked: Asked) -> tuple[ImageId | None, ImageId | None]:
        """The picture to begin with, the message's own or the one that it answers, and its mask. Raises Invalid."""
        own, answered = _picture(asked.message), asked.message.reply_to_message
        below = None if answered is None else _picture(answered)
        exact = await self._exact(asked, answered) if answered is not None and below and self._ours(answered) else None
        if own is not None:
            data = await self._loaded(asked, own)
            if exact is not None and (mask := await self._masking.drawn(asked, exact, data)) is not None:
                return exact, mask
            if isinstance(own, Document) and (found := await self._masking.cut(asked, data)) is not None:
                return found
            return await self._studio.upload(asked.user, data, asked.origin), None
        if asked.message.effective_attachment is not None:
            raise Invalid(phrases.not_a_picture())
        if exact is not None or below is None:
            return exact, None
        return await self._studio.upload(asked.user, await self._loaded(asked, below), asked.origin), None

    async def _exact(self, asked: Asked, answered: Message) -> ImageId | None:
        """The picture that a message of ours shows, as it was painted; Telegram has only a smaller copy of it."""
        for action_id in actions(answered):
            with suppress(Refused):
                action = await self._studio.acted(action_id, asked.user, press=False)
                if len((await self._studio.shown(action)).images) == 1:
                    return (await self._studio.enlarge(asked.user, action.job_id, 0, 2, shown=True)).source
        if answered.media_group_id is None:
            return None
        number, chat = str(answered.message_id), str(answered.chat.id)
        for entry in await self._studio.history(asked.user, LATEST):
            spot = Spot.load(await self._studio.cards(entry.id))
            if spot.shelf == chat and number in spot.album:
                return entry.images[spot.album.index(number)]
        return None

    async def _loaded(self, asked: Asked, found: PhotoSize | Document) -> bytes:
        """The file of a picture that a person sent. Raises Invalid in one sentence."""
        if (found.file_size or 0) > DOWNLOAD:
            raise Invalid(phrases.too_large(found.file_size or 0, DOWNLOAD))
        for _ in range(TRIES):
            with suppress(TelegramError, Down, TimeoutError):
                async with asyncio.timeout(DEADLINE):
                    file = await asked.bot.get_file(found.file_id)
                    return bytes(await file.download_as_bytearray())
        raise Invalid(phrases.not_loaded())


def _picture(message: Message) -> PhotoSize | Document | None:
    """The largest photo of a message, or its document when that is a picture."""
    if message.photo:
        return message.photo[-1]
    document = message.document
    return document if document is not None and (document.mime_type or "").startswith("image/") else None


def register(front: Front) -> None:
    """Add the command, and what does without it; last of all, because it takes what no command is for."""
    imagine = Imagine(front)
    front.command("imagine", imagine.asked)
    kinds = filters.UpdateType.MESSAGE & (filters.TEXT | filters.CAPTION | filters.ATTACHMENT)
    front.app.add_handler(MessageHandler(kinds, imagine.message))
