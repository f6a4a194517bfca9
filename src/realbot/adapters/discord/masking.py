"""The part of a picture that is painted anew: shown tinted first, and painted when the person says so."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Final

import discord

from realbot.actions import Action, Asking
from realbot.adapters import allowances, words
from realbot.adapters.discord import controls, marked
from realbot.adapters.discord.brought import Masked, Pictures
from realbot.adapters.discord.card import BUSY, heading
from realbot.adapters.discord.markup import plain
from realbot.adapters.discord.payload import Payload, Picture
from realbot.adapters.outbox import Down
from realbot.errors import Invalid, NotYours
from realbot.jobs import Generate, Origin, Upscale, User, from_json, to_json
from realbot.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: The verbs of the two answers.
YES: Final = "masked"
NO: Final = "drop"
#: Days for which it can be said: an hour, as long as the pictures are kept that nothing names.
DAYS = 1 / 24


class Masking:
    """Asks whether the right part is painted."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def question(self, user: User, masked: Masked, origin: Origin, token: str) -> Payload:
        """The picture with what is painted anew tinted, the words, and two buttons. Raises Refused.

        `token` is that of the interaction that it answers, with which the question can be taken away.
        """
        request = masked.request
        self._studio.usual(request)
        assert request.source is not None
        mask = request.mask
        if mask is None:
            mask = await self._studio.mask_of_region(user, request.source, request.region or "", origin)
        quote = await self._studio.budget.quote(user, request, origin)
        if quote is not None and isinstance(quote.request, Generate):
            request = quote.request
        assert request.source is not None
        shown = await self._studio.overlay(user, request.source, mask)
        known = {"request": to_json(request), "steps": masked.steps, "private": origin.private, "token": token}
        detail = json.dumps(known, sort_keys=True)
        offered = [controls.Control(YES, style=discord.ButtonStyle.primary), controls.Control(NO)]
        asked = [Asking(YES, owner=user.key, detail=detail, uses=1, days=DAYS), Asking(NO, owner=user.key, days=DAYS)]
        ids = await self._studio.actions(asked)
        told = [heading(request), *(allowances.quote(quote) if quote is not None else ()), marked.masked()]
        embed = discord.Embed(colour=BUSY, description="\n".join(told))
        embed.set_image(url="attachment://mask.png")
        picture = Picture(shown, "mask.png", plain(marked.tinted(words.subject(request)), 1024))
        return Payload(embeds=(embed,), view=controls.view(offered, ids), images=(picture,))

    async def agreed(self, client: discord.Client, action: Action, user: User, origin: Origin) -> Generate | Upscale:
        """What the person agreed to, its pictures come by once more where they are not kept any more.

        Raises Invalid, and NotYours.
        """
        known = _known(action)
        request = from_json(known["request"])
        assert isinstance(request, Generate | Upscale)
        begun: tuple[str | None, ...] = (request.source,)
        if isinstance(request, Generate):
            begun = (request.source, request.mask, request.reference)
        try:
            for image in begun:
                if image is not None:
                    await self._studio.source(user, image)
        except (NotYours, Invalid):
            await Pictures(self._studio, client, user, origin).again(known["steps"])
        return request

    @staticmethod
    async def remove(client: discord.Client, action: Action, message: discord.Message) -> None:
        """Take an answered question away; after a quarter of an hour it stays, and its button says so."""
        hook = discord.Webhook.partial(client.application_id or 0, str(_known(action)["token"]), client=client)
        with contextlib.suppress(discord.HTTPException, Down):
            await hook.delete_message(message.id)


def private(action: Action) -> bool:
    """Whether only the person sees the card. Raises Invalid for a damaged question."""
    return bool(_known(action)["private"])


def _known(action: Action) -> Mapping[str, Any]:
    try:
        known: Mapping[str, Any] = json.loads(action.detail)
        from_json(known["request"])
        _ = known["steps"], known["private"], known["token"]
    except (KeyError, TypeError, ValueError):
        raise Invalid("This button is not known any more; please ask anew.") from None
    return known
