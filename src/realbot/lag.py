"""Notices when the event loop stands still, and writes down what it was doing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

#: Seconds without a turn of the loop that are too many, and that are written down with what it was doing.
TOO_LONG, STUCK = 0.25, 1.0
#: Seconds between two such lines in the log, and until all is well again.
APART, WELL = 10.0, 60.0
BEAT = 0.05


class Probe:
    """Watches the loop in which it runs, from a thread beside it."""

    def __init__(self, too_long: float = TOO_LONG, stuck: float = STUCK) -> None:
        self._too_long, self._stuck = too_long, stuck
        self._turn = time.monotonic()
        self._alarm = self._told = float("-inf")
        self._stop = threading.Event()
        self._worst = 0.0
        #: The longest that the loop stood still, in seconds.
        self.longest = 0.0

    @property
    def degraded(self) -> bool:
        """Whether the loop stood still lately."""
        return time.monotonic() - self._alarm < WELL

    @property
    def still(self) -> float:
        """For how many seconds the loop has had no turn by now."""
        return max(0.0, time.monotonic() - self._turn - BEAT)

    def worst(self) -> float:
        """The longest that the loop stood still since this was asked last, in seconds."""
        worst, self._worst = max(self._worst, self.still), 0.0
        return worst

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        self._turn = time.monotonic()
        self._stop.clear()
        thread = threading.Thread(target=self._watch, args=(threading.get_ident(),), name="loop watch", daemon=True)
        thread.start()
        task = asyncio.create_task(self._beat(), name="loop watch")
        try:
            yield
        finally:
            self._stop.set()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            self._worst = max(self._worst, self.still)
            self._turn = time.monotonic()

    def _watch(self, loop_thread: int) -> None:
        while not self._stop.wait(BEAT):
            still = time.monotonic() - self._turn - BEAT
            if still < self._too_long:
                continue
            now = time.monotonic()
            self._alarm, self.longest = now, max(self.longest, still)
            if still < self._stuck or now - self._told < APART:
                continue
            self._told = now
            frame = sys._current_frames().get(loop_thread)
            stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
            log.warning("the event loop has stood still for %.2f s", still, extra={"stack": stack})
