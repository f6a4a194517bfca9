"""One program serves Discord and Telegram from one line, and one person is one person on both."""

from __future__ import annotations

import re

import pytest
import running
import tg_running
from botapi import BotApi
from botapi_people import until
from fronts import arrives, shows
from loopback import Loopback
from program import Program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


class Both(Program):
    """`realbot run` on both loopbacks."""

    def __init__(self, folder, home: Loopback, api: BotApi, **environ: str) -> None:
        self.home, self.api = home, api
        super().__init__(folder, **{**running.address(home), **tg_running.address(api), **environ})

    async def ready(self) -> None:
        while self.home.gateway.session is None or not self.api.called("getUpdates"):
            await self.alive()
        await self.home.ready()


@pytest.fixture
async def two(tmp_path):
    """The program, a channel of a Discord server with Anna in it, and Bert and the same Anna on Telegram."""
    async with Loopback() as home, BotApi() as api, Both(tmp_path, home, api, REALBOT_LIMITS__PER_DAY="4") as program:
        channel = home.guild().channel()
        yield program, channel, home.person("anna"), api.person("anna"), api.person("bert")
        assert not home.complaints
        assert not api.complaints


async def test_places_in_line_are_right_across_both_platforms(two):
    program, channel, on_discord, on_telegram, bert = two
    first = await on_discord.slash(channel, "imagine", prompt="a red apple", steps=100, seed=1, size="256x256", count=2)
    await shows(first.message, "Step", 60)
    second = await bert.ask(bert.chat, "/imagine a green cup steps:4 seed:2")
    third = await on_discord.slash(channel, "imagine", prompt="a blue hat", steps=4, seed=3)
    fourth = await on_telegram.ask(on_telegram.chat, "a yellow sun steps:4 seed:4")
    assert third.message is not None
    assert "Next in line" in second.words
    assert "2nd in line" in third.message.text
    assert "3rd in line" in fourth.words
    for asked in (first, third):
        await arrives(asked.message, seconds=150)
    await until(lambda: bert.chat.pictures and on_telegram.chat.pictures, 60)
    assert len(bert.chat.pictures) == len(on_telegram.chat.pictures) == 1
    code, seconds = await program.stop()
    assert code == 0
    assert seconds < 10


async def test_linked_accounts_share_history_favourites_and_the_days_pictures(two):
    _program, channel, on_discord, on_telegram, bert = two
    asked = await on_discord.slash(channel, "imagine", prompt="a red apple on a blue background", steps=4, seed=1)
    await arrives(asked.message, seconds=150)
    told = await on_telegram.ask(on_telegram.chat, "/history")
    assert "apple" not in told.words + "".join(told.labels)

    code = await on_telegram.ask(on_telegram.chat, "/link")
    found = re.search(r"[A-Z2-9]{4}-[A-Z2-9]{4}", code.words)
    assert found is not None
    linked = await on_discord.slash(channel, "link", code=found[0])
    assert linked.private

    told = await on_telegram.ask(on_telegram.chat, "/history")
    assert "apple" in told.words + "".join(told.labels)
    # Pictures of both count: four a day, one is painted.
    for n in range(3):
        await on_telegram.ask(on_telegram.chat, f"a cup number {n} steps:2")
        await until(lambda n=n: len(on_telegram.chat.pictures) == n + 1, 60)
    refused = await on_discord.slash(channel, "imagine", prompt="one more", steps=2)
    assert refused.private
    assert "4" in refused.text
    # The same request is answered at once, whichever way it is asked.
    again = await on_telegram.ask(on_telegram.chat, "a red apple on a blue background steps:4 seed:1")
    await until(lambda: "From your history" in "".join(m.words for m in on_telegram.chat.told), 30)
    assert again is not None
    # Somebody else sees nothing of it.
    other = await bert.ask(bert.chat, "/history")
    assert "apple" not in other.words + "".join(other.labels)
