"""The limits that a server or a group can settle: their names, what they are there, and what they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le

from realbot.adapters import notices
from realbot.errors import Invalid
from realbot.grammar import nearest
from realbot.places import ADULT, SCOPES, STRICTER, PlaceRules
from realbot.sections import Cache, Limits, Moderation, Section

#: What can be set with one value; lists of words have their own command.
SECTIONS: dict[str, type[Section]] = {"limits": Limits, "moderation": Moderation, "cache": Cache}
ORDERS = {"adult": ADULT, "scope": SCOPES}
#: What takes a place's own value back.
RESET = "reset"


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit. `name` is its key in the settings, `section` the table it stands in."""

    section: str
    name: str

    @property
    def label(self) -> str:
        """How it is called here: limits by their names, the rest with their table."""
        return self.name if self.section == "limits" else f"{self.section}.{self.name}"

    def read(self, typed: str) -> Any:
        """What was typed as the setting's own type; None takes it back. Raises Invalid with the example of a value."""
        text = typed.strip().casefold()
        if text == RESET:
            return None
        kind = SECTIONS[self.section].model_fields[self.name].annotation
        try:
            if kind is int:
                return int(text)
            if kind is float:
                return float(text.replace(",", "."))
        except ValueError:
            raise Invalid("{value} is not a number.", value=typed[:40], word=typed[:40]) from None
        if kind is bool:
            if text not in ("true", "false"):
                raise Invalid("{value} is neither true nor false.", value=typed[:40], word=typed[:40])
            return text == "true"
        if text not in get_args(kind):
            near = nearest(text, get_args(kind))
            raise Invalid("There is no {value} for {name}.", value=typed[:40], name=self.name, word=text, nearest=near)
        return text

    def own(self, rules: PlaceRules) -> bool:
        """Whether the place settled this itself."""
        return self.name in getattr(rules, self.section)

    def shown(self, section: Section) -> str:
        """The value in a section of settings, as it is typed."""
        value = getattr(section, self.name)
        if isinstance(value, bool):
            return str(value).lower()
        return value if isinstance(value, str) else notices.number(value)

    def span(self, base: Section) -> str:
        """What it may be where whoever runs the bot has set `base`."""
        field, value = SECTIONS[self.section].model_fields[self.name], getattr(base, self.name)
        if isinstance(value, bool):
            return notices.either(("true", "false") if value else ("false",))
        if get_origin(field.annotation) is Literal:
            order = ORDERS[self.name]
            return notices.either(order[order.index(value) :])
        low = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), 0)
        high = next((rule.le for rule in field.metadata if isinstance(rule, Le)), value)
        if self.name == "per_day":
            return notices.span(1, value) if value else notices.span_quota(_number(high))
        loosest_is_low = STRICTER[self.section][self.name] is max
        return notices.span(*((value, _number(high)) if loosest_is_low else (_number(low), value)))


def _number(value: Any) -> float:
    return float(value)


_EVERY = [Bound(section, name) for section, fields in STRICTER.items() for name in fields]
#: By label; lists of words are not among them.
BOUNDS = {
    bound.label: bound
    for bound in _EVERY
    if get_origin(SECTIONS[bound.section].model_fields[bound.name].annotation) is not tuple
}
