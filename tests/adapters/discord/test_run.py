"""`realbot run` itself, the bundled model included, on a Discord on this machine."""

from __future__ import annotations

import asyncio
import io
import socket
import urllib.request

import pytest
from fronts import arrives, border, cards, soon
from loopback_people import Upload
from PIL import Image, ImageChops, ImageStat
from running import Process

ASKED = "a red apple on a blue background"
#: Pixels across which the edge of what is painted is mixed, and a little more.
FEATHER = 16
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


async def agreed(anna, channel, asked):
    """The card of what was asked, once the person said that the right part is painted."""
    await soon(lambda: any("Right?" in m.text for m in anna.sees(channel)), "it is not asked", 30)
    question = next(m for m in anna.sees(channel) if "Right?" in m.text)
    pressed = await anna.press(question, "Paint")
    assert asked.waited < 2.5
    assert pressed.waited < 2.5
    return await arrives(pressed.message, seconds=150)


async def test_pictures_are_edited_and_continued_and_what_is_not_painted_stays(discord, channel, anna, tmp_path):
    async with Process(tmp_path, discord):
        plain = await arrives(
            (await anna.slash(channel, "imagine", prompt=ASKED, steps=8, seed=7)).message, seconds=150
        )
        source = Image.open(io.BytesIO(plain.pictures[0])).convert("RGB")
        width, height = source.size

        mask = Image.new("L", source.size)
        mask.paste(255, (width // 2, 0, width, height))
        asked = await anna.slash(
            channel, "imagine", prompt="a green frog on a yellow background", steps=8, seed=3,
            source=Upload("in.png", plain.pictures[0]), mask=Upload("mask.png", png(mask)),
        )  # fmt: skip
        card = await agreed(anna, channel, asked)
        edited = Image.open(io.BytesIO(card.pictures[0])).convert("RGB")
        stays, anew = (0, 0, width // 2 - FEATHER, height), (width // 2 + FEATHER, 0, width, height)
        assert edited.crop(stays).tobytes() == source.crop(stays).tobytes()
        assert away(edited.crop(anew), source.crop(anew)) > 20

        other = png(source.point(lambda value: 255 - value))
        looking = await anna.slash(
            channel, "imagine", prompt=ASKED, steps=8, seed=7, look=Upload("look.png", other), look_weight=1
        )  # fmt: skip
        card = await arrives(looking.message, "look of a picture", seconds=150)
        assert away(Image.open(io.BytesIO(card.pictures[0])).convert("RGB"), source) > 5

        row = (await anna.press(plain, "More around it")).message
        card = await arrives((await anna.press(row, "← Left")).message, seconds=150)
        moved = Image.open(io.BytesIO(card.pictures[0])).convert("RGB")
        old = (width // 2 + FEATHER, 0, width, height)
        assert moved.size == source.size
        assert moved.crop(old).tobytes() == source.crop((FEATHER, 0, width // 2, height)).tobytes()
        card = await arrives((await anna.press(row, "Zoom out ×2")).message, seconds=150)
        wider = Image.open(io.BytesIO(card.pictures[0])).convert("RGB")
        assert wider.size == (2 * width, 2 * height)
        inner = (FEATHER, FEATHER, width - FEATHER, height - FEATHER)
        shifted = tuple(side + half for side, half in zip(inner, (width // 2, height // 2) * 2, strict=True))
        assert wider.crop(shifted).tobytes() == source.crop(inner).tobytes()


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def away(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are from each other, of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


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
