"""What a person wrote as Discord shows it letter by letter: no markup, no mentions, no links, no invisible tricks."""

from __future__ import annotations

import re
import unicodedata

from realbot.adapters.plain import plain

__all__ = ["block", "escaped", "plain"]

#: Signs that begin or end markup, a mention, a link, an emoji or a time; a backslash makes each of them itself.
SPECIAL = re.compile(r"([\\*_~|`<>\[\]()#@:/+-])")
FENCE = "```"


def escaped(text: str, limit: int = 300) -> str:
    """One line, of at most `limit` characters as it is read, that is shown as it was written."""
    line = plain(text, limit)
    shown = SPECIAL.sub(r"\\\1", line)
    # Isolated, text from right to left does not turn what stands beside it.
    turned = any(unicodedata.bidirectional(sign) in ("R", "AL", "AN") for sign in line)
    return f"\u2068{shown}\u2069" if turned else shown


def block(text: str) -> str | None:
    """A block of code that can be copied, or None for a text that would break out of it or is too long for one."""
    if FENCE in text or "`" in (text[:1], text[-1:]) or len(text) > 1800:
        return None
    return f"{FENCE}\n{text}\n{FENCE}"
