"""Tokens in whatever realbot and discord.py log of Discord: the bot's, and those of interactions and webhooks."""

from __future__ import annotations

import asyncio
import io
import logging
import sys

import pytest
from fronts import arrives, house, soon
from loopback_faults import Error, Limited, Reset, Status

from realbot import logs
from realbot.health import SILENT
from realbot.rulebook import Log

NAMES = ("discord", "aiohttp", "asyncio", "realbot")


@pytest.fixture
def said(monkeypatch):
    """Logging as the program configures it for debugging; what came out so far."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in (*logs.QUIET, *NAMES)}
    stream = io.StringIO()

    def listen(*secrets: str, level: str) -> None:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(secrets, Log(level=level))

    stream.listen = listen
    yield stream
    root.handlers, root.level = before, level
    for name, old in quiet.items():
        logging.getLogger(name).setLevel(old)


async def unrest(discord, channel, anna, bench):
    """A day on which Discord wants to be left alone, and much goes wrong besides."""
    for method, path in (("POST", "/interactions/*/callback"), ("PATCH", "/channels/*"), ("*", "/webhooks/*")):
        for fault in (Limited(0.05), Status(status=502), Reset(), Error(code=10015)):
            discord.fault(method, path, fault)
    anna.patience = 3
    for number in range(3):
        await anna.slash(channel, "imagine", prompt=f"a red apple {number}", steps=1)
    discord.faults.rules.clear()
    asked = await anna.slash(channel, "imagine", prompt="a green cup", steps=1)
    async with asyncio.timeout(20):
        while not any("green cup" in message.text and message.pictures for message in channel.messages.values()):
            if bench.pool.working():
                bench.pool.finish()
            await asyncio.sleep(0.02)
    await arrives(asked.message)


@pytest.mark.parametrize("level", ["debug", "info"])
async def test_S1_S3_no_line_holds_a_token(level, discord, channel, anna, tmp_path, said):
    said.listen(discord.token, level=level)
    async with house(tmp_path, discord, haste=20) as bench:
        await unrest(discord, channel, anna, bench)
    text = said.getvalue()
    assert discord.interactions
    for secret in (discord.token, discord.token.rpartition(".")[2], *discord.interactions):
        assert secret not in text
    if level == "debug":
        assert "[secret]" in text, "discord.py names every address"
        assert "rate limited" in text
        assert "log.level is debug" in text
    else:
        for canary in ("red apple", "green cup", anna.id, anna.person.name):
            assert canary not in text


async def test_H12_a_gateway_that_is_neither_heard_nor_tried_is_stuck(front, atelier):
    await soon(lambda: front.health == "", front.health)
    assert front.pulse() < 60
    keeper = front.client.ws._keep_alive
    keeper._last_ack -= SILENT + 60
    front.client.gate.tried -= SILENT + 60
    assert front.pulse() > SILENT
    atelier.studio.health.watch(front)
    (part,) = [part for part in await atelier.studio.health.parts() if part.name == "discord"]
    assert part.state == "stuck"
    keeper.ack()
    await soon(lambda: front.pulse() < 60)
