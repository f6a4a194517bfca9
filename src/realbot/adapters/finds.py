"""What is said of pictures that are found again: whose a picture is, and what was found by its meaning."""

from __future__ import annotations

import time

from realbot.adapters.words import _
from realbot.finder import Found

#: Before what has other words than those that were looked for.
MEANT = "≈"


def whose(found: Found | None) -> str:
    """Whether a picture was painted here, and when; of somebody else's neither who nor how."""
    if found is None:
        return _("No, this is none of the pictures that are kept here.")
    if found.at is None:
        return _("The file says that realbot painted it, but it is none of the pictures that are kept here.")
    day = time.strftime("%Y-%m-%d", time.gmtime(found.at))
    if found.entry is None:
        if found.by == "bytes":
            return _("Yes, this was painted here on {day}, for somebody else.").format(day=day)
        return _("It looks like a picture that was painted here on {day}, for somebody else.").format(day=day)
    if found.by == "bytes":
        return _("Yes, this is yours, painted on {day}.").format(day=day)
    if found.by == "text":
        return _("The file says that it is yours, painted on {day}.").format(day=day)
    return _("It looks like a picture of yours, painted on {day}.").format(day=day)


def meant() -> str:
    """Below a list in which something was found by its meaning."""
    return _("≈ says it in other words.")
