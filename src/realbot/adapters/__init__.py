"""Front-ends: what they promise, and how a job is shown on its card.

A front-end turns what a person said into a Request, hands it to the studio and shows the job that comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from realbot.health import Watched
from realbot.jobs import Job, Status, is_final


class Adapter(Watched, Protocol):
    """One front-end: a chat platform, the web page, a terminal. Its `platform` is the first half of its users' keys."""

    async def serve(self, *, ready: asyncio.Event | None = None) -> None:
        """Serve until cancelled, then stop cleanly; `ready` is set once people can ask.

        Raises ConfigError when a setting keeps it from starting.
        """


class Card(Protocol):
    """The one place where a person sees a job."""

    pace: float  #: seconds between two changes of the card; a final status does not wait for it

    async def show(self, status: Status) -> None:
        """Replace what the card shows."""


async def final(job: Job) -> Status:
    """The job's last status, once it is there."""
    async for _ in job.watch():
        pass
    return job.status


async def follow(job: Job, card: Card) -> Status:
    """Show the job on its card until it is finished, and return the final status.

    Between two changes lie at least `card.pace` seconds; what happened meanwhile is skipped, the final status never.
    """
    async for status in job.watch():
        await card.show(status)
        if not is_final(status):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(card.pace):
                    await final(job)
    return job.status
