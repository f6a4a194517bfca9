"""What a server's administrators are told of its use, also of what is deleted by now. Nobody is named in it."""

# ruff: noqa: S608 - the parts of these queries are constants

from __future__ import annotations

from dataclasses import dataclass

import aiosqlite

from . import rows
from .rows import DAY

MONTH = 30 * DAY
#: Styles that are named.
MOST = 5


@dataclass(frozen=True, slots=True)
class Stats:
    """Of the last 30 days, unless it says otherwise."""

    today: int = 0  #: pictures of the last 24 hours
    month: int = 0  #: pictures
    people: int = 0
    waiting: int = 0  #: at this moment
    wait: float | None = None  #: mean seconds from asking to the picture; None without one
    accuracy: float | None = None  #: share of pictures that came in the time told; None without one
    styles: tuple[tuple[str, int], ...] = ()  #: the most used ones and how often
    paused: bool = False


async def tally(db: aiosqlite.Connection, server: str, now: float) -> Stats:
    """Count one server's jobs, by its key; all of them for an empty one."""
    values = {"server": server, "day": now - DAY, "month": now - MONTH, "most": MOST}
    # As an index of places needs it: others wait for the database meanwhile.
    here = "server = :server AND server <> ''" if server else "true"
    jobs = f"FROM jobs WHERE {here} AND created > :month"
    done = f"{jobs} AND state IN ('produced', 'delivering', 'delivered', 'kept')"
    counted = await rows.one(
        db,
        "SELECT count(*) AS month, total(created > :day) AS today FROM pictures JOIN"
        f" (SELECT seq, created {done}) ON seq = job WHERE role = 'result'",
        values,
    )
    gone = await rows.one(
        db,
        "SELECT total(pictures) AS month, total(pictures * (hour * 3600 >= :day)) AS today, total(answers) AS answers,"
        f" total(waited) AS waited FROM tallied WHERE {here} AND hour * 3600 >= :month",
        values,
    )
    people = await rows.one(
        db,
        f"SELECT count(DISTINCT user_key) AS people, total(state IN ('accepted', 'running')) AS waiting {jobs}",
        values,
    )
    wait = await rows.one(
        db, f"SELECT count(*) AS answers, total(finished - created) AS waited {done} AND NOT cached", values
    )
    score = await rows.one(
        db, f"SELECT avg(actual BETWEEN low AND high) AS share FROM scores WHERE {here} AND at > :month", values
    )
    styles = await rows.rows(
        db,
        f"SELECT json_extract(use.value, '$.name') AS name, count(*) AS times"
        f" FROM (SELECT request {jobs}) AS asked, json_each(asked.request, '$.styles') AS use"
        " GROUP BY name ORDER BY times DESC, name LIMIT :most",
        values,
    )
    assert counted is not None
    assert gone is not None
    assert people is not None
    assert wait is not None
    assert score is not None
    answers = wait["answers"] + gone["answers"]
    return Stats(
        today=int(counted["today"] + gone["today"]),
        month=int(counted["month"] + gone["month"]),
        people=people["people"],
        waiting=int(people["waiting"]),
        wait=(wait["waited"] + gone["waited"]) / answers if answers else None,
        accuracy=score["share"],
        styles=tuple((row["name"], row["times"]) for row in styles),
    )
