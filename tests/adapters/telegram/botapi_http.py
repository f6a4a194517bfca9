"""Requests to the Bot API and downloads: which token, which method, which answer, and what goes wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote

import botapi_editing  # noqa: F401 - registers its methods
from aiohttp import web
from botapi_calls import METHODS, Call, Refusal, decoded, read
from botapi_faults import (
    Close,
    Error,
    Fault,
    Limited,
    Malformed,
    Reset,
    Stall,
    Status,
    Torn,
    answered,
    cut,
    page,
    refused,
    stalled,
    torn,
)
from botapi_limits import Excess

if TYPE_CHECKING:
    from botapi import BotApi


class Rest:
    """The server's side of every request."""

    def __init__(self, home: BotApi) -> None:
        self.home = home
        self.calls: list[Call] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = unquote(request.raw_path.partition("?")[0])
        file = path.startswith("/file/bot")
        token, _, rest = path.removeprefix("/file").removeprefix("/bot").partition("/")
        if not path.startswith(("/bot", "/file/bot")) or not token.partition(":")[0].isdigit():
            return refused(404, "Not Found")
        if token != self.home.token:
            return refused(401, "Unauthorized")
        try:
            raw, files = ({"path": rest}, {}) if file else await read(request)
        except web.HTTPRequestEntityTooLarge:
            return refused(413, "Request Entity Too Large")
        name = "download" if file else METHODS.get(rest.lower(), (rest, None))[0]
        call = Call(name, raw, files, self.home.clock(), request=request)
        self.calls.append(call)
        try:
            call.params = decoded(raw)
        except Refusal as error:
            return self._refused(call, error)
        call.fault = self.home.faults.strike(call)
        if call.fault is None:
            return await self._answer(call)
        return await self._faulty(request, call, call.fault)

    async def _answer(self, call: Call) -> web.Response:
        """Do what is asked for."""
        if call.method == "download":
            return self._download(call)
        found = METHODS.get(call.method.lower())
        try:
            if found is None:
                self.home.complain(f"{call.method} is no method of this double")
                raise Refusal(404, "Not Found: method not found")
            self.home.limits.admit(call)
            result = await found[1](self.home, call)
        except Refusal as error:
            return self._refused(call, error)
        call.status, call.answer = 200, {"ok": True, "result": json.loads(json.dumps(result))}
        self.home.shown.append((call.method, call.answer["result"]))
        return answered(result)

    def _refused(self, call: Call, error: Refusal) -> web.Response:
        call.status, call.answer = error.code, {"ok": False, "description": error.description, **error.parameters}
        return refused(error.code, error.description, error.parameters)

    def _download(self, call: Call) -> web.Response:
        file = self.home.files.by_path.get(call.params["path"])
        if file is None:
            return self._refused(call, Refusal(404, "Not Found"))
        call.status = 200
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _faulty(self, request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
        """What a fault makes of a request."""
        response = await self._answer(call) if fault.after else None
        if isinstance(fault, Stall):
            if await stalled(request, fault.seconds):
                return response or await self._answer(call)
            call.lost = True
            return web.Response()
        call.lost = not isinstance(fault, Error | Limited)
        match fault:
            case Reset() | Close():
                cut(request, reset=isinstance(fault, Reset))
                return web.Response()
            case Torn():
                return await torn(request, response or answered(True))
            case Status(status=status):
                return page(status)
            case Malformed(text=text):
                return web.Response(text=text, content_type="application/json")
            case Error(code=code, description=description, parameters=parameters):
                if fault.after:
                    return refused(code, description, parameters)
                return self._refused(call, Refusal(code, description, **parameters))
            case Limited(seconds=seconds):
                self.home.limits.hold(call.chat if isinstance(call.chat, int) else None, seconds)
                self.home.limits.refused.append(Excess(call, self.home.clock(), seconds, early=False))
                limited = Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
                return self._refused(call, limited)
        raise AssertionError(fault)
