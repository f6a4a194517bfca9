"""What was promised and what came of it: jobs, history, cache and usage in SQLite; picture files by their hash.

Every verb is one transaction and returns after its commit is on disk. Verbs that show a person's content take the
person, and `None` stands for everyone where an operator shares the cache.
"""

# ruff: noqa: S608 - the parts of these queries are constants

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import aiosqlite
from filelock import FileLock

from . import database, rows
from .belongings import Belongings
from .errors import ConfigError, NotYours
from .jobs import Generate, ImageId, Origin, Request, Train, User, to_json
from .rows import ACCOUNTS, JOB, OWN, Circle, Row
from .spending import WINDOWS, Usage
from .tombstones import Tombstones
from .writer import PATIENCE, Connection, Writer, finish

__all__ = ["Row", "Store", "Usage"]

#: What a picture took of the engine counts, unless it was handed back; a training takes what nobody else wants.
_PAINTED = """
    UPDATE charges SET seconds = :seconds WHERE job = :job AND pictures > 0
        AND (SELECT json_extract(request, '$.verb') FROM jobs WHERE id = :job) <> 'train'
"""
#: Seconds for which a folder may still be held by a process that was killed while it started another.
HELD = 1.0
#: Observations of durations and of promised times that are kept.
OBSERVATIONS = 2000


