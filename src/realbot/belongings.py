"""Everything that belongs to one person: handed out whole, and deleted without a trace."""

# ruff: noqa: S608 - the names of tables are constants

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import sqlite3
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from . import audit, bans, rows
from .archive import SOME, deleted
from .bans import Bans
from .cases import CLOSED, Cases
from .errors import NotYours
from .inbox import OPENED, Inbox
from .jobs import ImageId, User
from .people import People
from .registry import Registry
from .rows import ACCOUNTS, COUNTED, MINE
from .tombstones import Tombstones, applied, apply
from .traces import Traces
from .wardrobe import Wardrobe
from .writer import Work, Writer

T = TypeVar("T")

#: Tables beside the jobs that hold something of a person, and the column that says of whom.
OWNED = {
    "charges": "user_key",
    "forgiven": "user_key",
    "preferences": "user_key",
    "actions": "owner",
    "audit": "author",
    "inbox": "owner",
    "people": "user_key",
    "codes": "user_key",
    "trained": "user_key",
    "brought": "user_key",
    "bans": "subject",
}
#: Seconds for which a file that was handed out stays on the disk.
STAY = 3600.0
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class _Gone:
    """What was deleted with one account, or with one job or style that came back."""

    jobs: int = 0
    images: list[ImageId] = field(default_factory=list)
    styles: list[tuple[str, str]] = field(default_factory=list)  #: names and jobs


