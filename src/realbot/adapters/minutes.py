"""The audit log in the terminal: a table, or JSON for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from realbot.adapters import banwords, deeds
from realbot.adapters.deeds import Deed
from realbot.adapters.plain import plain
from realbot.audit import Change
from realbot.gate import moment
from realbot.places import EVERYWHERE


def shown(changes: Sequence[Change], console: Console) -> None:
    """Print what was changed, the latest first."""
    if not changes:
        console.print(deeds.nothing())
        return
    table = Table(deeds.when(), deeds.what(), deeds.where(), box=None, header_style="bold")
    for change in changes:
        place = deeds.place("" if change.place == EVERYWHERE else plain(change.place, 64))
        for n, deed in enumerate(deeds.deeds(change)):
            first = n == 0
            table.add_row(
                Text(deeds.stamp(change.at) if first else "", no_wrap=True),
                _sentence(deed, change),
                Text(place if first else ""),
            )
    console.print(table)


def encoded(changes: Sequence[Change]) -> str:
    """The same as JSON: Unix times, keys and the changes as they were noted."""
    told: list[dict[str, Any]] = [asdict(change) for change in changes]
    return json.dumps(told, indent=2, ensure_ascii=False)


def _sentence(deed: Deed, change: Change) -> Text:
    """What was done; a person's name with their key, which says who it really is."""
    who = deeds.nameless(change.by) or _person(change.by, change.name)
    whom = _person(*deed.whom) if ":" in deed.whom[0] else plain(deed.whom[1], 64)
    said = {name: plain(value, 300) for name, value in deed.values.items()}
    said |= {"who": who, "whom": whom or banwords.somebody()}
    said |= {"channels": ", ".join(deed.channels), "moment": moment(deed.until)}
    return Text(deed.template.format_map(said))


def _person(key: str, name: str) -> str:
    name, key = plain(name, 64), plain(key, 64)
    return f"{name} ({key})" if name and key else name or key
