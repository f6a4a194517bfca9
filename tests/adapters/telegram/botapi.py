"""A Telegram on this machine, over real HTTP, which remembers, enforces its limits and goes wrong.

    async with BotApi() as api:
        anna = api.person("anna")
        ...start a bot with api.token and api.base as the address of the Bot API...
        card = await anna.ask(anna.chat, "/imagine a red apple")
        assert card.words ...                      # what the person sees
        pressed = await anna.press(card, "Again")  # and what pops up: pressed.text
        assert len(anna.chat.pictures) == 1        # delivered once

`fault` breaks requests, `clock` makes hours pass, `BotApi(limits=True)` has flood control with `refused` for what
got 429, `complaints` holds every breach of the Bot API's description, `calls` every request.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from typing import Any

import botapi_specs
from aiohttp import web
from botapi_calls import Call
from botapi_faults import Fault, Faults, Rule
from botapi_files import MIB, Files
from botapi_http import Rest
from botapi_limits import Excess, Limits
from botapi_people import Actor, Press, Query
from botapi_updates import Updates
from botapi_world import (
    ADMINISTRATOR,
    CHANNEL,
    GROUP,
    KICKED,
    LEFT,
    MEMBER,
    OWNER,
    PRIVATE,
    SUPERGROUP,
    Account,
    Chat,
    Clock,
    Message,
    Topic,
)  # fmt: skip


class BotApi:
    """`checked`: requests, answers and updates are held against the Bot API's description where that is at hand.
    `limits`: flood control as Telegram has it."""

    def __init__(
        self, *, checked: bool = True, limits: bool = False, clock: Clock | None = None, port: int = 0,
        username: str = "realbot_bot",
    ) -> None:  # fmt: skip
        self.checked, self.port = checked, port
        self.clock = clock or Clock()
        self.bot = Account(7_000_000_001, "realbot", username, bot=True)
        self.token = f"{self.bot.id}:{secrets.token_urlsafe(27)[:35]}"
        self.accounts: dict[int, Account] = {self.bot.id: self.bot}
        self.chats: dict[int, Chat] = {}
        self.files = Files()
        self.updates = Updates(self)
        self.limits = Limits(self.clock, on=limits)
        self.faults = Faults()
        self.presses: dict[str, Press] = {}
        self.queries: dict[str, Query] = {}
        self.inlined: dict[str, Message] = {}
        self.commands: dict[tuple[Any, ...], list[dict[str, Any]]] = {}  #: by scope, its ids, and language
        self.about: dict[tuple[str, str], str] = {}  #: name and descriptions, by language
        self.privacy = True  #: of groups the bot is told only what concerns it
        self.press_life = 30.0  #: seconds for which a press can be answered
        self.edit_window: float | None = None  #: seconds for which the bot can edit its messages; None for ever
        self.shown: list[tuple[str, Any]] = []  #: what the bot was told, with the type it should have
        self._complaints: list[str] = []
        self._checked = self._examined = 0
        self._ids = itertools.count(5_500_000_001)
        self._numbers = itertools.count(101)
        self.rest = Rest(self)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> BotApi:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.updates.uninstall()
        await self.stop()

    async def start(self) -> None:
        """Begin to listen, after `stop` on the same port."""
        app = web.Application(client_max_size=80 * MIB)
        app.router.add_route("*", "/{rest:.*}", self.rest.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Break every connection and take no new ones."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    @property
    def base(self) -> str:
        """The address of the Bot API: methods are at base/bot<token>/METHOD, files at base/file/bot<token>/PATH."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[Call]:
        return self.rest.calls

    @property
    def refused(self) -> list[Excess]:
        """What got 429."""
        return self.limits.refused

    def called(self, method: str, chat: Chat | None = None) -> list[Call]:
        """The requests of a method, in any chat or in this one."""
        return [c for c in self.calls if c.method == method and (chat is None or c.chat == chat.id)]

    def fault(
        self, method: str, fault: Fault, times: int = 1, *, chat: Chat | None = None, chance: float = 1.0,
        when: Callable[[Call], bool] | None = None,
    ) -> Rule:  # fmt: skip
        """Let requests go wrong; `method` may hold "*", as in "edit*". -1 times is always; downloads are "download"."""
        return self.faults.add(method, fault, times, chat=chat.id if chat else None, chance=chance, when=when)

    def complain(self, sentence: str) -> None:
        self._complaints.append(sentence)

    @property
    def complaints(self) -> list[str]:
        """What the bot did against the Bot API's description so far, and this double too."""
        calls, self._checked = self.calls[self._checked :], len(self.calls)
        shown, self._examined = self.shown[self._examined :], len(self.shown)
        if self.checked:
            for call in calls:
                self._complaints += botapi_specs.request(call.method, call.params, set(call.files))
            for kind, body in shown:
                self._complaints += botapi_specs.told(kind, body)
        return self._complaints

    # The world

    def person(self, name: str, *, language: str = "en", username: str = "", started: bool = True) -> Actor:
        """Somebody new; `started`: they have pressed Start, so that the bot may write to them."""
        account = Account(next(self._ids), name, username or name, language)
        self.accounts[account.id] = account
        self.private(account).started = started
        return Actor(self, account)

    def private(self, account: Account) -> Chat:
        if account.id not in self.chats:
            self.chats[account.id] = Chat(self, account.id, PRIVATE, person=account, numbers=self._numbers)
        return self.chats[account.id]

    def group(self, title: str, *people: Actor, bot: str = MEMBER) -> Chat:
        """A basic group; the first of the people owns it. `bot` is the status of the bot in it."""
        return self._chat(GROUP, title, people, bot)

    def supergroup(self, title: str, *people: Actor, bot: str = MEMBER) -> Chat:
        return self._chat(SUPERGROUP, title, people, bot)

    def forum(self, title: str, *people: Actor, bot: str = MEMBER) -> Chat:
        """A supergroup with topics; `topic` makes one."""
        chat = self._chat(SUPERGROUP, title, people, bot)
        chat.forum = True
        return chat

    def channel(self, title: str, *people: Actor, bot: str = ADMINISTRATOR) -> Chat:
        return self._chat(CHANNEL, title, people, bot)

    def _chat(self, kind: str, title: str, people: tuple[Actor, ...], bot: str) -> Chat:
        number = next(self._ids)
        id_ = -(number % 10**9) if kind == GROUP else -(10**12 + number % 10**10)
        members = {actor.id: MEMBER if n else OWNER for n, actor in enumerate(people)}
        chat = Chat(self, id_, kind, title, members={**members, self.bot.id: bot})
        if kind == GROUP:
            chat.numbers = self._numbers
        self.chats[id_] = chat
        return chat

    def topic(self, chat: Chat, name: str) -> Topic:
        """A new topic of a forum."""
        assert chat.forum
        owner = next((self.accounts[id_] for id_, status in chat.members.items() if status == OWNER), None)
        opening = self.post(chat, owner, service={"forum_topic_created": {"name": name, "icon_color": 7322096}})
        opening.thread, opening.in_topic = opening.id, True
        topic = chat.topics[opening.id] = Topic(opening.id, name, opening)
        self.announce(opening)
        return topic

    # What happens there

    def post(self, chat: Chat, sender: Account | None, **about: Any) -> Message:
        """A new message in a chat; the bot is told of it only by `announce`."""
        message = Message(next(chat.numbers), chat, sender, self.clock(), **about)
        message.remember()
        chat.everything[message.id] = message
        return message

    def announce(self, message: Message, *, edited: bool = False) -> None:
        """Tell the bot of a message, when it is there and the message is its business."""
        chat = message.chat
        status = chat.status(self.bot)
        if chat.kind == CHANNEL:
            if status == ADMINISTRATOR:
                self.updates.tell("edited_channel_post" if edited else "channel_post", message.form())
            return
        if chat.kind != PRIVATE and status not in (MEMBER, ADMINISTRATOR):
            return
        if chat.kind == PRIVATE or not self.privacy or status == ADMINISTRATOR or self._meant(message):
            self.updates.tell("edited_message" if edited else "message", message.form())

    def _meant(self, message: Message) -> bool:
        """Whether a message in a group concerns the bot."""
        own = f"@{self.bot.username}".lower()
        for kind, text in message.marks:
            if kind == "bot_command" and ("@" not in text or text.lower().endswith(own)):
                return True
            if kind == "mention" and text.lower() == own:
                return True
        if message.service or message.via_bot is self.bot:
            return True
        return message.reply_to is not None and message.reply_to.by_bot

    def origin(self, message: Message) -> dict[str, Any]:
        """Where a forwarded message comes from."""
        at = int(message.date)
        if message.sender is None or message.sender_chat is not None:
            channel = (message.sender_chat or message.chat).form()
            if message.chat.kind == CHANNEL:
                return {"type": "channel", "date": at, "chat": channel, "message_id": message.id}
            return {"type": "chat", "date": at, "sender_chat": channel}
        return {"type": "user", "date": at, "sender_user": message.sender.form()}

    def change_member(self, chat: Chat, account: Account, status: str, *, by: Account) -> None:
        """Somebody comes, goes, or gets or loses rights."""
        old = chat.status(account)
        chat.members[account.id] = status
        self.tell_member(chat, account, old, status, by=by)
        if chat.kind == CHANNEL:
            return
        inside = (MEMBER, ADMINISTRATOR, OWNER)
        if old not in inside and status in inside:
            self.announce(self.post(chat, by, service={"new_chat_members": [account.form()]}))
        elif old in inside and status in (LEFT, KICKED):
            self.announce(self.post(chat, by, service={"left_chat_member": account.form()}))

    def tell_member(self, chat: Chat, account: Account, old: str, new: str, *, by: Account) -> None:
        told = {
            "chat": chat.form(), "from": by.form(), "date": int(self.clock()),
            "old_chat_member": chat.member(account, old), "new_chat_member": chat.member(account, new),
        }  # fmt: skip
        self.updates.tell("my_chat_member" if account is self.bot else "chat_member", told)

    def migrate(self, chat: Chat) -> Chat:
        """A basic group becomes a supergroup, with another id."""
        assert chat.kind == GROUP
        assert chat.moved_to is None
        new = self._chat(SUPERGROUP, chat.title, (), chat.status(self.bot))
        new.members = dict(chat.members)
        owner = next((self.accounts[id_] for id_, status in chat.members.items() if status == OWNER), self.bot)
        self.announce(self.post(chat, owner, service={"migrate_to_chat_id": new.id}))
        chat.moved_to = new
        self.announce(self.post(new, owner, service={"migrate_from_chat_id": chat.id}))
        return new

    def revoke(self) -> None:
        """The bot's token is replaced."""
        self.token = f"{self.bot.id}:{secrets.token_urlsafe(27)[:35]}"
