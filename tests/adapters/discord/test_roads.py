"""What can be wrong on the way to Discord: names, addresses, certificates. It is tried again until it is well."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager

import aiohttp.connector
import pytest
from fronts import arrives, cards, front_task, hurried, soon
from roads import BROKEN, NAME, Names, Papers, road

from realbot.adapters.discord import Front, client
from realbot.health import SILENT
from realbot.sections import Discord


@asynccontextmanager
async def reached(bench, home, port: int, scheme: str = "http"):
    """A front-end that reaches Discord by a name."""
    ws = scheme.replace("http", "ws")
    section = Discord(
        token=home.token,
        api_base=f"{scheme}://{NAME}:{port}" + home.api_base.partition(str(home.port))[2],
        gateway=f"{ws}://{NAME}:{port}" + home.gateway_url.partition(str(home.port))[2],
    )
    # Where a session is to be resumed is told by Discord.
    home.gateway.address = section.gateway
    front = Front(bench.studio, section, clock=hurried(home, 20))
    task = front_task[front] = asyncio.create_task(front.serve())
    try:
        await home.ready()
        yield front
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        del front_task[front]


async def paints(actor, channel, pool, prompt):
    asked = await actor.slash(channel, "imagine", prompt=prompt, steps=1)
    await soon(pool.working, f"nothing is painted: {asked.text}")
    pool.finish()
    await arrives(asked.message)


async def tries_again(front, way) -> None:
    """Every connection is gone, and what is known of names with it."""
    front.client.http.connector.clear_dns_cache()
    way.cut()
    tried = {front.client.gate.tried}
    await soon(lambda: tried.add(front.client.gate.tried) or len(tried) > 4, "it is not tried again", 20)
    await soon(lambda: front.health, "nobody is told")
    assert front.away


async def comes_back(front, home, channel, anna, atelier, begun):
    await soon(lambda: len(home.gateway.identified) + len(home.gateway.resumed) > begun, "it does not come back", 30)
    await soon(lambda: front.health == "", front.health)
    await paints(anna, channel, atelier.pool, "a green cup")
    assert len(cards([channel], "a green cup")) == 1
    assert not front_task[front].done()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(client, "BREAK", 0.3)


@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN)
async def test_H16_names_that_lead_nowhere_are_waited_out(how, atelier, discord, channel, anna, monkeypatch):
    names = Names(monkeypatch)
    async with road(discord.port) as way, reached(atelier, discord, way.port) as front:
        await paints(anna, channel, atelier.pool, "a red apple")
        begun = len(discord.gateway.identified) + len(discord.gateway.resumed)
        names.say(*how.get("addresses", ()), failure=how.get("failure"), delay=how.get("delay", 0.0))
        await tries_again(front, way)
        assert front.pulse() < SILENT / 10
        names.say("127.0.0.1")
        await comes_back(front, discord, channel, anna, atelier, begun)


async def test_H16_an_IPv6_address_that_leads_nowhere_is_passed_over(atelier, discord, channel, anna, monkeypatch):
    names = Names(monkeypatch)
    names.say("::1", "127.0.0.1")
    async with road(discord.port) as way, reached(atelier, discord, way.port):
        await paints(anna, channel, atelier.pool, "a red apple")


@pytest.mark.parametrize("paper", ["expired", "early"])
async def test_H16_a_clock_that_is_wrong_for_TLS_is_waited_out(
    paper, atelier, discord, channel, anna, monkeypatch, tmp_path
):
    Names(monkeypatch)
    papers = Papers(tmp_path / "papers")
    trust = aiohttp.connector._make_ssl_context(True)
    trust.load_verify_locations(papers.authority)
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trust)
    async with road(discord.port, papers.context) as way, reached(atelier, discord, way.port, "https") as front:
        await paints(anna, channel, atelier.pool, "a red apple")
        begun = len(discord.gateway.identified) + len(discord.gateway.resumed)
        papers.show(paper)
        await tries_again(front, way)
        papers.show("valid")
        await comes_back(front, discord, channel, anna, atelier, begun)


async def test_H16_a_proxy_that_goes_away_is_waited_for(atelier, discord, channel, anna, monkeypatch):
    """As an operator sets it for every program; the proxy knows what no resolver here does."""
    names = Names(monkeypatch)
    names.say(failure=socket.EAI_NONAME)
    async with road(discord.port) as way:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{way.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with reached(atelier, discord, 80) as front:
            await paints(anna, channel, atelier.pool, "a red apple")
            begun = len(discord.gateway.identified) + len(discord.gateway.resumed)
            await way.stop()
            await tries_again(front, way)
            await way.start()
            await comes_back(front, discord, channel, anna, atelier, begun)
    assert names.asked == 0
