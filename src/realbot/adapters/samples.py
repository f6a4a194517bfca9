"""What shows a person how a style looks: their own pictures in it."""

from __future__ import annotations

from realbot.entries import Entry
from realbot.jobs import Generate, User
from realbot.studio import Studio
from realbot.styles import Style

#: Entries of the history that are searched.
BACK = 200


async def samples(studio: Studio, user: User, style: Style) -> list[tuple[Entry, Generate]]:
    """This person's pictures with this style and no other, the strongest first, and of equal ones the latest.

    One that is withheld or behind a spoiler is no sample.
    """
    found = [(entry, *use) for entry in await studio.history(user, BACK) for use in _uses(entry, style)]
    found.sort(key=lambda one: -one[2])
    plain = [await studio.safety.veil(entry.id, entry.images) == "pass" for entry, _, _ in found]
    return [(entry, request) for (entry, request, _), shown in zip(found, plain, strict=True) if shown]


def _uses(entry: Entry, style: Style) -> list[tuple[Generate, float]]:
    """The request of an entry and the weight of the style in it, if it has pictures and this style alone."""
    request = entry.request
    if not entry.images or not isinstance(request, Generate) or len(request.styles) != 1:
        return []
    use = request.styles[0]
    return [(request, use.weight)] if use.name == style.name else []
