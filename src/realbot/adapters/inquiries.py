"""Asks moderators about withheld pictures, again while their platform is away. Each platform knows how and where."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from realbot.adapters.outbox import Down
from realbot.jobs import Job

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.studio import Studio

log = logging.getLogger(__name__)

#: Seconds between two tries while the platform is away, and how often it is tried until the next start.
PAUSE, TRIES = 30.0, 20


class Inquiries(ABC):
    """One for a front-end; the part of its window that asks."""

    def __init__(self, studio: Studio, platform: str, clock: Clock) -> None:
        self._studio, self._platform, self._clock = studio, platform, clock

    async def open(self) -> None:
        """Ask again what an earlier life could not ask."""
        for job in await self._studio.safety.pending(self._platform):
            if "case" not in await self._studio.cards(job.id):
                await self.consult(job)

    async def consult(self, job: Job) -> None:
        """Ask moderators, where they are named for it, else the bot's owners."""
        for number in range(TRIES):
            if number:
                await self._clock.sleep(PAUSE)
            try:
                if await self._consulted(job):
                    return
            except Down as error:
                log.warning("moderators are not asked about job %s yet: %s", job.id, error)
        log.error("nobody could be asked about job %s", job.id)

    @abstractmethod
    async def _consulted(self, job: Job) -> bool:
        """Ask in the first place that takes it; whether one did. Raises Down."""
