"""Finished work: the cache, each person's history, and the picture files. SQL and files agree at every moment."""

# ruff: noqa: S608 - the parts of these queries are constants

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import aiosqlite

from . import rows
from .actions import LATE
from .audit import YEAR
from .errors import Invalid, NotYours
from .jobs import ImageId, User
from .pictures import Pictures
from .rows import JOB, MINE, OWN, Arguments, Circle, Row
from .space import Space
from .writer import Writer

_NEVER = 2**63 - 1
#: What was made in a place open to adults only answers in such places only.
_SUITED = "(:adult OR NOT coalesce(json_extract(origin, '$.adult'), 0))"
#: A picture answers others only when both the place it was made in and the one that asks share so widely.
_RECALL = (
    JOB
    + f" WHERE key = :key AND {_SUITED} AND ({MINE}"
    + " OR (:scope = 'everyone' AND scope = 'everyone')"
    + " OR (:scope <> 'user' AND scope <> 'user' AND server = :server AND server <> ''))"
    + " ORDER BY seq DESC LIMIT 1"
)
_PROMPTS = """
    WITH RECURSIVE behind (job) AS (
        SELECT job FROM pictures WHERE image = :image AND role = 'result'
        UNION SELECT made.job FROM behind
        JOIN pictures AS given ON given.job = behind.job AND given.role = 'input'
        JOIN pictures AS made ON made.image = given.image AND made.role = 'result')
    SELECT DISTINCT request -> '$.prompt' AS prompt FROM jobs
        WHERE seq IN (SELECT job FROM behind) AND request -> '$.prompt' IS NOT NULL
"""
#: Seconds for which a picture stays that was brought, or shown to somebody, and that no request names.
KEEP = 3600.0
#: Seconds for which a picture waits for its front-end at least.
WAITS = 7 * rows.DAY
#: Seconds for which a message waits for its front-end at least and at most.
SHORTEST, LONGEST = 3 * rows.DAY, 30 * rows.DAY
#: Jobs that one verb deletes, and picture files that are deleted in one go.
SOME = 50
#: What is over, also when nobody could be shown it for long, as when its front-end is not there any more.
_OVER = """
    created < :before AND favourite = 0 AND state NOT IN ('accepted', 'running')
    AND (state NOT IN ('produced', 'delivering') OR coalesce(finished, created) < :waited)
"""
_HISTORY = JOB + f" WHERE {MINE} AND seq < :before AND state IN ('produced', 'delivering', 'delivered', 'kept')"


