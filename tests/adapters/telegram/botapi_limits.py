"""Flood control: how many messages a chat takes, and for how long it takes none after that."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from botapi_calls import Call, Refusal

#: Messages a second in a private chat, at once after a pause, a minute in a group, and a second everywhere.
PRIVATE, BURST, GROUP, OVERALL = 1.0, 3, 20, 30


@dataclass(frozen=True)
class Excess:
    """A request that got 429. `early`: it came although the bot had been told how long to wait."""

    call: Call
    at: float
    seconds: int
    early: bool


@dataclass
class Bucket:
    level: float = BURST
    at: float = -math.inf


@dataclass
class Limits:
    """`on`: the usual limits apply; what a test holds with `hold` applies always."""

    now: Callable[[], float]
    on: bool = False
    refused: list[Excess] = field(default_factory=list)
    held: dict[int | None, float] = field(default_factory=dict)  #: until when, by chat; None for all of them
    _private: dict[int, Bucket] = field(default_factory=dict)
    _groups: dict[int, deque[float]] = field(default_factory=dict)
    _all: deque[float] = field(default_factory=deque)

    def hold(self, chat: int | None, seconds: float) -> None:
        """Flood control for a chat, or for the bot as a whole."""
        self.held[chat] = max(self.held.get(chat, 0.0), self.now() + seconds)

    def admit(self, call: Call) -> None:
        """Raises Refusal when it is too much."""
        if call.method.lower() in FREE:
            return
        chat = call.chat if isinstance(call.chat, int) else None
        now = self.now()
        until = max(self.held.get(None, 0.0), self.held.get(chat, 0.0) if counted(call) else 0.0)
        if until > now:
            self._refuse(call, until - now, early=True)
        if not self.on or not counted(call):
            return
        weight = len(call.get("media") or [1]) if call.method == "sendMediaGroup" else 1
        wait = self._wait(chat, weight, now)
        if wait > 0:
            self.hold(chat, math.ceil(wait))
            self._refuse(call, wait, early=False)
        self._count(chat, weight, now)

    def _wait(self, chat: int | None, weight: int, now: float) -> float:
        """Seconds until the request fits in."""
        recent = [moment for moment in self._all if moment > now - 1.0]
        wait = 1.0 - (now - recent[0]) if len(recent) >= OVERALL else 0.0
        if chat is None:
            return wait
        if chat > 0:
            bucket = self._private.setdefault(chat, Bucket())
            bucket.level = min(BURST, bucket.level + (now - bucket.at) * PRIVATE)
            bucket.at = now
            # An album may take what is not there yet, and be waited for afterwards.
            return max(wait, (1.0 - bucket.level) / PRIVATE)
        sent = self._groups.setdefault(chat, deque())
        while sent and sent[0] <= now - 60.0:
            sent.popleft()
        return max(wait, 60.0 - (now - sent[0])) if len(sent) + weight > GROUP and sent else wait

    def _count(self, chat: int | None, weight: int, now: float) -> None:
        self._all.extend([now] * weight)
        while self._all and self._all[0] <= now - 1.0:
            self._all.popleft()
        if chat is not None and chat > 0:
            self._private[chat].level -= weight
        elif chat is not None:
            self._groups[chat].extend([now] * weight)

    def _refuse(self, call: Call, wait: float, *, early: bool) -> None:
        seconds = max(1, math.ceil(wait))
        self.refused.append(Excess(call, self.now(), seconds, early))
        raise Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


#: What flood control never touches.
FREE = {"getupdates", "setwebhook", "deletewebhook", "getwebhookinfo", "getme"}


def counted(call: Call) -> bool:
    """Whether a request is a message or a change of one."""
    name = call.method.lower()
    return name.startswith(("send", "edit", "copy", "forward")) and name != "sendchataction"
