"""What administrators read of bans. Sentences with gaps are filled by each platform, with its own looks."""

from __future__ import annotations

from realbot.adapters.words import _, ngettext

#: Spans that are offered, in the words that are understood.
SPANS = ("1 hour", "1 day", "1 week", "30 days", "for good")


def span(text: str) -> str:
    """One of the spans that are offered."""
    return {
        "1 hour": _("1 hour"),
        "1 day": _("1 day"),
        "1 week": _("1 week"),
        "30 days": _("30 days"),
        "for good": _("for good"),
    }[text]


def title(*, everywhere: bool) -> str:
    return _("Banned everywhere") if everywhere else _("Banned here")


def nobody(*, everywhere: bool) -> str:
    return _("Nobody is banned everywhere.") if everywhere else _("Nobody is banned here.")


def somebody() -> str:
    """Whoever had everything of theirs deleted; their ban stays."""
    return _("somebody who had everything deleted")


def good() -> str:
    return _("for good")


def until() -> str:
    """With a gap for when a ban is over."""
    return _("until {when}")


def by() -> str:
    """With gaps for who pronounced a ban, and when."""
    return _("by {who}, {when}")


def done(*, everywhere: bool) -> str:
    """With gaps for who is banned, and for how long: `good` or `until`."""
    return _("{whom} is banned everywhere {until}.") if everywhere else _("{whom} is banned here {until}.")


def ended(number: int) -> str:
    """How many requests a ban cancelled."""
    return ngettext(
        "{number} request of theirs was cancelled.", "{number} requests of theirs were cancelled.", number
    ).format(number=number)


def lifted(*, everywhere: bool) -> str:
    """With a gap for whose ban it was."""
    return _("{whom} is not banned everywhere any more.") if everywhere else _("{whom} is not banned here any more.")


def lift() -> str:
    """Above a menu of those who are banned."""
    return _("Lift a ban…")


def lift_it() -> str:
    """A button below a ban that was just pronounced."""
    return _("Lift the ban")


def every() -> str:
    """A button that shows all bans."""
    return _("All bans")


def owners_only() -> str:
    return _("Only the owners of this bot can do that everywhere.")


def whom() -> str:
    return _("Say who.")
