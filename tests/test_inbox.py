"""What a platform tells only once: kept before it is confirmed, handled once, and then without a trace."""

from __future__ import annotations

import json
import random
import resource
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import torn
from realbot import database
from realbot.errors import QueueFull
from realbot.inbox import Parcel
from realbot.jobs import User
from realbot.store import Store
from stored import NOW, thirty
from studios import rig

POST, OTHER = "telegram:77", "telegram:78"
ANN, BOB = User("telegram", "7000000000000000007", "Ann"), User("telegram", "8", "Bob")


def parcel(id: int, owner: str = ANN.key, at: float = NOW, **data: Any) -> Parcel:
    return Parcel(id, owner, {"update_id": id, **data}, at)


def parcels(*ids: int) -> list[Parcel]:
    return [parcel(id) for id in ids]


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_T2_what_is_told_twice_is_received_once(tmp_path: Path):
    async with rig(tmp_path) as r:
        assert await r.studio.receive(POST, parcels(1, 2, 2, 3, 1)) == parcels(1, 2, 3)
        assert await r.studio.receive(POST, parcels(3, 4)) == parcels(4)
        assert await r.studio.receive(OTHER, parcels(3)) == parcels(3)
        assert await r.studio.receive(POST, []) == []
        await r.studio.opened(POST, 2)
        await r.studio.opened(POST, 2)
        await r.studio.opened(POST, 99)
        assert await r.studio.receive(POST, parcels(2)) == []
        assert await r.studio.unopened(POST) == parcels(1, 3, 4)
    async with rig(tmp_path) as r:
        assert await r.studio.receive(POST, parcels(1, 2, 3, 4)) == []
        assert await r.studio.unopened(POST) == parcels(1, 3, 4)
        assert await r.studio.unopened(OTHER) == parcels(3)


async def test_T2_a_replay_is_recognised_for_three_days_and_then_forgotten(tmp_path: Path):
    now = NOW
    async with rig(tmp_path, clock=lambda: now) as r:
        await r.studio.receive(POST, parcels(1, 2))
        now += 5 * 86_400
        await r.studio.opened(POST, 1)
        now += 3 * 86_400 - 1
        assert await r.studio.receive(POST, parcels(1, 2)) == []
        now += 2
        assert await r.studio.receive(POST, parcels(1, 2)) == parcels(1)
        with closing(sqlite3.connect(tmp_path / "data" / database.NAME)) as db:
            assert db.execute("SELECT id FROM inbox ORDER BY seq").fetchall() == [(2,), (1,)]


async def test_T3_ids_that_jump_or_go_backwards_are_received_in_the_order_they_came(tmp_path: Path):
    draw = random.Random(3)
    ids = [*range(900_000_000, 900_000_010), 5, 4, 3, 2**31 - 1, 0, *draw.sample(range(2**40), 200)]
    async with rig(tmp_path) as r:
        for at in range(0, len(ids), 7):
            some = parcels(*ids[at : at + 7])
            assert await r.studio.receive(POST, some) == some
        assert await r.studio.unopened(POST) == parcels(*ids)
    async with rig(tmp_path) as r:
        assert [one.id for one in await r.studio.unopened(POST)] == ids


async def test_T4_five_thousand_are_kept_whole_and_in_order_in_a_few_seconds(tmp_path: Path):
    backlog = [
        parcel(
            n,
            f"telegram:{n % 50}",
            NOW - n,
            message={"text": f"/imagine a cat number {n} 🦊 \ud800 \0", "n": [n, None]},
        )
        for n in range(5000)
    ]
    async with rig(tmp_path) as r:
        began = time.process_time()  # a busy machine is not the question
        for at in range(0, 5000, 100):
            assert await r.studio.receive(POST, backlog[at : at + 100]) == backlog[at : at + 100]
        assert time.process_time() - began < 5
    async with rig(tmp_path) as r:
        assert await r.studio.unopened(POST) == backlog


