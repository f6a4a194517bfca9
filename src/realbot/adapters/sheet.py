"""The settings in a terminal, as a table that fits, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from realbot.listing import MASK, shown
from realbot.provenance import Value

#: How a value looks that nobody set, one that somebody did, and one that is otherwise elsewhere.
USUAL, OWN, LOCAL = "bright_black", "", "bold yellow"
#: Characters that a value has at least, and at most where lines are not cut.
LEAST, MOST = 14, 40
GAP = "  "


def printed(values: Sequence[Value], console: Console) -> None:
    """Print them; lines are cut in a terminal only. What holds in a place and not elsewhere has a dot."""
    local = any(one.differs for one in values)
    rows = [(("● " if one.differs else GAP) * local + one.key, _value(one), one.origin) for one in values]
    first, last = (max(len(row[n]) for row in rows) for n in (0, 2))
    room = max(len(row[1]) for row in rows if console.is_terminal or len(row[1]) <= MOST)
    if console.is_terminal:
        room = max(LEAST, min(room, console.width - first - last - 2 * len(GAP)))
    _line(console, (f"{GAP * local}setting", "value", "from"), first, room, ("bold", "bold", "bold"))
    section = ""
    for one, row in zip(values, rows, strict=True):
        here = one.key.partition(" " if " " in one.key else ".")[0]
        if section not in ("", here) and console.is_terminal:
            console.print()
        section = here
        look = LOCAL if one.differs else USUAL if one.origin == "default" else OWN
        _line(console, row, first, room, (look, look, look if one.origin == "default" else "cyan"))


def encoded(values: Sequence[Value]) -> str:
    """JSON for other programs."""
    told = [
        {"key": one.key, "value": one.value, "origin": one.origin, "elsewhere": one.elsewhere, "differs": one.differs}
        for one in values
    ]
    return json.dumps(told, ensure_ascii=False, indent=2, default=str)


def _line(console: Console, row: tuple[str, str, str], first: int, room: int, looks: tuple[str, str, str]) -> None:
    key, value, origin = row
    if console.is_terminal and len(value) > room:
        value = f"{value[: room - 1]}…"
    cells = (f"{key:<{first}}{GAP}", f"{value:<{room}}{GAP}", origin)
    line = Text.assemble(*zip(cells, looks, strict=True), no_wrap=True, overflow="ellipsis")
    console.print(line, crop=console.is_terminal, soft_wrap=not console.is_terminal)


def _value(one: Value) -> str:
    here = MASK if one.value == MASK else shown(one.value)
    known = one.differs and one.elsewhere not in ((), "") and one.elsewhere is not False
    return f"{shown(one.elsewhere)} → {here}" if known else here
