"""Who changed what: in a group for its administrators, in the private chat; everywhere for the bot's owners."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from telegram import MessageEntity
from telegram.error import TelegramError

from realbot.adapters import banwords, deeds, sentences
from realbot.adapters.deeds import Deed
from realbot.adapters.outbox import Down
from realbot.adapters.plain import plain
from realbot.adapters.telegram import place
from realbot.adapters.telegram.cases import titled
from realbot.adapters.telegram.links import way
from realbot.adapters.telegram.screens import Key, Screen, Viewer, to
from realbot.adapters.telegram.text import Piece, Text, bold, code, dead, filled, quoted, small, units, when
from realbot.adapters.telegram.trainers import called
from realbot.gate import moment
from realbot.places import EVERYWHERE

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.audit import Change

    from .rules import Here

#: Changes on a page at most, and how much text and how many looks a message has for them.
PAGE, ROOM, LOOKS = 10, 3900, 90


async def draw(front: Front, here: Here, viewer: Viewer, state: dict[str, Any]) -> Screen:
    """A page of the changes. The caller has checked who asks."""
    if not here.everywhere and not viewer.private:
        return Screen(Text(banwords.aside()), [[way(front, "audit", here, deeds.name())]])
    before = int(state.get("before", 0)) or None
    changes = await front.studio.audit(here.key or "", PAGE + 1, before)
    names: dict[str, str] = {}
    for key in dict.fromkeys(key for change in changes[:PAGE] for key in _people(change)):
        names[key] = await called(viewer.bot, here, key.partition(":")[2])
    for number in dict.fromkeys(number for change in changes[:PAGE] for number in _chats(change)):
        names[number] = await titled(viewer.bot, await front.moves.now(number))
    shown: list[Change] = []
    lines: list[Text] = []
    for change in changes[:PAGE]:
        more = list(lines)
        if change.place != (shown[-1].place if shown else here.key):
            # What was done in one place stands together.
            more.append(dead(deeds.place(await _place(viewer, change.place)), MessageEntity.ITALIC))
        ago = when(deeds.ago(front.clock.now() - change.at), change.at)
        more += [Text("• ", _sentence(deed, change, names), " · ", ago) for deed in deeds.deeds(change)]
        if shown and not _fits(Text.lines(more)):
            break
        shown, lines = [*shown, change], more
    lines = lines or [Text(deeds.nothing())]
    title = bold(deeds.title(everywhere=here.everywhere))
    turns = []
    if before is not None:
        turns.append(_to(f"⏮ {deeds.latest()}", here))
    if len(changes) > len(shown):
        turns.append(_to(f"{sentences.older()} ›", here, before=shown[-1].seq))
    rows = [turns, [here.back()] if here.everywhere else []]
    return Screen(Text.lines([title, *lines]), [row for row in rows if row])


def _fits(text: Text) -> bool:
    return units(str(text)) <= ROOM and len(text.entities()) <= LOOKS


def _to(label: str, here: Here, **state: Any) -> Key:
    return to(label, "realbot", at="audit", **here.about, **state)


def _people(change: Change) -> list[str]:
    """The keys of those whose names are asked for."""
    keys = [] if change.name else [change.by]
    person = str(change.change.get("person", ""))
    if person and not change.change.get("name"):
        keys.append(person)
    return [key for key in keys if key.startswith(f"{place.PLATFORM}:")]


def _chats(change: Change) -> list[str]:
    """The numbers of the chats whose names are asked for."""
    if not change.place.startswith(f"{place.PLATFORM}:"):
        return []
    return [number for deed in deeds.deeds(change) for number in deed.channels if number.removeprefix("-").isdecimal()]


async def _place(viewer: Viewer, key: str) -> str:
    """What a place is called, its key where Telegram does not tell; empty for everywhere."""
    platform, _sign, number = key.partition(":")
    if key == EVERYWHERE:
        return ""
    if platform == place.PLATFORM and number.lstrip("-").isdecimal():
        with suppress(TelegramError, Down):
            return plain((await viewer.bot.get_chat(int(number))).effective_name or "", 64) or key
    return plain(key, 64)


def _sentence(deed: Deed, change: Change, names: dict[str, str]) -> Text:
    pieces: dict[str, str | Piece] = {name: quoted(value, 200) for name, value in deed.values.items()}
    if "name" in pieces:
        pieces["name"] = code(deed.values["name"])
    if "reason" in pieces:
        said = quoted(deed.values["reason"], 200)
        pieces["reason"] = small(said.text) if said.kind == MessageEntity.BOLD else said
    pieces |= {"who": _who(change, names), "whom": _whom(deed, names)}
    pieces |= {
        "channels": code(", ".join(names.get(one, one) for one in deed.channels)),
        "moment": code(moment(deed.until)),
    }
    return filled(deed.template, **pieces)


def _who(change: Change, names: dict[str, str]) -> Piece | str:
    return deeds.nameless(change.by) or quoted(plain(change.name or names.get(change.by, "") or change.by, 64))


def _whom(deed: Deed, names: dict[str, str]) -> Piece | str:
    key, name = deed.whom
    name = plain(name or names.get(key, "") or (key if ":" in key else ""), 64)
    return quoted(name) if name else banwords.somebody()
