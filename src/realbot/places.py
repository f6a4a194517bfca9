"""What the administrators of a server or a channel settle, and the bot's owners for everywhere.

It goes over the settings and only makes them stricter.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from pydantic import ValidationError

from .addresses import PLACE
from .config import Settings
from .errors import Blocked, Invalid
from .grammar import nearest
from .jobs import Origin
from .sections import Section, allowed
from .veil import VEILS

log = logging.getLogger(__name__)

#: The key of what holds everywhere.
EVERYWHERE = "*"
SECTIONS = ("limits", "moderation", "safety", "cache", "training")
#: What can be settled for a role too.
LENT = ("limits", "training")
#: From loose to strict.
ADULT = ("anywhere", "restricted", "never")
SCOPES = ("everyone", "server", "user")


def _strictest(order: tuple[str, ...]) -> Callable[[Any, Any], Any]:
    return lambda base, own: max(base, own, key=order.index)


def _both(base: Any, own: Any) -> Any:
    return tuple(dict.fromkeys((*base, *own)))


def _added(base: Any, own: Any) -> Any:
    return ", ".join(filter(None, (base, own)))


def quota(base: Any, own: Any) -> Any:
    """0 sets no limit."""
    return min(base, own) if base and own else base or own


#: Of the setting and a place's own value, the stricter one.
STRICTER: dict[str, dict[str, Callable[[Any, Any], Any]]] = {
    "limits": {
        "waiting_per_user": min,
        "waiting_per_server": quota,
        "running_per_user": quota,
        "running_per_server": quota,
        "per_hour": quota,
        "per_day": quota,
        "per_month": quota,
        "seconds_per_hour": quota,
        "seconds_per_day": quota,
        "seconds_per_month": quota,
        "quote_seconds": quota,
        "cooldown": max,
        "max_steps": min,
        "min_side": max,
        "max_side": min,
        "max_pixels": min,
        "max_count": min,
        "max_guidance": min,
        "max_prompt": min,
        "max_styles": min,
        "max_weight": min,
    },
    "moderation": {
        "blocked": _both,
        "patterns": _both,
        "together": _both,
        "stripped": _both,
        "negative": _added,
        "adult_words": _both,
        "adult": _strictest(ADULT),
    },
    "safety": {
        "suspect": min,
        "unsafe": min,
        **dict.fromkeys(("suspects", "unsafes", "adult_suspects", "adult_unsafes"), _strictest(VEILS)),
    },
    "cache": {"enabled": min, "scope": _strictest(SCOPES)},
    "training": {"max_pictures": min, "max_steps": min, "per_day": quota, "per_person": quota},
}


@dataclass(frozen=True, slots=True)
class PlaceRules:
    """`key` is "discord:GUILD", "discord:CHANNEL", "discord:role:ROLE" or `EVERYWHERE`.

    The tables hold some keys of the settings'.
    """

    key: str
    limits: Mapping[str, Any] = field(default_factory=dict)
    moderation: Mapping[str, Any] = field(default_factory=dict)
    safety: Mapping[str, Any] = field(default_factory=dict)
    cache: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()  #: channels outside which nothing is painted; empty: any
    denied: tuple[str, ...] = ()  #: channels in which nothing is painted
    styles: tuple[str, ...] = ()  #: the only styles that may be used; empty: any
    trainers: tuple[str, ...] = ()  #: ids of roles and people who may train styles here beside the administrators
    moderators: tuple[str, ...] = ()  #: ids of the channels where moderators are asked about pictures
    paused: bool = False  #: what is asked for here waits
    server: str = ""  #: of a role, the key of its server

    @classmethod
    def load(cls, key: str, data: Mapping[str, Any]) -> Self:
        """From JSON data; what another version wrote and this one does not know is left out."""
        known = {f.name for f in fields(cls)} - {"key"}
        plain: dict[str, Any] = {name: value for name, value in data.items() if name in known}
        for name in ("allowed", "denied", "styles", "trainers", "moderators"):
            plain[name] = tuple(plain.get(name, ()))
        return cls(key, **plain)

    def data(self) -> dict[str, Any]:
        """As JSON data."""
        return {name: value for name, value in asdict(self).items() if name != "key" and value}

    def over(self, settings: Settings) -> Settings:
        """The settings as they hold here."""
        changed: dict[str, Section] = {}
        for name in SECTIONS:
            own: Mapping[str, Any] = getattr(self, name)
            if own:
                section: Section = getattr(settings, name)
                changed[name] = self._fitting(section, STRICTER[name], own)
        return settings.model_copy(update=changed) if changed else settings

    def _fitting(
        self, section: Section, rules: Mapping[str, Callable[[Any, Any], Any]], own: Mapping[str, Any]
    ) -> Section:
        """The section with these values over it, but for those that do not go with it any more."""
        with contextlib.suppress(ValidationError, TypeError, ValueError):
            return _tightened(section, rules, own)
        # The settings have changed since, and the two do not go together any more.
        for key, value in own.items():
            try:
                section = _tightened(section, rules, {key: value})
            except (ValidationError, TypeError, ValueError) as error:
                reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
                log.warning("the rule %s of %s is left out: %s", key, self.key, reason)
        return section

    def admit(self, origin: Origin) -> None:
        """Raise Blocked where nothing is painted; its `places` are the channels to ask in."""
        here = {origin.place, origin.thread, origin.parent} - {""}
        if here & set(self.denied):
            raise Blocked("Pictures cannot be asked for in this channel.")
        if self.allowed and not here & set(self.allowed):
            raise Blocked("Pictures can be asked for in some other channels of this server only.", places=self.allowed)

    def changed(self, settings: Settings, changes: Mapping[str, Any]) -> PlaceRules:
        """These rules with some changed; `None` for a key of a table takes it back. Raises Invalid."""
        known = {f.name for f in fields(self)} - {"key", "server"}
        new: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise Invalid("There is no rule {name}.", name=name, word=name, nearest=nearest(name, known))
            if name in SECTIONS:
                table = {**getattr(self, name), **_plain(name, getattr(settings, name), value)}
                new[name] = {key: one for key, one in table.items() if one is not None}
            elif name == "paused":
                new[name] = bool(value)
            else:
                new[name] = tuple(dict.fromkeys(str(one) for one in value or ()))
        rules = replace(self, **new)
        rules._agrees(settings)
        return rules

    def _agrees(self, settings: Settings) -> None:
        for name in SECTIONS:
            try:
                _tightened(getattr(settings, name), STRICTER[name], getattr(self, name))
            except ValidationError as error:
                raise Invalid("{reason}.", reason=error.errors()[0]["msg"]) from None


def lent(settings: Settings, base: Settings, roles: Sequence[PlaceRules]) -> Settings:
    """The settings of a place for who has these roles: of their values the loosest, in place of the place's own.

    None is looser than the `base`, which whoever runs the bot has set.
    """
    changed: dict[str, Section] = {}
    for name in LENT:
        section, most = getattr(settings, name), getattr(base, name)
        own: dict[str, Any] = {}
        for key, stricter in STRICTER[name].items():
            values = [getattr(rules, name)[key] for rules in roles if key in getattr(rules, name)]
            if values:
                loosest = values[0]
                for value in values[1:]:
                    loosest = value if stricter(loosest, value) == loosest else loosest
                own[key] = stricter(getattr(most, key), loosest)
        if own:
            try:
                changed[name] = type(section)(**{**section.model_dump(), **own})
            except ValidationError as error:
                log.warning("rules of roles for %s are left out: %s", name, error.errors()[0]["msg"])
    return settings.model_copy(update=changed) if changed else settings


def checked(key: str) -> str:
    """A place's key. Raises Invalid for what is none."""
    if not PLACE.fullmatch(key):
        raise Invalid("{key} is not a place.", key=key[:80], word=key[:80])
    return key


