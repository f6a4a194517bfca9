"""A short soak; the long one is `benchmarks/soak.py`."""

from __future__ import annotations

import asyncio

from soaking import Soak


async def test_H18_two_thousand_jobs_leave_no_task_descriptor_thread_or_process_behind(tmp_path):
    soak = Soak(tmp_path, jobs=2000, every=250)
    before = len(asyncio.all_tasks())
    await soak.run()
    assert soak.accepted > 1500
    assert sum(soak.ends.values()) == 2000
    assert {"Done", "Done from before", "Cancelled", "Failed"} <= set(soak.ends)
    settled = soak.readings[3:]
    assert max(one.descriptors for one in settled) <= min(one.descriptors for one in settled) + 8
    assert max(one.threads for one in settled) <= min(one.threads for one in settled) + 4
    assert max(one.tasks for one in settled) < 60
    assert len(asyncio.all_tasks()) == before
