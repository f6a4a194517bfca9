"""A clock that is wrong when realbot starts: nothing is deleted for an age that it may not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from realbot import backups
from realbot.store import Store
from realbot.upkeep import REST, Upkeep
from stored import ANN, BOB, put
from studios import settings

DAY = 86_400.0
#: 2026-11-25 14:02:00 UTC.
START = 1795615320.0


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


async def test_C21_a_clock_that_is_far_ahead_at_the_start_deletes_nothing_until_it_is_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, since = Time(), Time()
    async with Store.open(tmp_path / "data", clock) as store:
        row = await put(store, ANN, now=clock.now)
        await store.cancel(row.id)
        await store.erase(BOB)
        before = Upkeep(store, lambda: settings(backup={"keep": 1}), clock, since)
        since.now += REST
        assert await before.back_up() is not None
        clock.now = START + 200 * DAY
        upkeep = Upkeep(store, lambda: settings(backup={"keep": 1}), clock, since)
        for minutes in range(0, 60, 5):
            since.now = START + REST + minutes * 60
            await upkeep.retain()
            await upkeep.back_up()
            # What is asked for while the clock is wrong says nothing for it.
            await put(store, ANN, now=clock.now)
            upkeep._done.clear()
        assert await store.row(row.id) is not None
        assert len(store.tombstones.read()) == 1
        assert START in [one.at for one in backups.found(upkeep.folder)]
        assert caplog.text.count("the clock is long after the last request") == 1
        since.now += 3600
        await upkeep.retain()
        assert await store.row(row.id) is None
        assert START not in [one.at for one in backups.found(upkeep.folder)]
        assert store.tombstones.read() == []


async def test_C21_a_clock_before_the_last_request_deletes_nothing_until_the_next_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Time()
    async with Store.open(tmp_path / "data", clock) as store:
        old = await put(store, ANN, now=clock.now - 60 * DAY)
        await store.cancel(old.id)
        wrong = await put(store, ANN, now=clock.now + 3650 * DAY)
        upkeep = Upkeep(store, settings, clock, clock)
        clock.now += 2 * 3600
        await upkeep.retain()
        assert await store.row(old.id) is not None
        assert "the clock is before the last request" in caplog.text
        await put(store, ANN, now=clock.now)
        clock.now += 3600
        await upkeep.retain()
        assert await store.row(old.id) is None
        assert await store.row(wrong.id) is not None
