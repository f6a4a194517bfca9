"""A place that gets another key, or that the bot leaves: everything that names it goes with it, or nothing does."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from pathlib import Path

import pytest

from realbot import rows
from realbot.jobs import User
from studios import Rig, rig

ADMIN = User("discord", "1", "Admin")
OLD, NEW, ROLE = "telegram:-5", "telegram:-1005", "discord:role:77"
TEACHER = User("telegram", "7", "Ann")


async def settle(r: Rig) -> None:
    """Everything that can be kept of a place."""
    await r.studio.rule(OLD, ADMIN, limits={"max_steps": 10})
    await r.studio.gate.ban(User("telegram", "8"), OLD, ADMIN)
    await r.store.forgive(TEACHER, OLD, time.time())
    await r.store._writer.run(lambda db: r.store.wardrobe.reserve(db, "ink", "job-ink", TEACHER.key))
    (r.studio.upkeep.folder.parent / "weights").write_bytes(b"weights")
    weights = hashlib.sha256(b"weights").hexdigest()
    assert await r.store.wardrobe.hang("job-ink", "ink", r.studio.upkeep.folder.parent / "weights", weights)
    await r.store.wardrobe.share(TEACHER, "ink", OLD, True)


async def named(r: Rig, key: str) -> list[int]:
    """How many rows name a place, by table."""
    tables = {"places": "key", "bans": "place", "forgiven": "place", "shared": "place", "audit": "key"}
    counted = [f"(SELECT count(*) FROM {table} WHERE {column} = :key)" for table, column in tables.items()]
    found = await r.store._writer.run(lambda db: rows.rows(db, f"SELECT {', '.join(counted)}", {"key": key}))
    return list(found[0])


async def test_a_group_with_a_new_number_keeps_everything_that_is_kept_of_it(tmp_path: Path):
    async with rig(tmp_path) as r:
        await settle(r)
        assert await named(r, OLD) == [1, 1, 1, 1, 2]
        for _ in range(2):  # Telegram tells it in both groups.
            await r.studio.moved(OLD, NEW)
            assert (await named(r, OLD), await named(r, NEW)) == ([0] * 5, [1, 1, 1, 1, 3])
        assert (await r.studio.place(NEW)).limits == {"max_steps": 10}
        assert [ban.subject for ban in r.studio.gate.bans(NEW)] == ["telegram:8"]
        assert r.store.wardrobe.get("ink").shared == {NEW}
        assert (await r.studio.audit(NEW))[0].change == {"moved": OLD}


@pytest.mark.parametrize("verb", ["moved", "left"])
async def test_D6_a_place_is_moved_or_left_whole_or_not_at_all(tmp_path: Path, verb: str):
    async with rig(tmp_path) as r:
        await settle(r)
        await r.studio.lend(ROLE, OLD, ADMIN, limits={"max_steps": 20})
        for event in ("UPDATE", "DELETE"):
            await r.store._change(
                f"CREATE TRIGGER t{event} BEFORE {event} ON bans BEGIN SELECT RAISE(ABORT, 'no'); END", ()
            )
        before = await named(r, OLD)
        given = (OLD, NEW) if verb == "moved" else (OLD,)
        with pytest.raises(sqlite3.IntegrityError):
            await getattr(r.studio, verb)(*given)
        assert (await named(r, OLD), await named(r, NEW)) == (before, [0] * 5)
        assert (await r.studio.place(OLD)).limits == {"max_steps": 10}
        assert len(r.studio.roles(OLD)) == 1
        for event in ("UPDATE", "DELETE"):
            await r.store._change(f"DROP TRIGGER t{event}", ())
        await getattr(r.studio, verb)(*given)
        assert (await named(r, OLD))[:2] == [0, 0]
        assert r.studio.gate.bans(OLD) == []
        assert len(r.studio.roles(OLD)) == (verb == "moved")
