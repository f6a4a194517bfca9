"""After somebody had everything deleted, no byte of the data folder tells of them: every table, file and free page."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import time
import zipfile
from contextlib import closing
from pathlib import Path

from realbot import app, belongings, database
from realbot.adapters.discord import thumbs
from realbot.adapters.files import Picture, fitted
from realbot.bans import Ban
from realbot.config import Settings
from realbot.inbox import Parcel
from realbot.jobs import Done, Generate, Origin, Running, User
from studios import Rig, end, rig, until

ANN = User("discord", "7000000000000000007", "Ann Canary")
TWIN = User("telegram", "8000000000000000008", "Canary Twin")
BOB = User("discord", "9", "Bob")
HERE, CHAT = Origin("discord", "10", server="1"), Origin("telegram", "-100")
WORDS = "canaryprompt of a blue heron"
#: Every way in which their names or words may be written.
NEEDLES = (ANN.id, TWIN.id, "Canary", "canaryprompt", "heron")


def found(folder: Path, *needles: str) -> set[str]:
    """Where below the folder one of the texts is, in bytes or names."""
    hits = set()
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        data += str(path.relative_to(folder)).encode()
        hits |= {f"{path.relative_to(folder)}: {needle}" for needle in needles if needle.encode() in data}
    return hits


async def lived(r: Rig, folder: Path) -> list[str]:
    """Linked accounts of one person with something in every table and folder; the ids of their jobs and pictures."""
    kept = []
    await r.studio.link(TWIN, await r.studio.link_code(ANN))
    for user, origin in ((ANN, HERE), (TWIN, CHAT)):
        job = await r.studio.submit(user, Generate(prompt=WORDS, negative="canaryprompt", seed=3, steps=2), origin)
        done = await end(job)
        assert isinstance(done, Done)
        kept += [job.id, *done.images]
        await r.studio.place_card(job.id, "555", {"note": WORDS})
        await r.studio.action("again", job.id, user, detail=WORDS)
        await r.studio.prefer(user, negative=WORDS)
        await r.studio.receive(f"{user.platform} 1", [Parcel(3, user.key, {"text": WORDS}, time.time())])
        await r.studio.favourite(user, job.id, True)
    await r.studio.link_code(TWIN)
    await r.studio.pause("discord:1", ANN)
    now = time.time()
    await r.store.bans.add(Ban(ANN.key, "discord:1", name=ANN.name, reason="spam", author=BOB.key, at=now))
    await r.store.bans.add(Ban(BOB.key, "discord:1", author=ANN.key, at=now))
    await r.store.forgive(ANN, "discord:1", now)
    await r.store.bring(ANN.key, kept[1])
    withheld = "INSERT OR REPLACE INTO withheld (job, reason, at, author) VALUES (?, 'unsafe', ?, ?)"
    await r.store._change(withheld, (kept[0], now, ANN.key))
    await r.store._change("INSERT OR REPLACE INTO checked VALUES (?, 'x', 0.9, ?)", (kept[1], now))
    await r.store._change("INSERT OR IGNORE INTO likeness (image, hash) VALUES (?, 5)", (kept[1],))
    await r.store._change(
        "INSERT OR REPLACE INTO meanings SELECT seq, CAST(? AS BLOB) FROM jobs WHERE id = ?", (WORDS, kept[0])
    )
    await r.store._writer.run(lambda db: r.store.wardrobe.reserve(db, "canary-ink", kept[0], ANN.key))
    (folder / "trained").mkdir(exist_ok=True)
    (folder / "trained" / "canary-ink.safetensors").write_bytes(WORDS.encode())
    await r.store._change("UPDATE trained SET sha256 = 'x'", ())
    await r.store.wardrobe.open()
    for name in (f"school/{kept[0]}/metrics.csv", "web/abc/canary.webp"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(WORDS)
    await r.studio.export(ANN)
    return kept


async def test_P12_C16_nothing_of_a_person_is_left_in_any_table_file_or_free_page(tmp_path: Path):
    folder = tmp_path / "data"
    async with rig(tmp_path, hand=True) as r:
        r.pool.hand = False
        kept = await lived(r, folder)
        r.pool.hand = True
        running = await r.studio.submit(TWIN, Generate(prompt=WORDS, steps=9, seed=8), CHAT)
        await until(r.pool.working)
        filled = {row[0] for row in await tables(folder) if row[1]}
        owned = set(belongings.OWNED) | {"jobs", "pictures", "cards", "withheld", "checked", "likeness", "meanings"}
        assert owned <= filled, f"nothing is tried of {owned - filled}"
        began = time.monotonic()
        assert await r.studio.erase(ANN) == 3
        assert time.monotonic() - began < 60
        assert running.status.__class__.__name__ == "Cancelled"
        assert found(tmp_path, *NEEDLES, *kept[1::2]) == set()
        assert [change.by for change in await r.studio.audit("discord:1")][-1] == ""
        # Bans hold on, of this person and those that they pronounced.
        assert r.store.bans.of(ANN.key, ("discord:1",)) is not None
        assert r.store.bans.of(BOB.key, ("discord:1",)) is not None
        assert (await r.studio.stats("discord:1")).month == 1
    assert found(tmp_path, *NEEDLES, *kept[1::2]) == set()
    # The ids of jobs stay where what counts is counted, and nowhere else.
    with closing(sqlite3.connect(folder / database.NAME)) as db:
        told = [line for line in db.iterdump() if kept[0] in line]
    assert told
    assert all(line.startswith('INSERT INTO "charges"') for line in told)


async def tables(folder: Path) -> list[tuple[str, int]]:
    with database.reading(folder / database.NAME) as db:
        return list(database.counts(db).items())


async def test_every_table_with_a_person_in_it_is_listed(tmp_path: Path):
    """A new table with a person in it belongs into OWNED, or goes with the jobs."""
    async with rig(tmp_path):
        with database.reading(tmp_path / "data" / database.NAME) as db:
            names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            columns = {name: {row[1] for row in db.execute(f"PRAGMA table_info({name})")} for name in names}
    personal = {"user_key", "owner", "author", "subject", "person"}
    told = {name for name, found in columns.items() if found & personal}
    assert told - {"jobs", "withheld"} == set(belongings.OWNED)


async def test_P16_an_export_tells_of_bans_and_of_what_was_withheld(tmp_path: Path):
    async with rig(tmp_path) as r:
        kept = await lived(r, tmp_path / "data")
        await r.store.bans.add(Ban("telegram:5", "discord:1", author=BOB.key, at=1.0))
        with zipfile.ZipFile(await r.studio.export(TWIN)) as archive:
            told = json.loads(archive.read("realbot.json"))
        assert {ban["subject"] for ban in told["bans"]} == {ANN.key, TWIN.key}
        assert [case["reason"] for case in told["withheld"]] == ["unsafe"]
        assert told["forgiven"]
        assert told["inbox"]
        assert {job["id"] for job in told["jobs"]} == {kept[0], kept[2]}
        # What this person did as an administrator is theirs too.
        assert [entry["change"]["person"] for entry in told.pop("audit") if "person" in entry["change"]] == [BOB.key]
        assert f'"{BOB.key}"' not in json.dumps(told)


async def test_P20_no_picture_tells_what_was_asked_for_or_by_whom(tmp_path: Path):
    sections = {"paths": {"data": tmp_path / "data"}, "web": {}}
    sent = []
    async with app.opened(Settings(**sections), grace=0.0) as studio:
        job = await studio.submit(ANN, Generate(prompt=WORDS, seed=3, steps=8), HERE)
        async for status in job.watch():
            if isinstance(status, Running) and status.preview:
                sent.append(Path(status.preview).read_bytes() if isinstance(status.preview, str) else status.preview)
        assert isinstance(job.status, Done), job.status
        path = await studio.picture(ANN, job.status.images[0])
        sent.append(path.read_bytes())
        for limit in (1 << 30, 20_000, 3000):
            for first in (0, 1, 2):
                sent += [one.data for one in await fitted([Picture(path, "picture.png", WORDS)], limit, first)]
        small = await thumbs.small(path, 64)
        assert small is not None
        sent.append(small)
        with zipfile.ZipFile(await studio.export(ANN)) as archive:
            sent += [archive.read(name) for name in archive.namelist() if name.startswith("pictures/")]
    assert {data[:3] for data in sent} >= {b"\x89PN", b"RIF", b"\xff\xd8\xff"}
    told = re.compile(rb"canary|heron|7000000000000000007|parameters|Exif|http://ns.adobe|tEXt|iTXt|zTXt")
    assert [data for data in sent if told.search(data)] == []


async def test_P19_everything_is_its_owners_alone_whatever_the_umask(tmp_path: Path):
    folder = tmp_path / "data"
    mask = os.umask(0)
    try:
        async with rig(tmp_path) as r:
            await r.studio.submit(ANN, Generate(prompt=WORDS, seed=3, steps=2), HERE)
            await r.studio.forget(ANN, (await r.studio.submit(ANN, Generate(prompt="x", steps=2), HERE)).id)
            await r.studio.export(ANN)
            await asyncio.to_thread(r.studio.upkeep._make, time.time())
            for path in (folder, *folder.rglob("*")):
                assert path.stat().st_mode & 0o077 == 0, path
    finally:
        os.umask(mask)
