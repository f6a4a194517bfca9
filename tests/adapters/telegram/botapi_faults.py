"""What goes wrong on the way to Telegram and back, on request: resets, stalls, errors, flood control."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import random
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from botapi_calls import Call


@dataclass(frozen=True)
class Fault:
    """`after`: Telegram does what it was asked for, and only the answer is lost."""

    after: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Reset(Fault):
    """The connection is reset."""


@dataclass(frozen=True)
class Close(Fault):
    """The server closes the connection without an answer."""


@dataclass(frozen=True)
class Torn(Fault):
    """The connection breaks in the middle of the answer."""


@dataclass(frozen=True)
class Stall(Fault):
    """Nothing happens for `seconds`, or until the client gives up and then never; afterwards the request is served."""

    seconds: float = float("inf")


@dataclass(frozen=True)
class Status(Fault):
    """An HTTP error with a page, as a proxy makes it."""

    status: int = 502


@dataclass(frozen=True)
class Malformed(Fault):
    """An answer that is no JSON."""

    text: str = '{"ok": true, "resu'


@dataclass(frozen=True)
class Error(Fault):
    """An error of the Bot API, such as Error(500, "Internal Server Error")."""

    code: int = 400
    description: str = "Bad Request"
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limited(Fault):
    """429, and the chat takes nothing until `seconds` are over; without a chat, the bot may do nothing."""

    seconds: int = 1


@dataclass
class Rule:
    method: str
    fault: Fault
    times: int  #: how often it still strikes; -1 for always
    chat: int | None = None
    chance: float = 1.0
    when: Callable[[Call], bool] | None = None
    struck: int = 0

    def fits(self, call: Call) -> bool:
        return (
            self.times != 0
            and fnmatch.fnmatchcase(call.method.lower(), self.method.lower())
            and (self.chat is None or call.chat == self.chat)
            and (self.when is None or self.when(call))
        )


@dataclass
class Faults:
    """The rules in force, and one function that may draw a fault for any request."""

    rules: list[Rule] = field(default_factory=list)
    draw: Callable[[Call], Fault | None] | None = None
    random: random.Random = field(default_factory=lambda: random.Random(1))  #: decides what has a chance

    def add(
        self,
        method: str,
        fault: Fault,
        times: int = 1,
        *,
        chat: int | None = None,
        chance: float = 1.0,
        when: Callable[[Call], bool] | None = None,
    ) -> Rule:
        rule = Rule(method, fault, times, chat, chance, when)
        self.rules.append(rule)
        return rule

    def strike(self, call: Call) -> Fault | None:
        for rule in self.rules:
            if rule.fits(call) and self.random.random() < rule.chance:
                rule.times -= rule.times > 0
                rule.struck += 1
                return rule.fault
        return self.draw(call) if self.draw is not None else None

    def clear(self) -> None:
        self.rules.clear()
        self.draw = None


def page(status: int) -> web.Response:
    text = f"<html>\r\n<head><title>{status} Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>"
    return web.Response(status=status, text=text, content_type="text/html")


def answered(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def refused(code: int, description: str, parameters: dict[str, Any] | None = None) -> web.Response:
    """An error as the Bot API says it."""
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    headers = {}
    if parameters:
        body["parameters"] = parameters
        if "retry_after" in parameters:
            headers["Retry-After"] = str(parameters["retry_after"])
    return web.json_response(body, status=code, headers=headers)


def cut(request: web.Request, *, reset: bool) -> None:
    """End the connection without an answer; with `reset` the other side gets ECONNRESET."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        handle: socket.socket = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


async def torn(request: web.Request, response: web.Response) -> web.StreamResponse:
    """The first half of an answer, and then nothing."""
    body = response.body if isinstance(response.body, bytes) else json.dumps({"ok": True}).encode()
    half = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    cut(request, reset=True)
    return half


async def stalled(request: web.Request, seconds: float) -> bool:
    """Wait; whether the client is still there."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        if request.transport is None or request.transport.is_closing():
            return False
        await asyncio.sleep(min(0.02, max(0.0, end - loop.time())))
    return request.transport is not None
