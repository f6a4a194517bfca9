"""Facts on their way to the reader: all of them in order, but of steps only the latest."""

from __future__ import annotations

import asyncio
import time

from realbot.engine import EngineDown, EngineUp, Failed, Produced, RunKey, Started, Step
from realbot.engine.stream import FactStream

KEY, OTHER = RunKey("job", 1), RunKey("other", 1)
UP = EngineUp("local", "boot", 1, "print", ("mini",), 0)
DOWN = EngineDown("local", "boot", "crashed")


async def test_G11_of_unread_steps_the_latest_is_told() -> None:
    stream = FactStream(0.0)
    stream.put(Started(KEY))
    for n in range(1, 1001):
        stream.put(Step(KEY, n, 1000))
    facts = stream.read()
    assert [await anext(facts), await anext(facts)] == [Started(KEY), Step(KEY, 1000, 1000)]


async def test_G11_a_preview_is_kept_until_it_is_told() -> None:
    stream = FactStream(0.0)
    stream.put(Step(KEY, 1, 9, "one.jpg"))
    stream.put(Step(KEY, 2, 9))
    facts = stream.read()
    assert await anext(facts) == Step(KEY, 2, 9, "one.jpg")
    stream.put(Step(KEY, 3, 9))
    assert await anext(facts) == Step(KEY, 3, 9)


async def test_no_step_follows_the_end_of_its_run() -> None:
    stream = FactStream(0.0)
    stream.put(Step(KEY, 1, 9))
    stream.put(Step(OTHER, 5, 9))
    stream.put(Failed(KEY, "engine", ""))
    stream.end()
    assert [fact async for fact in stream.read()] == [Failed(KEY, "engine", "")]
    stream = FactStream(0.0)
    stream.put(Step(KEY, 1, 9))
    stream.put(DOWN)
    stream.put(UP)
    stream.end()
    assert [fact async for fact in stream.read()] == [DOWN, UP]


async def test_G11_steps_keep_their_distance_and_results_do_not_wait() -> None:
    stream = FactStream(0.2)
    facts = stream.read()
    began = time.monotonic()
    stream.put(Step(KEY, 1, 9))
    assert await anext(facts) == Step(KEY, 1, 9)
    stream.put(Step(KEY, 2, 9))
    assert await anext(facts) == Step(KEY, 2, 9)
    assert time.monotonic() - began >= 0.19
    stream.put(Step(KEY, 3, 9))
    waiting = asyncio.ensure_future(anext(facts))
    await asyncio.sleep(0)
    produced = Produced(KEY, (), "image/png", 1.0)
    stream.put(produced)
    async with asyncio.timeout(0.15):
        assert await waiting == produced


async def test_a_reader_that_comes_late_misses_nothing() -> None:
    stream = FactStream(0.0)
    for fact in (UP, DOWN, UP):
        stream.put(fact)
    assert await anext(stream.read()) == UP
    stream.end()
    assert [fact async for fact in stream.read()] == [DOWN, UP]
