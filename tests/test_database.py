"""The database at rest: damage, other processes, other versions and other disks."""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import torn
from realbot import database
from realbot.actions import Asking
from realbot.errors import ConfigError
from realbot.jobs import Generate, Origin, User
from realbot.rows import Circle
from realbot.store import Store
from stored import multiply, put, thirty


@pytest.fixture
async def used(tmp_path: Path) -> Path:
    return await thirty(tmp_path / "data")


async def test_D14_overwritten_bytes_are_refused_or_harmless(used: Path, tmp_path: Path) -> None:
    multiply(used, "accepted", 60)
    rng = random.Random(14)
    path = used / database.NAME
    sound, promised = path.read_bytes(), torn.jobs(used)
    refused = 0
    for _ in range(60):
        at = rng.randrange(len(sound) - 512)
        path.write_bytes(sound[:at] + rng.randbytes(512) + sound[at + 512 :])
        try:
            database.check(used, database.steps(), database.Ledger(used).read())
        except ConfigError as error:
            assert "realbot backup" in str(error)
            refused += 1
        else:
            assert torn.jobs(used) == promised
    assert refused >= 40
    path.write_bytes(sound[:4096] + rng.randbytes(512) + sound[4608:])
    before = path.read_bytes()
    with pytest.raises(ConfigError):
        async with Store.open(used):
            pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("rest", [b"", None])
async def test_D14_an_empty_or_missing_database_is_not_taken_for_a_new_one(used: Path, rest: bytes | None) -> None:
    (used / database.NAME).unlink()
    if rest is not None:
        (used / database.NAME).write_bytes(rest)
    with pytest.raises(ConfigError, match="gone or empty"):
        async with Store.open(used):
            pass


async def crashed(folder: Path, into: Path, jobs: int = 3) -> None:
    """The files of a store as SIGKILL leaves them, with its last jobs in the write-ahead log only."""
    async with Store.open(folder) as store:
        for n in range(jobs):
            await put(store, job=f"late-{n}")
        into.mkdir()
        for file in folder.iterdir():
            if file.is_file():
                (into / file.name).write_bytes(file.read_bytes())


async def test_D15_a_deleted_log_is_noticed_and_nothing_is_changed(used: Path, tmp_path: Path) -> None:
    await crashed(used, tmp_path / "crash")
    (tmp_path / "crash" / torn.LOG).unlink()
    (tmp_path / "crash" / f"{database.NAME}-shm").unlink()
    before = (tmp_path / "crash" / database.NAME).read_bytes()
    with pytest.raises(ConfigError, match=r"lacks the last 3 changes"):
        async with Store.open(tmp_path / "crash"):
            pass
    assert (tmp_path / "crash" / database.NAME).read_bytes() == before
    (tmp_path / "crash" / "realbot.commits").unlink()
    async with Store.open(tmp_path / "crash") as store:
        assert len(await store.waiting()) == 30


async def test_D15_a_deleted_index_of_the_log_is_rebuilt(used: Path, tmp_path: Path) -> None:
    await crashed(used, tmp_path / "crash")
    (tmp_path / "crash" / f"{database.NAME}-shm").unlink()
    async with Store.open(tmp_path / "crash") as store:
        assert len(await store.waiting()) == 33


async def test_D15_the_log_of_another_database_is_refused_and_not_folded_in(used: Path, tmp_path: Path) -> None:
    await crashed(used, tmp_path / "crash")
    await crashed(tmp_path / "other", tmp_path / "stranger")
    path = tmp_path / "crash" / database.NAME
    (tmp_path / "crash" / torn.LOG).write_bytes((tmp_path / "stranger" / torn.LOG).read_bytes())
    before = path.read_bytes()
    with pytest.raises(ConfigError):
        async with Store.open(tmp_path / "crash"):
            pass
    assert path.read_bytes() == before


async def test_D16_a_second_process_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom realbot.store import Store\n"
        "async def main():\n    async with Store.open(Path(sys.argv[1])):\n        print('open', flush=True)\n"
        "        sys.stdin.read()\nasyncio.run(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "data")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"open\n"
        with pytest.raises(ConfigError, match=f"Another realbot.*{re.escape(str(tmp_path / 'data'))}"):
            async with Store.open(tmp_path / "data"):
                pass
        first.kill()
    async with Store.open(tmp_path / "data") as store:
        assert await store.waiting() == []


