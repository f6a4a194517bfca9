"""What the store's queries give back, and the queries that several verbs share."""

# ruff: noqa: S608 - the parts of these queries are constants

from __future__ import annotations

import hmac
import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import aiosqlite

from .jobs import Generate, ImageId, Origin, Request, Train, Upscale, User, from_json
from .moderation import UNSPACED
from .spending import WINDOWS, Charge, Usage

Arguments: TypeAlias = Sequence[Any] | Mapping[str, Any]

#: In seconds.
DAY = 86_400.0
#: Seconds for which what was charged is kept: limits look back 30 days at most.
COUNTED = 31 * DAY


@dataclass(frozen=True, slots=True)
class Circle:
    """Among whom a picture may answer a later request."""

    scope: str = "user"  #: "user", "server" or "everyone"
    server: str = ""  #: "discord:123"
    adult: bool = False  #: pictures from places open to adults only may answer too


#: A person's pictures answer nobody else.
OWN = Circle()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A job as it is remembered. Times are Unix times in seconds."""

    seq: int  #: the order of acceptance
    id: str
    user: User
    request: Request
    origin: Origin
    state: str  #: accepted running produced delivering delivered | cancelled failed quarantined kept
    attempt: int  #: 0 before the first run
    deaths: int  #: engines that died while they ran it
    created: float
    started: float | None
    finished: float | None
    images: tuple[ImageId, ...]
    seconds: float  #: of painting
    stages: Mapping[str, float]
    notes: tuple[tuple[str, str], ...]
    key: str | None
    asked_key: str | None
    fingerprint: str
    error: str  #: class name in `errors`, for failed and quarantined
    detail: str  #: of the error, or why it was kept
    cached: bool
    favourite: bool
    shown: bool  #: whether its owner has seen the end of it

    @property
    def user_key(self) -> str:
        return self.user.key

    @property
    def user_name(self) -> str:
        return self.user.name

    @property
    def platform(self) -> str:
        return self.user.platform

    @property
    def seed(self) -> int | None:
        return self.request.seed if isinstance(self.request, Generate) else None


#: The accounts of one person: `:user`, and those that are linked with it.
ACCOUNTS = """
    SELECT :user AS user_key UNION SELECT other.user_key FROM people AS own JOIN people AS other
        ON other.person = own.person WHERE own.user_key = :user
"""
MINE = f"user_key IN ({ACCOUNTS})"
#: In so many parts a window is added up: what comes back is told as late as a part is long, and never too early.
PARTS = 360
_ON_ITS_WAY = "state IN ('accepted', 'running')"
_SPENT = """
    SELECT max(at) AS at, total(pictures) AS pictures, total(seconds) AS seconds, at <= :forgiven AS forgiven
        FROM charges WHERE user_key IN (:user, :alias) AND at > :since AND (pictures > 0 OR seconds > 0)
        GROUP BY CAST(at / :grain AS INTEGER), at <= :forgiven ORDER BY 1
"""
JOB = """
    SELECT jobs.*, (SELECT json_group_array(image) FROM (SELECT image FROM pictures
        WHERE job = jobs.seq AND role = 'result' ORDER BY n)) AS images FROM jobs
