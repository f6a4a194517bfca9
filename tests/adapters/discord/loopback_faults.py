"""What goes wrong on the way to Discord and back, on request: resets, stalls, errors, limits."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

#: JSON error codes that are asked for by number.
ERRORS = {
    10003: (404, "Unknown Channel"),
    10008: (404, "Unknown Message"),
    10015: (404, "Unknown Webhook"),
    10062: (404, "Unknown interaction"),
    30046: (429, "Maximum number of edits to messages older than 1 hour reached. Try again later"),
    40005: (413, "Request entity too large. Try sending something smaller"),
    40060: (400, "Interaction has already been acknowledged."),
    50001: (403, "Missing Access"),
    50006: (400, "Cannot send an empty message"),
    50007: (403, "Cannot send messages to this user"),
    50013: (403, "Missing Permissions"),
    50027: (401, "Invalid Webhook Token"),
    50035: (400, "Invalid Form Body"),
    50083: (400, "Thread is archived"),
}


class Refusal(Exception):
    """An error of Discord's own, by its number."""

    def __init__(self, code: int, detail: str = "", *, status: int | None = None) -> None:
        usual, message = ERRORS.get(code, (400, "Error"))
        super().__init__(f"{code} {message} {detail}".strip())
        self.code, self.status = code, status or usual
        self.body: dict[str, Any] = {"message": message, "code": code}
        if self.status == 429:
            self.body |= {"retry_after": 0.3, "global": False}
        if detail:
            self.body["errors"] = {"_errors": [{"code": "LOOPBACK", "message": detail}]}


@dataclass(frozen=True)
class Fault:
    """`after`: Discord does what it was asked for, and only the answer is lost."""

    after: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Reset(Fault):
    """The connection is reset."""


@dataclass(frozen=True)
class Close(Fault):
    """The server closes the connection without an answer."""


@dataclass(frozen=True)
class Stall(Fault):
    """Nothing happens for `seconds`; then the request is served, or with `after` the answer comes late."""

    seconds: float = 3.0


@dataclass(frozen=True)
class Status(Fault):
    """An HTTP error with a page, as a proxy makes it."""

    status: int = 502


@dataclass(frozen=True)
class Error(Fault):
    """One of Discord's errors, by its number."""

    code: int = 50013


@dataclass(frozen=True)
class Limited(Fault):
    """429. `scope` is "user" (this route), "global", or "cloudflare" (a ban, without the header Via)."""

    seconds: float = 0.5
    scope: str = "user"


@dataclass
class Rule:
    method: str
    path: str
    fault: Fault
    times: int  #: how often it still strikes; -1 for always
    when: Callable[[Any], bool] | None = None
    struck: int = 0

    def fits(self, call: Any) -> bool:
        return (
            self.times != 0
            and self.method in ("*", call.method)
            and fnmatch.fnmatchcase(call.path, self.path)
            and (self.when is None or self.when(call))
        )


@dataclass
class Faults:
    """The rules in force, and one function that may draw a fault for any request."""

    rules: list[Rule] = field(default_factory=list)
    draw: Callable[[Any], Fault | None] | None = None

    def add(
        self, method: str, path: str, fault: Fault, times: int = 1, when: Callable[[Any], bool] | None = None
    ) -> Rule:
        """`path` may hold "*": "/channels/*/messages*". The rule tells how often it struck."""
        rule = Rule(method, path, fault, times, when)
        self.rules.append(rule)
        return rule

    def strike(self, call: Any) -> Fault | None:
        for rule in self.rules:
            if rule.fits(call):
                rule.times -= rule.times > 0
                rule.struck += 1
                return rule.fault
        return self.draw(call) if self.draw is not None else None

    def clear(self) -> None:
        self.rules.clear()
        self.draw = None


def limited(fault: Limited) -> web.Response:
    """A 429 as Discord or, without the header Via, as Cloudflare in front of it says it."""
    wait = str(fault.seconds)
    if fault.scope == "cloudflare":
        page = "<html><title>Access denied | discord.com used Cloudflare to restrict access</title></html>"
        return web.Response(status=429, text=page, content_type="text/html", headers={"Retry-After": wait})
    everywhere = fault.scope == "global"
    headers = {"Retry-After": wait, "Via": "1.1 google", "X-RateLimit-Scope": "global" if everywhere else fault.scope}
    if everywhere:
        headers["X-RateLimit-Global"] = "true"
    body = {"message": "You are being rate limited.", "retry_after": fault.seconds, "global": everywhere}
    return answer(body, status=429, headers=headers)


def page(status: int) -> web.Response:
    text = f"<html><body><h1>{status} upstream error</h1></body></html>"
    return web.Response(status=status, text=text, content_type="text/html")


def answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON with the plain content type that Discord's has."""
    told = {"Via": "1.1 google", **(headers or {})}
    if body is None:
        return web.Response(status=204, headers=told)
    told["Content-Type"] = "application/json"
    return web.Response(status=status, body=json.dumps(body).encode(), headers=told)


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


async def pause(fault: Stall) -> None:
    await asyncio.sleep(fault.seconds)
