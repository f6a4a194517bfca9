"""By what pictures are found again: how they look, and what their words mean. What the store keeps of it.

`finder.py` makes the hashes and vectors, and decides.
"""

# ruff: noqa: S608 - the parts of these queries are constants

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import aiosqlite

from . import rows
from .jobs import ImageId, User
from .rows import JOB, MINE, Row
from .writer import Writer

_ENDED = "state IN ('produced', 'delivering', 'delivered', 'kept')"
#: Jobs whose result is one of some pictures, the latest first.
_SHOWN = (
    f"{_ENDED} AND seq IN (SELECT job FROM pictures"
    " WHERE role = 'result' AND image IN (SELECT value FROM json_each(:images)))"
)
#: Rows that are read at a time, so that others get their turn in between.
CHUNK = 4000


@dataclass(frozen=True, slots=True)
class Words:
    """A job whose words have no vector yet."""

    seq: int
    prompt: str


class Traces:
    """Everything here can be made again from the jobs and their pictures."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        #: Is told of the pictures of each answer, and of each request that is accepted.
        self.painted: Callable[[Sequence[ImageId]], None] = lambda images: None
        self.accepted: Callable[[], None] = lambda: None

    # Looks

    async def look(self, image: ImageId, hash: int) -> None:
        """Keep the hash of a picture, 64 bits, unless nobody has the picture any more."""
        signed = hash - 2**64 if hash >= 2**63 else hash
        sql = (
            "INSERT OR IGNORE INTO likeness (image, hash) SELECT :image, :hash"
            " WHERE EXISTS (SELECT 1 FROM pictures WHERE image = :image AND role = 'result')"
        )
        await self._writer.run(lambda db: rows.count(db, sql, {"image": image, "hash": signed}))

    async def unseen(self, job: int = 0, n: int = 0, limit: int = 50) -> list[tuple[int, int, ImageId]]:
        """Painted pictures without a hash, with the `seq` and number in their jobs, from behind one of them on."""
        sql = (
            "SELECT job, n, image FROM pictures WHERE role = 'result' AND job >= :job AND (job, n) > (:job, :n)"
            " AND NOT EXISTS (SELECT 1 FROM likeness WHERE likeness.image = pictures.image)"
            " ORDER BY job, n LIMIT :limit"
        )
        values = {"job": job, "n": n, "limit": limit}
        found = await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)
        return [(row["job"], row["n"], row["image"]) for row in found]

    async def looks(self, after: int) -> list[tuple[int, int]]:
        """Numbers and hashes of pictures, at most `CHUNK`, from behind a number on."""
        sql = "SELECT seq, hash FROM likeness WHERE seq > ? ORDER BY seq LIMIT ?"
        found = await self._writer.run(lambda db: rows.rows(db, sql, (after, CHUNK)), write=False)
        return [(row["seq"], row["hash"] % 2**64) for row in found]

    async def looking(self, numbers: Sequence[int]) -> list[ImageId]:
        """The pictures with these numbers, in their order; those that are gone are left out."""
        sql = "SELECT seq, image FROM likeness WHERE seq IN (SELECT value FROM json_each(?))"
        found = await self._writer.run(lambda db: rows.rows(db, sql, (json.dumps(list(numbers)),)), write=False)
        images = {row["seq"]: row["image"] for row in found}
        return [images[number] for number in numbers if number in images]

    async def own(self, user: User, images: Sequence[ImageId]) -> list[Row]:
        """This person's jobs that gave one of these pictures, the latest first."""
        sql = f"{JOB} WHERE {MINE} AND {_SHOWN} ORDER BY seq DESC LIMIT 50"
        values = {"user": user.key, "images": json.dumps(list(images))}
        return [rows.load(row) for row in await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)]

    async def since(self, images: Sequence[ImageId]) -> float | None:
        """The Unix time at which the first of these pictures was asked for, by whomever; None for none of ours."""
        sql = f"SELECT min(created) AS since FROM jobs WHERE {_SHOWN}"
        values = {"images": json.dumps(list(images))}
        found = await self._writer.run(lambda db: rows.one(db, sql, values), write=False)
        return None if found is None else found["since"]

    async def seeded(self, user: User, seed: int) -> list[Row]:
        """This person's finished jobs of which one of the pictures has this seed, the latest first."""
        first = "json_extract(request, '$.seed')"
        sql = f"{JOB} WHERE {MINE} AND {_ENDED} AND {first} BETWEEN :seed - 15 AND :seed ORDER BY seq DESC LIMIT 50"
        values = {"user": user.key, "seed": seed}
        return [rows.load(row) for row in await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)]

    # Words

    async def mean(self, vectors: Sequence[tuple[int, bytes]]) -> None:
        """Keep what the words of jobs mean, unless they have been deleted."""

        async def work(db: aiosqlite.Connection) -> None:
            await db.executemany(
                "INSERT OR REPLACE INTO meanings (job, vector) SELECT seq, :vector FROM jobs WHERE seq = :job",
                [{"job": seq, "vector": vector} for seq, vector in vectors],
            )

        await self._writer.run(work)

    async def unread(self, after: int, limit: int) -> list[Words]:
        """Requests for pictures whose words have no vector, from behind a `seq` on."""
        sql = (
            "SELECT seq, request -> '$.prompt' AS prompt FROM jobs WHERE seq > ?"
            " AND json_extract(request, '$.verb') = 'generate'"
            " AND NOT EXISTS (SELECT 1 FROM meanings WHERE job = seq) ORDER BY seq LIMIT ?"
        )
        found = await self._writer.run(lambda db: rows.rows(db, sql, (after, limit)), write=False)
        return [Words(row["seq"], json.loads(row["prompt"])) for row in found]

    async def meanings(self, user: User, *, favourites: bool = False) -> AsyncIterator[list[tuple[int, bytes]]]:
        """Vectors of this person's finished jobs, `CHUNK` at a time, the latest first."""
        mine = f"SELECT seq FROM jobs WHERE {MINE} AND {_ENDED}{' AND favourite = 1' if favourites else ''}"
        found = await self._writer.run(lambda db: rows.rows(db, mine, {"user": user.key}), write=False)
        seqs = sorted((row["seq"] for row in found), reverse=True)
        sql = "SELECT job, vector FROM json_each(?) CROSS JOIN meanings ON job = value"
        for n in range(0, len(seqs), CHUNK):
            some = json.dumps(seqs[n : n + CHUNK])
            chunk = await self._writer.run(partial(rows.rows, sql=sql, arguments=(some,)), write=False)
            yield [(row["job"], row["vector"]) for row in chunk]

    async def these(self, user: User, seqs: Sequence[int]) -> list[Row]:
        """Some of this person's jobs, the latest first."""
        sql = f"{JOB} WHERE {MINE} AND {_ENDED} AND seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq DESC"
        values = {"user": user.key, "seqs": json.dumps(list(seqs))}
        return [rows.load(row) for row in await self._writer.run(lambda db: rows.rows(db, sql, values), write=False)]
