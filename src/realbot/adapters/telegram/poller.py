"""Listening to Telegram by long polling. A poll that falls silent is noticed and begun anew on fresh connections."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode

from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from realbot.adapters.telegram import phrases
from realbot.adapters.telegram.inbox import KINDS
from realbot.adapters.telegram.limiter import TOLD, unauthorized
from realbot.adapters.telegram.wire import Request
from realbot.errors import Refused

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.sections import Telegram

log = logging.getLogger(__name__)

#: Seconds for which Telegram holds a poll that has nothing to tell; after so many times that, a silent one is given up.
HOLD, SILENCE = 25, 1.6
#: Longest wait between two polls that failed, in seconds.
LONGEST = 30.0
#: Seconds without a poll that succeeded from which on something is wrong.
STALE = 60.0
#: Updates of one poll.
MOST = 100

Take = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]


class Poller:
    """`take` keeps updates; what it has not kept is told again, because the offset moves only afterwards."""

    def __init__(self, settings: Telegram, take: Take, clock: Clock, hold: int = HOLD) -> None:
        """`hold` is for how many seconds Telegram may hold a poll."""
        self._take, self._clock, self._hold, self._silence = take, clock, hold, hold * SILENCE
        self._address = f"{settings.api_base.rstrip('/')}/bot{settings.token.get_secret_value()}/getUpdates"
        self._heard = clock.monotonic()
        #: Whether another program listened when nothing was heard the last time.
        self._rival: bool | None = None
        #: How often Telegram wanted no polls.
        self.limited = 0
        #: Monotonic time of the last try, and until when none is made.
        self._tried = self._held = clock.monotonic()
        self._offset: int | None = None

    @property
    def health(self) -> str:
        """Why nothing was heard for long, in a few words; empty when all is well."""
        if self._rival is None or self._clock.monotonic() - self._heard <= STALE:
            return ""
        return phrases.deaf(rival=self._rival)

    @property
    def idle(self) -> float:
        """Seconds for which nothing was tried although it should have been."""
        return max(0.0, self._clock.monotonic() - max(self._tried, self._held))

    async def listen(self) -> NoReturn:
        """Listen until cancelled. Raises InvalidToken when the token is not valid any more."""
        self._heard, failures = self._clock.monotonic(), 0
        while True:
            # Its own connections: what is sent never waits for what is heard, and a wedged pool is thrown away whole.
            ears = Request(read=self._silence, pool=1)
            try:
                while True:
                    await self._poll(ears)
                    if failures:
                        log.info("Telegram answers again")
                    failures = 0
            except (TelegramError, TimeoutError, Refused) as error:
                if isinstance(error, InvalidToken) and unauthorized(error):
                    raise
                failures += 1
                pause = self._pause(error, failures)
            finally:
                await ears.shutdown()
            self._held = self._clock.monotonic() + pause
            await self._clock.sleep(pause)

    async def _poll(self, ears: Request) -> None:
        """Hear what is new and keep it. As JSON, so that an update which cannot be understood stops no other."""
        wanted = {"limit": MOST, "timeout": self._hold, "allowed_updates": json.dumps(KINDS)}
        if self._offset is not None:
            wanted["offset"] = self._offset
        self._tried = self._clock.monotonic()
        async with asyncio.timeout(self._silence):
            told = await ears.post(f"{self._address}?{urlencode(wanted)}")
        if not isinstance(told, list) or not all(numbered(one) for one in told):
            raise TelegramError("these are no updates")
        self._heard = self._clock.monotonic()
        if told:
            await self._take(told)
            self._offset = int(told[-1]["update_id"]) + 1
        else:
            # All is confirmed. After a quiet week ids begin anew, perhaps below the last one.
            self._offset = None

    def _pause(self, error: Exception, failures: int) -> float:
        """How many seconds to wait after a failure."""
        self._rival = isinstance(error, Conflict)
        if isinstance(error, RetryAfter):
            self.limited += 1
            log.warning("Telegram wants no polls: %s", error)
            after = error.retry_after
            return float(after if isinstance(after, int) else after.total_seconds())
        if isinstance(error, Conflict):
            log.critical("another program listens with this bot's token; stop one of them (%s)", error)
            return LONGEST * (0.5 + 0.5 * random.random())
        level = logging.WARNING if failures in (1, 10, 100) else logging.DEBUG
        log.log(level, "updates do not come (%d times): %s", failures, str(error)[:TOLD] or type(error).__name__)
        return min(LONGEST, 2.0 ** min(failures - 1, 6)) * (0.25 + 0.75 * random.random())


def numbered(update: object) -> bool:
    """Whether this is an update: of all it should hold, what counts is its number."""
    return isinstance(update, dict) and isinstance(update.get("update_id"), int)
