"""Who is visiting the page: a long random id in a cookie, and a password where one is set.

The database holds only the hash of the id, so reading it lets nobody in as someone else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from realbot.adapters import cards, retouch, words
from realbot.adapters.password import Password
from realbot.errors import NotYours
from realbot.jobs import User

VISITOR, PASS = "realbot_visitor", "realbot_pass"
YEAR, MONTH = 31_536_000, 2_592_000
#: Bytes of a posted login form at most, and of everything else that is no picture.
FORM_LIMIT, BODY_LIMIT = 4096, 2**20
#: Bytes of a MB.
MB = 2**20
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'",
}


def visitor(cookies: Mapping[str, str]) -> User | None:
    """The person behind a request's cookies, None for a browser that holds none yet."""
    token = cookies.get(VISITOR, "")
    if not re.fullmatch(r"[\w-]{43}", token, re.ASCII):
        return None
    return User("web", hashlib.sha256(token.encode()).hexdigest()[:32], "visitor")


def person(cookies: Mapping[str, str]) -> User:
    """As `visitor`. Raises NotYours for a browser that holds no cookies."""
    user = visitor(cookies)
    if user is None:
        raise NotYours(words.NEEDS_COOKIES)
    return user


class Door:
    """ASGI middleware that hands out the visitor's cookie and, with a password, lets in only who knows it.

    A body that is too large is refused before it is read: at the addresses `roomy` above as many MB as `most` tells.
    """

    def __init__(
        self,
        app: Any,
        password: str | None = None,
        *,
        roomy: tuple[str, ...] = (),
        most: Callable[[], int] = lambda: 1,
        guarded: str = "/admin",
    ) -> None:
        """What lies at and below `guarded` asks for a password of its own."""
        self._app, self._roomy, self._most, self._guarded = app, roomy, most, guarded
        self._password = Password(password) if password else None

    @property
    def _pass(self) -> str:
        key = self._password.key if self._password else b""
        digest = hmac.new(key, b"realbot page", hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        cookies, extra = _cookies(scope), dict(HEADERS)
        below = scope["path"] == self._guarded or scope["path"].startswith(f"{self._guarded}/")
        if self._password is not None and not below:
            if scope["path"] == "/login" and scope["method"] == "POST":
                await self._login(scope, receive, send)
                return
            if not hmac.compare_digest(cookies.get(PASS, "").encode(), self._pass.encode()):
                await _answer(send, 401, cards.login(), extra)
                return
        if scope["path"] == "/" and visitor(cookies) is None:
            extra["set-cookie"] = _cookie(scope, VISITOR, secrets.token_urlsafe(32), YEAR)

        body = Body(receive, self._most() * MB if scope["path"] in self._roomy else BODY_LIMIT)
        if body.announced(scope):
            await _refuse(send, self._most(), extra)
            return

        async def marked(message: Any) -> None:
            if body.over:
                return
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message.get("headers", ())}
                more = [
                    (k.encode(), v.encode()) for k, v in extra.items() if k.encode() not in known or k == "set-cookie"
                ]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        try:
            await self._app(scope, body, marked)
        except Exception:
            # It was told that the browser had gone.
            if not body.over:
                raise
        if body.over:
            await _refuse(send, self._most(), extra)

    async def _login(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more and len(body) <= FORM_LIMIT:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        given = parse_qs(body[:FORM_LIMIT].decode("utf-8", "replace")).get("password", [""])[0]
        if self._password is not None and await self._password.opens(given):
            cookie = _cookie(scope, PASS, self._pass, MONTH)
            await _answer(send, 303, "", {**HEADERS, "location": "./", "set-cookie": cookie})
            return
        await _answer(send, 401, cards.login(wrong=True), HEADERS)


class Body:
    """The body of a request up to a limit in bytes; where it goes on, it ends as if the browser had gone."""

    def __init__(self, receive: Any, limit: int) -> None:
        self._receive, self._limit, self._taken = receive, limit, 0
        self.over = False

    def announced(self, scope: Any) -> bool:
        """Whether its own header says that it is too large."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        return int(length) > self._limit if length.isdigit() and len(length) < 20 else True

    async def __call__(self) -> Any:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        self.over = self.over or self._taken > self._limit
        return {"type": "http.disconnect"} if self.over else message


def _cookies(scope: Any) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                jar.load(value.decode("latin-1"))
            except CookieError:
                continue
    return {name: morsel.value for name, morsel in jar.items()}


def _cookie(scope: Any, name: str, value: str, age: int) -> str:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"


async def _refuse(send: Any, most: int, headers: Mapping[str, str]) -> None:
    await _answer(send, 413, retouch.too_large(most), {**headers, "content-type": "text/plain; charset=utf-8"})


async def _answer(send: Any, status: int, page: str, headers: Mapping[str, str]) -> None:
    body = page.encode()
    fields = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", **headers}
    fields["content-length"] = str(len(body))
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