class Archive:
    """The part of the store that looks back. Verbs that show a person's content take the person."""

    def __init__(self, folder: Path, writer: Writer, clock: Callable[[], float]) -> None:
        self.folder = folder
        self._writer = writer
        self._pictures = Pictures(folder / "pictures")
        self.space = Space(folder)
        self._clock = clock
        self._files = asyncio.Lock()
        #: Pictures that were adopted and that no row names yet.
        self._fresh: Counter[ImageId] = Counter()

    async def recall(self, key: str, user: User, circle: Circle = OWN) -> Row | None:
        """The last answer to exactly this request, among those the person may get there, its pictures verified."""
        return await self._recall(
            _RECALL,
            {"key": key, "user": user.key, "scope": circle.scope, "server": circle.server, "adult": circle.adult},
        )

    async def recall_asked(self, user: User, asked_key: str, *, adult: bool = False) -> Row | None:
        """The person's last answer to this question, whatever its seed, its pictures verified.

        Those from places open to adults only are passed over unless it was asked in one: `adult`.
        """
        return await self._recall(
            JOB + f" WHERE {MINE} AND asked_key = :asked AND key IS NOT NULL AND {_SUITED} ORDER BY seq DESC LIMIT 1",
            {"user": user.key, "asked": asked_key, "adult": adult},
        )

    async def prompts(self, image: ImageId, user: User | None = None) -> list[str]:
        """The words of the requests behind a picture: what it was made by, what that began with, and so on.

        With a `user`, of that person's own requests only.
        """
        sql, values = _PROMPTS, {"image": image}
        if user is not None:
            sql, values["user"] = f"{sql} AND {MINE}", user.key
        found = await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)
        # As JSON: half of a pair of surrogates is no text that could be handed over.
        return [json.loads(row["prompt"]) for row in found]

    async def history(
        self, user: User, limit: int = 20, before: int | None = None, search: str = "", *, favourites: bool = False
    ) -> list[Row]:
        """A person's finished jobs, the latest first, from before a `seq`.

        `search` finds prompts that hold every word or its beginning, without regard to case or accents.
        """
        sql, values = _HISTORY, {"user": user.key, "before": _NEVER if before is None else before, "limit": limit}
        if search.strip():
            values["words"] = rows.match(search)
            if not values["words"]:
                return []
            # The plus keeps to the person's own history, which is shorter than what everyone's prompts match.
            sql += " AND +seq IN (SELECT rowid FROM words WHERE words MATCH :words)"
        if favourites:
            sql += " AND favourite = 1"
        return await self._rows(sql + " ORDER BY seq DESC LIMIT :limit", values)

    async def favourite(self, user: User, job_id: str, on: bool) -> None:
        """Mark a job. Raises NotYours when the person has no such job."""
        sql = f"UPDATE jobs SET favourite = :on WHERE id = :job AND {MINE}"
        if not await self._change(sql, {"on": int(on), "job": job_id, "user": user.key}):
            raise NotYours

    async def expire(self, before: float) -> int:
        """Delete finished jobs created before a Unix time, but for favourites, and return how many.

        Those that their person was not shown yet stay for `WAITS` seconds after their end. Old changes of rules go
        too, what counts no longer, and messages that no front-end opened for so long, within `SHORTEST` and `LONGEST`.
        """
        now = self._clock()
        others = {
            "DELETE FROM charges WHERE at < ?": now - rows.COUNTED,
            "DELETE FROM forgiven WHERE at < ?": now - rows.COUNTED,
            "DELETE FROM inbox WHERE at < ?": _unopened(before, now),
            "DELETE FROM audit WHERE at < ?": min(before, now - YEAR),
            "DELETE FROM brought WHERE at < ?": now - KEEP,
            "DELETE FROM codes WHERE expires <= ?": now,
            "DELETE FROM actions WHERE expires < ?": now - LATE,
            "DELETE FROM tallied WHERE hour * 3600 < ?": now - rows.COUNTED,
        }

        async def work(db: aiosqlite.Connection) -> tuple[int, list[ImageId]]:
            for sql, then in others.items():
                await db.execute(sql, (then,))
            values = {"before": before, "waited": now - WAITS, "some": SOME}
            found = await rows.rows(db, f"SELECT seq FROM jobs WHERE {_OVER} LIMIT :some", values)
            return len(found), await deleted(db, [row["seq"] for row in found])

        total = 0
        while True:
            gone, images = await self._writer.run(work)
            await self._drop(images)
            total += gone
            if gone == 0:
                break
        if total:
            await self.scrub()
        return total

    async def older(self, before: float) -> dict[str, int]:
        """How much is there, by table, that `expire` should have deleted; nothing for a table where all is well."""
        counts = {
            "jobs": f"SELECT count(*) FROM jobs WHERE {_OVER}",
            "charges": "SELECT count(*) FROM charges WHERE at < :counted",
            "inbox": "SELECT count(*) FROM inbox WHERE at < :unopened",
            "audit": "SELECT count(*) FROM audit WHERE at < min(:before, :year)",
            "brought": "SELECT count(*) FROM brought WHERE at < min(:before, :kept)",
            "checked": "SELECT count(*) FROM checked WHERE at < :before AND image NOT IN (SELECT image FROM pictures)",
        }
        now = self._clock()
        values = {
            "before": before,
            "waited": now - WAITS,
            "counted": now - rows.COUNTED,
            "unopened": _unopened(before, now),
            "kept": now - KEEP,
            "year": now - YEAR,
        }

        async def work(db: aiosqlite.Connection) -> dict[str, int]:
            found = {name: (await rows.rows(db, sql, values))[0][0] for name, sql in counts.items()}
            return {name: count for name, count in found.items() if count}

        return await self._writer.run(work, write=False)

    async def newest(self) -> float | None:
        """The Unix time of the last request or picture, by their order: one of a clock that was wrong is soon past."""
        sql = """
            SELECT max(at) AS at FROM (
                SELECT created AS at FROM jobs WHERE seq = (SELECT max(seq) FROM jobs)
                UNION ALL SELECT at FROM timings WHERE seq = (SELECT max(seq) FROM timings))
        """
        found = await self._writer.run(lambda db: rows.one(db, sql), write=False)
        return None if found is None else found["at"]

    async def scrub(self) -> None:
        """Rewrite the word index and empty the log, so that the files hold no trace of what was deleted."""
        await self._change("INSERT INTO words (words) VALUES ('optimize')", ())
        await self._writer.run(lambda db: rows.rows(db, "PRAGMA wal_checkpoint(TRUNCATE)"), write=False)

    # Picture files

    async def adopt(self, path: Path) -> ImageId:
        """Copy a picture file in, whole and synced. Raises ConfigError when the disk does not take it."""
        async with self._files:
            image = await asyncio.to_thread(self._pictures.adopt, path)
            self._fresh[image] += 1
            return image

    async def disown(self, images: Sequence[ImageId]) -> None:
        """These adopted pictures are not needed after all."""
        self._settle(images)
        await self._drop(images)

    async def abandon(self, image: ImageId) -> None:
        """An adopted picture that no request came to name is deleted; a named one stays."""
        self._fresh.pop(image, None)
        await self._drop([image])

    async def picture(self, image: ImageId, user: User | None = None) -> Path:
        """The verified file of a picture; a damaged one is removed, and the cache forgets it.

        Raises NotYours when `user` is given and none of the person's jobs refers to it, Invalid when it is lost.
        """
        path = self._pictures.path(image)
        if user is not None and not await self.holds(user, image):
            raise NotYours
        if not await asyncio.to_thread(self._pictures.intact, image):
            await self._discard([image])
            raise Invalid("This picture is lost, please ask for it again.", word=image)
        return path

    async def holds(self, user: User, image: ImageId) -> bool:
        """Whether one of the person's jobs refers to this picture."""
        sql = f"SELECT 1 FROM pictures JOIN jobs ON jobs.seq = pictures.job WHERE image = :image AND {MINE} LIMIT 1"
        values = {"image": image, "user": user.key}
        return await self._writer.run(lambda db: rows.one(db, sql, values), write=False) is not None

    async def bring(self, user_key: str, image: ImageId) -> None:
        """An account brought this picture now; without a request that names it, it stays for `KEEP` seconds."""
        await self._change("INSERT OR REPLACE INTO brought VALUES (?, ?, ?)", (user_key, image, self._clock()))

    async def brought(self) -> list[tuple[str, ImageId, float]]:
        """Who brought which pictures lately, and how many seconds ago; older ones are forgotten."""
        now = self._clock()
        await self._change("DELETE FROM brought WHERE at < ?", (now - KEEP,))
        found = await self._writer.run(lambda db: rows.rows(db, "SELECT * FROM brought"), write=False)
        return [(row["user_key"], row["image"], max(now - row["at"], 0.0)) for row in found]

    async def sweep(self) -> int:
        """Delete half-written picture files and those that nothing refers to; return how many."""
        sql = "SELECT image FROM pictures UNION SELECT image FROM brought WHERE at >= ?"
        async with self._files:
            known = await self._writer.run(lambda db: rows.rows(db, sql, (self._clock() - KEEP,)), write=False)
            return await asyncio.to_thread(self._pictures.sweep, {row["image"] for row in known} | set(self._fresh))

    async def _rows(self, sql: str, arguments: Arguments = ()) -> list[Row]:
        found = await self._writer.run(lambda db: rows.rows(db, sql, arguments), write=False)
        return [rows.load(row) for row in found]

    async def _change(self, sql: str, arguments: Arguments) -> bool:
        return await self._writer.run(lambda db: rows.count(db, sql, arguments)) > 0

    async def _recall(self, sql: str, arguments: Arguments) -> Row | None:
        while found := await self._rows(sql, arguments):
            images = found[0].images
            broken = [image for image in images if not await asyncio.to_thread(self._pictures.intact, image)]
            if not broken:
                return found[0]
            await self._discard(broken)
        return None

    async def _discard(self, images: Collection[ImageId]) -> None:
        """Take damaged pictures out of the cache and off the disk."""

        async def work(db: aiosqlite.Connection) -> None:
            await db.executemany(
                "UPDATE jobs SET key = NULL"
                " WHERE seq IN (SELECT job FROM pictures WHERE image = ? AND role = 'result')",
                [(image,) for image in images],
            )

        await self._writer.run(work)
        async with self._files:
            for image in images:
                if not await asyncio.to_thread(self._pictures.intact, image):
                    await asyncio.to_thread(self._pictures.drop, image)

    async def _drop(self, images: Iterable[ImageId]) -> None:
        """Delete the files that no row names and that are not on their way into one."""
        every = list(images)
        for first in range(0, len(every), SOME):
            async with self._files:
                some = every[first : first + SOME]
                named = await self._named(some)
                needless = [image for image in some if image not in named and not self._fresh[image]]
                await asyncio.to_thread(self._pictures.drop, *needless)

    async def _named(self, images: Sequence[ImageId]) -> set[ImageId]:
        sql = "SELECT image FROM pictures WHERE image IN (SELECT value FROM json_each(?))"
        found = await self._writer.run(lambda db: rows.rows(db, sql, (json.dumps(images),)), write=False)
        return {row["image"] for row in found}

    def _settle(self, images: Iterable[ImageId]) -> None:
        for image in images:
            self._fresh[image] -= 1
            if self._fresh[image] <= 0:
                del self._fresh[image]


