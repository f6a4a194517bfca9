"""One run of the program that knows secrets, people and prompts: they are searched for wherever others could look."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from fronts import arrives, soon
from running import Process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

PASSWORD = "canary-password-0123456789"
#: Longer than a text encoder takes, which its library would like to tell.
PROMPT = "a red apple on a blue background " + " ".join(f"zanzibar{n}" for n in range(90))
BOTH = (".db", ".db-wal", ".db-shm")


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=15) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def heard(door: socket.socket) -> list[str]:
    told = []
    while True:
        try:
            told.append(door.recv(4096).decode())
        except BlockingIOError:
            return told


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.setblocking(False)
        door.bind(str(tmp_path / "notify"))
        yield door


async def test_S4_P18_H12_what_a_running_realbot_tells_and_to_whom(discord, channel, anna, tmp_path, manager):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    for name, secret in (("token", discord.token), ("password", PASSWORD)):
        (secrets / name).write_text(secret)
        (secrets / name).chmod(0o600)
    realbot = Process(
        tmp_path, discord,
        REALBOT_DISCORD__TOKEN_FILE=str(secrets / "token"), REALBOT_WEB__PASSWORD_FILE=str(secrets / "password"),
        REALBOT_WEB__PORT="0", REALBOT_MONITOR__PORT=str(port),
        REALBOT_LOG__FILE=str(tmp_path / "logs" / "realbot.log"),
        REALBOT_ENGINE__HANG_SECONDS="2", NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="3000000",
    )  # fmt: skip
    del realbot.environ["REALBOT_DISCORD__TOKEN"]
    told: list[str] = []
    pages: list[str] = []

    async def look(path: str) -> int:
        status, body = await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}{path}")
        pages.append(body)
        told.extend(heard(manager))
        return status

    async def becomes(path: str, status: int, seconds: float = 90) -> str:
        async with asyncio.timeout(seconds):
            while await look(path) != status:
                await realbot.alive(0.2)
        return pages[-1]

    async def says(line: str) -> None:
        async with asyncio.timeout(60):
            while await look("/metrics") != 200 or line not in pages[-1]:
                await realbot.alive(0.1)

    async with realbot:
        await becomes("/readyz", 200)
        assert json.loads(pages[-1])["state"] in ("well", "poor")
        await soon(lambda: told.extend(heard(manager)) or any("READY=1" in one for one in told), "not ready", 30)

        asked = await anna.slash(channel, "imagine", prompt=PROMPT, steps=4, seed=7)
        await arrives(asked.message, seconds=150)
        await says('realbot_deliveries_total{outcome="delivered",platform="discord"} 1.0')
        assert 'realbot_engine_up{engine="local"} 1.0' in pages[-1]

        assert realbot.process is not None
        own = psutil.Process(realbot.process.pid)
        everyone = [own, *own.children(recursive=True)]
        engines = [one for one in everyone if "realbot.engine.worker" in " ".join(one.cmdline())]
        assert engines
        canaries = (discord.token, PASSWORD, anna.id, anna.person.name, "zanzibar")
        for process in everyone:
            seen = " ".join(process.cmdline()) + str(process.environ())
            assert not [canary for canary in canaries if canary in seen]
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
            assert core.split()[4:6] == ["0", "0"]
        for process in engines:
            assert not [name for name in process.environ() if name.startswith(("REALBOT_", "NOTIFY_", "WATCHDOG_"))]

        # An engine that stands still while it paints is noticed, told of and replaced; the job goes on.
        second = await anna.slash(channel, "imagine", prompt="a green cup", steps=60, seed=8)
        painter = max(engines, key=lambda one: one.memory_info().rss)
        await says("realbot_queue_running 1.0")
        os.kill(painter.pid, signal.SIGSTOP)
        body = await becomes("/readyz", 503)
        assert [one["part"] for one in json.loads(body)["parts"] if one["state"] in ("unready", "stuck")] == ["engine"]
        assert await look("/healthz") == 200, "realbot helps itself"
        await arrives(second.message, seconds=200)
        await becomes("/readyz", 200)
        await says('realbot_engine_ends_total{engine="local",reason="hung"} 1.0')

        realbot.process.send_signal(signal.SIGHUP)
        await soon(lambda: told.extend(heard(manager)) or any("RELOADING=1" in one for one in told), "no reload", 30)
        code, _ = await realbot.stop()
        told.extend(heard(manager))
        assert code == 0

    assert any("WATCHDOG=1" in one for one in told)
    assert told.index(next(one for one in told if "READY=1" in one)) < len(told) - 1
    assert told[-1].startswith("STOPPING=1") or any(one.startswith("STOPPING=1") for one in told[-3:])

    file = (tmp_path / "logs" / "realbot.log").read_text()
    lines = [json.loads(line) for line in file.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    job = next(line["job"] for line in lines if line.get("event") == "accepted")
    assert [line["event"] for line in lines if line.get("job") == job and "event" in line] == [
        "accepted", "started", "produced", "delivered",
    ]  # fmt: skip
    assert next(line["platform"] for line in lines if line.get("job") == job) == "discord"
    assert {line["event"] for line in lines if "event" in line} >= {"engine_up", "engine_down"}

    written = {"standard error": realbot.log(), "the log": file, "pages": "".join(pages), "systemd": "".join(told)}
    for path in (tmp_path / "data").rglob("*"):
        # The database is what remembers people and prompts; nothing else in the folder may.
        if path.is_file() and not path.name.endswith(BOTH):
            written[str(path)] = path.read_bytes().decode("latin-1")
    for where, text in written.items():
        assert not [canary for canary in (*canaries, channel.id) if canary in text], where
    for path in (tmp_path / "data").rglob("*.db*"):
        text = path.read_bytes().decode("latin-1")
        assert not [canary for canary in (discord.token, PASSWORD) if canary in text], path
