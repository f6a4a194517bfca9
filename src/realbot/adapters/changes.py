"""What is said to an owner of the bot who has the settings read anew."""

from __future__ import annotations

from realbot.adapters.words import _, ngettext

#: Changes that an answer lists.
LISTED = 20


def done() -> str:
    return _("The settings were read anew")


def refused() -> str:
    return _("The settings stay as they were")


def nothing() -> str:
    return _("Nothing has changed.")


def value(text: str) -> str:
    """A value as it stands in the file; empty for one that is left out."""
    return text or _("none")


def more(number: int) -> str:
    return ngettext("… and {number} more.", "… and {number} more.", number).format(number=number)


def waiting(number: int) -> str:
    """`number` requests wait, none of which the new settings turn away."""
    return ngettext(
        "{number} waiting request keeps its place; new rules hold for new requests.",
        "{number} waiting requests keep their places; new rules hold for new requests.",
        number,
    ).format(number=number)


def pending(keys: tuple[str, ...]) -> str:
    return ngettext("{names} takes effect after a restart.", "{names} take effect after a restart.", len(keys)).format(
        names=", ".join(keys)
    )


def anew() -> str:
    """The button for it."""
    return _("Read the settings anew")


def owners() -> str:
    return _("Only the owners of this bot can do that.")
