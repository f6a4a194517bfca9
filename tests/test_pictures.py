"""Picture files: whole and verified, or not there."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from realbot import pictures as module
from realbot.errors import ConfigError, Invalid
from realbot.jobs import Generate, Origin, User
from realbot.pictures import Pictures
from realbot.store import Store

ANN = User("cli", "ann")


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / "pictures")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.png"
    path.write_bytes(random.Random(1).randbytes(3_000_000))
    return path


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "data") as opened:
        yield opened


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_picture_is_named_by_its_bytes_and_kept_once(pictures: Pictures, source: Path) -> None:
    image = pictures.adopt(source)
    assert image == hashlib.sha256(source.read_bytes()).hexdigest()
    assert pictures.adopt(source) == image
    assert files(pictures.folder) == [pictures.path(image)]
    assert pictures.path(image).read_bytes() == source.read_bytes()
    assert source.exists()


def test_P19_files_and_folders_are_private_whatever_the_umask(tmp_path: Path, source: Path) -> None:
    before = os.umask(0)
    try:
        pictures = Pictures(tmp_path / "open")
        path = pictures.path(pictures.adopt(source))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert {folder.stat().st_mode & 0o777 for folder in (path.parent, pictures.folder)} == {0o700}


@pytest.mark.parametrize("image", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "é" * 64])
def test_P2_only_an_id_becomes_a_path(pictures: Pictures, image: str) -> None:
    with pytest.raises(Invalid, match="not the id of a picture"):
        pictures.path(image)


def test_the_file_and_its_folder_are_synced_before_and_after_the_rename(
    pictures: Pictures, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        events.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        sync(handle)

    def rename(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    image = pictures.adopt(source)
    assert events[0].startswith(".part-")
    assert events[1:] == ["pictures", "rename", image[:2]]


def test_D9_a_torn_file_is_never_taken_for_the_picture(pictures: Pictures, source: Path) -> None:
    rng = random.Random(9)
    image, whole = pictures.adopt(source), source.read_bytes()
    for _ in range(40):
        at = rng.randrange(len(whole))
        pictures.path(image).write_bytes(rng.choice((whole[:at], whole[:at] + bytes(len(whole) - at))))
        assert not pictures.intact(image)
        assert pictures.adopt(source) == image
        assert pictures.intact(image)


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_D5_H2_a_failure_at_any_step_leaves_nothing_half_written(
    pictures: Pictures, source: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "replace" else module.os, step, fail)
        with pytest.raises(ConfigError, match="Input/output error"):
            pictures.adopt(source)
    assert files(pictures.folder) == []
    assert pictures.intact(pictures.adopt(source))


def test_H2_a_full_disk_is_one_sentence_and_no_file(pictures: Pictures, source: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(ConfigError, match=r"cannot be saved in .* \(File too large\): free some space") as caught:
            pictures.adopt(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.key == "paths.data"
    assert files(pictures.folder) == []


def test_H2_no_space_on_the_device(pictures: Pictures, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open
    monkeypatch.setattr(module.os, "open", lambda path, flags, mode=0o600: real("/dev/full", os.O_WRONLY))
    with pytest.raises(ConfigError, match="No space left"):
        pictures.adopt(source)
    assert files(pictures.folder) == []


def test_H4_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_text("a file is in the way")
    with pytest.raises(ConfigError, match=r"cannot be saved in .*pictures"):
        Pictures(tmp_path / "pictures")


def test_a_missing_source_is_not_blamed_on_the_disk(pictures: Pictures, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pictures.adopt(tmp_path / "none.png")


def test_D5_the_sweep_takes_what_nobody_names_and_spares_the_rest(pictures: Pictures, source: Path) -> None:
    image = pictures.adopt(source)
    source.write_bytes(b"orphan")
    orphan = pictures.adopt(source)
    (pictures.folder / ".part-0123").write_bytes(b"half")
    foreign = pictures.folder / image[:2] / "notes.txt"
    foreign.write_text("somebody's")
    assert pictures.sweep({image}) == 2
    assert sorted(files(pictures.folder)) == sorted([pictures.path(image), foreign])
    assert not pictures.path(orphan).exists()


async def put(store: Store, job: str, request: Generate) -> None:
    await store.put(job, ANN, request, None, Origin("cli"), None, 1.0, lambda _: None)


async def test_D5_a_restart_removes_orphans_and_keeps_sources_and_results(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "data"
    images = []
    async with Store.open(folder) as store:
        for content in (b"input", b"result", b"orphan"):
            source.write_bytes(content)
            images.append(await store.adopt(source))
        await put(store, "job", Generate(prompt="x", source=images[0]))
        await store.produce("job", [images[1]], 1.0, {}, "", None)
        (folder / "pictures" / ".part-77").write_bytes(b"half")
        assert await store.sweep() == 1
        assert len(files(folder / "pictures")) == 3
    async with Store.open(folder):
        assert {path.stem for path in files(folder / "pictures")} == set(images[:2])


async def test_a_picture_on_its_way_into_a_job_survives_the_deletion_of_its_twin(store: Store, source: Path) -> None:
    await put(store, "old", Generate(prompt="x"))
    await put(store, "new", Generate(prompt="x"))
    image = await store.adopt(source)
    await store.produce("old", [image], 1.0, {}, "", None)
    assert await store.adopt(source) == image
    await store.forget(ANN, "old")
    assert (await store.picture(image)).exists()
    await store.produce("new", [image], 1.0, {}, "", None)
    await store.forget(ANN, "new")
    with pytest.raises(Invalid):
        await store.picture(image)


async def test_adopting_and_forgetting_the_same_bytes_at_once_never_loses_them(store: Store, source: Path) -> None:
    async def one(n: int) -> None:
        await put(store, f"job-{n}", Generate(prompt="x"))
        image = await store.adopt(source)
        await store.produce(f"job-{n}", [image], 1.0, {}, "", None)
        assert (await store.picture(image, ANN)).exists()
        await store.forget(ANN, f"job-{n}")

    source.write_bytes(b"the same")
    await asyncio.gather(*(one(n) for n in range(30)))
    assert files(store.folder / "pictures") == []


async def test_reading_pictures_does_not_block_the_loop(store: Store, source: Path) -> None:
    source.write_bytes(bytes(40_000_000))
    image = await store.adopt(source)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    task = asyncio.create_task(tick())
    await store.picture(image)
    task.cancel()
    assert ticks > 3
