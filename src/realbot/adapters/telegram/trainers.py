"""Who may train styles in a group beside its administrators, and everywhere beside the bot's owners."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from telegram.error import TelegramError

from realbot.adapters import lessonwords
from realbot.adapters.outbox import Down
from realbot.adapters.plain import plain
from realbot.adapters.telegram import trainphrases
from realbot.adapters.telegram.screens import Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, dead
from realbot.errors import Invalid

if TYPE_CHECKING:
    from realbot.studio import Studio

    from .rules import Here
    from .wire import Bot

#: People whose names are looked up.
NAMED = 20


async def draw(studio: Studio, here: Here, viewer: Viewer, state: dict[str, Any]) -> Screen:
    """Who may, after somebody was allowed or denied. The caller has checked who asks. Raises Invalid."""
    rules = await studio.place(here.key)
    for verb in {"allow", "deny"} & set(state):
        number = str(state[verb]).strip()
        if not number.isdecimal():
            raise Invalid(f"{lessonwords.whom()} {trainphrases.trainers_typed()}")
        others = [one for one in rules.trainers if one != number]
        rules = await studio.rule(here.key, viewer.user, trainers=[*others, number] if verb == "allow" else others)
    names = {number: await called(viewer.bot, here, number) for number in rules.trainers[:NAMED]}
    roles: Any = studio.settled(here.origin)["training"]
    told = ", ".join(names.get(number, number) for number in rules.trainers)
    rows = [[to(f"✖ {name}", "realbot", at="trainers", deny=number)] for number, name in names.items()]
    title = bold(trainphrases.trainers_title(everywhere=here.everywhere))
    text = Text.lines([title, dead(lessonwords.trainers(told, roles.roles)), trainphrases.trainers_typed()])
    return Screen(text, [*rows, [here.back()]])


def meant(whom: str, state: dict[str, Any]) -> dict[str, Any]:
    """The state of the screen that a command asks for, with the person that its answer is about, if any."""
    return {name: value or whom for name, value in state.items()} if state.get("at") == "trainers" else state


async def called(bot: Bot, here: Here, number: str) -> str:
    """What somebody is called there; their number where Telegram does not tell."""
    with suppress(TelegramError, Down):
        if here.origin is not None:
            member = await bot.get_chat_member(int(here.origin.place), int(number))
            return plain(member.user.full_name, 64) or number
        return plain((await bot.get_chat(int(number))).effective_name or "", 64) or number
    return number
