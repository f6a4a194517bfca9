"""The Telegram of these tests, held against the library: a bare bot must find everything it finds in the real one."""

from __future__ import annotations

import contextlib
import io
import random

import pytest
import telegram
from botapi_people import Unable, until
from PIL import Image
from telegram import InlineKeyboardButton as Button
from telegram import InlineKeyboardMarkup as Keyboard
from telegram.ext import Application, CallbackQueryHandler, CommandHandler
from telegram.request import HTTPXRequest


def picture(width=64, height=48, kind="PNG", seed=1):
    """A noisy picture, which does not get small."""
    noise = random.Random(seed).randbytes(width * height * 3)
    written = io.BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(written, kind)
    return written.getvalue()


@contextlib.asynccontextmanager
async def client(api, **times):
    """The library's client."""
    bot = telegram.Bot(
        api.token,
        base_url=f"{api.base}/bot",
        base_file_url=f"{api.base}/file/bot",
        request=HTTPXRequest(connection_pool_size=16, **times),
    )
    async with bot:
        yield bot


@pytest.fixture
async def bot(api):
    async with client(api) as bot:
        yield bot


@contextlib.asynccontextmanager
async def polling(api, *handlers):
    """A bot of the library that listens by polls."""
    app = (
        Application.builder().token(api.token).base_url(f"{api.base}/bot").base_file_url(f"{api.base}/file/bot").build()
    )
    for handler in handlers:
        app.add_handler(handler)
    async with app:
        await app.updater.start_polling(allowed_updates=telegram.Update.ALL_TYPES)
        await app.start()
        try:
            yield app
        finally:
            await app.updater.stop()
            await app.stop()


async def imagine(update, context):
    rows = Keyboard([[Button("Again", callback_data="again"), Button("Site", url="https://example.org")]])
    card = await update.effective_message.reply_photo(picture(), caption="painted", reply_markup=rows)
    assert card.photo[-1].width == 64


async def pressed(update, context):
    await update.callback_query.answer("As you wish", show_alert=True)
    await update.callback_query.edit_message_caption("again")


async def test_a_conversation(api, anna):
    handlers = [CommandHandler("imagine", imagine), CallbackQueryHandler(pressed)]
    async with polling(api, *handlers):
        card = await anna.ask(anna.chat, "/imagine a red apple")
        assert card.words == "painted"
        assert card.labels == ["Again", "Site"]
        press = await anna.press(card, "Again")
        assert (press.text, press.alert, press.answered) == ("As you wish", True, True)
        await until(lambda: card.edits == 1)
        assert [version.caption for version in card.past] == ["painted", "again"]
        assert card.labels == []
        assert len(anna.chat.pictures) == 1
        with pytest.raises(Unable):
            await anna.press(card, "Again")
