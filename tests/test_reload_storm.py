"""Settings are written dozens of times, well, wrongly, by halves, while hundreds of requests come and are painted."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from engine.pooled import SCRIPTED
from realbot import app
from realbot.config import Settings
from realbot.engine.child import ChildPool
from realbot.engine.models import PRESETS
from realbot.errors import Invalid, OverQuota, QueueFull, Refused
from realbot.jobs import Done, Generate, Job, Origin, User
from realbot.reload import Outcome
from realbot.store import Store
from realbot.studio import Studio
from realbot.styles import Styles
from studios import QUICK, end, until
from wrong import WRONG

PEOPLE, REQUESTS, WRITINGS = 40, 400, 60


def good(number: int) -> str:
    """Settings that hold; those with an odd number allow fewer steps."""
    steps = 2 if number % 2 else 9
    return (
        f"[limits]\nwaiting_per_user = {800 + number}\nmax_steps = {steps}\nper_day = {number}000\n"
        f'[queue]\nwaiting_total = {5000 + number}\n[override."web:page".limits]\nmax_prompt = {1000 + number}\n'
    )


async def write(file: Path, number: int, chance: random.Random) -> None:
    """Change the file in one of the ways in which people and programs do."""
    text = good(number)
    match chance.choice(["whole", "halves", "renamed", "gone", "wrong", "cut"]):
        case "whole":
            file.write_text(text)
        case "halves":
            with file.open("w") as writing:
                for part in (text[:40], text[40:90], text[90:]):
                    writing.write(part)
                    writing.flush()
                    await asyncio.sleep(0.01)
        case "renamed":
            other = file.with_suffix(".new")
            other.write_text(text)
            other.replace(file)
        case "gone":
            file.unlink(missing_ok=True)
            await asyncio.sleep(0.01)
            file.write_text(text)
        case "wrong":
            bad = chance.choice(WRONG)[0]
            file.write_bytes(bad if isinstance(bad, bytes) else bad.encode())
        case "cut":
            file.write_text(text[: chance.randrange(len(text))])


@pytest.mark.timeout(240)
async def test_Q5_Q6_reload_under_load_loses_no_job(tmp_path: Path) -> None:
    file = tmp_path / "realbot.toml"
    file.write_text(good(2))
    script = json.dumps({"spool": str(tmp_path / "spool"), "step": 0.001})
    argv = [sys.executable, str(SCRIPTED), "--settings", script]
    pool = ChildPool(argv, spool=tmp_path / "spool", environ=os.environ)
    runs: list[tuple[str, int]] = []
    run = pool.run

    async def noted(engine: str, work: object) -> None:
        runs.append((work.key.job, work.key.attempt))
        await run(engine, work)

    pool.run = noted
    chance = random.Random(7)
    accepted: list[Job] = []
    refused: Counter[str] = Counter()
    outcomes: list[Outcome] = []
    async with Store.open(tmp_path / "data") as store:
        model = replace(PRESETS["mini"], name="scripted")
        studio = Studio(store, pool, Settings.load(file, {}), Styles([]), model=model, pace=QUICK)
        await studio.open()
        anew = app._anew(asyncio.Event())
        now = studio.reload.now

        async def counted() -> Outcome:
            outcomes.append(await now())
            return outcomes[-1]

        studio.reload.now = counted
        watching = asyncio.create_task(studio.reload.watch(anew, 0.05))

        async def ask(person: int) -> None:
            who = random.Random(person)
            for n in range(REQUESTS // PEOPLE):
                await asyncio.sleep(who.random() * 0.6)
                request = Generate(prompt=f"{person} {n}", steps=who.choice([1, 2, 3]), seed=person * 1000 + n)
                try:
                    accepted.append(await studio.submit(User("web", f"u{person}"), request, Origin("web", "page")))
                except Refused as error:
                    refused[type(error).__name__] += 1

        async def disturb() -> None:
            for number in range(3, WRITINGS + 3):
                await write(file, number, chance)
                if chance.random() < 0.5:
                    os.kill(os.getpid(), signal.SIGHUP)
                await asyncio.sleep(chance.random() * 0.15)

        try:
            await asyncio.gather(disturb(), *(ask(person) for person in range(PEOPLE)))
            # The last word is a good one, half of which was there first.
            file.write_text(good(100)[:60])
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.02)
            file.write_text(good(100))
            await until(lambda: studio.reload.settings.limits.waiting_per_user == 900)
            ends = [await end(job, 120) for job in accepted]
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await studio.close(0.0)
        rows = [await store.row(job.id) for job in accepted]
    assert all(isinstance(one, Done) for one in ends)
    # Each once, in the order in which they were accepted.
    order = [row.id for row in sorted(rows, key=lambda row: row.seq)]
    assert runs == [(job, 1) for job in order]
    assert len(accepted) + sum(refused.values()) == REQUESTS
    assert set(refused) <= {Invalid.__name__, QueueFull.__name__, OverQuota.__name__}
    assert len(accepted) >= REQUESTS / 2
    assert refused, "some of the settings allowed fewer steps"
    assert sum(bool(one.changes) for one in outcomes) >= 10
    assert sum(bool(one.trouble) for one in outcomes) >= 5
    last = studio.reload.settings
    assert (last.limits.max_steps, last.limits.per_day, last.queue.waiting_total) == (9, 100_000, 5100)
    assert studio.reload.trouble == ""
    assert studio.limits(User("web", "u1"), Origin("web", "page")).max_prompt == 1100
