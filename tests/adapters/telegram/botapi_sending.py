"""The methods that put new messages into a chat."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import botapi_text
from botapi_calls import Call, Refusal, method
from botapi_world import ADMINISTRATOR, CHANNEL, GENERAL, GROUP, KICKED, LEFT, PRIVATE, SUPERGROUP, Chat, Message

if TYPE_CHECKING:
    from botapi import BotApi

ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip
#: What Telegram calls each kind of chat.
NAMES = {GROUP: "group", SUPERGROUP: "supergroup", CHANNEL: "channel"}
#: Options that come back as they were given.
TOLD = ("link_preview_options", "show_caption_above_media")


def chat_of(home: BotApi, call: Call, name: str = "chat_id") -> Chat:
    """The chat that a request names, which the bot can reach. Raises Refusal."""
    given = call.get(name)
    if given in (None, ""):
        raise Refusal(400, "Bad Request: chat_id is empty")
    chat = home.chats.get(given) if isinstance(given, int) else None
    if chat is None:
        raise Refusal(400, "Bad Request: chat not found")
    if chat.moved_to is not None:
        moved = "group chat was upgraded to a supergroup chat"
        raise Refusal(400, f"Bad Request: {moved}", migrate_to_chat_id=chat.moved_to.id)
    if chat.kind == PRIVATE:
        return chat
    kind = NAMES[chat.kind]
    if chat.deleted:
        raise Refusal(403, f"Forbidden: the {kind} chat was deleted")
    if chat.status(home.bot) == KICKED:
        raise Refusal(403, f"Forbidden: bot was kicked from the {kind} chat")
    if chat.status(home.bot) == LEFT:
        raise Refusal(403, f"Forbidden: bot is not a member of the {kind} chat")
    return chat


def writable(home: BotApi, call: Call, kind: str = "text") -> Chat:
    """The chat, when the bot may send this kind of thing there. Raises Refusal."""
    chat = chat_of(home, call)
    if chat.person is not None:
        if chat.person.deactivated:
            raise Refusal(403, "Forbidden: user is deactivated")
        if not chat.started:
            raise Refusal(403, "Forbidden: bot can't initiate conversation with a user")
        if chat.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
    if chat.kind == CHANNEL and chat.status(home.bot) != ADMINISTRATOR:
        raise Refusal(400, "Bad Request: need administrator rights in the channel chat")
    if kind in chat.denied:
        sent = "text messages" if kind == "text" else kind
        raise Refusal(400, f"Bad Request: not enough rights to send {sent} to the chat")
    return chat


def place(chat: Chat, call: Call) -> dict[str, Any]:
    """Topic and replied message of what is sent. Raises Refusal when there is none such."""
    thread = call.get("message_thread_id")
    asked = call.get("reply_parameters") or {}
    number = asked.get("message_id", call.get("reply_to_message_id"))
    lenient = bool(asked.get("allow_sending_without_reply", call.get("allow_sending_without_reply")))
    reply = None
    if number is not None:
        reply = chat.everything.get(int(number))
        if reply is None or reply.deleted or asked.get("chat_id", chat.id) not in (chat.id, str(chat.id)):
            reply = None
            if not lenient:
                raise Refusal(400, "Bad Request: message to be replied not found")
    if thread is not None:
        topic = chat.topics.get(thread)
        if topic is None or topic.deleted or thread == GENERAL:
            raise Refusal(400, "Bad Request: message thread not found")
        if reply is not None and reply.thread != thread:
            raise Refusal(400, "Bad Request: message to be replied not found")
    elif reply is not None and reply.in_topic:
        thread = reply.thread
    found = threaded(chat, thread, reply)
    topic = chat.topics.get(thread) if found["in_topic"] else None
    if topic is not None and topic.closed and chat.status(chat.home.bot) != ADMINISTRATOR:
        raise Refusal(400, "Bad Request: TOPIC_CLOSED")
    return found


def threaded(chat: Chat, thread: int | None, reply: Message | None) -> dict[str, Any]:
    """How a message hangs together with others, as Telegram tells it."""
    if chat.forum:
        if thread is None or thread == GENERAL:
            return {"thread": None, "in_topic": False, "reply_to": reply}
        # What answers nothing in a topic answers the note that opened it.
        return {"thread": thread, "in_topic": True, "reply_to": reply or chat.topics[thread].opening}
    if chat.kind == SUPERGROUP and reply is not None:
        return {"thread": reply.thread or reply.id, "in_topic": False, "reply_to": reply}
    return {"thread": None, "in_topic": False, "reply_to": reply}


def options(call: Call) -> dict[str, Any]:
    return {
        "markup": botapi_text.markup(call.get("reply_markup")),
        "silent": bool(call.get("disable_notification")),
        "protected": bool(call.get("protect_content")),
        "extra": {name: call.params[name] for name in TOLD if call.get(name)},
    }


def caption(fields: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The caption in a request or in one item of an album."""
    return botapi_text.fit(
        fields.get("caption"), fields.get("caption_entities"), fields.get("parse_mode"),
        botapi_text.MOST_CAPTION, "message caption is too long",
    )  # fmt: skip


