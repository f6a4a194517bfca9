"""The pictures that a request begins with: those that a message brings, and the one that it answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telegram import Document, Message, PhotoSize
from telegram.error import TelegramError

from realbot.adapters.outbox import Down
from realbot.adapters.telegram import phrases
from realbot.adapters.telegram.delivery import Spot
from realbot.adapters.telegram.files import DOWNLOAD
from realbot.adapters.telegram.masking import Masking
from realbot.adapters.telegram.presses import actions
from realbot.errors import Invalid, Refused
from realbot.jobs import ImageId

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

#: How often a file is asked for, and seconds for each try.
TRIES, DEADLINE = 2, 20.0
#: Own pictures among which one of an album is looked for.
LATEST = 20


@dataclass(frozen=True, slots=True)
class Start:
    """The pictures of a request, None where there is none."""

    source: ImageId | None = None
    mask: ImageId | None = None
    reference: ImageId | None = None


class Brought:
    """Finds them, and brings them to the studio."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio, self._masking = front, front.studio, Masking(front.studio)

    async def start(self, asked: Asked, *, look: bool) -> Start:
        """Of two pictures the first is begun with, and the second gives its look; with `look`, so does a single one.

        Raises Invalid in one sentence.
        """
        own, answered = self._own(asked.message), asked.message.reply_to_message
        if len(own) > 1 or (own and look):
            source, mask = await self._begun(asked, own[:-1], answered)
            return Start(source, mask, await self._kept(asked, own[-1]))
        source, mask = await self._begun(asked, own, answered)
        return Start(reference=source) if look else Start(source, mask)

    def ours(self, message: Message) -> bool:
        return message.from_user is not None and message.from_user.id == self._front.me.id

    def _own(self, message: Message) -> list[PhotoSize | Document]:
        """The pictures of a message, and of its album where nothing else is said to that. Raises Invalid."""
        together = self._front.albums.together(message)
        if sum(bool(one.caption) for one in together) > 1:
            together = [message]
        found = [picture(one) for one in together]
        own = [one for one in found if one is not None]
        if len(own) < len(found) and any(one.effective_attachment is not None for one in together):
            raise Invalid(phrases.not_a_picture())
        if len(own) > 2:
            raise Invalid(phrases.crowded())
        return own

    async def _begun(
        self, asked: Asked, own: list[PhotoSize | Document], answered: Message | None
    ) -> tuple[ImageId | None, ImageId | None]:
        """The picture to begin with, the message's own or the one that it answers, and its mask."""
        below = None if answered is None else picture(answered)
        exact = await self._exact(asked, answered) if answered is not None and below and self.ours(answered) else None
        if own:
            data = await self.loaded(asked, own[0])
            if exact is not None and (mask := await self._masking.drawn(asked, exact, data)) is not None:
                return exact, mask
            if isinstance(own[0], Document) and (found := await self._masking.cut(asked, data)) is not None:
                return found
            return await self._studio.upload(asked.user, data, asked.origin), None
        if exact is not None or below is None:
            return exact, None
        return await self._kept(asked, below), None

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

    async def _kept(self, asked: Asked, found: PhotoSize | Document) -> ImageId:
        return await self._studio.upload(asked.user, await self.loaded(asked, found), asked.origin)

    async def loaded(self, asked: Asked, found: PhotoSize | Document) -> bytes:
        """The file of a picture that a person sent. Raises Invalid in one sentence."""
        if (found.file_size or 0) > DOWNLOAD:
            raise Invalid(phrases.too_large(found.file_size or 0, DOWNLOAD))
        for _ in range(TRIES):
            with suppress(TelegramError, Down, TimeoutError):
                async with asyncio.timeout(DEADLINE):
                    file = await asked.bot.get_file(found.file_id)
                    return bytes(await file.download_as_bytearray())
        raise Invalid(phrases.not_loaded())


def picture(message: Message) -> PhotoSize | Document | None:
    """The largest photo of a message, or its document when that is a picture."""
    if message.photo:
        return message.photo[-1]
    document = message.document
    return document if document is not None and (document.mime_type or "").startswith("image/") else None
