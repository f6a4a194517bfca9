"""The copies of the database: whether the last one is young enough, and whether it can be put back."""

from __future__ import annotations

import time
from collections.abc import Iterator

from realbot import backups
from realbot.config import Settings
from realbot.findings import Finding, good, unwise, wrong

HOUR = 3600.0


def copies(settings: Settings) -> Iterator[Finding]:
    """What there is in the folder of the copies."""
    rules, data = settings.backup, settings.paths.data
    folder = rules.folder or data / "backups"
    made = backups.found(folder)
    if not made:
        if not rules.hours:
            yield unwise("copies", "None are made.", "Set backup.hours, or copy with realbot backup now and then.")
        elif data.exists():
            yield unwise("copies", f"There is none in {folder} yet.", "Start realbot, or run realbot backup.")
        return
    last, age = made[0], (time.time() - made[0].at) / HOUR
    if found := backups.damage(last.path):
        yield wrong(
            "copies",
            f"The last one, {last.path.name}, cannot be put back: {found}.",
            "Run realbot backup for a new one, and mend the disk that holds the copies.",
        )
    elif rules.hours and age > 2 * rules.hours:
        yield unwise(
            "copies",
            f"The last one in {folder} is {age:.0f} hours old; one is due every {rules.hours:g}.",
            "Start realbot if it does not run; else free space there, and look into the log.",
        )
    else:
        sealed = ", encrypted" if last.sealed else ""
        yield good("copies", f"{len(made)} in {folder}; the last one is sound and {age:.1f} hours old{sealed}.")
