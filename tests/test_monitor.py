"""What other programs see over HTTP: real requests, also while the event loop stands still."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request
from contextlib import asynccontextmanager

import pytest

from realbot.errors import ConfigError
from realbot.health import Part
from realbot.metrics import Metrics
from realbot.monitor import Monitor
from realbot.rulebook import Monitor as Section
from studios import rig, until


def fetch(url: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Status, headers and body; from a thread."""
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


async def get(monitor: Monitor, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    return await asyncio.to_thread(fetch, monitor.url + path, method)


@asynccontextmanager
async def monitored(tmp_path, patience: float = 3.0, **options):
    async with rig(tmp_path, **options) as bench:
        monitor = Monitor(Metrics(bench.studio), Section(port=0), patience=patience)
        async with monitor.serving():
            yield bench, monitor


async def test_a_bot_that_works_is_healthy_and_ready(tmp_path):
    async with monitored(tmp_path) as (bench, monitor):
        await until(lambda: bench.studio.engine().up)
        for path in ("/healthz", "/readyz", "/readyz?verbose"):
            status, headers, body = await get(monitor, path)
            told = json.loads(body)
            assert (status, headers["Content-Type"], told["state"]) == (200, "application/json", "well")
            assert {part["part"] for part in told["parts"]} >= {"loop", "store", "engine", "disk"}
            assert all(part["says"] for part in told["parts"])
        status, headers, body = await get(monitor, "/metrics")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'realbot_engine_up{engine="one"} 1.0' in body
        assert (await get(monitor, "/"))[0] == 404
        status, headers, body = await get(monitor, "/healthz", "HEAD")
        assert (status, body) == (200, "")
        assert "Python" not in headers["Server"]
        assert (await get(monitor, "/healthz", "POST"))[0] == 501


async def test_H12_an_engine_that_is_away_makes_it_unready_and_leaves_it_alive(tmp_path):
    async with monitored(tmp_path, start=False) as (_, monitor):
        assert (await get(monitor, "/healthz"))[0] == 200
        status, _, body = await get(monitor, "/readyz")
        assert status == 503
        assert {part["part"]: part["says"] for part in json.loads(body)["parts"]}["engine"] == (
            "The engine loads its model."
        )


async def test_one_platform_takes_no_other_with_it_where_that_is_asked_for(tmp_path):
    async with monitored(tmp_path) as (bench, monitor):
        await until(lambda: bench.studio.engine().up)
        bench.studio.health.add("discord", lambda: Part("discord", "unready", "Discord is away"))
        assert (await get(monitor, "/readyz"))[0] == 503
        status, _, body = await get(monitor, "/readyz?exclude=telegram&exclude=discord")
        assert (status, json.loads(body)["state"]) == (200, "unready"), "it is told all the same"


async def test_H12_a_part_that_is_stuck_is_told_with_503_and_in_the_metrics(tmp_path):
    async with monitored(tmp_path) as (bench, monitor):
        await until(lambda: bench.studio.engine().up)
        bench.pool.overdue = 100.0
        status, _, body = await get(monitor, "/healthz")
        told = json.loads(body)
        assert (status, told["state"]) == (503, "stuck")
        _, _, text = await get(monitor, "/metrics")
        assert 'realbot_part{part="engine",state="stuck"} 1.0' in text
        bench.pool.overdue = 0.0
        assert (await get(monitor, "/healthz"))[0] == 200


async def test_H12_what_deserves_a_look_is_no_reason_to_start_anew(tmp_path):
    async with monitored(tmp_path) as (bench, monitor):
        await until(lambda: bench.studio.engine().up)
        bench.studio.health.add("copies", lambda: Part("copies", "poor", "The last copy is 40 hours old."))
        for path in ("/healthz", "/readyz"):
            status, _, body = await get(monitor, path)
            assert (status, json.loads(body)["state"]) == (200, "poor")


async def test_H12_an_event_loop_that_stands_still_is_told_of_meanwhile(tmp_path):
    async with monitored(tmp_path, patience=0.3) as (bench, monitor):
        await until(lambda: bench.studio.engine().up)
        assert (await get(monitor, "/healthz"))[0] == 200
        asked = [asyncio.create_task(get(monitor, path)) for path in ("/healthz", "/readyz", "/metrics")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(1.5)  # the requests are under way in their threads
        answers = await asyncio.gather(*asked)
        for status, _, body in answers[:2]:
            told = json.loads(body)
            assert status == 503
            (loop,) = [part for part in told["parts"] if part["part"] == "loop"]
            assert (loop["state"], loop["says"]) == ("stuck", "The event loop has not answered for 0 s.")
            assert "engine" in {part["part"] for part in told["parts"]}, "the rest is as it was seen last"
        assert answers[2][0] == 200
        assert 'realbot_part{part="loop",state="stuck"} 1.0' in answers[2][2]
        status, _, body = await get(monitor, "/healthz")
        assert (status, json.loads(body)["state"]) == (200, "well")


async def test_many_who_say_nothing_keep_nobody_out_for_long(tmp_path):
    async with monitored(tmp_path) as (bench, monitor):
        await until(lambda: bench.studio.engine().up)
        host, port = monitor.url.removeprefix("http://").split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(8)]
        assert (await get(monitor, "/healthz"))[0] == 200
        for one in idle:
            one.close()


async def test_an_address_that_is_taken_is_one_sentence(tmp_path):
    async with monitored(tmp_path) as (bench, monitor):
        port = int(monitor.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=rf"monitor\.port {port} on 127\.0\.0\.1 is in use") as caught:
            async with Monitor(Metrics(bench.studio), Section(port=port)).serving():
                pass
        assert caught.value.key == "monitor.port"
        with pytest.raises(ConfigError) as caught:
            async with Monitor(Metrics(bench.studio), Section(host="no.such.host.invalid")).serving():
                pass
        assert caught.value.key == "monitor.host"


async def test_it_stops_at_once(tmp_path):
    async with rig(tmp_path) as bench:
        monitor = Monitor(Metrics(bench.studio), Section(port=0))
        async with monitor.serving():
            began = time.monotonic()
        assert time.monotonic() - began < 1
        with pytest.raises(OSError):
            await get(monitor, "/healthz")
