"""`realbot run` itself, the bundled model included, on a Discord on this machine."""

from __future__ import annotations

import asyncio
import io
import socket
import urllib.request

import pytest
from fronts import arrives, border, cards, soon
from loopback_people import Upload
from PIL import Image
from running import Process

ASKED = "a red apple on a blue background"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def is_blue(data: bytes) -> bool:
    red, green, blue = border(data)
    return blue > red + 60 and blue > green + 30


async def test_P18_imagine_ends_with_what_was_asked_and_the_log_names_nobody(discord, channel, anna, tmp_path):
    async with Process(tmp_path, discord) as realbot:
        names = [name for name, _ in await anna.complete(channel, "imagine", "style", "real", prompt="x")]
        assert any("realism" in name for name in names)
        wrong = await anna.slash(channel, "imagine", prompt=ASKED, steps=900)
        assert wrong.private
        assert "100" in wrong.text

        asked = await anna.slash(channel, "imagine", prompt=ASKED, steps=8, seed=7)
        assert asked.waited is not None
        assert asked.waited < 2.5
        card = await arrives(asked.message, seconds=150)
        assert is_blue(card.pictures[0])
        assert Image.open(io.BytesIO(card.pictures[0])).format == "PNG"
        assert card.attachments[0].description
        assert len(cards([channel], "a red apple")) == 1

        varied = await anna.slash(
            channel, "imagine", prompt="a green cup on a yellow background", steps=6,
            source=Upload("in.png", card.pictures[0]), strength=0.9,
        )  # fmt: skip
        await arrives(varied.message, seconds=150)

        code, seconds = await realbot.stop()
        assert code == 0
        assert seconds < 10
        assert "Traceback" not in realbot.log()
        for secret in (discord.token, "apple", anna.id, anna.person.name, channel.id):
            assert secret not in realbot.log()


async def test_D1_D2_a_picture_that_was_promised_survives_kill_and_restart(discord, channel, anna, bert, tmp_path):
    async with Process(tmp_path, discord) as realbot:
        first = await anna.slash(channel, "imagine", prompt=ASKED, steps=60, seed=1)
        second = await bert.slash(channel, "imagine", prompt="a green cup on a blue background", steps=8, seed=2)
        assert first.answer == second.answer == 4
        await realbot.kill()
        await realbot.start()
        for words in ("a red apple", "a green cup"):
            await soon(lambda words=words: cards([channel], words), f"{words} did not come", 150)
            (card,) = cards(discord.channels.values(), words)
            assert is_blue(card.pictures[0])
        assert len(discord.called("PUT", "/commands")) == 1
        again = await anna.press(cards([channel], "a red apple")[0], "Recipe")
        assert "a red apple" in again.text

        # D11: while something is painted.
        await anna.slash(channel, "imagine", prompt="a long one", steps=90)
        code, seconds = await realbot.stop()
        assert code == 0
        assert seconds < 10


async def test_DC9_DC11_a_dead_token_stops_discord_alone_and_a_break_is_resumed(discord, channel, anna, tmp_path):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    async with Process(tmp_path, discord, REALBOT_WEB__PORT=str(port)) as realbot:
        await discord.gateway.drop()
        await soon(lambda: discord.gateway.session is None or discord.gateway.resumed)
        asked = await anna.slash(channel, "imagine", prompt=ASKED, steps=4)
        assert asked.answer == 4
        assert discord.gateway.resumed
        assert len(discord.gateway.identified) == 1
        await arrives(asked.message, seconds=150)

        await discord.revoke()

        def page() -> int:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return answer.status

        await soon(lambda: "token" in realbot.log(), "nobody is told")
        identified = len(discord.gateway.identified)
        await asyncio.sleep(2)
        assert len(discord.gateway.identified) - identified <= 1
        assert await asyncio.to_thread(page) == 200
        code, seconds = await realbot.stop()
        assert code == 0
        assert seconds < 10
