"""What an engine promises, as tests; every pool's test module subclasses `EngineContract`.

A subclass gives the fixture `told`, a listener to an open pool which tests may share, and `work`, a function that makes
a run with a key of its own: with `long=True` one that is still painting a second later.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from lag import LagProbe
from realbot.engine import (
    PROTOCOL,
    Cancelled,
    EngineDown,
    EnginePool,
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

F = TypeVar("F", bound=Fact)
End = Produced | Cancelled | Failed
Make = Callable[..., Work]


class Listener:
    """Reads everything a pool tells and lets tests wait for it."""

    def __init__(self, pool: EnginePool) -> None:
        self.facts: list[Fact] = []
        self.ended = False
        self.pool = pool
        self._news = asyncio.Condition()

    async def listen(self) -> None:
        async for fact in self.pool.facts():
            async with self._news:
                self.facts.append(fact)
                self._news.notify_all()
        async with self._news:
            self.ended = True
            self._news.notify_all()

    async def until(
        self, *kinds: type[F], test: Callable[[Any], bool] = lambda _: True, after: int = 0, within: float = 60.0
    ) -> F:
        """The first fact of these kinds that passes, from the fact number `after` on."""
        names = " or ".join(kind.__name__ for kind in kinds)

        def found() -> F | None:
            return next((f for f in self.facts[after:] if isinstance(f, kinds) and test(f)), None)

        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: found() or self.ended)
        except TimeoutError:
            raise AssertionError(f"no {names} within {within} s; told so far: {self.facts[-20:]}") from None
        fact = found()
        assert fact is not None, f"the stream ended without {names}: {self.facts[-20:]}"
        return fact

    async def up(self, but: str = "", *, within: float = 240.0) -> EngineUp:
        """The engine that is up now, with its model loaded; not the boot `but`."""

        def found() -> EngineUp | None:
            last = next((f for f in reversed(self.facts) if isinstance(f, EngineUp | EngineDown)), None)
            return last if isinstance(last, EngineUp) and last.fingerprint and last.boot != but else None

        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(found)
        except TimeoutError:
            raise AssertionError(f"no engine within {within} s; told so far: {self.facts[-20:]}") from None
        up = found()
        assert up is not None
        return up

    async def down(self, boot: str = "", within: float = 60.0) -> EngineDown:
        """The death of this boot, or the first death of any."""
        return await self.until(EngineDown, test=lambda f: boot in ("", f.boot), within=within)

    async def end(self, key: RunKey, within: float = 60.0) -> Produced | Cancelled | Failed:
        return await self.until(Produced, Cancelled, Failed, test=lambda f: f.key == key, within=within)

    async def produced(self, key: RunKey, within: float = 60.0) -> Produced:
        end = await self.end(key, within)
        assert isinstance(end, Produced), end
        return end

    def of(self, key: RunKey) -> list[Fact]:
        return [fact for fact in self.facts if getattr(fact, "key", None) == key]

    def ends(self, key: RunKey) -> list[Fact]:
        return [fact for fact in self.of(key) if isinstance(fact, End)]


@asynccontextmanager
async def opened(pool: EnginePool) -> AsyncIterator[Listener]:
    """The pool, opened and listened to, and closed at the end."""
    listener = Listener(pool)
    task = asyncio.create_task(listener.listen())
    await pool.open()
    try:
        yield listener
    finally:
        await pool.close(0.0)
        # The stream ends by itself: closing says so.
        async with asyncio.timeout(5):
            await task


def check(picture: Picture) -> Image.Image:
    """A picture is what its fact says: complete, of that size and checksum, readable."""
    data = Path(picture.path).read_bytes()
    assert len(data) == picture.size
    assert hashlib.sha256(data).hexdigest() == picture.sha256
    with Image.open(picture.path) as image:
        assert image.format == "PNG"
        image.load()
        return image.convert("RGB")


class EngineContract:
    async def test_tells_that_it_is_up(self, told: Listener) -> None:
        up = await told.up()
        assert up.protocol in (PROTOCOL, PROTOCOL - 1)
        assert up.bases
        assert up.boot
        assert up.device
        assert up.holding == ()

    async def test_paints(self, told: Listener, work: Make) -> None:
        one = work("paints", width=64, height=80, seed=7)
        await told.pool.run((await told.up()).engine, one)
        produced = await told.produced(one.key)
        assert produced.media_type == "image/png"
        assert [p.seed for p in produced.pictures] == [7]
        assert check(produced.pictures[0]).size == (64, 80)
        assert 0 <= sum(produced.stages.values()) <= produced.seconds + 0.1
        facts = told.of(one.key)
        assert isinstance(facts[0], Started)
        steps = [fact for fact in facts if isinstance(fact, Step)]
        assert [s.n for s in steps] == sorted({s.n for s in steps})
        assert all(1 <= s.n <= s.of == one.request["steps"] for s in steps)

    async def test_same_seed_same_bytes_and_one_seed_a_picture(self, told: Listener, work: Make) -> None:
        up = await told.up()
        two, one = work("two", seed=11, count=2), work("one", seed=12)
        await told.pool.run(up.engine, two)
        pair = (await told.produced(two.key)).pictures
        await told.pool.run(up.engine, one)
        single = (await told.produced(one.key)).pictures
        assert [p.seed for p in pair] == [11, 12]
        assert check(pair[0]).tobytes() != check(pair[1]).tobytes() == check(single[0]).tobytes()

    async def test_rule_1_a_run_ends_once(self, told: Listener, work: Make) -> None:
        pool, up = told.pool, await told.up()
        good = work("good")
        await pool.run(up.engine, good)
        await told.end(good.key)
        stopped = work("stopped", long=True)
        await pool.run(up.engine, stopped)
        await told.until(Started, test=lambda f: f.key == stopped.key)
        await pool.cancel(stopped.key)
        await told.end(stopped.key)
        bad = work("bad", styles=[{"name": "gone", "weight": 1.0}])
        await pool.run(up.engine, bad)
        failed = await told.end(bad.key)
        lost = work("lost", long=True)
        await pool.run(up.engine, lost)
        await told.until(Started, test=lambda f: f.key == lost.key)
        await pool.restart(up.engine, "replaced")
        assert (await told.down(up.boot)).reason == "replaced"
        await told.up(but=up.boot)
        ends = [told.ends(run.key) for run in (good, stopped, bad, lost)]
        assert [[type(end) for end in these] for these in ends] == [[Produced], [Cancelled], [Failed], []]
        assert isinstance(failed, Failed)
        assert (failed.kind, failed.engine_ok) == ("style", True)

    async def test_rule_2_a_known_key_starts_nothing(self, told: Listener, work: Make) -> None:
        up = await told.up()
        one = work("known")
        await told.pool.run(up.engine, one)
        await told.pool.run(up.engine, one)
        first = await told.produced(one.key)
        mark = len(told.facts)
        await told.pool.run(up.engine, one)
        again = await told.until(Produced, after=mark)
        assert again == first
        assert len([f for f in told.facts[mark:] if isinstance(f, Started)]) == 0
        check(again.pictures[0])

    async def test_rule_3_a_new_process_has_a_new_boot(self, told: Listener, work: Make) -> None:
        pool, up = told.pool, await told.up()
        first = work("job", attempt=1, long=True)
        await pool.run(up.engine, first)
        await told.until(Started, test=lambda f: f.key == first.key)
        await pool.restart(up.engine, "replaced")
        mark = told.facts.index(await told.down(up.boot))
        back = await told.up(but=up.boot)
        assert back.fingerprint == up.fingerprint
        second = work("job", attempt=2)
        assert (second.key.job, second.key.attempt) == (first.key.job, 2)
        await pool.run(back.engine, second)
        await told.produced(second.key)
        assert not [f for f in told.facts[mark:] if getattr(f, "key", None) == first.key]

    async def test_rule_4_one_run_at_a_time(self, told: Listener, work: Make) -> None:
        up = await told.up()
        one, two = work("one"), work("two")
        await told.pool.run(up.engine, one)
        await told.pool.run(up.engine, two)
        await told.produced(two.key)
        facts = [f for f in told.facts if isinstance(f, Started | Produced) and f.key in (one.key, two.key)]
        order = [(type(f), f.key) for f in facts]
        assert order == [(Started, one.key), (Produced, one.key), (Started, two.key), (Produced, two.key)]

    async def test_rule_6_a_result_stays_until_release(self, told: Listener, work: Make) -> None:
        pool, up = told.pool, await told.up()
        one, two = work("one", count=2), work("two")
        await pool.run(up.engine, one)
        pictures = (await told.produced(one.key)).pictures
        await pool.run(up.engine, two)
        await told.produced(two.key)
        for picture in pictures:
            check(picture)
        await pool.release(one.key)
        await pool.release(one.key)
        await gone(*pictures)
        check((await told.produced(two.key)).pictures[0])

    async def test_a_result_outlives_its_engine(self, told: Listener, work: Make) -> None:
        pool, up = told.pool, await told.up()
        one = work("one")
        await pool.run(up.engine, one)
        produced = await told.produced(one.key)
        await pool.restart(up.engine, "replaced")
        await told.up(but=up.boot)
        check(produced.pictures[0])
        await pool.release(one.key)
        await gone(*produced.pictures)

    async def test_cancel_stops_before_the_next_step(self, told: Listener, work: Make) -> None:
        pool, up = told.pool, await told.up()
        await pool.cancel(RunKey("never heard of", 1))
        one = work("one", long=True)
        await pool.run(up.engine, one)
        step = await told.until(Step, test=lambda f: f.key == one.key)
        for _ in range(500):
            await pool.cancel(one.key)
        end = await told.end(one.key)
        assert isinstance(end, Cancelled)
        assert step.n <= end.at_step < one.request["steps"]
        await pool.cancel(one.key)
        two = work("two")
        await pool.run(up.engine, two)
        await told.produced(two.key)
        assert len(told.ends(one.key)) == 1

    async def test_cancel_before_start(self, told: Listener, work: Make) -> None:
        pool, up = told.pool, await told.up()
        one, two = work("one", long=True), work("two")
        await pool.run(up.engine, one)
        await pool.run(up.engine, two)
        await pool.cancel(two.key)
        await pool.cancel(one.key)
        assert isinstance(await told.end(two.key), Cancelled)
        assert isinstance(await told.end(one.key), Cancelled)
        assert not [f for f in told.of(two.key) if isinstance(f, Step)]

    async def test_a_run_ends_at_its_budget(self, told: Listener, work: Make) -> None:
        up = await told.up()
        one = replace(work("one", long=True), budget=0.2)
        await told.pool.run(up.engine, one)
        end = await told.end(one.key)
        assert isinstance(end, Failed)
        assert (end.kind, end.engine_ok) == ("deadline", True)

    async def test_rule_9_no_call_blocks_the_loop(self, told: Listener, work: Make) -> None:
        up = await told.up()
        async with LagProbe() as probe:
            for n in range(3):
                one = work(f"job{n}")
                await told.pool.run(up.engine, one)
                await told.produced(one.key)
                await told.pool.release(one.key)
        assert probe.quantile(0.98) < 0.010, sorted(probe.lags)[-10:]


async def gone(*pictures: Picture) -> None:
    """Wait until the files are deleted."""
    async with asyncio.timeout(10):
        while any(Path(p.path).exists() for p in pictures):
            await asyncio.sleep(0.01)
