"""Bare clients of the library that talk to the Telegram of these tests, and pictures for them."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

# Periods as timedelta, which the library asks to opt into; it looks whenever an error carries one.
os.environ["PTB_TIMEDELTA"] = "1"

import pytest
import telegram
from botapi import BotApi
from PIL import Image
from telegram.error import BadRequest
from telegram.ext import Application
from telegram.request import HTTPXRequest


@functools.cache
def picture(width: int = 64, height: int = 48, kind: str = "PNG", seed: int = 1) -> bytes:
    """A picture of noise, which does not get small."""
    noise = random.Random(seed).randbytes(width * height * 3)
    written = io.BytesIO()
    Image.frombytes("RGB", (width, height), noise).save(written, kind)
    return written.getvalue()


@contextlib.asynccontextmanager
async def client(api: BotApi, **times: float) -> AsyncIterator[telegram.Bot]:
    """The library's client."""
    bot = telegram.Bot(
        api.token,
        base_url=f"{api.base}/bot",
        base_file_url=f"{api.base}/file/bot",
        request=HTTPXRequest(connection_pool_size=64, **times),
    )
    async with bot:
        yield bot


@contextlib.asynccontextmanager
async def polling(api: BotApi, *handlers: Any) -> AsyncIterator[Application]:
    """A bot of the library that listens by polls."""
    built = Application.builder().token(api.token).base_url(f"{api.base}/bot").base_file_url(f"{api.base}/file/bot")
    app = built.build()
    app.add_handlers(handlers)
    async with app:
        await app.updater.start_polling(allowed_updates=telegram.Update.ALL_TYPES)
        await app.start()
        try:
            yield app
        finally:
            await app.updater.stop()
            await app.stop()


@contextlib.contextmanager
def refused(words: str, kind: type[Exception] = BadRequest) -> Iterator[Any]:
    """Telegram says no, in these words."""
    with pytest.raises(kind) as caught:
        yield caught
    assert words.lower() in str(caught.value).lower()
