"""What the service manager is told, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest

from realbot.health import Part
from realbot.notice import Notice
from studios import rig, until


@pytest.fixture
def manager(tmp_path):
    """A service manager's socket; `said()` is what has come so far, one list of lines for each datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.setblocking(False)
        door.bind(str(tmp_path / "notify"))
        yield door


def said(door: socket.socket) -> list[list[str]]:
    heard = []
    while True:
        try:
            heard.append(door.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return heard


def notice(door: socket.socket, **more: str) -> Notice:
    return Notice({"NOTIFY_SOCKET": door.getsockname(), **more})


async def test_ready_reloading_and_stopping(manager):
    one = notice(manager)
    one.ready()
    async with one.reloading():
        pass
    one.stopping()
    told = said(manager)
    assert [lines[0] for lines in told] == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    assert told[1][1].startswith("MONOTONIC_USEC=")
    assert int(told[1][1].partition("=")[2]) > 0


async def test_settings_that_are_read_anew_during_the_start_do_not_end_it(manager):
    one = notice(manager)
    async with one.reloading():
        pass
    assert said(manager) == []


async def test_an_abstract_address(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        name = f"realbot-{os.getpid()}-{tmp_path.name}"
        door.bind("\0" + name)
        door.setblocking(False)
        Notice({"NOTIFY_SOCKET": "@" + name}).ready()
        assert said(door) == [["READY=1", "STATUS=ready"]]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "nowhere"}, {"NOTIFY_SOCKET": "/no/such/socket"}])
async def test_nobody_who_listens_is_no_trouble(environ, tmp_path):
    one = Notice(environ)
    one.ready()
    async with rig(tmp_path) as bench, one.living(bench.studio.health):
        await asyncio.sleep(0.05)


async def test_H12_the_watchdog_is_fed_while_nothing_is_stuck(manager, tmp_path, caplog):
    one = notice(manager, WATCHDOG_USEC="150000", WATCHDOG_PID=str(os.getpid()))
    async with rig(tmp_path) as bench, one.living(bench.studio.health):
        await until(lambda: bench.studio.engine().up)
        await asyncio.sleep(0.3)
        fed = said(manager)
        assert sum("WATCHDOG=1" in lines for lines in fed) >= 4
        assert all(lines[-1].startswith("STATUS=") for lines in fed)

        bench.studio.health.add("copies", lambda: Part("copies", "poor", "The last copy is old."))
        bench.pool.overdue = 5.0
        await asyncio.sleep(0.12)
        said(manager)
        await asyncio.sleep(0.2)
        assert any("WATCHDOG=1" in lines for lines in said(manager)), "what is poor is no reason to start anew"

        bench.pool.overdue = 100.0
        await asyncio.sleep(0.12)
        said(manager)
        await asyncio.sleep(0.3)
        starving = said(manager)
        assert starving
        assert not any("WATCHDOG=1" in lines for lines in starving)
        assert starving[-1] == ["STATUS=stuck: The engine has been silent for 100 s longer than it may."]
        assert caplog.text.count("no more signs of life") == 1

        bench.pool.overdue = 0.0
        await asyncio.sleep(0.2)
        assert any("WATCHDOG=1" in lines for lines in said(manager))


async def test_H12_a_blocked_loop_feeds_no_watchdog(manager, tmp_path):
    one = notice(manager, WATCHDOG_USEC="150000")
    async with rig(tmp_path) as bench, one.living(bench.studio.health):
        await asyncio.sleep(0.1)
        said(manager)

        time.sleep(0.4)
        assert said(manager) == []


async def test_a_watchdog_of_another_process_is_not_ours(manager):
    assert notice(manager, WATCHDOG_USEC="1000000", WATCHDOG_PID="1").watchdog == 0
    assert notice(manager, WATCHDOG_USEC="1000000").watchdog == 1
    assert notice(manager).watchdog == 0
