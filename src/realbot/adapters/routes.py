"""The page's own routes: the live stream of a visitor's cards, their pictures, and what the cards' buttons do.

Each asks the studio whose the job or the picture is, so no path and no id of another person leads anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.requests import Request as Asked
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from realbot.adapters import cards, retouch, words
from realbot.adapters.asks import DEAR, Asks
from realbot.adapters.buttons import AROUND, FACTORS, sequel
from realbot.adapters.door import person, visitor
from realbot.adapters.sources import HERE
from realbot.adapters.visitors import Visitor, Visitors
from realbot.errors import NotYours, Refused
from realbot.jobs import SEEDS, Done, Request, Running, User, seeded
from realbot.veil import Veil

if TYPE_CHECKING:
    from realbot.entries import Entry
    from realbot.studio import Studio

#: Side of a gallery thumbnail in pixels, and how many are kept in memory.
THUMB, THUMBS = 320, 256
#: Gallery entries that are shown at first, and at most.
SHOWN, MOST = 24, 480
#: Seconds between two looks at the engine and the line while nothing else happens, and between two updates.
LOOK, GAP = 2.0, 0.12
#: What a finished picture can be made into.
VERBS = ("subtle", "strong", *FACTORS, *AROUND)
#: Seconds after which a silent stream sends a comment, so that a dead connection is noticed.
BEAT = 15.0


class Routes:
    """What the page asks for besides Gradio's own addresses; `stopping` ends the live streams."""

    def __init__(
        self,
        studio: Studio,
        visitors: Visitors,
        stopping: asyncio.Event,
        administers: Callable[[Asked], bool] = lambda _: False,
    ) -> None:
        """`administers` tells whether a browser is logged in where the bot is administered."""
        self._studio, self._visitors, self._stopping, self._administers = studio, visitors, stopping, administers
        self._asks = Asks(studio, visitors)
        self._thumbs: OrderedDict[str, bytes] = OrderedDict()

    def table(self) -> list[BaseRoute]:
        return [
            Route("/live", self.live),
            Route("/picture/{image}", self.picture),
            Route("/thumb/{image}", self.thumb),
            Route("/preview/{job}", self.preview),
            Route("/card/{job}", self.card),
            Route("/jobs/{job}/{action}", self.act, methods=["POST"]),
            Route("/favicon.ico", favicon),
            *self._asks.table(),
        ]

    async def ask(self, request: Request, asked: Any) -> str:
        """Submit for the visitor behind a request of Gradio's, or give what to ask first, as HTML. Raises Refused."""
        user = person(asked.cookies)
        try:
            return await self._asks.take(user, request)
        except NotYours:
            raise NotYours(retouch.lapsed()) from None

    async def recall(self, job_id: str, asked: Any) -> Request:
        """What the visitor asked for in an earlier job. Raises NotYours."""
        return (await self._studio.entry(person(asked.cookies), job_id)).request

    async def shaped(self, image: str, asked: Any) -> tuple[int, int]:
        """The width and height that are painted from a picture of the visitor. Raises Refused."""
        return await self._studio.shape(person(asked.cookies), image)

    async def live(self, asked: Asked) -> Response:
        """Server-sent events, each a JSON object of the parts of the page that changed."""
        user = visitor(asked.cookies)
        if user is None:
            return PlainTextResponse(words.NEEDS_COOKIES, 403)
        limit = min(max(_number(asked.query_params.get("show"), SHOWN), 1), MOST)
        search = asked.query_params.get("search", "")[:200]
        stream = self._stream(user, limit, search, administers=self._administers(asked))
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)

    async def picture(self, asked: Asked) -> Response:
        """The original file, byte for byte."""
        path = await self._path(asked)
        if path is None:
            return PlainTextResponse(words.GONE, 404)
        kind = "attachment" if "download" in asked.query_params else "inline"
        headers = {"cache-control": "private, max-age=31536000, immutable", "content-disposition": kind}
        return FileResponse(path, media_type="image/png", headers=headers)

    async def thumb(self, asked: Asked) -> Response:
        """A small WebP for the gallery."""
        path, image = await self._path(asked), asked.path_params["image"]
        if path is None:
            return PlainTextResponse(words.GONE, 404)
        data = self._thumbs.get(image)
        if data is None:
            data = self._thumbs[image] = await asyncio.to_thread(thumbnail, path)
            if len(self._thumbs) > THUMBS:
                self._thumbs.popitem(last=False)
        return Response(data, media_type="image/webp", headers={"cache-control": "private, max-age=86400"})

    async def preview(self, asked: Asked) -> Response:
        """The rough picture of a job that is being painted."""
        user = visitor(asked.cookies)
        with contextlib.suppress(Refused, OSError):
            if user is not None:
                status = self._studio.job(user, asked.path_params["job"]).status
                if isinstance(status, Running) and status.preview:
                    data = await asyncio.to_thread(Path(status.preview).read_bytes)
                    return Response(data, media_type="image/jpeg", headers={"cache-control": "no-store"})
        return PlainTextResponse(words.GONE, 404)

    async def card(self, asked: Asked) -> Response:
        """The card of a picture in the gallery."""
        try:
            entry = await self._studio.entry(person(asked.cookies), asked.path_params["job"])
        except Refused as error:
            return PlainTextResponse(words.refusal(error), 404)
        if not entry.images:
            return PlainTextResponse(words.GONE, 404)
        return HTMLResponse(cards.remembered(entry, await self._look(entry.id, entry.images)))

    async def act(self, asked: Asked) -> Response:
        """A button of a card was pressed."""
        job_id, question = asked.path_params["job"], ""
        form = parse_qs((await asked.body())[:4096].decode("utf-8", "replace"))
        try:
            user = person(asked.cookies)
            request = (await self._studio.entry(user, job_id)).request
            match asked.path_params["action"]:
                case "cancel":
                    await self._studio.cancel(user, job_id)
                case "retry":
                    question = await self._asks.take(user, request)
                case "fresh":
                    question = await self._asks.take(user, seeded(request, secrets.randbelow(SEEDS)))
                case verb if verb in VERBS:
                    index = _number(form.get("index", ["0"])[0], 0)
                    wish = await sequel(self._studio, user, verb, job_id, index=index, origin=HERE)
                    question = await self._asks.take(user, wish)
                case "favourite":
                    await self._studio.favourite(user, job_id, "on" in form)
                    self._visitors.of(user).touch(pictures=True)
                case "appeal":
                    await self._studio.safety.appeal(user, job_id)
                    self._visitors.of(user).touch(pictures=True)
                case "forget":
                    await self._studio.forget(user, job_id)
                    self._visitors.of(user).drop(job_id)
                case _:
                    return PlainTextResponse(words.GONE, 404)
        except NotYours as error:
            return PlainTextResponse(words.refusal(error), 403)
        except Refused as error:
            return PlainTextResponse(words.refusal(error), 409)
        return HTMLResponse(question, DEAR) if question else Response(status_code=204)

    async def _look(self, job_id: str, images: Sequence[str]) -> cards.Look:
        """How the pictures of a job may be seen by their owner."""
        safety = self._studio.safety
        veil = await safety.veil(job_id, images, HERE)
        if veil != "withhold":
            return cards.Look(veil)
        return cards.Look(veil, await safety.case(job_id), await safety.reached(job_id))

    async def _path(self, asked: Asked) -> Path | None:
        try:
            path = await self._studio.source(person(asked.cookies), asked.path_params["image"])
        except Refused:
            return None
        return path if path.is_file() else None

    async def _stream(self, user: User, limit: int, search: str, *, administers: bool) -> AsyncIterator[str]:
        person = self._visitors.of(user)
        shown: dict[str, str] = {}
        veils: dict[str, Veil] = {}
        entries: list[Entry] = []
        newest: list[Entry] = []
        seen, silent = -1, 0.0
        stop = asyncio.create_task(self._stopping.wait())
        person.tabs += 1
        try:
            while not stop.done():
                version = person.version
                if seen != person.pictures:
                    seen = person.pictures
                    newest = await self._studio.history(user, 1)
                    entries = await self._studio.history(user, limit + 1, search=search)
                    veil = self._studio.safety.veil
                    veils = {entry.id: await veil(entry.id, entry.images, HERE) for entry in entries[:limit]}
                parts = await self._parts(user, person, newest[0] if newest else None)
                if administers:
                    parts["foot"] += cards.administration()
                more = limit < len(entries)
                parts["gallery"] = cards.gallery(entries[:limit], more=more, searching=bool(search), veils=veils)
                news = {name: text for name, text in parts.items() if shown.get(name) != text}
                shown |= news
                silent = 0.0 if news else silent + LOOK
                if news or silent >= BEAT:
                    yield f"data: {json.dumps(news)}\n\n" if news else ": still here\n\n"
                    silent = 0.0
                await asyncio.wait([stop], timeout=GAP)
                await person.changed(version, stop, LOOK)
        finally:
            person.tabs -= 1
            stop.cancel()

    async def _parts(self, user: User, person: Visitor, newest: Entry | None) -> dict[str, str]:
        engine = self._studio.engine()
        state = words.engine(engine.up, engine.loading, engine.device, engine.reason)
        active = person.active()
        status = active[0].status if active else None
        share = f"{status.step * 100 // max(status.steps, 1)} % · " if isinstance(status, Running) else ""
        foot = " · ".join(filter(None, (state, words.line(*self._studio.line()), await self._asks.left(user))))
        latest, look = person.last(), cards.PLAIN
        if not active and latest is not None and isinstance(latest.status, Done):
            look = await self._look(latest.id, latest.status.images)
        elif not active and latest is None and newest is not None:
            look = await self._look(newest.id, newest.images)
        return {
            "stage": cards.stage(active, latest, newest, "" if engine.up else state, look),
            "foot": cards.text(foot),
            "title": f"{share or ('… ' if active else '')}realbot",
        }


def thumbnail(path: Path) -> bytes:
    """A small WebP of a picture."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((THUMB, THUMB))
    data = io.BytesIO()
    small.save(data, "WEBP", quality=88)
    return data.getvalue()


async def favicon(asked: Asked) -> Response:
    return Response(cards.file("favicon.svg"), media_type="image/svg+xml", headers={"cache-control": "max-age=86400"})


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else default
