"""The methods that ask about things, answer presses and searches, and settle what the bot looks like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import botapi_text
from botapi_calls import Call, Refusal, method
from botapi_files import MOST_DOWNLOAD
from botapi_sending import chat_of, writable
from botapi_world import ADMINISTRATOR, CHANNEL, LEFT, OWNER, PRIVATE, Account, Chat

if TYPE_CHECKING:
    from botapi import BotApi

OLD_QUERY = "Bad Request: query is too old and response timeout expired or query ID is invalid"
SCOPES = {
    "default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat", "chat_administrators",
    "chat_member",
}  # fmt: skip


@method
async def getMe(home: BotApi, call: Call) -> Any:
    able = {
        "can_join_groups": True, "can_read_all_group_messages": not home.privacy, "supports_inline_queries": True,
        "can_connect_to_business": False, "has_main_web_app": False,
    }  # fmt: skip
    return {**home.bot.form(), **able}


@method
async def getFile(home: BotApi, call: Call) -> Any:
    found = home.files.by_id.get(str(call.get("file_id", "")))
    if found is None:
        raise Refusal(400, "Bad Request: invalid file_id")
    file = found[0]
    if len(file.data) > MOST_DOWNLOAD:
        raise Refusal(400, "Bad Request: file is too big")
    return {**file.form(), "file_path": file.path}


# Chats and who is in them


@method
async def getChat(home: BotApi, call: Call) -> Any:
    chat = chat_of(home, call)
    told = {
        **chat.form(), "accent_color_id": 1, "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(GIFTS, False),
    }  # fmt: skip
    if chat.kind != PRIVATE:
        told["permissions"] = {name: name.removeprefix("can_send_") not in chat.denied for name in PERMISSIONS}
    return told


GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
PERMISSIONS = (
    "can_send_messages", "can_send_audios", "can_send_documents", "can_send_photos", "can_send_videos",
    "can_send_video_notes", "can_send_voice_notes", "can_send_polls", "can_send_other_messages",
    "can_add_web_page_previews", "can_change_info", "can_invite_users", "can_pin_messages", "can_manage_topics",
)  # fmt: skip


def account_of(home: BotApi, call: Call) -> Account:
    found = home.accounts.get(call.get("user_id") or 0)
    if found is None:
        raise Refusal(400, "Bad Request: invalid user_id specified")
    return found


@method
async def getChatMember(home: BotApi, call: Call) -> Any:
    chat, account = chat_of(home, call), account_of(home, call)
    if chat.kind == CHANNEL and chat.status(home.bot) != ADMINISTRATOR:
        raise Refusal(400, "Bad Request: member list is inaccessible")
    if chat.kind == PRIVATE:
        status = "member" if account is chat.person or account is home.bot else LEFT
        return chat.member(account, status)
    return chat.member(account)


@method
async def getChatAdministrators(home: BotApi, call: Call) -> Any:
    chat = chat_of(home, call)
    if chat.kind == PRIVATE:
        raise Refusal(400, "Bad Request: there are no administrators in the private chat")
    # Telegram leaves out bots.
    people = [account for account in map(home.accounts.get, chat.members) if account is not None and not account.bot]
    return [chat.member(account) for account in people if chat.status(account) in (OWNER, ADMINISTRATOR)]


@method
async def getChatMemberCount(home: BotApi, call: Call) -> Any:
    return len(
        [status for status in chat_of(home, call).members.values() if status in ("creator", "administrator", "member")]
    )


@method
async def leaveChat(home: BotApi, call: Call) -> Any:
    chat = chat_of(home, call)
    if chat.kind == PRIVATE:
        raise Refusal(400, "Bad Request: chat member status can't be changed in private chats")
    home.change_member(chat, home.bot, LEFT, by=home.bot)
    return True


@method
async def setMessageReaction(home: BotApi, call: Call) -> Any:
    message = writable(home, call, "reaction").everything.get(call.get("message_id") or 0)
    if message is None or message.deleted:
        raise Refusal(400, "Bad Request: message to react not found")
    message.reactions = [item.get("emoji", "") for item in call.get("reaction") or []]
    return True


# What people press and search


@method
async def answerCallbackQuery(home: BotApi, call: Call) -> Any:
    press = home.presses.get(str(call.get("callback_query_id", "")))
    if press is None or press.answered or home.clock() - press.at > home.press_life:
        raise Refusal(400, OLD_QUERY)
    text = str(call.get("text") or "")
    if botapi_text.units(text) > 200:
        raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
    url = str(call.get("url") or "")
    if url and not url.startswith((f"https://t.me/{home.bot.username}?", f"t.me/{home.bot.username}?")):
        raise Refusal(400, "Bad Request: URL_INVALID")
    press.settle(text, alert=bool(call.get("show_alert")), url=url)
    return True


@method
async def answerInlineQuery(home: BotApi, call: Call) -> Any:
    query = home.queries.get(str(call.get("inline_query_id", "")))
    if query is None or query.answered or home.clock() - query.at > home.press_life:
        raise Refusal(400, OLD_QUERY)
    results = call.get("results")
    if not isinstance(results, list):
        raise Refusal(400, "Bad Request: can't parse inline query results JSON object")
    if len(results) > 50:
        raise Refusal(400, "Bad Request: RESULTS_TOO_MUCH")
    names = [str(result.get("id", "")) for result in results]
    if len(set(names)) < len(names):
        raise Refusal(400, "Bad Request: RESULT_ID_DUPLICATE")
    for result in results:
        fit_result(home, result)
    query.settle(results, button=call.get("button"), personal=bool(call.get("is_personal")))
    return True


def fit_result(home: BotApi, result: dict[str, Any]) -> None:
    """Raises Refusal for a result that cannot be offered."""
    if not 1 <= len(str(result.get("id", "")).encode()) <= 64:
        raise Refusal(400, "Bad Request: RESULT_ID_INVALID")
    botapi_text.markup(result.get("reply_markup"))
    match result.get("type"):
        case "article":
            content = result.get("input_message_content") or {}
            if not result.get("title") or not content.get("message_text"):
                raise Refusal(400, "Bad Request: can't parse inline query result: message content must be specified")
            botapi_text.fit(
                content["message_text"], content.get("entities"), content.get("parse_mode"),
                botapi_text.MOST_TEXT, "message is too long",
            )  # fmt: skip
        case "photo" | "document" as kind:
            name = f"{kind}_file_id"
            if name not in result:
                raise Refusal(400, f"Bad Request: a {kind} by its address is not offered here")
            home.files.given(result[name], kind)
            botapi_text.fit(
                result.get("caption"), result.get("caption_entities"), result.get("parse_mode"),
                botapi_text.MOST_CAPTION, "message caption is too long",
            )  # fmt: skip
        case other:
            raise Refusal(400, f'Bad Request: can\'t parse inline query result: type "{other}" is unsupported here')


# What the bot looks like


def scope_of(call: Call) -> tuple[Any, ...]:
    """Where and in which language commands hold. Raises Refusal."""
    scope = call.get("scope") or {"type": "default"}
    if not isinstance(scope, dict) or scope.get("type") not in SCOPES:
        raise Refusal(400, "Bad Request: can't parse BotCommandScope: unsupported type specified")
    language = str(call.get("language_code") or "")
    if language and not re.fullmatch(r"[a-z]{2}", language):
        raise Refusal(400, "Bad Request: invalid language code specified")
    return (scope["type"], scope.get("chat_id"), scope.get("user_id"), language)


@method
async def setMyCommands(home: BotApi, call: Call) -> Any:
    commands, scope = call.get("commands"), scope_of(call)
    if not isinstance(commands, list):
        raise Refusal(400, "Bad Request: can't parse commands JSON object")
    if len(commands) > 100:
        raise Refusal(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command", "")).removeprefix("/")):
            raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= 256:
            raise Refusal(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    if commands:
        home.commands[scope] = commands
    else:
        home.commands.pop(scope, None)
    return True


@method
async def getMyCommands(home: BotApi, call: Call) -> Any:
    return home.commands.get(scope_of(call), [])


@method
async def deleteMyCommands(home: BotApi, call: Call) -> Any:
    home.commands.pop(scope_of(call), None)
    return True


def offered(home: BotApi, chat: Chat, account: Account) -> list[dict[str, Any]]:
    """The commands that this person's client lists in a chat: the most particular scope in their language wins."""
    rights = chat.status(account) in (OWNER, ADMINISTRATOR)
    places: list[tuple[Any, ...]] = []
    if chat.kind == PRIVATE:
        places = [("chat", chat.id, None), ("all_private_chats", None, None)]
    else:
        places = [("chat_member", chat.id, account.id)]
        places += [("chat_administrators", chat.id, None)] if rights else []
        places += [("chat", chat.id, None)]
        places += [("all_chat_administrators", None, None)] if rights else []
        places += [("all_group_chats", None, None)]
    for scope in [*places, ("default", None, None)]:
        for language in (account.language[:2], ""):
            if commands := home.commands.get((*scope, language)):
                return commands
    return []


def described(name: str, key: str, most: int) -> None:
    """Register a pair of methods that set and tell a text about the bot, in each language."""

    async def setting(home: BotApi, call: Call) -> Any:
        text = str(call.get(key) or "")
        if len(text) > most:
            raise Refusal(400, f"Bad Request: {name} is too long")
        home.about[key, str(call.get("language_code") or "")] = text
        return True

    async def telling(home: BotApi, call: Call) -> Any:
        language = str(call.get("language_code") or "")
        return {key: home.about.get((key, language)) or home.about.get((key, ""), "")}

    setting.__name__, telling.__name__ = f"setMy{name}", f"getMy{name}"
    method(setting)
    method(telling)


described("Name", "name", 64)
described("Description", "description", 512)
described("ShortDescription", "short_description", 120)
