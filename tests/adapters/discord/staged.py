"""A bot on simcord with a real studio and a real courier: people type and press, the engine moves at command.

Whatever waits for the engine runs outside the bot, because simcord waits for everything that the bot does.
"""

from __future__ import annotations

import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import discord
import simcord
from discord import app_commands
from easel import Easel, easel

from realbot.adapters.clock import Clock
from realbot.adapters.discord.card import Cards
from realbot.adapters.discord.courier import Courier
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.presses import Presses
from realbot.jobs import Job
from studios import Rig, lora, rig, until

PARTS = ("imagine", "presses", "menus")


class Bot(discord.Client):
    """What `Front` is to the command modules, on a client whose connection simcord replaces."""

    def __init__(self, bench: Rig, clock: Clock, parts: tuple[str, ...]) -> None:
        super().__init__(intents=discord.Intents(guilds=True), allowed_mentions=discord.AllowedMentions.none())
        self.client = self
        self.studio, self.clock, self.parts = bench.studio, clock, parts
        self.tree = app_commands.CommandTree(self)
        self.cards = Cards(bench.studio, clock)
        self.courier = Courier(bench.studio, self, self.cards.render, clock=clock, pace=0.05)
        self.intake = Intake(bench.studio, self.courier)
        self.presses = Presses(bench.studio, self.intake, self.cards)

    async def setup_hook(self) -> None:
        for part in self.parts:
            import_module(f"realbot.adapters.discord.{part}").register(self)
        await self.tree.sync()


@dataclass
class Stage:
    """A server with a channel, and Anna and Bert in it."""

    env: simcord.Env
    bench: Rig
    bot: Bot
    context: contextvars.Context
    server: Any = None
    channel: Any = None
    anna: Any = None
    bert: Any = None
    bots: list[Bot] = field(default_factory=list)

    @property
    def pool(self) -> Easel:
        pool = self.bench.pool
        assert isinstance(pool, Easel)
        return pool

    def job(self, n: int = -1) -> Job:
        """One of the jobs, in the order in which they were taken."""
        return sorted({**self.bench.studio._seen, **self.bench.studio._jobs}.values(), key=lambda job: job.created)[n]

    async def painting(self) -> None:
        await until(self.pool.working)

    async def paint(self) -> None:
        """Finish what is being painted, and wait for the card to show it."""
        await self.painting()
        self.pool.finish()
        await self.idle()

    async def idle(self) -> None:
        """Wait for every card to be at its end."""
        await until(lambda: not self.bench.studio.pending("discord"))

    async def ask(self, who: Any = None, **options: Any) -> Any:
        """A request's card."""
        options.setdefault("prompt", "a red fox")
        asked = await (who or self.anna).slash(self.channel, "imagine", **options)
        assert asked.response is not None, asked
        return asked

    async def painted(self, who: Any = None, **options: Any) -> Any:
        """The message of a finished picture."""
        asked = await self.ask(who, **options)
        await self.paint()
        return self.message(asked)

    def message(self, asked: Any) -> discord.Message:
        """A card as it is now."""
        message: discord.Message = asked.response.message
        return message

    def public(self) -> list[discord.Message]:
        """What everybody in the channel sees."""
        return [message for message in self.channel.history() if not message.flags.ephemeral]

    async def restart(self) -> None:
        """The bot's process begins anew; the studio stays."""
        await self.bot.courier.close(0)
        self.bot = Bot(self.bench, self.bot.clock, self.bot.parts)
        self.bots.append(self.bot)
        await self.env.restart_bot(self.bot)
        self.context.run(self.bot.courier.open)


@asynccontextmanager
async def stage(
    folder: Path, *, parts: tuple[str, ...] = PARTS, styles: int = 0, **options: Any
) -> AsyncIterator[Stage]:
    """`styles` are that many besides ink and glow."""
    looks = folder / "styles"
    looks.mkdir(parents=True)
    for n, name in enumerate(["ink", "glow", *(f"style-{i:02}" for i in range(styles))]):
        lora(looks / f"{name}.safetensors", fill=1 + n % 60, trigger=name)
    options.setdefault("pool", easel(folder))
    made_of: list[simcord.Env] = []

    def now() -> float:
        """simcord's time, which begins with the year 2026."""
        return made_of[0].now().timestamp() if made_of else datetime(2026, 1, 1, tzinfo=UTC).timestamp()

    async with rig(folder, clock=now, **options) as bench:
        bot = Bot(bench, Clock(now=now), parts)
        env = simcord.Env(bot, settle_timeout=20.0)
        made_of.append(env)
        bench.store._clock = now
        await env.start()
        with env.time_context():
            outside = contextvars.copy_context()
        outside.run(bot.courier.open)
        made = Stage(env, bench, bot, outside)
        made.bots.append(bot)
        made.server = env.create_guild()
        made.channel = made.server.create_text_channel("studio")
        made.anna = made.server.add_member(env.create_user("anna"))
        made.bert = made.server.add_member(env.create_user("bert"))
        try:
            yield made
            for one in made.bots:
                await one.courier.close(0)
        finally:
            await env.shutdown()
        env._raise_errors_since(env._errors_acknowledged)
