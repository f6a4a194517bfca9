"""The look of a picture for another one: what is to have it is chosen by a button, or asked for and then answered."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telegram import ForceReply, Message

from realbot.adapters import captions, words
from realbot.adapters.telegram import phrases, place
from realbot.adapters.telegram.asked import below
from realbot.adapters.telegram.limiter import USUAL
from realbot.adapters.telegram.tweaks import Draft, Offer
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Generate, ImageId, Origin, StyleUse, User

if TYPE_CHECKING:
    from realbot.actions import Action
    from realbot.studio import Studio

    from .wire import Bot

#: The verb of the address in a question, which tells the answer what it is about.
QUESTION = "look"
#: Days for which a question can be answered: as long as its picture is there, and for one that nothing names an hour.
DAYS, BRIEF = 7.0, 1 / 24
#: Requests that are offered, and own ones among which they are looked for.
OFFERS, LATEST = 3, 30
EXAMPLE = words.EXAMPLES[1]
#: An address that stands in a question.
ADDRESS = re.compile(r"https://t\.me/\w+\?start=l_(?P<code>[A-Za-z0-9_-]{16,20})")


class Looks:
    """One for all ways of asking."""

    def __init__(self, studio: Studio, bot: Bot) -> None:
        self._studio, self._bot = studio, bot

    async def ask(self, user: User, origin: Origin, reference: ImageId) -> None:
        """Ask what is to be painted in the look of a picture that this person brought. Raises as `_ask`."""
        code = await self._studio.action(QUESTION, "", user, detail=json.dumps({"reference": reference}), days=BRIEF)
        await self._ask(user, origin, code)

    async def ask_about(self, user: User, origin: Origin, action: Action) -> None:
        """Ask it about the picture of a job, with the weight and the styles that were chosen. Raises as `_ask`."""
        await self._image(action)
        code = await self._studio.action(
            QUESTION, action.job_id, user, index=action.index, detail=action.detail, days=DAYS
        )
        await self._ask(user, origin, code)

    async def again(self, user: User, origin: Origin, code: str) -> None:
        """Ask the same here. Raises NotYours, Refused and as `_ask`."""
        await self._asked(user, code)
        await self._ask(user, origin, code)

    async def concerns(self, message: Message) -> bool:
        """Whether a message answers a question that its sender was asked."""
        code = question(message)
        if not code or place.anonymous(message) or message.from_user is None:
            return False
        try:
            await self._asked(place.user(message.from_user), code)
        except NotYours:
            return False
        except Refused:
            return True
        return True

    async def answered(self, user: User, message: Message) -> Generate | None:
        """What the words of a message are to be added to; None for one that answers no question. Raises Refused."""
        code = question(message)
        return await self._asked(user, code) if code else None

    async def offers(self, user: User, origin: Origin, job_id: str) -> list[Offer]:
        """What else could have that look: the person's latest requests, in a group those made there, and examples."""
        found: dict[str, Offer] = {}
        for entry in await self._studio.history(user, LATEST):
            here = origin.place in (user.id, entry.origin.place)
            if isinstance(entry.request, Generate) and entry.images and here and entry.id != job_id:
                found.setdefault(entry.request.prompt, Offer(entry.request.prompt, entry.id))
        for example in words.EXAMPLES:
            found.setdefault(example, Offer(example))
        return list(found.values())[:OFFERS]

    async def chosen(self, user: User, origin: Origin, action: Action, draft: Draft) -> Generate:
        """The offered request, in the look of the picture that the button is about. Raises Refused."""
        offer = Offer.load(json.loads(action.detail)["offer"])
        reference = await self._image(action)
        if offer.job_id:
            with suppress(NotYours):
                found = (await self._studio.entry(user, offer.job_id)).request
                if isinstance(found, Generate):
                    return dressed(found, reference, draft)
            raise Invalid(captions.gone())
        return await self._studio.defaulted(user, dressed(Generate(prompt=offer.prompt), reference, draft), origin)

    async def _asked(self, user: User, code: str) -> Generate:
        action = await self._studio.acted(code, user, press=False)
        if action.verb != QUESTION:
            raise NotYours
        if not action.job_id:
            return Generate(prompt="", reference=json.loads(action.detail)["reference"])
        draft = Draft.load(json.loads(action.detail)["draft"])
        return dressed(Generate(prompt=""), await self._image(action), draft)

    async def _image(self, action: Action) -> ImageId:
        """The picture that a button is about. Raises NotYours, and Invalid when it is not there any more."""
        images = (await self._studio.shown(action)).images
        if action.index >= len(images):
            raise Invalid(captions.gone())
        return images[action.index]

    async def _ask(self, user: User, origin: Origin, code: str) -> None:
        """Raises Down and the errors of Telegram."""
        text = phrases.look_question(f"https://t.me/{self._bot.username}?start=l_{code}", EXAMPLE)
        where: dict[str, Any] = below(origin)
        if origin.place == user.id:
            # In a group it would open the field of everybody there.
            where["reply_markup"] = ForceReply(input_field_placeholder=EXAMPLE)
        await self._bot.send_message(text=str(text), entities=text.entities(), rate_limit_args=USUAL, **where)


def question(message: Message) -> str:
    """The code of the question that a message answers, empty for none; only what the bot itself wrote asks one."""
    asked = message.reply_to_message
    if asked is None or asked.from_user is None or asked.from_user.id != message.get_bot().id:
        return ""
    found = [ADDRESS.fullmatch(entity.url) for entity in asked.entities if entity.url]
    return next((one["code"] for one in found if one is not None), "")


def dressed(request: Generate, reference: ImageId, draft: Draft) -> Generate:
    """The request in the look of a picture, with what was chosen for it."""
    styles: tuple[StyleUse, ...] = draft.styles or ()
    return replace(request, reference=reference, reference_weight=draft.look, styles=styles)
