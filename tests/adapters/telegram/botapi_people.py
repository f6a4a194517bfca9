"""People in front of Telegram: they see what their client shows them, and cannot do what it would not let them do."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botapi_asking
import botapi_text
from botapi_sending import threaded
from botapi_world import (
    ADMINISTRATOR,
    ANONYMOUS,
    AS_CHANNEL,
    CHANNEL,
    KICKED,
    LEFT,
    MEMBER,
    OWNER,
    PRIVATE,
    TELEGRAM,
    Account,
    Chat,
    Message,
    Topic,
)

from studios import until

if TYPE_CHECKING:
    from botapi import BotApi
    from botapi_files import Document, Photo


class Unable(Exception):
    """The person's client does not let them do this."""


@dataclass(eq=False)
class Press:
    """A button that was pressed, and what the bot made of it."""

    id: str
    by: Account
    data: str
    at: float
    message: Message
    text: str = ""  #: what pops up
    alert: bool = False  #: it has to be closed by hand
    url: str = ""
    answered: bool = False
    waited: float | None = None  #: seconds until the answer; None when the client showed a timeout
    begun: float = field(default_factory=time.perf_counter)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def settle(self, text: str, *, alert: bool, url: str) -> None:
        self.text, self.alert, self.url, self.answered = text, alert, url, True
        self.waited = time.perf_counter() - self.begun
        self.done.set()


@dataclass(eq=False)
class Query:
    """Something that was typed after the name of the bot, and what was offered."""

    id: str
    by: Account
    text: str
    at: float
    results: list[dict[str, Any]] = field(default_factory=list)
    button: dict[str, Any] | None = None  #: above the results
    personal: bool = False
    answered: bool = False
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def titles(self) -> list[str]:
        return [str(result.get("title") or result.get("caption") or "") for result in self.results]

    def settle(self, results: list[dict[str, Any]], *, button: dict[str, Any] | None, personal: bool) -> None:
        self.results, self.button, self.personal, self.answered = results, button, personal, True
        self.done.set()


