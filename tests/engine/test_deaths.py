"""The pool of one local engine when the engine, or the bot, dies, hangs, never starts or talks nonsense."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from engine.contract import Listener, Make, opened
from engine.pooled import SCRIPTED, MakePool, children
from realbot.engine import EngineDown, EngineUp, Failed, Step
from realbot.engine.child import ChildPool
from realbot.engine.process import Process
from realbot.engine.watch import Patience
from realbot.errors import EngineLost

pytestmark = pytest.mark.usefixtures("nothing_leaks")


async def recovers(pool: ChildPool, told: Listener, work: Make, prompt: str = "a cat") -> None:
    """After the death that was told first, a new process paints the second attempt."""
    up = await told.up(but=(await told.down()).boot)
    again = work("job", prompt, attempt=2)
    await pool.run(up.engine, again)
    await told.produced(again.key)


@pytest.mark.parametrize(
    ("fault", "tell"),
    [("segv", "SIGSEGV"), ("exit", "exit code 3\nout of ideas"), ("cut", "ended inside a frame")],
)
async def test_G6_an_engine_that_dies_is_replaced(pool: ChildPool, work: Make, fault: str, tell: str) -> None:
    async with opened(pool) as told:
        up = await told.up()
        first = work("job", f"fault:{fault}@1")
        await pool.run(up.engine, first)
        dead = await told.down()
        assert (dead.boot, dead.reason) == (up.boot, "crashed")
        assert tell in dead.detail
        assert told.ends(first.key) == []
        await recovers(pool, told, work, f"fault:{fault}@1")


@pytest.mark.parametrize(("fault", "tell"), [("garbage", "a frame of"), ("oversize", "100000000 bytes")])
async def test_an_engine_that_talks_nonsense_is_killed(pool: ChildPool, work: Make, fault: str, tell: str) -> None:
    async with opened(pool) as told:
        up = await told.up()
        await pool.run(up.engine, work("job", f"fault:{fault}@1"))
        dead = await told.down()
        assert dead.reason == "crashed"
        assert tell in dead.detail
        await recovers(pool, told, work)


async def test_G3_a_broken_device_never_paints_again(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        up = await told.up()
        first = work("job", "fault:assert@1")
        await pool.run(up.engine, first)
        end = await told.end(first.key)
        assert isinstance(end, Failed)
        assert not end.engine_ok
        with pytest.raises(EngineLost):
            await pool.run(up.engine, work("innocent"))
        await pool.restart(up.engine, "engine")
        dead = await told.down()
        assert (dead.boot, dead.reason) == (up.boot, "replaced")
        assert "assert" in dead.detail
        await recovers(pool, told, work)
        assert len([f for f in told.facts if isinstance(f, EngineDown)]) == 1


async def test_G4_a_hung_engine_is_killed(make_pool: MakePool, work: Make) -> None:
    pool = make_pool(Patience(hang=0.8, first=0.8, pauses=(0.0,)))
    async with opened(pool) as told:
        up = await told.up()
        (process,) = children(SCRIPTED.name)
        first = work("job", "fault:hang@1")
        await pool.run(up.engine, first)
        await told.until(Step, test=lambda s: s.n == 2)
        process.terminate()
        await asyncio.sleep(0.1)
        assert process.is_running()
        await pool.cancel(first.key)
        dead = await told.down()
        assert (dead.boot, dead.reason) == (up.boot, "hung")
        assert not process.is_running()
        assert told.ends(first.key) == []
        await recovers(pool, told, work, "fault:hang@1")


async def test_H12_an_engine_that_hangs_is_overdue_until_it_is_killed(make_pool: MakePool, work: Make) -> None:
    pool = make_pool(Patience(hang=0.6, first=0.6, pauses=(0.0,)))
    async with opened(pool) as told:
        up = await told.up()
        assert pool.overdue == 0
        await pool.run(up.engine, work("job", "fault:hang@1"))
        async with asyncio.timeout(10):
            while pool.overdue == 0:
                await asyncio.sleep(0.01)
        await told.down()
        assert pool.overdue == 0


async def test_G4_a_slow_engine_is_not_hung(make_pool: MakePool, work: Make) -> None:
    pool = make_pool(Patience(hang=0.3, first=5.0, steps=0.01), step=0.05)
    async with opened(pool) as told:
        up = await told.up()
        for job, prompt in (("first", "fault:slow"), ("second", "fault:slow")):
            one = work(job, prompt, steps=2)
            await pool.run(up.engine, one)
            await told.produced(one.key)
        assert not [f for f in told.facts if isinstance(f, EngineDown)]


async def test_G4_an_idle_engine_is_not_hung(make_pool: MakePool, work: Make) -> None:
    async with opened(make_pool(Patience(hang=0.1, first=0.1))) as told:
        await told.up()
        await asyncio.sleep(0.6)
        assert not [f for f in told.facts if isinstance(f, EngineDown)]


async def test_G5_no_second_engine_beside_one_that_cannot_be_killed(
    make_pool: MakePool, work: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(make_pool(Patience(hang=0.2, first=0.2, kill=0.3))) as told:
        pool = told.pool
        up = await told.up()
        (process,) = children(SCRIPTED.name)
        with monkeypatch.context() as patch:
            patch.setattr(Process, "kill", lambda self: None)
            await pool.run(up.engine, work("job", "fault:hang@1"))
            dead = await told.down()
            assert (dead.boot, dead.reason) == (up.boot, "unreachable")
            assert str(process.pid) in dead.detail
            await asyncio.sleep(0.5)
            assert children(SCRIPTED.name) == [process]
            with pytest.raises(EngineLost):
                await pool.run(up.engine, work("other"))
        process.kill()
        await recovers(pool, told, work)
        assert len([f for f in told.facts if isinstance(f, EngineDown)]) == 1


async def test_G10_an_engine_that_never_starts_is_probed_now_and_then(make_pool: MakePool, work: Make) -> None:
    pool = make_pool(Patience(pauses=(0.0, 0.01), deaths=5, probe=0.8), start="die", starts=7)
    times: list[float] = []
    async with opened(pool) as told:
        for _ in range(7):
            dead = await told.until(EngineDown, after=len(told.facts))
            assert (dead.engine, dead.reason) == ("local", "crashed")
            assert dead.detail == "exit code 4\nthe driver is gone"
            times.append(time.monotonic())
            with pytest.raises(EngineLost):
                await pool.run("local", work("job"))
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps[4:]) >= 0.75
        up = await told.up()
        one = work("job")
        await pool.run(up.engine, one)
        await told.produced(one.key)
    assert len({f.boot for f in told.facts if isinstance(f, EngineDown | EngineUp)}) == 8


async def test_G10_restart_does_not_wait_for_the_next_probe(make_pool: MakePool) -> None:
    async with opened(make_pool(Patience(deaths=1, probe=600.0), start="die", starts=1)) as told:
        await told.down()
        await told.pool.restart("local", "the administrator asked")
        await told.up()


@pytest.mark.parametrize("prompt", ["", "fault:hang"])
async def test_G12_the_engine_dies_with_the_bot(tmp_path: Path, prompt: str) -> None:
    spool = tmp_path / "spool"
    bot = textwrap.dedent(
        f"""
        import asyncio, os, sys
        from pathlib import Path
        from realbot.engine import EngineUp, RunKey, Step, Work
        from realbot.engine.child import ChildPool

        async def main():
            argv = [sys.executable, {str(SCRIPTED)!r}, "--settings", '{{"spool": {json.dumps(str(spool))}}}']
            pool = ChildPool(argv, spool=Path({str(spool)!r}), environ=os.environ)
            await pool.open()
            async for fact in pool.facts():
                if isinstance(fact, EngineUp):
                    if not {prompt!r}:
                        break
                    await pool.run(fact.engine, Work(RunKey("job", 1), {{"prompt": {prompt!r}}}))
                if isinstance(fact, Step) and fact.n == 2:
                    break
            print("ready", flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
        """
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", bot, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    (engine,) = psutil.Process(process.pid).children()
    process.kill()
    await process.wait()
    async with asyncio.timeout(5):
        while engine.is_running() and engine.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)


async def test_G12_the_engine_leaves_when_its_input_ends(tmp_path: Path) -> None:
    settings = json.dumps({"spool": str(tmp_path / "spool")})
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPTED), "--settings", settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readexactly(4)
    process.stdin.close()
    async with asyncio.timeout(5):
        assert await process.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_G13_H6_the_engine_inherits_nothing_and_dies_first(make_pool: MakePool, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    canary = "canary-5d1f"
    environ = {
        **os.environ,
        "REALBOT_DISCORD__TOKEN": canary,
        "REALBOT_WEB__PASSWORD": canary,
        "HF_TOKEN": canary,
        "TELEGRAM": canary,
        "CUDA_SECRET_KEY": canary,
        "CUDA_VISIBLE_DEVICES": "3",
    }
    database = sqlite3.connect(tmp_path / "data.db")
    with socket.create_server(("127.0.0.1", 0)) as server, (tmp_path / "open").open("w") as file:
        for held in (server.fileno(), file.fileno()):
            os.set_inheritable(held, True)
        async with opened(make_pool(environ=environ, record=str(record))) as told:
            await told.up()
            seen = json.loads(record.read_text())
            assert Path(f"/proc/{seen['pid']}/oom_score_adj").read_text().strip() == "500"
            assert os.getsid(seen["pid"]) == seen["pid"]
    database.close()
    assert canary not in record.read_text()
    assert seen["environ"]["CUDA_VISIBLE_DEVICES"] == "3"
    assert seen["environ"]["PATH"] == os.environ["PATH"]
    assert all(target.startswith("pipe:") for target in seen["descriptors"].values()), seen["descriptors"]


async def test_G19_an_engine_that_gets_slower_is_not_hung(make_pool: MakePool, work: Make) -> None:
    async with opened(make_pool(Patience(hang=1.0, first=1.0), step=0.02)) as told:
        one = work("job", "fault:slowing", steps=12)
        await told.pool.run((await told.up()).engine, one)
        await told.produced(one.key)
        assert not [f for f in told.facts if isinstance(f, EngineDown)]


async def test_G20_loading_is_not_hanging(make_pool: MakePool, work: Make) -> None:
    async with opened(make_pool(Patience(hang=1.0, first=1.0), start="slow", start_seconds=2.5)) as told:
        loading = await told.until(EngineUp)
        assert loading.fingerprint == ""
        one = work("job")
        await told.pool.run(loading.engine, one)
        await told.produced(one.key)
        assert not [f for f in told.facts if isinstance(f, EngineDown)]


async def test_G20_loading_for_ever_is_hanging(make_pool: MakePool) -> None:
    async with opened(make_pool(Patience(hang=0.2, start=1.0, pauses=(60.0,)), start="never")) as told:
        assert (await told.down()).reason == "hung"


@pytest.mark.parametrize("start", ["garbage", "protocol"])
async def test_an_engine_of_another_kind_is_not_used(make_pool: MakePool, start: str) -> None:
    async with opened(make_pool(start=start, starts=1)) as told:
        dead = await told.down()
        assert dead.reason == "crashed"
        assert ("protocol 8" if start == "protocol" else "a frame of") in dead.detail
        await told.up()


async def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    patience = Patience(pauses=(60.0,))
    async with opened(ChildPool(["/no/such/engine"], spool=tmp_path, environ=os.environ, patience=patience)) as told:
        dead = await told.down()
        assert dead.reason == "crashed"
        assert "/no/such/engine: No such file or directory" in dead.detail


async def test_a_grandchild_that_holds_the_pipes_does_not_delay_the_news(tmp_path: Path) -> None:
    argv = ["bash", "-c", "sleep 60 & exit 3"]
    began = time.monotonic()
    async with opened(ChildPool(argv, spool=tmp_path, environ=os.environ, patience=Patience(pauses=(60.0,)))) as told:
        assert (await told.down()).detail == "exit code 3"
        assert time.monotonic() - began < 5


async def test_a_run_handed_to_a_dying_engine_is_answered_by_its_death(pool: ChildPool, work: Make) -> None:
    async with opened(pool) as told:
        up = await told.up()
        (process,) = children(SCRIPTED.name)
        process.send_signal(signal.SIGKILL)
        one = work("job")
        await pool.run(up.engine, one)
        assert (await told.down()).boot == up.boot
        assert told.ends(one.key) == []