def post(home: BotApi, chat: Chat, **about: Any) -> Message:
    """The bot says something."""
    sender, as_chat = (None, chat) if chat.kind == CHANNEL else (home.bot, None)
    return home.post(chat, sender, sender_chat=as_chat, **about)


@method
async def sendMessage(home: BotApi, call: Call) -> Any:
    chat = writable(home, call)
    text, entities = botapi_text.fit(
        call.get("text"), call.get("entities"), call.get("parse_mode"), botapi_text.MOST_TEXT, "message is too long"
    )
    if not text:
        raise Refusal(400, "Bad Request: message text is empty")
    return post(home, chat, text=text, entities=entities, **place(chat, call), **options(call)).form()


@method
async def sendPhoto(home: BotApi, call: Call) -> Any:
    return await sent(home, call, "photo")


@method
async def sendDocument(home: BotApi, call: Call) -> Any:
    return await sent(home, call, "document")


async def sent(home: BotApi, call: Call, kind: str) -> Any:
    given = call.files.get(kind) or call.file(call.get(kind), kind)
    chat = writable(home, call, kind + "s")
    said, entities = caption(call.params)
    about = {**place(chat, call), **options(call), "spoiler": bool(call.get("has_spoiler"))}
    media = home.files.given(given, kind)
    return post(home, chat, caption=said, entities=entities, media=media, **about).form()


@method
async def sendMediaGroup(home: BotApi, call: Call) -> Any:
    items = call.get("media")
    if not isinstance(items, list) or not items:
        raise Refusal(400, "Bad Request: there are no messages to send")
    if len(items) < 2:
        raise Refusal(400, "Bad Request: media group must include 2-10 items")
    if len(items) > 10:
        raise Refusal(400, "Bad Request: too many messages to send as an album")
    if call.get("reply_markup"):
        home.complain("sendMediaGroup: an album has no keyboard")
    kinds = {item.get("type") for item in items}
    if strange := kinds - {"photo", "document"}:
        raise Refusal(400, f'Bad Request: can\'t parse InputMedia: type "{strange.pop()}" is unsupported here')
    if len(kinds) > 1:
        raise Refusal(400, "Bad Request: document can't be mixed with other media types")
    chat = writable(home, call, f"{kinds.pop()}s")
    about = {**place(chat, call), **{name: value for name, value in options(call).items() if name != "markup"}}
    prepared = []
    for number, item in enumerate(items, 1):
        said, entities = caption(item)
        try:
            media = home.files.given(call.file(item.get("media"), item["type"]), item["type"])
        except Refusal as error:
            reason = error.description.removeprefix("Bad Request: ")
            if not reason.isupper():
                raise
            whole = f'failed to send message #{number} with the error message "{reason}"'
            raise Refusal(400, f"Bad Request: {whole}") from None
        spoiler = bool(item.get("has_spoiler"))
        prepared.append({"caption": said, "entities": entities, "media": media, "spoiler": spoiler})
    album = str(secrets.randbits(60))
    return [post(home, chat, album=album, **about, **each).form() for each in prepared]


@method
async def sendChatAction(home: BotApi, call: Call) -> Any:
    chat = writable(home, call, "action")
    if call.get("action") not in ACTIONS:
        raise Refusal(400, "Bad Request: wrong parameter action in request")
    thread = call.get("message_thread_id")
    if thread is not None and (thread not in chat.topics and thread != GENERAL):
        raise Refusal(400, "Bad Request: message thread not found")
    chat.actions.append((home.clock(), call.params["action"], thread))
    return True


def source(home: BotApi, call: Call) -> Message:
    """The message that is to be copied or forwarded."""
    found = chat_of(home, call, "from_chat_id").everything.get(int(call.get("message_id") or 0))
    if found is None or found.deleted:
        raise Refusal(400, f"Bad Request: message to {'copy' if call.method == 'copyMessage' else 'forward'} not found")
    return found


@method
async def copyMessage(home: BotApi, call: Call) -> Any:
    chat, old = writable(home, call), source(home, call)
    said, entities = caption(call.params) if "caption" in call.params else (old.caption, old.entities)
    about = {"text": old.text, "caption": said, "entities": entities, "media": old.media}
    return {"message_id": post(home, chat, **about, **place(chat, call), **options(call)).id}


@method
async def forwardMessage(home: BotApi, call: Call) -> Any:
    chat, old = writable(home, call), source(home, call)
    about = {"text": old.text, "caption": old.caption, "entities": old.entities, "media": old.media}
    return post(home, chat, origin=home.origin(old), **about, **place(chat, call)).form()
