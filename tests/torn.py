"""Power cuts and kills for the store.

Power cuts: images of a database as a disk may hold it after the current went away. Kills need a process of their own:
`python torn.py migrate FOLDER OLD` and `python torn.py work FOLDER CYCLES`, which fork and send SIGKILL.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from realbot import database
from realbot.jobs import Generate, Origin, User
from realbot.pictures import Pictures
from realbot.store import Store

FRAME = 24 + 4096
LOG = f"{database.NAME}-wal"
#: Of the schema as it is now.
VERSION = max(database.steps())


@dataclass(frozen=True)
class Ack:
    """The files at the moment a verb had been acknowledged, and what it promised."""

    db: bytes
    wal: bytes
    ledger: bytes
    jobs: tuple[tuple[object, ...], ...]


def jobs(folder: Path) -> tuple[tuple[object, ...], ...]:
    """Everything the database promises, read by a connection of its own."""
    with closing(sqlite3.connect(f"{(folder / database.NAME).as_uri()}?mode=ro", uri=True)) as db:
        return tuple(
            db.execute(
                "SELECT seq, id, user_key, request, origin, state, attempt, error, favourite, shown, (SELECT"
                " group_concat(image) FROM pictures WHERE job = jobs.seq) FROM jobs ORDER BY seq"
            )
        )


def snapshot(folder: Path) -> Ack:
    return Ack(
        (folder / database.NAME).read_bytes(),
        (folder / LOG).read_bytes(),
        (folder / "realbot.commits").read_bytes(),
        jobs(folder),
    )


def damaged(tail: bytes, rng: random.Random) -> bytes:
    """What a disk may keep of bytes that were written and not synced."""
    if not tail:
        return tail
    kind = rng.choice(("cut", "zero", "scramble", "pages", "mixed"))
    at = rng.randrange(len(tail) + 1)
    if kind == "cut":
        return tail[:at]
    if kind == "zero":
        return tail[:at] + bytes(len(tail) - at)
    if kind == "scramble":
        return tail[:at] + rng.randbytes(len(tail) - at)
    frames = [tail[i : i + FRAME] for i in range(0, len(tail), FRAME)]
    if kind == "pages":  # each sector reached the disk or not, in any order
        return b"".join(frame if rng.random() < 0.5 else bytes(len(frame)) for frame in frames)
    rng.shuffle(frames)
    return b"".join(frames)[:at]


def images(acks: list[Ack], rng: random.Random, count: int) -> Iterator[tuple[int, int, Ack]]:
    """Torn files as (acknowledged verbs, verbs begun, files): all that is synced is whole, all later is damaged."""
    for _ in range(count):
        sure = rng.randrange(len(acks))
        begun = min(sure + rng.randrange(4), len(acks) - 1)
        a, b = acks[sure], acks[begun]
        if a.db == b.db and b.wal[: len(a.wal)] == a.wal:
            wal = a.wal + damaged(b.wal[len(a.wal) :], rng)
            yield sure, begun, Ack(a.db, wal, a.ledger, a.jobs)
        else:  # a checkpoint lies between: its pages may be torn, and the log is whole until they are synced
            yield sure, sure, Ack(torn_pages(a.db, b.db, rng), a.wal, a.ledger, a.jobs)


def torn_pages(before: bytes, after: bytes, rng: random.Random) -> bytes:
    pages = []
    for at in range(0, max(len(before), len(after)), 4096):
        old, new = before[at : at + 4096], after[at : at + 4096]
        mixed = new[: rng.randrange(len(new) + 1)]
        pages.append(rng.choice((old or new, new, mixed + old[len(mixed) :])) if old != new else old)
    return b"".join(pages)


def lay(folder: Path, image: Ack) -> None:
    """Write the files of an image, and nothing else, into a folder."""
    for suffix in ("-shm", "-wal"):
        (folder / f"{database.NAME}{suffix}").unlink(missing_ok=True)
    (folder / database.NAME).write_bytes(image.db)
    (folder / LOG).write_bytes(image.wal)
    (folder / "realbot.commits").write_bytes(image.ledger)


def killed(folder: Path, have: int, steps: dict[int, str], at: int) -> bool:
    """Migrate in a forked process that gets SIGKILL before its statement number `at`; whether it came that far."""
    child = os.fork()
    if child == 0:
        connect, seen = sqlite3.connect, 0

        def trace(_: str) -> None:
            nonlocal seen
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

        def watched(*args: object, **kwargs: object) -> sqlite3.Connection:
            db = connect(*args, **kwargs)  # type: ignore[call-overload]
            db.set_trace_callback(trace)
            return db  # type: ignore[no-any-return]

        sqlite3.connect = watched  # type: ignore[assignment]
        database.migrate(folder, have, steps)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


#: A later schema as the tests imagine it: a table, data moved into it, a column gone.
NEXT = """
CREATE TABLE grades (job INTEGER PRIMARY KEY, grade INTEGER NOT NULL) STRICT;
INSERT INTO grades SELECT seq, favourite FROM jobs;
DROP INDEX jobs_favourites;
ALTER TABLE jobs DROP COLUMN favourite;
CREATE INDEX grades_grade ON grades (grade);
"""


def migrate(folder: Path, pristine: Path) -> None:
    """Kill a migration at every statement and print after each one what the database is: its schema and its jobs."""
    steps = {**database.steps(), VERSION + 1: NEXT} if pristine.exists() else database.steps()
    have = VERSION if pristine.exists() else 0
    at, going = 0, True
    while going:
        at += 1
        for file in folder.iterdir():
            file.unlink()
        if have:
            (folder / database.NAME).write_bytes(pristine.read_bytes())
        going = killed(folder, have, steps, at)
        found = database.check(folder, steps, None)
        with closing(sqlite3.connect(folder / database.NAME)) as db:
            tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            rows = db.execute("SELECT count(*) FROM jobs").fetchone()[0] if tables else 0
        copies = len([file for file in folder.iterdir() if "before" in file.name and file.suffix == ".db"])
        print(at, found, tables, rows, copies)


async def promise(folder: Path, cycle: int, tell: int) -> None:
    """Four people use a store without end and write down each verb once it is acknowledged."""
    async with Store.open(folder) as store:

        async def person(name: str) -> None:
            rng = random.Random(f"{cycle} {name}")
            user = User("cli", name)
            source = folder.parent / f"source-{name}.png"
            for n in itertools.count():
                job = f"{cycle}-{name}-{n}"
                await store.put(job, user, Generate(prompt=job), None, Origin("cli"), None, 1.0, lambda _: None)
                os.write(tell, f"{job} accepted\n".encode())
                if rng.random() < 0.5 and await store.start(job, 1):
                    os.write(tell, f"{job} running\n".encode())
                if rng.random() < 0.5:
                    source.write_bytes(rng.randbytes(50_000))
                    image = await store.adopt(source)
                    await store.produce(job, [image], 1.0, {}, "", job)
                    os.write(tell, f"{job} produced\n".encode())
                elif rng.random() < 0.5:
                    await store.cancel(job)
                    os.write(tell, f"{job} cancelled\n".encode())

        await asyncio.gather(*(person(name) for name in "abcd"))


#: How far a job is; a verb in flight at the kill may have been committed and not yet acknowledged.
ORDER = {"accepted": 0, "running": 1, "produced": 2, "cancelled": 2}


def work(folder: Path, cycles: int) -> None:
    """Kill a busy store at random moments; print what was acknowledged, lost and left lying about in all."""
    acknowledged: dict[str, str] = {}
    lost = torn = 0
    rng = random.Random(1)
    for cycle in range(cycles):
        hear, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(hear)
            asyncio.run(promise(folder, cycle, tell))
            os._exit(0)
        os.close(tell)
        with os.fdopen(hear, "r") as lines:
            if cycle % 4:  # in the midst of its work, else while it opens
                acknowledged.update([lines.readline().split()])  # type: ignore[list-item]
            time.sleep(rng.random() * 0.1)
            os.kill(child, signal.SIGKILL)
            acknowledged.update(line.split() for line in lines if line.endswith("\n"))  # type: ignore[misc]
        os.waitpid(child, 0)
        if not (folder / database.NAME).exists():
            continue
        known = database.steps()
        if database.check(folder, known, database.Ledger(folder).read()) == 0:
            continue
        found = {str(job[1]): str(job[5]) for job in jobs(folder)}
        lost += sum(ORDER[found[job]] < ORDER[state] if job in found else 1 for job, state in acknowledged.items())
        pictures = Pictures(folder / "pictures")
        for job in jobs(folder):
            torn += job[-1] is not None and not pictures.intact(str(job[-1]))
    asyncio.run(settle(folder))
    files = [path for path in (folder / "pictures").rglob("*") if path.is_file()]
    named = {str(job[-1]) for job in jobs(folder) if job[-1] is not None}
    print(len(acknowledged), lost, torn, len({path.stem for path in files} ^ named))


async def settle(folder: Path) -> None:
    async with Store.open(folder):
        pass


if __name__ == "__main__":
    {"migrate": migrate, "work": lambda folder, cycles: work(folder, int(str(cycles)))}[sys.argv[1]](
        Path(sys.argv[2]), Path(sys.argv[3])
    )
