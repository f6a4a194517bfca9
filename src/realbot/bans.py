"""Who is banned, in one server or everywhere, until when and why. What the store keeps of it; `gate.py` decides.

A ban is written under each account that its person had, so that neither parting nor deleting lifts it. The account
that was named stands for it in lists: nobody learns from a ban which accounts are linked.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from typing import Any

import aiosqlite

from . import audit, rows
from .people import People
from .places import EVERYWHERE
from .writer import PATIENCE, Writer

#: Requests, the latest of a place, among which people who asked lately are looked for.
RECENT = 10_000


@dataclass(frozen=True, slots=True)
class Ban:
    """`subject` is the key of an account or, once its person had everything deleted, the hash that stands for it."""

    subject: str
    place: str  #: key of a server, or `EVERYWHERE`
    via: str = ""  #: the subject that was banned, of a ban that follows from another account's
    name: str = ""
    reason: str = ""
    author: str = ""  #: key of whoever did it
    at: float = 0.0  #: Unix time in seconds
    until: float | None = None  #: Unix time in seconds, None for good


_COLUMNS = ", ".join(field.name for field in fields(Ban))
_PUT = f"INSERT OR REPLACE INTO bans ({_COLUMNS}) VALUES ({', '.join('?' * len(fields(Ban)))})"  # noqa: S608


class Bans:
    """Bans are in memory and in the store; asking never waits."""

    def __init__(self, writer: Writer, clock: Callable[[], float], pepper: bytes, people: People) -> None:
        self._writer, self._clock, self._pepper, self._people = writer, clock, pepper, people
        self._bans: dict[str, dict[str, Ban]] = {}
        self._reading = asyncio.Lock()

    async def open(self) -> None:
        """Read all bans."""
        async with self._reading:
            found = await self._writer.run(
                lambda db: rows.rows(db, f"SELECT {_COLUMNS} FROM bans"),  # noqa: S608
                write=False,
            )
            bans: dict[str, dict[str, Ban]] = defaultdict(dict)
            for row in found:
                bans[row["place"]][row["subject"]] = Ban(*row)
            self._bans = dict(bans)

    def of(self, user_key: str, places: Iterable[str]) -> Ban | None:
        """What holds for a person in one of these places or everywhere: of several bans the longest."""
        here = [self._bans[place] for place in dict.fromkeys((EVERYWHERE, *places)) if place in self._bans]
        if not here:
            return None
        now = self._clock()
        found = (bans.get(subject) for bans in here for subject in self.subjects(user_key))
        holding = [ban for ban in found if ban is not None and (ban.until is None or ban.until > now)]
        return max(holding, key=lambda ban: (ban.until is None, ban.until or 0.0), default=None)

    def listed(self, place: str) -> list[Ban]:
        """The bans of a place that were pronounced, the latest first."""
        now = self._clock()
        found = [ban for ban in self._bans.get(place, {}).values() if not ban.via]
        holding = [ban for ban in found if ban.until is None or ban.until > now]
        return sorted(holding, key=lambda ban: (-ban.at, ban.subject))

    async def add(self, ban: Ban) -> None:
        """Ban a person by one of their accounts; an earlier ban of theirs in this place is replaced."""
        subjects = self.subjects(ban.subject)
        accounts = [key for key in self._people.accounts(ban.subject) if key != ban.subject]
        others = [Ban(key, ban.place, ban.subject, "", ban.reason, ban.author, ban.at, ban.until) for key in accounts]
        told: dict[str, Any] = {"banned": ban.until or 0, "person": ban.subject, "name": ban.name}

        async def work(db: aiosqlite.Connection) -> None:
            await _lift(db, subjects, ban.place)
            await db.executemany(_PUT, [astuple(one) for one in (ban, *others)])
            change = {**told, "reason": ban.reason} if ban.reason else told
            await audit.note(db, ban.at, ban.place, ban.author, change)

        await self._writer.run(work, patience=PATIENCE)
        await self.open()

    async def lift(self, subject: str, place: str, author: str) -> Ban | None:
        """Lift what was pronounced in a place over a person, named by an account or a hash; None when there is none."""
        subjects, here = self.subjects(subject), self._bans.get(place, {})
        bans = [here[one] for one in subjects if one in here]
        if not bans:
            return None
        shown = next((ban for ban in bans if not ban.via), bans[0])
        told = {"lifted": True, "person": subject, "name": shown.name}
        every = [*subjects, *(ban.via for ban in bans if ban.via)]

        async def work(db: aiosqlite.Connection) -> None:
            await _lift(db, every, place)
            await audit.note(db, self._clock(), place, author, told)

        await self._writer.run(work, patience=PATIENCE)
        await self.open()
        return shown

    async def lapse(self) -> None:
        """Forget bans that are over, and changes that were made more than a year ago."""
        now = self._clock()

        async def work(db: aiosqlite.Connection) -> None:
            await db.execute("DELETE FROM bans WHERE until <= ?", (now,))
            await db.execute("DELETE FROM audit WHERE at < ?", (now - audit.YEAR,))

        await self._writer.run(work)
        await self.open()

    async def seen(self, place: str | None, limit: int) -> list[tuple[str, str]]:
        """Who asked in a server lately, anywhere for None, as key and name, the latest first."""
        where = "ORDER BY seq" if place is None else "WHERE server = :place AND server <> '' ORDER BY created"
        sql = f"""
            SELECT user_key, user_name, max(seq) AS last FROM
                (SELECT user_key, user_name, seq FROM jobs {where} DESC LIMIT {RECENT})
            GROUP BY user_key ORDER BY last DESC LIMIT :limit
        """  # noqa: S608
        values = {"place": place, "limit": limit}
        found = await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)
        return [(row["user_key"], row["user_name"]) for row in found]

    def subjects(self, user_key: str) -> list[str]:
        """Under what the bans of a person stand: the keys of their accounts, and the hashes of those."""
        keys = self._people.accounts(user_key)
        return [*keys, *(rows.alias(self._pepper, key) for key in keys)]


async def disown(db: aiosqlite.Connection, user_key: str, alias: str, before: float) -> None:
    """Deleting everything lifts no ban from before then: it stays under the account's hash, without a name."""
    who = (user_key, before)
    await db.execute("UPDATE OR REPLACE bans SET subject = ?, name = '' WHERE subject = ? AND at <= ?", (alias, *who))
    await db.execute("UPDATE bans SET via = ? WHERE via = ? AND at <= ?", (alias, *who))
    await db.execute("UPDATE bans SET author = '' WHERE author = ? AND at <= ?", who)
    # Buttons that name them.
    await db.execute("DELETE FROM actions WHERE instr(detail, ?)", (json.dumps(user_key),))


async def _lift(db: aiosqlite.Connection, subjects: list[str], place: str) -> None:
    given = [(place, subject, subject) for subject in subjects]
    await db.executemany("DELETE FROM bans WHERE place = ? AND (subject = ? OR via = ?)", given)
