"""A disk that fills: nothing is taken, everything is answered, nothing of the history goes, and it ends by itself."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from realbot.errors import QueueFull
from realbot.jobs import Done
from realbot.space import Space
from studios import ANNA, BERT, Rig, end, rig, until

MB = 1 << 20


class Disk:
    """What `statvfs` tells of a disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free_mb: float) -> None:
        self.free_mb, self.files, self.flags, self.error = free_mb, 10_000, 0, 0
        monkeypatch.setattr(os, "statvfs", self.statvfs)
        monkeypatch.setattr("realbot.space.FRESH", 0.0)

    def statvfs(self, _: Path) -> SimpleNamespace:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        return SimpleNamespace(
            f_bavail=int(self.free_mb * MB / 4096),
            f_bfree=int(self.free_mb * MB / 4096),
            f_blocks=1 << 30,
            f_frsize=4096,
            f_flag=self.flags,
            f_files=self.files * 2,
            f_favail=self.files,
        )


ROOM = {"storage": {"free_mb": 100, "tidy_mb": 200}}


async def refused(r: Rig) -> None:
    with pytest.raises(QueueFull, match="disk of this bot is nearly full"):
        await r.ask("more")


@pytest.mark.parametrize("fault", ["space", "files", "read-only", "EIO"])
async def test_H3_H4_C20_with_a_full_disk_nothing_is_taken_all_is_answered_and_it_ends_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
):
    disk = Disk(monkeypatch, 1000)
    async with rig(tmp_path, sections=ROOM, hand=True) as r:
        waits = [await r.ask(f"{n}") for n in range(3)]
        await until(r.pool.working)
        broken = {
            "space": lambda: setattr(disk, "free_mb", 99),
            "files": lambda: setattr(disk, "files", 5),
            "read-only": lambda: setattr(disk, "flags", os.ST_RDONLY),
            "EIO": lambda: setattr(disk, "error", 5),
        }
        broken[fault]()
        await refused(r)
        with pytest.raises(QueueFull):
            await r.studio.upload(ANNA, b"\x89PNG\r\n\x1a\n")
        part = next(part for part in await r.studio.health.parts() if part.name == "disk")
        assert not part.ready
        # Who asks is answered, and what was accepted is painted as long as the disk takes it.
        assert r.studio.line() == (2, 1)
        assert len(r.studio.waiting(ANNA)) == 3
        assert await r.studio.history(ANNA) == []
        assert (await r.studio.stats(None)).waiting == 3
        assert await r.studio.cancel(ANNA, waits[2].id)
        for job in waits[:2]:
            await until(lambda job=job: r.pool.working() and r.pool.working().job == job.id)
            r.pool.finish()
            assert isinstance(await end(job), Done)
        disk.free_mb, disk.files, disk.flags, disk.error = 101, 1000, 0, 0
        job = await r.ask("again")
        assert r.studio.line() == (0, 1) or r.studio.line() == (1, 0)
        await until(r.pool.working)
        r.pool.finish()
        assert isinstance(await end(job), Done)


async def test_H3_what_can_be_made_again_goes_first_and_never_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    disk = Disk(monkeypatch, 1000)
    data = tmp_path / "data"
    async with rig(tmp_path, sections=ROOM) as r:
        done, fresh = await r.paint("a cat"), await r.studio.export(BERT)
        spare = ("web/ab/picture.webp", "spool/job#1-0.png", "exports/old.zip", ".copy-1/realbot.db")
        kept = ("backups/realbot-00000000-20261125-140200.db", "trained/ink.safetensors", "school/job/metrics.csv",
                # The only way back after an upgrade, or after the wrong copy was put back.
                "realbot-before-0006.db", "realbot-replaced-1.db", "realbot-replaced-1.db-wal")  # fmt: skip
        for name in (*spare, *kept):
            path = data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 1000)
            old = time.time() - 2 * 86_400
            os.utime(path, (old, old))
            os.utime(path.parent, (old, old))
        await r.studio.upkeep.tidy()
        assert all((data / name).exists() for name in spare), "there is room"
        disk.free_mb = 150
        await r.studio.upkeep.tidy()
        assert [name for name in spare if (data / name).exists()] == []
        assert all((data / name).exists() for name in kept)
        assert fresh.exists(), "it is being sent"
        assert (await r.studio.picture(ANNA, done.images[0])).exists()
        assert isinstance(await end(await r.ask("there is enough for this")), Done)


def test_the_disk_is_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = 0.0, 0

    def statvfs(_: Path) -> os.statvfs_result:
        nonlocal looks
        looks += 1
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", statvfs)
    space = Space(tmp_path, lambda: now)
    for now in (0.0, 0.5, 0.9, 1.0, 1.5):  # noqa: B007 - the space asks for it
        assert "Input/output error" in space.lack
    assert looks == 2


@pytest.mark.parametrize("code", [28, 30, 5], ids=["ENOSPC", "EROFS", "EIO"])
async def test_H1_H4_a_picture_that_the_disk_does_not_take_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
):
    async with rig(tmp_path, start=False) as r:
        full = True
        real = r.store._pictures._adopt

        def adopt(source: Path) -> str:
            if full:
                raise OSError(code, os.strerror(code))
            return real(source)

        monkeypatch.setattr(r.store._pictures, "_adopt", adopt)
        job = await r.ask("a cat")
        r.pool.rise("one")
        await until(lambda: r.studio._endings.full)
        with pytest.raises(QueueFull, match="disk"):
            await r.ask("more")
        part = next(part for part in await r.studio.health.parts() if part.name == "store")
        assert not part.ready
        assert len(r.studio.waiting(ANNA)) == 1
        full = False
        assert isinstance(await end(job), Done)
        assert isinstance(await end(await r.ask("more")), Done)


async def test_H1_nothing_is_confirmed_that_is_not_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with rig(tmp_path, hand=True) as r:
        with monkeypatch.context() as patched:

            async def refuse(*_: object, **__: object) -> None:
                raise QueueFull("The bot's disk is full or read-only, so nothing can be accepted; please try later.")

            patched.setattr(r.store, "put", refuse)
            with pytest.raises(QueueFull):
                await r.ask("a cat")
        assert r.studio.line() == (0, 0)
        assert r.studio.waiting(ANNA) == []
