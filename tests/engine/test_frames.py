"""Frames: what is sent arrives, and nothing else passes."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from realbot.engine.frames import (
    Cancel,
    Close,
    Command,
    FrameError,
    Open,
    Release,
    Run,
    decode_command,
    decode_fact,
    encode_command,
    encode_fact,
    next_frame,
    pack,
    read_frame,
    write_frame,
)

texts = st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
wholes = st.integers(0, 2**53)
keys = st.builds(RunKey, texts, wholes)
pictures = st.builds(Picture, path=texts, sha256=texts, size=wholes, seed=wholes)
works = st.builds(
    Work,
    key=keys,
    request=st.dictionaries(texts, texts | wholes | st.none() | st.lists(wholes, max_size=3), max_size=4),
    styles=st.dictionaries(texts, st.dictionaries(texts, texts, max_size=2), max_size=2),
    files=st.dictionaries(texts, texts, max_size=2),
    budget=numbers,
    parameters=texts,
    preview=st.booleans(),
)
facts = st.one_of(
    st.builds(
        EngineUp,
        engine=texts,
        boot=texts,
        protocol=wholes,
        fingerprint=texts,
        bases=st.lists(texts, max_size=3).map(tuple),
        vram_mb=wholes,
        holding=st.lists(keys, max_size=3).map(tuple),
        device=texts,
    ),
    st.builds(EngineDown, engine=texts, boot=texts, reason=texts, detail=texts),
    st.builds(Started, key=keys, switch=numbers),
    st.builds(Step, key=keys, n=wholes, of=wholes, preview=st.none() | texts),
    st.builds(
        Produced,
        key=keys,
        pictures=st.lists(pictures, max_size=4).map(tuple),
        media_type=texts,
        seconds=numbers,
        stages=st.dictionaries(texts, numbers, max_size=3),
        notes=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    ),
    st.builds(Cancelled, key=keys, at_step=wholes),
    st.builds(Failed, key=keys, kind=texts, detail=texts, engine_ok=st.booleans()),
)
commands = st.one_of(
    st.builds(Open, engine=texts, boot=texts),
    st.builds(Run, engine=texts, work=works),
    st.builds(Cancel, key=keys),
    st.builds(Release, key=keys),
    st.builds(Close, grace=numbers),
)

KEY = "job#1"


@given(facts)
def test_facts_arrive_as_they_were_told(fact: Fact) -> None:
    stream = io.BytesIO()
    write_frame(stream, encode_fact(fact))
    stream.seek(0)
    data = read_frame(stream)
    assert data is not None
    assert decode_fact(data) == fact
    assert read_frame(stream) is None


@given(commands)
def test_commands_arrive_as_they_were_given(command: Command) -> None:
    data = read_frame(io.BytesIO(pack(encode_command(command))))
    assert data is not None
    assert decode_command(data) == command


async def test_both_readers_agree() -> None:
    frames = [encode_fact(Step(RunKey("job", 1), n, 9)) for n in range(9)]
    reader = asyncio.StreamReader()
    reader.feed_data(b"".join(map(pack, frames)))
    reader.feed_eof()
    seen = []
    while (data := await next_frame(reader)) is not None:
        seen.append(data)
    assert seen == frames


class Trickle(io.RawIOBase):
    """A pipe that never gives more than three bytes at once."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(3, size))


def test_a_frame_may_come_in_pieces() -> None:
    frame = encode_fact(Step(RunKey("job", 1), 1, 9))
    assert read_frame(Trickle(pack(frame))) == frame  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0",
        b"\0\0\0\x05{}",
        (FRAME_LIMIT + 1).to_bytes(4, "big") + b" " * (FRAME_LIMIT + 1),
        b"Loading checkpoint shards",
        b"\0\0\0\x02[]",
        b"\0\0\0\x00",
        b"\0\0\0\x02{]",
        b"\0\0\0\x09" + b'{"a":NaN}',
        b"\0\0\0\x02\xff\xfe",
        (60_000).to_bytes(4, "big") + b"[" * 60_000,
    ],
)
async def test_no_frame_is_an_error_for_both_readers(data: bytes) -> None:
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(data))
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    with pytest.raises(FrameError):
        await next_frame(reader)


@pytest.mark.parametrize(
    ("data", "tell"),
    [
        ({}, "unknown fact"),
        ({"fact": "Exploded"}, "unknown fact 'Exploded'"),
        ({"fact": "Step", "key": KEY, "n": 1}, "Step lacks of"),
        ({"fact": "Step", "key": KEY, "n": True, "of": 2}, "Step.n"),
        ({"fact": "Step", "key": KEY, "n": 1.5, "of": 2}, "Step.n"),
        ({"fact": "Step", "key": "job", "n": 1, "of": 2}, "Step.key"),
        ({"fact": "Step", "key": KEY, "n": 1, "of": 2, "preview": 3}, "Step.preview"),
        ({"fact": "Started", "key": KEY, "switch": "1"}, "Started.switch"),
        ({"fact": "Failed", "key": KEY, "kind": "engine", "detail": "", "engine_ok": 1}, "Failed.engine_ok"),
        ({"fact": "Produced", "key": KEY, "pictures": [[]], "media_type": "", "seconds": 1}, "Picture is an object"),
        ({"fact": "Produced", "key": KEY, "pictures": {}, "media_type": "", "seconds": 1}, "Produced.pictures"),
        ({"fact": "Produced", "key": KEY, "pictures": [{}], "media_type": "", "seconds": 1}, "Picture lacks path"),
        (
            {"fact": "Produced", "key": KEY, "pictures": [], "media_type": "", "seconds": 1, "notes": [["a"]]},
            "Produced.notes",
        ),
        ({"fact": "EngineUp", "engine": "", "boot": "", "protocol": 1, "fingerprint": "", "bases": "ab"}, "bases"),
    ],
)
def test_a_fact_of_the_wrong_form_is_an_error(data: dict[str, Any], tell: str) -> None:
    with pytest.raises(FrameError, match=tell):
        decode_fact(data)


def test_a_newer_engine_may_say_more() -> None:
    data = {"fact": "Step", "key": KEY, "n": 1, "of": 2, "mood": "good"}
    assert decode_fact(data) == Step(RunKey("job", 1), 1, 2)


def test_an_older_engine_may_say_less() -> None:
    assert decode_fact({"fact": "Started", "key": KEY}) == Started(RunKey("job", 1), 0.0)


def test_a_frame_has_an_end() -> None:
    with pytest.raises(FrameError, match="at most 65536"):
        pack({"prompt": "x" * FRAME_LIMIT})
    assert len(pack({"p": "x" * (FRAME_LIMIT - 8)})) == FRAME_LIMIT + 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_only_json_is_packed(value: object) -> None:
    with pytest.raises(FrameError):
        pack({"value": value})


def test_prompts_in_every_script_fit() -> None:
    request = {"prompt": "🐈" * 2000, "negative": "猫" * 2000}
    data = encode_command(Run("local", Work(RunKey("job", 1), request)))
    assert json.loads(pack(data)[4:])["work"]["request"] == request
