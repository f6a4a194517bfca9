"""Facts on their way to the one who reads them; of the steps of a run only the latest counts."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace

from realbot.engine import EngineDown, EngineUp, Fact, RunKey, Started, Step


class FactStream:
    """In order and complete but for steps, which a slow reader skips; `put` never waits."""

    def __init__(self, interval: float) -> None:
        #: Seconds between two steps.
        self._interval = interval
        self._ended = False
        self._queue: deque[Fact] = deque()
        self._steps: dict[RunKey, Step] = {}
        self._told = float("-inf")
        self._wake = asyncio.Event()

    def put(self, fact: Fact) -> None:
        if isinstance(fact, Step):
            held = self._steps.get(fact.key)
            preview = held.preview if held is not None and fact.preview is None else fact.preview
            self._steps[fact.key] = replace(fact, preview=preview)
        else:
            if isinstance(fact, EngineDown):
                self._steps.clear()
            elif not isinstance(fact, EngineUp | Started):
                self._steps.pop(fact.key, None)
            self._queue.append(fact)
        self._wake.set()

    def end(self) -> None:
        """Nothing follows; the reader gets what is there and then the end."""
        self._ended = True
        self._wake.set()

    async def read(self) -> AsyncIterator[Fact]:
        """The facts from the first unread one to the end."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            due = self._told + self._interval - loop.time() if self._steps else None
            if self._queue:
                yield self._queue.popleft()
            elif self._ended:
                return
            elif due is not None and due <= 0:
                self._told = loop.time()
                yield self._steps.pop(next(iter(self._steps)))
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(due):
                        await self._wake.wait()
