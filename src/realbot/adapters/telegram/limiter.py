"""Every request to Telegram passes here: one chat at a time and in its pace, results before progress, and repeats only
of what cannot be seen twice.

A chat that Telegram holds is left alone for as long as Telegram says; every other chat goes on.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError
from telegram.ext import BaseRateLimiter

from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two messages or changes of a private chat, and between two changes of progress in a group.
PRIVATE, GROUP = 1.05, 4.0
#: Seconds between two messages of a group.
BESIDE = 0.4
#: Telegram takes twenty messages a minute in a group; so many are used, of them so many for progress.
MINUTE, MOST, MOST_PROGRESS = 60.0, 18, 12
#: Requests a second to all chats together, of the thirty that Telegram takes.
OVERALL = 25.0
#: Chats that are remembered after they fell silent.
CHATS = 10_000
#: Seconds for which Telegram holds a chat from which on nobody waits for it here.
PATIENT = 5.0
#: Longest wait between two tries, in seconds.
LONGEST = 20.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How hard a request is tried: how often, seconds for each try, and whether it gives way to others."""

    tries: int = 3
    each: float = 20.0
    seconds: float = 30.0  #: in all
    wait: float = 60.0  #: seconds that it waits for its chat to take something
    progress: bool = False


#: A picture or an apology; after that it waits in the outbox.
RESULT = Patience(tries=5, each=60.0, seconds=120.0, wait=5.0)
#: A position, a progress bar or a chat action; the next one comes soon.
PROGRESS = Patience(tries=1, each=10.0, seconds=10.0, wait=10.0, progress=True)
USUAL = Patience()
#: Logging in waits for as long as Telegram is away.
LOGIN = Patience(tries=1_000_000, each=15.0, seconds=math.inf)


@dataclass(slots=True)
class Lane:
    """One chat: who waits for it, the most urgent first, and when it takes the next request."""

    group: bool
    free: float = -math.inf  #: monotonic time from which a message may be sent
    calm: float = -math.inf  #: the same for progress
    held: float = -math.inf  #: monotonic time until which Telegram wants nothing
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=MOST))
    waiting: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def opens(self, now: float, *, progress: bool) -> float:
        """The monotonic time from which a request may go."""
        at = max(self.free, self.held, self.calm if progress else -math.inf)
        if self.group:
            recent = [moment for moment in self.sent if moment > now - MINUTE]
            most = MOST_PROGRESS if progress else MOST
            if len(recent) >= most:
                at = max(at, recent[len(recent) - most] + MINUTE)
        return at

    def went(self, now: float, *, progress: bool) -> None:
        self.free = now + (BESIDE if self.group else PRIVATE)
        self.calm = now + (GROUP if self.group else PRIVATE)
        self.sent.append(now)


