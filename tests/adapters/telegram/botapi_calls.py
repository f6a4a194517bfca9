"""Requests to the Bot API: how they are read, how they are refused, and which function answers which."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from botapi import BotApi

INTEGERS = {
    "chat_id", "message_id", "message_thread_id", "user_id", "offset", "limit", "timeout", "max_connections",
    "cache_time", "reply_to_message_id", "from_chat_id", "until_date",
}  # fmt: skip
BOOLEANS = {
    "disable_notification", "protect_content", "allow_sending_without_reply", "show_alert", "is_personal",
    "drop_pending_updates", "has_spoiler", "show_caption_above_media", "disable_content_type_detection",
    "disable_web_page_preview", "allow_paid_broadcast", "is_big", "revoke_messages", "only_if_banned",
}  # fmt: skip
#: What is written as JSON, and what Telegram calls it when it cannot be read.
OBJECTS = {
    "reply_markup": "reply keyboard markup JSON object", "entities": "entities JSON object",
    "caption_entities": "entities JSON object", "reply_parameters": "reply parameters JSON object", "media": "media",
    "link_preview_options": "link preview options JSON object", "commands": "commands JSON object",
    "scope": "BotCommandScope JSON object", "allowed_updates": "allowed updates JSON object",
    "results": "inline query results JSON object", "message_ids": "message identifiers JSON object",
    "button": "button JSON object", "reaction": "reaction JSON object",
}  # fmt: skip


class Refusal(Exception):
    """An error in Telegram's own words."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(f"{code} {description}")
        self.code, self.description, self.parameters = code, description, parameters


@dataclass(frozen=True)
class Upload:
    """A file that came with a request."""

    name: str
    data: bytes = field(repr=False)
    mime: str = "application/octet-stream"


@dataclass(eq=False)
class Call:
    """A request with what it asked for and how it was answered."""

    method: str
    params: dict[str, Any]
    files: dict[str, Upload]
    at: float
    status: int = 0  #: 0 while there is no answer
    answer: Any = None  #: the JSON that was meant to arrive
    fault: Any = None  #: what went wrong with it on request
    lost: bool = False  #: the answer never left
    request: web.Request | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"<{self.method} {self.params} {sorted(self.files)} -> {self.status}>"

    @property
    def chat(self) -> int | str | None:
        return self.params.get("chat_id")

    @property
    def gone(self) -> bool:
        """The client does not wait for the answer any more."""
        transport = None if self.request is None else self.request.transport
        return transport is None or transport.is_closing()

    @property
    def ok(self) -> bool:
        """Telegram did what it was asked for, whether or not the answer arrived."""
        return self.status == 200

    def get(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)

    def file(self, given: Any, kind: str) -> str | Upload:
        """What a field or an item names: an upload (attach://part, or the field itself), or a file_id."""
        if not isinstance(given, str) or not given:
            raise Refusal(400, f"Bad Request: there is no {kind} in the request")
        if not given.startswith("attach://"):
            return given
        part = given.removeprefix("attach://")
        if part not in self.files:
            raise Refusal(400, "Bad Request: can't parse InputMedia: media not found")
        return self.files[part]


Answering = Callable[["BotApi", Call], Awaitable[Any]]
#: The function for each method, by its name in lowercase: Telegram does not mind the case.
METHODS: dict[str, tuple[str, Answering]] = {}


def method(answering: Answering) -> Answering:
    """Register a function that has the name of a method of the Bot API."""
    name = answering.__name__  # type: ignore[attr-defined]
    METHODS[name.lower()] = (name, answering)
    return answering


async def read(request: web.Request) -> tuple[dict[str, Any], dict[str, Upload]]:
    """The fields and files of a request, whichever way they were sent."""
    params: dict[str, Any] = dict(request.query)
    files: dict[str, Upload] = {}
    if request.content_type == "application/json":
        with contextlib.suppress(ValueError):
            params |= json.loads(await request.text() or "{}")
        return params, files
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = Upload(value.filename, value.file.read(), value.content_type)
        else:
            params[name] = value if isinstance(value, str) else bytes(value).decode()
    return params, files


def decoded(params: dict[str, Any]) -> dict[str, Any]:
    """The fields as what they mean. Raises Refusal for JSON that is none."""
    told: dict[str, Any] = {}
    for name, value in params.items():
        told[name] = value
        if not isinstance(value, str):
            continue
        if name in INTEGERS:
            with contextlib.suppress(ValueError):
                told[name] = int(value)
        elif name in BOOLEANS:
            told[name] = value.lower() in ("true", "1", "yes")
        elif name in OBJECTS and value:
            try:
                told[name] = json.loads(value)
            except ValueError:
                raise Refusal(400, f"Bad Request: can't parse {OBJECTS[name]}") from None
    return told
