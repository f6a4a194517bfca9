"""Who stands behind an update and where: the person, the chat, the topic, and whether they keep order there."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from telegram import CallbackQuery, Chat, Message, Update
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest, Forbidden

from realbot.jobs import Origin, User

if TYPE_CHECKING:
    import telegram

    from realbot.adapters.clock import Clock
    from realbot.studio import Studio

    from .wire import Bot

PLATFORM = "telegram"
#: The account in whose name anonymous administrators and linked channels write.
ANONYMOUS = frozenset({1087968824, 136817688, 777000})
#: Seconds for which a person's rights in a group are remembered, and for how many people and groups.
TRUSTED, KNOWN = 60.0, 5000
RIGHTS = (ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR)


def user(person: telegram.User) -> User:
    """A person as the rest of realbot knows them."""
    return User(PLATFORM, str(person.id), person.full_name)


def locale(update: Update) -> str:
    """The language of whoever sent this, as Telegram writes it; empty when it is not told."""
    person = update.effective_user
    return (person.language_code or "") if person is not None else ""


def origin(message: Message, language: str | None = None) -> Origin:
    """Where the card will be: an answer to this message, in its topic."""
    chat = message.chat
    group = chat.type in (Chat.GROUP, Chat.SUPERGROUP)
    return Origin(
        PLATFORM,
        place=str(chat.id),
        message=str(message.message_id),
        thread=topic(message),
        locale=language or "en",
        server=str(chat.id) if group else "",
    )


def pressed(query: CallbackQuery) -> Origin:
    """Where what follows from a press will be: an answer to the message with the button."""
    message, language = query.message, query.from_user.language_code
    if isinstance(message, Message):
        return origin(message, language)
    assert message is not None
    # Too old to be told more of: only its number and its chat are known.
    group = message.chat.type in (Chat.GROUP, Chat.SUPERGROUP)
    number = str(message.chat.id)
    return Origin(PLATFORM, number, str(message.message_id), locale=language or "en", server=number if group else "")


def topic(message: Message) -> str:
    """The id of the forum topic, empty for none: the topic General has none that can be written to."""
    number = message.message_thread_id if message.is_topic_message else None
    return str(number) if number and number != 1 else ""


def anonymous(message: Message) -> bool:
    """Whether this was written in the name of a group or a channel, so that nobody knows by whom."""
    return message.sender_chat is not None or message.from_user is None or message.from_user.id in ANONYMOUS


def answered(message: Message) -> Message | None:
    """The message that somebody answered: in a topic that is not the message with which the topic began."""
    before = message.reply_to_message
    return None if before is None or before.forum_topic_created is not None else before


def meant(message: Message, me: telegram.User, commands: Collection[str]) -> bool:
    """Whether somebody wrote this to realbot, and not merely where realbot reads it."""
    if anonymous(message) or message.forward_origin is not None or message.via_bot is not None:
        return False
    words = (message.text or message.caption or "").strip().casefold()
    if message.chat.type == Chat.PRIVATE:
        return bool(words or message.photo or message.document)
    own = (me.username or "").casefold()
    if words.startswith("/"):
        name, _, bot = words.split(maxsplit=1)[0].removeprefix("/").partition("@")
        return bot == own or (not bot and name in commands)
    answered = message.reply_to_message
    if words and answered is not None and answered.from_user is not None and answered.from_user.id == me.id:
        return any((answered.photo, answered.document, message.photo, message.document))
    return re.search(rf"(?<!\w)@{re.escape(own)}\b", words) is not None


class Moves:
    """Groups that have become supergroups, and so have another number."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._known: OrderedDict[str, str] = OrderedDict()

    async def now(self, chat: str) -> str:
        """The number that a chat has today; only groups ever change it."""
        if not chat.startswith("-") or chat.startswith("-100"):
            return chat
        if chat not in self._known:
            self._remember(chat, await self._studio.remembered(f"{PLATFORM} moved {chat}") or chat)
        return self._known[chat]

    async def origin(self, origin: Origin) -> Origin:
        """The same place under its number of today, where the messages of before have none."""
        now = await self.now(origin.place)
        return origin if now == origin.place else replace(origin, place=now, message="", server=now)

    async def note(self, old: str, new: str) -> None:
        """A group has become a supergroup: its rules, its cards and its buttons go with it."""
        self._remember(old, new)
        await self._studio.remember(f"{PLATFORM} moved {old}", new)
        await self._studio.moved(f"{PLATFORM}:{old}", f"{PLATFORM}:{new}")

    def _remember(self, old: str, new: str) -> None:
        self._known[old] = new
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)


class Rights:
    """Who keeps order in which group, asked of Telegram and remembered for a minute."""

    def __init__(self, bot: Bot, clock: Clock, owners: Collection[int] = ()) -> None:
        """`owners` are the numbers of those who own the bot."""
        self._bot, self._clock, self.owners = bot, clock, owners
        self._known: OrderedDict[tuple[str, str], tuple[float, bool]] = OrderedDict()

    async def administrates(self, chat: str, person: str) -> bool:
        """Whether this person is an administrator of the group; nobody is one of a private chat."""
        if not chat.startswith("-"):
            return False
        now = self._clock.monotonic()
        at, known = self._known.get((chat, person), (-TRUSTED, False))
        if now - at < TRUSTED:
            return known
        try:
            member = await self._bot.get_chat_member(int(chat), int(person))
        except (BadRequest, Forbidden):
            return False
        rights = member.status in RIGHTS
        self._known[chat, person] = (now, rights)
        self._known.move_to_end((chat, person))
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return rights

    async def titled(self, user: User, origin: Origin) -> User:
        """The person with what they are there: an owner of the bot keeps order in their private chat too."""
        owner = int(user.id) in self.owners
        administrator = (owner and origin.place == user.id) or await self.administrates(origin.place, user.id)
        roles = {"owners"} if owner else set()
        return replace(user, roles=frozenset(roles | ({"administrators"} if administrator else set())))

    def owning(self, user: User) -> User:
        """The person with what is known of them without asking."""
        return replace(user, roles=user.roles | {"owners"}) if int(user.id) in self.owners else user

    async def known(self, user: User, origin: Origin, studio: Studio) -> User:
        """The person with what they are there, as far as anything is settled for that."""
        return await self.titled(user, origin) if studio.heeds_roles(PLATFORM) else self.owning(user)

    async def moderator_of(self, chat: str, person: str) -> str:
        """The id of the group whose requests this person may end, empty for none."""
        return chat if await self.administrates(chat, person) else ""
