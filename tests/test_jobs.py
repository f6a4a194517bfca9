"""The nouns: what is equal, what is kept on the way through JSON, what a watcher sees."""

import asyncio
import dataclasses
import json
import math
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realbot import jobs
from realbot.jobs import (
    Board,
    Cancelled,
    Done,
    Eta,
    Failed,
    Generate,
    Job,
    Origin,
    Running,
    StyleUse,
    Train,
    Upscale,
    User,
    Waiting,
    canonical,
    from_json,
    is_final,
    key_of,
    seeded,
    to_json,
)

steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)  # no -0.0
images = st.text("0123456789abcdef", min_size=64, max_size=64)
generates = st.builds(
    Generate,
    prompt=st.text(),
    negative=st.text(),
    width=st.none() | st.integers(1, 10**6),
    height=st.none() | st.integers(1, 10**6),
    steps=st.none() | st.integers(1, 1000),
    guidance=numbers,
    true_cfg=numbers,
    scheduler=st.none() | st.text(),
    seed=st.none() | st.integers(0, jobs.SEEDS - 1),
    count=st.integers(1, 16),
    styles=st.lists(st.builds(StyleUse, st.text(), st.floats(0, 10)), max_size=4).map(tuple),
    source=st.none() | images,
    mask=st.none() | images,
    region=st.none() | st.text(),
    strength=numbers,
    reference=st.none() | images,
    reference_weight=numbers,
    model=st.none() | st.text(),
)
requests = st.one_of(
    generates,
    st.builds(Upscale, source=images, factor=st.integers(2, 8)),
    st.builds(Train, style=st.text(), trigger=st.text(), images=st.lists(images, max_size=3).map(tuple)),
)


@steady
@given(requests)
def test_a_request_survives_json(request):
    assert from_json(json.loads(json.dumps(to_json(request)))) == request
    assert from_json(json.loads(canonical(to_json(request)))) == request


def test_json_names_the_verb():
    assert {to_json(request)["verb"] for request in (Generate(prompt="a"), Upscale(source="a" * 64))} == {
        "generate",
        "upscale",
    }


@pytest.mark.parametrize("data", [{"verb": "generate", "prompt": "a", "later": 1}, {"verb": "dance"}, {"prompt": "a"}])
def test_H12_json_of_another_version_is_refused(data):
    with pytest.raises((KeyError, TypeError)):
        from_json(data)


def test_canonical_json_is_one_text_for_equal_data():
    assert canonical({"b": 1, "a": [1.5, None, "é\u2028"]}) == '{"a":[1.5,null,"é\u2028"],"b":1}'.encode()
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
    for wild in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            canonical(wild)


REQUEST = Generate(
    prompt="a cat", negative="blur", width=128, height=64, steps=8, guidance=3.0, true_cfg=1.0, scheduler="euler",
    seed=7, count=1, styles=(StyleUse("ink", 0.5), StyleUse("realism")), source="0" * 64, mask="1" * 64, strength=0.5,
    region="left",
    reference="2" * 64, reference_weight=0.5, model="mini",
)  # fmt: skip
OTHER = {
    "prompt": "a cat ", "negative": "", "width": 144, "height": 80, "steps": 9, "guidance": 3.1, "true_cfg": 1.5,
    "scheduler": "unipc", "seed": 8, "count": 2, "styles": (StyleUse("ink", 0.6), StyleUse("realism")),
    "source": "3" * 64, "mask": "3" * 64, "region": "right", "strength": 0.6, "reference": "3" * 64,
    "reference_weight": 0.6, "model": "sdxl", "avoid": "text",
}  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in fields(Generate)])
def test_every_field_is_in_the_key(name):
    """A field that is added later fails here until `OTHER` says what another value of it is."""
    assert key_of(replace(REQUEST, **{name: OTHER[name]}), "f") != key_of(REQUEST, "f")
    if getattr(REQUEST, name) is not None and name not in ("prompt", "negative", "count", "styles", "avoid"):
        assert key_of(replace(REQUEST, **{name: None}), "f") != key_of(REQUEST, "f")


def test_the_fingerprint_is_in_the_key():
    assert key_of(REQUEST, "f") != key_of(REQUEST, "g")
    assert len(key_of(REQUEST, "f")) == 64


def test_the_key_does_not_depend_on_how_a_number_or_the_order_of_styles_is_written():
    assert key_of(replace(REQUEST, guidance=3), "f") == key_of(REQUEST, "f")
    assert key_of(replace(REQUEST, styles=REQUEST.styles[::-1]), "f") == key_of(REQUEST, "f")
    whole = replace(REQUEST, styles=(StyleUse("realism", 1), StyleUse("ink", 0.5)))
    assert key_of(whole, "f") == key_of(REQUEST, "f")


