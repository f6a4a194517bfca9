"""A validation error of the configuration as one line: the key, where it stands, what is wrong, what is allowed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, core_schema

from .errors import ConfigError
from .grammar import nearest
from .sections import allowed, members

BARE = re.compile(r"[A-Za-z0-9_-]+")
PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
DOTTED = rf"{PART}(?:\s*\.\s*{PART})*"
HEADER = re.compile(rf"\s*\[\[?\s*({DOTTED})\s*\]")
ENTRY = re.compile(rf"\s*({DOTTED})\s*=")
#: Errors whose message is pydantic's own, and is not shown. The others were written by validators of the sections.
PLAIN = frozenset((*get_args(core_schema.ErrorType), "path_type", "kind"))


class Source:
    """The configuration file: its tree, and the line on which each key stands."""

    def __init__(self, name: str, text: str, prefix: str) -> None:
        """`prefix` is that of the environment variables. Raises ConfigError for text that is not TOML."""
        self.name, self.prefix = name, prefix
        try:
            self.tree: dict[str, Any] = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise ConfigError(f"{name} is not valid TOML: {reason}.", key=name) from None
        self.origins = dict.fromkeys(keys(self.tree), name)
        self.lines: dict[str, int] = {}
        header = ""
        for number, line in enumerate(text.splitlines(), 1):
            if found := HEADER.match(line):
                header = f"{_tidy(found[1])}."
                self.lines.setdefault(header[:-1], number)
            elif found := ENTRY.match(line):
                self.lines.setdefault(header + _tidy(found[1]), number)

    def at(self, key: str) -> str:
        """ " (realbot.toml, line 12)", " (REALBOT_LIMITS__PER_DAY)", or nothing for a key that stands nowhere."""
        below = [name for name in self.origins if name == key or name.startswith(f"{key}.")]
        if below and self.origins[below[0]] == "environment":
            return f" ({self.prefix}{below[0].upper().replace('.', '__')})"
        holders = [name for name in self.lines if key == name or key.startswith(f"{name}.")]
        if holders:
            return f" ({self.name}, line {self.lines[max(holders, key=len)]})"
        inside = [line for name, line in self.lines.items() if name.startswith(f"{key}.")]
        if inside:
            return f" ({self.name}, line {min(inside)})"
        return f" ({self.name})" if below else ""

    def origin(self, key: str) -> str:
        """Where a value came from: "default", "environment" or "realbot.toml, line 12"."""
        found = self.origins.get(key, "default")
        return self.at(key).strip(" ()") if found == self.name else found

    def explained(self, error: ValidationError, model: type[BaseModel], prefix: str = "") -> ConfigError:
        """The first error as one line, with the number of further ones."""
        details = error.errors(include_url=False)
        first, rest = details[0], len(details) - 1
        names = [*(part for part in first["loc"] if isinstance(part, str)), first.get("ctx", {}).get("key", "")]
        key = ".".join(filter(None, [prefix, *(quoted(name) for name in names if name)]))
        more = f" ({rest} more error{'s' if rest > 1 else ''} after this one.)" if rest else ""
        sentence = " ".join(self._sentence(first, key, model).split())
        return ConfigError(f"{sentence}{'?' if 'did you mean' in sentence else '.'}{more}", key=key)

    def _sentence(self, error: ErrorDetails, key: str, model: type[BaseModel]) -> str:
        owner, field, word = _found(model, error["loc"])
        at = self.at(key)
        if error["type"] == "extra_forbidden":
            return f"Unknown setting {key}{at}{_meant(key, word, owner, model)}"
        if error["type"] == "missing":
            variable = self.prefix + key.upper().replace(".", "__")
            section = key.split(".", maxsplit=1)[0]
            return f"{key}{at} is missing: set {variable} or {variable}_FILE, or leave [{section}] out to turn it off"
        if error["type"] not in PLAIN:
            return f"{key}{at}: {error['msg']}"
        if field is None or any(_is_model(kind) for kind in members(field)) or get_origin(field.annotation) is dict:
            return f"{key}{at} is a section: write [{key}] and its settings below"
        shown = "" if SecretStr in members(field) else f" is {_short(error['input'])}, it"
        hint = nearest(str(error["input"]), choices) if (choices := _choices(field)) else ""
        return f"{key}{at}{shown} must be {allowed(field)}{f'; did you mean {hint}' if hint else ''}"


def keys(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys of all values, written as TOML writes them."""
    for name, value in tree.items():
        key = prefix + quoted(str(name))
        if isinstance(value, Mapping):
            yield from keys(value, f"{key}.")
        else:
            yield key


def quoted(name: str) -> str:
    """A key as TOML writes it: bare where that is possible."""
    return name if BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _tidy(dotted: str) -> str:
    return ".".join(quoted(part.strip("\"'")) for part in re.findall(PART, dotted))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _choices(field: FieldInfo) -> list[str]:
    return [str(choice) for kind in members(field) for choice in get_args(kind) if isinstance(choice, str)]


def _found(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[type[BaseModel], FieldInfo | None, str]:
    """The section that an error is in, the field if there is one, and the last word of the key."""
    owner, field, word = model, None, ""
    for part in (str(part) for part in loc):
        if field is not None:
            kinds = [inner for kind in members(field) for inner in (kind, *get_args(kind))]
            inner_model = next((kind for kind in kinds if _is_model(kind)), None)
            if inner_model is None:
                break
            keyed = get_origin(field.annotation) is dict and owner is not inner_model
            owner, word = inner_model, part
            if keyed:
                field = FieldInfo(annotation=inner_model)
                continue
        field, word = owner.model_fields.get(part), part
    return owner, field, word


def _meant(key: str, word: str, owner: type[BaseModel], model: type[BaseModel]) -> str:
    """What an unknown key was probably meant to be."""
    parent = key.rpartition(".")[0]
    near = nearest(word, owner.model_fields)
    if near:
        return f"; did you mean {parent}{'.' if parent else ''}{near}"
    homes = [
        name
        for name, field in model.model_fields.items()
        # The name of a section is no key that went astray.
        if word not in model.model_fields
        and any(_is_model(kind) and word in kind.model_fields for kind in members(field))
    ]
    if homes:
        return f"; {word} belongs to [{homes[0]}]"
    names = ", ".join(owner.model_fields)
    return f"; the {'settings' if parent else 'sections'} here are {names}"
