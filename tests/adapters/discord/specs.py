"""Discord's own description of its API as a judge of what the bot sends; without the file nothing is judged."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

PLACE = "shared/specs/discord-openapi.json"


@functools.cache
def found() -> Path | None:
    """The description beside the source tree, in any folder above."""
    return next((folder / PLACE for folder in Path(__file__).resolve().parents if (folder / PLACE).is_file()), None)


@functools.cache
def document() -> dict[str, Any]:
    path = found()
    assert path is not None
    return json.loads(path.read_text())


@functools.cache
def routes() -> list[tuple[re.Pattern[str], str]]:
    """Paths as patterns with their names, the most particular first."""
    names = sorted(document()["paths"], key=lambda name: name.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", name)), name) for name in names]


@functools.cache
def validator(pointer: str) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    registry: Any = Registry().with_resource("urn:discord", Resource(document(), DRAFT202012))
    return Draft202012Validator({"$ref": f"urn:discord#{pointer}"}, registry=registry)


def escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def pointer(method: str, path: str) -> str | None:
    """Where the description of a request's body is."""
    name = next((name for pattern, name in routes() if pattern.fullmatch(path)), None)
    body = {} if name is None else (document()["paths"][name].get(method.lower()) or {}).get("requestBody")
    if not body:
        return None
    kind = "application/json" if "application/json" in body["content"] else next(iter(body["content"]))
    return f"/paths/{escaped(name or '')}/{method.lower()}/requestBody/content/{escaped(kind)}/schema"


def request(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with the body of a request, in sentences."""
    if found() is None or body is None:
        return []
    where = pointer(method, path)
    if where is None:
        return []
    if path.endswith("/callback"):
        where = CALLBACKS.get(body.get("type"), where)
    return list(judged(where, json.dumps(normalised(body), sort_keys=True)))


@functools.lru_cache(maxsize=4096)
def judged(where: str, body: str) -> tuple[str, ...]:
    """Every start sends the same commands: they are judged once."""
    return tuple(sentence(error) for error in validator(where).iter_errors(json.loads(body)))


def schema(name: str, body: Any) -> list[str]:
    """What is wrong with an object that should be of the named schema."""
    if found() is None:
        return []
    return [sentence(error) for error in validator(f"/components/schemas/{name}").iter_errors(body)]


CALLBACKS = {
    4: "/components/schemas/CreateMessageInteractionCallbackRequest",
    5: "/components/schemas/CreateMessageInteractionCallbackRequest",
    6: "/components/schemas/UpdateMessageInteractionCallbackRequest",
    7: "/components/schemas/UpdateMessageInteractionCallbackRequest",
    8: "/components/schemas/ApplicationCommandAutocompleteCallbackRequest",
    9: "/components/schemas/ModalInteractionCallbackRequest",
}


def sentence(error: Any) -> str:
    """The reason of the branch that was meant, and where it is."""
    from jsonschema.exceptions import best_match

    inner = best_match([error]) or error
    return f"{'/'.join(map(str, inner.absolute_path)) or 'body'}: {inner.message[:200]}"


def normalised(body: Any) -> Any:
    """Ids may be numbers, which the description writes as texts."""
    if isinstance(body, list):
        return [normalised(item) for item in body]
    if not isinstance(body, dict):
        return body
    return {name: ident(name, value) for name, value in body.items()}


def ident(name: str, value: Any) -> Any:
    if name in ("users", "roles") and isinstance(value, list):
        return [str(item) for item in value]
    if name in ("id", "message_id", "channel_id", "guild_id", "recipient_id", "nonce") and isinstance(value, int):
        return str(value)
    return normalised(value)
