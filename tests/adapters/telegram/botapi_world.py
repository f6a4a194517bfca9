"""What a Telegram consists of: accounts, chats, topics, messages with all they ever said, and their JSON forms."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botapi import BotApi
    from botapi_files import Document, Photo

PRIVATE, GROUP, SUPERGROUP, CHANNEL = "private", "group", "supergroup", "channel"
OWNER, ADMINISTRATOR, MEMBER, LEFT, KICKED = "creator", "administrator", "member", "left", "kicked"
#: The topic that every forum has; messages in it carry no thread and none can be sent to its id.
GENERAL = 1


class Clock:
    """The time on Telegram's wall; `advance` makes hours pass in no time."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass(eq=False)
class Account:
    """Somebody with an account, the bot among them."""

    id: int
    name: str
    username: str = ""
    language: str = "en"
    bot: bool = False
    deactivated: bool = False

    def form(self) -> dict[str, Any]:
        told: dict[str, Any] = {"id": self.id, "is_bot": self.bot, "first_name": self.name.title()}
        if self.username:
            told["username"] = self.username
        return told if self.bot or not self.language else {**told, "language_code": self.language}


#: In whose name Telegram hands over what has no person behind it: anonymous administrators, channels.
ANONYMOUS = Account(1087968824, "group", "GroupAnonymousBot", bot=True)
AS_CHANNEL = Account(136817688, "channel", "Channel_Bot", bot=True)
TELEGRAM = Account(777000, "telegram", language="")


@dataclass(frozen=True)
class Version:
    """What a message showed from a moment on."""

    at: float
    text: str
    caption: str
    picture: bytes | None
    labels: tuple[str, ...]


@dataclass(eq=False)
class Message:
    """A message as people see it, and every version of it."""

    id: int
    chat: Chat
    sender: Account | None
    date: float
    text: str = ""
    caption: str = ""
    entities: list[dict[str, Any]] = field(default_factory=list)  #: of the text or the caption
    media: Photo | Document | None = None
    markup: dict[str, Any] | None = None
    reply_to: Message | None = None
    thread: int | None = None
    in_topic: bool = False
    sender_chat: Chat | None = None
    album: str | None = None  #: media_group_id
    spoiler: bool = False
    protected: bool = False
    silent: bool = False
    origin: dict[str, Any] | None = None  #: of a forwarded message
    via_bot: Account | None = None
    inline_id: str | None = None  #: by which the bot may change what came of an inline query
    service: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  #: further options, told back as they were given
    edited: float | None = None
    deleted: bool = False
    reactions: list[str] = field(default_factory=list)  #: the bot's
    past: list[Version] = field(default_factory=list)  #: every version, the present one last

    def __repr__(self) -> str:
        return f"<Message {self.id} {self.words!r} {self.labels}>"

    @property
    def edits(self) -> int:
        return len(self.past) - 1

    @property
    def words(self) -> str:
        """What there is to read, the text or the caption."""
        return self.text or self.caption

    @property
    def picture(self) -> bytes | None:
        """The picture that a person sees: recompressed when it is a photo."""
        return None if self.media is None else self.media.seen

    @property
    def uploaded(self) -> bytes | None:
        """The bytes of the picture or document as they were sent."""
        return None if self.media is None else self.media.data

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [button for row in (self.markup or {}).get("inline_keyboard") or [] for button in row]

    @property
    def labels(self) -> list[str]:
        return [button["text"] for button in self.buttons]

    @property
    def marks(self) -> list[tuple[str, str]]:
        """The entities as (type, text) pairs."""
        units = self.words.encode("utf-16-le", "surrogatepass")
        cuts = [(e["type"], units[2 * e["offset"] : 2 * (e["offset"] + e["length"])]) for e in self.entities]
        return [(kind, cut.decode("utf-16-le", "surrogatepass")) for kind, cut in cuts]

    @property
    def by_bot(self) -> bool:
        return self.sender is not None and self.sender is self.chat.home.bot

    def remember(self) -> None:
        """The message shows something new."""
        at = self.date if self.edited is None else self.edited
        media = self.media
        shown = None if media is None else media.data
        self.past.append(Version(at, self.text, self.caption, shown, tuple(self.labels)))

    def form(self, *, inner: bool = True) -> dict[str, Any]:
        told: dict[str, Any] = {"message_id": self.id, "date": int(self.date), "chat": self.chat.form()}
        if self.sender is not None:
            told["from"] = self.sender.form()
        answered = None if self.reply_to is None or self.reply_to.deleted or not inner else self.reply_to
        optional = {
            "sender_chat": None if self.sender_chat is None else self.sender_chat.form(),
            "message_thread_id": self.thread,
            "is_topic_message": self.in_topic or None,
            "reply_to_message": None if answered is None else answered.form(inner=False),
            "edit_date": None if self.edited is None else int(self.edited),
            "media_group_id": self.album,
            "has_media_spoiler": self.spoiler or None,
            "has_protected_content": self.protected or None,
            "forward_origin": self.origin,
            "via_bot": None if self.via_bot is None else self.via_bot.form(),
            "reply_markup": self.markup if "inline_keyboard" in (self.markup or {}) else None,
            "text": self.text or None,
            "caption": self.caption or None,
            ("entities" if self.text else "caption_entities"): self.entities or None,
        }
        told |= {name: value for name, value in optional.items() if value is not None}
        if self.media is not None:
            told |= self.media.form()
        return {**told, **self.extra, **self.service}