class Limiter(BaseRateLimiter[Patience]):
    """The place that python-telegram-bot has for this: it sees each request with its chat."""

    def __init__(self, clock: Clock | None = None, jitter: Callable[[], float] = random.random) -> None:
        self._clock, self._jitter = clock or Clock(), jitter
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._order = itertools.count()
        self._overall = -math.inf
        self.revoked: Callable[[TelegramError], None] = lambda error: None

    async def initialize(self) -> None:
        """Nothing is to be prepared."""

    async def shutdown(self) -> None:
        """Whoever waits for a chat is not served any more."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def held(self, chat: str) -> float:
        """For how many more seconds Telegram wants nothing in this chat."""
        lane = self._lanes.get(chat)
        return 0.0 if lane is None else max(0.0, lane.held - self._clock.monotonic())

    async def process_request(  # noqa: PLR0917 - the library's signature
        self,
        callback: Callable[..., Coroutine[Any, Any, T]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: Patience | None,
    ) -> T:
        """Send a request when it is its turn. Raises Down when Telegram cannot be reached or holds the chat."""
        patience = rate_limit_args or USUAL
        chat = str(data.get("chat_id", "")) if endpoint.startswith(COUNTED) else ""
        begun, tried, uncertain = self._clock.monotonic(), 0, False
        while True:
            if chat:
                await self._turn(chat, patience)
            tried += 1
            try:
                async with asyncio.timeout(patience.each):
                    return await callback(*args, **kwargs)
            except RetryAfter as error:
                wait = self._hold(chat, error, endpoint)
                if not chat or patience.progress:
                    raise Down(f"{endpoint}: {error}", wait=wait, local=True) from error
                continue
            except BadRequest:
                raise
            except (NetworkError, TimeoutError) as error:
                uncertain = uncertain or not unsent(error)
                reason = f"{endpoint}: {error or type(error).__name__}"
            except TelegramError as error:
                # An answer that is no answer: what was asked for may have happened.
                if type(error) is not TelegramError:
                    raise
                uncertain, reason = True, f"{endpoint}: {error}"
            pause = min(LONGEST, 2.0 ** (tried - 1)) * (0.25 + 0.75 * self._jitter())
            late = self._clock.monotonic() + pause - begun > patience.seconds
            if (uncertain and not repeatable(endpoint)) or tried >= patience.tries or late:
                raise Down(reason, uncertain=uncertain)
            log.debug("%s; again in %.1f s", reason, pause)
            await self._clock.sleep(pause)

    def _hold(self, chat: str, error: RetryAfter, endpoint: str) -> float:
        """Leave the chat alone for as long as Telegram says; that many seconds."""
        after = error.retry_after
        wait = after.total_seconds() if isinstance(after, timedelta) else float(after)
        log.warning("Telegram wants no %s for %.0f s", endpoint, wait)
        if chat:
            lane = self._lane(chat)
            lane.held = max(lane.held, self._clock.monotonic() + wait + 0.1)
        return wait

    async def _turn(self, chat: str, patience: Patience) -> None:
        """Wait until this chat takes the request. Raises Down when that is too long."""
        lane, now = self._lane(chat), self._clock.monotonic()
        ahead = lane.opens(now, progress=patience.progress) - now
        if ahead > patience.wait or lane.held - now > PATIENT:
            raise Down("this chat takes nothing for a while", wait=ahead, local=True)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(lane.waiting, (int(patience.progress), next(self._order), turn))
        if lane.task is None:
            lane.task = asyncio.create_task(self._serve(lane), name=f"requests to chat {chat}")
        try:
            await turn
        except asyncio.CancelledError:
            turn.cancel()
            raise

    async def _serve(self, lane: Lane) -> None:
        """Let those who wait go, one after the other, the most urgent first each time."""
        try:
            while lane.waiting:
                urgency, _, turn = lane.waiting[0]
                if turn.done():
                    heapq.heappop(lane.waiting)
                    continue
                progress, now = bool(urgency), self._clock.monotonic()
                if lane.held - now > PATIENT:
                    self._refuse(lane, lane.held - now)
                    return
                wait = max(lane.opens(now, progress=progress), self._overall) - now
                if wait > 0:
                    # Something more urgent may come meanwhile.
                    await self._clock.sleep(min(wait, 0.25))
                    continue
                heapq.heappop(lane.waiting)
                lane.went(now, progress=progress)
                self._overall = max(self._overall, now) + 1 / OVERALL
                turn.set_result(None)
                await asyncio.sleep(0)
        finally:
            lane.task = None

    @staticmethod
    def _refuse(lane: Lane, wait: float) -> None:
        """Telegram holds the chat: everyone who waits for it is told."""
        while lane.waiting:
            _, _, turn = heapq.heappop(lane.waiting)
            if not turn.done():
                turn.set_exception(Down("this chat takes nothing for a while", wait=wait, local=True))

    def _lane(self, chat: str) -> Lane:
        lane = self._lanes.get(chat)
        if lane is None:
            lane = self._lanes[chat] = Lane(group=chat.startswith("-"))
            if len(self._lanes) > CHATS:
                self._forget()
        self._lanes.move_to_end(chat)
        return lane

    def _forget(self) -> None:
        """Drop the chat that has been silent for longest, unless it is waited for or held."""
        now = self._clock.monotonic()
        for chat, lane in itertools.islice(self._lanes.items(), 100):
            if not lane.waiting and lane.task is None and lane.held < now and lane.calm < now:
                del self._lanes[chat]
                return


#: What counts against a chat's limits; a chat action or a deletion does not.
COUNTED = ("sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup", "edit")


def repeatable(endpoint: str) -> bool:
    """Whether doing it again cannot be seen: everything but sending, of which a chat would show two."""
    return not endpoint.startswith("send") or endpoint == "sendChatAction"


def unsent(error: BaseException) -> bool:
    """Whether the request surely never left this machine."""
    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
