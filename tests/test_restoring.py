"""A copy that is put back: what it brings, what it lacks, and what it must not revive."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from copying import TIME, lived, make
from realbot import backups, database
from realbot.bans import Ban
from realbot.errors import ConfigError
from realbot.inbox import Parcel
from realbot.jobs import User
from realbot.restoring import restore
from realbot.store import Store
from stored import ANN, BOB, NOW, paint, put, thirty


@pytest.fixture
async def used(tmp_path: Path) -> Path:
    return await thirty(tmp_path / "data")


async def test_H9_restoring_tells_what_is_lost_and_moves_the_old_database_aside(tmp_path: Path) -> None:
    folder, now = tmp_path / "data", TIME - 60
    async with Store.open(folder, lambda: now) as store:
        await paint(store, tmp_path, ANN, content=b"old")
        await put(store, BOB, job="waits", now=now)
        await store.receive("telegram 1", [Parcel(7, ANN.key, {"text": "x"}, now)])
        made = make(folder, tmp_path / "copies", now=TIME)
        now = TIME + 60
        for n in range(3):
            await put(store, BOB, job=f"later-{n}", now=now)
        gone = (await store.history(ANN))[0].images[0]
    backups.file(folder, gone).unlink()
    restored = restore(folder, made.backup.path, now=TIME + 120)
    assert restored.at == TIME
    assert (restored.lost, restored.waiting, restored.unopened) == (3, 1, 1)
    assert restored.rows["jobs"] == 2
    ((image, job),) = restored.missing
    assert image == gone
    assert restored.replaced is not None
    assert restored.replaced.name == "realbot-replaced-20261125-140400.db"
    async with Store.open(folder, lambda: now) as store:
        assert [row.id for row in await store.waiting()] == ["waits"]
        assert [parcel.id for parcel in await store.unopened("telegram 1")] == [7]
        # Telegram tells again what it was not told to forget, and what is known is not taken twice.
        known = await store.receive("telegram 1", [Parcel(7, "", {}, now), Parcel(8, "", {}, now)])
        assert [parcel.id for parcel in known] == [8]
        assert (await store.row(job)) is not None
    # And back again.
    assert restore(folder, restored.replaced).rows["jobs"] == 5


async def test_H9_a_copy_can_be_put_into_an_empty_folder_and_not_under_a_running_realbot(
    used: Path, tmp_path: Path
) -> None:
    made = make(used, tmp_path / "copies")
    restored = restore(tmp_path / "new" / "data", made.backup.path)
    assert (restored.replaced, restored.lost) == (None, None)
    async with Store.open(tmp_path / "new" / "data") as store:
        assert len(await store.waiting()) == 30
        with pytest.raises(ConfigError, match="Another realbot runs"):
            restore(tmp_path / "new" / "data", made.backup.path)


async def test_H9_a_copy_goes_over_a_database_that_is_damaged(used: Path, tmp_path: Path) -> None:
    made = make(used, tmp_path / "copies")
    (used / database.NAME).write_bytes(b"rubbish" * 1000)
    restored = restore(used, made.backup.path)
    assert restored.lost is None
    async with Store.open(used) as store:
        assert len(await store.waiting()) == 30


async def test_H9_a_restoration_that_is_cut_short_never_ends_in_an_empty_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    await lived(folder, tmp_path)
    made = make(folder, tmp_path / "copies", now=TIME)
    pictures = sorted((folder / "pictures").rglob("*.png"))
    replace = Path.replace

    def cut(self: Path, target: Path) -> Path:
        if target == folder / database.NAME:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", cut)
        with pytest.raises(ConfigError, match="cannot be put back"):
            restore(folder, made.backup.path)
    with pytest.raises(ConfigError, match="gone or empty"):
        async with Store.open(folder):
            pass
    assert sorted((folder / "pictures").rglob("*.png")) == pictures
    restore(folder, made.backup.path)
    async with Store.open(folder, lambda: NOW) as store:
        assert len(await store.history(ANN)) == 1


async def test_P15_restoring_lifts_no_ban_and_brings_none_back(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        await store.bans.add(Ban(ANN.key, "*", author="discord:9", at=NOW))
        made = make(folder, tmp_path / "copies")
        await store.bans.lift(ANN.key, "*", "discord:9")
        await store.bans.add(Ban(BOB.key, "*", author="discord:9", at=NOW))
        await store.bans.add(Ban("discord:77", "*", author="discord:9", at=NOW))
        await store.erase(User("discord", "77"))
    assert restore(folder, made.backup.path).bans == 2
    async with Store.open(folder, lambda: NOW) as store:
        assert store.bans.of(ANN.key, ()) is None
        assert store.bans.of(BOB.key, ()) is not None
        assert store.bans.of("discord:77", ()) is not None
        assert b"discord:77" not in (folder / database.NAME).read_bytes()
    # Another database's bans are of no concern.
    assert restore(tmp_path / "new", made.backup.path).bans == 0


async def test_a_copy_from_before_an_upgrade_can_be_put_back(tmp_path: Path) -> None:
    steps = {number: sql for number, sql in database.steps().items() if number <= 2}
    database.prepare(tmp_path / "old")
    database.migrate(tmp_path / "old", 0, steps)
    shutil.copyfile(tmp_path / "old" / database.NAME, tmp_path / "copy.db")
    with pytest.raises(ConfigError, match="no file"):
        restore(tmp_path / "data", tmp_path / "none.db")
    restore(tmp_path / "data", tmp_path / "copy.db")
    async with Store.open(tmp_path / "data") as store:
        assert await store.waiting() == []


async def test_P12_the_database_that_was_moved_aside_goes_after_thirty_days(used: Path, tmp_path: Path) -> None:
    made = make(used, tmp_path / "copies")
    aside = restore(used, made.backup.path).replaced
    assert aside is not None
    for days, there in ((0, True), (29, True), (31, False)):
        if aside.exists():
            os.utime(aside, (time.time() - days * 86_400,) * 2)
        async with Store.open(used):
            assert aside.exists() == there
