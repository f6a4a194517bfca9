"""The page of whoever runs this bot, at /admin behind a password of its own: how it goes, and what can be done.

Nobody's prompt, picture or name is on it. What it does is noted in the audit log.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.responses import StreamingResponse as Stream
from starlette.routing import BaseRoute, Route

from realbot.adapters import adminview, cards, words
from realbot.adapters import adminwords as said
from realbot.adapters.door import FORM_LIMIT
from realbot.adapters.languages import languages
from realbot.adapters.password import Password
from realbot.errors import RealbotError, Refused
from realbot.jobs import User

if TYPE_CHECKING:
    from realbot.health import Part
    from realbot.studio import Studio

log = logging.getLogger(__name__)

HOME = "/admin"
COOKIE = "realbot_admin"
#: Who the audit log says it was.
ADMIN = User("web", "admin", "admin")
#: Seconds for which somebody stays logged in, and how many may be at a time.
STAY, MOST = 12 * 3600.0, 50
#: Seconds between two looks at the line and the engines, at the parts, and at what has to be counted.
LOOK, PARTS, COUNTED = 1.0, 5.0, 30.0
#: Seconds after which a silent stream sends a comment.
BEAT = 15.0
#: The page needs nothing but its own style and script.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {"content-security-policy": POLICY, "cache-control": "no-store", "x-frame-options": "DENY"}


class Sessions:
    """Who is logged in: the hashes of random ids, each with the word that its posts must bring along."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def begin(self) -> str:
        """A new id for a cookie."""
        token = secrets.token_urlsafe(32)
        self._known[_hash(token)] = secrets.token_urlsafe(24), time.monotonic() + STAY
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return token

    def word(self, token: str) -> str | None:
        """What posts of this session bring along; None for one that there is not, or not any more."""
        word, until = self._known.get(_hash(token), ("", 0.0))
        return word if time.monotonic() < until else None

    def end(self, token: str) -> None:
        self._known.pop(_hash(token), None)


class AdminPage:
    """Its routes. `stopping` ends the live streams."""

    def __init__(self, studio: Studio, password: str, stopping: asyncio.Event) -> None:
        self._studio, self._stopping = studio, stopping
        self._password, self._sessions = Password(password), Sessions()
        self.overview = studio.overview

    def table(self) -> list[BaseRoute]:
        return [
            Route(HOME, self.page),
            Route(f"{HOME}/login", self.login, methods=["POST"]),
            Route(f"{HOME}/logout", self.logout, methods=["POST"]),
            Route(f"{HOME}/live", self.live),
            Route(f"{HOME}/do/{{action}}", self.act, methods=["POST"]),
            Route(f"{HOME}/admin.css", _style),
            Route(f"{HOME}/admin.js", _script),
            Route(f"{HOME}/{{rest:path}}", _nothing),
        ]

    def knows(self, asked: Request) -> bool:
        """Whether this browser is logged in."""
        return self._word(asked) is not None

    async def page(self, asked: Request) -> Response:
        with words.language(spoken(asked)) as code:
            word = self._word(asked)
            if word is None:
                return HTMLResponse(login(code, wrong="wrong" in asked.query_params), 401, HEADERS)
            texts = {name: escape(text) for name, text in said.texts().items()}
            data = json.dumps({"word": word, "language": code, "texts": said.texts()}).replace("<", "\\u003c")
            page = cards.file("admin.html").replace("{{language}}", code).replace("{{data}}", data)
            for name, text in texts.items():
                page = page.replace(f"{{{{{name}}}}}", text)
            return HTMLResponse(page, headers=HEADERS)

    async def login(self, asked: Request) -> Response:
        with words.language(spoken(asked)):
            form = parse_qs((await asked.body())[:FORM_LIMIT].decode("utf-8", "replace")) if _ours(asked) else {}
            if not await self._password.opens(form.get("password", [""])[0]):
                log.warning("somebody gave a wrong password for the page of whoever runs this bot")
                return RedirectResponse("../admin?wrong", 303, HEADERS)
            answer = RedirectResponse("../admin", 303, HEADERS)
            answer.set_cookie(
                COOKIE,
                self._sessions.begin(),
                max_age=int(STAY),
                httponly=True,
                samesite="strict",
                secure=asked.url.scheme == "https",
            )
            return answer

    async def logout(self, asked: Request) -> Response:
        if self._refused(asked):
            return Response(status_code=403)
        self._sessions.end(asked.cookies.get(COOKIE, ""))
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE)
        return answer

    async def live(self, asked: Request) -> Response:
        """Server-sent events, each a JSON object of the parts of the page that changed."""
        if not self.knows(asked):
            return PlainTextResponse("", 403)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return Stream(self._stream(asked), media_type="text/event-stream", headers=headers)

    async def act(self, asked: Request) -> Response:
        """A button was pressed; a sentence on what came of it."""
        with words.language(spoken(asked)):
            if self._refused(asked):
                return PlainTextResponse(said.TEXTS["lapsed"], 403)
            try:
                told = await self._done(asked.path_params["action"], asked.query_params.get("engine", ""))
            except Refused as error:
                return PlainTextResponse(words.refusal(error), 409)
            except RealbotError as error:
                return PlainTextResponse(str(error), 409)
            return PlainTextResponse(told) if told else PlainTextResponse("", 404)

    async def _done(self, action: str, engine: str) -> str:
        match action:
            case "pause":
                await self._studio.pause(None, ADMIN)
            case "resume":
                await self._studio.resume(None, ADMIN)
            case "clear":
                return said.cleared(await self._studio.clear(None, ADMIN))
            case "reload":
                return adminview.reread(await self._studio.reread(ADMIN))
            case "restart":
                await self.overview.restart(engine, ADMIN)
            case _:
                return ""
        return said.done(action)

    def _word(self, asked: Request) -> str | None:
        return self._sessions.word(asked.cookies.get(COOKIE, ""))

    def _refused(self, asked: Request) -> bool:
        """Whether a post comes from elsewhere than the page itself."""
        word = self._word(asked)
        brought = asked.headers.get("x-realbot", "")
        return word is None or not hmac.compare_digest(brought.encode(), word.encode()) or not _ours(asked)

    async def _stream(self, asked: Request) -> AsyncIterator[str]:
        shown: dict[str, str] = {}
        drawn = -1.0
        stats, counted = await self._studio.stats(), time.monotonic()
        parts: list[Part] = []
        looked = -float("inf")
        silent = 0.0
        stop = asyncio.create_task(self._stopping.wait())
        try:
            while not stop.done() and self.knows(asked):
                if time.monotonic() - counted > COUNTED:
                    stats, counted = await self._studio.stats(), time.monotonic()
                with words.language(spoken(asked)):
                    if time.monotonic() - looked > PARTS:
                        # What platforms say of themselves is in the language that is spoken.
                        parts, looked = await self._studio.health.parts(), time.monotonic()
                    view = adminview.view(self._studio, parts, stats)
                    newest = self.overview.samples[-1].at if self.overview.samples else 0.0
                    if newest != drawn:
                        drawn, view["charts"] = newest, adminview.charts(self.overview.samples)
                now = {name: json.dumps(value) for name, value in view.items()}
                news = {name: view[name] for name, text in now.items() if shown.get(name) != text}
                shown, silent = shown | now, 0.0 if news else silent + LOOK
                if news or silent >= BEAT:
                    yield f"data: {json.dumps(news)}\n\n" if news else ": still here\n\n"
                    silent = 0.0
                await asyncio.wait([stop], timeout=LOOK)
            if not stop.done():
                yield "event: lapsed\ndata: {}\n\n"
        finally:
            stop.cancel()


