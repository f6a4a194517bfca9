"""/whose, as the caption of a picture or the answer to one: whether it was painted here; of one's own the card follows.

In a group nothing follows, because others read along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realbot.adapters import captions, finds
from realbot.adapters.telegram import sayings
from realbot.adapters.telegram.brought import Brought, picture
from realbot.adapters.telegram.screens import Viewer
from realbot.errors import Invalid

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked


def register(front: Front) -> None:
    front.command("whose", Whose(front).whose)


class Whose:
    """The command."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio, self._brought = front, front.studio, Brought(front)

    async def whose(self, asked: Asked) -> None:
        """Answer below the message. Raises Invalid where there is no picture."""
        answered = asked.message.reply_to_message
        found = picture(asked.message) or (None if answered is None else picture(answered))
        if found is None:
            raise Invalid(captions.no_picture() if answered is not None else sayings.whose_how())
        self._studio.gate.admit(await self._front.rights.known(asked.user, asked.origin, self._studio), asked.origin)
        data = await self._brought.loaded(asked, found)
        answer = await self._studio.finder.whose(asked.user, data, asked.origin)
        await asked.reply(finds.whose(answer))
        if asked.private and answer is not None and answer.entry is not None:
            await self._front.courier.send_kept(Viewer(asked.bot, asked.user, asked.origin, private=True), answer.entry)