def _plain(name: str, section: Section, table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of overrides as JSON data. Raises Invalid for what is unknown, out of range or looser than allowed."""
    plain: dict[str, Any] = {}
    for key, value in table.items():
        stricter = STRICTER[name].get(key)
        if stricter is None:
            raise Invalid("There is no rule {name}.", name=key, word=key, nearest=nearest(key, STRICTER[name]))
        if value is None:
            plain[key] = None
            continue
        entry = type(section).model_fields[key]
        try:
            given = getattr(type(section)(**{**section.model_dump(), key: value}), key)
        except ValidationError as error:
            if error.errors()[0]["loc"]:
                raise Invalid(
                    "{name} must be {allowed}, not {value}.",
                    name=key,
                    allowed=allowed(entry),
                    value=value,
                    word=str(value),
                ) from None
            raise Invalid("{reason}.", reason=error.errors()[0]["msg"]) from None
        base = getattr(section, key)
        if stricter not in (_both, _added) and stricter(base, given) != given:
            raise Invalid(
                "{name} cannot be looser than {base}, which whoever runs this bot has set.",
                name=key,
                base=base,
                word=key,
            )
        plain[key] = list(given) if isinstance(given, tuple) else given
    return plain


def _tightened(section: Section, rules: Mapping[str, Callable[[Any, Any], Any]], own: Mapping[str, Any]) -> Section:
    values = section.model_dump()
    for key, value in own.items():
        if key in rules:
            values[key] = rules[key](values[key], tuple(value) if isinstance(value, list) else value)
    return type(section)(**values)
