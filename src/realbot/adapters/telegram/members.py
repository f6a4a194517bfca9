"""Groups that come, go and change: realbot is taken out, or a group becomes a supergroup with another number."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from telegram import Chat, Update
from telegram.constants import ChatMemberStatus
from telegram.ext import ChatMemberHandler, MessageHandler, filters

from realbot.adapters.telegram import place

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front

log = logging.getLogger(__name__)

OUTSIDE = (ChatMemberStatus.LEFT, ChatMemberStatus.BANNED)


class Members:
    """What was settled for a group follows it, and ends with it."""

    def __init__(self, front: Front) -> None:
        self._studio, self._moves = front.studio, front.moves

    async def changed(self, update: Update, context: object = None) -> None:
        """realbot's own place in a chat changed; one that was taken out of a group gives up what waits there."""
        told = update.my_chat_member
        if told is None or told.chat.type == Chat.PRIVATE or told.new_chat_member.status not in OUTSIDE:
            return
        number = await self._studio.left(f"{place.PLATFORM}:{told.chat.id}")
        log.info("realbot was taken out of chat %d; %d requests are cancelled", told.chat.id, number)

    async def migrated(self, update: Update, context: object = None) -> None:
        """The group has another number from now on."""
        message = update.message
        if message is not None and message.migrate_to_chat_id is not None:
            await self._moves.note(str(message.chat.id), str(message.migrate_to_chat_id))


def register(front: Front) -> None:
    """Listen to what becomes of groups."""
    members = Members(front)
    front.app.add_handler(ChatMemberHandler(members.changed, ChatMemberHandler.MY_CHAT_MEMBER))
    front.app.add_handler(MessageHandler(filters.StatusUpdate.MIGRATE, members.migrated))
