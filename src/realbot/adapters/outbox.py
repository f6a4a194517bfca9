"""Results on their way: several at a time and the oldest first, in an outage one now and then to see if it is over."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from realbot.adapters.clock import Clock
from realbot.jobs import Job

log = logging.getLogger(__name__)

#: Results that are sent at the same time, one for each channel; platforms take thirty requests a second and more.
ABREAST = 8
#: Seconds until the next look during an outage: the first, and the longest.
FIRST, LONGEST = 2.0, 60.0


class Down(Exception):
    """A platform cannot be reached at the moment."""

    #: `wait` is how many seconds it wants to be left alone, 0 when it did not say; `uncertain` whether the request may
    #: have arrived all the same; `local` whether only its channel is concerned.
    def __init__(self, reason: str, *, wait: float = 0.0, uncertain: bool = False, local: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.uncertain, self.local = wait, uncertain, local


@dataclass(slots=True)
class Letter:
    """A job whose end is to be delivered. It is in the database too; memory holds no more than its name."""

    job: Job
    done: asyncio.Future[None] = field(repr=False)
    under_way: bool = False
    after: float = -math.inf  #: monotonic time before which its channel takes nothing


class Outbox:
    """`deliver` raises Down while the platform is away; everything else it settles itself."""

    def __init__(self, deliver: Callable[[Job], Awaitable[None]], clock: Clock, jitter: Callable[[], float]) -> None:
        self._deliver, self._clock, self._jitter = deliver, clock, jitter
        self._letters: dict[str, Letter] = {}
        self._workers: set[asyncio.Task[None] | None] = set()
        self._failures = 0
        self._closing = False

    @property
    def down(self) -> bool:
        """Whether the platform was away when last asked."""
        return self._failures > 0

    def busy(self, place: str) -> bool:
        """Whether progress in this channel has to wait."""
        return self.down or any(letter.job.origin.place == place for letter in self._letters.values())

    async def put(self, job: Job) -> None:
        """Deliver the end of a job; returns when that is settled."""
        letter = self._letters.get(job.id)
        if letter is None:
            letter = self._letters[job.id] = Letter(job, asyncio.get_running_loop().create_future())
        self._work()
        await asyncio.shield(letter.done)

    async def close(self, grace: float) -> None:
        """Wait for what is being sent, `grace` seconds at most. The rest stays undelivered in the database."""
        self._closing = True
        tasks = [task for task in self._workers if task is not None]
        if tasks and not self.down:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _work(self) -> None:
        most = 1 if self.down else min(ABREAST, sum(not letter.under_way for letter in self._letters.values()))
        while not self._closing and len(self._workers) < most:
            self._workers.add(asyncio.create_task(self._drain(), name="outbox"))

    async def _drain(self) -> None:
        try:
            while not self._closing:
                letter = self._next()
                if letter is None:
                    return
                wait = letter.after - self._clock.monotonic()
                if wait > 0:
                    await self._clock.sleep(wait)
                    continue
                if not await self._try(letter):
                    return
        finally:
            self._workers.discard(asyncio.current_task())

    def _next(self) -> Letter | None:
        """The oldest whose channel is free now, else the one whose channel is free first."""
        taken = {letter.job.origin.place for letter in self._letters.values() if letter.under_way}
        free = [letter for letter in self._letters.values() if letter.job.origin.place not in taken]
        now = self._clock.monotonic()
        return min(free, key=lambda one: (max(one.after, now), one.job.created), default=None)

    async def _try(self, letter: Letter) -> bool:
        """Deliver one; whether this worker goes on."""
        letter.under_way = True
        try:
            await self._deliver(letter.job)
        except Down as error:
            letter.under_way = False
            if error.local:
                letter.after = self._clock.monotonic() + error.wait
                return True
            return await self._away(error)
        except Exception:
            log.exception("job %s could not be delivered; it is tried again at the next start", letter.job.id)
        finally:
            letter.under_way = False
        self._letters.pop(letter.job.id, None)
        if not letter.done.done():
            letter.done.set_result(None)
        if self._failures:
            log.info("%s is back; %d results are left to deliver", letter.job.origin.platform, len(self._letters))
            self._failures = 0
        self._work()
        return True

    async def _away(self, error: Down) -> bool:
        """Wait for the next look; only one of those that find the platform away does."""
        if not self._failures:
            log.warning("results wait: %s", error)
            self._failures = 1
        if len(self._workers) > 1:
            return False
        pause = min(LONGEST, FIRST * 2.0 ** (self._failures - 1)) * (0.5 + 0.5 * self._jitter())
        self._failures = min(self._failures + 1, 10)
        await self._clock.sleep(max(pause, error.wait))
        return True
