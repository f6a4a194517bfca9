"""What a platform tells only once: on the disk before it is confirmed, and there until it was handled."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite

from . import rows
from .rows import DAY
from .writer import PATIENCE, Writer

#: Seconds for which the id of a handled parcel is still known. Platforms repeat themselves for a day at most.
REPLAY = 3 * DAY


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message of a platform. `at` is a Unix time in seconds."""

    id: int
    owner: str  #: key of the person it is from, "telegram:123"; empty for nobody
    data: dict[str, Any]  #: JSON
    at: float


#: Handled, be it by a front-end or because its person had everything deleted.
OPENED = "UPDATE inbox SET opened = ?, data = NULL, owner = ''"


class Inbox:
    """The part of the store that keeps what is not handled yet. `post` names the platform and the bot."""

    _writer: Writer
    _clock: Callable[[], float]

    async def receive(self, post: str, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Keep parcels, all or none, and return those that were not known, in their order.

        Ids may jump or go backwards. Raises QueueFull when another program holds the database for `PATIENCE` seconds
        or the disk is full.
        """
        told = [(post, one.id, rows.text(one.owner), json.dumps(one.data, allow_nan=False), one.at) for one in parcels]

        async def work(db: aiosqlite.Connection) -> list[Parcel]:
            await db.execute("DELETE FROM inbox WHERE opened < ?", (self._clock() - REPLAY,))
            add = "INSERT INTO inbox (post, id, owner, data, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            return [one for one, values in zip(parcels, told, strict=True) if await rows.count(db, add, values)]

        return await self._writer.run(work, patience=PATIENCE)

    async def unopened(self, post: str) -> list[Parcel]:
        """All parcels that were not handled yet, in the order in which they came."""
        found = await self._writer.run(
            lambda db: rows.rows(
                db, "SELECT id, owner, data, at FROM inbox WHERE post = ? AND opened IS NULL ORDER BY seq", (post,)
            ),
            write=False,
        )
        return [Parcel(row["id"], row["owner"], json.loads(row["data"]), row["at"]) for row in found]

    async def opened(self, post: str, id: int) -> None:
        """A parcel was handled: its content is erased, its id stays known for `REPLAY` seconds."""
        await self._writer.run(
            lambda db: rows.count(
                db, f"{OPENED} WHERE post = ? AND id = ? AND opened IS NULL", (self._clock(), post, id)
            )
        )