@dataclass(eq=False)
class Topic:
    """A topic of a forum; its id is that of the note that opened it."""

    id: int
    name: str
    opening: Message  #: the service message that made it
    closed: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture of the bot's that can be seen in a chat."""

    message: Message
    kind: str  #: "photo" or "document"
    data: bytes  #: as people see or save it
    sent: bytes  #: as the bot uploaded it


@dataclass(eq=False)
class Chat:
    """Anything messages can be in: a private chat, a group, a supergroup, a channel."""

    home: BotApi
    id: int
    kind: str
    title: str = ""
    person: Account | None = None  #: of a private chat
    forum: bool = False
    members: dict[int, str] = field(default_factory=dict)  #: status by the id of the account
    anonymous: set[int] = field(default_factory=set)  #: administrators who write in the name of the group
    started: bool = False  #: whether the person of a private chat has ever written to the bot
    blocked: bool = False
    denied: set[str] = field(default_factory=set)  #: what the bot may not do: "text", "photos", "documents", "delete"
    moved_to: Chat | None = None
    deleted: bool = False
    topics: dict[int, Topic] = field(default_factory=dict)
    everything: dict[int, Message] = field(default_factory=dict)  #: the deleted ones too
    actions: list[tuple[float, str, int | None]] = field(default_factory=list)  #: chat actions, with their topic
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(2))  #: the first message made the chat

    def __repr__(self) -> str:
        return f"<Chat {self.id} {self.kind} {self.title!r}>"

    # What is to be seen

    @property
    def messages(self) -> list[Message]:
        """What a person finds there now, oldest first, without notes on who joined and the like."""
        return [message for message in self.everything.values() if not message.deleted and not message.service]

    @property
    def told(self) -> list[Message]:
        """What the bot says there now, oldest first."""
        return [message for message in self.messages if message.by_bot or message.via_bot is self.home.bot]

    @property
    def last(self) -> Message:
        """The newest message of the bot's."""
        return self.told[-1]

    @property
    def pictures(self) -> list[Picture]:
        """Every picture of the bot's that can be seen there now, photos and picture documents."""
        found = []
        for message in self.told:
            media, seen = message.media, message.picture
            if media is not None and seen is not None:
                found.append(Picture(message, media.kind, seen, media.data))
        return found

    def inside(self, topic: Topic | None) -> list[Message]:
        """The messages of a topic, of General when None."""
        number = None if topic is None or topic.id == GENERAL else topic.id
        return [m for m in self.messages if (m.thread if m.in_topic else None) == number]

    # Its forms

    @property
    def username(self) -> str:
        return self.person.username if self.person is not None else ""

    def form(self) -> dict[str, Any]:
        told: dict[str, Any] = {"id": self.id, "type": self.kind}
        if self.person is not None:
            told["first_name"] = self.person.name.title()
            return {**told, "username": self.username} if self.username else told
        told["title"] = self.title
        return {**told, "is_forum": True} if self.forum else told

    def status(self, account: Account) -> str:
        return self.members.get(account.id, LEFT)

    def member(self, account: Account, status: str | None = None) -> dict[str, Any]:
        """A ChatMember."""
        status = status or self.status(account)
        told: dict[str, Any] = {"status": status, "user": account.form()}
        hidden = account.id in self.anonymous
        if status == OWNER:
            return {**told, "is_anonymous": hidden}
        if status == ADMINISTRATOR:
            rights = {name: account is not self.home.bot or name != "can_promote_members" for name in RIGHTS}
            return {**told, "can_be_edited": False, "is_anonymous": hidden, **rights}
        return {**told, "until_date": 0} if status == KICKED else told


RIGHTS = (
    "can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_promote_members",
    "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories",
    "can_pin_messages", "can_manage_topics",
)  # fmt: skip
