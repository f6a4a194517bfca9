"""A message to realbot: who wrote it, where, what follows the command, and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telegram import Chat, InlineKeyboardMarkup, Message, ReplyParameters, Update

from realbot.adapters import words
from realbot.adapters.telegram import place
from realbot.adapters.telegram.limiter import USUAL
from realbot.adapters.telegram.text import MESSAGE, Text, dead
from realbot.errors import Refused
from realbot.jobs import Origin, User

if TYPE_CHECKING:
    from .wire import Bot


@dataclass(frozen=True, slots=True)
class Asked:
    """`text` is what follows the command, or the whole message where there is none."""

    bot: Bot
    message: Message
    user: User
    origin: Origin
    text: str = ""
    update_id: int = 0

    @classmethod
    def of(cls, bot: Bot, update: Update, text: str = "") -> Asked | None:
        """Who asks what with this update, None when nobody does."""
        message, person = update.message, update.effective_user
        if message is None or person is None:
            return None
        origin = place.origin(message, person.language_code)
        return cls(bot, message, place.user(person), origin, text, update.update_id)

    @property
    def private(self) -> bool:
        """Whether nobody else reads what is written here."""
        return self.message.chat.type == Chat.PRIVATE

    async def reply(self, text: Text | str, markup: InlineKeyboardMarkup | None = None) -> Message:
        """Answer below the message. Raises Down and the errors of Telegram."""
        said = (text if isinstance(text, Text) else Text(text)).cut(MESSAGE)
        return await self.bot.send_message(
            text=str(said), entities=said.entities(), reply_markup=markup, rate_limit_args=USUAL, **below(self.origin)
        )

    async def refuse(self, error: Refused) -> Message:
        """Answer why something is not done. Raises Down and the errors of Telegram."""
        return await self.reply(dead(words.refusal(error), commands=True))


def below(origin: Origin) -> dict[str, Any]:
    """Where an answer goes: below the message that asked, also when that is deleted meanwhile, in its topic."""
    where: dict[str, Any] = {"chat_id": int(origin.place)}
    if origin.message:
        where["reply_parameters"] = ReplyParameters(int(origin.message), allow_sending_without_reply=True)
    if origin.thread:
        where["message_thread_id"] = int(origin.thread)
    return where
