"""What administrators did, a sentence each, as the audit log is read. Each platform fills the gaps with its looks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from realbot.adapters import words
from realbot.adapters.languages import Phrasebook
from realbot.adapters.words import N_, _, ngettext
from realbot.audit import Change
from realbot.places import EVERYWHERE

#: The key of whoever has the password of the admin page.
ADMIN = "web:admin"
#: Names of channels and styles that a sentence tells.
NAMED = 12


#: What is noted of a change beside what it did.
ABOUT = frozenset({"person", "name", "reason", "within"})
#: What is told in the same words always.
PLAIN = Phrasebook(
    {
        "lifted": N_("{who} lifted the ban of {whom}"),
        "quota": N_("{who} handed the quota of {whom} back"),
        "released": N_("{who} released a picture that was held back"),
        "upheld": N_("{who} decided that a picture stays held back"),
        "reloaded": N_("{who} had the settings read anew"),
        "restarted": N_("{who} started the engine anew"),
        "left": N_("The bot was taken out of here"),
        "moved": N_("This group has another number since then"),
    }
)


@dataclass(frozen=True, slots=True)
class Deed:
    """A sentence with gaps: {who} did it, {whom} was it done to, and values by name, as somebody wrote them."""

    template: str
    values: dict[str, str] = field(default_factory=dict)
    whom: tuple[str, str] = ("", "")  #: key of a person or the hash that stands for them, and name
    channels: tuple[str, ...] = ()  #: ids, for the gap {channels}
    until: float = 0.0  #: Unix time, for the gap {moment}


def title(*, everywhere: bool) -> str:
    return _("What was changed, everywhere") if everywhere else _("What was changed here")


def name() -> str:
    """The button that shows them."""
    return _("Audit log")


def nothing() -> str:
    return _("Nothing was changed within a year.")


def latest() -> str:
    return _("Latest")


def nameless(key: str) -> str:
    """Who did something, where that is nobody with a name: somebody forgotten, or whoever runs the bot; else empty."""
    if not key:
        return _("Somebody")
    if key.startswith("cli:"):
        return _("The terminal")
    return _("The admin page") if key == ADMIN else ""


def place(name: str) -> str:
    """Where something was changed; empty for everywhere."""
    return _("in {place}").format(place=name) if name else _("everywhere")


def when() -> str:
    """The heading of a column."""
    return _("when")


def where() -> str:
    """The heading of a column."""
    return _("where")


def what() -> str:
    """The heading of a column."""
    return _("what")


def ago(seconds: float) -> str:
    """How long ago something was, in round numbers."""
    minutes, hours, days = round(seconds / 60), round(seconds / 3600), round(seconds / 86_400)
    if minutes < 1:
        return _("just now")
    if minutes < 60:
        return ngettext("{number} minute ago", "{number} minutes ago", minutes).format(number=minutes)
    if hours < 36:
        return ngettext("{number} hour ago", "{number} hours ago", hours).format(number=hours)
    return ngettext("{number} day ago", "{number} days ago", days).format(number=days)


def stamp(at: float) -> str:
    """A Unix time on this computer's clock."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def deeds(change: Change) -> list[Deed]:
    """What a change did; at least one sentence, also for what another version noted."""
    return list(_told(change.change, everywhere=change.place == EVERYWHERE)) or [Deed(_("{who} changed something"))]


def _told(change: dict[str, Any], *, everywhere: bool) -> Iterator[Deed]:
    whom = (str(change.get("person", "")), str(change.get("name", "")))
    for name, value in change.items():
        if name in ABOUT or (name == "denied" and "allowed" in change):
            continue
        if name in PLAIN:
            yield Deed(PLAIN[name], whom=whom)
        elif isinstance(value, dict):
            yield from (_setting(name, key, one, everywhere=everywhere) for key, one in value.items())
        else:
            yield _one(name, value, change, whom) or _setting("", name, value, everywhere=everywhere)


def _one(name: str, value: Any, change: dict[str, Any], whom: tuple[str, str]) -> Deed | None:
    """What has a sentence of its own, None for what is told as a setting is."""
    match name:
        case "banned":
            return _banned(value, str(change.get("reason", "")), whom)
        case "paused":
            return Deed(_("{who} paused the painting") if value else _("{who} let the painting go on"))
        case "cleared":
            told = ngettext(
                "{who} cancelled {number} waiting request", "{who} cancelled {number} waiting requests", value
            )
            return Deed(told, {"number": str(value)})
        case "allowed" | "denied":
            return _channels(change.get("allowed") or (), change.get("denied") or ())
        case "styles":
            return _styles(value)
        case "trainers":
            return _trainers(value)
        case "moderators" if value:
            return Deed(_("{who} has moderators asked in {channels}"), channels=_ids(value))
    return None


def _banned(until: Any, reason: str, whom: tuple[str, str]) -> Deed:
    values = {"reason": reason} if reason else {}
    if not until:
        told = _("{who} banned {whom} for good: {reason}") if reason else _("{who} banned {whom} for good")
        return Deed(told, values, whom)
    told = _("{who} banned {whom} until {moment}: {reason}") if reason else _("{who} banned {whom} until {moment}")
    return Deed(told, values, whom, until=float(until))


def _channels(allowed: Any, denied: Any) -> Deed:
    if allowed:
        return Deed(_("{who} allowed pictures in {channels} only"), channels=_ids(allowed))
    if denied:
        return Deed(_("{who} allowed pictures everywhere but in {channels}"), channels=_ids(denied))
    return Deed(_("{who} allowed pictures in every channel"))


def _ids(channels: Any) -> tuple[str, ...]:
    return tuple(map(str, channels))[:NAMED]


def _styles(names: Any) -> Deed:
    if not names:
        return Deed(_("{who} allowed every style"))
    told = ", ".join(map(str, names[:NAMED]))
    return Deed(_("{who} allowed these styles only: {names}"), {"names": f"{told}…" if len(names) > NAMED else told})


def _trainers(named: Any) -> Deed:
    if not named:
        return Deed(_("{who} let nobody train styles but administrators"))
    told = ngettext(
        "{who} lets {number} person or role train styles",
        "{who} lets {number} people or roles train styles",
        len(named),
    )
    return Deed(told, {"number": str(len(named))})


def _setting(section: str, name: str, value: Any, *, everywhere: bool) -> Deed:
    """One setting. Words that are blocked are counted, not told."""
    label = name if section in ("", "limits") else f"{section}.{name}"
    if (value is None or value == []) and everywhere:
        return Deed(_("{who} took {name} back to what the bot's settings say"), {"name": label})
    if value is None or value == []:
        return Deed(_("{who} took {name} back to what it is for everybody"), {"name": label})
    if isinstance(value, list | tuple):
        told = ngettext("{who} set {name} to {number} entry", "{who} set {name} to {number} entries", len(value))
        return Deed(told, {"name": label, "number": str(len(value))})
    if isinstance(value, bool):
        return Deed(_("{who} set {name} to {value}"), {"name": label, "value": str(value).lower()})
    if isinstance(value, int | float):
        shown = str(int(value)) if value == int(value) else words.number(value)
        return Deed(_("{who} set {name} to {value}"), {"name": label, "value": shown})
    if isinstance(value, str) and value:
        return Deed(_("{who} set {name} to {value}"), {"name": label, "value": value})
    return Deed(_("{who} changed {name}"), {"name": label})
