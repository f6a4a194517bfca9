"""What is typed after /settings: one default and its value, several as options of a prompt, or all as they were."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from realbot import grammar
from realbot.adapters.plain import plain
from realbot.adapters.telegram import sayings
from realbot.errors import Invalid
from realbot.jobs import Generate
from realbot.options import NAMES
from realbot.preferences import Preferences

#: What "back to automatic" sets.
PLAIN: dict[str, Any] = {
    "steps": None,
    "guidance": None,
    "width": None,
    "height": None,
    "scheduler": None,
    "negative": "",
    "styles": (),
    "ping": True,
}
#: Words that take a value back.
AUTOMATIC = frozenset({"reset", "auto", "automatic", "none", "off"})
YES, NO = frozenset({"on", "yes", "true", "1"}), frozenset({"off", "no", "false", "0"})
#: The menu of each default, by the first name of its option.
MENUS = {
    "steps": "steps",
    "guidance": "guidance",
    "size": "size",
    "ar": "size",
    "width": "size",
    "height": "size",
    "scheduler": "scheduler",
    "style": "style",
    "no": "negative",
}
#: What "automatic" means for each menu.
USUAL: dict[str, dict[str, Any]] = {
    "steps": {"steps": None},
    "guidance": {"guidance": None},
    "size": {"width": None, "height": None},
    "scheduler": {"scheduler": None},
    "style": {"styles": ()},
    "negative": {"negative": ""},
}
#: Stands for a prompt, which nobody types.
NOTHING = "\0"


@dataclass(frozen=True, slots=True)
class Wish:
    """`changes` are for `Studio.prefer`, `at` is the menu that is asked for."""

    changes: dict[str, Any] = field(default_factory=dict)
    at: str = ""


def read(text: str, own: Preferences, area: int) -> Wish:
    """What somebody typed who has these defaults; `area` in pixels is the size of a shape. Raises Invalid."""
    text = text.strip()
    if not text:
        return Wish()
    if text.casefold() in AUTOMATIC:
        return Wish(PLAIN)
    name, _, value = text.partition(" ")
    word, value = name.rstrip(":=").casefold().replace("-", "_"), value.strip()
    if word == "ping":
        return _ping(value)
    option = NAMES.get(word)
    if option is None or option.names[0] not in MENUS:
        return Wish(_several(text, own, area))
    menu = MENUS[option.names[0]]
    if not value:
        return Wish(at=menu)
    if value.casefold() in AUTOMATIC:
        return Wish(USUAL[menu])
    if menu == "negative":
        return Wish({"negative": value})
    if menu == "style":
        # "ink 0.8, glow" is meant as "ink:0.8,glow".
        value = re.sub(r"\s*,\s*", ",", re.sub(r"\s+(?=[+-]?[.\d])", ":", value))
    if menu == "size" and ":" in value:
        option = NAMES["ar"]
    return Wish(_several(f"{option.names[0]}:{value}", own, area))


def _ping(value: str) -> Wish:
    said = value.casefold()
    if said not in YES | NO:
        raise Invalid(sayings.settings_ping())
    return Wish({"ping": said in YES})


def _several(text: str, own: Preferences, area: int) -> dict[str, Any]:
    """The defaults that options name. Raises Invalid for other words, and for options that are no defaults."""
    before = own.over(Generate(prompt=NOTHING))
    wanted = grammar.parse(text, before, area=area)
    if wanted.prompt != NOTHING:
        raise Invalid(sayings.settings_unknown(plain(wanted.prompt, 40)), word=wanted.prompt[:100])
    changed = {name for name in Generate.__dataclass_fields__ if getattr(wanted, name) != getattr(before, name)}
    if other := changed - set(PLAIN):
        raise Invalid(sayings.settings_other(sorted(other)[0].replace("reference_weight", "look")))
    return {name: getattr(wanted, name) for name in changed}
