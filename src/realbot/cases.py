"""What pictures were found to show, and those that were withheld: why, and what moderators decided."""

# ruff: noqa: S608 - the parts of these queries are constants

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import aiosqlite

from . import rows
from .jobs import ImageId
from .rows import MINE
from .writer import Writer

Reason: TypeAlias = Literal["unsafe", "unchecked"]
Decision: TypeAlias = Literal["", "released", "upheld"]
#: Under what the messages stand that are to be taken away, and how many: a front-end may be gone for good.
_STRANDED, MOST = "fact stranded", 1000
#: A picture that one person has only through jobs that are withheld from them.
_HIDDEN = f"""
    SELECT total(withheld.job IS NOT NULL AND decision <> 'released') AS hidden, count(*) AS have
    FROM pictures JOIN jobs ON jobs.seq = pictures.job LEFT JOIN withheld ON withheld.job = jobs.id
    WHERE pictures.image = :image AND role = 'result' AND {MINE}
"""


#: A person's pictures that were withheld, with what was decided.
CLOSED = f"""
    SELECT job, reason, withheld.at, appealed, decision, decided FROM withheld JOIN jobs ON jobs.id = withheld.job
    WHERE {MINE} ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A job whose pictures were withheld. Times are Unix times in seconds."""

    job: str
    reason: Reason
    at: float
    appealed: float | None  #: None while nobody was asked
    decision: Decision
    author: str  #: key of the moderator, empty once forgotten
    decided: float | None

    @property
    def open(self) -> bool:
        """Whether the pictures are withheld at the moment."""
        return self.decision != "released"


