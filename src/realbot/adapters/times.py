"""Times and places in line, told in few words."""

from __future__ import annotations

import math

from realbot.adapters.languages import _, pgettext
from realbot.jobs import Eta


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    endings = {
        1: pgettext("ordinal", "{number}st"),
        2: pgettext("ordinal", "{number}nd"),
        3: pgettext("ordinal", "{number}rd"),
    }
    rest = 0 if n % 100 in (11, 12, 13) else n % 10
    return endings.get(rest, pgettext("ordinal", "{number}th")).format(number=n)


def duration(seconds: float) -> str:
    """A measured time: "0.8 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 9.95:
        return _("{number} s").format(number=f"{max(seconds, 0.0):.1f}".replace(".", pgettext("decimal point", ".")))
    whole = round(seconds)
    if whole < 60:
        return _("{number} s").format(number=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        text = _("{minutes} min {seconds} s") if rest else _("{minutes} min")
        return text.format(minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    return (_("{hours} h {minutes} min") if minutes else _("{hours} h")).format(hours=hours, minutes=minutes)


def eta(value: Eta | None) -> str:
    """A time still to come, in round numbers: "about 20–40 s", "about 2–3 min"; empty when nothing is known."""
    if value is None or not (math.isfinite(value.low) and math.isfinite(value.high)):
        return ""
    low, high = max(0.0, min(value.low, value.high)), max(0.0, value.high)
    if high < 2:
        return _("a moment")
    unit, size, grain = _scale(high)
    first = max(math.floor(low / grain), 1) * grain // size
    last = math.ceil(high / grain) * grain // size
    return _about(str(last) if first >= last else f"{first}–{last}", unit)


def wait(seconds: float) -> str:
    """How long to wait at most, in round numbers: "about 10 s"."""
    unit, size, grain = _scale(seconds)
    return _about(str(max(math.ceil(seconds / grain), 1) * grain // size), unit)


def _about(number: str, unit: str) -> str:
    about = {
        "s": _("about {number} s"),
        "min": _("about {number} min"),
        "h": _("about {number} h"),
        "d": _("about {number} days"),
    }[unit]
    return about.format(number=number)


def _scale(seconds: float) -> tuple[str, int, int]:
    """The unit that a time is told in, its seconds, and the seconds it is rounded to."""
    if seconds <= 20:
        return "s", 1, 1
    if seconds <= 90:
        return "s", 1, 5
    if seconds <= 5400:
        return "min", 60, 60
    return ("h", 3600, 3600) if seconds <= 48 * 3600 else ("d", 86_400, 86_400)
