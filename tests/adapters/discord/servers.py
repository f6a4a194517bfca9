"""A web server that does what a test says, request by request, and a clock on which waiting takes no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from discord.http import HTTPClient
from moving import Time

from realbot.adapters.discord.wire import Gate, Wire

#: What the server does with a request: an answer, or an exception that breaks the connection.
Deed = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """Plays `script`, one deed a request; when it is over every request is answered with `{}`."""

    url: str = ""
    script: list[Deed] = field(default_factory=list)
    #: Method, path and parts of the form of each request.
    seen: list[tuple[str, str, dict[str, int]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        parts: dict[str, int] = {}
        if request.content_type == "multipart/form-data":
            async for part in await request.multipart():
                parts[part.name] = len(await part.read())
        self.seen.append((request.method, request.path, parts))
        self.headers.append(dict(request.headers))
        if request.path.endswith("/users/@me"):
            return said({"id": "1", "username": "realbot"})
        deed = self.script.pop(0) if self.script else ok
        return await deed(request)

    @property
    def asked(self) -> list[str]:
        return [path for _, path, _ in self.seen if not path.endswith("/users/@me")]


def said(body: Any, code: int = 200, **headers: str) -> web.Response:
    """JSON as Discord sends it; discord.py reads no other content type."""
    return web.Response(
        body=json.dumps(body).encode(), status=code, headers={"Content-Type": "application/json", **headers}
    )


async def ok(_: web.Request) -> web.StreamResponse:
    return said({})


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def halfway(request: web.Request) -> web.StreamResponse:
    """The connection breaks in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"id"')
    assert request.transport is not None
    request.transport.abort()
    return response


async def silence(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


def status(code: int, body: Any = None, **headers: str) -> Deed:
    async def deed(_: web.Request) -> web.StreamResponse:
        return said({} if body is None else body, code, **headers)

    return deed


def limited(seconds: float, *, everywhere: bool = False) -> Deed:
    """429 as Discord says it."""
    return status(429, {"retry_after": seconds, "global": everywhere, "message": ""}, Via="1.1 google")


@asynccontextmanager
async def serving(*script: Deed) -> AsyncIterator[Server]:
    server = Server(script=list(script))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v10"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def wired(server: Server, time: Time) -> AsyncIterator[Wire]:
    """A wire that is logged in at the server."""
    gate = Gate(time.clock(), jitter=lambda: 1.0)
    wire = Wire(HTTPClient(asyncio.get_running_loop()), gate, server.url, None)
    await wire.static_login("a.b.c")
    try:
        yield wire
    finally:
        await wire.close()
