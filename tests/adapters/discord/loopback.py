"""A Discord on this machine, over real HTTP and a real websocket, which remembers, enforces its limits and goes wrong.

    async with Loopback() as discord:
        channel = discord.guild().channel()        # a server and a text channel
        anna = discord.person("anna")              # somebody there
        ...start a bot with discord.api_base, discord.gateway_url and discord.token...
        asked = await anna.slash(channel, "imagine", prompt="a red apple")
        assert asked.message.text ...              # what the person sees

`faults` breaks requests, `gateway` ends sessions, `clock` makes hours pass, `complaints` holds every breach of
Discord's rules, `calls` every request.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import loopback_messages
import specs
from aiohttp import web
from loopback_faults import Fault, Faults, Rule
from loopback_gateway import DIRECT_MESSAGES, GUILD_MESSAGES, GUILDS, Gateway
from loopback_http import BASE, Call, Rest
from loopback_people import Actor
from loopback_world import (
    DM,
    GROUP,
    PUBLIC_THREAD,
    TEXT,
    Attachment,
    Channel,
    Clock,
    Guild,
    Interaction,
    Message,
    Person,
    Snowflakes,
)

MIB = 2**20


class Loopback:
    """`checked`: bodies are held against Discord's description of its API where that is at hand."""

    def __init__(self, *, checked: bool = True, clock: Clock | None = None, port: int = 0) -> None:
        self.checked, self.port = checked, port
        self.clock = clock or Clock()
        self.ids = Snowflakes(self.clock)
        self.token = f"loopback.{secrets.token_urlsafe(12)}.{secrets.token_urlsafe(20)}"
        self.application = self.ids()
        self.bot = Person(self.application, "realbot", bot=True)
        self.people: dict[str, Person] = {self.bot.id: self.bot}
        self.owner = self.person("owner").person
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.interactions: dict[str, Interaction] = {}  #: by token
        self.commands: dict[str | None, list[dict[str, Any]]] = {}  #: by server; None for everywhere
        self.creates = 0  #: commands made so far, of 200 a day
        self.nonces: dict[tuple[str, str], Message] = {}
        self.nonce_window = 120.0  #: seconds
        self.old_edits = 3  #: edits of a message that is older than an hour
        self.file_limit = 10 * MIB
        self.privileged = 0  #: intents that were granted beyond the usual
        self._complaints: list[str] = []
        self._checked = 0
        self.refused: list[float] = []  #: moments of 401, 403 and 429
        self.files: dict[str, Attachment] = {}
        self.faults = Faults()
        self.gateway = Gateway(self)
        self.rest = Rest(self)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Loopback:
        app = web.Application(client_max_size=64 * MIB)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/gateway/", self.gateway.serve)
        app.router.add_get("/attachments/{channel}/{id}/{name}", self._file)
        app.router.add_route("*", BASE + "/{rest:.*}", self.rest.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self.gateway.drop()
        await self._runner.cleanup()

    @property
    def api_base(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/gateway"

    @property
    def calls(self) -> list[Call]:
        return self.rest.calls

    def called(self, method: str, end: str = "") -> list[Call]:
        """The requests of a method whose path ends so."""
        return [call for call in self.calls if call.method == method and call.path.endswith(end)]

    def complain(self, sentence: str) -> None:
        self._complaints.append(sentence)

    @property
    def complaints(self) -> list[str]:
        """What the bot did against Discord's rules so far. The bodies are judged now, which takes a moment."""
        calls, self._checked = self.calls[self._checked :], len(self.calls)
        for call in calls if self.checked else ():
            self._complaints += [
                f"{call.name}: {trouble}" for trouble in specs.request(call.method, call.path, call.json)
            ]
        return self._complaints

    def fault(
        self, method: str, path: str, fault: Fault, times: int = 1, when: Callable[[Call], bool] | None = None
    ) -> Rule:
        """Let requests go wrong; `path` may hold "*", as in "/channels/*/messages/*". -1 times is always."""
        return self.faults.add(method, path, fault, times, when)

    async def ready(self, seconds: float = 30.0) -> None:
        """Wait until a bot is connected and has its commands."""
        async with asyncio.timeout(seconds):
            while self.gateway.session is None or not self.commands:
                await asyncio.sleep(0.01)

    # The world

    def person(self, name: str, *, locale: str = "en-US", installed: bool = False, powers: str = "") -> Actor:
        """Somebody new; `powers` are permissions in every server: "administrator", "manage_messages"."""
        person = Person(self.ids(), name, locale=locale, installed=installed, powers=set(powers.split()))
        self.people[person.id] = person
        return Actor(self, person)

    def guild(self, name: str = "Studio", *, joined: bool = True, locale: str = "en-US") -> Server:
        guild = Guild(self.ids(), name, self.owner, joined=joined, locale=locale)
        self.guilds[guild.id] = guild
        if joined:
            self.gateway.dispatch("GUILD_CREATE", guild.form([self.bot.member()]), intent=GUILDS)
        return Server(self, guild)

    def channel(self, guild: Guild, name: str, *, kind: int = TEXT, nsfw: bool = False) -> Channel:
        channel = Channel(self.ids(), name, kind, guild, nsfw=nsfw)
        self.channels[channel.id] = guild.channels[channel.id] = channel
        if guild.joined:
            self.gateway.dispatch("CHANNEL_CREATE", channel.form(), intent=GUILDS)
        return channel

    def thread(self, parent: Channel, name: str) -> Channel:
        """A public thread of a text channel, or a post of a forum."""
        assert parent.guild is not None
        thread = Channel(self.ids(), name, PUBLIC_THREAD, parent.guild, parent)
        self.channels[thread.id] = parent.guild.channels[thread.id] = thread
        self.gateway.dispatch("THREAD_CREATE", {**thread.form(), "newly_created": True}, intent=GUILDS)
        return thread

    def dm(self, person: Person) -> Channel:
        own = (c for c in self.channels.values() if c.kind == DM and set(c.people) == {person, self.bot})
        channel = next(own, None)
        if channel is None:
            channel = Channel(self.ids(), person.name, DM, people=[person, self.bot])
            self.channels[channel.id] = channel
        return channel

    def group(self, *actors: Actor) -> Channel:
        """A conversation of several people, where the bot is only installed by one of them."""
        channel = Channel(self.ids(), "friends", GROUP, people=[actor.person for actor in actors])
        self.channels[channel.id] = channel
        return channel

    def attachment(self, channel: Channel, name: str, data: bytes, description: str | None = None) -> Attachment:
        id_ = self.ids()
        url = f"http://127.0.0.1:{self.port}/attachments/{channel.id}/{id_}/{name}"
        held = Attachment(id_, name, data, url, description, loopback_messages.kind_of(name))
        self.files[id_] = held
        return held

    async def _file(self, request: web.Request) -> web.Response:
        held = self.files.get(request.match_info["id"])
        if held is None:
            return web.Response(status=404)
        return web.Response(body=held.data, headers={"Content-Type": held.kind})

    # What happens there

    def say(
        self,
        actor: Actor,
        channel: Channel,
        content: str = "",
        files: dict[str, bytes] | None = None,
        reply_to: Message | None = None,
    ) -> Message:
        """A person writes a message of their own."""
        message = Message(self.ids(), channel, actor.person, self.clock(), content)
        message.reference = reply_to.id if reply_to else None
        message.attachments = [self.attachment(channel, name, data) for name, data in (files or {}).items()]
        channel.messages[message.id] = message
        self.announce("MESSAGE_CREATE", message)
        return message

    def announce(self, event: str, message: Message) -> None:
        if message.ephemeral:
            return
        guild = message.channel.guild
        told = {**message.form(), **({"guild_id": guild.id} if guild else {})}
        if guild is None or guild.joined:
            self.gateway.dispatch(event, told, intent=GUILD_MESSAGES if guild else DIRECT_MESSAGES)

    def settle(self, asked: Interaction, kind: int) -> None:
        """The interaction has its first answer."""
        asked.answer, asked.waited = kind, time.perf_counter() - asked.begun
        asked.answered.set()
        if asked.message is not None and kind in (4, 7):
            self.announce("MESSAGE_CREATE" if kind == 4 else "MESSAGE_UPDATE", asked.message)

    def delete(self, message: Message) -> None:
        """Somebody deletes a message."""
        message.channel.messages.pop(message.id, None)
        guild = message.channel.guild
        told = {"id": message.id, "channel_id": message.channel.id, **({"guild_id": guild.id} if guild else {})}
        if not message.ephemeral:
            self.gateway.dispatch("MESSAGE_DELETE", told, intent=GUILD_MESSAGES if guild else DIRECT_MESSAGES)

    def close(self, channel: Channel) -> None:
        """Delete a channel."""
        channel.deleted = True
        event = "THREAD_DELETE" if channel.kind == PUBLIC_THREAD else "CHANNEL_DELETE"
        self.gateway.dispatch(event, channel.form(), intent=GUILDS)

    def archive(self, thread: Channel, *, locked: bool = False) -> None:
        thread.archived, thread.locked = True, locked
        self.gateway.dispatch("THREAD_UPDATE", thread.form(), intent=GUILDS)

    def mark(self, channel: Channel, *, nsfw: bool) -> None:
        """Somebody makes a channel age-restricted, or opens it to everyone."""
        channel.nsfw = nsfw
        self.gateway.dispatch("CHANNEL_UPDATE", channel.form(), intent=GUILDS)

    def remove(self, guild: Guild) -> None:
        """The bot is thrown out of a server."""
        guild.joined = False
        self.gateway.dispatch("GUILD_DELETE", {"id": guild.id}, intent=GUILDS)

    def outage(self, guild: Guild) -> None:
        """A server is out of order, and comes back with `recover`."""
        guild.available = False
        self.gateway.dispatch("GUILD_DELETE", {"id": guild.id, "unavailable": True}, intent=GUILDS)

    def recover(self, guild: Guild) -> None:
        guild.available = True
        self.gateway.dispatch("GUILD_CREATE", guild.form([self.bot.member()]), intent=GUILDS)

    async def revoke(self) -> None:
        """The bot's token is replaced."""
        self.token = "another"
        await self.gateway.drop(4004)


class Server:
    """A guild with short words for what tests need of it."""

    def __init__(self, home: Loopback, guild: Guild) -> None:
        self.home, self.guild = home, guild

    @property
    def id(self) -> str:
        return self.guild.id

    def channel(self, name: str = "pictures", **about: Any) -> Channel:
        return self.home.channel(self.guild, name, **about)
