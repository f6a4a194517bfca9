"""A clock for tests, moved by those who wait on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from realbot.adapters.clock import Clock


@dataclass
class Time:
    """A clock that moves only when somebody sleeps on it; `slept` are the waits."""

    at: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += max(seconds, 0.0)
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, monotonic=lambda: self.at, sleep=self.sleep)
