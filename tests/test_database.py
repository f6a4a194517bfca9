"""The database at rest: damage, other processes, other versions and other disks."""

from __future__ import annotations

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
from realbot.errors import ConfigError
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


async def test_D16_a_second_store_in_the_same_process_is_refused(tmp_path: Path) -> None:
    async with Store.open(tmp_path):
        with pytest.raises(ConfigError, match=r"paths\.data"):
            async with Store.open(tmp_path):
                pass


async def test_D22_a_newer_database_is_refused_and_unchanged(used: Path) -> None:
    with closing(sqlite3.connect(used / database.NAME)) as db:
        db.execute("PRAGMA user_version = 7")
    before = (used / database.NAME).read_bytes()
    with pytest.raises(ConfigError, match=r"newer realbot \(schema 7, this one knows 1\): upgrade"):
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


async def test_H7_a_backup_of_a_running_store_has_its_last_job_and_can_be_put_back(used: Path, tmp_path: Path) -> None:
    async with Store.open(used) as store:
        await put(store, job="last")
        database.backup(used, tmp_path / "copy.db")
        await put(store, job="after")
    database.restore(used, tmp_path / "copy.db")
    async with Store.open(used) as store:
        assert [row.id for row in await store.waiting()][-1] == "last"


async def test_H8_a_damaged_copy_is_not_put_back(used: Path, tmp_path: Path) -> None:
    sound = (used / database.NAME).read_bytes()
    (tmp_path / "copy.db").write_bytes(sound[:9000] + random.Random(1).randbytes(4096) + sound[13096:])
    with pytest.raises(ConfigError, match="cannot be"):
        database.restore(used, tmp_path / "copy.db")
    assert (used / database.NAME).read_bytes() == sound


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
