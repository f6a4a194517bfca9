"""A set before it is trained on: its pictures are fetched from Telegram, and what was found among them is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from telegram.error import TelegramError

from realbot.academy import Brought, Plan
from realbot.adapters import lessonwords, words
from realbot.adapters.outbox import Down
from realbot.adapters.plain import plain
from realbot.adapters.telegram import phrases, traincard, trainphrases
from realbot.adapters.telegram.files import DOWNLOAD
from realbot.adapters.telegram.text import MESSAGE, Text, dead, small
from realbot.adapters.telegram.trainset import Gathering, Sent
from realbot.phrases import Phrase

if TYPE_CHECKING:
    from realbot.jobs import User
    from realbot.studio import Studio

    from .wire import Bot

#: Pictures that are fetched at the same time, how often each is tried, and seconds for each try.
ABREAST, TRIES, DEADLINE = 4, 2, 30.0
#: Pictures that were left out, and pairs that look alike, that are told of.
LEFT_OUT, ALIKE = 8, 4


async def looked(studio: Studio, bot: Bot, user: User, gathering: Gathering) -> Plan:
    """Fetch the pictures of a set and look at them. Raises Refused."""
    turns, left_out = asyncio.Semaphore(ABREAST), []
    said = list(gathering.captions())

    async def fetch(sent: Sent) -> bytes | None:
        async with turns:
            return await _fetched(bot, sent)

    found = await asyncio.gather(*(fetch(sent) for sent, _ in said))
    files = []
    for (sent, caption), (number, data) in zip(said, enumerate(found, 1), strict=True):
        # What a photo is called must tell nothing of what is on it.
        name = sent.name or f"picture {number}"
        if data is None:
            reason = trainphrases.unsent(DOWNLOAD) if sent.size > DOWNLOAD else trainphrases.not_loaded()
            left_out.append((name, reason))
        else:
            files.append(Brought(name, data, caption))
    aim = gathering.aim
    plan = await studio.plan(user, gathering.origin, aim.style, aim.trigger, files, steps=aim.steps, rank=aim.rank)
    return replace(plan, left_out=(*left_out, *plan.left_out))


def told(plan: Plan) -> Text:
    """What was found, what it costs, and what the person answers for."""
    left_out = [lessonwords.left_out(_name(name), _reason(reason)) for name, reason in plan.left_out]
    alike = [lessonwords.alike(_name(one), _name(other)) for one, other in plan.alike]
    return Text.lines(
        [
            traincard.heading(plan.request),
            lessonwords.count(len(plan.request.images)),
            *_some(left_out, LEFT_OUT),
            *_some(alike, ALIKE),
            *traincard.facts(plan.request),
            phrases.fact(lessonwords.time(), lessonwords.cost(plan.duration)),
            small(lessonwords.consent()),
        ]
    ).cut(MESSAGE)


def _some(lines: Sequence[str], most: int) -> list[Text]:
    rest = [lessonwords.more(len(lines) - most)] if len(lines) > most else []
    return [dead(line) for line in [*lines[:most], *rest]]


def _reason(reason: str) -> str:
    """Why a picture is left out, as the studio says it or as it was said here."""
    return words.phrase(reason) if isinstance(reason, Phrase) else reason


def _name(name: str) -> str:
    """A picture's name; one without is counted in the reader's language."""
    head, _, number = name.partition("picture ")
    return trainphrases.photo(int(number)) if not head and number.isdecimal() else plain(name, 60)


async def _fetched(bot: Bot, sent: Sent) -> bytes | None:
    """The bytes of a picture; None where Telegram does not give them."""
    for _ in range(TRIES if sent.size <= DOWNLOAD else 0):
        with suppress(TelegramError, Down, TimeoutError):
            async with asyncio.timeout(DEADLINE):
                file = await bot.get_file(sent.file)
                return bytes(await file.download_as_bytearray())
    return None
