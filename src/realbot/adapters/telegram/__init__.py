"""The Telegram front-end: builds the client, the handlers and the courier, and serves until it is stopped.

A module of commands has `register(front)`, which calls `front.command` and `front.screens.add`, and stands in `PARTS`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import telegram
from telegram import Update
from telegram.error import InvalidToken, TelegramError
from telegram.ext import ApplicationBuilder, CallbackQueryHandler, CommandHandler, filters

from realbot.adapters import captions, words
from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down
from realbot.adapters.telegram.text import Text
from realbot.errors import ConfigError, Refused

from . import imagine, members, phrases, place, wire
from .asked import Asked
from .courier import Courier
from .inbox import KINDS, Inbox
from .intake import Intake
from .limiter import LOGIN, Limiter
from .place import Moves, Rights
from .poller import STALE, Poller
from .presses import Presses
from .screens import Screens
from .webhook import Webhook

if TYPE_CHECKING:
    from realbot.sections import Telegram
    from realbot.studio import Studio

    from .wire import Bot

log = logging.getLogger(__name__)

#: Seconds that pictures on their way, and updates that are being handled, get when realbot stops.
GRACE = 1.5
#: Longest wait between two tries to log in, in seconds.
LONGEST = 30.0
#: Modules that add commands, the one that takes whatever no command is for last.
PARTS = (members, imagine)

Call = Callable[[Asked], Awaitable[None]]


class Front:
    """Everything a command needs."""

    platform = place.PLATFORM
    me: telegram.User

    def __init__(
        self, studio: Studio, settings: Telegram, *, clock: Clock | None = None, hold: int | None = None
    ) -> None:
        """`hold` is for how many seconds Telegram may hold a poll."""
        self.studio, self.settings, self.clock = studio, settings, clock or Clock()
        self.limiter = Limiter(self.clock)
        self.bot: Bot = wire.connected(settings, self.limiter)
        self.rights = Rights(self.bot, self.clock)
        self.screens = Screens(studio)
        self.moves = Moves(studio)
        self.courier = Courier(studio, self.bot, clock=self.clock, moves=self.moves, inline=self._inline)
        self.intake = Intake(studio, self.bot, self.courier)
        self.presses = Presses(studio, self.bot, self.intake, self.courier, self.screens, self.rights, self.moves)
        self.inbox = Inbox(studio, self.clock, self._handle, self._belated, settings.backlog_minutes * 60)
        self.poller = Poller(settings, self.inbox.take, self.clock, **({} if hold is None else {"hold": hold}))
        self.webhook = Webhook(settings, self.inbox.take)
        self.app = ApplicationBuilder().bot(self.bot).updater(None).build()
        self._up = False
        self.app.add_handler(CallbackQueryHandler(self.presses.press))
        for part in PARTS:
            part.register(self)

    def command(self, name: str, call: Call) -> None:
        """Let `/name`, and `/name@bot`, call this with what follows it."""

        async def asked(update: Update, context: object) -> None:
            await self.ask(update, call, command=True)

        self.app.add_handler(CommandHandler(name, asked, filters=filters.UpdateType.MESSAGE & ~filters.FORWARDED))

    async def ask(self, update: Update, call: Call, *, command: bool = False) -> None:
        """Call this for a message, and answer with one sentence what cannot be done."""
        text = (update.message.text or update.message.caption or "").strip() if update.message else ""
        if command:
            text = text[len(text.split(maxsplit=1)[0]) :].strip()
        asked = Asked.of(self.bot, update, text)
        if asked is None:
            return
        try:
            if place.anonymous(asked.message):
                await asked.reply(phrases.anonymous())
                return
            try:
                await call(asked)
            except Refused as error:
                await asked.refuse(error)
            except (TelegramError, Down):
                raise
            except Exception:
                log.exception("a message was not answered")
                await asked.reply(captions.trouble())
        except (TelegramError, Down) as error:
            log.warning("an answer did not arrive in %s: %s", asked.origin.place, error)

    async def serve(self, *, ready: asyncio.Event | None = None) -> None:
        """Serve until cancelled; `ready` is set once people can ask.

        Raises ConfigError when Telegram does not take the token, at the start or later.
        """
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._login()
            await self.inbox.open(self.bot)
            self.courier.open()
            listening = asyncio.Event()
            tasks = [asyncio.create_task(self._listen(listening), name="telegram ears")]
            if not self.settings.webhook_url:
                listening.set()
            waiter = asyncio.create_task(listening.wait())
            tasks.append(asyncio.create_task(self._announce(waiter, ready), name="telegram start"))
            await asyncio.wait(tasks[:1])
            await tasks[0]
        except InvalidToken as error:
            raise ConfigError(
                "telegram.token: Telegram does not take this token; ask BotFather for a new one.", key="telegram.token"
            ) from error
        finally:
            self._up = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.inbox.close(GRACE)
            await self.courier.close(GRACE)
            await self.app.shutdown()

    @property
    def health(self) -> str:
        """What is not as it should be, in a few words; empty when all is well."""
        if not self._up:
            return "not connected"
        if not self.settings.webhook_url and self.poller.silent > STALE:
            return "Telegram does not answer"
        return "Telegram is away" if self.courier.down else ""

    async def _login(self) -> None:
        """Find out who the bot is, for as long as Telegram is away. Raises InvalidToken."""
        pause = 1.0
        while True:
            try:
                await self.app.initialize()
                break
            except (Down, TelegramError) as error:
                if isinstance(error, InvalidToken):
                    raise
                log.warning("Telegram is away: %s", error)
            await self.clock.sleep(pause * (0.5 + 0.5 * random.random()))
            pause = min(LONGEST, pause * 2)
        self.me = self.bot.bot

    async def _listen(self, listening: asyncio.Event) -> None:
        if self.settings.webhook_url:
            await self.webhook.listen(listening)
        else:
            await self.bot.delete_webhook(rate_limit_args=LOGIN)
            await self.poller.listen()

    async def _announce(self, waiter: asyncio.Task[bool], ready: asyncio.Event | None) -> None:
        await waiter
        secret = self.settings.webhook_secret
        if self.settings.webhook_url and secret is not None:
            await self.bot.set_webhook(
                self.settings.webhook_url,
                secret_token=secret.get_secret_value(),
                allowed_updates=KINDS,
                rate_limit_args=LOGIN,
            )
        self._up = True
        log.info("Telegram: @%s listens", self.me.username)
        if ready is not None:
            ready.set()

    def _inline(self) -> bool:
        """Whether people can call the bot by its name in any chat, and buttons can put words into their field."""
        return bool(self.me.supports_inline_queries)

    async def _handle(self, update: Update) -> None:
        with words.language(place.locale(update)):
            await self.app.process_update(update)

    async def _belated(self, updates: Sequence[Update], seconds: float) -> None:
        """Answer once, below the last of them, that these came too late."""
        last = next((update for update in reversed(updates) if update.message), None)
        if last is None:
            return
        with words.language(place.locale(last)):
            asked = Asked.of(self.bot, last)
            if asked is not None and not place.anonymous(asked.message):
                await asked.reply(Text(phrases.belated(len(updates), seconds)))


__all__ = ["Front"]
