"""Copies: made while the store works, tried, encrypted, kept in turn, and put back."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pyrage
import pytest

from copying import TIME, lived, make
from realbot import backups, database, sealed
from realbot.errors import ConfigError
from realbot.jobs import Generate
from realbot.restoring import restore
from realbot.sealed import Seal
from realbot.store import Store
from stored import ANN, BOB, NOW, paint, put, thirty

KEY = pyrage.x25519.Identity.generate()
PUBLIC = str(KEY.to_public())


# Making


@pytest.fixture
async def used(tmp_path: Path) -> Path:
    return await thirty(tmp_path / "data")


async def test_H7_a_copy_of_a_running_store_has_its_last_job_and_can_be_put_back(used: Path, tmp_path: Path) -> None:
    async with Store.open(used) as store:
        await put(store, job="last")
        made = make(used, tmp_path / "copies", now=TIME)
        await put(store, job="after")
    assert made.backup.path.name == f"realbot-{made.backup.identity}-20261125-140200.db"
    assert made.rows["jobs"] == 31
    with database.reading(made.backup.path) as copy:
        assert copy.execute("SELECT count(*) FROM jobs").fetchone() == (31,)
    restored = restore(used, made.backup.path)
    assert restored.at == TIME
    assert restored.waiting == 31
    async with Store.open(used) as store:
        assert [row.id for row in await store.waiting()][-1] == "last"


async def test_H7_copies_that_are_made_under_load_are_whole(used: Path, tmp_path: Path) -> None:
    async with Store.open(used) as store:
        busy = True

        async def ask(worker: int) -> None:
            number = 0
            while busy:
                await put(store, job=f"{worker}-{number}")
                number += 1

        workers = [asyncio.create_task(ask(n)) for n in range(3)]
        for n in range(5):
            made = await asyncio.to_thread(make, used, tmp_path / "copies", now=TIME + n)
            assert backups.damage(made.backup.path) == ""
        busy = False
        await asyncio.gather(*workers)
        assert made.rows["jobs"] > 30
    assert len(backups.found(tmp_path / "copies")) == 5


@pytest.mark.parametrize("keys", [(), (PUBLIC,)])
async def test_P22_P19_only_its_owner_reads_a_copy_and_without_the_key_nobody(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    folder = tmp_path / "data"
    await lived(folder, tmp_path)
    mask = os.umask(0)
    try:
        made = make(folder, tmp_path / "copies", *keys, pictures=True)
    finally:
        os.umask(mask)
    assert made.files == 3
    assert made.lost == ()
    files = [path for path in (tmp_path / "copies").rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    told = b"".join(path.read_bytes() for path in files)
    assert (b"canary" in told) == (not keys)
    assert (b"weights" in told) == (not keys)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    assert subprocess.run(["sha256sum", "--check", f"{made.backup.path.name}.sha256"], cwd=tmp_path / "copies",
                          check=False, capture_output=True).returncode == 0  # fmt: skip


async def test_P22_an_encrypted_copy_is_opened_with_its_key_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    await lived(folder, tmp_path)
    made = make(folder, tmp_path / "copies", PUBLIC, pictures=True)
    before = (folder / database.NAME).read_bytes()
    for keys, words in (((), "--identity"), ([pyrage.x25519.Identity.generate()], "another key")):
        with pytest.raises(ConfigError, match=words):
            restore(folder, made.backup.path, keys)
    assert (folder / database.NAME).read_bytes() == before
    shutil.rmtree(folder / "pictures")
    shutil.rmtree(folder / "trained")
    key = tmp_path / "key.txt"
    key.write_text(f"# created: 2026-11-25\n# public key: {PUBLIC}\n{KEY}\n")
    restored = restore(folder, made.backup.path, sealed.identities(key))
    assert (restored.taken, restored.missing) == (3, ())
    async with Store.open(folder, lambda: NOW) as store:
        assert (await store.picture((await store.history(ANN))[0].images[0])).read_bytes() == b"first canary"
        assert store.wardrobe.file("ink").read_bytes() == b"weights"


async def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"backup\.recipients.*age1") as caught:
        Seal(["age1nonsense"])
    assert caught.value.key == "backup.recipients"
    (tmp_path / "key").write_text("nothing")
    for path in (tmp_path / "key", tmp_path / "none"):
        with pytest.raises(ConfigError, match=str(path)):
            sealed.identities(path)


async def test_pictures_beside_the_copies_follow_the_database(tmp_path: Path) -> None:
    folder, copies = tmp_path / "data", tmp_path / "copies"
    await lived(folder, tmp_path)
    assert make(folder, copies, pictures=True, now=TIME).files == 3
    (copies / "holiday.png").write_bytes(b"not ours")
    async with Store.open(folder, lambda: NOW) as store:
        await store.erase(BOB)
        await paint(store, tmp_path, ANN, Generate(prompt="x", seed=3), content=b"third")
    assert make(folder, copies, pictures=True, now=TIME + 1).files == 1
    kept = {path.read_bytes() for path in copies.rglob("*.png")}
    assert kept == {b"first canary", b"third", b"not ours"}
    image = next(folder.rglob("pictures/*/*.png"))
    image.write_bytes(b"damaged")
    shutil.rmtree(next(copies.glob("*-files")))
    made = make(folder, copies, pictures=True, now=TIME + 2)
    assert made.lost == (image.stem,)


async def test_H8_a_damaged_database_makes_no_copy_and_pushes_none_out(used: Path, tmp_path: Path) -> None:
    made = make(used, tmp_path / "copies", now=TIME)
    content = (used / database.NAME).read_bytes()
    (used / database.NAME).write_bytes(content[:8192] + random.Random(8).randbytes(8192) + content[16384:])
    with pytest.raises(ConfigError):
        make(used, tmp_path / "copies", now=TIME + 1)
    assert backups.found(tmp_path / "copies") == [made.backup]
    assert [path.name for path in used.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("keys", [(), (PUBLIC,)])
async def test_H8_a_copy_that_was_changed_or_cut_short_is_found(
    used: Path, tmp_path: Path, keys: tuple[str, ...]
) -> None:
    path = make(used, tmp_path / "copies", *keys, now=TIME).backup.path
    sound = path.read_bytes()
    assert backups.damage(path) == ""
    draw = random.Random(22)
    for _ in range(20):
        at = draw.randrange(len(sound))
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        assert backups.damage(path)
        with pytest.raises(ConfigError, match=r"cannot be (used|opened)"):
            restore(used, path, [KEY])
    path.write_bytes(sound[: len(sound) // 2])
    assert backups.damage(path)
    path.with_name(path.name + ".sha256").unlink()
    with pytest.raises(ConfigError, match=r"cannot be (used|opened)"):
        restore(used, path, [KEY])
    path.write_bytes(b"")
    assert backups.damage(path)
    async with Store.open(used) as store:
        assert len(await store.waiting()) == 30


async def test_H8_a_copy_that_the_disk_changed_while_it_was_written_does_not_count(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backups.copy

    def bad(source: Path, target: Path) -> str:
        digest = real(source, target)
        data = bytearray(target.read_bytes())
        data[5000] ^= 1
        target.write_bytes(data)
        return digest

    monkeypatch.setattr(backups, "copy", bad)
    with pytest.raises(ConfigError, match="does not read as it was written"):
        make(used, tmp_path / "copies")
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.parametrize("room", ["copies", "data"])
async def test_H1_a_disk_without_room_for_a_copy_is_one_sentence(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((backups, "copy") if room == "copies" else (backups.tempfile, "TemporaryDirectory")), full)
    with pytest.raises(ConfigError, match="free some space") as caught:
        make(used, tmp_path / "copies")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "copies").iterdir()) == []


# Keeping


def pretended(folder: Path, identity: str, at: float) -> Path:
    path = folder / f"realbot-{identity}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at))}.db"
    path.write_bytes(b"")
    path.with_name(f"{path.name}.sha256").write_bytes(b"")
    return path


def test_the_latest_copies_are_kept_and_one_of_each_of_the_last_days(tmp_path: Path) -> None:
    hours = [n * 3600.0 for n in range(24 * 40)]
    paths = {hour: pretended(tmp_path, "a" * 8, TIME - hour) for hour in hours}
    stranger = pretended(tmp_path, "b" * 8, TIME - 90 * 86_400)
    mine = tmp_path / "realbot-notes.db"
    mine.write_bytes(b"")
    backups.rotate(tmp_path, 12, TIME, "a" * 8)
    kept = [hour for hour, path in paths.items() if path.exists()]
    assert kept[:12] == hours[:12]
    days = {time.gmtime(TIME - hour)[:3] for hour in kept}
    assert len(days) == 7
    assert len(kept) <= 12 + 7
    assert stranger.exists()
    assert mine.exists()
    assert len(list(tmp_path.glob("*.sha256"))) == len(kept) + 1


def test_P12_a_copy_older_than_a_month_goes_unless_it_is_the_only_one(tmp_path: Path) -> None:
    for days in (31, 40):
        pretended(tmp_path, "a" * 8, TIME - days * 86_400)
    backups.rotate(tmp_path, 12, TIME, "a" * 8)
    assert [one.at for one in backups.found(tmp_path)] == [TIME - 31 * 86_400]


def test_H8_a_damaged_copy_pushes_no_sound_one_out(tmp_path: Path) -> None:
    paths = [pretended(tmp_path, "a" * 8, TIME - 86_400 * (8 + n)) for n in range(4)]
    backups.rotate(tmp_path, 2, TIME, "a" * 8, frozenset(paths[:2]))
    assert all(path.exists() for path in paths)


# Putting back


@pytest.mark.parametrize(("before", "after"), [((), ()), ((PUBLIC,), ()), ((), (PUBLIC,))])
async def test_P12_what_is_deleted_goes_from_beside_the_copies_also_once_pictures_are_not_copied_any_more(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    folder, copies = tmp_path / "data", tmp_path / "copies"
    await lived(folder, tmp_path)
    made = make(folder, copies, *before, pictures=True, now=TIME)
    beside = copies / backups.files_of(made.backup.identity)
    assert len([path for path in beside.rglob("*") if path.is_file()]) == 3
    async with Store.open(folder, lambda: NOW) as store:
        await store.erase(ANN)
        (left,) = await store.history(BOB)
    make(folder, copies, *after, now=TIME + 60)
    assert [path.name.split(".")[0] for path in beside.rglob("*") if path.is_file()] == list(left.images)
