"""The numbers of a server: counted from its own jobs, without reading everybody's."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import aiosqlite
import pytest

from realbot import database
from realbot.rows import Circle
from realbot.store import Store
from realbot.tally import tally
from stored import ANN, BOB, NOW, put


@pytest.mark.parametrize(("server", "people"), [("discord:1", 1), ("discord:2", 2), ("", 2), ("discord:3", 0)])
async def test_the_jobs_of_other_servers_are_not_even_read(tmp_path: Path, server: str, people: int) -> None:
    async with Store.open(tmp_path, lambda: NOW) as store:
        for user, place in ((ANN, "discord:1"), (ANN, "discord:2"), (BOB, "discord:2"), (BOB, "")):
            await put(store, user, circle=Circle("server", place))
        waiting = {"discord:1": 1, "discord:2": 2, "": 4, "discord:3": 0}[server]
        stats = await store.tally(server)
        assert (stats.people, stats.waiting) == (people, waiting)
    asked: list[str] = []
    async with aiosqlite.connect(tmp_path / database.NAME) as db:
        db.row_factory = sqlite3.Row
        await db.set_trace_callback(asked.append)
        await tally(db, server, NOW)
        await db.set_trace_callback(None)
        plans = [
            " ".join([row["detail"] for row in await db.execute_fetchall(f"EXPLAIN QUERY PLAN {sql}")])
            for sql in asked
            if "FROM jobs" in sql
        ]
    assert len(plans) == 4
    assert all(("jobs_server (server=?" in plan) == bool(server) for plan in plans)
