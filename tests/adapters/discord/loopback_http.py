"""The HTTP side: every route an image bot uses, with Discord's refusals, and a record of each request."""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import loopback_routes as routes
from aiohttp import BodyPartReader, web
from loopback_faults import (
    Close,
    Error,
    Fault,
    Limited,
    Refusal,
    Reset,
    Stall,
    Status,
    answer,
    cut,
    limited,
    page,
    pause,
)

if TYPE_CHECKING:
    from loopback import Loopback

BASE = "/api/v10"


@dataclass(eq=False)
class Call:
    """A request of the bot, and how it ended."""

    method: str
    path: str  #: without the base
    json: Any = None
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)  #: number of the part -> file name, bytes
    query: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    at: float = field(default_factory=time.monotonic)
    status: int | None = None  #: None while it is under way, 0 when the connection was cut
    fault: Fault | None = None
    served: bool = False  #: Discord did what was asked for

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def told(self) -> Any:
        """The body once more, to be changed."""
        return copy.deepcopy(self.json)


Handler = Callable[["Loopback", Call, re.Match[str]], Awaitable[Any]]
I = r"(\d+)"  # noqa: E741
#: Whether the bot's token is asked for, method, path, what is done.
TABLE: list[tuple[bool, str, str, Handler]] = [
    (True, "GET", "/users/@me", routes.me),
    (True, "GET", "/(?:oauth2/)?applications/@me", routes.application),
    (True, "GET", "/gateway(?:/bot)?", routes.gateway),
    (True, "*", f"/applications/{I}/commands", routes.commands),
    (True, "*", f"/applications/{I}/guilds/{I}/commands", routes.commands),
    (True, "*", f"/applications/{I}/commands/{I}", routes.command),
    (True, "GET", f"/users/{I}", routes.user),
    (True, "POST", "/users/@me/channels", routes.open_dm),
    (True, "GET", f"/guilds/{I}", routes.guild),
    (True, "GET", f"/guilds/{I}/members/{I}", routes.member),
    (True, "GET", f"/channels/{I}", routes.channel),
    (True, "POST", f"/channels/{I}/typing", routes.typing),
    (True, "GET", f"/channels/{I}/messages", routes.messages),
    (True, "POST", f"/channels/{I}/messages", routes.send),
    (True, "*", f"/channels/{I}/messages/{I}", routes.message),
    (True, "POST", f"/channels/{I}(?:/messages/{I})?/threads", routes.thread),
    (False, "POST", f"/interactions/{I}/([^/]+)/callback", routes.callback),
    (False, "POST", f"/webhooks/{I}/([^/]+)", routes.follow_up),
    (False, "*", f"/webhooks/{I}/([^/]+)/messages/(@original|\\d+)", routes.webhook_message),
]
PATTERNS = [(own, method, re.compile(path), handler) for own, method, path, handler in TABLE]


class Buckets:
    """Five requests in five seconds for each channel and method, fifty a second for all together."""

    def __init__(self) -> None:
        self.enforced = False
        self.size, self.seconds = 5, 5.0
        self.everywhere = 50
        self.open: dict[str, tuple[float, int]] = {}
        self.recent: list[float] = []

    def take(self, call: Call) -> tuple[Limited | None, dict[str, str]]:
        """What to say when a limit is reached, and the headers that tell how much is left."""
        if not self.enforced or call.path.startswith(("/interactions/", "/webhooks/")):
            return None, {}
        now = time.monotonic()
        self.recent = [moment for moment in self.recent if now - moment < 1]
        if len(self.recent) >= self.everywhere:
            return Limited(seconds=round(1 - (now - self.recent[0]), 3), scope="global"), {}
        self.recent.append(now)
        found = re.fullmatch(rf"/channels/{I}/messages(?:/{I})?", call.path)
        if not found:
            return None, {}
        kind = f"{call.method}-messages"
        key = f"{kind}:{found[1]}"
        began, used = self.open.get(key, (now, 0))
        if now - began >= self.seconds:
            began, used = now, 0
        left = round(self.seconds - (now - began), 3)
        headers = {
            "X-RateLimit-Limit": str(self.size), "X-RateLimit-Remaining": str(max(self.size - used - 1, 0)),
            "X-RateLimit-Reset": str(time.time() + left), "X-RateLimit-Reset-After": str(left),
            "X-RateLimit-Bucket": kind,
        }  # fmt: skip
        if used >= self.size:
            return Limited(seconds=left), headers
        self.open[key] = (began, used + 1)
        return None, headers


class Rest:
    """Reads a request, lets the faults strike, serves it, writes it down."""

    def __init__(self, home: Loopback) -> None:
        self.home = home
        self.buckets = Buckets()
        self.calls: list[Call] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        call = await self._read(request)
        self.calls.append(call)
        fault = call.fault = self.home.faults.strike(call)
        if isinstance(fault, Stall) and not fault.after:
            await pause(fault)
        elif fault is not None and not fault.after:
            return self._end(call, self._broken(request, fault))
        reply = await self._serve(call)
        if isinstance(fault, Stall):
            await pause(fault)
        elif fault is not None and fault.after:
            return self._end(call, self._broken(request, fault))
        return self._end(call, reply)

    def _end(self, call: Call, reply: web.Response) -> web.Response:
        call.status = 0 if reply.reason == "cut" else reply.status
        if reply.status in (401, 403, 429) and call.status:
            self.home.refused.append(time.monotonic())
        return reply

    @staticmethod
    def _broken(request: web.Request, fault: Fault) -> web.Response:
        match fault:
            case Reset() | Close():
                cut(request, reset=isinstance(fault, Reset))
                return web.Response(status=500, reason="cut")
            case Limited():
                return limited(fault)
            case Error(code=code):
                refusal = Refusal(code)
                return answer(refusal.body, status=refusal.status)
            case Status(status=status):
                return page(status)
        raise AssertionError(fault)

    async def _serve(self, call: Call) -> web.Response:
        home = self.home
        over, headers = self.buckets.take(call)
        if over is not None:
            reply = limited(over)
            reply.headers.update({name: value for name, value in headers.items() if name not in reply.headers})
            return reply
        found = next(
            (
                (own, handler, match)
                for own, method, path, handler in PATTERNS
                if method in ("*", call.method) and (match := path.fullmatch(call.path))
            ),
            None,
        )
        if found is None:
            home.complain(f"{call.name}: there is no such route")
            return answer({"message": "404: Not Found", "code": 0}, status=404)
        own, handler, match = found
        if own and call.token != f"Bot {home.token}":
            return answer({"message": "401: Unauthorized", "code": 0}, status=401)
        try:
            body = await handler(home, call, match)
        except Refusal as refusal:
            if refusal.code in (50035, 50006):
                home.complain(f"{call.name}: {refusal}")
            return answer(refusal.body, status=refusal.status, headers=headers)
        call.served = True
        return answer(body, headers=headers)

    @staticmethod
    async def _read(request: web.Request) -> Call:
        call = Call(request.method, request.path.removeprefix(BASE), query=dict(request.query))
        call.token = request.headers.get("Authorization")
        if request.content_type.startswith("multipart/"):
            async for part in await request.multipart():
                assert isinstance(part, BodyPartReader)
                if part.name == "payload_json":
                    call.json = json.loads(await part.text())
                elif part.name and (number := re.fullmatch(r"files\[(\d+)\]", part.name)):
                    call.files[number[1]] = (part.filename or "", bytes(await part.read()))
        elif request.can_read_body and (text := await request.text()):
            call.json = json.loads(text)
        return call
