"""The methods that change and delete messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botapi_text
from botapi_calls import Call, Refusal, Upload, method
from botapi_sending import caption, chat_of, writable
from botapi_world import ADMINISTRATOR, CHANNEL, PRIVATE, Message

if TYPE_CHECKING:
    from botapi import BotApi

SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current"
    " content and reply markup of the message"
)
#: Seconds after which a message can be deleted by nobody but its author's own client.
DELETABLE = 48 * 3600


def target(home: BotApi, call: Call) -> Message:
    """The message that is to be changed, one of the bot's. Raises Refusal."""
    if inline := call.get("inline_message_id"):
        found = home.inlined.get(inline)
        if found is None:
            raise Refusal(400, "Bad Request: MESSAGE_ID_INVALID")
        if found.deleted:
            raise Refusal(400, "Bad Request: MESSAGE_ID_INVALID")
        return found
    chat = writable(home, call, "edit")
    if not isinstance(call.get("message_id"), int):
        raise Refusal(400, "Bad Request: message identifier is not specified")
    found = chat.everything.get(call.params["message_id"])
    if found is None or found.deleted:
        raise Refusal(400, "Bad Request: message to edit not found")
    own = found.by_bot or (chat.kind == CHANNEL and found.sender is None)
    reply_keyboard = bool(found.markup) and "inline_keyboard" not in (found.markup or {})
    old = home.edit_window is not None and home.clock() - found.date > home.edit_window
    if not own or found.service or found.origin is not None or reply_keyboard or old:
        raise Refusal(400, "Bad Request: message can't be edited")
    return found


def change(home: BotApi, call: Call, message: Message, **new: Any) -> Any:
    """The message shows what is new. A keyboard that is not given is taken away."""
    new["markup"] = botapi_text.markup(call.get("reply_markup"))
    # The same bytes uploaded again are another file, and so a change.
    if all(getattr(message, name) == value for name, value in new.items()):
        raise Refusal(400, f"Bad Request: {SAME}")
    for name, value in new.items():
        setattr(message, name, value)
    message.edited = home.clock()
    message.remember()
    return True if call.get("inline_message_id") else message.form()


@method
async def editMessageText(home: BotApi, call: Call) -> Any:
    message = target(home, call)
    text, entities = botapi_text.fit(
        call.get("text"), call.get("entities"), call.get("parse_mode"), botapi_text.MOST_TEXT, "MESSAGE_TOO_LONG"
    )
    if not text:
        raise Refusal(400, "Bad Request: message text is empty")
    if message.media is not None:
        raise Refusal(400, "Bad Request: there is no text in the message to edit")
    return change(home, call, message, text=text, entities=entities)


@method
async def editMessageCaption(home: BotApi, call: Call) -> Any:
    message = target(home, call)
    said, entities = caption(call.params)
    if message.media is None:
        raise Refusal(400, "Bad Request: there is no caption in the message to edit")
    return change(home, call, message, caption=said, entities=entities)


@method
async def editMessageMedia(home: BotApi, call: Call) -> Any:
    message = target(home, call)
    item = call.get("media")
    if not isinstance(item, dict) or item.get("type") not in ("photo", "document"):
        raise Refusal(400, 'Bad Request: can\'t parse InputMedia: field "type" must be photo or document here')
    kind = item["type"]
    if message.album is not None and message.media is not None and message.media.kind != kind:
        raise Refusal(400, "Bad Request: message can't be edited")
    given = call.file(item.get("media"), kind)
    if call.get("inline_message_id") and isinstance(given, Upload):
        raise Refusal(400, "Bad Request: invalid message content specified")
    if kind + "s" in message.chat.denied:
        raise Refusal(400, f"Bad Request: not enough rights to send {kind}s to the chat")
    said, entities = caption(item)
    media = home.files.given(given, kind)
    about = {"caption": said, "entities": entities, "spoiler": bool(item.get("has_spoiler"))}
    return change(home, call, message, text="", media=media, **about)


@method
async def editMessageReplyMarkup(home: BotApi, call: Call) -> Any:
    return change(home, call, target(home, call))


def may_delete(home: BotApi, message: Message) -> bool:
    """Whether the bot may delete this message."""
    chat = message.chat
    if home.clock() - message.date > DELETABLE and chat.status(home.bot) != ADMINISTRATOR:
        return False
    if message.by_bot or chat.kind == PRIVATE or (chat.kind == CHANNEL and message.sender is None):
        return "forum_topic_created" not in message.service
    return chat.status(home.bot) == ADMINISTRATOR and "delete" not in chat.denied


@method
async def deleteMessage(home: BotApi, call: Call) -> Any:
    chat = chat_of(home, call)
    message = chat.everything.get(call.get("message_id") or 0)
    if message is None or message.deleted:
        raise Refusal(400, "Bad Request: message to delete not found")
    if not may_delete(home, message):
        whole = " for everyone" if message.by_bot or chat.kind == PRIVATE else ""
        raise Refusal(400, f"Bad Request: message can't be deleted{whole}")
    message.deleted = True
    return True


@method
async def deleteMessages(home: BotApi, call: Call) -> Any:
    chat, numbers = chat_of(home, call), call.get("message_ids")
    if not isinstance(numbers, list) or not numbers:
        raise Refusal(400, "Bad Request: message identifiers are not specified")
    if len(numbers) > 100:
        raise Refusal(400, "Bad Request: too many messages to delete")
    found = [chat.everything[number] for number in map(int, numbers) if number in chat.everything]
    for message in found:
        if not message.deleted and not may_delete(home, message):
            raise Refusal(400, "Bad Request: message can't be deleted")
    for message in found:
        message.deleted = True
    return True
