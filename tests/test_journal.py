"""A job can be followed in the log by its id; nobody and no prompt is named."""

from __future__ import annotations

import logging

import pytest

from realbot.errors import Refused
from realbot.jobs import Generate, Origin, User
from studios import end, rig, until

ANNA = User("discord", "987654321098765432", "Anna Canary")
HERE = Origin("discord", "112233445566778899", server="998877665544332211")


async def ask(bench, prompt: str = "a canary", **fields):
    return await bench.studio.submit(ANNA, Generate(prompt=prompt, steps=2, **fields), HERE)


def told(caplog, job) -> list[tuple[str, str]]:
    """The events of a job, each with its level."""
    lines = [record for record in caplog.records if getattr(record, "job", "") == job.id]
    assert all(job.id in record.getMessage() and record.platform == "discord" for record in lines)
    return [(record.event, record.levelname) for record in lines]


@pytest.fixture
async def bench(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with rig(tmp_path, hand=True) as bench:
        await until(lambda: bench.studio.engine().up)
        yield bench
    for record in caplog.records:
        seen = record.getMessage() + str(vars(record))
        assert not [canary for canary in ("canary", "Canary", ANNA.id, HERE.place, HERE.server) if canary in seen]


async def test_from_acceptance_to_delivery(bench, caplog):
    job = await ask(bench)
    await until(bench.pool.working)
    bench.pool.finish()
    await end(job)
    await bench.studio.delivered(job.id)
    assert told(caplog, job) == [(event, "INFO") for event in ("accepted", "started", "produced", "delivered")]
    started = next(record for record in caplog.records if getattr(record, "event", "") == "started")
    assert (started.engine, started.attempt) == ("one", 1)
    assert 0 <= started.seconds < 5


async def test_an_answer_from_before_is_produced_at_once(bench, caplog):
    first = await ask(bench)
    await until(bench.pool.working)
    bench.pool.finish()
    await end(first)
    again = await ask(bench)
    await end(again)
    assert [event for event, _ in told(caplog, again)] == ["accepted", "produced"]


async def test_an_engine_that_dies_is_told_with_the_next_attempt(bench, caplog):
    job = await ask(bench)
    await until(bench.pool.working)
    bench.pool.crash()
    await until(lambda: bench.pool.working() is not None and bench.pool.working().attempt == 2)
    await until(lambda: len(told(caplog, job)) == 3)
    assert [event for event, _ in told(caplog, job)] == ["accepted", "started", "started"]
    events = [(record.event, record.levelname) for record in caplog.records if hasattr(record, "engine")]
    assert ("engine_down", "WARNING") in events
    assert ("engine_up", "INFO") in events


async def test_what_goes_wrong_is_a_warning_and_what_is_given_up_is_not(bench, caplog):
    failed, cancelled = await ask(bench), await ask(bench, "another canary")
    await until(bench.pool.working)
    await bench.studio.cancel(ANNA, cancelled.id)
    bench.pool.fail("out_of_memory", "A canary does not fit.")
    await end(failed)
    await bench.studio.kept(failed.id, "a canary's channel is gone")
    assert told(caplog, failed)[-2:] == [("failed", "WARNING"), ("kept", "INFO")]
    assert told(caplog, cancelled)[-1] == ("cancelled", "INFO")


async def test_a_refusal_is_nothing_to_write_down(bench, caplog):
    caplog.clear()
    with pytest.raises(Refused):
        await bench.studio.submit(ANNA, Generate(prompt="a canary", steps=100_000), HERE)
    assert not caplog.records
