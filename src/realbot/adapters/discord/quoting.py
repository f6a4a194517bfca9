"""What a dear request costs: told before it is taken, and painted when the person says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import discord

from realbot.actions import Asking
from realbot.adapters import allowances
from realbot.adapters.discord import controls
from realbot.adapters.discord.card import BUSY, heading
from realbot.adapters.discord.masking import NO, YES
from realbot.adapters.discord.payload import Payload
from realbot.jobs import Origin, User, to_json

if TYPE_CHECKING:
    from realbot.budget import Quote
    from realbot.studio import Studio

#: Days for which it can be said: a quarter of an hour, as long as an answer of Discord can be taken away.
DAYS = 1 / 96


async def question(studio: Studio, user: User, quote: Quote, origin: Origin, token: str) -> Payload:
    """The words, what they cost, and two buttons; what is agreed to is exactly what was quoted.

    `token` is that of the interaction that it answers, with which the question can be taken away.
    """
    known = {"request": to_json(quote.request), "steps": [], "private": origin.private, "token": token}
    detail = json.dumps(known, sort_keys=True)
    asked = [Asking(YES, owner=user.key, detail=detail, uses=1, days=DAYS), Asking(NO, owner=user.key, days=DAYS)]
    paint = controls.Control(YES, style=discord.ButtonStyle.primary, said=allowances.paint_it())
    offered = [paint, controls.Control(NO, said=allowances.leave_it())]
    lines = [heading(quote.request), "", *allowances.quote(quote), allowances.question()]
    embed = discord.Embed(colour=BUSY, description="\n".join(lines))
    return Payload(embeds=(embed,), view=controls.view(offered, await studio.actions(asked)))
