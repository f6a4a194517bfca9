"""Who is meant by an answer to a message: whoever wrote it or, when it is one of our cards, who asked for it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from realbot.adapters.telegram import place
from realbot.adapters.telegram.presses import actions
from realbot.errors import Refused

if TYPE_CHECKING:
    from telegram import Message

    from realbot.adapters.telegram import Front


async def behind(front: Front, message: Message) -> str:
    """The number of whoever stands behind what a message answers, empty for nobody."""
    answered = place.answered(message)
    if answered is None or answered.from_user is None or place.anonymous(answered):
        return ""
    if answered.from_user.id != front.me.id:
        return str(answered.from_user.id)
    for action_id in actions(answered):
        with suppress(Refused):
            action = await front.studio.acted(action_id, press=False)
            platform, _sign, number = (await front.studio.shown(action)).owner.partition(":")
            if platform == place.PLATFORM:
                return number
    return ""
