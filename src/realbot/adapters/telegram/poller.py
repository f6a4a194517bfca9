"""Listening to Telegram by long polling. A poll that falls silent is noticed and begun anew on fresh connections."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from telegram import Bot
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from realbot.adapters.telegram.inbox import KINDS
from realbot.adapters.telegram.wire import request
from realbot.errors import Refused

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.sections import Telegram

log = logging.getLogger(__name__)

#: Seconds for which Telegram holds a poll that has nothing to tell, and after which a silent one is given up.
HOLD, SILENCE = 25, 40.0
#: Longest wait between two polls that failed, in seconds.
LONGEST = 30.0
#: Seconds without a poll that succeeded from which on the front-end is not healthy.
STALE = 90.0
#: Updates of one poll.
MOST = 100

Take = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]


class Poller:
    """`take` keeps updates; what it has not kept is told again, because the offset moves only afterwards."""

    def __init__(
        self, settings: Telegram, take: Take, clock: Clock, *, hold: int = HOLD, silence: float = SILENCE
    ) -> None:
        self._settings, self._take, self._clock = settings, take, clock
        self._hold, self._silence = hold, silence
        self._heard = clock.monotonic()
        self._offset: int | None = None

    @property
    def silent(self) -> float:
        """Seconds since Telegram last answered a poll."""
        return self._clock.monotonic() - self._heard

    async def listen(self) -> None:
        """Listen until cancelled. Raises InvalidToken when the token is not valid any more."""
        failures = 0
        while True:
            # Its own connections: what is sent never waits for what is heard, and a wedged pool is thrown away whole.
            ears = request(read=self._silence, pool=1)
            try:
                await ears.initialize()
                bot = Bot(
                    self._settings.token.get_secret_value(),
                    base_url=f"{self._settings.api_base.rstrip('/')}/bot",
                    get_updates_request=ears,
                    request=ears,
                )
                while True:
                    await self._poll(bot)
                    failures = 0
            except InvalidToken:
                raise
            except (TelegramError, TimeoutError, Refused) as error:
                failures += 1
                await self._clock.sleep(self._pause(error, failures))
            finally:
                await ears.shutdown()

    async def _poll(self, bot: Bot) -> None:
        async with asyncio.timeout(self._silence):
            updates = await bot.get_updates(
                offset=self._offset,
                limit=MOST,
                timeout=self._hold,
                allowed_updates=KINDS,
                read_timeout=self._silence,
            )
        self._heard = self._clock.monotonic()
        if updates:
            await self._take([update.to_dict() for update in updates])
            self._offset = updates[-1].update_id + 1
        else:
            # All is confirmed. After a quiet week ids begin anew, perhaps below the last one.
            self._offset = None

    def _pause(self, error: Exception, failures: int) -> float:
        """How many seconds to wait after a failure."""
        if isinstance(error, RetryAfter):
            log.warning("Telegram wants no polls: %s", error)
            after = error.retry_after
            return float(after if isinstance(after, int) else after.total_seconds())
        if isinstance(error, Conflict):
            log.critical("another program listens with this bot's token; stop one of them (%s)", error)
            return LONGEST * (0.5 + 0.5 * random.random())
        level = logging.WARNING if failures in (1, 10, 100) else logging.DEBUG
        log.log(level, "Telegram does not answer (%d times): %s", failures, str(error) or type(error).__name__)
        return min(LONGEST, 2.0 ** min(failures - 1, 6)) * (0.25 + 0.75 * random.random())
