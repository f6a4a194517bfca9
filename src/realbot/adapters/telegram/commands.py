"""The command menu in every language, and the line about the bot, told to Telegram when they have changed."""

from __future__ import annotations

import hashlib
import logging
import random
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from telegram import (
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeDefault,
)
from telegram.error import RetryAfter, TelegramError

from realbot.adapters import words
from realbot.adapters.languages import ENGLISH, languages
from realbot.adapters.outbox import Down
from realbot.adapters.telegram import sayings
from realbot.jobs import canonical

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front

log = logging.getLogger(__name__)

#: What Telegram takes as the name of a command.
COMMAND = re.compile(r"[a-z0-9_]{1,32}")
#: Under which name it is remembered what Telegram was told.
NAME = "telegram commands"
GROUPS = ("imagine", "look", "queue", "cancel", "whose", "quota", "styles", "help")
#: Is listed for administrators, and for everyone where everyone may.
TRAIN = "train"
#: The commands of each scope; the narrowest that holds in a chat is the one that is listed there.
SCOPES: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (BotCommandScopeDefault(), GROUPS),
    (BotCommandScopeAllPrivateChats(), sayings.COMMANDS),
    (BotCommandScopeAllGroupChats(), GROUPS),
    (BotCommandScopeAllChatAdministrators(), (*GROUPS, TRAIN, "realbot")),
)
#: Seconds until Telegram is told again what it did not take: the first time, and at most.
FIRST, LONGEST = 30.0, 3600.0


async def sync(front: Front) -> None:
    """Tell Telegram the commands, unless it knows them; in an outage until it does, so run this beside the rest."""
    hashed = hashlib.sha256(canonical([front.bot.id, list(_told(front))])).hexdigest()
    if await front.studio.remembered(NAME) == hashed:
        return
    pause = FIRST
    while True:
        try:
            await _tell(front)
            await front.studio.remember(NAME, hashed)
        except (Down, RetryAfter) as error:
            log.warning("Telegram was not told the commands: %s", error)
        except TelegramError:
            log.exception("Telegram finds something wrong with the commands")
            return
        else:
            return
        await front.clock.sleep(pause * (0.5 + random.random()))
        pause = min(LONGEST, pause * 2)


async def _tell(front: Front) -> None:
    for code, about, menus in _told(front):
        for (scope, _), commands in zip(SCOPES, menus, strict=True):
            await front.bot.set_my_commands(commands, scope=scope, language_code=code)
        await front.bot.set_my_short_description(about, language_code=code)


def _told(front: Front) -> Iterator[tuple[str | None, str, list[list[tuple[str, str]]]]]:
    """For each language its code, the line about the bot, and for each scope the names with what they are for.

    English is what everybody else gets, under no code.
    """
    for name in sorted(languages(), key=lambda name: name != ENGLISH):
        code = None if name == ENGLISH else name[:2]
        with words.language(name):
            menus = [[(name, sayings.command(name)) for name in _listed(front, commands)] for _, commands in SCOPES]
            yield code, sayings.about(), menus


def _listed(front: Front, names: tuple[str, ...]) -> tuple[str, ...]:
    """The commands of a scope, with those that everyone may use here."""
    rules: Any = front.studio.configured()["training"]
    if TRAIN in names or "everyone" not in rules.roles:
        return names
    return (*names[:-1], TRAIN, names[-1])


def called(name: str) -> frozenset[str]:
    """The names of a command in every language, as far as Telegram takes them."""
    found = {name}
    for code in languages():
        with words.language(code):
            found.add(words.pgettext("command", name))
    return frozenset(one for one in found if COMMAND.fullmatch(one))
