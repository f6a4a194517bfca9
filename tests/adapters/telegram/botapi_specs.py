"""The Bot API's description as a judge of what is asked and told; without the file nothing is judged."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

PLACE = "shared/specs/telegram-bot-api.json"


@functools.cache
def found() -> Path | None:
    """The description beside the source tree, in any folder above."""
    return next((folder / PLACE for folder in Path(__file__).resolve().parents if (folder / PLACE).is_file()), None)


@functools.cache
def document() -> dict[str, Any]:
    path = found()
    assert path is not None
    return json.loads(path.read_text())


def request(method: str, params: dict[str, Any], files: set[str]) -> list[str]:
    """What is wrong with a request, in sentences."""
    if found() is None or method == "download":
        return []
    about = document()["methods"].get(method)
    if about is None:
        return [f"{method}: no such method"]
    given = {**params, **{name: Part() for name in files}}
    attached = set(attachments(params))
    wrong = [f"{method}: attach://{name} without that part" for name in sorted(attached - files)]
    given = {name: value for name, value in given.items() if name not in attached}
    fields = [*about.get("fields", [])]
    wrong += judged(method, {name: text(value) for name, value in given.items()}, fields, sent=True)
    return wrong


def told(kind: str, body: Any) -> list[str]:
    """What is wrong with an object of a type, or with the result of a method."""
    if found() is None:
        return []
    method = document()["methods"].get(kind)
    return check(kind, body, method["returns"] if method else [kind], sent=False)


class Part:
    """A file in a form."""


def text(value: Any) -> Any:
    """A field of a form, read as JSON where it is that."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def attachments(value: Any) -> list[str]:
    """The parts that are named somewhere inside."""
    if isinstance(value, str):
        return [value.removeprefix("attach://")] if value.startswith("attach://") else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for item in inner for name in attachments(item)]


def judged(where: str, given: dict[str, Any], fields: list[dict[str, Any]], *, sent: bool) -> list[str]:
    """The fields of a request or an object, against their description."""
    known = {field["name"]: field for field in fields}
    wrong = [f"{where}: unknown field {name}" for name in given if name not in known]
    wrong += [f"{where}: {name} is missing" for name, field in known.items() if field["required"] and name not in given]
    for name, value in given.items():
        if name in known:
            wrong += constant(f"{where}.{name}", value, known[name])
            wrong += check(f"{where}.{name}", value, known[name]["types"], sent=sent)
    return wrong


def constant(where: str, value: Any, field: dict[str, Any]) -> list[str]:
    """What tells apart the types of one family."""
    words = field["description"].split()
    for sign in ("must be", "always"):
        if sign in field["description"] and field["name"] in ("type", "status", "source"):
            right = words[-1].strip("“”\".'")
            return [] if value == right else [f"{where}: {value!r} instead of {right!r}"]
    return []


def check(where: str, value: Any, kinds: list[str], *, sent: bool) -> list[str]:
    """What is wrong with a value that may be of several types: the complaints of the best of them."""
    best: list[str] | None = None
    for kind in kinds:
        wrong = fits(where, value, kind, sent=sent)
        if not wrong:
            return []
        if best is None or len(wrong) < len(best):
            best = wrong
    return best or []


def fits(where: str, value: Any, kind: str, *, sent: bool) -> list[str]:
    """What is wrong with a value of one type. In a form (`sent`) numbers and truth may be written as text."""
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{where}: no list"]
        inner = kind.removeprefix("Array of ")
        return [wrong for n, item in enumerate(value) for wrong in fits(f"{where}[{n}]", item, inner, sent=sent)]
    right: bool
    match kind:
        case "Integer":
            right = isinstance(value, int) and not isinstance(value, bool)
            right = right or (sent and isinstance(value, str) and value.lstrip("-").isdigit())
        case "Float":
            right = isinstance(value, int | float) or (sent and isinstance(value, str))
        case "Boolean" | "True":
            right = isinstance(value, bool) or (sent and value in ("true", "false", "True", "False", "0", "1"))
        case "String":
            right = isinstance(value, str) or (sent and isinstance(value, int))
        case "InputFile":
            right = isinstance(value, Part)
        case _:
            return objects(where, value, kind, sent=sent)
    return [] if right else [f"{where}: {str(value)[:80]!r} is no {kind}"]


def objects(where: str, value: Any, kind: str, *, sent: bool) -> list[str]:
    about = document()["types"][kind]
    if subtypes := about.get("subtypes"):
        return check(where, value, subtypes, sent=sent)
    if not isinstance(value, dict):
        return [f"{where}: no {kind}"]
    return judged(where, value, about.get("fields", []), sent=sent)