def _unopened(before: float, now: float) -> float:
    """The Unix time before which a message was kept for too long, where jobs are kept from `before` on."""
    return min(max(before, now - LONGEST), now - SHORTEST)


#: What administrators are told of the use of a server, of jobs that are not there any more. Nobody is named in it.
_TALLIED = """
    INSERT INTO tallied (server, hour, pictures, answers, waited)
    SELECT server, CAST(created / 3600 AS INTEGER),
        (SELECT count(*) FROM pictures WHERE job = jobs.seq AND role = 'result'),
        NOT cached, CASE WHEN cached THEN 0 ELSE coalesce(finished - created, 0) END
    FROM jobs WHERE seq = ? AND state IN ('produced', 'delivering', 'delivered', 'kept')
    ON CONFLICT DO UPDATE SET pictures = pictures + excluded.pictures, answers = answers + excluded.answers,
        waited = waited + excluded.waited
"""


async def deleted(db: aiosqlite.Connection, seqs: Sequence[int]) -> list[ImageId]:
    """Delete jobs, count them, and return the pictures they referred to."""
    images: list[ImageId] = []
    for seq in seqs:
        images += [row["image"] for row in await rows.rows(db, "SELECT image FROM pictures WHERE job = ?", (seq,))]
        await db.execute(_TALLIED, (seq,))
        await db.execute("DELETE FROM jobs WHERE seq = ?", (seq,))
    return images
