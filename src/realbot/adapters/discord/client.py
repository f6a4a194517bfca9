"""The connection to Discord: no privileged intents, nothing cached, every interaction once."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import discord
from discord import app_commands
from discord.state import ConnectionState

from realbot.adapters import sentences, words
from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down
from realbot.errors import Refused

from . import marked
from .wire import LOGIN, Gate, Wire, trying

log = logging.getLogger(__name__)

#: Seconds without a word from the gateway after which the connection is made anew; a heartbeat is due every 41.
SILENCE = 50.0
#: Seconds for which the gateway may be gone before that is told.
BREAK = 30.0
#: Interactions that are remembered, so that one that is told again after a break is known.
REMEMBERED = 10_000
#: Seconds between two tries to reach the gateway: the first, and the longest.
FIRST, LONGEST = 1.0, 60.0

NOBODY = discord.AllowedMentions.none()


class Revoked(Exception):
    """Discord does not take the token any more."""


class Client(discord.Client):
    """A client that outlives outages. `setup` runs once after logging in, `started` once at the first READY.

    `removed` is called with the id of a server that realbot was taken out of; a server in an outage is none.
    """

    http: Wire

    def __init__(
        self,
        api_base: str,
        gateway: str | None,
        *,
        clock: Clock | None = None,
        silence: float = SILENCE,
        proxy: str | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self.gate = Gate(self._clock)
        self._addresses = api_base, gateway
        self._met: OrderedDict[str, None] = OrderedDict()
        self._on = False
        self._gone: float | None = None
        #: Set when there is no use in going on: the token is not valid any more, or another program has it.
        self.ended: asyncio.Future[str] | None = None
        self.setup: Callable[[], Awaitable[None]] | None = None
        self.started: Callable[[], Awaitable[None]] | None = None
        self.removed: Callable[[str], Awaitable[None]] | None = None
        # Nobody who runs a bot that paints needs to be told that it cannot talk.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=NOBODY,
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            heartbeat_timeout=silence,
            proxy=proxy,
        )

    def _get_state(self, **options: Any) -> ConnectionState[Any]:
        # The one place before which nothing holds the library's own HTTP client yet.
        self.http = Wire(self.http, self.gate, *self._addresses)
        state = super()._get_state(**options)
        state.parsers["INTERACTION_CREATE"] = self._once(state.parsers["INTERACTION_CREATE"])
        return state

    def _once(self, handle: Callable[[Any], None]) -> Callable[[Any], None]:
        """An interaction that the gateway tells a second time is not handled a second time."""

        def once(data: Any) -> None:
            if data["id"] in self._met:
                log.debug("interaction %s was told again", data["id"])
                return
            self._met[data["id"]] = None
            if len(self._met) > REMEMBERED:
                self._met.popitem(last=False)
            handle(data)

        return once

    async def serve(self, token: str) -> None:
        """Stay connected until cancelled. Raises Revoked in a sentence when the token is of no use."""
        self.ended = asyncio.get_running_loop().create_future()
        await self._logged_in(token)
        self.http.revoked = lambda: self.end("Discord does not take the token any more; make a new one.")
        connection = asyncio.create_task(self._connected(), name="Discord gateway")
        try:
            either: set[asyncio.Future[Any]] = {connection, self.ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self.ended.done():
                raise Revoked(self.ended.result())
            connection.result()
        finally:
            connection.cancel()
            await asyncio.gather(connection, return_exceptions=True)

    def pulse(self) -> float:
        """Seconds since the gateway last answered a heartbeat, or realbot last tried to reach Discord."""
        tried = self.gate.tried
        keeper = getattr(self.ws, "_keep_alive", None)
        heard = time.perf_counter() - keeper._last_ack if keeper is not None else math.inf
        return max(0.0, min(heard, self._clock.monotonic() - tried))

    @property
    def away(self) -> bool:
        """Whether the gateway has been gone for longer than a break that is soon mended."""
        return self._gone is not None and self._clock.monotonic() - self._gone > BREAK

    def end(self, reason: str) -> None:
        """Stop serving: `serve` raises Revoked with the reason."""
        if self.ended is not None and not self.ended.done():
            self.ended.set_result(reason)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        # The library would start handlers on a loop that it has given back already.
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def setup_hook(self) -> None:
        if self.setup is not None:
            await self.setup()

    async def on_ready(self) -> None:
        self._gone = None
        if not self._on:
            self._on = True
            if self.started is not None:
                await self.started()

    async def on_resumed(self) -> None:
        self._gone = None

    async def on_disconnect(self) -> None:
        if self._gone is None:
            self._gone = self._clock.monotonic()

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        if self.removed is not None:
            await self.removed(str(guild.id))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        log.exception("%s went wrong", event_method)

    async def _logged_in(self, token: str) -> None:
        """Log in, however long Discord is away."""
        while True:
            try:
                with trying(LOGIN):
                    await self.login(token)
                return
            except discord.LoginFailure:
                raise Revoked("Discord does not know this token; make a new one and set discord.token.") from None
            except (Down, discord.HTTPException, discord.RateLimited) as error:
                log.warning("logging in to Discord failed: %s", error)
                await self._clock.sleep(max(LONGEST, getattr(error, "wait", 0.0)))

    async def _connected(self) -> None:
        """Stay on the gateway; whatever breaks, come back, unless Discord does not want us."""
        pause = FIRST
        while True:
            begun = self._clock.monotonic()
            try:
                await self.connect(reconnect=True)
                return
            except discord.PrivilegedIntentsRequired:
                if not self.intents.value:
                    raise Revoked("Discord refuses every intent of this bot (4014).") from None
                log.error("Discord refuses the intents of this bot (4014); it goes on without any")
                self._connection._intents = discord.Intents.none()
            except discord.ConnectionClosed as error:
                if error.code == 4004:
                    raise Revoked("Discord does not take the token any more (4004); make a new one.") from None
                raise Revoked(f"Discord closed the connection for good ({error.code}).") from None
            except Down as error:
                log.warning("the gateway cannot be reached: %s", error)
            except AttributeError:
                # The library trips over the connection that it never had when the first one cannot be made.
                if self.ws is not None:
                    raise
                log.warning("the gateway cannot be reached")
            if self._clock.monotonic() - begun > LONGEST:
                pause = FIRST
            await self._clock.sleep(pause)
            pause = min(LONGEST, pause * 2)


class Tree(app_commands.CommandTree[Client]):
    """Commands that can be used everywhere, by servers and by people, unless they say otherwise."""

    def __init__(self, client: Client) -> None:
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )

    async def on_error(self, interaction: discord.Interaction[Client], error: app_commands.AppCommandError, /) -> None:
        """Tell the person privately what is wrong; the log gets what is not theirs to mend."""
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        with words.language(interaction.locale.value):
            if isinstance(cause, Refused):
                text = marked.refusal(cause)
            elif isinstance(cause, discord.HTTPException | Down):
                log.warning("a command was not answered: %s", cause)
                return
            else:
                log.error("a command went wrong", exc_info=cause)
                text = sentences.sorry()
        await told(interaction, text)


async def told(interaction: discord.Interaction[Any], text: str) -> None:
    """Answer privately, whether or not this was answered before; an answer that comes too late is let go."""
    try:
        if interaction.response.is_done():
            await interaction.followup.send(text, ephemeral=True, allowed_mentions=NOBODY)
        else:
            await interaction.response.send_message(text, ephemeral=True, allowed_mentions=NOBODY)
    except (discord.HTTPException, Down) as error:
        log.info("a person was not told: %s", error)
