"""python-telegram-bot's client at the configured address, through our limiter; and what its errors mean."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

# Periods as timedelta, which the library asks to opt into; it looks whenever an error carries one.
os.environ["PTB_TIMEDELTA"] = "1"

from telegram import LinkPreviewOptions
from telegram.error import BadRequest, ChatMigrated, TelegramError
from telegram.ext import Defaults, ExtBot
from telegram.request import HTTPXRequest

from realbot.adapters.telegram.limiter import Limiter, Patience

if TYPE_CHECKING:
    from realbot.sections import Telegram

#: Connections at a time, and seconds for each part of a request; uploads have their own.
POOL, CONNECT, READ, UPLOAD = 64, 5.0, 15.0, 60.0

Bot = ExtBot[Patience]


class Request(HTTPXRequest):
    """A pool of connections. What is no answer of Telegram's is an error like any other."""

    def __init__(self, read: float = READ, pool: int = POOL) -> None:
        super().__init__(
            connection_pool_size=pool,
            connect_timeout=CONNECT,
            read_timeout=read,
            write_timeout=READ,
            media_write_timeout=UPLOAD,
            pool_timeout=CONNECT,
        )

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The library's own logs what it cannot read, which may be what people wrote."""
        try:
            told = json.loads(payload.decode(errors="replace"))
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or not ({"result", "description"} & told.keys()):
            raise TelegramError("this is no answer of Telegram's")
        return told


def connected(settings: Telegram, limiter: Limiter) -> Bot:
    """The client for everything but listening. It is not logged in yet."""
    return ExtBot(
        settings.token.get_secret_value(),
        base_url=f"{settings.api_base.rstrip('/')}/bot",
        base_file_url=f"{settings.api_base.rstrip('/')}/file/bot",
        request=Request(),
        defaults=Defaults(link_preview_options=LinkPreviewOptions(is_disabled=True)),
        rate_limiter=limiter,
    )


def unchanged(error: TelegramError) -> bool:
    """Whether a message already is what it should become: an earlier try arrived."""
    return isinstance(error, BadRequest) and "not modified" in error.message.casefold()


def vanished(error: TelegramError) -> bool:
    """Whether a message cannot be changed any more: deleted, too old, or made into something else."""
    told = error.message.casefold()
    signs = ("message to edit not found", "message can't be edited", "message_id_invalid", "no text in the message",
             "no media in the message", "message to delete not found")  # fmt: skip
    return isinstance(error, BadRequest) and any(sign in told for sign in signs)


def moved(error: TelegramError) -> str:
    """The id of the supergroup that a group has become, empty when it has not."""
    return str(error.new_chat_id) if isinstance(error, ChatMigrated) else ""
