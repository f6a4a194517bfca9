"""How a payload becomes a message: Discord's limits, files, mentions and nonces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from loopback_faults import Refusal
from loopback_world import EPHEMERAL, LOADING, Attachment, Channel, Interaction, Message, Person, walk

if TYPE_CHECKING:
    from loopback import Loopback

#: Where embeds may hold a link, and how long the texts may be.
EMBED_TEXTS = {"title": 256, "description": 4096}
KINDS = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "jpeg": "image/jpeg", "zip": "application/zip",
         "json": "application/json", "txt": "text/plain; charset=utf-8"}  # fmt: skip
#: Bits that a sender may set: suppress embeds, ephemeral, suppress notifications, components v2.
SETTABLE = 4 | EPHEMERAL | 4096 | 32768


def create(
    home: Loopback,
    channel: Channel,
    author: Person,
    payload: dict[str, Any],
    files: dict[str, tuple[str, bytes]],
    *,
    interaction: Interaction | None = None,
    loading: bool = False,
) -> Message:
    """Put a new message into a channel. With an enforced nonce the message that has it already is the answer."""
    nonce = payload.get("nonce")
    nonce = None if nonce is None else str(nonce)
    if nonce is not None and len(nonce) > 25:
        raise Refusal(50035, "nonce is longer than 25 characters")
    if nonce is not None and payload.get("enforce_nonce"):
        known = home.nonces.get((channel.id, nonce))
        if known is not None and home.clock() - known.created < home.nonce_window:
            return known
    message = Message(home.ids(), channel, author, home.clock(), nonce=nonce)
    if interaction is not None:
        message.kind, message.interaction, message.asked_by = 20, interaction.id, interaction.person
    reference = payload.get("message_reference")
    if reference is not None:
        gone = str(reference["message_id"]) not in channel.messages
        if gone and reference.get("fail_if_not_exists", True):
            raise Refusal(50035, "message_reference: Unknown message")
        message.reference = None if gone else str(reference["message_id"])
    message.flags = int(payload.get("flags") or 0) & SETTABLE
    if message.ephemeral:
        if interaction is None:
            raise Refusal(50035, "only the answer to an interaction can be ephemeral")
        message.viewer = interaction.person
    apply(home, message, payload, files, interaction)
    if loading:
        message.flags |= LOADING
    elif not (message.content or message.embeds or message.attachments or message.components):
        raise Refusal(50006)
    if not message.loading:
        message.pings = pinged(message.content, payload.get("allowed_mentions"))
    channel.messages[message.id] = message
    if nonce is not None:
        home.nonces[channel.id, nonce] = message
    return message


def change(
    home: Loopback,
    message: Message,
    payload: dict[str, Any],
    files: dict[str, tuple[str, bytes]],
    interaction: Interaction | None = None,
) -> Message:
    """Edit a message; what the payload leaves out stays."""
    before = message.flags
    message.past.append(message.text)
    if message.loading and "flags" in payload:
        message.flags = (message.flags & EPHEMERAL) | (int(payload["flags"] or 0) & SETTABLE & ~EPHEMERAL)
    if before & 32768 and (payload.get("content") or payload.get("embeds")):
        raise Refusal(50035, "a message with components v2 has neither content nor embeds")
    apply(home, message, payload, files, interaction)
    if not (message.content or message.embeds or message.attachments or message.components):
        raise Refusal(50006)
    message.flags &= ~LOADING
    message.edited = home.clock()
    message.edits += 1
    return message


def apply(
    home: Loopback,
    message: Message,
    payload: dict[str, Any],
    files: dict[str, tuple[str, bytes]],
    interaction: Interaction | None,
) -> None:
    """Take over what the payload says, all of it or nothing."""
    content = message.content if "content" not in payload else payload["content"] or ""
    embeds = message.embeds if "embeds" not in payload else payload["embeds"] or []
    components = message.components if "components" not in payload else payload["components"] or []
    for embed in embeds:
        embed.setdefault("type", "rich")
    attachments = attached(home, message, payload, files)
    check_text(content, embeds)
    check_components(components, v2=bool((int(payload.get("flags") or 0) | message.flags) & 32768))
    names = {a.name for a in attachments}
    for embed in embeds:
        for part in ("image", "thumbnail"):
            url = (embed.get(part) or {}).get("url") or ""
            if url.startswith("attachment://") and url.removeprefix("attachment://") not in names:
                home.complain(f"an embed shows {url}, which is not attached")
            if url.startswith("attachment://"):
                embed[part]["url"] = next((a.url for a in attachments if a.name == url[13:]), url)
    message.content, message.embeds, message.components, message.attachments = content, embeds, components, attachments


def attached(
    home: Loopback, message: Message, payload: dict[str, Any], files: dict[str, tuple[str, bytes]]
) -> list[Attachment]:
    """The attachments afterwards: those the payload keeps, and the files it brings."""
    told = payload.get("attachments")
    kept = list(message.attachments)
    about: dict[str, Any] = {}
    if told is not None:
        about = {str(item["id"]): item for item in told}
        kept = [a for a in message.attachments if a.id in about]
        for item in kept:
            item.description = about[item.id].get("description", item.description)
    limit = home.file_limit
    if sum(len(data) for _, data in files.values()) > 25 * 2**20:
        raise Refusal(40005)
    for number, (name, data) in files.items():
        if len(data) > limit:
            raise Refusal(40005, f"{name} has {len(data)} bytes, {limit} are allowed")
        more = about.get(number, {})
        final = more.get("filename") or name
        kept.append(home.attachment(message.channel, final, data, more.get("description")))
    missing = [i for i in about if len(i) < 10 and i not in files]
    if missing:
        raise Refusal(50035, f"attachments {missing} have no file")
    if len(kept) > 10:
        raise Refusal(50035, "more than 10 attachments")
    return kept


def check_text(content: str, embeds: list[dict[str, Any]]) -> None:
    if len(content) > 2000:
        raise Refusal(50035, f"content has {len(content)} characters, 2000 are allowed")
    if len(embeds) > 10:
        raise Refusal(50035, "more than 10 embeds")
    total = 0
    for embed in embeds:
        fields = embed.get("fields") or []
        if len(fields) > 25:
            raise Refusal(50035, "more than 25 fields")
        sizes = [(embed.get(name) or "", most, name) for name, most in EMBED_TEXTS.items()]
        sizes += [(item["name"], 256, "field name") for item in fields]
        sizes += [(item["value"], 1024, "field value") for item in fields]
        sizes += [((embed.get("footer") or {}).get("text") or "", 2048, "footer")]
        sizes += [((embed.get("author") or {}).get("name") or "", 256, "author")]
        for text, most, name in sizes:
            if len(text) > most:
                raise Refusal(50035, f"embed {name} has {len(text)} characters, {most} are allowed")
            total += len(text)
        if any(not item["name"] or not item["value"] for item in fields):
            raise Refusal(50035, "an embed field is empty")
    if total > 6000:
        raise Refusal(50035, f"embeds have {total} characters, 6000 are allowed")


def check_components(components: list[dict[str, Any]], *, v2: bool) -> None:
    if v2 and len(walk(components)) > 40:
        raise Refusal(50035, "more than 40 components")
    if not v2 and len(components) > 5:
        raise Refusal(50035, "more than 5 rows")
    if not v2 and any(item["type"] != 1 for item in components):
        raise Refusal(50035, "components outside of a row")
    seen: set[str] = set()
    for item in walk(components):
        if item["type"] == 1:
            inner = item.get("components") or []
            room = sum(1 if part["type"] == 2 else 5 for part in inner)
            if not inner or room > 5:
                raise Refusal(50035, "a row is empty or too wide")
        custom = item.get("custom_id")
        if custom is not None:
            if not custom or len(custom) > 100 or custom in seen:
                raise Refusal(50035, f"custom_id {custom!r} is empty, too long or there twice")
            seen.add(custom)
        if item["type"] == 2 and len(item.get("label") or "") > 80:
            raise Refusal(50035, "a label has more than 80 characters")
        if item["type"] == 2 and not (item.get("label") or item.get("emoji")):
            raise Refusal(50035, "a button without label and emoji")
        if item["type"] == 3:
            options = item.get("options") or []
            if not 1 <= len(options) <= 25:
                raise Refusal(50035, f"a select with {len(options)} options")
            if any(len(option["label"]) > 100 or len(option.get("description") or "") > 100 for option in options):
                raise Refusal(50035, "an option's text is longer than 100 characters")


def pinged(content: str, allowed: dict[str, Any] | None) -> set[str]:
    """Who gets a notification: by default everybody whom the text names."""
    people = set(re.findall(r"<@!?(\d+)>", content))
    roles = set(re.findall(r"<@&(\d+)>", content))
    everyone = {"everyone"} if re.search(r"@(everyone|here)\b", content) else set()
    if allowed is None:
        return people | roles | everyone
    parse = allowed.get("parse") or []
    found = people if "users" in parse else people & {str(i) for i in allowed.get("users") or []}
    found = found | (roles if "roles" in parse else roles & {str(i) for i in allowed.get("roles") or []})
    return found | (everyone if "everyone" in parse else set())


def kind_of(name: str) -> str:
    return KINDS.get(name.rsplit(".", 1)[-1].lower(), "application/octet-stream")
