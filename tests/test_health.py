"""Each part that can get stuck, made to: what is told of it, and that nothing else is."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import namedtuple
from contextlib import closing

import pytest

from realbot import health, space
from realbot.database import NAME
from realbot.errors import ConfigError
from realbot.health import Part, worst
from studios import rig, until

Disk = namedtuple("Disk", "f_bavail f_frsize f_flag f_files f_favail f_blocks f_bfree")


class Front:
    """A front-end that is as the test says."""

    platform, limited = "discord", 0

    def __init__(self) -> None:
        self.health, self.silent, self.away = "", 0.0, True

    def pulse(self) -> float:
        return self.silent


async def told(bench, name: str) -> Part:
    parts = await bench.studio.health.parts()
    (part,) = [part for part in parts if part.name == name]
    return part


async def test_all_is_well(tmp_path):
    async with rig(tmp_path) as bench:
        await until(lambda: bench.studio.engine().up)
        bench.studio.health.watch(Front())
        parts = await bench.studio.health.parts()
        assert {part.name: part.state for part in parts if part.state != "well"} == {}
        assert {"loop", "store", "engine", "disk", "settings", "discord"} <= {part.name for part in parts}
        assert all(part.says.endswith(".") for part in parts)


async def test_H12_an_event_loop_that_stood_still_is_poor_for_a_while(tmp_path):
    async with rig(tmp_path) as bench, bench.studio.health.probe.watching():
        assert (await told(bench, "loop")).state == "well"
        time.sleep(0.5)
        part = await told(bench, "loop")
        assert part.state == "poor"
        assert "stood still for 0." in part.says


async def test_H12_a_writer_that_hangs_is_unready_and_then_stuck(tmp_path, monkeypatch):
    monkeypatch.setattr(health, "LATE", 0.05)
    monkeypatch.setattr(health, "LOST", 0.3)
    async with rig(tmp_path) as bench:
        assert (await told(bench, "store")).state == "well"
        monkeypatch.setattr(health, "FRESH", 0.0)
        gate = asyncio.Event()
        run = bench.store._writer._db.run

        async def hangs(work):
            await gate.wait()
            return await run(work)

        monkeypatch.setattr(bench.store._writer._db, "run", hangs)
        part = await told(bench, "store")
        assert (part.state, part.ready, part.live) == ("unready", False, True)
        await asyncio.sleep(0.4)
        part = await told(bench, "store")
        assert (part.state, part.live) == ("stuck", False)
        assert "A write waits for" in part.says
        gate.set()
        await asyncio.sleep(0.05)
        assert (await told(bench, "store")).state == "well"


async def test_H12_another_program_that_holds_the_database_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(health, "LATE", 0.2)
    monkeypatch.setattr(health, "LOST", 0.5)
    async with rig(tmp_path, start=False) as bench:
        with closing(sqlite3.connect(tmp_path / "data" / NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await told(bench, "store")).state == "unready"
            await asyncio.sleep(0.4)
            assert (await told(bench, "store")).state == "stuck"
            other.execute("ROLLBACK")
        await asyncio.sleep(0.3)
        assert (await told(bench, "store")).state == "well"


async def test_H12_a_disk_that_takes_no_write_is_unready_with_the_reason(tmp_path, monkeypatch):
    async with rig(tmp_path, start=False) as bench:

        async def full(*_):
            raise ConfigError("The data folder cannot be written (disk I/O error).")

        with monkeypatch.context() as patch:
            patch.setattr(bench.store, "remember", full)
            part = await told(bench, "store")
        assert (part.state, part.says) == ("unready", "The data folder cannot be written (disk I/O error).")
        assert (await told(bench, "store")).state == "well", "it is tried again at once"


@pytest.mark.parametrize(("free", "flag", "state"), [(100, 0, "unready"), (1000, 0, "poor"), (9000, 1, "unready")])
async def test_H12_little_room_on_the_disk(tmp_path, monkeypatch, free, flag, state):
    async with rig(tmp_path) as bench:
        disk = Disk(free << 20, 1, flag, 1000, 1000, free << 20, free << 20)
        monkeypatch.setattr(space.os, "statvfs", lambda _: disk)
        monkeypatch.setattr(space, "FRESH", 0.0)
        assert (await told(bench, "disk")).state == state
        monkeypatch.undo()
        await asyncio.sleep(0)


async def test_H12_an_engine_that_loads_is_away_or_silent(tmp_path):
    async with rig(tmp_path, start=False) as bench:
        part = await told(bench, "engine")
        assert (part.state, part.says) == ("unready", "The engine loads its model.")
        bench.pool.rise("one")
        await until(lambda: bench.studio.engine().up)
        part = await told(bench, "engine")
        assert (part.state, part.says) == ("well", "The engine is ready: in process.")
        bench.pool.overdue = 5.0
        assert (await told(bench, "engine")).state == "poor"
        bench.pool.overdue = 40.0
        part = await told(bench, "engine")
        assert (part.state, part.says) == ("stuck", "The engine has been silent for 40 s longer than it may.")
        bench.pool.overdue = 0.0
        bench.pool.silent = True
        bench.pool.crash()
        await until(lambda: not bench.studio.engine().up)
        part = await told(bench, "engine")
        assert (part.state, part.says) == ("unready", "The engine is down: crashed.")


async def test_H12_an_engine_that_cannot_be_killed_is_stuck(tmp_path):
    async with rig(tmp_path) as bench:
        await until(lambda: bench.studio.engine().up)
        bench.pool.die("one", "unreachable")
        await until(lambda: not bench.studio.engine().up)
        assert (await told(bench, "engine")).state == "stuck"


async def test_H12_a_front_end_that_is_away_is_unready_and_one_that_tries_nothing_is_stuck(tmp_path):
    async with rig(tmp_path) as bench:
        front = Front()
        bench.studio.health.watch(front)
        front.health, front.silent = "Discord is away", 200.0
        part = await told(bench, "discord")
        assert (part.state, part.says) == ("unready", "Discord is away")
        front.away = False
        assert (await told(bench, "discord")).state == "poor"
        front.silent = 400.0
        part = await told(bench, "discord")
        assert (part.state, part.says) == ("stuck", "Nothing was heard or tried for 400 s.")
        bench.studio.health.lost("discord", "discord.token: Discord does not know this token.")
        part = await told(bench, "discord")
        assert (part.state, part.ready) == ("poor", True)


async def test_H12_settings_that_could_not_be_read_deserve_a_look(tmp_path):
    async with rig(tmp_path) as bench:
        assert (await told(bench, "settings")).state == "well"
        bench.studio.reload.trouble = "limits.per_day (realbot.toml, line 3): must be a whole number"
        part = await told(bench, "settings")
        assert (part.state, part.ready) == ("poor", True)
        assert "line 3" in part.says


async def test_H12_a_check_that_fails_or_hangs_does_not_take_the_others_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 0.1)

    async def hangs() -> Part:
        await asyncio.sleep(60)
        raise AssertionError

    def breaks() -> Part:
        raise ZeroDivisionError

    async with rig(tmp_path) as bench:
        bench.studio.health.add("hangs", hangs)
        bench.studio.health.add("breaks", breaks)
        assert (await told(bench, "hangs")).state == "unready"
        assert (await told(bench, "breaks")).state == "poor"
        assert (await told(bench, "store")).state == "well"


def test_the_whole_is_as_its_worst_part():
    assert worst([]) == "well"
    assert worst([Part("a", "poor", ""), Part("b", "stuck", ""), Part("c", "well", "")]) == "stuck"


async def test_asking_often_writes_seldom(tmp_path):
    async with rig(tmp_path, start=False) as bench:
        before = bench.store._writer._commits
        for _ in range(20):
            await bench.studio.health.parts()
        assert bench.store._writer._commits - before <= 1