def test_the_key_stays_the_same_from_release_to_release():
    """A changed value here turns every cached picture away; change it only with the meaning of a field."""
    assert key_of(Generate(prompt="a cat", seed=1), "f") == (
        "e30fa82d3d9fb7823a97501af800584bc699717803d839d1251d93314797e8c5"
    )
    assert key_of(Upscale(source="0" * 64), "f") == "bcedabb4e851177844c63a761a7eb14ad1fa8443aad7dcc67b2597c9b3decc7f"


@steady
@given(requests, requests)
def test_different_requests_have_different_keys(one, two):
    same = key_of(one, "f") == key_of(two, "f")
    if one == two:
        assert same
    elif not (isinstance(one, Generate) and isinstance(two, Generate)):
        assert not same


def test_the_key_refuses_numbers_that_are_not_finite():
    with pytest.raises(ValueError, match="not JSON compliant"):
        key_of(replace(REQUEST, guidance=math.nan), "f")


def test_a_seed_is_given_to_pictures_only():
    assert seeded(Generate(prompt="a"), 3) == Generate(prompt="a", seed=3)
    assert seeded(REQUEST, None).seed is None
    upscale = Upscale(source="0" * 64)
    assert seeded(upscale, 3) is upscale


def test_the_same_number_on_two_platforms_is_two_people():
    assert User("discord", "1").key == "discord:1" != User("telegram", "1").key


def test_nouns_are_frozen():
    for noun in (User("discord", "1"), Origin("web"), REQUEST, Waiting(1), Running(1, 2), Eta(1.0, 2.0)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(noun, fields(noun)[0].name, None)


def test_what_is_final():
    assert [is_final(s) for s in (Waiting(1), Running(1, 2), Done((), 1, 0.5), Failed("EngineLost"), Cancelled())] == [
        False, False, True, True, True,
    ]  # fmt: skip


def watched(board: Board) -> Job:
    return Job("j1", User("cli", "me"), REQUEST, Origin("cli"), 0.0, board)


async def test_a_watcher_sees_the_status_now_and_ends_with_the_final_one():
    board = Board(Waiting(2))
    job = watched(board)
    seen = []

    async def watch():
        async for status in job.watch():
            seen.append(status)

    task = asyncio.create_task(watch())
    for status in (Waiting(1), Running(0, 8), Running(8, 8), Done(("a",), 7, 1.5)):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        board.post(status)
    await asyncio.wait_for(task, 5)
    assert seen == [Waiting(2), Waiting(1), Running(0, 8), Running(8, 8), Done(("a",), 7, 1.5)]
    assert job.status == seen[-1]


async def test_a_slow_watcher_skips_and_a_late_one_starts_with_the_latest():
    board = Board(Waiting(9))
    slow = watched(board).watch()
    assert await anext(slow) == Waiting(9)
    for step in range(8):
        board.post(Running(step, 8))
    assert await anext(slow) == Running(7, 8)
    board.post(Cancelled())
    assert await anext(slow) == Cancelled()
    with pytest.raises(StopAsyncIteration):
        await anext(slow)
    assert [status async for status in board.watch()] == [Cancelled()]


async def test_the_final_status_is_never_replaced():
    board = Board(Running(1, 8))
    board.post(Failed("EngineLost"))
    board.post(Done((), 1, 1.0))
    board.post(Running(2, 8))
    assert board.status == Failed("EngineLost")


async def test_an_equal_status_wakes_nobody():
    board = Board(Waiting(1))
    watcher = board.watch()
    await anext(watcher)
    following = asyncio.ensure_future(anext(watcher))
    await asyncio.sleep(0)
    board.post(Waiting(1))
    await asyncio.sleep(0.01)
    assert not following.done()
    board.post(Waiting(2))
    board.post(Waiting(1))
    assert await asyncio.wait_for(following, 5) == Waiting(1)


async def test_a_hundred_watchers_see_the_end_and_one_that_leaves_harms_none():
    board = Board(Waiting(1))

    async def last():
        return [status async for status in board.watch()][-1]

    tasks = [asyncio.create_task(last()) for _ in range(100)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    board.post(Running(1, 8))
    await asyncio.sleep(0)
    board.post(Done(("a",), 7, 1.0))
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [Done(("a",), 7, 1.0)] * 99
