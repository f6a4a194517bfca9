"""Every request to Telegram passes here: each chat in its pace, results before progress, and repeats only of what
cannot be seen twice.

A chat that Telegram holds is left alone for as long as Telegram says; every other chat goes on.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import random
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import httpx
from telegram.error import BadRequest, InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.ext import BaseRateLimiter

from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two messages or changes of a private chat, and between two changes of progress in a group.
PRIVATE, GROUP = 1.05, 4.0
#: Seconds between two messages of a group.
BESIDE = 0.4
#: Telegram takes twenty messages a minute in a group. So many are used, of them so many for changes of messages, and
#: only while there were fewer than so many for progress.
MINUTE, MOST, MOST_CHANGES, MOST_PROGRESS = 60.0, 18, 15, 12
#: Requests a second to all chats together, of the thirty that Telegram takes.
OVERALL = 25.0
#: Chats that are remembered after they fell silent.
CHATS = 10_000
#: Seconds for which Telegram holds a chat from which on nobody waits for it here.
PATIENT = 5.0
#: Seconds between two looks at who is next, and the longest wait between two tries.
LOOK, LONGEST = 0.05, 20.0
#: Characters of an error that are worth reading; a proxy sends its whole page.
TOLD = 200


@dataclass(frozen=True, slots=True)
class Patience:
    """How hard a request is tried: how often, seconds for each try, and whether it gives way to others."""

    tries: int = 3
    each: float = 20.0
    seconds: float = 30.0  #: in all
    wait: float = 15.0  #: seconds that it waits for its chat to take something
    progress: bool = False


#: A picture or an apology; after that it waits in the outbox.
RESULT = Patience(tries=5, each=60.0, seconds=120.0, wait=5.0)
#: A position, a progress bar or a chat action; the next one comes soon.
PROGRESS = Patience(tries=1, each=10.0, seconds=10.0, wait=10.0, progress=True)
#: An answer; whoever waits for it occupies a place that others need.
USUAL = Patience()


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to send: how many messages it counts as, and whether it only changes one."""

    weight: int
    changes: bool
    progress: bool


#: Urgency and number, the lowest first, what is wanted, and who waits for it.
Waiting: TypeAlias = tuple[int, int, Wish, asyncio.Future[None]]


@dataclass(slots=True)
class Lane:
    """One chat: who waits for it, the most urgent first, and when it takes the next request."""

    group: bool
    free: float = -math.inf  #: monotonic time from which a message may be sent
    calm: float = -math.inf  #: the same for progress
    held: float = -math.inf  #: monotonic time until which Telegram wants nothing
    sent: list[tuple[float, bool]] = field(default_factory=list)  #: in a group the last minute, and what was a change
    waiting: list[Waiting] = field(default_factory=list)

    def opens(self, now: float, wish: Wish, behind: int = 0) -> float:
        """The monotonic time from which this may go, `behind` others."""
        at = max(now, self.free, self.held, self.calm if wish.progress else -math.inf)
        at += behind * (BESIDE if self.group else PRIVATE)
        limits = [(MOST_PROGRESS if wish.progress else MOST, False), (MOST_CHANGES, True)]
        for most, changes in limits[: 1 + wish.changes] if self.group else ():
            recent = [moment for moment, change in self.sent if moment > now - MINUTE and (change or not changes)]
            excess = len(recent) + behind + wish.weight - most
            if excess > 0 and recent:
                at = max(at, recent[min(excess, len(recent)) - 1] + MINUTE)
        return at

    def went(self, now: float, wish: Wish) -> None:
        if not self.group:
            self.free = self.calm = now + PRIVATE * wish.weight
            return
        self.free, self.calm = now + BESIDE, now + GROUP
        self.sent = [sent for sent in self.sent if sent[0] > now - MINUTE] + [(now, wish.changes)] * wish.weight

    def head(self) -> Waiting | None:
        """Who is next; None when nobody waits any more."""
        while self.waiting and self.waiting[0][-1].done():
            heapq.heappop(self.waiting)
        return self.waiting[0] if self.waiting else None


