"""Which accounts are one person's, and the codes by which somebody links them.

Linked accounts see and decide over the same jobs. What counts against the limits and what a person likes is kept under
each of them, so when they part both go on with it: parting is no way around a limit.
"""

from __future__ import annotations

import json
import secrets
import unicodedata
from collections import defaultdict
from collections.abc import Callable

import aiosqlite

from . import rows
from .actions import Guard
from .errors import Invalid
from .phrases import Phrase
from .rows import ACCOUNTS
from .spending import MONTH
from .writer import PATIENCE, Writer

#: Without those that are taken for each other: 32 signs, 5 bits each.
SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LENGTH = 8
#: Seconds for which a code can be used.
VALID = 600.0
#: Accounts that can be linked.
MOST = 8
#: Wrong codes that one account may enter in so many seconds.
WRONG, WINDOW = 5, 600.0
_STOP = Phrase("Too many wrong codes; please wait ten minutes.")


class People:
    """Links are in memory and in the store; asking who is who never waits."""

    def __init__(self, writer: Writer, clock: Callable[[], float], pepper: bytes) -> None:
        self._writer, self._clock, self._pepper = writer, clock, pepper
        self._persons: dict[str, str] = {}
        self._accounts: dict[str, list[str]] = {}
        self._guard = Guard(WRONG, WINDOW, _STOP)

    async def open(self) -> None:
        """Read who is linked with whom."""
        found = await self._writer.run(
            lambda db: rows.rows(db, "SELECT user_key, person FROM people ORDER BY user_key"), write=False
        )
        self._persons = {row["user_key"]: row["person"] for row in found}
        accounts = defaultdict(list)
        for key, person in self._persons.items():
            accounts[person].append(key)
        self._accounts = dict(accounts)

    def person(self, user_key: str) -> str:
        """What stands for the person of an account: equal for linked accounts, and for no others."""
        return self._persons.get(user_key, user_key)

    def same(self, one: str, other: str) -> bool:
        """Whether two accounts are one person's."""
        return self.person(one) == self.person(other)

    def accounts(self, user_key: str) -> list[str]:
        """The keys of all accounts of a person, that one among them."""
        return list(self._accounts.get(self.person(user_key), [user_key]))

    async def code(self, user_key: str) -> str:
        """A code that links whoever enters it once within `VALID` seconds; an older one is void."""
        signs = "".join(secrets.choice(SIGNS) for _ in range(LENGTH))
        now = self._clock()

        async def work(db: aiosqlite.Connection) -> None:
            await db.execute("DELETE FROM codes WHERE expires <= ?", (now,))
            await db.execute(
                "INSERT OR REPLACE INTO codes (user_key, hash, expires) VALUES (?, ?, ?)",
                (user_key, self._hash(signs), now + VALID),
            )

        await self._writer.run(work, patience=PATIENCE)
        return f"{signs[: LENGTH // 2]}-{signs[LENGTH // 2 :]}"

    async def link(self, user_key: str, code: str) -> None:
        """Make the accounts of this person and those of whoever made the code one person's.

        The defaults of whoever made the code hold from now on, or else those of this one. Raises Invalid, and TooSoon
        after too many wrong codes.
        """
        now = self._clock()
        self._guard.check(user_key, now)
        known = await self._writer.run(
            lambda db: self._tie(db, user_key, self._hash(plain(code)), now), patience=PATIENCE
        )
        if not known:
            self._guard.miss(user_key, now)
            raise Invalid(
                "This code is wrong, too old or used already; get a new one with the other account and enter it here"
                " within ten minutes."
            )
        await self.open()

    async def unlink(self, user_key: str) -> bool:
        """Take an account out; False when it was linked with none.

        Each keeps its own jobs, and all of them what the limits count and the defaults.
        """

        async def work(db: aiosqlite.Connection) -> bool:
            left = await _accounts(db, user_key)
            left.remove(user_key)
            await db.execute(
                "DELETE FROM people WHERE user_key IN (SELECT value FROM json_each(?))",
                (json.dumps([user_key, *left]),),
            )
            if len(left) > 1:
                await _bind(db, left)
            return bool(left)

        done = await self._writer.run(work, patience=PATIENCE)
        await self.open()
        return done

    async def _tie(self, db: aiosqlite.Connection, user_key: str, hashed: str, now: float) -> bool:
        found = await rows.one(db, "SELECT user_key FROM codes WHERE hash = ? AND expires > ?", (hashed, now))
        if found is None:
            return False
        own, others = await _accounts(db, user_key), await _accounts(db, found["user_key"])
        if user_key in others:
            raise Invalid("This code was made with this account or one that is linked with it; enter it with another.")
        if len(own) + len(others) > MOST:
            raise Invalid("At most {most} accounts can be linked; unlink one of them first.", most=MOST)
        await db.execute("DELETE FROM codes WHERE hash = ?", (hashed,))
        together = [*others, *own]
        await _bind(db, together)
        await self._count(db, together, now - MONTH)
        await db.execute(
            "INSERT INTO preferences SELECT key.value, liked.value FROM json_each(:keys) AS key, (SELECT value FROM"
            " preferences WHERE user_key IN (:other, :user) ORDER BY user_key = :user LIMIT 1) AS liked WHERE true"
            " ON CONFLICT (user_key) DO UPDATE SET value = excluded.value",
            {"keys": json.dumps(together), "other": found["user_key"], "user": user_key},
        )
        return True

    async def _count(self, db: aiosqlite.Connection, keys: list[str], since: float) -> None:
        """What was charged to one of these accounts lately is charged to each, also after one was deleted."""
        aliases = {key: rows.alias(self._pepper, key) for key in keys}
        for key, alias in aliases.items():
            await db.execute(
                "INSERT INTO charges SELECT DISTINCT job, :key, at, pictures, seconds FROM charges WHERE at > :since"
                " AND user_key IN (SELECT value FROM json_each(:all)) AND job NOT IN"
                " (SELECT job FROM charges WHERE user_key IN (:key, :alias) AND at > :since)",
                {"key": key, "alias": alias, "since": since, "all": json.dumps([*aliases, *aliases.values()])},
            )

    def _hash(self, signs: str) -> str:
        return rows.alias(self._pepper, f"code {signs}")


def plain(code: str) -> str:
    """The signs of a code as somebody may write it, without case, spaces and dashes."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", code).upper()))


async def _accounts(db: aiosqlite.Connection, user_key: str) -> list[str]:
    return [row["user_key"] for row in await rows.rows(db, ACCOUNTS, {"user": user_key})]


async def _bind(db: aiosqlite.Connection, keys: list[str]) -> None:
    """Make accounts one person's under a name that nobody had: what was compared with an earlier one is void."""
    person = secrets.token_hex(16)
    await db.executemany("INSERT OR REPLACE INTO people VALUES (?, ?)", [(key, person) for key in keys])
