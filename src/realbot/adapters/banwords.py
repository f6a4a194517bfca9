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


def done(*, everywhere: bool, good: bool) -> str:
    """With gaps for who is banned and, unless for good, until when."""
    if good:
        return _("{whom} is banned everywhere for good.") if everywhere else _("{whom} is banned here for good.")
    if everywhere:
        return _("{whom} is banned everywhere until {when}.")
    return _("{whom} is banned here until {when}.")


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


# On Telegram


def name() -> str:
    """The button that shows them."""
    return _("Bans")


def how_long(*, everywhere: bool) -> str:
    """A question with a gap for whom."""
    if everywhere:
        return _("For how long is {whom} banned everywhere?")
    return _("For how long is {whom} banned here?")


def whom() -> str:
    """A question above the names of those who asked lately."""
    return _("Who is to be banned? These asked for pictures lately.")


def whom_typed() -> str:
    """With gaps for two commands."""
    return _(
        "In the group, answer a message or a picture of somebody with {ban}, or write their number or name behind it: "
        "{example}. /help tells everybody their number in our private chat."
    )


def unknown(name: str) -> str:
    return _(
        "Nobody called {name} asked for a picture here. Answer a message of theirs, or write their number."
    ).format(name=name)


def several(name: str) -> str:
    return _("Several people called {name} asked here. Answer a message of theirs, or write their number.").format(
        name=name
    )


def ban_somebody() -> str:
    return _("Ban somebody…")


def aside() -> str:
    """In a group, where everybody reads."""
    return _("Who is banned and who changed what is for administrators: please open our private chat.")
