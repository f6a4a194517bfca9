"""One press of a button, and the one answer that it has."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from telegram import CallbackQuery
from telegram.error import TelegramError

from realbot.actions import Action
from realbot.adapters.outbox import Down
from realbot.jobs import Origin, User

log = logging.getLogger(__name__)

#: Seconds after which a press is answered, whatever is still being done for it.
PATIENCE = 1.0
#: Characters of what a press is answered with.
NOTE = 200


class Answer:
    """The one answer that a press has: a line that passes, a box to be closed, or nothing."""

    def __init__(self, query: CallbackQuery) -> None:
        self._query = query
        self._given = False
        self._timer = asyncio.create_task(self._hurry())

    async def give(self, text: str = "", *, alert: bool = False) -> None:
        """Answer, unless that was done. A press that Telegram finds too old is done all the same."""
        if self._given:
            return
        self._given = True
        try:
            await self._query.answer(text[:NOTE] or None, show_alert=alert)
        except (TelegramError, Down) as error:
            log.info("a press was not answered: %s", error)

    async def close(self) -> None:
        self._timer.cancel()
        await asyncio.gather(self._timer, return_exceptions=True)
        await self.give()

    async def _hurry(self) -> None:
        await asyncio.sleep(PATIENCE)
        await self.give()


class Press:
    """One press: whose, on which message, of which button."""

    def __init__(self, query: CallbackQuery, user: User, origin: Origin, action_id: str) -> None:
        assert query.message is not None
        self.user, self.origin, self.action_id = user, origin, action_id
        self.chat, self.message_id, self.message = query.message.chat, query.message.message_id, query.message
        self.action = Action("", "", "", 0, "", "", 0.0)

    @property
    def where(self) -> dict[str, Any]:
        return {"chat_id": self.chat.id, "message_id": self.message_id}

    @property
    def spot(self) -> tuple[str, str]:
        return str(self.chat.id), str(self.message_id)