class Actor:
    """One person, who acts."""

    def __init__(self, home: BotApi, account: Account) -> None:
        self.home, self.account = home, account
        self.patience = 10.0  #: seconds until the client stops waiting for an answer

    @property
    def id(self) -> int:
        return self.account.id

    @property
    def chat(self) -> Chat:
        """The private chat with the bot."""
        return self.home.private(self.account)

    # What a person writes

    def write(self, chat: Chat, text: str, **about: Any) -> Message:
        """Write a message. `reply_to`: the message answered; `topic`: where in a forum; `anonymous`: in the name of the
        group, as its administrators may; `as_channel`: in the name of a channel of theirs; `linked`: Telegram copies it
        from the channel that the group belongs to."""
        return self._post(chat, about, text=text, entities=botapi_text.detected(text))

    def photo(self, chat: Chat, data: bytes, caption: str = "", **about: Any) -> Message:
        return self._send(chat, self.home.files.photo(data), caption, about)

    def document(
        self,
        chat: Chat,
        data: bytes,
        name: str = "picture.png",
        mime: str = "image/png",
        caption: str = "",
        **about: Any,
    ) -> Message:
        """Send a file, such as a picture that is not to be recompressed."""
        return self._send(chat, self.home.files.document(name, data, mime), caption, about)

    def album(self, chat: Chat, pictures: Sequence[bytes], caption: str = "", **about: Any) -> list[Message]:
        """Send photos together; the caption is that of the first."""
        group = str(secrets.randbits(60))
        photos = [self.home.files.photo(data) for data in pictures]
        return [
            self._send(chat, photo, "" if n else caption, {**about, "album": group}) for n, photo in enumerate(photos)
        ]

    async def ask(self, chat: Chat, text: str, **about: Any) -> Message:
        """Write something and wait for the next message of the bot there."""
        before = set(chat.everything)
        self.write(chat, text, **about)
        await until(lambda: any(message.id not in before for message in chat.told), self.patience)
        return next(message for message in chat.told if message.id not in before)

    def edit(self, message: Message, text: str) -> None:
        """Change one's own text or caption."""
        if message.sender is not self.account or message.deleted:
            raise Unable("only one's own messages can be edited")
        name = "caption" if message.media is not None else "text"
        setattr(message, name, text)
        message.entities, message.edited = botapi_text.detected(text), self.home.clock()
        message.remember()
        self.home.announce(message, edited=True)

    def delete(self, message: Message) -> None:
        """Delete a message; the bot is not told."""
        chat = message.chat
        own = message.sender is self.account or chat.kind == PRIVATE
        if not own and chat.status(self.account) not in (OWNER, ADMINISTRATOR):
            raise Unable("somebody else's message")
        message.deleted = True

    def forward(self, message: Message, chat: Chat, **about: Any) -> Message:
        told = {"text": message.text, "caption": message.caption, "entities": message.entities, "media": message.media}
        return self._post(chat, about, **told, origin=self.home.origin(message))

    def _send(self, chat: Chat, media: Photo | Document, caption: str, about: dict[str, Any]) -> Message:
        return self._post(chat, about, caption=caption, entities=botapi_text.detected(caption), media=media)

    def _post(self, chat: Chat, about: dict[str, Any], **content: Any) -> Message:
        if chat.moved_to is not None:
            raise Unable("the group has become a supergroup")
        topic: Topic | None = about.pop("topic", None)
        reply: Message | None = about.pop("reply_to", None)
        if reply is not None and topic is None and reply.in_topic:
            topic = chat.topics[reply.thread or 0]
        content |= threaded(chat, None if topic is None else topic.id, reply)
        sender, as_chat = self._in_whose_name(chat, about)
        if chat.kind == PRIVATE:
            self._start(chat)
        message = self.home.post(chat, sender, sender_chat=as_chat, **content, **about)
        self.home.announce(message)
        return message

    def _in_whose_name(self, chat: Chat, about: dict[str, Any]) -> tuple[Account | None, Chat | None]:
        status = chat.status(self.account)
        if about.pop("anonymous", False):
            if status not in (OWNER, ADMINISTRATOR):
                raise Unable("only administrators can be anonymous")
            return ANONYMOUS, chat
        if (channel := about.pop("as_channel", None)) is not None:
            return AS_CHANNEL, channel
        if (channel := about.pop("linked", None)) is not None:
            about["extra"] = {"is_automatic_forward": True}
            return TELEGRAM, channel
        if chat.kind == CHANNEL:
            if status not in (OWNER, ADMINISTRATOR):
                raise Unable("only administrators write in a channel")
            return None, chat
        if chat.kind != PRIVATE and status in (LEFT, KICKED):
            raise Unable("not a member")
        if chat.kind == PRIVATE and chat is not self.chat:
            raise Unable("somebody else's chat")
        return self.account, None

    def _start(self, chat: Chat) -> None:
        """Whoever writes to the bot may be written to."""
        if chat.blocked:
            self.unblock()
        chat.started = True

    # What a person presses and searches

    async def press(self, message: Message, button: str, *, nth: int = 0) -> Press:
        """Press the button with this label or callback data, and wait for what pops up."""
        found = [item for item in message.buttons if button in (item["text"], item.get("callback_data"))]
        if len(found) <= nth:
            raise Unable(f"no button {button!r} among {message.labels}")
        if "callback_data" not in found[nth]:
            raise Unable(f"the button {button!r} tells the bot nothing")
        return await self.forge(message, found[nth]["callback_data"])

    async def forge(self, message: Message, data: str) -> Press:
        """Press a button that need not be there, as a tampered client or one with an old screen does."""
        press = self.begin(message, data)
        await wait(press.done, self.patience)
        return press

    def begin(self, message: Message, data: str) -> Press:
        """Press a button and go on at once."""
        home = self.home
        if message.deleted or (message.chat.kind == PRIVATE and message.chat.person is not self.account):
            raise Unable("the message is not there")
        press = Press(str(secrets.randbits(62)), self.account, data, home.clock(), message)
        home.presses[press.id] = press
        told: dict[str, Any] = {"id": press.id, "from": self.account.form(), "data": data}
        told["chat_instance"] = str(message.chat.id * 7919)
        told |= {"inline_message_id": message.inline_id} if message.inline_id else {"message": message.form()}
        home.updates.tell("callback_query", told)
        return press

    async def search(self, text: str, *, chat_type: str = "sender", offset: str = "") -> Query:
        """Type something after the name of the bot, in any chat, and wait for what is offered."""
        query = Query(str(secrets.randbits(62)), self.account, text, self.home.clock())
        self.home.queries[query.id] = query
        told = {"id": query.id, "from": self.account.form(), "query": text, "offset": offset, "chat_type": chat_type}
        self.home.updates.tell("inline_query", told)
        await wait(query.done, self.patience)
        return query

    def choose(self, query: Query, chat: Chat, nth: int = 0) -> Message:
        """Send one of the results into a chat; the bot may edit it where it has a keyboard."""
        if len(query.results) <= nth:
            raise Unable(f"nothing to choose among {query.titles}")
        result = query.results[nth]
        about: dict[str, Any] = {"markup": botapi_text.markup(result.get("reply_markup"))}
        content = result.get("input_message_content") or result
        text = content.get("message_text", content.get("caption", ""))
        given = content.get("entities", content.get("caption_entities", []))
        name = "text" if "message_text" in content else "caption"
        about |= {name: text, "entities": botapi_text.detected(text, given)}
        if result["type"] in ("photo", "document"):
            about["media"] = self.home.files.by_id[result[f"{result['type']}_file_id"]][1]
        if about["markup"]:
            about["inline_id"] = secrets.token_urlsafe(20)
        message = self.home.post(chat, self.account, via_bot=self.home.bot, **about)
        told = {"result_id": result["id"], "from": self.account.form(), "query": query.text}
        if message.inline_id:
            self.home.inlined[message.inline_id] = message
            told["inline_message_id"] = message.inline_id
        self.home.updates.tell("chosen_inline_result", told)
        self.home.announce(message)
        return message

    def offered(self, chat: Chat) -> dict[str, str]:
        """The commands that the client lists there, with their descriptions."""
        commands = botapi_asking.offered(self.home, chat, self.account)
        return {command["command"]: command["description"] for command in commands}

    # Who may be where

    def block(self) -> None:
        """Block the bot."""
        self.chat.blocked = True
        self.home.tell_member(self.chat, self.home.bot, MEMBER, KICKED, by=self.account)

    def unblock(self) -> None:
        self.chat.blocked = False
        self.home.tell_member(self.chat, self.home.bot, KICKED, MEMBER, by=self.account)

    def add(self, chat: Chat, *, administrator: bool = False) -> None:
        """Take the bot into a group or a channel, or give it rights there."""
        self.home.change_member(chat, self.home.bot, ADMINISTRATOR if administrator else MEMBER, by=self.account)

    def kick(self, chat: Chat) -> None:
        """Throw the bot out."""
        self.home.change_member(chat, self.home.bot, KICKED, by=self.account)

    def leave(self, chat: Chat) -> None:
        self.home.change_member(chat, self.account, LEFT, by=self.account)

    def join(self, chat: Chat, status: str = MEMBER) -> None:
        self.home.change_member(chat, self.account, status, by=self.account)


async def wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
