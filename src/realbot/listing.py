"""The settings as text: the file with every default, and tables of what holds and where it came from."""

from __future__ import annotations

import json
import textwrap
from typing import Any, Literal, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from .config import LATE, LIVE, Settings, leaves, section_of
from .sections import allowed, members

MASK = "********"


def show(settings: Settings) -> list[tuple[str, str, str]]:
    """Every key with its value as TOML (secrets masked, nothing for a value that is left out) and its origin."""
    return [(key, shown(value), settings.origins.get(key, "default")) for key, _, value in leaves(settings)]


def shown(value: Any) -> str:
    """A value as TOML, a secret masked, nothing for what is left out."""
    match value:
        case None:
            return ""
        case SecretStr():
            return MASK
        case bool() | int() | float():
            return json.dumps(value)
        case tuple() | list():
            return f"[{', '.join(shown(part) for part in value)}]"
    return json.dumps(str(value), ensure_ascii=False)


def template() -> str:
    """The text of `deploy/realbot.toml`: every setting, its default and one comment."""
    lines = [
        "# realbot: every setting with its default. A line that is commented out shows an example.",
        "# The environment goes over this file: REALBOT_LIMITS__PER_DAY=20, REALBOT_DISCORD__TOKEN_FILE=/run/secrets/…",
        *_wrapped(_restart()),
    ]
    for name, field in Settings.model_fields.items():
        section = section_of(name)
        if section is None:
            lines += ["", *_comment(field), '# [override."discord:1234".limits]', "# per_day = 20"]
            continue
        off = "# " if field.default is None and name != "web" else ""
        lines += ["", *_comment(field), f"{off}[{name}]"]
        for key, entry in section.model_fields.items():
            example = _example(key, entry)
            dark = off or ("# " if entry.default in (None, PydanticUndefined) else "")
            lines += ["", *_comment(entry), f"{dark}{key} = {example}"]
    return "\n".join(lines) + "\n"


def _restart() -> str:
    """What changes while realbot runs, and what does not."""
    late = [name for name in Settings.model_fields if name not in LIVE]
    live = sorted(name for name in LIVE if "." in name)
    exceptions = f"{', '.join(live[:-1])} and {live[-1]}"
    return (
        "A changed file is read while realbot runs, also at SIGHUP and at /realbot reload; one with an error changes "
        f"nothing. What stands in {', '.join(late)} and {', '.join(sorted(LATE))} takes effect after a restart, "
        f"but for {exceptions}."
    )


def _comment(field: FieldInfo) -> list[str]:
    told = (field.description or "").replace("\n", " ")
    ranged = any(kind in (int, float) or get_origin(kind) is Literal for kind in members(field))
    text = f"{told.removesuffix('.')} ({allowed(field)})." if ranged else told
    return _wrapped(text)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 118, initial_indent="# ", subsequent_indent="# ")


def _example(key: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return shown(extra["default"])
    return shown("…" if field.default in (None, PydanticUndefined) else field.default)
