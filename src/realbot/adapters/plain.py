"""What a person wrote, as one harmless line."""

from __future__ import annotations

import unicodedata

#: Characters that turn the direction of what follows them, beyond their own text.
TURNS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def plain(text: str, limit: int) -> str:
    """One line of at most `limit` characters, without control characters."""
    line = " ".join(text.translate(TURNS).split())
    line = "".join(sign for sign in line if unicodedata.category(sign) not in ("Cc", "Cs"))
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"
