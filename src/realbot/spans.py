"""A span of time as somebody writes it: "2h", "3 days", "1 Woche", "for good"."""

from __future__ import annotations

import contextlib
import re

from .errors import Invalid

_UNITS = {
    60.0: "m min mins minute minutes minuten",
    3600.0: "h hr hrs hour hours std stunde stunden",
    86_400.0: "d day days t tag tage tagen",
    604_800.0: "w wk week weeks woche wochen",
    2_592_000.0: "mo month months monat monate monaten",
    31_536_000.0: "y year years jahr jahre jahren",
}
SECONDS = {name: seconds for seconds, names in _UNITS.items() for name in names.split()}
GOOD = frozenset(
    {"", "for good", "good", "forever", "for ever", "permanent", "für immer", "immer", "auf dauer", "dauerhaft"}
)
PART = re.compile(r"(\d{1,5}(?:[.,]\d{1,3})?)\s*([^\W\d_]+)\.?(?:\s*,\s*|\s+(?:and|und)\s+|\s*)")
#: Words of a span at most.
WORDS = 5
#: The longest span in seconds; whoever means more means for good.
LONGEST = 10 * 31_536_000.0


def span(text: str) -> float | None:
    """Its seconds; None for good. Raises Invalid with the example of one."""
    plain = " ".join(text.casefold().split())
    if plain in GOOD:
        return None
    total, at = 0.0, 0
    while at < len(plain):
        part = PART.match(plain, at)
        seconds = SECONDS.get(part[2]) if part else None
        if part is None or seconds is None:
            raise Invalid(
                "{value} is no span of time; write 2h, 3 days, 1 week or for good.", value=text[:40], word=text[:40]
            )
        total, at = total + float(part[1].replace(",", ".")) * seconds, part.end()
    if not 60 <= total <= LONGEST:
        raise Invalid("A ban lasts from a minute to ten years, or for good.", word=text[:40])
    return total


def cut(text: str) -> tuple[float | None, str, bool]:
    """The span that a text begins with, what follows it, and whether there was one: "3 days too many frogs"."""
    words = text.split()
    for number in range(min(len(words), WORDS), 0, -1):
        with contextlib.suppress(Invalid):
            return span(" ".join(words[:number])), " ".join(words[number:]), True
    return None, " ".join(words), False
