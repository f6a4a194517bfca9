"""`realbot run` itself, the bundled model included, on a Telegram on this machine, alone and beside Discord."""

from __future__ import annotations

import asyncio
import io
import signal
import socket

import pytest
from botapi_files import Document
from botapi_people import until
from botapi_world import Chat, Message
from PIL import Image
from tg_fronts import border
from tg_running import Process

ASKED = "a red apple on a blue background"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


def is_blue(data: bytes | None) -> bool:
    red, green, blue = border(data)
    return blue > red + 60 and blue > green + 30


async def arrives(chat: Chat, words: str, seconds: float = 150) -> Message:
    """The message that shows a finished picture of these words."""

    def found() -> list[Message]:
        return [m for m in chat.told if m.picture is not None and words in m.words and "seed" in m.words]

    try:
        await until(found, seconds)
    except TimeoutError:
        raise AssertionError(f"no picture of {words!r} in {chat.told}") from None
    (message,) = found()
    return message


async def test_imagine_ends_with_a_picture_of_what_was_asked(api, anna, tmp_path):
    async with Process(tmp_path, api) as realbot:
        wrong = await anna.ask(anna.chat, f"/imagine {ASKED} steps:900")
        assert "100" in wrong.words

        card = await anna.ask(anna.chat, f"/imagine {ASKED} steps:8 seed:7")
        assert "Cancel" in card.labels
        shown = await arrives(anna.chat, "a red apple")
        assert shown.id == card.id
        assert is_blue(shown.picture)

        # A picture answered with words is where the next one begins.
        await anna.ask(anna.chat, "a green cup on a yellow background steps:6 strength:0.9", reply_to=shown)
        second = await arrives(anna.chat, "a green cup")
        red, green, blue = border(second.picture)
        assert min(red, green) > blue + 60

        pressed = await anna.press(shown, "Original")
        assert pressed.text == ""
        await until(lambda: any(isinstance(m.media, Document) for m in anna.chat.told))
        document = next(m for m in anna.chat.told if isinstance(m.media, Document))
        assert Image.open(io.BytesIO(document.uploaded)).format == "PNG"

        code, seconds = await realbot.stop()
        assert code == 0
        assert seconds < 10
        assert "Traceback" not in realbot.log()
        assert api.token not in realbot.log()
        assert api.token.partition(":")[2] not in realbot.log()


async def test_T1_D1_D2_what_was_asked_for_survives_kill_and_restart(api, anna, bert, tmp_path):
    async with Process(tmp_path, api) as realbot:
        await anna.ask(anna.chat, f"/imagine {ASKED} steps:60 seed:1")
        bert.write(bert.chat, "a green cup on a blue background steps:8 seed:2")
        await until(lambda: bert.chat.told)
        await realbot.kill()
        await realbot.start()
        for person, words in ((anna, "a red apple"), (bert, "a green cup")):
            shown = await arrives(person.chat, words)
            assert is_blue(shown.picture)
            assert len(person.chat.pictures) == 1
        # A button from before the restart.
        await anna.press(await arrives(anna.chat, "a red apple"), "Recipe")
        await until(lambda: any("seed:1" in m.words for m in anna.chat.told))


async def test_D12_whoever_says_stop_twice_does_not_wait_and_nothing_is_lost(api, anna, tmp_path):
    async with Process(tmp_path, api) as realbot:
        await anna.ask(anna.chat, f"/imagine {ASKED} steps:60 seed:3")
        await until(lambda: '"event": "started"' in realbot.log(), 90)
        assert realbot.process is not None
        realbot.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        code, seconds = await realbot.stop()
        assert code == 128 + signal.SIGTERM
        assert seconds < 1
        assert "stopped at once" in realbot.log()
        await realbot.start()
        assert is_blue((await arrives(anna.chat, "a red apple")).picture)
        assert len(anna.chat.pictures) == 1


async def test_webhook_serves_the_same(api, anna, tmp_path):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = str(door.getsockname()[1])
    told = {
        "REALBOT_TELEGRAM__WEBHOOK_URL": f"http://127.0.0.1:{port}/hook",
        "REALBOT_TELEGRAM__WEBHOOK_PORT": port,
        "REALBOT_TELEGRAM__WEBHOOK_SECRET": "a-secret-of-many-letters",
    }
    async with Process(tmp_path, api, **told) as realbot:
        await anna.ask(anna.chat, f"/imagine {ASKED} steps:6")
        assert is_blue((await arrives(anna.chat, "a red apple")).picture)
        assert not api.called("getUpdates")
        code, _ = await realbot.stop()
        assert code == 0
        assert "a-secret-of-many-letters" not in realbot.log()
