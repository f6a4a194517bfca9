"""The audit log: who changed what about which place, and when. It can be read while realbot runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosqlite

from . import database, rows
from .errors import ConfigError

#: Seconds for which a change is kept, and how many are kept for each place.
YEAR, MOST = 365 * rows.DAY, 10_000
#: Changes that are looked at for their age with each new one.
AGED = 100
_NEVER = 2**63 - 1
#: All changes, or those of the places in a list; the latest first.
_CHANGES = """
    SELECT audit.*, coalesce((SELECT user_name FROM jobs WHERE user_key = author ORDER BY seq DESC LIMIT 1), '') AS name
    FROM audit WHERE seq < :before AND at >= :since {where} ORDER BY seq DESC LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed what about a place. `at` is a Unix time in seconds, `by` a person's key, empty once forgotten."""

    at: float
    by: str
    change: dict[str, Any]
    place: str = field(default="", compare=False)  #: its key, or "*" for everywhere
    seq: int = field(default=0, compare=False)  #: for `before`
    name: str = field(default="", compare=False)  #: what whoever did it was called when they last asked for a picture


async def note(db: aiosqlite.Connection, now: float, key: str, author: str, change: Mapping[str, Any]) -> None:
    """Note what somebody did to a place. Whom it is about stands under "person", with "name" and "reason"."""
    await db.execute(
        "INSERT INTO audit (at, key, author, change) VALUES (?, ?, ?, ?)", (now, key, author, json.dumps(dict(change)))
    )
    await db.execute(
        "DELETE FROM audit WHERE key = ? AND seq <="
        " (SELECT seq FROM audit WHERE key = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)",
        (key, key, MOST),
    )
    await db.execute(
        "DELETE FROM audit WHERE at < ? AND seq IN (SELECT seq FROM audit ORDER BY seq LIMIT ?)", (now - YEAR, AGED)
    )


async def changes(
    db: aiosqlite.Connection, keys: Sequence[str] | None, limit: int, before: int | None, since: float
) -> list[Change]:
    """The last changes of places, of all of them for None, from before a `seq`, the latest first."""
    return [_load(row) for row in await rows.rows(db, *_asked(keys, limit, before, since))]


async def disown(db: aiosqlite.Connection, user_key: str, alias: str, before: float) -> None:
    """What somebody did until then stays without their name, and what was done to them under the hash of them."""
    await db.execute("UPDATE audit SET author = '' WHERE author = ? AND at <= ?", (user_key, before))
    await db.execute(
        "UPDATE audit SET change = json_remove(json_set(change, '$.person', ?), '$.name', '$.reason')"
        " WHERE json_extract(change, '$.person') = ? AND at <= ?",
        (alias, user_key, before),
    )


def read(folder: Path, key: str | None, limit: int, now: float) -> list[Change]:
    """The last changes of a place, or of all, from a data folder that realbot may be using. Raises ConfigError."""
    path = folder / database.NAME
    if not path.is_file():
        raise ConfigError("There is no database in {folder}.", key="paths.data", folder=str(folder))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            db.row_factory = sqlite3.Row
            return [_load(row) for row in db.execute(*_asked(None if key is None else [key], limit, None, now - YEAR))]
    except sqlite3.Error as error:
        raise ConfigError(
            "The database in {folder} cannot be read: {reason}.",
            key="paths.data",
            folder=str(folder),
            reason=str(error),
        ) from error


def _asked(keys: Sequence[str] | None, limit: int, before: int | None, since: float) -> tuple[str, dict[str, Any]]:
    where = "" if keys is None else "AND key IN (SELECT value FROM json_each(:keys))"
    values = {"before": _NEVER if before is None else before, "since": since, "limit": limit}
    return _CHANGES.format(where=where), values if keys is None else {**values, "keys": json.dumps(list(keys))}


def _load(row: sqlite3.Row) -> Change:
    return Change(row["at"], row["author"], json.loads(row["change"]), row["key"], row["seq"], row["name"])