async def test_D16_a_folder_that_a_dead_process_lets_go_a_moment_later_is_opened(tmp_path: Path) -> None:
    database.prepare(tmp_path / "data")
    held = database.lock(tmp_path / "data")
    asyncio.get_running_loop().call_later(0.3, held.release)
    async with Store.open(tmp_path / "data") as store:
        assert await store.waiting() == []


async def test_D16_a_second_store_in_the_same_process_is_refused(tmp_path: Path) -> None:
    async with Store.open(tmp_path):
        with pytest.raises(ConfigError, match=r"paths\.data"):
            async with Store.open(tmp_path):
                pass


async def test_D22_a_newer_database_is_refused_and_unchanged(used: Path) -> None:
    with closing(sqlite3.connect(used / database.NAME)) as db:
        db.execute("PRAGMA user_version = 70")
    before = (used / database.NAME).read_bytes()
    with pytest.raises(ConfigError, match=rf"newer realbot \(schema 70, this one knows {torn.VERSION}\): upgrade"):
        async with Store.open(used):
            pass
    assert (used / database.NAME).read_bytes() == before


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / database.NAME)) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ConfigError, match="another program"):
        async with Store.open(tmp_path):
            pass


async def test_D17_a_locked_database_at_start_is_said_to_be_in_use(used: Path) -> None:
    with closing(sqlite3.connect(used / database.NAME, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("UPDATE meta SET value = value")
        with pytest.raises(ConfigError, match="Another program holds"):
            async with Store.open(used):
                pass


async def test_H4_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "data", Path("/proc/realbot")):
        with pytest.raises(ConfigError, match=f"{folder}.*paths.data") as caught:
            async with Store.open(folder):
                pass
        assert caught.value.key == "paths.data"


@pytest.mark.parametrize("room", [0, 5_000, 50_000])
async def test_H1_a_disk_that_is_full_at_start_is_one_sentence(tmp_path: Path, room: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(ConfigError, match="free some space") as caught:
            async with Store.open(tmp_path / "data"):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    async with Store.open(tmp_path / "data") as store:
        assert await store.waiting() == []


async def test_a_file_that_cannot_be_read_is_not_called_damaged(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(database.sqlite3, "connect", refuse)
    with pytest.raises(ConfigError, match=r"cannot be read.*permissions"):
        database.check(used, {1: ""}, None)


@pytest.mark.parametrize(("kind", "refused"), [("nfs4", True), ("cifs", True), ("ext4", False), ("overlay", False)])
async def test_H10_a_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, refused: bool
) -> None:
    mounts = tmp_path / "mountinfo"
    point = str(tmp_path / "data folder").replace(" ", r"\040")
    mounts.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:4 / {point} rw shared:1 - {kind} server:/x rw\n"
        f"3 1 0:5 / {tmp_path}/data rw - nfs server:/y rw\n"
    )
    assert database.filesystem(tmp_path / "data folder" / "deep", mounts) == kind
    assert database.filesystem(tmp_path / "elsewhere", mounts) == "ext4"
    monkeypatch.setattr(database, "filesystem", lambda folder: kind)
    if refused:
        with pytest.raises(ConfigError, match=f"network file system .{kind}"):
            database.prepare(tmp_path / "data folder")
    else:
        database.prepare(tmp_path / "data folder")


def test_H13_an_sqlite_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 30, 1))
    with pytest.raises(ConfigError, match="too old"):
        database.prepare(tmp_path)


