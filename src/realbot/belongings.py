"""Everything that belongs to one person: handed out whole, and deleted without a trace."""

# ruff: noqa: S608 - the names of tables are constants

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from . import rows
from .archive import deleted
from .inbox import OPENED, Inbox
from .jobs import ImageId, User
from .people import People
from .registry import Registry
from .rows import ACCOUNTS, DAY, MINE
from .wardrobe import Wardrobe
from .writer import Writer

#: Tables beside the jobs that hold something of a person, and the column that says of whom.
OWNED = {
    "charges": "user_key",
    "preferences": "user_key",
    "actions": "owner",
    "audit": "author",
    "inbox": "owner",
    "people": "user_key",
    "codes": "user_key",
    "trained": "user_key",
    "brought": "user_key",
}
#: Seconds for which a file that was handed out stays on the disk.
STAY = 3600.0


class Belongings(Registry, Inbox):
    """The part of the store that answers a person's right to see and to delete."""

    def __init__(self, folder: Path, writer: Writer, clock: Callable[[], float], pepper: bytes) -> None:
        super().__init__(folder, writer, clock)
        self._pepper = pepper
        self.people = People(writer, clock, pepper)
        self.wardrobe = Wardrobe(folder, writer, self.people, clock)

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
            told = {"jobs": jobs, "pictures": held, "cards": cards}
            for table, column in OWNED.items():
                # Some of what counts was asked for by an account that is not linked any more.
                shown = "user_key, at, pictures" if table == "charges" else "*"
                told[table] = await rows.rows(db, f"SELECT {shown} FROM {table} WHERE {column} IN ({ACCOUNTS})", who)
            return {table: [_readable(row) for row in found] for table, found in told.items()}

        told = await self._writer.run(work, write=False)
        images = sorted({row["image"] for row in told["pictures"]}) if pictures else []
        folder = self.folder / "exports"
        name = f"{self._alias(user.key)[:16]}-{secrets.token_hex(16)}.zip"
        styles = [row["name"] for row in told["trained"] if row["sha256"]]
        return await asyncio.to_thread(self._pack, folder / name, {"user": user.key, **told}, images, styles)

    async def erase(self, user: User) -> int:
        """Delete every row, picture and file of a person, of all linked accounts, and return how many jobs there were.

        What counts against the limits of these 24 hours stays under a keyed hash, so that deleting is no way around
        them; administrators' changes stay without a name, and the ids of messages stay without content.
        """

        async def work(db: aiosqlite.Connection) -> tuple[list[str], int, list[ImageId], list[tuple[str, str]]]:
            trained = await rows.rows(db, f"SELECT name, job FROM trained WHERE {MINE}", {"user": user.key})
            found = await rows.rows(db, f"SELECT seq FROM jobs WHERE {MINE}", {"user": user.key})
            images = await deleted(db, [row["seq"] for row in found])
            keys = [row["user_key"] for row in await rows.rows(db, ACCOUNTS, {"user": user.key})]
            for key in keys:
                await self._part(db, key)
            return keys, len(found), images, [(row["name"], row["job"]) for row in trained]

        keys, gone, images, styles = await self._writer.run(work)
        await self.people.open()
        await self.wardrobe.gone(styles)
        await self._drop(images)
        for key in keys:
            await asyncio.to_thread(self._unpack, f"{self._alias(key)[:16]}-*")
        await self.scrub()
        return gone

    async def _part(self, db: aiosqlite.Connection, key: str) -> None:
        """Delete what one account has beside its jobs."""
        for table, column in OWNED.items():
            if table not in ("charges", "audit", "inbox"):
                await db.execute(f"DELETE FROM {table} WHERE {column} = ?", (key,))
        await db.execute("DELETE FROM charges WHERE user_key = ? AND at < ?", (key, self._clock() - 2 * DAY))
        await db.execute("UPDATE OR REPLACE charges SET user_key = ? WHERE user_key = ?", (self._alias(key), key))
        await db.execute("UPDATE audit SET author = '' WHERE author = ?", (key,))
        await db.execute(f"{OPENED} WHERE owner = ?", (self._clock(), key))

    def _alias(self, user_key: str) -> str:
        return rows.alias(self._pepper, user_key)

    def _unpack(self, name: str) -> None:
        """Delete what was handed out under such a name."""
        for path in (self.folder / "exports").glob(name):
            path.unlink(missing_ok=True)

    def _pack(self, path: Path, told: dict[str, Any], images: Sequence[ImageId], styles: Sequence[str]) -> Path:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        for old in list(path.parent.iterdir()):
            with contextlib.suppress(OSError):
                if old.stat().st_mtime < self._clock() - STAY:
                    old.unlink()
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
