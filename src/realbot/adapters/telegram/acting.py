"""The line below a chat's name that says a picture is on its way, while one is being painted for it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram.constants import ChatAction
from telegram.error import TelegramError

from realbot.adapters.outbox import Down
from realbot.adapters.telegram.limiter import PROGRESS
from realbot.jobs import Job
from realbot.logs import alias

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock

    from .wire import Bot

log = logging.getLogger(__name__)

#: Seconds for which Telegram shows it, less a margin.
PACE = 4.5


class Acting:
    """Once for each chat and topic, however many pictures are painted for it."""

    def __init__(self, bot: Bot, clock: Clock) -> None:
        self._bot, self._clock = bot, clock
        self._painted: dict[tuple[str, str], set[str]] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def begin(self, job: Job) -> None:
        """A picture is being painted."""
        where = (job.origin.place, job.origin.thread)
        self._painted.setdefault(where, set()).add(job.id)
        if where not in self._tasks:
            self._tasks[where] = asyncio.create_task(self._act(where), name=f"chat action in {where[0]}")

    def end(self, job: Job) -> None:
        """It is painted, or given up."""
        self._painted.get((job.origin.place, job.origin.thread), set()).discard(job.id)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _act(self, where: tuple[str, str]) -> None:
        welcome = True
        try:
            while self._painted[where]:
                welcome = welcome and await self._show(*where)
                await self._clock.sleep(PACE)
        finally:
            del self._painted[where], self._tasks[where]

    async def _show(self, chat: str, thread: str) -> bool:
        """Show it once; whether Telegram lets us."""
        try:
            await self._bot.send_chat_action(
                int(chat),
                ChatAction.UPLOAD_PHOTO,
                message_thread_id=int(thread) if thread else None,
                rate_limit_args=PROGRESS,
            )
        except Down as error:
            log.debug("no action is shown in %s: %s", alias(chat), error)
        except TelegramError as error:
            log.info("no action is shown in %s any more: %s", alias(chat), error)
            return False
        return True
