"""The task that owns the connection: cancelled callers, busy and full disks, and verbs that share a commit."""

from __future__ import annotations

import asyncio
import gc
import resource
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from realbot import database, rows
from realbot.errors import ConfigError, QueueFull
from realbot.store import Store
from stored import ANN, APPLE, BOB, NOW, picture, put, store_file


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "data", clock=lambda: NOW) as opened:
        yield opened


async def test_D18_a_caller_cancelled_at_any_moment_leaves_all_of_its_job_or_nothing(store: Store) -> None:
    for n in range(60):
        task = asyncio.create_task(put(store, job=f"cancelled-{n}", dedup=f"d{n}"))
        for _ in range(n % 30):
            await asyncio.sleep(0)
        if n % 3 == 0:
            await asyncio.sleep(0.0005 * (n % 10))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        other = await put(store, BOB, job=f"other-{n}")
        with closing(sqlite3.connect(store_file(store))) as db:
            jobs = db.execute("SELECT count(*) FROM jobs WHERE id = ?", (f"cancelled-{n}",)).fetchone()
            charges = db.execute("SELECT count(*) FROM charges WHERE job = ?", (f"cancelled-{n}",)).fetchone()
        assert jobs == charges
        assert other.user == BOB
    assert (await store.usage(BOB, NOW)).waiting_user == 60


async def test_D19_a_verb_in_flight_finishes_although_its_caller_is_gone(store: Store) -> None:
    tasks = [asyncio.create_task(put(store, job=f"job-{n}")) for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(value, asyncio.CancelledError) for value in done)
    assert [row.id for row in await store.waiting()] == [f"job-{n}" for n in range(30)]


async def test_D19_closing_finishes_what_was_begun(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        tasks = [asyncio.create_task(put(store)) for _ in range(30)]
        await asyncio.sleep(0)
    rows_ = await asyncio.gather(*tasks)
    with pytest.raises(RuntimeError, match="closed"):
        await store.waiting()
    async with Store.open(tmp_path) as store:
        assert {row.id for row in await store.waiting()} == {row.id for row in rows_}


async def test_D20_opening_and_closing_leaves_no_task_thread_or_descriptor(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        await put(store)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        async with Store.open(tmp_path) as store:
            await store.waiting()
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_D8_every_commit_is_synced_to_a_log_that_power_cuts_cannot_tear(store: Store) -> None:
    found = {}
    for pragma in ("journal_mode", "synchronous", "foreign_keys", "secure_delete"):
        (row,) = await store._writer.run(lambda db, pragma=pragma: rows.rows(db, f"PRAGMA {pragma}"), write=False)
        found[pragma] = row[0]
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


async def test_C8_requests_that_arrive_together_share_a_commit(store: Store) -> None:
    def commits() -> int:
        seen = database.Ledger(store.folder).read()
        assert seen is not None
        return seen[1]

    before = commits()
    await put(store)
    assert commits() == before + 1
    await asyncio.gather(*(put(store) for _ in range(200)))
    assert commits() - before <= 6
    assert [row.seq for row in await store.waiting()] == list(range(1, 202))


async def test_a_verb_that_waits_for_anything_but_the_database_fails_alone(store: Store) -> None:
    async def waits(db: rows.aiosqlite.Connection) -> None:
        await db.execute("INSERT INTO meta VALUES ('half', 'done')")
        await asyncio.sleep(0)

    done = await asyncio.gather(put(store), store._writer.run(waits), put(store), return_exceptions=True)
    assert [isinstance(value, RuntimeError) for value in done] == [False, True, False]
    with pytest.raises(RuntimeError, match="not the database"):
        await store._writer.run(waits, write=False)
    assert len(await store.waiting()) == 2
    assert await store.remembered("half") is None


async def test_H15_a_verb_that_breaks_a_rule_of_the_table_fails_alone(store: Store) -> None:
    wrong = replace(APPLE, source="not an id")
    done = await asyncio.gather(put(store), put(store, request=wrong), put(store), return_exceptions=True)
    assert [isinstance(value, sqlite3.IntegrityError) for value in done] == [False, True, False]
    assert len(await store.waiting()) == 2
    assert (await store.usage(ANN, NOW)).today == 2


async def test_D17_a_locked_database_refuses_in_time_and_loses_nothing(store: Store, tmp_path: Path) -> None:
    row = await put(store)
    image = await picture(store, tmp_path)
    with closing(sqlite3.connect(store_file(store), isolation_level=None)) as tool:
        tool.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        produced = asyncio.create_task(store.produce(row.id, [image], 1.0, {}, "", None))
        asked = [asyncio.create_task(put(store)) for _ in range(5)]
        assert [found.id for found in await store.waiting()] == [row.id]
        assert time.monotonic() - begun < 1
        refused = await asyncio.gather(*asked, return_exceptions=True)
        assert time.monotonic() - begun < 2.5
        assert all(isinstance(error, QueueFull) and "busy" in str(error) for error in refused)
        assert not produced.done()
        tool.execute("ROLLBACK")
    assert await produced
    assert await store.waiting() == []
    await put(store)


async def test_H1_a_full_disk_refuses_new_jobs_and_harms_no_old_one(store: Store) -> None:
    for n in range(23):
        await put(store, job=f"job-{n}")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = store_file(store).with_name(f"{database.NAME}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 5000, hard))
    try:
        with pytest.raises(QueueFull, match="disk is full or read-only"):
            await put(store, request=replace(APPLE, prompt="x" * 20_000))
        with pytest.raises(ConfigError, match="free some space"):
            await store.remember("large", "x" * 20_000)
        assert len(await store.waiting()) == 23
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (await put(store, job="later")).seq == 24
    with closing(sqlite3.connect(store_file(store))) as db:
        assert database.damage(db) == ""


async def test_H1_one_verb_too_large_for_the_disk_does_not_fail_its_neighbours(store: Store) -> None:
    await put(store)

    async def narrow(db: rows.aiosqlite.Connection) -> None:
        (pages,) = (await rows.rows(db, "PRAGMA page_count"))[0]
        await db.execute_fetchall(f"PRAGMA max_page_count = {pages + 2}")

    await store._writer.run(narrow, write=False)
    large = replace(APPLE, prompt="word " * 10_000)
    done = await asyncio.gather(put(store), put(store, request=large), put(store), return_exceptions=True)
    assert [isinstance(value, QueueFull) for value in done] == [False, True, False]
    assert len(await store.waiting()) == 3
