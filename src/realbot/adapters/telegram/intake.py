"""Takes requests of every command, message and button: commit, then acknowledge, then follow."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from realbot.adapters import allowances
from realbot.adapters.telegram.asked import below
from realbot.adapters.telegram.card import heading
from realbot.adapters.telegram.keyboard import Key, keyboard
from realbot.adapters.telegram.limiter import USUAL
from realbot.adapters.telegram.masking import NO, YES
from realbot.adapters.telegram.text import MESSAGE, Text, dead
from realbot.jobs import Job, Origin, Request, Train, User, to_json

if TYPE_CHECKING:
    from realbot.budget import Quote
    from realbot.studio import Studio

    from .courier import Courier
    from .place import Rights
    from .wire import Bot

#: Days for which a dear request can be agreed to: a quarter of an hour, while what was told of it still holds.
DAYS = 1 / 96
#: Makes the request; raises Refused.
Wish = Callable[[User, Origin], Awaitable[Request]]


class Intake:
    """One for all commands of a front-end."""

    def __init__(self, studio: Studio, bot: Bot, courier: Courier, rights: Rights) -> None:
        self._studio, self._bot, self._courier, self._rights = studio, bot, courier, rights

    async def take(self, user: User, origin: Origin, update_id: int, wish: Wish, *, once: str = "") -> Job | None:
        """Take a request, and show its card; or, where it is dear, ask first, and give None.

        The same update gives the same job again. What somebody agreed to is taken `once` under this name, without
        asking. Raises Refused.
        """
        user = await self._rights.known(user, origin, self._studio)
        self._studio.gate.admit(user, origin)
        request = await wish(user, origin)
        if isinstance(request, Train):
            # Who may train depends on what they are there.
            user = await self._rights.titled(user, origin)
        quote = None if once else await self._studio.budget.quote(user, request, origin)
        if quote is not None:
            await self._ask(user, origin, quote)
            return None
        job = await self._studio.submit(user, request, origin, dedup=f"{self._bot.id}:{once or update_id}")
        await self._courier.acknowledge(job)
        return job

    async def _ask(self, user: User, origin: Origin, quote: Quote) -> None:
        """Tell what a request costs, with two buttons; what is agreed to is exactly what was quoted."""
        detail = json.dumps(to_json(quote.request), sort_keys=True)
        rows = [
            [
                Key(allowances.leave_it(), NO, days=DAYS),
                Key(allowances.paint_it(), YES, detail=detail, style="primary", uses=1, days=DAYS),
            ]
        ]
        markup = await keyboard(self._studio, rows, user, origin.place)
        cost = [dead(line) for line in allowances.quote(quote, private=origin.place == user.id)]
        text = Text.lines([heading(quote.request), *cost, allowances.question()]).cut(MESSAGE)
        await self._bot.send_message(
            text=str(text), entities=text.entities(), reply_markup=markup, rate_limit_args=USUAL, **below(origin)
        )
