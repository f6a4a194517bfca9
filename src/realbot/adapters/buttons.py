"""The ids that buttons carry on chat platforms, which tell nothing, and the request that follows from a past job."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from realbot.errors import Invalid
from realbot.jobs import SEEDS, Origin, Request, Upscale, User, seeded

if TYPE_CHECKING:
    from realbot.studio import Studio

#: Only the person whose job it is, or a moderator of its server, presses these.
DESTRUCTIVE: Final = frozenset({"cancel", "delete", "confirm"})
#: How much larger a picture becomes.
FACTORS: Final = {"upscale2": 2, "upscale4": 4}
#: How much more is seen at once.
ZOOMS: Final = {"zoom": 1.5, "zoom2": 2.0}
#: Where the view goes.
PANS: Final = ("left", "right", "up", "down")
#: What a picture can be made into beside an enlargement or a variation: more of what is around it.
AROUND: Final = (*ZOOMS, *PANS)

#: What the ids of this version begin with; Discord allows 100 characters in all, Telegram 64 bytes.
PREFIX: Final = "r1:"
ID: Final = re.compile(r"r1:(?P<id>[A-Za-z0-9_-]{16,20})")


def custom_id(action_id: str) -> str:
    """What a button carries for an id of `studio.action`. Raises ValueError for anything else."""
    text = f"{PREFIX}{action_id}"
    if not ID.fullmatch(text):
        raise ValueError(f"{action_id!r} is not the id of an action")
    return text


def action_id(custom_id: str) -> str | None:
    """The id that a button carries, None when it is not one of ours."""
    found = ID.fullmatch(custom_id)
    return found["id"] if found else None


async def sequel(
    studio: Studio, user: User, verb: str, job_id: str, *, index: int = 0, origin: Origin | None = None
) -> Request:
    """The request of a button that makes a new picture of an old one of this person's; `index` counts from 0.

    `origin` is where it is pressed. Raises NotYours, and Invalid where there is nothing to begin with.
    """
    entry = await studio.entry(user, job_id)
    if verb == "again":
        return seeded(entry.request, secrets.randbelow(SEEDS)) if entry.images else entry.request
    if index >= len(entry.images):
        raise Invalid("This picture is not there any more.")
    match verb:
        case "upscale2" | "upscale4":
            return Upscale(source=entry.images[index], factor=FACTORS[verb])
        case "zoom" | "zoom2":
            return await studio.zoom_out(user, entry.id, index, ZOOMS[verb], origin)
        case "left" | "right" | "up" | "down":
            return await studio.pan(user, entry.id, index, verb, origin)
        case _:
            return await studio.vary(user, entry.id, index, "subtle" if verb == "subtle" else "strong")
