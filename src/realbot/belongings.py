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
from .registry import Registry
from .rows import DAY
from .writer import Writer

#: Tables beside the jobs that hold something of a person, and the column that says of whom.
OWNED = {
    "charges": "user_key",
    "preferences": "user_key",
    "actions": "owner",
    "audit": "author",
    "inbox": "owner",
}
#: Seconds for which a file that was handed out stays on the disk.
STAY = 3600.0


class Belongings(Registry, Inbox):
    """The part of the store that answers a person's right to see and to delete."""

    def __init__(self, folder: Path, writer: Writer, clock: Callable[[], float], pepper: bytes) -> None:
        super().__init__(folder, writer, clock)
        self._pepper = pepper

    async def export(self, user: User, *, pictures: bool = True) -> Path:
        """A ZIP file with every row and picture of a person, which only the owner of the process can read.

        Whoever sends it deletes it; what is left is deleted after an hour.
        """

        async def work(db: aiosqlite.Connection) -> dict[str, list[dict[str, Any]]]:
            jobs = await rows.rows(db, "SELECT * FROM jobs WHERE user_key = ? ORDER BY seq", (user.key,))
            mine = "SELECT seq FROM jobs WHERE user_key = ?"
            held = await rows.rows(
                db, f"SELECT job, role, n, image FROM pictures WHERE job IN ({mine}) ORDER BY job, role, n", (user.key,)
            )
            cards = await rows.rows(
                db,
                "SELECT cards.* FROM cards JOIN jobs ON jobs.id = cards.job WHERE user_key = ? ORDER BY seq",
                (user.key,),
            )
            told = {"jobs": jobs, "pictures": held, "cards": cards}
            for table, column in OWNED.items():
                told[table] = await rows.rows(db, f"SELECT * FROM {table} WHERE {column} = ?", (user.key,))
            return {table: [_readable(row) for row in found] for table, found in told.items()}

        told = await self._writer.run(work, write=False)
        images = sorted({row["image"] for row in told["pictures"]}) if pictures else []
        folder = self.folder / "exports"
        name = f"{self._alias(user)[:16]}-{secrets.token_hex(16)}.zip"
        return await asyncio.to_thread(self._pack, folder / name, {"user": user.key, **told}, images)

    async def erase(self, user: User) -> int:
        """Delete every row, picture and file of a person, and return how many jobs there were.

        What counts against the limits of these 24 hours stays under a keyed hash, so that deleting is no way around
        them; administrators' changes stay without a name, and the ids of messages stay without content.
        """
        alias = self._alias(user)

        async def work(db: aiosqlite.Connection) -> tuple[int, list[ImageId]]:
            found = await rows.rows(db, "SELECT seq FROM jobs WHERE user_key = ?", (user.key,))
            images = await deleted(db, [row["seq"] for row in found])
            for table, column in OWNED.items():
                if table not in ("charges", "audit", "inbox"):
                    await db.execute(f"DELETE FROM {table} WHERE {column} = ?", (user.key,))
            await db.execute("DELETE FROM charges WHERE user_key = ? AND at < ?", (user.key, self._clock() - 2 * DAY))
            await db.execute("UPDATE charges SET user_key = ? WHERE user_key = ?", (alias, user.key))
            await db.execute("UPDATE audit SET author = '' WHERE author = ?", (user.key,))
            await db.execute(f"{OPENED} WHERE owner = ?", (self._clock(), user.key))
            return len(found), images

        gone, images = await self._writer.run(work)
        await self._drop(images)
        for path in await asyncio.to_thread(lambda: list((self.folder / "exports").glob(f"{alias[:16]}-*"))):
            await asyncio.to_thread(path.unlink, missing_ok=True)
        await self.scrub()
        return gone

    def _alias(self, user: User) -> str:
        return rows.alias(self._pepper, user.key)

    def _pack(self, path: Path, told: dict[str, Any], images: Sequence[ImageId]) -> Path:
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
        return path


def _readable(row: sqlite3.Row) -> dict[str, Any]:
    """A row whose JSON columns are data."""
    data = dict(row)
    for name in ("request", "origin", "stages", "notes", "extra", "value", "change", "data"):
        if isinstance(data.get(name), str):
            data[name] = json.loads(data[name])
    return data
