"""The Discord front-end: builds the client, the commands and the courier, and serves until it is stopped.

A command module has `register(front)`, which adds its commands to `front.tree` and its controls to `front.client`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.webhook.async_ import async_context

from realbot.adapters import verdicts
from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down
from realbot.config import proxy
from realbot.errors import ConfigError

from . import admin, audits, bans, cases, history, imagine, link, marked, menus, presses, quota, settings, train, whose
from .card import Cards
from .client import Client, Revoked, Tree
from .courier import PACE, Courier
from .intake import Intake
from .presses import Presses
from .sync import sync
from .translator import Catalogues
from .wire import USUAL, trying

if TYPE_CHECKING:
    from realbot.config import Settings
    from realbot.sections import Discord
    from realbot.studio import Studio

log = logging.getLogger(__name__)

#: Modules that add commands and controls.
PARTS = (imagine, presses, cases, menus, whose, train, history, quota, settings, link, admin, bans, audits)
#: Seconds that a picture on its way to Discord gets when realbot stops.
GRACE = 1.5
#: Seconds until commands that Discord did not take are told again: the first time, and at most.
FIRST, LONGEST = 60.0, 3600.0


class Front:
    """Everything a command needs; `pace` is how many seconds lie between two changes of one channel's cards."""

    platform = "discord"

    def __init__(self, studio: Studio, settings: Discord, *, clock: Clock | None = None, pace: float = PACE) -> None:
        self.studio, self.settings, self.clock = studio, settings, clock or Clock()
        self.client = Client(
            settings.api_base, settings.gateway, clock=self.clock, proxy=proxy(settings.gateway or settings.api_base)
        )
        self.tree = Tree(self.client)
        self.cards = Cards(studio, self.clock)
        self.courier = Courier(
            studio, self.client, self.cards.render, clock=self.clock, pace=pace, answers=self.client.gate.answers
        )
        self.intake = Intake(studio, self.courier)
        self.presses = Presses(studio, self.intake, self.cards)
        self.probe = studio.health.probe
        self._up = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None
        studio.reload.listeners.append(self._reconfigure)
        self.courier.rival = lambda: self.client.end("another program answers with the same token; stop one of them.")
        self.client.setup, self.client.started, self.client.removed = self._setup, self._started, self._removed
        for part in PARTS:
            part.register(self)

    async def serve(self, *, ready: asyncio.Event | None = None) -> None:
        """Serve until cancelled; `ready` is set once people can ask.

        Raises ConfigError when Discord does not take the token, at the start or later.
        """
        async_context.set(self.client.http.webhooks)
        self.courier.open()
        ring = asyncio.create_task(self._announce(ready))
        try:
            await self.client.serve(self.settings.token.get_secret_value())
        except Revoked as error:
            raise ConfigError(f"discord.token: {error}", key="discord.token") from None
        finally:
            tasks = [task for task in (ring, self._telling) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.courier.close(GRACE)
            await self.client.close()

    def _reconfigure(self, _: Settings, settings: Settings) -> None:
        if settings.discord is not None:
            self.settings = settings.discord

    @property
    def health(self) -> str:
        """What is not as it should be, in a few words for an administrator; empty when all is well."""
        if not self._up.is_set() or self.client.is_closed():
            return marked.unconnected()
        if self.client.away or self.client.gate.stopped or self.courier.down:
            return marked.away()
        if self.studio.safety.down:
            return verdicts.unchecked()
        return marked.stalled(self.probe.longest) if self.probe.degraded else ""

    @property
    def away(self) -> bool:
        """Whether people cannot ask there at the moment."""
        gone = not self._up.is_set() or self.client.is_closed() or self.client.away
        return gone or self.client.gate.stopped > 0 or self.courier.down

    @property
    def limited(self) -> int:
        """How often Discord wanted to be left alone."""
        return self.client.gate.limited

    def pulse(self) -> float:
        """Seconds since Discord was last heard, or tried to be reached; 0 before the first time."""
        return self.client.pulse() if self._up.is_set() else 0.0

    async def _announce(self, ready: asyncio.Event | None) -> None:
        await self._up.wait()
        log.info("Discord: %s is in %d servers", self.client.user, len(self.client.guilds))
        if ready is not None:
            ready.set()
        await self.studio.safety.begin(self.platform)

    async def _setup(self) -> None:
        """Tell Discord the commands; while it does not take them, those that it knows do."""
        await self.tree.set_translator(Catalogues())
        if not await self._told():
            self._telling = asyncio.create_task(self._tell(), name="telling the commands")

    async def _tell(self) -> None:
        pause = FIRST
        while True:
            await self.clock.sleep(pause * (0.5 + random.random()))
            if await self._told():
                return
            pause = min(LONGEST, pause * 2)

    async def _told(self) -> bool:
        try:
            with trying(USUAL):
                await sync(self.tree, self.studio)
        except app_commands.CommandSyncFailure:
            log.exception("Discord finds something wrong with the commands")
        except (discord.DiscordException, Down) as error:
            log.warning("Discord was not told the commands: %s", error)
            return False
        return True

    async def _started(self) -> None:
        self._up.set()

    async def _removed(self, server: str) -> None:
        """realbot was taken out of a server: what waits there is given up, or painted and sent to its people."""
        if self.settings.removed == "cancel":
            number = await self.studio.left(f"{self.platform}:{server}")
            log.info("realbot was removed from server %s; %d requests are cancelled", server, number)
        else:
            log.info("realbot was removed from server %s; pictures are sent by direct message", server)


__all__ = ["Front"]