class Store(Belongings):
    """Use `async with Store.open(folder) as store`."""

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, clock: Callable[[], float] = time.time) -> AsyncIterator[Store]:
        """Open the data folder for this process alone.

        Raises ConfigError in one sentence when it is in use, cannot be written, lies on a network file system, or
        when its database is damaged, rolled back, of a newer realbot or of another program.
        """
        folder = await asyncio.to_thread(folder.absolute)
        await asyncio.to_thread(database.prepare, folder)
        lock = await _locked(folder)
        ledger = database.Ledger(folder)
        try:
            tombstones = await finish(asyncio.ensure_future(asyncio.to_thread(_ready, folder, ledger)))
            assert tombstones is not None
            async with Connection(folder / database.NAME) as db:
                db.row_factory = sqlite3.Row
                for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                    await (await db.execute(f"PRAGMA {pragma}")).close()
                writer = Writer(db, ledger.commits, ledger.write, folder)
                try:
                    store = cls(folder, writer, clock, tombstones)
                    await store.revived()
                    await store.people.open()
                    await store.bans.open()
                    await store.wardrobe.open()
                    await store.sweep()
                    yield store
                finally:
                    await writer.close()
        finally:
            ledger.close()
            lock.release()

    def timed(self, tell: Callable[[float], None]) -> None:
        """Tell how many seconds each commit takes from now on."""
        self._writer.timed = tell

    # Acceptance and the line

    async def put(  # noqa: PLR0917 - who, what, where, when
        self,
        job_id: str,
        user: User,
        request: Request,
        asked_key: str | None,
        origin: Origin,
        dedup: str | None,
        now: float,
        admit: Callable[[Usage], None],
        circle: Circle = OWN,
        *,
        seconds: float = 0.0,
        windows: Iterable[float] = WINDOWS,
    ) -> Row:
        """Accept a resolved request, or return the row that the same person's same `dedup` already made.

        `admit` sees the usage inside the transaction, of these `windows`, and raises Refused to take nothing. So many
        `seconds` are charged until it is painted. Raises QueueFull when another program holds the database for
        `PATIENCE` seconds or the disk is full.
        """
        inputs, alias = rows.inputs(request), self._alias(user.key)

        async def work(db: aiosqlite.Connection) -> Row:
            if dedup is not None:
                found = await rows.one(db, JOB + " WHERE user_key = ? AND dedup = ?", (user.key, dedup))
                if found is not None:
                    return rows.load(found)
            usage = await rows.usage(db, user.key, alias, now, origin.server_key, windows)
            if isinstance(request, Train):
                begun, have = await rows.schooled(db, user.key, now)
                usage = replace(usage, trainings=begun, styles=have)
            admit(usage)
            if isinstance(request, Train):
                await self.wardrobe.reserve(db, request.style, job_id, user.key)
            count = request.count if isinstance(request, Generate) else 1
            made = await rows.one(
                db,
                "INSERT INTO jobs (id, platform, user_key, user_name, request, prompt, origin, dedup, asked_key, state,"
                " created, scope) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'accepted', ?, ?) RETURNING seq",
                (
                    job_id,
                    user.platform,
                    user.key,
                    rows.text(user.name),
                    json.dumps(to_json(request), allow_nan=False),
                    rows.prompt(request),
                    json.dumps(asdict(origin)),
                    dedup,
                    asked_key,
                    now,
                    circle.scope,
                ),
            )
            assert made is not None
            await db.execute(
                f"INSERT INTO charges (job, user_key, at, pictures, seconds)"
                f" SELECT :job, user_key, :at, :pictures, :seconds FROM ({ACCOUNTS})",
                {"job": job_id, "user": user.key, "at": now, "pictures": count, "seconds": seconds},
            )
            await rows.refer(db, made["seq"], "input", inputs)
            row = await rows.one(db, JOB + " WHERE id = ?", (job_id,))
            assert row is not None
            return rows.load(row)

        row = await self._writer.run(work, patience=PATIENCE)
        self._settle(inputs)
        self.traces.accepted()
        if isinstance(request, Train):
            await self.wardrobe.reread()
        return row

    async def waiting(self) -> list[Row]:
        """Every job that is accepted or was running, in the order of acceptance."""
        return await self._rows(JOB + " WHERE state IN ('accepted', 'running') ORDER BY seq")

    async def pending(self, platform: str) -> list[Row]:
        """Every job of a platform whose end its owner has not seen yet, in the order of acceptance."""
        return await self._rows(JOB + " WHERE platform = ? AND shown = 0 ORDER BY seq", (platform,))

    async def row(self, job_id: str, user: User | None = None) -> Row | None:
        """A job by its id. Raises NotYours when `user` is given and it is someone else's."""
        found = await self._rows(JOB + " WHERE id = ?", (job_id,))
        if found and user is not None and not self.people.same(found[0].user_key, user.key):
            raise NotYours
        return found[0] if found else None

    async def usage(self, user: User, now: float, server: str = "") -> Usage:
        """What counts against this person's limits, in a server by its key."""
        alias = self._alias(user.key)
        return await self._writer.run(lambda db: rows.usage(db, user.key, alias, now, server), write=False)

    async def forgive(self, user: User, server: str, now: float) -> None:
        """Hand back what a person has asked for: where a server, by its key, is judged, or without one for good."""
        alias = self._alias(user.key)

        async def work(db: aiosqlite.Connection) -> None:
            if not server:
                await db.execute(
                    "UPDATE charges SET pictures = 0, seconds = 0 WHERE job IN"
                    " (SELECT job FROM charges WHERE user_key IN (?, ?))",
                    (user.key, alias),
                )
            else:
                await db.execute(
                    f"INSERT INTO forgiven SELECT user_key, :server, :at FROM ({ACCOUNTS}) WHERE true"
                    " ON CONFLICT (user_key, place) DO UPDATE SET at = excluded.at",
                    {"user": user.key, "server": server, "at": now},
                )

        await self._writer.run(work)

    # From accepted to delivered. Each returns whether the job was in a state that allows it.

    async def start(self, job_id: str, attempt: int) -> bool:
        """An engine has it. An attempt not above the last one is refused."""
        return await self._change(
            "UPDATE jobs SET state = 'running', attempt = ?, started = ? WHERE id = ? AND state = 'accepted'"
            " AND attempt < ?",
            (attempt, self._clock(), job_id, attempt),
        )

    async def requeue(self, job_id: str, *, died: bool = False) -> bool:
        """Back to its place in the line, with the same seed; `died` counts a death of the engine that ran it."""
        return await self._change(
            "UPDATE jobs SET state = 'accepted', deaths = deaths + ? WHERE id = ? AND state = 'running'",
            (int(died), job_id),
        )

    async def produce(  # noqa: PLR0917 - an answer has that many parts
        self,
        job_id: str,
        pictures: Sequence[ImageId],
        seconds: float,
        stages: Mapping[str, float],
        fingerprint: str,
        key: str | None,
        *,
        notes: Iterable[tuple[str, str]] = (),
        cached: bool = False,
        attempt: int | None = None,
    ) -> bool:
        """The adopted pictures are the answer. `key=None` keeps it out of the cache; `cached` makes it free of charge.

        With `attempt`, the answer of an older attempt is refused. Pictures of a refused answer are deleted.
        """

        async def work(db: aiosqlite.Connection) -> bool:
            made = await rows.one(
                db,
                "UPDATE jobs SET state = 'produced', seconds = ?, stages = ?, fingerprint = ?, key = ?, notes = ?,"
                " cached = ?, finished = ? WHERE id = ? AND state IN ('accepted', 'running')"
                " AND (? IS NULL OR attempt = ?) RETURNING seq",
                (
                    seconds,
                    json.dumps(dict(stages)),
                    fingerprint,
                    key,
                    json.dumps([list(note) for note in notes]),
                    int(cached),
                    self._clock(),
                    job_id,
                    attempt,
                    attempt,
                ),
            )
            if made is None:
                return False
            await rows.refer(db, made["seq"], "result", pictures)
            if cached:
                await rows.refund(db, job_id)
            else:
                await db.execute(_PAINTED, {"seconds": seconds, "job": job_id})
            return True

        done = await self._writer.run(work)
        self._settle(pictures)
        if done:
            self.traces.painted(pictures)
        else:
            await self._drop(pictures)
        return done

    async def deliver(self, job_id: str) -> bool:
        """Its owner is about to be shown the answer."""
        return await self._change(
            "UPDATE jobs SET state = 'delivering' WHERE id = ? AND state IN ('produced', 'delivering')", (job_id,)
        )

    async def delivered(self, job_id: str) -> bool:
        """Its owner has seen the end of it, be it a picture, an error or a cancellation."""
        return await self._change(
            "UPDATE jobs SET shown = 1, state = CASE WHEN state IN ('produced', 'delivering') THEN 'delivered'"
            " ELSE state END WHERE id = ? AND state NOT IN ('accepted', 'running')",
            (job_id,),
        )

    async def keep(self, job_id: str, reason: str) -> bool:
        """It could not be delivered and stays in the history, with the reason."""
        return await self._change(
            "UPDATE jobs SET shown = 1, state = 'kept', detail = ? WHERE id = ?"
            " AND state IN ('produced', 'delivering')",
            (rows.text(reason), job_id),
        )

    async def cancel(self, job_id: str, detail: str = "") -> bool:
        """Give it up before it is produced, for a reason that its person is told; it is not charged."""
        return await self._end(job_id, "cancelled", "", detail)

    async def fail(self, job_id: str, kind: str, detail: str) -> bool:
        """Give it up because of an error, named by its class; it is not charged."""
        return await self._end(job_id, "failed", kind, detail)

    async def quarantine(self, job_id: str, reason: str) -> bool:
        """Never run it again: it took its engines with it."""
        return await self._end(job_id, "quarantined", "EngineLost", reason)

    async def _end(self, job_id: str, state: str, error: str, detail: str) -> bool:
        async def work(db: aiosqlite.Connection) -> bool:
            ended = await rows.count(
                db,
                "UPDATE jobs SET state = ?, error = ?, detail = ?, finished = ? WHERE id = ?"
                " AND state IN ('accepted', 'running')",
                (state, error, rows.text(detail), self._clock(), job_id),
            )
            if ended:
                await rows.refund(db, job_id)
            return ended > 0

        return await self._writer.run(work)

    # What the arrival times learn from, and small facts

    async def record(self, features: Mapping[str, Any], stages: Mapping[str, float]) -> None:
        """Remember how long a picture with these features took, in seconds by stage."""
        await self._observe(
            "INSERT INTO timings (at, features, stages) VALUES (?, ?, ?)",
            "DELETE FROM timings WHERE seq <= (SELECT max(seq) FROM timings) - ?",
            (json.dumps(dict(features)), json.dumps(dict(stages))),
        )

    async def timings(self) -> list[tuple[dict[str, Any], dict[str, float]]]:
        """The last observations as (features, stages), the oldest first."""
        found = await self._writer.run(
            lambda db: rows.rows(db, "SELECT features, stages FROM timings ORDER BY seq"), write=False
        )
        return [(json.loads(row["features"]), json.loads(row["stages"])) for row in found]

    async def score(self, low: float, high: float, actual: float, server: str = "") -> None:
        """Remember a promised range and what became of it, all in seconds, and the server it was told in."""
        await self._observe(
            "INSERT INTO scores (at, low, high, actual, server) VALUES (?, ?, ?, ?, ?)",
            "DELETE FROM scores WHERE seq <= (SELECT max(seq) FROM scores) - ?",
            (low, high, actual, server),
        )

    async def scores(self) -> list[tuple[float, float, float]]:
        """The last promises as (low, high, actual), the oldest first."""
        found = await self._writer.run(
            lambda db: rows.rows(db, "SELECT low, high, actual FROM scores ORDER BY seq"), write=False
        )
        return [(row["low"], row["high"], row["actual"]) for row in found]

    async def remember(self, name: str, value: str) -> None:
        """Keep a small fact, such as the engine's last fingerprint, under a name."""
        await self._change(
            "INSERT INTO meta VALUES ('fact ' || ?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    async def remembered(self, name: str) -> str | None:
        """The fact kept under a name."""
        found = await self._writer.run(
            lambda db: rows.one(db, "SELECT value FROM meta WHERE name = 'fact ' || ?", (name,)), write=False
        )
        return None if found is None else str(found["value"])

    async def _observe(self, add: str, trim: str, values: Sequence[Any]) -> None:
        async def work(db: aiosqlite.Connection) -> None:
            await db.execute(add, (self._clock(), *values))
            await db.execute(trim, (OBSERVATIONS,))

        await self._writer.run(work)


async def _locked(folder: Path) -> FileLock:
    """Take the folder for this process. Raises ConfigError when another one has it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + HELD
    while True:
        try:
            return database.lock(folder)
        except ConfigError:
            if loop.time() > until:
                raise
        await asyncio.sleep(0.05)


def _ready(folder: Path, ledger: database.Ledger) -> Tombstones:
    """Check and migrate the database, open the ledger where it stands, and return what was deleted from it for good."""
    known = database.steps()
    have = database.check(folder, known, ledger.read())
    database.migrate(folder, have, known)
    database.tidy(folder, time.time())
    with closing(sqlite3.connect(folder / database.NAME)) as db:
        name, commits = database.identity(db)
        ledger.open(name, commits)
        return Tombstones(folder, name, database.pepper(db))
