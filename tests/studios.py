"""A studio on a real store and engines in this process, and the words to talk to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pools import InProcessPool, lora
from realbot.config import Settings
from realbot.jobs import Done, Generate, Job, Origin, Status, User
from realbot.store import Store
from realbot.studio import Studio
from realbot.styles import Styles
from realbot.tickets import Pace

__all__ = ["lora"]
ANNA, BERT = User("web", "anna", "Anna"), User("web", "bert", "Bert")
HERE = Origin("web", "page")
QUICK = Pace(reattach=0.05, disk=0.02, sick=0.1)


@dataclass
class Rig:
    studio: Studio
    store: Store
    pool: InProcessPool
    styles: Styles

    async def ask(self, prompt: str, user: User = ANNA, **fields: Any) -> Job:
        dedup = fields.pop("dedup", None)
        fields.setdefault("steps", 2)
        return await self.studio.submit(user, Generate(prompt=prompt, **fields), HERE, dedup=dedup)

    async def paint(self, prompt: str, user: User = ANNA, **fields: Any) -> Done:
        status = await end(await self.ask(prompt, user, **fields))
        assert isinstance(status, Done), status
        return status

    async def state(self, job: Job) -> str:
        row = await self.store.row(job.id)
        assert row is not None
        return row.state

    async def bytes(self, done: Done, user: User = ANNA) -> list[bytes]:
        return [(await self.studio.picture(user, image)).read_bytes() for image in done.images]


def settings(**sections: Any) -> Settings:
    """Generous limits, unless the test says otherwise."""
    sections["limits"] = {"waiting_per_user": 1000, **sections.get("limits", {})}
    sections["queue"] = {"waiting_total": 5000, **sections.get("queue", {})}
    return Settings(**sections)


@asynccontextmanager
async def rig(
    folder: Path,
    *,
    grace: float = 0.0,
    pool: InProcessPool | None = None,
    sections: Any = None,
    waits: Pace = QUICK,
    clock: Callable[[], float] = time.time,
    classifier: Any = None,
    **options: Any,
) -> AsyncIterator[Rig]:
    """Open everything on a data folder, close it again."""
    engines = pool or InProcessPool(folder / "spool", **options)
    styles_folder = folder / "styles"
    styles_folder.mkdir(parents=True, exist_ok=True)
    styles = Styles([styles_folder, folder / "data" / "trained"])
    async with Store.open(folder / "data", clock) as store:
        studio = Studio(
            store, engines, settings(**(sections or {})), styles, pace=waits, clock=clock, classifier=classifier
        )
        await studio.open()
        try:
            yield Rig(studio, store, engines, styles)
        finally:
            await studio.close(grace)


async def end(job: Job, seconds: float = 20.0) -> Status:
    """The final status of a job."""
    async with asyncio.timeout(seconds):
        async for _ in job.watch():
            pass
    return job.status


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something that happens soon."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