class Limiter(BaseRateLimiter[Patience]):
    """The place that python-telegram-bot has for this: it sees each request with its chat."""

    def __init__(self, clock: Clock | None = None, jitter: Callable[[], float] = random.random) -> None:
        self._clock, self._jitter = clock or Clock(), jitter
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        #: Those that somebody waits for.
        self._busy: dict[str, Lane] = {}
        self._order = itertools.count()
        self._overall = -math.inf
        self._task: asyncio.Task[None] | None = None
        #: How often Telegram wanted to be left alone.
        self.limited = 0
        #: Set once Telegram does not know the token any more.
        self.revoked = asyncio.Event()

    async def initialize(self) -> None:
        """Nothing is to be prepared."""

    async def shutdown(self) -> None:
        """Whoever waits for a chat is not served any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for lane in self._busy.values():
            self._refuse(lane, 0.0)
        self._busy.clear()

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
        album = len(data["media"]) if endpoint == "sendMediaGroup" else 1
        wish = Wish(album, changes=endpoint.startswith("edit"), progress=patience.progress)
        begun, tried, uncertain = self._clock.monotonic(), 0, False
        while True:
            if chat:
                await self._turn(chat, wish, patience)
            try:
                async with asyncio.timeout(patience.each):
                    return await callback(*args, **kwargs)
            except RetryAfter as error:
                wait = self._hold(chat, error, endpoint)
                if patience.progress or self._clock.monotonic() + wait - begun > patience.seconds:
                    raise Down(f"{endpoint}: {error}", wait=wait, local=True) from error
                if not chat:
                    await self._clock.sleep(wait)
                continue
            except (TelegramError, TimeoutError) as error:
                uncertain = self._arrived(error, chat) or uncertain
                reason = f"{endpoint}: {str(error)[:TOLD] or type(error).__name__}"
            tried += 1
            pause = min(LONGEST, 2.0 ** (tried - 1)) * (0.25 + 0.75 * self._jitter())
            late = self._clock.monotonic() + pause - begun > patience.seconds
            if (uncertain and not repeatable(endpoint)) or tried >= patience.tries or late:
                raise Down(reason, uncertain=uncertain)
            log.debug("%s; again in %.1f s", reason, pause)
            await self._clock.sleep(pause)

    def _arrived(self, error: Exception, chat: str) -> bool:
        """Whether a request that failed may have been carried out. Raises what Telegram has answered to it."""
        if isinstance(error, InvalidToken) and unauthorized(error):
            self.revoked.set()
            if chat:
                # It is delivered with the next token.
                raise Down(str(error)) from error
        if isinstance(error, NetworkError) and "entity too large" in error.message.casefold():
            raise BadRequest(error.message) from error
        # TelegramError itself is an answer that is none.
        if isinstance(error, TelegramError) and type(error) not in {TelegramError, NetworkError, TimedOut}:
            raise error
        return not unsent(error)

    def _hold(self, chat: str, error: RetryAfter, endpoint: str) -> float:
        """Leave the chat alone for as long as Telegram says; that many seconds."""
        after = error.retry_after
        wait = after.total_seconds() if isinstance(after, timedelta) else float(after)
        self.limited += 1
        log.warning("Telegram wants no %s for %.0f s", endpoint, wait)
        if chat:
            lane = self._lane(chat)
            lane.held = max(lane.held, self._clock.monotonic() + wait + 0.1)
        return wait

    async def _turn(self, chat: str, wish: Wish, patience: Patience) -> None:
        """Wait until this chat takes the request. Raises Down when that is too long."""
        lane, now, urgency = self._lane(chat), self._clock.monotonic(), int(wish.progress)
        before = sum(other[0] <= urgency and not other[-1].done() for other in lane.waiting)
        ahead = lane.opens(now, wish, before) - now
        if ahead > patience.wait or lane.held - now > PATIENT:
            raise Down(HELD, wait=ahead, local=True)
        if ahead <= 0 and not before and self._overall <= now and not (wish.progress and self._busy):
            self._go(lane, now, wish)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(lane.waiting, (urgency, next(self._order), wish, turn))
        self._busy[chat] = lane
        if self._task is None:
            self._task = asyncio.create_task(self._serve(), name="requests to Telegram")
        await turn

    def _go(self, lane: Lane, now: float, wish: Wish) -> None:
        lane.went(now, wish)
        self._overall = max(self._overall, now) + wish.weight / OVERALL

    async def _serve(self) -> None:
        """Let those who wait go when their chat takes them, the most urgent of all chats first."""
        try:
            while (first := self._first()) is not None:
                now, (at, lane) = self._clock.monotonic(), first
                wait = max(at, self._overall) - now
                if wait > 0:
                    # Something more urgent may come meanwhile.
                    await self._clock.sleep(min(wait, LOOK))
                    continue
                _, _, wish, turn = heapq.heappop(lane.waiting)
                self._go(lane, now, wish)
                turn.set_result(None)
                await asyncio.sleep(0)
        finally:
            self._task = None

    def _first(self) -> tuple[float, Lane] | None:
        """The chat that is next, and the monotonic time from which it takes what waits for it."""
        now, best, first = self._clock.monotonic(), (math.inf, 0, 0), None
        for chat, lane in list(self._busy.items()):
            if lane.held - now > PATIENT:
                self._refuse(lane, lane.held - now)
            head = lane.head()
            if head is None:
                del self._busy[chat]
                continue
            urgency, number, wish, _ = head
            if (key := (lane.opens(now, wish), urgency, number)) < best:
                best, first = key, (key[0], lane)
        return first

    @staticmethod
    def _refuse(lane: Lane, wait: float) -> None:
        """Everyone who waits for this chat is told that it takes nothing."""
        while (head := lane.head()) is not None:
            head[-1].set_exception(Down(HELD, wait=wait, local=True))

    def _lane(self, chat: str) -> Lane:
        lane = self._lanes.get(chat)
        if lane is None:
            lane = self._lanes[chat] = Lane(group=chat.startswith("-"))
            self._forget()
        self._lanes.move_to_end(chat)
        return lane

    def _forget(self) -> None:
        """Drop chats that have been silent for longest, unless they are waited for or held."""
        if len(self._lanes) <= CHATS:
            return
        now = self._clock.monotonic()
        for chat, lane in list(itertools.islice(self._lanes.items(), 100)):
            if not lane.waiting and lane.held < now and lane.calm < now:
                del self._lanes[chat]


#: What counts against a chat's limits; a chat action or a deletion does not.
COUNTED = ("sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup", "edit")
HELD = "this chat takes nothing for a while"


def repeatable(endpoint: str) -> bool:
    """Whether doing it again cannot be seen: everything but sending, of which a chat would show two."""
    return not endpoint.startswith("send") or endpoint == "sendChatAction"


def unsent(error: BaseException) -> bool:
    """Whether the request surely never left this machine."""
    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def unauthorized(error: InvalidToken) -> bool:
    """Whether Telegram does not know the token any more; it calls unknown methods an invalid token too."""
    return "unauthorized" in error.message.casefold()
