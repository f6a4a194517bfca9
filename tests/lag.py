"""How long the event loop was blocked: a task that sleeps 10 ms and measures by how much it overslept."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path


def _starved() -> float:
    """Seconds this thread was ready but had no CPU: the machine's fault, not the program's."""
    try:
        text = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(text.split()[1]) / 1e9


class LagProbe:
    """`async with LagProbe() as probe: ...`, then `probe.worst` and `probe.quantile(0.99)`, in seconds."""

    def __init__(self, interval: float = 0.01) -> None:
        self.interval = interval
        self.lags: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LagProbe:
        self._task = asyncio.create_task(self._probe())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        # A block just before the end still counts.
        await asyncio.sleep(2 * self.interval)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def worst(self) -> float:
        return max(self.lags, default=0.0)

    def quantile(self, q: float) -> float:
        ordered = sorted(self.lags)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0

    async def _probe(self) -> None:
        while True:
            before, starved = time.monotonic(), _starved()
            await asyncio.sleep(self.interval)
            late = time.monotonic() - before - self.interval - (_starved() - starved)
            self.lags.append(max(0.0, late))
