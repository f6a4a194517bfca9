"""What a dear request costs, asked on the web page before it is taken, and the route on which a visitor agrees."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from realbot.adapters import allowances, words
from realbot.adapters.door import person
from realbot.adapters.sources import HERE
from realbot.adapters.visitors import Visitors
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Request, User, from_json, to_json
from realbot.spending import in_force

if TYPE_CHECKING:
    from realbot.budget import Quote
    from realbot.studio import Studio

#: The verb of what is agreed to, and the days for which it can be: a quarter of an hour.
VERB, DAYS = "quoted", 1 / 96
#: What the page is answered whose button asks for something dear.
DEAR = 428


class Asks:
    """One for all visitors."""

    def __init__(self, studio: Studio, visitors: Visitors) -> None:
        self._studio, self._visitors = studio, visitors

    def table(self) -> list[BaseRoute]:
        return [Route("/quotes/{id}", self.agree, methods=["POST"])]

    async def take(self, user: User, request: Request) -> str:
        """Take a request; or, where it is dear, take nothing and give the question as HTML. Raises Refused."""
        quote = await self._studio.budget.quote(user, request, HERE)
        if quote is not None:
            return await self._question(user, quote)
        self._visitors.of(user).take(await self._studio.submit(user, request, HERE))
        return ""

    async def agree(self, asked: Asked) -> Response:
        """Take exactly what was quoted, once."""
        number = asked.path_params["id"]
        try:
            user = person(asked.cookies)
            action = await self._studio.acted(number, user, press=False)
            if action.verb != VERB:
                raise NotYours
            job = await self._studio.submit(user, wanted(action.detail), HERE, dedup=f"quote {number}")
            await self._studio.acted(number, user)
        except NotYours as error:
            return PlainTextResponse(words.refusal(error), 403)
        except Refused as error:
            return PlainTextResponse(words.refusal(error), 409)
        self._visitors.of(user).take(job)
        return Response(status_code=204)

    async def left(self, user: User) -> str:
        """What a visitor may still ask for, in one line; empty where nothing limits it."""
        if not any(in_force(self._studio.limits(user, HERE))):
            return ""
        purse = await self._studio.budget.purse(user, HERE)
        return "" if purse.exempt else " · ".join(map(allowances.short, allowances.tightest(purse.allowances)))

    async def _question(self, user: User, quote: Quote) -> str:
        detail = json.dumps(to_json(quote.request), sort_keys=True)
        number = await self._studio.action(VERB, user=user, detail=detail, uses=1, days=DAYS)
        lines = [f"<p>{escape(line)}</p>" for line in allowances.quote(quote)]
        subject = escape(words.subject(quote.request))
        return (
            f'<div class="quote" role="alert"><p><b>{subject}</b></p>{"".join(lines)}<p>'
            f'<button type="button" class="primary" data-act="agree" data-quote="{escape(number)}">'
            f"{escape(allowances.paint_it())}</button> "
            f'<button type="button" data-act="decline">{escape(allowances.leave_it())}</button></p></div>'
        )


def wanted(detail: str) -> Request:
    """The request that a visitor agrees to. Raises Invalid for a damaged one."""
    try:
        return from_json(json.loads(detail))
    except (KeyError, TypeError, ValueError):
        raise Invalid("This button is not known any more; please ask anew.") from None
