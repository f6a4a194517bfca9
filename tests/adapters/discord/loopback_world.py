"""What a Discord consists of: people, servers, channels, messages and their JSON forms, under a clock that can jump."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

EPOCH = 1_420_070_400.0
#: Types of channels.
TEXT, DM, VOICE, GROUP, PUBLIC_THREAD, FORUM = 0, 1, 2, 3, 11, 15
EPHEMERAL, LOADING = 64, 128
PERMISSIONS = {
    "manage_guild": 1 << 5,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "embed_links": 1 << 14,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "use_external_emojis": 1 << 18,
    "use_application_commands": 1 << 31,
    "send_messages_in_threads": 1 << 38,
    "administrator": 1 << 3,
}
USUAL = sum(
    PERMISSIONS[name] for name in PERMISSIONS if name not in ("manage_guild", "manage_messages", "administrator")
)


class Clock:
    """The time on the loopback's wall; `advance` makes hours pass in no time."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += seconds


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


class Snowflakes:
    """Ids that grow, and from which the library reads when a thing was made."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.count = clock, itertools.count()

    def __call__(self) -> str:
        return str((int((self.clock() - EPOCH) * 1000) << 22) | (next(self.count) % (1 << 22)))


@dataclass(eq=False)
class Person:
    """Somebody with an account, the bot among them."""

    id: str
    name: str
    bot: bool = False
    locale: str = "en-US"
    refuses_dms: bool = False
    installed: bool = False  #: added the application to the own account
    powers: set[str] = field(default_factory=set)  #: permissions beyond the usual, in every server
    roles: list[str] = field(default_factory=list)

    def user(self) -> dict[str, Any]:
        return {
            "id": self.id, "username": self.name, "discriminator": "0", "global_name": self.name.title(),
            "avatar": None, "bot": self.bot, "system": False, "public_flags": 0, "flags": 0, "primary_guild": None,
        }  # fmt: skip

    @property
    def permissions(self) -> int:
        if "administrator" in self.powers:
            return sum(PERMISSIONS.values())
        return USUAL | sum(PERMISSIONS[name] for name in self.powers)

    def member(self, *, whole: bool = True) -> dict[str, Any]:
        told: dict[str, Any] = {
            "roles": self.roles, "joined_at": stamp(EPOCH + 1e8), "deaf": False, "mute": False, "nick": None,
            "avatar": None, "banner": None, "flags": 0, "pending": False, "premium_since": None,
            "communication_disabled_until": None,
        }  # fmt: skip
        return {**told, "user": self.user(), "permissions": str(self.permissions)} if whole else told


@dataclass(eq=False)
class Attachment:
    id: str
    name: str
    data: bytes
    url: str
    description: str | None = None
    kind: str = "image/png"

    def form(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": self.id, "filename": self.name, "size": len(self.data), "url": self.url, "proxy_url": self.url,
            "content_type": self.kind,
        }  # fmt: skip
        return told if self.description is None else {**told, "description": self.description}


@dataclass(eq=False)
class Message:
    """A message as people see it, and how often it was sent and changed."""

    id: str
    channel: Channel
    author: Person
    created: float
    content: str = ""
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    nonce: str | None = None
    edited: float | None = None
    edits: int = 0
    old_edits: int = 0
    kind: int = 0
    viewer: Person | None = None  #: the only one who sees it, when ephemeral
    asked_by: Person | None = None  #: whose interaction this answers
    interaction: str | None = None
    reference: str | None = None
    pings: set[str] = field(default_factory=set)  #: ids of those it notified, "everyone" among them
    past: list[str] = field(default_factory=list)  #: the texts it has shown so far

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        return bool(self.flags & LOADING)

    @property
    def text(self) -> str:
        """All the words of it."""
        parts = [self.content]
        for embed in self.embeds:
            parts += [embed.get("title") or "", embed.get("description") or ""]
            parts += [part for item in embed.get("fields") or [] for part in (item["name"], item["value"])]
            parts.append((embed.get("footer") or {}).get("text") or "")
            parts.append((embed.get("author") or {}).get("name") or "")
        parts += [item["content"] for item in walk(self.components) if item["type"] == 10]
        return "\n".join(part for part in parts if part)

    @property
    def pictures(self) -> list[bytes]:
        return [attachment.data for attachment in self.attachments]

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [item for item in walk(self.components) if item["type"] == 2]

    @property
    def labels(self) -> list[str]:
        return [item.get("label") or (item.get("emoji") or {}).get("name") or "" for item in self.buttons]

    def form(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": self.id, "channel_id": self.channel.id, "author": self.author.user(), "content": self.content,
            "timestamp": stamp(self.created), "edited_timestamp": None if self.edited is None else stamp(self.edited),
            "tts": False, "mention_everyone": False, "mentions": [], "mention_roles": [], "pinned": False,
            "attachments": [a.form() for a in self.attachments], "embeds": self.embeds, "type": self.kind,
            "flags": self.flags, "components": self.components,
        }  # fmt: skip
        if self.nonce is not None:
            told["nonce"] = self.nonce
        if self.author.bot:
            told["application_id"] = self.author.id
        if self.reference is not None:
            told["message_reference"] = {"type": 0, "channel_id": self.channel.id, "message_id": self.reference}
        if self.interaction is not None and self.asked_by is not None:
            told["interaction_metadata"] = {
                "id": self.interaction, "type": 2, "user": self.asked_by.user(),
                "authorizing_integration_owners": {}, "original_response_message_id": self.id,
            }  # fmt: skip
        return told


@dataclass(eq=False)
class Channel:
    """Anything messages can be in: a text channel, a thread, a direct conversation."""

    id: str
    name: str
    kind: int = TEXT
    guild: Guild | None = None
    parent: Channel | None = None
    nsfw: bool = False
    people: list[Person] = field(default_factory=list)  #: of a direct conversation, the bot among them
    denied: set[str] = field(default_factory=set)  #: permissions that the bot lacks here
    archived: bool = False
    locked: bool = False
    deleted: bool = False
    messages: dict[str, Message] = field(default_factory=dict)

    @property
    def last(self) -> Message:
        return next(reversed(self.messages.values()))

    def seen_by(self, person: Person) -> list[Message]:
        """What a person finds there, oldest first."""
        return [m for m in self.messages.values() if m.viewer is None or m.viewer is person]

    @property
    def bot_permissions(self) -> int:
        return USUAL & ~sum(PERMISSIONS[name] for name in self.denied)

    def form(self, *, partial: bool = False) -> dict[str, Any]:
        if self.kind in (DM, GROUP):
            told: dict[str, Any] = {"id": self.id, "type": self.kind, "flags": 0, "last_message_id": None}
            others = [person.user() for person in self.people if not person.bot]
            if self.kind == GROUP:
                return {**told, "recipients": others, "name": self.name, "icon": None, "owner_id": others[0]["id"]}
            return {**told, "recipients": others}
        assert self.guild is not None
        told = {
            "id": self.id, "type": self.kind, "guild_id": self.guild.id, "name": self.name, "flags": 0,
            "parent_id": self.parent.id if self.parent else None, "rate_limit_per_user": 0, "last_message_id": None,
        }  # fmt: skip
        if self.kind == PUBLIC_THREAD:
            about = {"archived": self.archived, "auto_archive_duration": 1440, "archive_timestamp": stamp(EPOCH + 2e8),
                     "locked": self.locked, "create_timestamp": stamp(EPOCH + 2e8)}  # fmt: skip
            told |= {"owner_id": self.guild.owner.id, "message_count": len(self.messages), "member_count": 2,
                     "total_message_sent": len(self.messages), "thread_metadata": about}  # fmt: skip
        else:
            told |= {"position": 0, "nsfw": self.nsfw, "topic": None, "permission_overwrites": []}
        if self.kind == VOICE:
            told |= {"bitrate": 64_000, "user_limit": 0}
        if partial:
            told["permissions"] = str(USUAL)
        return told


@dataclass(eq=False)
class Guild:
    """A server. `joined` is False for one where the bot only comes along with a person's own installation."""

    id: str
    name: str
    owner: Person
    channels: dict[str, Channel] = field(default_factory=dict)
    joined: bool = True
    available: bool = True
    locale: str = "en-US"

    def form(self, members: list[dict[str, Any]]) -> dict[str, Any]:
        everyone = {
            "id": self.id, "name": "@everyone", "color": 0, "hoist": False, "icon": None, "unicode_emoji": None,
            "position": 0, "permissions": str(USUAL), "managed": False, "mentionable": False, "flags": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        }  # fmt: skip
        own = [c for c in self.channels.values() if not c.deleted]
        return {
            "id": self.id, "name": self.name, "icon": None, "splash": None, "discovery_splash": None,
            "owner_id": self.owner.id, "afk_channel_id": None, "afk_timeout": 300, "verification_level": 0,
            "default_message_notifications": 0, "explicit_content_filter": 0, "roles": [everyone], "emojis": [],
            "features": [], "mfa_level": 0, "application_id": None, "system_channel_id": None,
            "system_channel_flags": 0, "rules_channel_id": None, "vanity_url_code": None, "description": None,
            "banner": None, "premium_tier": 0, "premium_subscription_count": 0, "preferred_locale": self.locale,
            "public_updates_channel_id": None, "nsfw_level": 0, "premium_progress_bar_enabled": False, "nsfw": False,
            "stickers": [], "safety_alerts_channel_id": None, "joined_at": stamp(EPOCH + 1e8), "large": False,
            "unavailable": False, "member_count": len(members), "voice_states": [], "presences": [],
            "members": members, "stage_instances": [], "guild_scheduled_events": [], "soundboard_sounds": [],
            "channels": [c.form() for c in own if c.kind != PUBLIC_THREAD],
            "threads": [c.form() for c in own if c.kind == PUBLIC_THREAD and not c.archived],
        }  # fmt: skip


