"""Inline mode: @bot and some words, in any chat, finds one's own pictures, of which Telegram has a copy already."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from telegram import InlineQueryResultCachedPhoto, InlineQueryResultsButton, Update
from telegram.error import TelegramError
from telegram.ext import InlineQueryHandler

from realbot.adapters import captions, words
from realbot.adapters.outbox import Down
from realbot.adapters.plain import plain
from realbot.adapters.telegram import place, sayings
from realbot.adapters.telegram.card import heading
from realbot.adapters.telegram.text import CAPTION, Text
from realbot.entries import Entry
from realbot.errors import Refused
from realbot.jobs import Origin, User

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front

log = logging.getLogger(__name__)

#: Pictures of one answer, and entries of the history that are looked at for it at most, and at a time.
PICTURES, ENTRIES, BATCH = 24, 400, 50
#: Seconds for which Telegram may repeat an answer by itself.
CACHE = 5
#: What the private chat is opened with when nothing was found.
START = "paint"
TITLE = 100
#: Where an answer is posted: any chat, with anybody in it.
ANYWHERE = Origin(place.PLATFORM, shared=True)


def register(front: Front) -> None:
    front.app.add_handler(InlineQueryHandler(Inline(front).answer))


class Inline:
    """Answers what people type after the bot's name, each from their own history alone."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def answer(self, update: Update, context: object = None) -> None:
        """Offer a page of pictures; without any, the way to paint one. What fails is answered with nothing."""
        query = update.inline_query
        if query is None:
            return
        user, offset = place.user(query.from_user), query.offset
        results: list[InlineQueryResultCachedPhoto] = []
        following = ""
        try:
            before = int(offset) if offset.isdecimal() and len(offset) < 16 else None
            results, following = await self._found(user, query.query.strip(), before)
        except Refused as error:
            log.info("a search was not answered: %s", error)
        except Exception:
            log.exception("a search was not answered")
        nothing = not results and not offset
        try:
            await self._front.bot.answer_inline_query(
                query.id,
                results,
                cache_time=CACHE,
                is_personal=True,
                next_offset=following or None,
                button=InlineQueryResultsButton(sayings.paint_this(), start_parameter=START) if nothing else None,
            )
        except (TelegramError, Down) as error:
            log.info("a search was answered too late: %s", error)

    async def _found(
        self, user: User, search: str, before: int | None
    ) -> tuple[list[InlineQueryResultCachedPhoto], str]:
        """A page of this person's pictures that Telegram knows, and where the next one begins; empty at the end."""
        results: list[InlineQueryResultCachedPhoto] = []
        for _ in range(ENTRIES // BATCH):
            entries = await self._studio.history(user, BATCH, before, search)
            for entry in entries:
                results += await self._offered(entry)
                before = entry.seq
                if len(results) >= PICTURES:
                    return results, str(before)
            if len(entries) < BATCH:
                return results, ""
        return results, str(before) if results else ""

    async def _offered(self, entry: Entry) -> list[InlineQueryResultCachedPhoto]:
        """The pictures of a job as Telegram keeps them."""
        # Before it is delivered, what Telegram has is a preview.
        noted = await self._studio.cards(entry.id) if entry.state == "delivered" else {}
        photos = noted.get("photos") or ()
        if photos and await self._studio.safety.veil(entry.id, entry.images, ANYWHERE) != "pass":
            return []
        caption = Text.lines([heading(entry.request), captions.line(entry.request, entry.seed)]).cut(CAPTION)
        return [
            InlineQueryResultCachedPhoto(
                f"{entry.id}-{index}",
                str(photo),
                title=plain(words.subject(entry.request), TITLE) or None,
                caption=str(caption),
                caption_entities=caption.entities(),
            )
            for index, photo in enumerate(photos)
            if photo
        ]
