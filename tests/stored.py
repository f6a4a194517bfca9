"""Jobs in a store, brought as far as a test needs them."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path

from realbot import database
from realbot.jobs import Generate, Origin, StyleUse, Train, Upscale, User
from realbot.rows import OWN, Circle
from realbot.spending import Usage
from realbot.store import Row, Store

ANN, BOB = User("discord", "1", "Ann"), User("discord", "2", "Bob")
APPLE = Generate(prompt="a red apple on a blue background", seed=7, steps=12, styles=(StyleUse("ink", 0.5),))
STAGES = {"encode": 0.1, "denoise": 2.0}
NOW = 1_000_000.0
ids = itertools.count()


def free(_: Usage) -> None:
    """Admit everyone."""


async def put(
    store: Store,
    user: User = ANN,
    request: Generate | Upscale | Train = APPLE,
    *,
    job: str = "",
    asked: str | None = None,
    dedup: str | None = None,
    now: float = NOW,
    circle: Circle = OWN,
) -> Row:
    job = job or f"job-{next(ids)}"
    origin = Origin(user.platform, "room", server=circle.server.partition(":")[2])
    return await store.put(job, user, request, asked, origin, dedup, now, free, circle)


async def picture(store: Store, folder: Path, content: bytes = b"picture") -> str:
    source = folder / f"spool-{next(ids)}.png"
    source.write_bytes(content)
    return await store.adopt(source)


async def paint(
    store: Store,
    folder: Path,
    user: User = ANN,
    request: Generate = APPLE,
    *,
    key: str | None = "key",
    asked: str | None = None,
    content: bytes = b"picture",
    circle: Circle = OWN,
) -> Row:
    """A job all the way to delivered."""
    row = await put(store, user, request, asked=asked, circle=circle)
    image = await picture(store, folder, content)
    assert await store.start(row.id, 1)
    assert await store.produce(row.id, [image], 2.5, STAGES, "print", key)
    assert await store.deliver(row.id)
    assert await store.delivered(row.id)
    found = await store.row(row.id)
    assert found is not None
    return found


async def state(store: Store, job: str) -> str:
    row = await store.row(job)
    assert row is not None
    return row.state


def store_file(store: Store) -> Path:
    return store.folder / database.NAME


def multiply(folder: Path, state: str, times: int) -> None:
    """Insert so many copies of each job, in another state."""
    with closing(sqlite3.connect(folder / database.NAME)) as db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO jobs (id, platform, user_key, user_name, request, prompt, origin, state, created)"
            " SELECT id || '-' || i, platform, user_key, user_name, request, prompt, origin, ?, created FROM jobs, n",
            (times, state),
        )
        db.commit()


async def thirty(folder: Path) -> Path:
    """A folder that a store with thirty jobs has left cleanly."""
    async with Store.open(folder) as store:
        for n in range(30):
            await put(store, request=Generate(prompt=f"a red apple number {n} on a blue background"))
    return folder
