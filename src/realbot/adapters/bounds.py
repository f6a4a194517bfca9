"""The limits that a server or a group can settle: their names, what they are there, and what they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le

from realbot.adapters import notices
from realbot.errors import Invalid
from realbot.grammar import nearest
from realbot.places import ADULT, LENT, SCOPES, STRICTER, PlaceRules, quota
from realbot.rulebook import Cache, Limits, Moderation, Safety, Training
from realbot.sections import Section
from realbot.veil import VEILS

#: What can be set with one value; lists of words have their own command.
SECTIONS: dict[str, type[Section]] = {
    "limits": Limits,
    "moderation": Moderation,
    "safety": Safety,
    "cache": Cache,
    "training": Training,
}
ORDERS: dict[str, tuple[str, ...]] = {
    "adult": ADULT,
    "scope": SCOPES,
    **dict.fromkeys(("suspects", "unsafes", "adult_suspects", "adult_unsafes"), VEILS),
}
#: Numbers that are offered for each limit, as far as they are possible.
OFFERED: dict[str, tuple[float, ...]] = {
    "waiting_per_user": (1, 2, 3, 5, 10),
    "waiting_per_server": (0, 10, 20, 50, 100),
    "running_per_user": (0, 1, 2, 3, 4),
    "running_per_server": (0, 1, 2, 3, 4),
    "per_hour": (0, 2, 5, 10, 20, 50),
    "per_day": (0, 5, 10, 20, 50, 100, 200),
    "per_month": (0, 50, 100, 200, 500, 1000),
    "seconds_per_hour": (0, 60, 120, 300, 600, 1800),
    "seconds_per_day": (0, 300, 600, 1800, 3600, 7200),
    "seconds_per_month": (0, 3600, 7200, 18_000, 36_000),
    "quote_seconds": (0, 10, 30, 60, 120, 300),
    "cooldown": (0, 5, 10, 30, 60, 300),
    "max_steps": (4, 8, 12, 20, 28, 50, 100, 300, 1000, 3000),
    "min_side": (64, 128, 256, 512),
    "max_side": (512, 768, 1024, 1536, 2048),
    "max_pixels": (262_144, 589_824, 1_048_576, 2_097_152, 4_194_304),
    "max_count": (1, 2, 4, 8),
    "max_guidance": (3.5, 5, 7.5, 10, 15, 20, 30),
    "max_prompt": (200, 500, 1000, 2000),
    "max_styles": (0, 1, 2, 3, 5),
    "max_weight": (0.5, 1, 1.5, 2),
    "suspect": (0.1, 0.2, 0.3, 0.5),
    "unsafe": (0.2, 0.4, 0.6, 0.8),
    "max_pictures": (10, 20, 40, 100),
    "per_person": (1, 3, 5, 10),
}
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
        low, high = self._ends
        stricter = STRICTER[self.section][self.name]
        if stricter is quota:
            return notices.span(1, value) if value else notices.span_quota(high)
        loosest_is_low = stricter is max
        return notices.span(*((value, high) if loosest_is_low else (low, value)))

    def offered(self, base: Section) -> tuple[str, ...]:
        """Some of the values that it may be where whoever runs the bot has set `base`, to choose from."""
        value = getattr(base, self.name)
        if isinstance(value, bool):
            return ("true", "false") if value else ("false",)
        if isinstance(value, str):
            order = ORDERS[self.name]
            return order[order.index(value) :]
        (low, high), stricter = self._ends, STRICTER[self.section][self.name]
        numbers = {number for number in (*OFFERED.get(self.name, ()), value) if low <= number <= high}
        return tuple(notices.number(number) for number in sorted(numbers) if stricter(value, number) == number)

    @property
    def _ends(self) -> tuple[float, float]:
        """The least and the most that the setting can be at all."""
        rules = SECTIONS[self.section].model_fields[self.name].metadata
        low: Any = next((rule.ge for rule in rules if isinstance(rule, Ge)), 0)
        high: Any = next((rule.le for rule in rules if isinstance(rule, Le)), 0)
        return float(low), float(high)


_EVERY = [Bound(section, name) for section, fields in STRICTER.items() for name in fields]
#: By label; words and lists of them are not among them.
BOUNDS = {
    bound.label: bound
    for bound in _EVERY
    if get_origin(SECTIONS[bound.section].model_fields[bound.name].annotation) is not tuple
    and SECTIONS[bound.section].model_fields[bound.name].annotation is not str
}


def _groups() -> dict[str, tuple[Bound, ...]]:
    line = ("waiting_per_user", "waiting_per_server", "running_per_user", "running_per_server")
    quotas = [f"{unit}per_{span}" for unit in ("", "seconds_") for span in ("hour", "day", "month")]
    named = {"line": (*line, "cooldown", "quote_seconds"), "quota": tuple(quotas)}
    kinds = {name: kind for kind, names in named.items() for name in names}
    kinds |= {"moderation": "safety", "safety": "safety", "cache": "cache", "training": "training"}
    found: dict[str, tuple[Bound, ...]] = dict.fromkeys(("quota", "line", "picture", "safety", "cache", "training"), ())
    for bound in BOUNDS.values():
        kind = kinds.get(bound.name if bound.section == "limits" else bound.section, "picture")
        found[kind] = (*found[kind], bound)
    return found


#: What belongs together, by the names that `notices.GROUPS` has sentences for.
GROUPS = _groups()


def lent(bound: Bound) -> bool:
    """Whether it can be settled for a role."""
    return bound.section in LENT


def group_of(bound: Bound) -> str:
    return next(name for name, bounds in GROUPS.items() if bound in bounds)
