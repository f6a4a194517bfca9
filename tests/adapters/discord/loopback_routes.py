"""What each route does to the world, and what it answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import loopback_messages
from loopback_faults import Refusal
from loopback_world import DM, EPHEMERAL, PUBLIC_THREAD, Channel, Interaction, Message

if TYPE_CHECKING:
    from loopback import Loopback
    from loopback_http import Call

Match = re.Match[str]
#: Seconds for the first answer, and that a token lives.
PATIENCE, TOKEN_LIFE = 3.0, 900.0
#: Follow-ups where only a person installed the application.
FEW = 5


async def me(home: Loopback, call: Call, match: Match) -> Any:
    return {**home.bot.user(), "verified": True, "mfa_enabled": False, "locale": "en-US", "email": None}


async def application(home: Loopback, call: Call, match: Match) -> Any:
    return {
        "id": home.application, "name": "realbot", "icon": None, "description": "", "bot_public": True,
        "bot_require_code_grant": False, "verify_key": "0" * 64, "flags": 0, "team": None, "summary": "",
        "owner": home.owner.user(), "type": None, "hook": True, "integration_types_config": {"0": {}, "1": {}},
    }  # fmt: skip


async def gateway(home: Loopback, call: Call, match: Match) -> Any:
    limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
    return {"url": home.gateway_url, "shards": 1, "session_start_limit": limit}


async def commands(home: Loopback, call: Call, match: Match) -> Any:
    guild = match[2] if match.re.groups > 1 else None
    if call.method == "GET":
        return home.commands.get(guild, [])
    before = {(command["name"], command.get("type", 1)) for command in home.commands.get(guild, [])}
    told: list[dict[str, Any]] = call.told if call.method == "PUT" else [*home.commands.get(guild, []), call.told]
    for command in told:
        command.setdefault("type", 1)
        command |= {"id": command.get("id") or home.ids(), "application_id": home.application, "version": home.ids()}
        command.setdefault("default_member_permissions", None)
        command.setdefault("nsfw", False)
        command.setdefault("description", "")
        if guild is not None:
            command["guild_id"] = guild
    home.commands[guild] = told
    home.creates += sum((command["name"], command["type"]) not in before for command in told)
    return told if call.method == "PUT" else told[-1]


async def command(home: Loopback, call: Call, match: Match) -> Any:
    found = next((c for group in home.commands.values() for c in group if c["id"] == match[2]), None)
    if found is None:
        raise Refusal(10063, status=404)
    if call.method == "PATCH":
        found |= call.told
    if call.method == "DELETE":
        for group in home.commands.values():
            group[:] = [c for c in group if c is not found]
        return None
    return found


async def user(home: Loopback, call: Call, match: Match) -> Any:
    if match[1] not in home.people:
        raise Refusal(10013, status=404)
    return home.people[match[1]].user()


async def open_dm(home: Loopback, call: Call, match: Match) -> Any:
    person = home.people.get(str(call.told["recipient_id"]))
    if person is None or person is home.bot:
        raise Refusal(50007)
    return home.dm(person).form()


async def guild(home: Loopback, call: Call, match: Match) -> Any:
    found = home.guilds.get(match[1])
    if found is None or not found.joined:
        raise Refusal(50001)
    return found.form([home.bot.member()])


async def member(home: Loopback, call: Call, match: Match) -> Any:
    if match[2] not in home.people:
        raise Refusal(10007, status=404)
    return home.people[match[2]].member()


def place(home: Loopback, id_: str, *needs: str) -> Channel:
    """A channel that the bot may use, as far as `needs` goes."""
    found = home.channels.get(id_)
    if found is None or found.deleted:
        raise Refusal(10003)
    outside = found.guild is not None and not found.guild.joined
    if outside or "view_channel" in found.denied or (found.kind == DM and home.bot not in found.people):
        raise Refusal(50001)
    if found.guild is None and home.bot not in found.people:
        raise Refusal(50001)
    if found.denied.intersection(needs):
        raise Refusal(50013)
    return found


def own_needs(call: Call) -> list[str]:
    needs = ["attach_files"] if call.files else []
    return [*needs, "embed_links"] if (call.told or {}).get("embeds") else needs


async def channel(home: Loopback, call: Call, match: Match) -> Any:
    return place(home, match[1]).form()


async def typing(home: Loopback, call: Call, match: Match) -> Any:
    place(home, match[1], "send_messages")


async def messages(home: Loopback, call: Call, match: Match) -> Any:
    found = [m for m in place(home, match[1], "read_message_history").messages.values() if not m.ephemeral]
    return [m.form() for m in reversed(found)][: int(call.query.get("limit", 50))]


async def send(home: Loopback, call: Call, match: Match) -> Any:
    where = place(home, match[1], "send_messages", *own_needs(call))
    if where.kind == DM and any(person.refuses_dms for person in where.people):
        raise Refusal(50007)
    if where.kind == PUBLIC_THREAD and where.locked:
        raise Refusal(50083)
    known = set(where.messages)
    sent = loopback_messages.create(home, where, home.bot, call.told, call.files)
    where.archived = False
    if sent.id not in known:
        home.announce("MESSAGE_CREATE", sent)
    return sent.form()


async def message(home: Loopback, call: Call, match: Match) -> Any:
    where = place(home, match[1])
    found = where.messages.get(match[2])
    if found is None or found.ephemeral:
        raise Refusal(10008)
    if call.method == "GET":
        return found.form()
    if where.archived and where.kind == PUBLIC_THREAD:
        raise Refusal(50083)
    if call.method == "DELETE":
        if found.author is not home.bot and "manage_messages" not in home.bot.powers:
            raise Refusal(50013)
        home.delete(found)
        return None
    if found.author is not home.bot:
        raise Refusal(50005, status=403)
    if call.files:
        place(home, match[1], "attach_files")
    if home.clock() - found.created > 3600:
        found.old_edits += 1
        if found.old_edits > home.old_edits:
            raise Refusal(30046)
    loopback_messages.change(home, found, call.told, call.files)
    home.announce("MESSAGE_UPDATE", found)
    return found.form()


async def thread(home: Loopback, call: Call, match: Match) -> Any:
    where = place(home, match[1], "send_messages")
    assert where.guild is not None
    return home.thread(where, call.told["name"]).form()


async def callback(home: Loopback, call: Call, match: Match) -> Any:
    asked = home.interactions.get(match[2])
    if asked is None or asked.id != match[1]:
        raise Refusal(10062)
    if asked.answer is not None:
        raise Refusal(40060)
    if home.clock() - asked.created > PATIENCE:
        raise Refusal(10062)
    kind, data = call.told["type"], call.told.get("data") or {}
    check_callback(asked, kind, data)
    resource: dict[str, Any] = {"type": kind}
    match kind:
        case 4 | 5:
            if kind == 5:
                data = {"flags": (data.get("flags") or 0) & EPHEMERAL}
            asked.message = loopback_messages.create(
                home, asked.channel, home.bot, data, call.files, interaction=asked, loading=kind == 5
            )
            asked.deferred = kind == 5
        case 6 | 7:
            asked.message = asked.source
            if kind == 7 and asked.source is not None:
                loopback_messages.change(home, asked.source, data, call.files, asked)
        case 8:
            asked.choices = data["choices"]
        case 9:
            asked.modal = data
    home.settle(asked, kind)
    told: dict[str, Any] = {"id": asked.id, "type": asked.kind}
    if asked.message is not None:
        own = {"response_message_id": asked.message.id, "response_message_loading": asked.message.loading}
        told |= {**own, "response_message_ephemeral": asked.message.ephemeral}
        resource["message"] = asked.message.form()
    if call.query.get("with_response", "").lower() not in ("1", "true"):
        return None
    return {"interaction": told, "resource": resource} if kind in (4, 7) else {"interaction": told}


def check_callback(asked: Interaction, kind: int, data: dict[str, Any]) -> None:
    """Which answers fit which interactions."""
    fits = {2: (4, 5, 9), 3: (4, 5, 6, 7, 9), 4: (8,), 5: (4, 5, 6, 7)}[asked.kind]
    if kind not in fits or (kind in (6, 7) and asked.source is None):
        raise Refusal(50035, f"an answer of type {kind} to an interaction of type {asked.kind}")
    if kind == 8 and len(data.get("choices") or []) > 25:
        raise Refusal(50035, "more than 25 choices")
    if kind == 9:
        rows = data.get("components") or []
        if not 1 <= len(rows) <= 5 or not 1 <= len(data.get("title") or "") <= 45 or len(data["custom_id"]) > 100:
            raise Refusal(50035, "a modal has 1 to 5 rows and a title of 1 to 45 characters")


def by_token(home: Loopback, token: str) -> Interaction:
    """The interaction of a webhook token, as long as it lives."""
    asked = home.interactions.get(token)
    if asked is None or asked.answer is None:
        raise Refusal(10015)
    if home.clock() - asked.created > TOKEN_LIFE:
        raise Refusal(50027)
    return asked


async def follow_up(home: Loopback, call: Call, match: Match) -> Any:
    asked = by_token(home, match[2])
    if asked.deferred and asked.message is not None:
        # The first follow-up after a deferral is the original response.
        return finish(home, call, asked, asked.message)
    if asked.channel.guild is not None and not asked.channel.guild.joined and len(asked.followups) >= FEW:
        raise Refusal(40094, status=400)
    sent = loopback_messages.create(home, asked.channel, home.bot, call.told, call.files, interaction=asked)
    asked.followups.append(sent)
    return sent.form()


def finish(home: Loopback, call: Call, asked: Interaction, found: Message) -> Any:
    loopback_messages.change(home, found, call.told, call.files, asked)
    asked.deferred = False
    home.announce("MESSAGE_UPDATE", found)
    return found.form()


async def webhook_message(home: Loopback, call: Call, match: Match) -> Any:
    asked = by_token(home, match[2])
    found = asked.message
    if match[3] != "@original":
        found = next((m for m in [asked.message, *asked.followups] if m and m.id == match[3]), None)
    if found is None or found.id not in asked.channel.messages:
        raise Refusal(10008)
    if call.method == "GET":
        return found.form()
    if call.method == "DELETE":
        home.delete(found)
        return None
    return finish(home, call, asked, found)
