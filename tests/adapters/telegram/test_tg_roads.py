"""What can be wrong on the way to Telegram: names, addresses, certificates, a proxy. It is tried until it is well."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager

import pytest
from easel import easel
from roads import BROKEN, NAME, Names, Papers, road
from tg_fronts import front_task, hurried, painted

from realbot.adapters.telegram import Front
from realbot.health import SILENT
from realbot.sections import Telegram
from studios import rig, until

HASTE = 20


@asynccontextmanager
async def reached(folder, api, base: str):
    """A front-end that reaches Telegram by this address."""
    async with rig(folder, clock=api.clock, pool=easel(folder, hand=False)) as bench:
        section = Telegram(token=api.token, api_base=base)
        front = Front(bench.studio, section, clock=hurried(api, HASTE), hold=2)
        up = asyncio.Event()
        task = front_task[front] = asyncio.create_task(front.serve(ready=up))
        try:
            async with asyncio.timeout(20):
                await up.wait()
            yield front
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            del front_task[front]


async def comes_back(front, anna):
    """What was asked meanwhile is painted, once."""
    before = len(anna.chat.told)
    anna.write(anna.chat, "/imagine a green cup steps:2")
    await painted(anna.chat, before + 1, 15)
    await until(lambda: front.health == "", 20)
    assert len(anna.chat.told) == before + 1
    assert not front_task[front].done()


@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN)
async def test_H16_names_that_lead_nowhere_are_waited_out(how, api, anna, tmp_path, monkeypatch):
    names = Names(monkeypatch)
    async with road(api.port) as way, reached(tmp_path, api, f"http://{NAME}:{way.port}") as front:
        await anna.ask(anna.chat, "/imagine a red apple steps:2")
        await painted(anna.chat)
        names.say(*how.get("addresses", ()), failure=how.get("failure"), delay=how.get("delay", 0.0))
        asked = names.asked
        way.cut()
        await until(lambda: names.asked >= asked + 3, 20)
        await until(lambda: front.health == "Telegram does not answer", 20)
        assert front.pulse() < SILENT / 2
        names.say("127.0.0.1")
        await comes_back(front, anna)


async def test_H16_an_IPv6_address_that_leads_nowhere_is_passed_over(api, anna, tmp_path, monkeypatch):
    names = Names(monkeypatch)
    names.say("::1", "127.0.0.1")
    async with road(api.port) as way, reached(tmp_path, api, f"http://{NAME}:{way.port}") as front:
        await comes_back(front, anna)


@pytest.mark.parametrize("paper", ["expired", "early"])
async def test_H16_a_clock_that_is_wrong_for_TLS_is_waited_out(paper, api, anna, tmp_path, monkeypatch):
    Names(monkeypatch)
    papers = Papers(tmp_path / "papers")
    monkeypatch.setenv("SSL_CERT_FILE", str(papers.authority))
    async with road(api.port, papers.context) as way, reached(tmp_path, api, f"https://{NAME}:{way.port}") as front:
        await comes_back(front, anna)
        papers.show(paper)
        way.cut()
        await until(lambda: front.health == "Telegram does not answer", 20)
        papers.show("valid")
        await comes_back(front, anna)


async def test_H16_a_proxy_that_goes_away_is_waited_for(api, anna, tmp_path, monkeypatch):
    """As an operator sets it for every program; the proxy knows what no resolver here does."""
    names = Names(monkeypatch)
    names.say(failure=socket.EAI_NONAME)
    async with road(api.port) as way:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{way.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with reached(tmp_path, api, f"http://{NAME}") as front:
            await comes_back(front, anna)
            await way.stop()
            await until(lambda: front.health == "Telegram does not answer", 20)
            await way.start()
            await comes_back(front, anna)
    assert names.asked == 0


async def test_H12_a_front_end_that_waits_for_itself_is_stuck(api, anna, tmp_path, monkeypatch):
    """Nothing is wrong with Telegram here: an update is never kept, so that no poll follows."""
    async with reached(tmp_path, api, api.base) as front:
        await until(lambda: front.pulse() < 100)

        async def hangs(updates):
            await asyncio.Event().wait()

        monkeypatch.setattr(front.poller, "_take", hangs)
        anna.write(anna.chat, "/help")
        await until(lambda: front.pulse() > SILENT, 40)
