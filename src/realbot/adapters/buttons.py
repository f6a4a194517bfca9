"""The ids that buttons carry on chat platforms. They tell nothing: the studio knows what each one stands for."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

Verb: TypeAlias = Literal[
    "cancel",
    "again",
    "subtle",
    "strong",
    "upscale2",
    "upscale4",
    "remix",
    "recipe",
    "download",
    "favourite",
    "delete",
    "confirm",
    "page",
    "pick",
]

#: Only the person whose job it is, or a moderator of its server, presses these.
DESTRUCTIVE: Final = frozenset({"cancel", "delete", "confirm"})
#: These make a new request, which counts against the limits of whoever presses.
ASKING: Final = frozenset({"again", "subtle", "strong", "upscale2", "upscale4", "remix"})

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
