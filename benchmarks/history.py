"""How fast is a history of 100 000 pictures? Lookups through the store, beside the same questions without an index.

Run `python benchmarks/history.py [ROWS]`. The store's figures hold everything a person waits for: the line of the
writer, the query, the objects, and the checksum of the picture.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from realbot import database
from realbot.jobs import Generate, Origin, User, to_json
from realbot.store import Store

PEOPLE = 200
THINGS = "apple frog crown penguin house boat lamp violin mushroom rocket tiger teapot".split()  # noqa: SIM905
COLOURS = "red blue green yellow purple orange white black".split()  # noqa: SIM905


#: The Unix time of the first picture; one follows each second.
BEGUN = 1e9
#: Somebody with more than anybody has.
EAGER = User("discord", "eager", "Eager")


def person(n: int) -> User:
    return User("discord", str(n % PEOPLE), f"person {n % PEOPLE}")


def fill(path: Path, rows: int, image: str) -> None:
    """Insert finished jobs as the store writes them, in one transaction; `EAGER` was charged for all of them too."""
    rng = random.Random(1)
    origin = json.dumps({"platform": "discord", "place": "1", "message": "2", "thread": "", "locale": "en"})
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        jobs, pictures, charges = [], [], []
        for n in range(rows):
            user, words = person(rng.randrange(PEOPLE)), f"a {rng.choice(COLOURS)} {rng.choice(THINGS)} number {n}"
            request = json.dumps(to_json(Generate(prompt=words, seed=n, steps=12, width=128, height=128)))
            jobs.append((f"job-{n}", user.key, user.name, request, words, origin, f"asked-{n}", f"key-{n}", BEGUN + n))
            pictures.append((n + 1, image))
            charges += [(f"job-{n}", key, BEGUN + n, 1, 5.0) for key in (user.key, EAGER.key)]
        db.executemany(
            "INSERT INTO jobs (id, platform, user_key, user_name, request, prompt, origin, asked_key, key, created,"
            " state, shown) VALUES (?, 'discord', ?, ?, ?, ?, ?, ?, ?, ?, 'delivered', 1)",
            jobs,
        )
        db.executemany("INSERT INTO pictures VALUES (?, 'result', 0, ?)", pictures)
        db.executemany("INSERT INTO charges (job, user_key, at, pictures, seconds) VALUES (?, ?, ?, ?, ?)", charges)
        db.commit()


async def timed(ask: Callable[[int], Awaitable[object]], times: int) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for n in range(times):
        begun = time.perf_counter()
        await ask(n)
        found.append((time.perf_counter() - begun) * 1000)
    return found


async def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "picture.png"
        source.write_bytes(random.Random(1).randbytes(30_000))
        async with Store.open(folder / "data") as store:
            image = await store.adopt(source)
            begun = time.perf_counter()
            fill(folder / "data" / database.NAME, rows, image)
            filled = time.perf_counter() - begun
        begun = time.perf_counter()
        async with Store.open(folder / "data") as store:
            opened = time.perf_counter() - begun
            await measure(store, rows, filled, opened)


async def measure(store: Store, rows: int, filled: float, opened: float) -> None:
    rng = random.Random(2)
    path = store.folder / database.NAME
    with closing(sqlite3.connect(path)) as db:
        owners = dict(db.execute("SELECT seq - 1, user_key FROM jobs"))
        size = path.stat().st_size / 1e6

        def owner(n: int) -> User:
            return person(int(owners[n].partition(":")[2]))

        def bare(sql: str, *arguments: object) -> None:
            db.execute(f"SELECT * FROM jobs NOT INDEXED WHERE {sql}", arguments).fetchall()

        async def peer(n: int) -> None:
            bare("user_key = ? AND key = ?", owner(n).key, f"key-{n}")

        async def peer_asked(n: int) -> None:
            bare("user_key = ? AND asked_key = ?", owner(n).key, f"asked-{n}")

        async def peer_history(n: int) -> None:
            bare("user_key = ? AND state = 'delivered' ORDER BY created DESC LIMIT 20", person(n).key)

        async def peer_search(n: int) -> None:
            bare("user_key = ? AND prompt LIKE ? AND prompt LIKE ?", person(n).key, "%red%", "%apple%")

        now = BEGUN + rows
        picks = [rng.randrange(rows) for _ in range(1000)]

        async def put(n: int) -> None:
            request = Generate(prompt="a red apple", seed=n)
            await store.put(f"new-{n}", person(n), request, None, Origin("discord"), None, now, lambda _: None)

        questions: list[tuple[str, Callable[[int], Awaitable[object]], Callable[[int], Awaitable[object]] | None]] = [
            ("exact answer (hit)", lambda n: store.recall(f"key-{picks[n]}", owner(picks[n])), peer),
            ("exact answer (miss)", lambda n: store.recall("none", person(n)), peer),
            ("same question again", lambda n: store.recall_asked(owner(picks[n]), f"asked-{picks[n]}"), peer_asked),
            ("history, newest 20", lambda n: store.history(person(n)), peer_history),
            ("history, from the middle", lambda n: store.history(person(n), 20, rows // 2), peer_history),
            ("search 'red app', 20", lambda n: store.history(person(n), search="red app"), peer_search),
            ("status of a job", lambda n: store.row(f"job-{picks[n]}", owner(picks[n])), None),
            ("usage of an hour, a day, a month", lambda n: store.usage(person(n), now), None),
            ("accept (synced commit), with usage", put, None),
            (f"usage of one with {rows:,} pictures", lambda n: store.usage(EAGER, now), None),
        ]
        table = Table(title=f"{rows:,} jobs of {PEOPLE} people, {size:.0f} MB, SQLite {sqlite3.sqlite_version}")
        for heading in ("question", "median ms", "p99 ms", "without index, ms", "times faster"):
            table.add_column(heading, justify="left" if heading == "question" else "right")
        worst = slowest = 0.0
        for name, ask, other in questions:
            ours = await timed(ask, 200)
            middle, late = statistics.median(ours), statistics.quantiles(ours, n=100)[98]
            if name != questions[-1][0]:
                worst = max(worst, late if ask is not put else 0)
                slowest = max(slowest, middle)
            theirs = statistics.median(await timed(other, 5)) if other else 0.0
            ratio = (f"{theirs:.1f}", f"{theirs / middle:.0f} ×") if other else ("", "")
            table.add_row(name, f"{middle:.2f}", f"{late:.2f}", *ratio)
        console = Console(width=100)
        console.print(table)
        console.print(f"filled in {filled:.1f} s, opened with its integrity check in {opened:.2f} s")
        console.print(f"slowest lookup, p99: {worst:.1f} ms (target: below 20 ms)")
        console.print(f"slowest of submit, status and list, median: {slowest:.1f} ms (target: below 50 ms)")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