class Cases:
    """The part of the store that is about what pictures show."""

    def __init__(self, writer: Writer, clock: Callable[[], float]) -> None:
        self._writer, self._clock = writer, clock

    async def scores(self, images: Sequence[ImageId], checker: str) -> dict[ImageId, float]:
        """The scores that this checker gave these pictures, as far as it saw them."""

        async def work(db: aiosqlite.Connection) -> dict[ImageId, float]:
            found = {}
            for image in images:
                row = await rows.one(db, "SELECT score FROM checked WHERE image = ? AND checker = ?", (image, checker))
                if row is not None:
                    found[image] = float(row["score"])
            return found

        return await self._writer.run(work, write=False)

    async def score(self, image: ImageId, checker: str, score: float) -> None:
        """Keep what a checker found."""
        values = (image, checker, score, self._clock())
        await self._writer.run(lambda db: rows.count(db, "INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?)", values))

    async def withhold(self, job_id: str, reason: Reason) -> None:
        """A job's pictures are not shown; when they are unsafe it costs nothing. What was decided before stands."""

        async def work(db: aiosqlite.Connection) -> None:
            await db.execute(
                "INSERT INTO withheld (job, reason, at) SELECT id, ?, ? FROM jobs WHERE id = ?"
                " ON CONFLICT (job) DO UPDATE SET reason = excluded.reason WHERE decision = ''",
                (reason, self._clock(), job_id),
            )
            if reason == "unsafe":
                await rows.refund(db, job_id)

        await self._writer.run(work)

    async def lift(self, job_id: str) -> None:
        """A job's pictures are shown after all, before anybody decided."""
        await self._writer.run(
            lambda db: rows.count(db, "DELETE FROM withheld WHERE job = ? AND decision = ''", (job_id,))
        )

    async def of(self, job_id: str) -> Case | None:
        """The case of a job, None for one that was never withheld."""
        found = await self._writer.run(
            lambda db: rows.one(db, "SELECT * FROM withheld WHERE job = ?", (job_id,)), write=False
        )
        return None if found is None else _case(found)

    async def unchecked(self) -> list[str]:
        """The jobs that wait for a look at their pictures, the oldest first."""
        return await self._jobs("SELECT job FROM withheld WHERE reason = 'unchecked' AND decision = '' ORDER BY at")

    async def appealed(self) -> list[str]:
        """The jobs about which moderators were asked and that they did not decide yet, the oldest first."""
        return await self._jobs(
            "SELECT job FROM withheld WHERE appealed IS NOT NULL AND decision = '' ORDER BY appealed"
        )

    async def lapsed(self, before: float) -> list[str]:
        """The jobs that are withheld since before a Unix time."""
        return await self._jobs("SELECT job FROM withheld WHERE at < ? AND decision <> 'released'", before)

    async def appeal(self, job_id: str) -> bool:
        """Ask for another look; False when that was done, decided or never needed."""
        sql = "UPDATE withheld SET appealed = ? WHERE job = ? AND appealed IS NULL AND decision = ''"
        sql += " AND reason = 'unsafe'"
        return await self._writer.run(lambda db: rows.count(db, sql, (self._clock(), job_id))) > 0

    async def reopen(self, job_id: str) -> None:
        """The end of a job is to be shown anew, wherever its card is."""
        await self._writer.run(lambda db: _reopen(db, job_id))

    async def decide(self, job_id: str, decision: Decision, author: str) -> bool:
        """What a moderator decides, also against an earlier decision; False when it is so already, or deleted."""
        sql = "UPDATE withheld SET decision = ?, author = ?, decided = ? WHERE job = ? AND decision <> ?"
        values = (decision, author, self._clock(), job_id, decision)

        async def work(db: aiosqlite.Connection) -> bool:
            changed = await rows.count(db, sql, values) > 0
            if changed:
                await _reopen(db, job_id)
            return changed

        return await self._writer.run(work)

    async def questions(self, *, job_id: str = "", user_key: str = "") -> list[list[str]]:
        """The messages that ask moderators about a job, or about all of a person: platform, place and message."""
        sql = f"""
            SELECT json_extract(extra, '$.case') AS asked FROM cards JOIN jobs ON jobs.id = cards.job
            WHERE (jobs.id = :job OR {MINE}) AND json_extract(extra, '$.case') IS NOT NULL
        """
        values = {"job": job_id, "user": user_key}
        found = await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)
        return [json.loads(row["asked"]) for row in found]

    async def strand(self, spots: Sequence[Sequence[str]]) -> None:
        """These messages to moderators are to be taken away, at the next start if nobody can do it now."""

        async def work(db: aiosqlite.Connection) -> None:
            have = await _stranded(db)
            await _strand(db, [*have, *(list(spot) for spot in spots if list(spot) not in have)])

        await self._writer.run(work)

    async def stranded(self, platform: str) -> list[list[str]]:
        """The messages to moderators that are still to be taken away on a platform: platform, place and message."""
        found = await self._writer.run(_stranded, write=False)
        return [spot for spot in found if spot[0] == platform]

    async def settled(self, spot: Sequence[str]) -> None:
        """A message to moderators was taken away."""

        async def work(db: aiosqlite.Connection) -> None:
            have = await _stranded(db)
            if list(spot) in have:
                await _strand(db, [one for one in have if one != list(spot)])

        await self._writer.run(work)

    async def hides(self, user_key: str, image: ImageId) -> bool:
        """Whether this person has a picture only through jobs that are withheld from them."""
        found = await self._writer.run(
            lambda db: rows.one(db, _HIDDEN, {"image": image, "user": user_key}), write=False
        )
        return found is not None and found["have"] > 0 and found["hidden"] >= found["have"]

    async def seen(self, user_key: str, images: Collection[ImageId]) -> list[ImageId]:
        """Those of a person's pictures that are not withheld from them, sorted."""
        return [image for image in sorted(images) if not await self.hides(user_key, image)]

    async def _jobs(self, sql: str, *values: float) -> list[str]:
        found = await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)
        return [row["job"] for row in found]


async def _stranded(db: aiosqlite.Connection) -> list[list[str]]:
    found = await rows.one(db, "SELECT value FROM meta WHERE name = ?", (_STRANDED,))
    return [] if found is None else [list(spot) for spot in json.loads(found["value"])]


async def _strand(db: aiosqlite.Connection, spots: Sequence[Sequence[str]]) -> None:
    await db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_STRANDED, json.dumps(list(spots)[-MOST:])))


async def _reopen(db: aiosqlite.Connection, job_id: str) -> None:
    """Front-ends deliver again what is produced and not shown; a card that has no `how` is one to be changed."""
    await db.execute(
        "UPDATE jobs SET state = 'produced', shown = 0 WHERE id = ? AND state IN ('delivering', 'delivered', 'kept')",
        (job_id,),
    )
    await db.execute("UPDATE cards SET extra = json_remove(extra, '$.how', '$.sent') WHERE job = ?", (job_id,))


def _case(row: sqlite3.Row) -> Case:
    return Case(row["job"], row["reason"], row["at"], row["appealed"], row["decision"], row["author"], row["decided"])
