"""Looking at everything that is kept, and mending what can be mended."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from realbot import backups, checkup, database
from realbot.errors import ConfigError
from realbot.findings import Finding
from realbot.jobs import Generate
from realbot.sealed import Seal
from realbot.store import Store
from stored import ANN, NOW, paint


@pytest.fixture
async def lived(tmp_path: Path) -> Path:
    """A folder with three pictures, a trained style and a copy of all that."""
    folder = tmp_path / "data"
    async with Store.open(folder, lambda: NOW) as store:
        for n in range(3):
            await paint(store, tmp_path, ANN, Generate(prompt=f"{n}", seed=n), key=f"key {n}", content=b"%d" % n)
        (tmp_path / "ink").write_bytes(b"weights")
        await store._writer.run(lambda db: store.wardrobe.reserve(db, "ink", "job-ink", ANN.key))
        assert await store.wardrobe.hang("job-ink", "ink", tmp_path / "ink", hashlib.sha256(b"weights").hexdigest())
    (folder / "backups").mkdir()
    backups.make(folder, folder / "backups", Seal(()), pictures=True)
    return folder


async def told(folder: Path, broken: dict[str, str] | None = None, **options: float) -> list[Finding]:
    found = checkup.inspect(folder, folder / "backups", broken or {}, **options)
    return [finding async for finding in checkup.findings(found)]


def wrong(findings: list[Finding]) -> list[str]:
    return [one.part for one in findings if one.verdict == "wrong"]


def files(folder: Path) -> list[Path]:
    return sorted((folder / "pictures").rglob("*.png"))


async def test_a_sound_folder_is_well_also_while_realbot_runs(lived: Path) -> None:
    async with Store.open(lived, lambda: NOW):
        before = {path: path.stat().st_mtime_ns for path in lived.rglob("*")}
        assert {one.verdict for one in await told(lived)} == {"good"}
        assert {path: path.stat().st_mtime_ns for path in lived.rglob("*")} == before


async def test_damaged_missing_and_needless_files_are_named_and_mended_from_beside_the_copies(lived: Path) -> None:
    damaged, missing, _ = files(lived)
    content = {path: path.read_bytes() for path in files(lived)}
    damaged.write_bytes(b"x")
    missing.unlink()
    (lived / "trained" / "ink.safetensors").unlink()
    for stray in (lived / "pictures" / "aa" / f"{'a' * 64}.png", lived / "trained" / "stray.safetensors"):
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"stray")
        os.utime(stray, (time.time() - 7200,) * 2)
    findings = await told(lived)
    assert wrong(findings) == ["pictures", "pictures", "trained styles"]
    said = " ".join(one.said for one in findings)
    assert damaged.stem in said
    assert missing.stem in said
    assert "ink" in said
    assert "stray.safetensors" in said
    found = checkup.inspect(lived, lived / "backups", {})
    assert await checkup.repair(lived, lived / "backups", found) == 3
    assert {one.verdict for one in await told(lived)} == {"good"}
    assert {path: path.read_bytes() for path in files(lived)} == content
    async with Store.open(lived, lambda: NOW) as store:
        for n in range(3):
            assert await store.recall(f"key {n}", ANN) is not None


async def test_what_is_nowhere_is_taken_out_of_the_cache_and_given_up(lived: Path) -> None:
    shutil.rmtree(next((lived / "backups").glob("*-files")))
    gone = files(lived)[0]
    gone.write_bytes(b"x")
    (lived / "trained" / "ink.safetensors").unlink()
    found = checkup.inspect(lived, lived / "backups", {})
    assert await checkup.repair(lived, lived / "backups", found) == 0
    findings = await told(lived)
    assert wrong(findings) == []
    assert "1 are lost and given up" in " ".join(one.said for one in findings)
    async with Store.open(lived, lambda: NOW) as store:
        rows = await store.history(ANN)
        assert [row.key is None for row in rows].count(True) == 1
        assert next(row for row in rows if row.key is None).images == (gone.stem,)
        assert store.wardrobe.of(ANN.key) == []


async def test_a_file_on_its_way_into_a_row_is_not_called_needless(lived: Path) -> None:
    async with Store.open(lived, lambda: NOW) as store:
        (lived / "new").write_bytes(b"new")
        await store.adopt(lived / "new")
        assert {one.verdict for one in await told(lived)} == {"good"}
        later = await told(lived, now=time.time() + 7200)
        assert [one.part for one in later if one.verdict == "unwise"] == ["files"]


async def test_H8_damaged_copies_styles_and_databases_are_named(lived: Path) -> None:
    (copy,) = backups.found(lived / "backups")
    copy.path.write_bytes(copy.path.read_bytes()[:-1])
    findings = await told(lived, {"bad.safetensors": "its header is cut off"})
    assert wrong(findings) == ["copies"]
    assert copy.path.name in findings[-1].said
    assert any("bad.safetensors" in one.said for one in findings)
    path = lived / database.NAME
    data = path.read_bytes()
    path.write_bytes(data[:8192] + random.Random(1).randbytes(8192) + data[16384:])
    assert wrong(await told(lived)) == ["database", "copies"]
    path.unlink()
    assert wrong(await told(lived)) == ["database", "copies"]


async def test_nothing_is_mended_while_realbot_runs(lived: Path) -> None:
    found = checkup.inspect(lived, lived / "backups", {})
    async with Store.open(lived, lambda: NOW):
        with pytest.raises(ConfigError, match="Another realbot runs"):
            await checkup.repair(lived, lived / "backups", found)
