"""The whole bot and its engine are killed at random and at every named point, and nobody's picture is lost."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import defaultdict
from pathlib import Path

import pytest

from crashing import POINTS, Diary, Nursery
from realbot.jobs import User
from realbot.rows import Row
from realbot.store import Store

#: How often the bot is killed at a random moment.
KILLS = int(os.environ.get("KILLS", "300"))


def rows(folder: Path) -> dict[str, Row]:
    """Everything that is remembered, by job."""

    async def read() -> list[Row]:
        async with Store.open(folder / "data") as store:
            found = await store.waiting() + await store.pending("web")
            for n in range(5):
                found += await store.history(User("web", f"u{n}"), 100_000)
            for row in found:
                for image in row.images:
                    await store.picture(image)
            return found

    return {row.id: row for row in asyncio.run(read())}


def audit(folder: Path, wanted: int) -> dict[str, list[list[str]]]:
    """What must hold of every diary; returns the events of each job."""
    diary = Diary(folder).read()
    assert not [words for words in diary if words[0] == "error"]
    events: dict[str, list[list[str]]] = defaultdict(list)
    seq = {row.id: row.seq for row in rows(folder).values()}
    last = 0
    for words in diary:
        if words[0] == "life":
            last = 0
        elif words[0] != "finished":
            events[words[1]].append(words)
        if words[0] == "run":
            assert seq[words[1]] >= last, "a later job was started before an earlier one"
            last = seq[words[1]]
    confirmed = {int(words[2]): words[1] for words in diary if words[0] == "confirmed"}
    assert set(confirmed) == set(range(wanted)), "a request was never confirmed"
    assert len(set(confirmed.values())) == wanted, "two requests became one job"
    assert set(seq) == set(events), "a job is in the books that nobody asked for, or is missing there"
    for job, mine in events.items():
        kinds = [words[0] for words in mine]
        assert "shown" in kinds, f"{job} was accepted and never shown"
        shown = {tuple(words[2:]) for words in mine if words[0] == "shown"}
        assert len(shown) == 1, f"{job} was shown differently: {shown}"
        assert next(iter(shown))[0] == "Done"
        runs = [words for words in mine if words[0] == "run"]
        assert len({words[3] for words in runs}) == 1, f"{job} changed its seed"
        attempts = [int(words[2]) for words in runs]
        assert attempts == sorted(set(attempts)), f"{job} used an attempt twice"
        assert "run" not in kinds[kinds.index("produced") + 1 :] if "produced" in kinds else True
    return events


@pytest.mark.timeout(1800)
def test_D1_D4_D6_D7_G6_G7_nothing_is_lost_when_bot_and_engine_are_killed_at_random(tmp_path: Path):
    draw = random.Random(1)
    wanted, lives, killed = 4, 0, 0
    with Nursery(tmp_path) as nursery:
        assert nursery.life(1) == 0
        began = time.monotonic()
        assert nursery.life(wanted) == 0
        whole = time.monotonic() - began
        while killed < KILLS:
            wanted += draw.randrange(4)
            strikes = tuple(draw.uniform(0.2, 1.0) * whole for _ in range(draw.randrange(3)))
            code = nursery.life(wanted, after=draw.uniform(0.02, 1.2) * whole, strikes=strikes)
            assert code in (-9, 0), [words for words in Diary(tmp_path).read() if words[0] == "error"]
            lives += 1
            killed += code == -9
            assert lives < 4 * KILLS + 10
        assert nursery.life(wanted) == 0
    events = audit(tmp_path, wanted)
    runs = sum(words[0] == "run" for mine in events.values() for words in mine)
    struck = sum(words[0] == "struck" for mine in events.values() for words in mine)
    assert runs <= wanted + killed + struck, "more than one extra run for a kill"


@pytest.mark.parametrize("point", sorted(set(POINTS) - {"after_cancel"}))
@pytest.mark.parametrize("count", [1, 3])
def test_D2_D3_D5_D6_D7_a_kill_at_a_named_point_loses_and_repeats_nothing(tmp_path: Path, point: str, count: int):
    with Nursery(tmp_path) as nursery:
        assert nursery.life(5, point=point, count=count) == -9
        before = Diary(tmp_path).read()
        kept = rows(tmp_path)
        assert {words[1] for words in before if words[0] == "confirmed"} <= set(kept)
        if point == "before_put":
            assert len(kept) == count - 1
        if point == "after_put":
            assert len(kept) == count
            assert len([words for words in before if words[0] == "confirmed"]) == count - 1
        assert nursery.life(5) == 0
    events = audit(tmp_path, 5)
    for job, mine in events.items():
        kinds = [words[0] for words in mine]
        assert kinds.count("run") <= 2
        if job in kept and kept[job].state in ("produced", "delivering", "delivered"):
            assert kinds.count("run") == 1
        if job in kept and kept[job].state == "delivered":
            assert kinds.count("shown") == 1
    if point in ("after_produce", "after_deliver", "before_delivered", "after_delivered"):
        assert any(row.state in ("produced", "delivering", "delivered") for row in kept.values())
    orphans = {path.stem for path in (tmp_path / "data" / "pictures").rglob("*.png")}
    assert orphans == {image for row in rows(tmp_path).values() for image in row.images}


def test_D4_jobs_return_to_their_places_with_the_next_attempt(tmp_path: Path):
    with Nursery(tmp_path) as nursery:
        assert nursery.life(6, point="after_start", count=1) == -9
        (running,) = [row for row in rows(tmp_path).values() if row.state == "running"]
        assert nursery.life(6) == 0
    events = audit(tmp_path, 6)
    again = [words for words in events[running.id] if words[0] == "run"]
    assert [int(words[2]) for words in again] == [running.attempt + 1]
    assert int(again[0][3]) == running.seed


def test_D7_a_cancellation_that_was_confirmed_stays_one(tmp_path: Path):
    with Nursery(tmp_path) as nursery:
        assert nursery.life(3, point="after_cancel", count=1) == -9
        cancelled = [job for job, row in rows(tmp_path).items() if row.state == "cancelled"]
        assert len(cancelled) == 1
        assert nursery.life(3) == 0
    shown = {words[1]: words[2] for words in Diary(tmp_path).read() if words[0] == "shown"}
    assert [shown[job] for job in cancelled] == ["Cancelled"]