@dataclass(eq=False)
class Interaction:
    """One command, press, choice, form or look-up of a person, and what the bot made of it."""

    id: str
    token: str
    kind: int
    person: Person
    channel: Channel
    created: float
    data: dict[str, Any]
    source: Message | None = None  #: the message with the pressed button
    begun: float = field(default_factory=time.perf_counter)
    waited: float | None = None  #: seconds until the bot answered
    answer: int | None = None  #: type of the callback; None when "the application did not respond"
    message: Message | None = None  #: the original response, or the updated message
    followups: list[Message] = field(default_factory=list)
    choices: list[dict[str, Any]] = field(default_factory=list)
    modal: dict[str, Any] | None = None
    deferred: bool = False  #: the original response is still to come
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def deferred_first(self) -> bool:
        return self.answer in (5, 6)

    @property
    def private(self) -> bool:
        """Only the person sees the answer."""
        return self.message is not None and self.message.ephemeral

    @property
    def replies(self) -> list[Message]:
        own = [self.message] if self.message is not None and self.answer in (4, 5) else []
        return own + self.followups

    @property
    def text(self) -> str:
        """What the person reads in answer."""
        return "\n".join(message.text for message in self.replies)


def walk(components: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All the components, those inside of others too."""
    found = []
    for item in components:
        found.append(item)
        found += walk(item.get("components") or [])
        for name in ("accessory", "component"):
            if item.get(name):
                found += walk([item[name]])
    return found
