"""How people, places and roles are named in settings: "discord:1234", "telegram:-100456", "discord:role:789"."""

from __future__ import annotations

import re

from .grammar import nearest

PLATFORMS = ("discord", "telegram", "web", "cli")
#: What people can be beside the roles that a server gives them.
RANKS = ("owners", "administrators")
_ROLE = rf"({'|'.join(PLATFORMS)}):role:({'|'.join(RANKS)}|(?<=discord:role:)\d+)"
#: A role, "discord:role:789" or "telegram:role:administrators".
ROLE = re.compile(_ROLE)
#: A role, or a server, chat or channel, "discord:1234".
PLACE = re.compile(rf"({'|'.join(PLATFORMS)}):(?!role:)\S+|{_ROLE}")
#: What the numbers of people and places look like on platforms that have them.
NUMBERS = {"discord": re.compile(r"\d+"), "telegram": re.compile(r"-?\d+")}


def named(key: str) -> bool:
    """Whether this names a person, a place or a role."""
    platform, _, rest = key.partition(":")
    number = NUMBERS.get(platform)
    return bool(ROLE.fullmatch(key) or (PLACE.fullmatch(key) and (number is None or number.fullmatch(rest))))


def hinted(key: str, what: str = "a place or a role") -> str:
    """What a key must be that names nothing, as the end of a sentence without its full stop."""
    if meant := _meant(key):
        return f'must name {what}; did you mean "{meant}"'
    return f'must name {what} by its number, such as "discord:1234" or "discord:role:789"'


def _meant(key: str) -> str:
    """The place or role that a misspelt key was probably meant to name, or an empty text."""
    platform, _, rest = key.partition(":")
    near = nearest(platform, PLATFORMS)
    kind, colon, role = rest.partition(":")
    if colon:
        rest = f"role:{role if role.isdecimal() else nearest(role, RANKS)}" if nearest(kind, ["role"]) else ""
    elif rank := nearest(rest, RANKS):
        rest = f"role:{rank}"
    meant = f"{near}:{rest}"
    return meant if named(meant) else ""
