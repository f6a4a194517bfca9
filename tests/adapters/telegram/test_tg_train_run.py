"""A style is trained by `realbot run` itself with the bundled model, on a Telegram on this machine."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from botapi_files import Document
from botapi_people import until
from botapi_world import Chat, Message
from PIL import Image, ImageDraw
from tg_fronts import shows
from tg_running import Process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
#: Where the screens are drawn, for whoever wants to look at them.
SCREENS = os.environ.get("SCREENS")


def ring(index: int) -> bytes:
    """A ring on stripes: a look that the model does not know."""
    image = Image.new("RGB", (160, 160), (250, 240, 220))
    draw = ImageDraw.Draw(image)
    for y in range(index, 160, 8):
        draw.line((0, y, 160, y), fill=(120, 90, 60))
    left = 20 + 12 * index
    draw.ellipse((left, 30, left + 70, 100), outline=(60 + 30 * index, 20, 120), width=8)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


async def screen(name: str, *messages: Message) -> None:
    if SCREENS:
        from chat import shot

        await shot(list(messages), Path(SCREENS) / f"{name}.png")


async def told(chat: Chat, words: str, seconds: float = 150) -> Message:
    """The message of the bot that says this."""
    found: list[Message] = []

    def there() -> Any:
        found[:] = [message for message in chat.told if words in message.words]
        return found

    try:
        await until(there, seconds)
    except TimeoutError:
        raise AssertionError(f"{words!r} is not in {[m.words for m in chat.told]}") from None
    return found[-1]


def documents(chat: Chat) -> list[Document]:
    """The files that the bot sent there."""
    return [message.media for message in chat.told if isinstance(message.media, Document)]


async def test_a_style_is_trained_in_a_group_used_by_its_owner_and_shared(api, anna, bert, tmp_path):
    group = api.supergroup("painters", anna, bert)
    # A group takes so many messages a minute.
    anna.patience = bert.patience = 90.0
    async with Process(tmp_path, api, REALBOT_TRAINING__ROLES="everyone") as realbot:
        status = await anna.ask(group, "/train rings ringwork steps:150 rank:4")
        anna.album(group, [ring(n) for n in range(5)], reply_to=status)
        await shows(status, "5 pictures so far")
        anna.photo(group, ring(5), "a purple ring", reply_to=status)
        await shows(status, "6 pictures so far")
        await screen("set", status)
        await anna.press(status, "Check them")
        await shows(status, "6 pictures to learn from", 60)
        await screen("plan", status)
        await anna.press(status, "Train")
        card = await told(group, "loss ")
        await until(lambda: card.picture is not None, 100)
        await screen("learning", card)

        asked = await bert.ask(bert.chat, "a red apple on a blue background steps:6 seed:7")
        await shows(asked, "seed 7", 100)
        assert "style:rings" not in card.words, "the picture comes first"
        await shows(card, "style:rings", 300)
        assert card.picture is not None
        assert Image.open(io.BytesIO(card.picture)).width > 600
        await screen("trained", card)

        own = await anna.ask(anna.chat, "ringwork style:rings steps:6 seed:7")
        await shows(own, "seed 7", 100)
        refused = await bert.ask(group, "/imagine ringwork style:rings steps:6 seed:8")
        assert "no style rings" in refused.words
        assert "rings" not in (await bert.ask(group, "/styles")).words
        await anna.press(card, "Share with this group")
        assert "rings" in (await bert.ask(group, "/styles")).words
        shared = await bert.ask(group, "/imagine ringwork style:rings steps:6 seed:8")
        await shows(shared, "seed 8", 100)

        page = await anna.ask(anna.chat, "/styles rings")
        for label, name in (("Metrics", "rings.csv"), ("Weights", "rings.safetensors")):
            await anna.press(page, label)
            await until(lambda name=name: name in [document.name for document in documents(anna.chat)], 60)
        await screen("page", page)
        code, _ = await realbot.stop()
        assert code == 0
        assert "Traceback" not in realbot.log()


async def test_a_set_and_a_training_go_on_after_a_kill(api, anna, tmp_path):
    async with Process(tmp_path, api, REALBOT_TRAINING__ROLES="everyone") as realbot:
        anna.album(anna.chat, [ring(n) for n in range(3)], "/train rings ringwork steps:60 rank:4")
        await told(anna.chat, "3 pictures so far")
        await realbot.kill()
        await realbot.start()
        anna.photo(anna.chat, ring(5))
        status = await told(anna.chat, "4 pictures so far")
        await anna.press(status, "Check them")
        await shows(status, "4 pictures to learn from", 60)
        await anna.press(status, "Train")
        card = await told(anna.chat, "loss ")
        await realbot.kill()
        await realbot.start()
        await shows(card, "style:rings", 300)
        assert card.picture is not None
        assert [picture.message for picture in anna.chat.pictures] == [card]
        assert "Traceback" not in realbot.log()
