"""The connection: what is told once, what outlives an outage, and that a loop which stands still is noticed."""

from __future__ import annotations

import asyncio
import time

import discord as library
import pytest
from discord import app_commands
from fronts import arrives, hurried, section, serving, soon
from loopback_faults import Limited, Status
from moving import Time

from realbot.adapters.discord import Front
from realbot.adapters.discord.client import Client, Tree
from realbot.adapters.discord.sync import definition, sync
from realbot.adapters.outbox import Down


class Memory:
    """What the studio remembers."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}

    async def remember(self, name: str, value: str) -> None:
        self.facts[name] = value

    async def remembered(self, name: str) -> str | None:
        return self.facts.get(name)


def tree(description: str = "Paint") -> Tree:
    """One command; `sync` on it is counted."""
    made = Tree(Client("http://127.0.0.1:9", None))

    @made.command(name="imagine", description=description)
    async def imagine(interaction: library.Interaction, prompt: str) -> None:
        pass

    return made


async def test_DC14_commands_are_told_only_when_something_about_them_changed(monkeypatch):
    memory, told = Memory(), []

    async def tell(self) -> list:
        told.append(await definition(self))
        return []

    monkeypatch.setattr(app_commands.CommandTree, "sync", tell)
    for _ in range(50):
        assert await sync(tree(), memory) is (len(told) == 1 and _ == 0)
    assert len(told) == 1
    assert await sync(tree("Paint a picture"), memory)
    assert len(set(told)) == 2


async def test_DC14_what_discord_did_not_take_is_told_again(monkeypatch):
    memory, away = Memory(), [True]

    async def tell(self) -> list:
        if away:
            raise Down("away")
        return []

    monkeypatch.setattr(app_commands.CommandTree, "sync", tell)
    with pytest.raises(Down):
        await sync(tree(), memory)
    away.clear()
    assert await sync(tree(), memory)


async def test_commands_work_everywhere_and_nothing_privileged_is_asked_for():
    client = Client("http://127.0.0.1:9", None)
    assert not (client.intents.members or client.intents.presences or client.intents.message_content)
    assert client.allowed_mentions.to_dict() == {"parse": []}
    (command,) = [one.to_dict(tree()) for one in tree().get_commands()]
    assert sorted(command["contexts"]) == [0, 1, 2]
    assert sorted(command["integration_types"]) == [0, 1]


async def test_DC12_an_interaction_is_handled_once():
    client, handled = Client("http://127.0.0.1:9", None), []
    once = client._once(handled.append)
    for n in (1, 2, 1, 1, 3, 2):
        once({"id": str(n)})
    assert [data["id"] for data in handled] == ["1", "2", "3"]
    assert client._connection.parsers["INTERACTION_CREATE"].__name__ == "once"


async def test_a_gateway_that_cannot_be_reached_is_asked_for_less_than_a_minute_at_a_time():
    moved = Time()
    client = Client("http://127.0.0.1:9", "ws://127.0.0.1:9", clock=moved.clock())
    await client._async_setup_hook()
    client.http._HTTPClient__session = __import__("aiohttp").ClientSession()
    try:
        with pytest.raises(Down):
            await client.http.ws_connect("wss://gateway.discord.gg/?v=10")
    finally:
        await client.close()
    assert 10 < sum(moved.slept) < 60


@pytest.mark.parametrize("path", ["*", "/oauth2/*"])
@pytest.mark.parametrize("fault", [Status(status=503), Limited(2.0, scope="cloudflare")], ids=["503", "cloudflare"])
async def test_DC7_discord_may_be_away_when_realbot_starts(fault, path, atelier, discord, channel, anna):
    outage = discord.fault("*", path, fault, times=-1)
    async with serving(atelier, discord, haste=50, ready=False) as front:
        await soon(lambda: outage.struck > 1)
        assert front.health == "not connected to Discord"
        outage.times = 0
        await soon(lambda: front.health != "not connected to Discord", "still not connected", 20)
        await discord.ready()
        asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
        await soon(atelier.pool.working)
        atelier.pool.finish()
        await arrives(asked.message)


async def test_DC19_the_pictures_of_a_server_that_is_left_can_be_sent_to_their_people(
    atelier, discord, server, channel, anna
):
    front = Front(atelier.studio, section(discord, removed="direct"), clock=hurried(discord, 10))
    up = asyncio.Event()
    task = asyncio.create_task(front.serve(ready=up))
    try:
        await asyncio.wait_for(up.wait(), 30)
        await discord.ready()
        await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
        await soon(atelier.pool.working)
        discord.remove(server.guild)
        await asyncio.sleep(0.2)
        atelier.pool.finish()
        await soon(lambda: anna.dm.messages, "no direct message")
        await arrives(next(iter(anna.dm.messages.values())), "a red apple")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_stopping_takes_no_longer_than_two_seconds_with_a_picture_on_its_way(atelier, discord, channel, anna):
    async with serving(atelier, discord) as front:
        await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
        await soon(atelier.pool.working)
        discord.fault("PATCH", "/channels/*", Status(status=503), times=-1)
        atelier.pool.finish()
        await soon(lambda: front.courier._outbox._letters)
        began = time.monotonic()
    assert time.monotonic() - began < 4
    assert len(atelier.studio.pending("discord")) == 1, "it is delivered at the next start"