class Belongings(Registry, Inbox):
    """The part of the store that answers a person's right to see and to delete."""

    def __init__(self, folder: Path, writer: Writer, clock: Callable[[], float], tombstones: Tombstones) -> None:
        super().__init__(folder, writer, clock)
        self.tombstones = tombstones
        self._pepper = tombstones.pepper
        self.cases = Cases(writer, clock)
        self.people = People(writer, clock, self._pepper)
        self.bans = Bans(writer, clock, self._pepper, self.people)
        self.traces = Traces(writer)
        self.wardrobe = Wardrobe(folder, writer, self.people, clock, tombstones)

    async def export(self, user: User, *, pictures: bool = True) -> Path:
        """A ZIP file with every row and picture of a person, of all linked accounts, for the process's owner to read.

        Whoever sends it deletes it; what is left is deleted after an hour.
        """

        async def work(db: aiosqlite.Connection) -> dict[str, list[dict[str, Any]]]:
            who = {"user": user.key}
            jobs = await rows.rows(db, f"SELECT * FROM jobs WHERE {MINE} ORDER BY seq", who)
            mine = f"SELECT seq FROM jobs WHERE {MINE}"
            held = await rows.rows(
                db, f"SELECT job, role, n, image FROM pictures WHERE job IN ({mine}) ORDER BY job, role, n", who
            )
            cards = await rows.rows(
                db, f"SELECT cards.* FROM cards JOIN jobs ON jobs.id = cards.job WHERE {MINE} ORDER BY seq", who
            )
            closed = await rows.rows(db, CLOSED, who)
            told = {"jobs": jobs, "pictures": held, "cards": cards, "withheld": closed}
            for table, column in OWNED.items():
                # Some of what counts was asked for by an account that is not linked any more.
                # Who pronounced a ban is not the business of whom it holds for.
                shown = {"charges": "user_key, at, pictures, seconds", "bans": "subject, place, reason, at, until"}.get(
                    table, "*"
                )
                told[table] = await rows.rows(db, f"SELECT {shown} FROM {table} WHERE {column} IN ({ACCOUNTS})", who)
            return {table: [_readable(row) for row in found] for table, found in told.items()}

        told = await self._writer.run(work, write=False)
        images = await self.cases.seen(user.key, {row["image"] for row in told["pictures"]}) if pictures else []
        folder = self.folder / "exports"
        name = f"{self._alias(user.key)[:16]}-{secrets.token_hex(16)}.zip"
        styles = [row["name"] for row in told["trained"] if row["sha256"]]
        return await asyncio.to_thread(self._pack, folder / name, {"user": user.key, **told}, images, styles)

    async def keeps(self, user: User) -> bool:
        """Whether anything at all is kept of a person."""
        held = {"jobs": "user_key", **OWNED}
        sql = " UNION ALL ".join(
            f"SELECT 1 FROM {table} WHERE {column} IN ({ACCOUNTS})" for table, column in held.items()
        )
        found = await self._writer.run(lambda db: rows.one(db, f"{sql} LIMIT 1", {"user": user.key}), write=False)
        return found is not None

    async def erase(self, user: User) -> int:
        """Delete every row, picture and file of a person, of all linked accounts, and return how many jobs there were.

        What counts against the limits stays for a month under a keyed hash, so that deleting is no way around them;
        administrators' changes stay without a name, and the ids of messages stay without content.
        """

        keys = self.people.accounts(user.key)

        begun: list[_Gone] = []

        async def some(db: aiosqlite.Connection) -> _Gone:
            listed = json.dumps(keys)
            sql = "SELECT seq FROM jobs WHERE user_key IN (SELECT value FROM json_each(?)) LIMIT ?"
            found = [row["seq"] for row in await rows.rows(db, sql, (listed, SOME))]
            return _Gone(len(found), await deleted(db, found))

        async def first() -> None:
            """Others have their turn between two verbs, however long a history is."""
            while (gone := await self._writer.run(some)).jobs:
                begun.append(gone)

        async def work(db: aiosqlite.Connection) -> list[_Gone]:
            return [await self._gone(db, key) for key in keys]

        gone = begun + await self._buried([("person", key) for key in keys], work, first)
        await self.people.open()
        await self.bans.open()
        await self._clean(gone, keys)
        return sum(one.jobs for one in gone)

    async def forget(self, user: User, job_id: str) -> None:
        """Delete a job and the pictures no other job refers to. Raises NotYours when the person has no such job."""
        own = f"SELECT seq FROM jobs WHERE id = :job AND {MINE}"
        asked = {"job": job_id, "user": user.key}
        if await self._writer.run(lambda db: rows.one(db, own, asked), write=False) is None:
            raise NotYours

        async def work(db: aiosqlite.Connection) -> list[ImageId]:
            return await deleted(db, [row["seq"] for row in await rows.rows(db, own, asked)])

        await self._drop(await self._buried([("job", job_id)], work))

    async def revived(self) -> int:
        """Delete again what this database, which is an older copy, has back; how many people, jobs and styles.

        What was deleted before its time stays deleted, and what came after a deletion stays.
        """
        stones = self.tombstones.after(await self._writer.run(applied, write=False))
        if not stones:
            return 0
        told = {(stone.kind, stone.hash): stone.at for stone in stones}

        async def work(db: aiosqlite.Connection) -> list[_Gone]:
            gone = [
                await self._gone(db, key, told["person", self._alias(key)])
                for key in await _everybody(db)
                if ("person", self._alias(key)) in told
            ]
            if any(kind == "job" for kind, _ in told):
                jobs = await rows.rows(db, "SELECT seq, id FROM jobs")
                back = [row["seq"] for row in jobs if ("job", self.tombstones.hash("job", row["id"])) in told]
                if back:
                    gone.append(_Gone(len(back), await deleted(db, back)))
            for row in await rows.rows(db, "SELECT name, job FROM trained"):
                if ("style", self.tombstones.hash("style", f"{row['name']} {row['job']}")) in told:
                    await db.execute("DELETE FROM trained WHERE name = ?", (row["name"],))
                    gone.append(_Gone(styles=[(row["name"], row["job"])]))
            await apply(db, stones[-1].number)
            return gone

        gone = await self._writer.run(work)
        await self._clean(gone, [])
        return len(gone)

    async def mend(self, images: Sequence[ImageId], styles: Sequence[str]) -> None:
        """These pictures and trained styles are lost: no request is answered by them, and no style is offered."""
        await self._discard(images)
        await self.wardrobe.lose(styles)
        await self._change("INSERT OR REPLACE INTO meta VALUES ('fact lost', ?)", (json.dumps(list(images)),))

    async def _gone(self, db: aiosqlite.Connection, key: str, before: float = _NEVER) -> _Gone:
        """Delete what one account has from before a Unix time."""
        trained = await rows.rows(db, "SELECT name, job FROM trained WHERE user_key = ? AND made <= ?", (key, before))
        found = await rows.rows(db, "SELECT seq FROM jobs WHERE user_key = ? AND created <= ?", (key, before))
        images = await deleted(db, [row["seq"] for row in found])
        await self._part(db, key, before)
        return _Gone(len(found), images, [(row["name"], row["job"]) for row in trained])

    async def _buried(
        self, marks: Sequence[tuple[str, str]], work: Work[T], first: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        return await self.tombstones.bury(self._writer, marks, self._clock(), work, first)

    async def _clean(self, gone: Sequence[_Gone], keys: Sequence[str]) -> None:
        """Delete the files of what is in no row any more, and every trace of it in the others."""
        await self.wardrobe.gone([style for one in gone for style in one.styles])
        await self._drop([image for one in gone for image in one.images])
        for key in keys:
            await asyncio.to_thread(self._unpack, f"{self._alias(key)[:16]}-*")
        # What the page keeps for a moment tells nobody's name, and is made again.
        for path in (self.folder / "web").glob("*"):
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        await self.scrub()

    async def _part(self, db: aiosqlite.Connection, key: str, before: float) -> None:
        """Delete what one account has beside its jobs from before a Unix time."""
        who, alias = (key, before), self._alias(key)
        for table, column in OWNED.items():
            if table not in ("charges", "audit", "inbox", "bans", "actions"):
                # Nothing tells when the others are from. Links and defaults are soon made again, codes are soon void.
                then = {"forgiven": "at", "trained": "made", "brought": "at"}.get(table)
                old = f"AND {then} <= :before" if then else ""
                await db.execute(f"DELETE FROM {table} WHERE {column} = :key {old}", {"key": key, "before": before})
        # A button is as old as the job that it is for.
        young = "SELECT id FROM jobs WHERE user_key = ? AND created > ?"
        await db.execute(f"DELETE FROM actions WHERE owner = ? AND coalesce(job, '') NOT IN ({young})", (key, *who))
        await db.execute("DELETE FROM charges WHERE user_key = ? AND at < ?", (key, self._clock() - COUNTED))
        await db.execute("UPDATE OR REPLACE charges SET user_key = ? WHERE user_key = ? AND at <= ?", (alias, *who))
        await bans.disown(db, key, alias, before)
        await audit.disown(db, key, alias, before)
        await db.execute("UPDATE withheld SET author = '' WHERE author = ? AND decided <= ?", who)
        await db.execute(f"{OPENED} WHERE owner = ? AND at <= ?", (self._clock(), *who))

    def _alias(self, user_key: str) -> str:
        return rows.alias(self._pepper, user_key)

    def unpacked(self) -> None:
        """Delete what was handed out and not taken for so long that nobody will."""
        for old in (self.folder / "exports").glob("*"):
            with contextlib.suppress(OSError):
                if old.stat().st_mtime < self._clock() - STAY:
                    old.unlink()

    def _unpack(self, name: str) -> None:
        """Delete what was handed out under such a name."""
        for path in (self.folder / "exports").glob(name):
            path.unlink(missing_ok=True)

    def _pack(self, path: Path, told: dict[str, Any], images: Sequence[ImageId], styles: Sequence[str]) -> Path:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self.unpacked()
        path.touch(mode=0o600)
        with zipfile.ZipFile(path, "w") as archive:
            text = json.dumps(told, indent=2, ensure_ascii=False)
            archive.writestr("realbot.json", text.encode("utf-8", "replace"), zipfile.ZIP_DEFLATED)
            for image in images:
                file = self._pictures.path(image)
                with contextlib.suppress(FileNotFoundError):
                    archive.write(file, f"pictures/{file.name}")
            for style in styles:
                file = self.wardrobe.file(style)
                with contextlib.suppress(FileNotFoundError):
                    archive.write(file, f"styles/{file.name}")
        return path


def _readable(row: sqlite3.Row) -> dict[str, Any]:
    """A row whose JSON columns are data."""
    data = dict(row)
    for name in ("request", "origin", "stages", "notes", "extra", "value", "change", "data"):
        if isinstance(data.get(name), str):
            data[name] = json.loads(data[name])
    return data


async def _everybody(db: aiosqlite.Connection) -> list[str]:
    """The key of every account of which something is kept."""
    tables = {"jobs": "user_key", **OWNED}
    told = "SELECT json_extract(change, '$.person') AS key FROM audit"
    union = " UNION ".join([*(f"SELECT {column} AS key FROM {table}" for table, column in tables.items()), told])
    return [row["key"] for row in await rows.rows(db, f"SELECT key FROM ({union}) WHERE key <> ''")]
