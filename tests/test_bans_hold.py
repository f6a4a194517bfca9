"""What lifts no ban: deleting everything, a restart, an older copy of the database, hundreds of requests at once."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import zipfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from banning import ANN, BOB, BOSS, DAY, ELSEWHERE, OTHER, ROOM, SERVER, ask, kept, refused
from linked import link
from pools import InProcessPool
from realbot.errors import Blocked
from realbot.gate import CANCELLED
from realbot.jobs import Cancelled, Done, Generate, Job, Origin, User
from studios import end, rig


async def test_P15_deleting_everything_lifts_no_ban_and_leaves_no_name(tmp_path: Path):
    twin = User("discord", "13", "Twin")
    async with rig(tmp_path) as r:
        await link(r, ANN, twin)
        await r.studio.gate.ban(ANN, SERVER, BOSS, reason="frogs")
        await r.studio.erase(ANN)
        for user in (ANN, twin):
            assert "(frogs)" in await refused(r, user)
            await ask(r, user, ELSEWHERE)
        tables = json.dumps([*await kept(r, "SELECT * FROM bans"), *await kept(r, "SELECT * FROM audit")])
        for trace in (ANN.key, twin.key, "Ann", "Twin"):
            assert trace not in tables
        (ban,) = r.studio.gate.bans(SERVER)
        assert len(ban.subject) == 64
    async with rig(tmp_path) as r:
        await refused(r)
        again, _ = await r.studio.gate.ban(ANN, SERVER, BOSS, seconds=DAY)
        assert r.studio.gate.bans(SERVER) == [again], "a new ban takes the place of the old one"
        await r.studio.erase(ANN)
        (ban,) = r.studio.gate.bans(SERVER)
        await r.studio.gate.lift(ban.subject, SERVER, BOSS)
        for user in (ANN, twin):
            await ask(r, user)
        await r.studio.erase(BOSS)
        assert BOSS.key not in json.dumps([*await kept(r, "SELECT * FROM audit"), *await kept(r, "SELECT * FROM bans")])


async def test_P16_an_export_shows_the_own_bans_and_not_who_pronounced_them(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.studio.gate.ban(ANN, SERVER, BOSS, reason="frogs")
        await r.studio.gate.ban(BOB, SERVER, BOSS, reason="secret")
        with zipfile.ZipFile(await r.studio.export(ANN)) as archive:
            told = json.loads(archive.read("realbot.json"))
        assert [(ban["place"], ban["reason"]) for ban in told["bans"]] == [(SERVER, "frogs")]
        assert BOSS.key not in json.dumps(told)
        assert "secret" not in json.dumps(told)


async def test_P21_a_server_that_realbot_leaves_takes_its_bans_with_it_and_a_new_key_keeps_them(tmp_path: Path):
    async with rig(tmp_path) as r:
        for server in (SERVER, OTHER):
            await r.studio.gate.ban(ANN, server, BOSS)
        await r.studio.left(SERVER)
        assert await kept(r, f"SELECT * FROM bans WHERE place = '{SERVER}'") == []
        await ask(r)
        await r.studio.moved(OTHER, "discord:3")
        await ask(r, ANN, ELSEWHERE)
        await refused(r, ANN, Origin("discord", "30", server="3"))
        changes = await r.studio.audit("discord:3")
        assert any("banned" in one.change for one in changes), "what was done there is told under the new key"


@pytest.mark.parametrize("seed", range(3))
async def test_P15_nobody_gets_a_picture_after_their_ban_was_acknowledged_and_nobody_else_loses_one(tmp_path, seed):
    draw = random.Random(seed)
    people = [User("discord", str(100 + n), f"P{n}") for n in range(8)]
    banned: dict[str, bool] = {}
    jobs: dict[str, list[Job]] = {person.key: [] for person in people}
    late: list[Job] = []
    ever: set[str] = set()

    async def asks(person: User) -> None:
        for n in range(40):
            before = banned.get(person.key, False)
            # Some are asked again and answered from before.
            prompt = f"{person.id} {n % 25}"
            try:
                job = await r.studio.submit(person, Generate(prompt=prompt, steps=1), ROOM)
            except Blocked:
                assert person.key in ever
            else:
                assert not (before and banned.get(person.key)), "taken although the ban was acknowledged"
                jobs[person.key].append(job)
            await asyncio.sleep(draw.random() / 200)

    async def bans(targets: Iterable[User]) -> None:
        for person in targets:
            await asyncio.sleep(draw.random() / 50)
            ever.add(person.key)
            if banned.get(person.key):
                continue
            await r.studio.gate.ban(person, SERVER, BOSS)
            banned[person.key] = True
            open_ = [job for job in jobs[person.key] if not isinstance(job.status, Done | Cancelled)]
            assert not open_, "something of theirs is still on its way"
            late.extend(job for job in jobs[person.key] if isinstance(job.status, Cancelled))
            await asyncio.sleep(draw.random() / 50)
            if draw.random() < 0.5:
                banned[person.key] = False
                await r.studio.gate.lift(person.key, SERVER, BOSS)

    pool = InProcessPool(tmp_path / "spool", names=("one", "two"))
    async with rig(tmp_path, pool=pool) as r:
        some, others = ([draw.choice(group) for _ in range(12)] for group in (people[:3], people[3:5]))
        await asyncio.gather(*map(asks, people), bans(some), bans(others))
        for person in people:
            for job in jobs[person.key]:
                status = await end(job, 60)
                assert isinstance(status, Done) or (person.key in ever and status == Cancelled(CANCELLED)), status
        assert len([job for person in people[5:] for job in jobs[person.key]]) == 120
        assert late, "nothing was cancelled, so nothing was tried"


async def test_P14_an_older_copy_of_the_database_keeps_its_bans_and_brings_no_name_back(tmp_path: Path):
    older = tmp_path / "older.db"
    async with rig(tmp_path) as r:
        await r.studio.gate.ban(ANN, SERVER, BOSS, reason="frogs")
        await r.studio.gate.ban(BOB, SERVER, BOSS)
        await r.studio.gate.lift(BOB.key, SERVER, BOSS)
        with closing(sqlite3.connect(r.store.folder / "realbot.db")) as db, closing(sqlite3.connect(older)) as copy:
            db.backup(copy)
        for user in (ANN, BOB):
            await r.studio.erase(user)
    for path in (tmp_path / "data").glob("realbot.db*"):
        path.unlink()
    older.rename(tmp_path / "data" / "realbot.db")
    # Whoever goes on with an older copy says so.
    (tmp_path / "data" / "realbot.commits").unlink()
    async with rig(tmp_path) as r:
        assert "(frogs)" in await refused(r)
        await ask(r, BOB)
        tables = json.dumps([*await kept(r, "SELECT * FROM bans"), *await kept(r, "SELECT * FROM audit")])
        for trace in (ANN.key, BOB.key, "Ann", "Bob"):
            assert trace not in tables
