"""The screen on which the owners of the bot have its settings read anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telegram import MessageEntity

from realbot.adapters import changes
from realbot.adapters.plain import plain
from realbot.adapters.telegram.screens import Key, Screen, to
from realbot.adapters.telegram.text import Piece, Text, bold, code, dead, small
from realbot.jobs import User
from realbot.reload import Outcome

if TYPE_CHECKING:
    from realbot.studio import Studio

    from .rules import Here

#: Characters of a value.
VALUE = 80


async def draw(studio: Studio, here: Here, by: User) -> Screen:
    """Read the settings anew and show what came of it. The caller has checked who asks."""
    outcome = await studio.reread(by)
    return Screen(told(outcome, studio.line()[0]), [[key()], [here.back()]])


def key() -> Key:
    """The button that has them read."""
    return to(f"🔄 {changes.anew()}", "realbot", at="reload")


def told(outcome: Outcome, waiting: int) -> Text:
    """What has changed, what has not yet, or why nothing has."""
    if outcome.trouble:
        return Text.lines([bold(changes.refused()), dead(plain(outcome.trouble, 1000))])
    lines: list[str | Text] = [
        Text(code(one.key), "  ", _value(one.old), " → ", _value(one.new)) for one in outcome.changes[: changes.LISTED]
    ]
    return Text.lines(
        [
            bold(changes.done()),
            *(lines or [changes.nothing()]),
            changes.more(len(outcome.changes) - changes.LISTED) if len(outcome.changes) > changes.LISTED else "",
            small(changes.waiting(waiting)) if waiting and outcome.changes else "",
            dead(changes.pending(outcome.pending), MessageEntity.ITALIC) if outcome.pending else "",
        ]
    )


def _value(text: str) -> Piece | str:
    return code(plain(text, VALUE)) if text else changes.value(text)
