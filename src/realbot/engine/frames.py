"""Commands and facts as frames: a 4-byte big-endian length, then one JSON object of at most 64 KiB.

Pictures never travel in frames and nothing is pickled, so a broken engine can send nonsense but never run code here.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, BinaryIO, TypeAlias

from realbot.engine import (
    FRAME_LIMIT,
    Cancelled,
    EngineDown,
    EngineUp,
    Fact,
    Failed,
    Picture,
    Produced,
    RunKey,
    Started,
    Step,
    Work,
)
from realbot.errors import EngineError

_HEAD = 4


class FrameError(EngineError):
    """The engine sent something that is not a frame."""


@dataclass(frozen=True, slots=True)
class Open:
    """The first command: what the pool calls this engine and this process."""

    engine: str
    boot: str


@dataclass(frozen=True, slots=True)
class Run:
    engine: str
    work: Work


@dataclass(frozen=True, slots=True)
class Cancel:
    key: RunKey


@dataclass(frozen=True, slots=True)
class Release:
    key: RunKey


@dataclass(frozen=True, slots=True)
class Close:
    """Finish the run under way if that takes at most `grace` seconds, then exit with 0."""

    grace: float = 0.0


Command: TypeAlias = Open | Run | Cancel | Release | Close

_FACTS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (EngineUp, EngineDown, Started, Step, Produced, Cancelled, Failed)
}
_COMMANDS: dict[str, type[Any]] = {kind.__name__.lower(): kind for kind in (Open, Run, Cancel, Release, Close)}


def encode_fact(fact: Fact) -> dict[str, Any]:
    """A fact as JSON data."""
    return {"fact": type(fact).__name__, **_plain(fact)}


def decode_fact(data: Mapping[str, Any]) -> Fact:
    """The inverse of `encode_fact`; unknown fields are ignored. Raises FrameError."""
    fact: Fact = _build(_FACTS, "fact", data)
    return fact


def encode_command(command: Command) -> dict[str, Any]:
    """A command as JSON data."""
    return {"do": type(command).__name__.lower(), **_plain(command)}


def decode_command(data: Mapping[str, Any]) -> Command:
    """The inverse of `encode_command`; unknown fields are ignored. Raises FrameError."""
    command: Command = _build(_COMMANDS, "do", data)
    return command


def pack(data: Mapping[str, Any]) -> bytes:
    """One frame. Raises FrameError when it would be longer than FRAME_LIMIT bytes or holds no JSON."""
    try:
        body = json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise FrameError(f"not JSON: {error}") from error
    if len(body) > FRAME_LIMIT:
        raise FrameError(f"a frame of {len(body)} bytes; at most {FRAME_LIMIT} are allowed")
    return len(body).to_bytes(_HEAD, "big") + body


def write_frame(stream: BinaryIO, data: Mapping[str, Any]) -> None:
    """Write one frame to a blocking stream and flush it; not safe for two threads at once."""
    stream.write(pack(data))
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """The next frame of a blocking stream, None at its end. Raises FrameError."""
    head = _exactly(stream, _HEAD)
    if not head:
        return None
    length = _length(head)
    body = _exactly(stream, length)
    if len(head) < _HEAD or len(body) < length:
        raise FrameError("the stream ended inside a frame")
    return _parse(body)


async def next_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next frame of an asyncio stream, None at its end. Raises FrameError."""
    try:
        head = await reader.readexactly(_HEAD)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise FrameError("the stream ended inside a frame") from error
    try:
        return _parse(await reader.readexactly(_length(head)))
    except asyncio.IncompleteReadError as error:
        raise FrameError("the stream ended inside a frame") from error


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, fewer only at the end of the stream: a raw pipe returns what is there."""
    parts: list[bytes] = []
    while count and (part := stream.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _length(head: bytes) -> int:
    length = int.from_bytes(head, "big")
    if length > FRAME_LIMIT:
        raise FrameError(f"a frame of {length} bytes; at most {FRAME_LIMIT} are allowed (it begins with {head!r})")
    return length


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _parse(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise FrameError(f"a frame holds an object, not {type(data).__name__}")
    return data


def _plain(value: Any) -> dict[str, Any]:
    return {field.name: _value(getattr(value, field.name)) for field in fields(value)}


def _value(value: Any) -> Any:
    if isinstance(value, RunKey):
        return str(value)
    if isinstance(value, Work | Picture):
        return _plain(value)
    if isinstance(value, Mapping):
        return {str(name): _value(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_value(item) for item in value]
    return value


def _build(kinds: Mapping[str, type[Any]], tag: str, data: Mapping[str, Any]) -> Any:
    kind = kinds.get(str(data.get(tag)))
    if kind is None:
        raise FrameError(f"unknown {tag} {str(data.get(tag))[:80]!r}")
    return _record(kind, data)


def _record(kind: type[Any], data: Any) -> Any:
    if not isinstance(data, Mapping):
        raise FrameError(f"{kind.__name__} is an object, not {type(data).__name__}")
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in data:
            try:
                values[field.name] = _READERS[str(field.type)](data[field.name])
            except (ValueError, TypeError, OverflowError, AttributeError) as error:
                raise FrameError(f"{kind.__name__}.{field.name}: {error}") from error
        elif field.default is MISSING and field.default_factory is MISSING:
            raise FrameError(f"{kind.__name__} lacks {field.name}")
    return kind(**values)


def _exact(kind: type[Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{kind.__name__} expected, not {str(value)[:80]!r}")
        return value

    return read


_text, _whole, _table, _list = _exact(str), _exact(int), _exact(dict), _exact(list)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"a number expected, not {str(value)[:80]!r}")
    return float(value)


def _pair(value: Any) -> tuple[str, str]:
    kind, detail = _list(value)
    return _text(kind), _text(detail)


def _texts(value: Any) -> dict[str, str]:
    return {name: _text(item) for name, item in _table(value).items()}


#: How a field is read from JSON, by its annotation.
_READERS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _exact(bool),
    "str | None": lambda value: None if value is None else _text(value),
    "RunKey": lambda value: RunKey.parse(_text(value)),
    "Work": lambda value: _record(Work, value),
    "tuple[str, ...]": lambda value: tuple(map(_text, _list(value))),
    "tuple[RunKey, ...]": lambda value: tuple(RunKey.parse(_text(item)) for item in _list(value)),
    "Picture | None": lambda value: None if value is None else _record(Picture, value),
    "tuple[Picture, ...]": lambda value: tuple(_record(Picture, item) for item in _list(value)),
    "tuple[tuple[str, str], ...]": lambda value: tuple(map(_pair, _list(value))),
    "Mapping[str, Any]": _table,
    "Mapping[str, str]": _texts,
    "Mapping[str, float]": lambda value: {name: _number(item) for name, item in _table(value).items()},
    "Mapping[str, Mapping[str, str]]": lambda value: {name: _texts(item) for name, item in _table(value).items()},
}
