"""A loop that stands still is noticed from beside it."""

from __future__ import annotations

import asyncio
import time

from realbot.lag import Probe


async def test_DC18_a_loop_that_stands_still_is_noticed_with_what_it_was_doing(caplog):
    def stands_still() -> None:
        time.sleep(0.6)

    probe = Probe(too_long=0.2, stuck=0.3)
    async with probe.watching():
        assert not probe.degraded
        await asyncio.sleep(0.1)
        stands_still()
        await asyncio.sleep(0.1)
        assert probe.degraded
    assert probe.longest >= 0.3
    (record,) = [record for record in caplog.records if "stood still" in record.getMessage()]
    assert "stands_still" in record.stack
    assert "time.sleep(0.6)" in record.stack


async def test_what_is_counted_is_the_worst_since_it_was_counted_last():
    probe = Probe()
    async with probe.watching():
        await asyncio.sleep(0.1)
        time.sleep(0.3)
        await asyncio.sleep(0.1)
        assert 0.2 < probe.worst() < 5
        assert probe.worst() < 0.2