#: Receives a hundred, opens the even ones of the first fifty, says so, and waits to be killed.
KILLED = """
import asyncio, sys
from pathlib import Path
from realbot.inbox import Parcel
from realbot.store import Store

async def main():
    async with Store.open(Path(sys.argv[1])) as store:
        await store.receive("telegram:77", [Parcel(n, "telegram:1", {"n": n}, 1.0) for n in range(100)])
        for n in range(0, 50, 2):
            await store.opened("telegram:77", n)
        print("told", flush=True)
        asyncio.create_task(store.receive("telegram:77", [Parcel(n, "", {"n": n}, 1.0) for n in range(100, 200)]))
        await asyncio.sleep(float(sys.argv[2]))
        print("late", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


@pytest.mark.parametrize("wait", [0.0, 0.002, 0.005])
async def test_T1_after_a_kill_everything_received_and_not_handled_is_there_once(tmp_path: Path, wait: float):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "data"), str(wait)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"told\n"
        process.stdout.readline()
        process.kill()
    left = [n for n in range(100) if n >= 50 or n % 2]
    async with Store.open(tmp_path / "data") as store:
        found = await store.unopened("telegram:77")
        assert [one.id for one in found] in (left, [*left, *range(100, 200)])
        again = await store.receive("telegram:77", [Parcel(n, "", {"n": n}, 1.0) for n in range(200)])
        assert [one.id for one in [*found, *again]] == [*left, *range(100, 200)]
        for one in await store.unopened("telegram:77"):
            await store.opened("telegram:77", one.id)
        assert await store.unopened("telegram:77") == []


async def test_H2_on_a_full_disk_nothing_is_received_and_the_caller_hears_of_it(tmp_path: Path):
    many = [parcel(n, text=random.Random(n).randbytes(2000).hex()) for n in range(100)]
    async with rig(tmp_path) as r:
        await r.studio.receive(POST, parcels(1000))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
        try:
            for _ in range(2):
                with pytest.raises(QueueFull, match="disk is full"):
                    await r.studio.receive(POST, many)
            assert await r.studio.unopened(POST) == parcels(1000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await r.studio.receive(POST, many) == many
        assert await r.studio.unopened(POST) == parcels(1000) + many


async def test_D17_while_another_program_holds_the_database_nothing_is_received(tmp_path: Path):
    async with rig(tmp_path) as r:
        with closing(sqlite3.connect(tmp_path / "data" / database.NAME, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            with pytest.raises(QueueFull, match="busy"):
                await r.studio.receive(POST, parcels(1))
            db.execute("ROLLBACK")
        assert await r.studio.receive(POST, parcels(1)) == parcels(1)


async def test_P12_handled_and_deleted_messages_leave_no_content_and_no_name(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.studio.receive(POST, [parcel(n, text=f"canary {n} " + "x" * 9000) for n in range(5)])
        await r.studio.receive(OTHER, [parcel(0, text="canary elsewhere")])
        theirs = parcel(5, BOB.key, text="of Bob")
        nobodys = parcel(6, "", text="of nobody")
        await r.studio.receive(POST, [theirs, nobodys])
        await r.studio.opened(POST, 0)
        rows = sqlite3.connect(tmp_path / "data" / database.NAME)
        with closing(rows) as db:
            assert db.execute("SELECT owner, data FROM inbox WHERE post = ? AND id = 0", (POST,)).fetchone() == (
                "",
                None,
            )
        assert b"canary 1" in bytes_of(tmp_path / "data")
        assert await r.studio.erase(ANN) == 0
        assert b"canary" not in bytes_of(tmp_path)
        assert ANN.id.encode() not in bytes_of(tmp_path)
        assert await r.studio.unopened(POST) == [theirs, nobodys]
        assert await r.studio.unopened(OTHER) == []
        # What the platform tells again was deleted, not forgotten.
        assert await r.studio.receive(POST, [parcel(3, text="canary again")]) == []
        assert b"canary" not in bytes_of(tmp_path)


async def test_P16_an_export_shows_what_is_not_handled_yet(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.studio.receive(
            POST, [parcel(1, text="mine"), parcel(2, text="done"), parcel(3, BOB.key, text="theirs")]
        )
        await r.studio.opened(POST, 2)
        with zipfile.ZipFile(await r.studio.export(ANN)) as archive:
            told = json.loads(archive.read("realbot.json"))
        assert [one["data"] for one in told["inbox"]] == [{"update_id": 1, "text": "mine"}]
        assert "theirs" not in json.dumps(told)


async def test_P17_what_nobody_ever_opens_goes_with_the_history_of_its_age(tmp_path: Path):
    now = NOW
    async with rig(tmp_path, clock=lambda: now) as r:
        await r.studio.receive(POST, parcels(1))
        for days, left in ((2, 1), (2, 0)):
            now += days * 86_400
            await r.store.expire(now - 86_400)
            assert len(await r.studio.unopened(POST)) == left


@pytest.mark.parametrize("history_days", [0, 365])
async def test_P17_what_nobody_ever_opens_goes_after_a_month_however_long_the_history_is(
    tmp_path: Path, history_days: int
):
    now = NOW
    async with rig(tmp_path, clock=lambda: now) as r:
        await r.studio.receive(POST, parcels(1))
        for days, left in ((29, 1), (2, 0)):
            now += days * 86_400
            before = now - history_days * 86_400 if history_days else 0.0
            assert ("inbox" in await r.store.older(before)) != left
            await r.store.expire(before)
            assert len(await r.studio.unopened(POST)) == left
            assert "inbox" not in await r.store.older(before)


async def test_D21_a_database_without_an_inbox_gets_one(tmp_path: Path):
    folder = tmp_path / "data"
    database.prepare(folder)
    database.migrate(folder, 0, {number: sql for number, sql in database.steps().items() if number <= 2})
    async with Store.open(folder) as store:
        assert await store.receive(POST, parcels(1)) == parcels(1)
    assert len(torn.jobs(await thirty(folder))) == 30