"""


async def one(db: aiosqlite.Connection, sql: str, arguments: Arguments = ()) -> sqlite3.Row | None:
    """The first row."""
    return next(iter(await rows(db, sql, arguments)), None)


async def rows(db: aiosqlite.Connection, sql: str, arguments: Arguments = ()) -> list[sqlite3.Row]:
    """All rows."""
    return list(await db.execute_fetchall(sql, arguments))


async def count(db: aiosqlite.Connection, sql: str, arguments: Arguments = ()) -> int:
    """How many rows a statement changed."""
    return (await db.execute(sql, arguments)).rowcount


def load(data: sqlite3.Row) -> Row:
    """A row of `JOB` as an object."""
    platform, user = data["platform"], data["user_key"].partition(":")[2]
    return Row(
        seq=data["seq"],
        id=data["id"],
        user=User(platform, user, data["user_name"]),
        request=from_json(json.loads(data["request"])),
        origin=Origin(**json.loads(data["origin"])),
        state=data["state"],
        attempt=data["attempt"],
        deaths=data["deaths"],
        created=data["created"],
        started=data["started"],
        finished=data["finished"],
        images=tuple(json.loads(data["images"])),
        seconds=data["seconds"],
        stages=json.loads(data["stages"]),
        notes=tuple((kind, detail) for kind, detail in json.loads(data["notes"])),
        key=data["key"],
        asked_key=data["asked_key"],
        fingerprint=data["fingerprint"],
        error=data["error"],
        detail=data["detail"],
        cached=bool(data["cached"]),
        favourite=bool(data["favourite"]),
        shown=bool(data["shown"]),
    )


def alias(pepper: bytes, user_key: str) -> str:
    """The hash that stands for a person who had everything deleted."""
    return hmac.new(pepper, user_key.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


async def usage(  # noqa: PLR0917 - who, where, when
    db: aiosqlite.Connection,
    user_key: str,
    alias: str,
    now: float,
    server: str = "",
    windows: Iterable[float] = WINDOWS,
) -> Usage:
    """What counts against the limits of a person: every linked account's jobs that wait, and what was charged.

    Charges are under each account that the person had at the time, by its key or the hash that stands for it; those
    of each of the `windows` in seconds are added up in so many parts that no window has more than a few hundred.
    """
    found = await one(
        db,
        f"""
        SELECT (SELECT count(*) FROM jobs INDEXED BY jobs_line_user WHERE {MINE} AND {_ON_ITS_WAY}),
               (SELECT count(*) FROM jobs WHERE {_ON_ITS_WAY}),
               (SELECT max(at) FROM charges WHERE user_key IN (:user, :alias) AND at <= :now),
               (SELECT count(*) FROM jobs INDEXED BY jobs_line_server
                    WHERE :server <> '' AND server = :server AND {_ON_ITS_WAY}),
               (SELECT max(at) FROM forgiven WHERE {MINE} AND place = :server)
        """,
        {"user": user_key, "alias": alias, "now": now, "server": server},
    )
    assert found is not None
    mine, total, last, here, forgiven = found
    charges = {}
    for window in windows:
        values = {"user": user_key, "alias": alias, "since": now - window, "grain": window / PARTS}
        spent = await rows(db, _SPENT, {**values, "forgiven": -1.0 if forgiven is None else forgiven})
        charges[window] = tuple(
            Charge(row["at"], int(row["pictures"]), row["seconds"], bool(row["forgiven"])) for row in spent
        )
    return Usage(mine, total, last, charges, here)


async def schooled(db: aiosqlite.Connection, user_key: str, now: float) -> tuple[int, int]:
    """Trainings that a person began in 24 hours and did not give up, and the styles they have or are about to have."""
    found = await one(
        db,
        f"""
        SELECT (SELECT count(*) FROM jobs WHERE {MINE} AND created > :since
                AND json_extract(request, '$.verb') = 'train'
                AND state NOT IN ('cancelled', 'failed', 'quarantined')),
               (SELECT count(*) FROM trained WHERE {MINE} AND (sha256 <> '' OR job IN
                (SELECT id FROM jobs WHERE state IN ('accepted', 'running'))))
        """,
        {"user": user_key, "since": now - DAY},
    )
    assert found is not None
    return found[0], found[1]


async def refer(db: aiosqlite.Connection, seq: int, role: str, images: Sequence[ImageId]) -> None:
    """Note which picture files a job needs."""
    await db.executemany(
        "INSERT INTO pictures (job, role, n, image) VALUES (?, ?, ?, ?)",
        [(seq, role, n, image) for n, image in enumerate(images)],
    )


async def refund(db: aiosqlite.Connection, job_id: str) -> None:
    """The job counts no longer; that it was asked for, and when, still does."""
    await db.execute("UPDATE charges SET pictures = 0, seconds = 0 WHERE job = ?", (job_id,))


def inputs(request: Request) -> tuple[ImageId, ...]:
    """The pictures a request starts from."""
    match request:
        case Generate():
            return tuple(image for image in (request.source, request.mask, request.reference) if image)
        case Upscale():
            return (request.source,)
        case Train():
            return request.images


def prompt(request: Request) -> str:
    """The words by which a request is found."""
    match request:
        case Generate():
            return spread(text(" ".join((request.prompt, request.negative, *(use.name for use in request.styles)))))
        case Train():
            return spread(text(f"{request.style} {request.trigger}"))
        case Upscale():
            return ""


def match(search: str) -> str:
    """The full-text query for prompts that hold every word or its beginning; empty when there is no word.

    Of a script without blanks any part is found, in what was asked for before as well at least the beginning.
    """
    words = [text(word) for word in re.findall(r"\w+", search)]
    forms = [dict.fromkeys((spread(word).strip(), word)) for word in words]
    return " AND ".join("(" + " OR ".join(f'"{form}"*' for form in one) + ")" for one in forms)


def spread(words: str) -> str:
    """With blanks around each letter of a script that puts none between words."""
    return UNSPACED.sub(r" \g<0> ", words)


def text(value: str) -> str:
    """The same text without what UTF-8 or SQLite cannot hold."""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
