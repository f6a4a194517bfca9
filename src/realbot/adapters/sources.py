"""The page's routes for pictures that a visitor brings, and for the masks over them.

What comes is bytes and the ids of pictures; no name and no path of a file is taken from a browser.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from realbot.actions import Guard
from realbot.adapters import retouch, words
from realbot.adapters.door import person
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Origin, User
from realbot.phrases import Phrase

if TYPE_CHECKING:
    from realbot.studio import Studio

#: What the pictures come to; larger bodies are for these addresses only.
UPLOADS, MASKS = "/uploads", "/masks"
#: The page is one place.
HERE = Origin("web")
#: Pictures and masks of one visitor in an hour, and seconds that one may be on its way.
MOST, HOUR, PATIENCE = 200, 3600.0, 120.0
_STOP = Phrase("Those were many pictures in an hour; please wait a little before you bring another.")
#: How files begin that can have no transparent parts.
OPAQUE = b"\xff\xd8\xff"


class Sources:
    """Takes pictures for the visitor who sends them."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._guard = Guard(MOST, HOUR, _STOP)

    def table(self) -> list[BaseRoute]:
        return [
            Route(UPLOADS, answered(self.upload), methods=["POST"]),
            Route(MASKS, answered(self.mask), methods=["POST"]),
        ]

    async def upload(self, asked: Asked) -> dict[str, str]:
        """The body is a picture; its transparent parts are its mask, unless `as=reference` is asked for."""
        user, data = await self._taken(asked)
        if asked.query_params.get("as") != "reference" and not data.startswith(OPAQUE):
            pair = await self._studio.mask_from_alpha(user, data, HERE)
            if pair is not None:
                return {"image": pair[0], "mask": pair[1]}
        return {"image": await self._studio.upload(user, data, HERE)}

    async def mask(self, asked: Asked) -> dict[str, str]:
        """The mask of the picture `source`: of its part `region`, or the body, in which white is painted."""
        user, data = await self._taken(asked)
        source, region = asked.query_params.get("source", ""), asked.query_params.get("region")
        if region is not None:
            return {"mask": await self._studio.mask_of_region(user, source, region, HERE), "region": region}
        return {"mask": await self._studio.mask(user, source, data, HERE)}

    async def _taken(self, asked: Asked) -> tuple[User, bytes]:
        """Who sends, and the body."""
        user, now = person(asked.cookies), time.monotonic()
        self._guard.check(user.key, now)
        self._guard.miss(user.key, now)
        try:
            async with asyncio.timeout(PATIENCE):
                return user, await asked.body()
        except TimeoutError:
            raise Invalid(retouch.slow()) from None


def answered(take: Callable[[Asked], Awaitable[dict[str, str]]]) -> Callable[[Asked], Awaitable[Response]]:
    """A route whose refusals are sentences."""

    async def answer(asked: Asked) -> Response:
        try:
            return JSONResponse(await take(asked))
        except NotYours as error:
            return PlainTextResponse(words.refusal(error), 403)
        except Refused as error:
            return PlainTextResponse(words.refusal(error), 409)

    return answer
