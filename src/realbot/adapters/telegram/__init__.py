"""The Telegram front-end: builds the client, the handlers and the courier, and serves until it is stopped.

A module of commands has `register(front)`, which calls `front.command` and `front.screens.add`, and stands in `PARTS`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import telegram
from telegram import Update
from telegram.error import BadRequest, InvalidToken, TelegramError
from telegram.ext import ApplicationBuilder, CallbackQueryHandler, CommandHandler, filters

from realbot.adapters import captions, verdicts, words
from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down
from realbot.adapters.telegram.text import Text
from realbot.errors import ConfigError, Refused
from realbot.logs import alias
from realbot.tasks import Tasks

from . import (
    admin,
    cases,
    commands,
    gallery,
    guide,
    history,
    imagine,
    inline,
    line,
    link,
    members,
    phrases,
    place,
    privacy,
    quota,
    settings,
    train,
    trained,
    whose,
    wire,
)
from .albums import Albums
from .asked import Asked
from .courier import Courier
from .inbox import KINDS, Inbox
from .intake import Intake
from .limiter import Limiter
from .looks import Looks, question
from .place import Moves, Rights
from .poller import HOLD, Poller
from .presses import Presses
from .screens import Screens
from .webhook import Webhook

if TYPE_CHECKING:
    from realbot.config import Settings
    from realbot.sections import Telegram
    from realbot.studio import Studio

    from .wire import Bot

log = logging.getLogger(__name__)

#: Seconds that pictures on their way, and updates that are being handled, get when realbot stops.
GRACE = 1.5
#: Longest wait between two tries to log in, in seconds.
LONGEST = 30.0
#: Modules that add commands, the one that takes whatever no command is for last.
PARTS = (
    cases,
    members,
    line,
    history,
    whose,
    gallery,
    quota,
    settings,
    privacy,
    guide,
    link,
    admin,
    inline,
    train,
    trained,
    imagine,
)

Call = Callable[[Asked], Awaitable[None]]


class Front:
    """Everything a command needs."""

    platform = place.PLATFORM
    me: telegram.User

    def __init__(self, studio: Studio, settings: Telegram, *, clock: Clock | None = None, hold: int = HOLD) -> None:
        """`hold` is for how many seconds Telegram may hold a poll."""
        self.studio, self.settings, self.clock = studio, settings, clock or Clock()
        self.limiter = Limiter(self.clock)
        self.bot: Bot = wire.connected(settings, self.limiter)
        self.rights, self.tasks = Rights(self.bot, self.clock, settings.owners), Tasks()
        self.screens = Screens(studio)
        self.moves = Moves(studio)
        self.albums, self.looks = Albums(), Looks(studio, self.bot)
        self.courier = Courier(studio, self.bot, clock=self.clock, moves=self.moves, inline=self._inline)
        self.intake = Intake(studio, self.bot, self.courier, self.rights)
        self.presses = Presses(
            studio, self.bot, self.intake, self.courier, self.screens, self.rights, self.moves, self.looks
        )
        self.inbox = Inbox(studio, self.clock, self._handle, self._belated, settings.backlog_minutes * 60)
        self.poller = Poller(settings, self.inbox.take, self.clock, hold)
        self.webhook = Webhook(settings, self.inbox.take)
        self.app = ApplicationBuilder().bot(self.bot).updater(None).build()
        self._up = False
        self._commands: set[str] = set()
        studio.reload.listeners.append(self._reconfigure)
        self.app.add_handler(CallbackQueryHandler(self.presses.press))
        for part in PARTS:
            part.register(self)

    def command(self, name: str, call: Call) -> None:
        """Let `/name`, and `/name@bot`, call this with what follows it; its name in other languages does so too."""

        async def asked(update: Update, context: object) -> None:
            await self.ask(update, call, command=True)

        own = filters.UpdateType.MESSAGE & ~filters.FORWARDED & ~filters.VIA_BOT
        names = commands.called(name)
        self.app.add_handler(CommandHandler(names, asked, filters=own))
        self._commands |= names

    async def ask(self, update: Update, call: Call, *, command: bool = False) -> None:
        """Call this for a message, and answer with one sentence what cannot be done."""
        text = (update.message.text or update.message.caption or "").strip() if update.message else ""
        if command:
            text = text[len(text.split(maxsplit=1)[0]) :].strip()
        asked = Asked.of(self.bot, update, text)
        if asked is None:
            return
        asked = replace(asked, origin=await self.moves.origin(asked.origin))
        try:
            if place.anonymous(asked.message):
                await asked.reply(phrases.anonymous())
                return
            try:
                user = await self.rights.known(asked.user, asked.origin, self.studio)
                await call(replace(asked, user=user))
            except Refused as error:
                await asked.refuse(error)
            except (TelegramError, Down):
                raise
            except Exception:
                log.exception("a message was not answered")
                await asked.reply(captions.trouble())
        except (TelegramError, Down) as error:
            log.warning("an answer did not arrive in %s: %s", alias(asked.origin.place), error)

    async def serve(self, *, ready: asyncio.Event | None = None) -> None:
        """Serve until cancelled; `ready` is set once people can ask.

        Raises ConfigError when Telegram does not take the token, at the start or later.
        """
        menus: asyncio.Task[None] | None = None
        try:
            await self._persist(self.app.initialize)
            self.me = self.bot.bot
            await self.inbox.open(self.bot)
            self.courier.open()
            self.tasks.spawn(self.studio.safety.begin(self.platform))
            menus = asyncio.create_task(commands.sync(self), name="telegram commands")
            await self._listen(ready)
        except InvalidToken as error:
            raise ConfigError(
                "telegram.token: Telegram does not take this token; ask BotFather for a new one.", key="telegram.token"
            ) from error
        finally:
            self._up = False
            if menus is not None:
                menus.cancel()
                await asyncio.gather(menus, return_exceptions=True)
            await self.inbox.close(GRACE)
            await self.tasks.close(0.0)
            await self.courier.close(GRACE)
            await self.app.shutdown()
            # The library leaves it open where logging in failed.
            await self.bot.shutdown()

    def _reconfigure(self, _: Settings, settings: Settings) -> None:
        if settings.telegram is not None:
            self.settings = settings.telegram
            self.rights.owners = self.settings.owners
            self.inbox.age = self.settings.backlog_minutes * 60

    @property
    def health(self) -> str:
        """What is not as it should be, in a few words; empty when all is well."""
        if not self._up:
            return phrases.unconnected()
        deaf = "" if self.settings.webhook_url else self.poller.health
        unchecked = verdicts.unchecked() if self.studio.safety.down else ""
        return deaf or (phrases.away() if self.courier.down else unchecked)

    @property
    def away(self) -> bool:
        """Whether people cannot ask there at the moment."""
        deaf = bool(self.poller.health) and not self.settings.webhook_url
        return not self._up or deaf or self.courier.down

    @property
    def limited(self) -> int:
        """How often Telegram wanted to be left alone."""
        return self.limiter.limited + self.poller.limited

    def pulse(self) -> float:
        """Seconds since it should have asked Telegram for updates; 0 where Telegram tells them, and before that."""
        return 0.0 if self.settings.webhook_url or not self._up else self.poller.idle

    async def _persist(self, call: Callable[[], Awaitable[object]]) -> None:
        """Do this, for as long as Telegram is away once more and again. Raises InvalidToken."""
        pause = 1.0
        while True:
            try:
                await call()
            except InvalidToken:
                raise
            except (Down, TelegramError) as error:
                log.warning("Telegram is away: %s", error)
                wait = error.wait if isinstance(error, Down) else 0.0
            else:
                return
            await self.clock.sleep(max(wait, pause * (0.5 + 0.5 * random.random())))
            pause = min(LONGEST, pause * 2)

    async def _listen(self, ready: asyncio.Event | None) -> None:
        """Hear what people write, until cancelled. Raises InvalidToken when the token is not valid any more."""
        if not self.settings.webhook_url:
            await self._persist(self.bot.delete_webhook)
            self._announce(ready)
            await self.poller.listen()
        async with self.webhook.listening():
            await self._persist(self._hook)
            self._announce(ready)
            await self.limiter.revoked.wait()
            raise InvalidToken

    async def _hook(self) -> None:
        """Tell Telegram where to post. Raises ConfigError when it does not take the address."""
        url, secret = self.settings.webhook_url, self.settings.webhook_secret
        assert url is not None
        assert secret is not None, "checked with the settings"
        try:
            await self.bot.set_webhook(url, secret_token=secret.get_secret_value(), allowed_updates=KINDS)
        except BadRequest as error:
            raise ConfigError(
                "telegram.webhook_url: Telegram does not take this address: {reason}.",
                key="telegram.webhook_url",
                reason=error.message.rstrip("."),
            ) from error

    def _announce(self, ready: asyncio.Event | None) -> None:
        self._up = True
        log.info("Telegram: @%s listens", self.me.username)
        if ready is not None:
            ready.set()

    def _inline(self) -> bool:
        """Whether people can call the bot by its name in any chat, and buttons can put words into their field."""
        return bool(self.me.supports_inline_queries)

    async def _handle(self, updates: Sequence[Update]) -> None:
        self.albums.keep(updates)
        for update in updates:
            with words.language(place.locale(update)):
                await self.app.process_update(update)

    async def _belated(self, updates: Sequence[Update], seconds: float) -> None:
        """Answer once, below the last of them, that these came too late."""

        def ours(message: telegram.Message) -> bool:
            return place.meant(message, self.me, self._commands) or bool(question(message))

        meant = [one for one in updates if one.message and ours(one.message)]
        asked = Asked.of(self.bot, meant[-1]) if meant else None
        if asked is not None:
            with words.language(place.locale(meant[-1])):
                await asked.reply(Text(phrases.belated(len(meant), seconds)))


__all__ = ["Front"]