async def test_C3_a_store_of_ten_thousand_waiting_jobs_opens_within_two_seconds(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        await put(store, job="first")
    multiply(tmp_path, "running", 10_000)
    begun = time.process_time()  # a busy machine is not the question
    async with Store.open(tmp_path) as store:
        assert len(await store.waiting()) == 10_001
        assert time.process_time() - begun < 2


#: What an upgrade to the schema of now leaves of an earlier one.
COPY = f"realbot-before-{torn.VERSION:04}.db"


def aged(folder: Path, version: int, *statements: str) -> None:
    """A data folder as a realbot of an earlier schema left it."""
    database.prepare(folder)
    database.migrate(folder, 0, {number: sql for number, sql in database.steps().items() if number <= version})
    with closing(sqlite3.connect(folder / database.NAME)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


FIRST = (
    "INSERT INTO jobs (id, platform, user_key, user_name, request, prompt, origin, dedup, asked_key, key, state,"
    " created) VALUES ('old', 'discord', 'discord:1', 'Ann',"
    """ '{"verb": "generate", "prompt": "an apple", "seed": 7}',"""
    """ 'an apple', '{"platform": "discord", "place": "room", "message": "m", "thread": "", "locale": "de"}',"""
    " NULL, 'asked', 'key', 'delivered', 1000000.0)",
    "INSERT INTO charges VALUES ('old', 'discord:1', 1000000.0, 1)",
    "INSERT INTO scores (at, low, high, actual) VALUES (1000000.0, 1.0, 3.0, 2.0)",
    "INSERT INTO meta VALUES ('fact fingerprint', 'print')",
)


async def test_D21_a_database_of_the_first_schema_is_copied_and_brought_up_to_date(tmp_path: Path) -> None:
    ann, bob = User("discord", "1", "Ann"), User("discord", "2")
    everyone = Circle("everyone", "discord:1")
    aged(tmp_path, 1, *FIRST)
    async with Store.open(tmp_path, clock=lambda: 1_000_001.0) as store:
        row = await store.row("old", ann)
        assert row is not None
        assert row.request == Generate(prompt="an apple", seed=7)
        assert row.origin == Origin("discord", "room", "m", "", "de")
        assert (await store.history(ann, search="apple")) == [row]
        # What was made before sharing was known stays with its person.
        assert await store.recall("key", ann, everyone) == row
        assert await store.recall("key", bob, everyone) is None
        assert (await store.usage(ann, 1_000_001.0)).today == 1
        assert await store.scores() == [(1.0, 3.0, 2.0)]
        assert await store.remembered("fingerprint") == "print"
        await store.place_card("old", "99", {})
        (button,) = await store.actions([Asking("again", "old", ann.key)])
        assert (await store.acted(button, ann.key)).job_id == "old"
        assert (await store.tally("")).accuracy == 1.0
        assert await store.erase(ann) == 1
        assert (await store.usage(ann, 1_000_001.0)).today == 1
    with closing(sqlite3.connect(tmp_path / COPY)) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)
        assert copy.execute("SELECT id FROM jobs").fetchall() == [("old",)]
    async with Store.open(tmp_path) as store:
        assert await store.row("old") is None


async def test_P12_the_copy_from_before_an_upgrade_is_deleted_after_thirty_days(tmp_path: Path) -> None:
    aged(tmp_path, 1, *FIRST)
    copy = tmp_path / COPY
    for days, there in ((0, True), (29, True), (31, False)):
        if copy.exists():
            os.utime(copy, (time.time() - days * 86_400,) * 2)
        async with Store.open(tmp_path):
            assert copy.exists() == there


async def test_D21_every_database_hashes_with_a_key_of_its_own(tmp_path: Path) -> None:
    keys = set()
    for name in ("a", "b"):
        aged(tmp_path / name, 1)
        async with Store.open(tmp_path / name) as store:
            keys.add(store._pepper)
        async with Store.open(tmp_path / name) as store:
            keys.add(store._pepper)
    assert len(keys) == 2
    assert all(len(key) == 32 for key in keys)


async def test_D21_an_upgrade_that_the_disk_does_not_take_leaves_everything_as_it_was(tmp_path: Path) -> None:
    aged(tmp_path, 1, *FIRST)
    steps = {**database.steps(), 2: database.steps()[2] + "\nINSERT INTO nowhere VALUES (1);"}
    with pytest.raises(ConfigError, match=f"could not be brought to schema {torn.VERSION}"):
        database.migrate(tmp_path, 1, steps)
    with closing(sqlite3.connect(tmp_path / database.NAME)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert "scope" not in [column[1] for column in db.execute("PRAGMA table_info(jobs)")]
    async with Store.open(tmp_path) as store:
        assert await store.row("old") is not None


async def test_P12_an_upgrade_leaves_no_trace_of_a_person_in_free_pages(tmp_path: Path) -> None:
    person = User("discord", "7000000000000000007")
    charges = [f"INSERT INTO charges VALUES ('job-{n}', '{person.key}', {time.time()}, 1)" for n in range(500)]
    aged(tmp_path, 3, *charges)
    async with Store.open(tmp_path) as store:
        assert (await store.usage(person, time.time())).today == 500
        await store.erase(person)
        assert (await store.usage(person, time.time())).today == 500
        for file in tmp_path.glob(f"{database.NAME}*"):
            assert person.id.encode() not in file.read_bytes()
