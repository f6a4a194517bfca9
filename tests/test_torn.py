"""Power cuts and kills: whatever was acknowledged is there afterwards, and nothing is half done."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import torn
from realbot import database
from realbot.errors import ConfigError
from realbot.jobs import Generate, User
from realbot.store import Store
from stored import put, thirty


@pytest.fixture
async def used(tmp_path: Path) -> Path:
    return await thirty(tmp_path / "data")


async def work(folder: Path, rng: random.Random, verbs: int) -> list[torn.Ack]:
    """Use a store for a while and take a picture of its files after each acknowledgement."""
    folder.mkdir(parents=True)
    picture = folder.parent / "picture.png"
    picture.write_bytes(rng.randbytes(100))
    acks: list[torn.Ack] = []
    async with Store.open(folder) as store:
        image = await store.adopt(picture)
        for n in range(verbs):
            line = await store.waiting()
            kind = rng.choice(("put", "put", "start", "produce", "cancel", "forget", "favourite"))
            if kind == "put" or not line:
                user = User("cli", rng.choice("abc"))
                await put(store, user, Generate(prompt="an apple " * rng.randrange(1, 200)), job=f"job-{n}")
            else:
                row = rng.choice(line)
                if kind == "start":
                    await store.start(row.id, row.attempt + 1)
                elif kind == "produce":
                    await store.produce(row.id, [image], 1.0, {"denoise": 1.0}, "f", "k")
                elif kind == "cancel":
                    await store.cancel(row.id)
                elif kind == "favourite":
                    await store.favourite(row.user, row.id, True)
                elif len(line) > 5:
                    await store.forget(row.user, row.id)
            if n == verbs // 2:
                with closing(sqlite3.connect(folder / database.NAME)) as db:
                    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            acks.append(torn.snapshot(folder))
    return acks


@pytest.mark.slow
async def test_D8_nothing_acknowledged_is_lost_in_2000_torn_write_ahead_logs(tmp_path: Path) -> None:
    rng = random.Random(8)
    place = tmp_path / "torn"
    place.mkdir()
    known = database.steps()
    ledger = database.Ledger(place)
    lengths = set()
    for run in range(4):
        acks = await work(tmp_path / f"run-{run}" / "data", rng, 60)
        for n, (sure, begun, image) in enumerate(torn.images(acks, rng, 500)):
            torn.lay(place, image)
            lengths.add(begun - sure)
            assert database.check(place, known, ledger.read()) == torn.VERSION
            assert torn.jobs(place) in [ack.jobs for ack in acks[sure : begun + 1]]
            if n % 50 == 0:
                async with Store.open(place) as store:
                    assert len(await store.pending("cli")) == sum(1 for job in torn.jobs(place) if job[9] == 0)
    assert lengths == {0, 1, 2, 3}


def kills(*arguments: object) -> str:
    """What `torn.py` prints in a process of its own, which may fork safely."""
    command = [sys.executable, torn.__file__, *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.mark.slow
def test_D1_D2_D3_D5_nothing_acknowledged_is_lost_in_100_kills_and_no_picture_is_torn(tmp_path: Path) -> None:
    acknowledged, lost, broken, stray = map(int, kills("work", tmp_path / "data", 100).split())
    assert acknowledged > 100
    assert (lost, broken, stray) == (0, 0, 0)


def killed_migrations(folder: Path, pristine: Path) -> Iterator[tuple[int, int, int, int]]:
    for line in kills("migrate", folder, pristine).splitlines():
        _, found, tables, rows, copies = map(int, line.split())
        yield found, tables, rows, copies


def test_D21_a_kill_at_any_statement_of_the_first_schema_leaves_all_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    *interrupted, last = killed_migrations(tmp_path / "data", tmp_path / "none")
    assert len(interrupted) > 20
    seen = {(found, tables) for found, tables, _, _ in (*interrupted, last)}
    assert (0, 0) in seen
    # Every version has its tables whole, whenever it was interrupted.
    assert [found for found, _ in sorted(seen)] == list(range(torn.VERSION + 1))
    assert (interrupted[0][0], last[0]) == (0, torn.VERSION)


async def test_D21_a_kill_at_any_statement_of_an_upgrade_leaves_the_old_or_the_new(used: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    *interrupted, last = killed_migrations(tmp_path / "work", used / database.NAME)
    assert len(interrupted) > 8
    old, new = torn.VERSION, torn.VERSION + 1
    assert {found for found, *_ in interrupted} <= {old, new}
    assert (interrupted[0][0], last[0]) == (old, new)
    assert all(rows == 30 for _, _, rows, _ in (*interrupted, last))
    assert last[3] == 1


def statements(script: str) -> list[str]:
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found


async def test_D21_a_failure_at_any_statement_of_an_upgrade_changes_nothing(used: Path) -> None:
    first, steps = database.steps(), statements(torn.NEXT)
    promised = torn.jobs(used)
    for n in range(len(steps) + 1):
        broken = "".join(steps[:n]) + "INSERT INTO nowhere VALUES (1);\n" + "".join(steps[n:])
        with pytest.raises(ConfigError, match="as it was before"):
            database.migrate(used, torn.VERSION, {**first, torn.VERSION + 1: broken})
        assert database.check(used, first, database.Ledger(used).read()) == torn.VERSION
        assert torn.jobs(used) == promised
    (copy,) = used.glob("realbot-before-*.db")
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM jobs").fetchone() == (30,)


def test_D21_a_failure_at_any_statement_of_the_first_schema_leaves_an_empty_database(tmp_path: Path) -> None:
    steps = statements(database.steps()[1])
    assert len(steps) > 20
    for n in range(len(steps) + 1):
        broken = "".join(steps[:n]) + "INSERT INTO nowhere VALUES (1);\n" + "".join(steps[n:])
        with pytest.raises(ConfigError):
            database.migrate(tmp_path, 0, {1: broken})
        assert database.check(tmp_path, {1: ""}, None) == 0


async def test_D21_an_upgrade_copies_first_and_keeps_every_job(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {**database.steps(), torn.VERSION + 1: "CREATE TABLE extra (x INTEGER) STRICT;"}
    monkeypatch.setattr(database, "steps", lambda: steps)
    async with Store.open(used) as store:
        assert len(await store.waiting()) == 30
    assert [file.name for file in used.glob("*before*")] == [f"realbot-before-{torn.VERSION + 1:04}.db"]
    async with Store.open(used):
        pass
