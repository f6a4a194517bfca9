"""What front-ends and administrators settle: cards, buttons, preferences, the rules of places and who changed them."""

# ruff: noqa: S608 - the parts of these queries are constants

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import aiosqlite

from . import audit, rows
from .actions import LATE, Action, Asking, fresh
from .archive import Archive
from .audit import Change
from .errors import Invalid, NotYours, Refused
from .rows import ACCOUNTS, DAY
from .tally import Stats, tally

_NARROW = """
    UPDATE jobs SET scope = :scope WHERE scope <> 'user' AND (:key = '*' OR server = :key OR :key IN (
        platform || ':' || json_extract(origin, '$.place'), platform || ':' || json_extract(origin, '$.parent')))
"""


class Registry(Archive):
    """The part of the store that is no job."""

    # Cards

    async def place_card(self, job_id: str, message: str, extra: Mapping[str, Any]) -> None:
        """Note where a job is shown; `extra` is added to what was noted, an empty `message` keeps the last one."""
        now = self._clock()

        async def work(db: aiosqlite.Connection) -> None:
            found = await rows.one(db, "SELECT message, posted, extra FROM cards WHERE job = ?", (job_id,))
            before: dict[str, Any] = dict(found) if found is not None else {"message": "", "posted": now, "extra": "{}"}
            told = message or before["message"]
            posted = before["posted"] if told == before["message"] else now
            noted = json.dumps({**json.loads(before["extra"]), **extra})
            await db.execute(
                "INSERT INTO cards SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM jobs WHERE id = ?)"
                " ON CONFLICT (job) DO UPDATE SET message = excluded.message, posted = excluded.posted,"
                " extra = excluded.extra",
                (job_id, told, posted, noted, job_id),
            )

        await self._writer.run(work)

    async def card(self, job_id: str) -> dict[str, Any]:
        """What was noted: "message", "posted" (Unix time of that message) and the rest; empty for nothing."""
        found = await self._writer.run(
            lambda db: rows.one(db, "SELECT message, posted, extra FROM cards WHERE job = ?", (job_id,)), write=False
        )
        if found is None:
            return {}
        return {**json.loads(found["extra"]), "message": found["message"], "posted": found["posted"]}

    # Buttons

    async def actions(self, asked: Sequence[Asking]) -> list[str]:
        """An id for each button; one that was made before, and may be pressed any number of times, keeps its id."""
        now = self._clock()

        async def one(db: aiosqlite.Connection, ask: Asking) -> str:
            expires = now + ask.days * DAY
            same = (ask.verb, ask.job_id or None, ask.owner or None, ask.index, rows.text(ask.detail), ask.place)
            if ask.uses == 0:
                found = await rows.one(
                    db,
                    "UPDATE actions SET expires = max(expires, ?) WHERE verb = ? AND job IS ? AND owner IS ?"
                    " AND n = ? AND detail = ? AND place = ? AND uses = 0 AND expires > ? RETURNING id",
                    (expires, *same, now),
                )
                if found is not None:
                    return str(found["id"])
            made = fresh()
            try:
                await db.execute(
                    "INSERT INTO actions (id, verb, job, owner, n, detail, place, expires, uses)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (made, *same, expires, ask.uses),
                )
            except sqlite3.IntegrityError:
                raise NotYours from None  # the job is deleted
            return made

        async def work(db: aiosqlite.Connection) -> list[str]:
            await db.execute(
                "DELETE FROM actions WHERE id IN (SELECT id FROM actions WHERE expires < ? LIMIT 100)", (now - LATE,)
            )
            return [await one(db, ask) for ask in asked]

        return await self._writer.run(work)

    async def acted(
        self, action_id: str, by: str = "", place: str = "", moderated: str = "", *, press: bool = True
    ) -> Action:
        """What a button stands for, its press counted unless `press` is false.

        With `by`, the key of an account, it must be that person's, or of a job of the server `moderated`; with `place`,
        it must have been made for there. Raises Invalid when it is unknown, NotYours, and Refused when it is expired,
        used up or from another place: then nothing is counted.
        """
        now = self._clock()

        async def work(db: aiosqlite.Connection) -> Action:
            found = await rows.one(
                db,
                f"SELECT actions.*, jobs.server, owner IN ({ACCOUNTS}) AS mine FROM actions"
                " LEFT JOIN jobs ON jobs.id = actions.job WHERE actions.id = :id",
                {"id": rows.text(action_id), "user": by},
            )
            if found is None:
                raise Invalid("This button is not known any more; please ask anew.")
            moderates = bool(moderated) and found["server"] == moderated
            if by and found["owner"] is not None and not found["mine"] and not moderates:
                raise NotYours
            if place and found["place"] not in ("", place):
                raise Refused("This button belongs to another place; please use the one there.")
            if found["expires"] <= now:
                raise Refused("This button is too old; please ask anew.")
            if found["uses"]:
                if found["used"] >= found["uses"]:
                    raise Refused("This button was used already; please ask anew.")
                if press:
                    await db.execute("UPDATE actions SET used = used + 1 WHERE id = ?", (action_id,))
            return Action(
                found["verb"],
                found["job"] or "",
                found["owner"] or "",
                found["n"],
                found["detail"],
                found["place"],
                found["expires"],
            )

        return await self._writer.run(work)

    # Preferences

    async def preferences(self, user_key: str) -> dict[str, Any]:
        """A person's own defaults; empty for none."""
        found = await self._writer.run(
            lambda db: rows.one(db, "SELECT value FROM preferences WHERE user_key = ?", (user_key,)), write=False
        )
        return {} if found is None else dict(json.loads(found["value"]))

    async def prefer(self, user_key: str, value: Mapping[str, Any]) -> None:
        """Replace a person's defaults, under each of their accounts."""
        await self._change(
            f"INSERT INTO preferences SELECT user_key, :value FROM ({ACCOUNTS}) WHERE true"
            " ON CONFLICT (user_key) DO UPDATE SET value = excluded.value",
            {"user": user_key, "value": json.dumps(dict(value), allow_nan=False)},
        )

    # Places

    async def places(self) -> dict[str, dict[str, Any]]:
        """The rules of every place that has some."""
        found = await self._writer.run(lambda db: rows.rows(db, "SELECT key, rules FROM places"), write=False)
        return {row["key"]: json.loads(row["rules"]) for row in found}

    async def rule(self, key: str, rules: Mapping[str, Any], author: str, change: Mapping[str, Any]) -> None:
        """Replace the rules of a place, and note who changed what.

        A narrower cache holds for the pictures that were made there before, too.
        """

        async def work(db: aiosqlite.Connection) -> None:
            await db.execute(
                "INSERT INTO places VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET rules = excluded.rules",
                (key, json.dumps(dict(rules), allow_nan=False)),
            )
            cache = rules.get("cache", {})
            if cache.get("scope", "everyone") != "everyone" or not cache.get("enabled", True):
                scope = cache.get("scope", "user") if cache.get("enabled", True) else "user"
                await db.execute(_NARROW, {"key": key, "scope": scope})
            await audit.note(db, self._clock(), key, author, change)

        await self._writer.run(work)

    async def move(self, old: str, new: str, rules: Mapping[str, Any] | None) -> None:
        """A place has another key from now on: its rules, as they are now, and everything that names it go with it."""

        async def work(db: aiosqlite.Connection) -> None:
            if rules is not None:
                await db.execute("DELETE FROM places WHERE key = ?", (old,))
                await db.execute(
                    "INSERT OR REPLACE INTO places VALUES (?, ?)", (new, json.dumps(dict(rules), allow_nan=False))
                )
                await audit.note(db, self._clock(), new, "", {"moved": old})
            for table in ("bans", "forgiven", "shared"):
                await db.execute(f"UPDATE OR REPLACE {table} SET place = ? WHERE place = ?", (new, old))
            await db.execute("UPDATE audit SET key = ? WHERE key = ?", (new, old))

        await self._writer.run(work)

    async def leave(self, key: str, roles: Sequence[str], author: str) -> None:
        """The bot is not in this server any more: what was settled there and for these `roles` is deleted, bans too."""

        async def work(db: aiosqlite.Connection) -> None:
            for one in (key, *roles):
                await db.execute("DELETE FROM places WHERE key = ?", (one,))
                await audit.note(db, self._clock(), one, author, {"left": True})
            await db.execute("DELETE FROM bans WHERE place = ?", (key,))

        await self._writer.run(work)

    async def note(self, key: str, author: str, change: Mapping[str, Any]) -> None:
        """Note what somebody did to a place; whom it is about stands under "person", with "name" and "reason"."""
        await self._writer.run(lambda db: audit.note(db, self._clock(), key, author, change))

    async def audit(self, keys: Sequence[str] | None, limit: int, before: int | None = None) -> list[Change]:
        """The last changes of places within a year, of all of them for None, the latest first."""
        since = self._clock() - audit.YEAR
        return await self._writer.run(lambda db: audit.changes(db, keys, limit, before, since), write=False)

    async def tally(self, server: str) -> Stats:
        """What a server's administrators are told of its use; of all servers and places for an empty key."""
        return await self._writer.run(lambda db: tally(db, server, self._clock()), write=False)