def login(code: str, *, wrong: bool = False) -> str:
    """The page that asks for the password, in the language of this code."""
    page = cards.file("admin-login.html").replace("{{language}}", escape(code))
    trouble = f'<p role="alert">{escape(words.WRONG_PASSWORD)}</p>' if wrong else ""
    texts = {"question": said.TEXTS["login"], "label": words.LABELS["password"], "enter": words.LABELS["enter"]}
    for name, value in texts.items():
        page = page.replace(f"{{{{{name}}}}}", escape(value))
    return page.replace("{{trouble}}", trouble)


def spoken(asked: Request) -> str:
    """The first language of the browser that realbot speaks."""
    weighed: list[tuple[float, str]] = []
    for part in asked.headers.get("accept-language", "")[:400].split(","):
        code, _, rest = part.strip().partition(";")
        weight = 1.0
        with contextlib.suppress(ValueError):
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        weighed.append((-weight, code.replace("-", "_")))
    known = {name.casefold() for name in languages()}
    for _, code in sorted(weighed, key=lambda one: one[0]):
        if {code.casefold(), code.partition("_")[0].casefold()} & known:
            return code
    return ""


def _ours(asked: Request) -> bool:
    """Whether a post was made by a page of this address, as far as the browser tells.

    Browsers tell it outright where the way is encrypted; a proxy there may hide which host was asked.
    """
    site = asked.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = asked.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == asked.headers.get("host", "")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


async def _style(_: Request) -> Response:
    return Response(cards.file("admin.css"), media_type="text/css", headers={"cache-control": "no-cache"})


async def _script(_: Request) -> Response:
    return Response(cards.file("admin.js"), media_type="text/javascript", headers={"cache-control": "no-cache"})


async def _nothing(_: Request) -> Response:
    return JSONResponse({}, 404)


def absent() -> list[BaseRoute]:
    """What is there without a password: nothing."""
    return [Route(HOME, _nothing), Route(f"{HOME}/{{rest:path}}", _nothing, methods=["GET", "POST"])]
