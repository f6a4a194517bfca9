"""What holds in a place or for a role, and where each value came from: the settings, an override, or who settled it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pydantic import SecretStr

from .addresses import ROLE, hinted, named
from .config import Settings, leaves
from .errors import ConfigError
from .listing import MASK
from .places import EVERYWHERE, SECTIONS, PlaceRules, lent


@dataclass(frozen=True, slots=True)
class Value:
    """One setting. `elsewhere` is its value where no place says otherwise; secrets are masked."""

    key: str
    value: Any
    origin: str
    elsewhere: Any

    @property
    def differs(self) -> bool:
        return bool(self.value != self.elsewhere)


def meant(asked: Sequence[str]) -> tuple[str, ...]:
    """The keys of places and roles in texts such as "discord:1/20/role:7", the widest first.

    Raises ConfigError for what names neither.
    """
    keys = []
    for text in asked:
        first, *rest = text.split("/")
        platform = first.partition(":")[0]
        keys += [first, *(one if one.startswith(f"{platform}:") else f"{platform}:{one}" for one in rest)]
    for key in keys:
        if not named(key):
            hint = hinted(key)
            raise ConfigError(f"--for {key} {hint}{'?' if 'did you mean' in hint else '.'}", key="--for")
    return tuple(dict.fromkeys(keys))


def prevailing(settings: Settings, keys: Sequence[str], rules: Mapping[str, PlaceRules]) -> list[Value]:
    """Every setting as it holds there, and at the end what was settled beside the settings."""
    roles = [key for key in keys if ROLE.fullmatch(key)]
    places = [EVERYWHERE, *(key for key in keys if key not in roles)]
    here = settings.for_place(*keys)
    origins = dict(here.origins)
    granted = here
    for place in places:
        if place in rules:
            here = _noted(origins, here, rules[place].over(here), f"settled for {_shown(place)}")
        if place == EVERYWHERE:
            granted = here
    if own := [rules[role] for role in roles if role in rules]:
        settled = ", ".join(rules.key for rules in own)
        here = _noted(origins, here, lent(here, granted, own), f"settled for {settled}")
    base = {key: value for key, _, value in leaves(settings)}
    values = [
        Value(key, _masked(value), origins.get(key, "default"), _masked(base[key])) for key, _, value in leaves(here)
    ]
    return [*values, *(one for place in (*places, *roles) if place in rules for one in _beside(rules[place]))]


def _noted(origins: dict[str, str], before: Settings, after: Settings, origin: str) -> Settings:
    """Note where the values came from in which the second settings differ from the first."""
    old = {key: value for key, _, value in leaves(before)}
    origins |= {key: origin for key, _, value in leaves(after) if value != old[key]}
    return after


def _beside(rules: PlaceRules) -> list[Value]:
    """What was settled for a place and is no setting: channels, styles, trainers, whether it is paused."""
    names = [one.name for one in fields(rules) if one.name not in ("key", "server", *SECTIONS)]
    found = {name: getattr(rules, name) for name in names}
    origin = f"settled for {_shown(rules.key)}"
    return [Value(f"{_shown(rules.key)} {name}", one, origin, type(one)()) for name, one in found.items() if one]


def _shown(place: str) -> str:
    return "everywhere" if place == EVERYWHERE else place


def _masked(value: Any) -> Any:
    return MASK if isinstance(value, SecretStr) else value
