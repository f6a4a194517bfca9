"""The part of a picture that is to be painted anew: drawn over it with the phone's editor, cut out, or told in words.

It is shown tinted first, and painted when the person says so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from realbot.adapters import allowances, words
from realbot.adapters.files import Picture
from realbot.adapters.plain import plain
from realbot.adapters.telegram import files, phrases
from realbot.adapters.telegram.asked import Asked, below
from realbot.adapters.telegram.card import heading
from realbot.adapters.telegram.keyboard import Key, keyboard
from realbot.adapters.telegram.limiter import USUAL
from realbot.adapters.telegram.text import Text, dead
from realbot.errors import Invalid
from realbot.jobs import Generate, ImageId, Upscale, from_json, to_json

if TYPE_CHECKING:
    from realbot.studio import Studio

#: The verbs of the two answers.
YES, NO = "masked", "drop"
#: Days for which it can be said: an hour, as long as the pictures are kept that nothing names.
DAYS = 1 / 24


class Masking:
    """Finds what is to be painted, and asks whether that is right."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def drawn(self, asked: Asked, source: ImageId, data: bytes) -> ImageId | None:
        """What was drawn over a picture of ours in this copy of it; None where it is another picture."""
        try:
            return await self._studio.mask_by_strokes(asked.user, source, data, asked.origin)
        except Invalid:
            return None

    async def cut(self, asked: Asked, data: bytes) -> tuple[ImageId, ImageId] | None:
        """A picture with transparent parts, and their mask; None for one that has none. Raises Invalid."""
        return await self._studio.mask_from_alpha(asked.user, data, asked.origin)

    async def offer(self, asked: Asked, request: Generate) -> None:
        """Show which part is painted anew, with the words, and ask. Raises Refused, Down and the errors of Telegram."""
        assert request.source is not None and request.mask is not None
        quote = await self._studio.budget.quote(asked.user, request, asked.origin)
        if quote is not None and isinstance(quote.request, Generate):
            request = quote.request
        assert request.source is not None and request.mask is not None
        shown = await self._studio.overlay(asked.user, request.source, request.mask)
        detail = json.dumps(to_json(request), sort_keys=True)
        rows = [
            [
                Key(phrases.leave_it(), NO, days=DAYS),
                Key(phrases.paint(), YES, detail=detail, style="primary", days=DAYS),
            ]
        ]
        markup = await keyboard(self._studio, rows, asked.user, asked.origin.place)
        photo = await files.shown(Picture(shown, "mask.png", plain(words.alt(request), 1024)))
        cost = map(dead, allowances.quote(quote)) if quote is not None else ()
        text = Text.lines([heading(request), *cost, phrases.masked()])
        await files.send(asked.bot, photo, text, reply_markup=markup, rate_limit_args=USUAL, **below(asked.origin))


def wanted(detail: str) -> Generate | Upscale:
    """The request that the person agreed to. Raises Invalid for a damaged one."""
    try:
        request = from_json(json.loads(detail))
    except (KeyError, TypeError, ValueError):
        raise Invalid("This button is not known any more; please ask anew.") from None
    assert isinstance(request, Generate | Upscale)
    return request
