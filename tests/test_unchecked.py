"""Pictures that cannot be checked: the checker is away, breaks, or cannot be loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import realbot.safety
from judges import ANN, DIRECT, ON, OPEN, Counter, Judge, ask
from realbot.errors import ConfigError, Refused
from realbot.jobs import Done, Job
from studios import Rig, rig, until


async def test_X15_what_cannot_be_checked_is_withheld_in_open_places_and_shown_once_it_was(tmp_path: Path):
    judge = Judge(away=True)
    async with rig(tmp_path, sections=ON) as r:
        safety = r.studio.safety
        safety.classifier, safety._first = judge, 0.02
        counter = safety.windows["discord"] = Counter()
        job, other = await ask(r, OPEN), await ask(r, DIRECT, "a dog")
        assert await r.studio.showing(job, adult=False) == "withheld"
        assert await r.studio.showing(job, adult=True) == "spoiler", "adults may see what nobody knows"
        assert await r.studio.showing(other, adult=False) == "spoiler"
        assert await r.studio.showing(job, adult=False) == "withheld"
        case = await safety.case(job.id)
        assert case is not None
        assert case.reason == "unchecked"
        assert "away" in safety.down
        (part,) = [part for part in await r.studio.health.parts() if part.name == "safety"]
        assert (part.state, part.ready) == ("poor", True)
        await until(lambda: counter.alarms == [True])
        with pytest.raises(Refused, match="already"):
            await safety.appeal(ANN, job.id)
        judge.away = False
        await until(lambda: counter.redrawn == [job.id])
        assert await r.studio.showing(job, adult=False) == "here"
        assert safety.down == ""
        assert counter.alarms == [True, False]


async def test_X15_a_picture_that_is_lost_keeps_no_other_from_being_checked(tmp_path: Path):
    judge = Judge()
    async with rig(tmp_path, sections=ON, classifier=judge) as r:
        safety = r.studio.safety
        counter = safety.windows["discord"] = Counter()
        lost = await ask(r, OPEN)
        assert isinstance(lost.status, Done)
        (await r.studio.picture(ANN, lost.status.images[0])).unlink()
        judge.name = "another classifier"
        assert await r.studio.showing(lost, adult=False) == "withheld"
        assert safety.down == ""
        other = await ask(r, OPEN, "a dog")
        assert await r.studio.showing(other, adult=False) == "here"
        assert (counter.alarms, await r.studio._store.cases.unchecked()) == ([], [])


async def test_X15_a_picture_on_which_the_checker_breaks_is_unsafe_in_the_end_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(realbot.safety, "LONGEST", 0.02)
    judge = Judge(0.1)
    async with rig(tmp_path, sections=ON, classifier=judge) as r:
        safety = r.studio.safety
        safety._first = 0.01
        counter = safety.windows["discord"] = Counter()
        judge.breaks = True
        job = await ask(r, OPEN)
        assert isinstance(job.status, Done)
        judge.poison = (await r.studio._store.picture(job.status.images[0])).read_bytes()
        dog = await ask(r, OPEN, "a dog")
        judge.breaks = False
        await until(lambda: counter.redrawn == [dog.id])
        tries = judge.tries
        await until(lambda: judge.tries > tries + 5)
        assert [await _reason(r, one) for one in (job, dog)] == ["unchecked", None], "once says nothing"
        bird = await ask(r, OPEN, "a bird")
        assert await r.studio.showing(bird, adult=False) == "here"
        await until(lambda: counter.redrawn == [dog.id, job.id])
        assert await _reason(r, job) == "unsafe"
        assert counter.alarms == [True, False], "moderators are not told at every try"
        await until(lambda: len(safety._loops) == 1)


async def test_X15_a_checker_that_breaks_on_every_picture_makes_none_unsafe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(realbot.safety, "LONGEST", 0.02)
    judge = Judge(0.1, breaks=True)
    async with rig(tmp_path, sections=ON, classifier=judge) as r:
        safety = r.studio.safety
        safety._first = 0.01
        counter = safety.windows["discord"] = Counter()
        jobs = [await ask(r, OPEN, prompt) for prompt in ("a cat", "a dog", "a bird")]
        await until(lambda: judge.tries > 5 * realbot.safety.TRIES)
        assert [await _reason(r, job) for job in jobs] == ["unchecked"] * 3
        assert counter.alarms == [True]
        judge.breaks = False
        await until(lambda: sorted(counter.redrawn) == sorted(job.id for job in jobs))
        assert [await r.studio.showing(job, adult=False) for job in jobs] == ["here"] * 3
        assert counter.alarms == [True, False]


async def _reason(r: Rig, job: Job) -> str | None:
    case = await r.studio.safety.case(job.id)
    return None if case is None else case.reason


async def test_X15_a_database_that_cannot_be_read_for_a_while_does_not_end_the_checking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    judge = Judge(away=True)
    async with rig(tmp_path, sections=ON) as r:
        safety = r.studio.safety
        safety.classifier, safety._first = judge, 0.01
        counter, asked = Counter(), []
        safety.windows["discord"] = counter

        async def unreadable() -> list[str]:
            asked.append(judge)
            raise ConfigError("the data folder cannot be read", key="paths.data")

        with monkeypatch.context() as patched:
            patched.setattr(r.studio._store.cases, "unchecked", unreadable)
            job = await ask(r, OPEN)
            judge.away = False
            await until(lambda: len(asked) == 2)
        await until(lambda: counter.redrawn == [job.id])
        assert await r.studio.showing(job, adult=False) == "here"
        await until(lambda: len(safety._loops) == 1)


@pytest.mark.parametrize("where", ["checker", "database", "decision"])
async def test_X15_a_fault_that_nobody_expects_ends_no_job_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    judge, fault = Judge(), RuntimeError("out of the blue")
    async with rig(tmp_path, sections=ON, classifier=judge) as r:
        safety = r.studio.safety
        safety._first = 0.01
        counter = safety.windows["discord"] = Counter()

        async def fails(*_: object, **__: object) -> None:
            raise fault

        with monkeypatch.context() as patched:
            if where == "checker":
                judge.fault = fault
            elif where == "database":
                patched.setattr(r.studio._store.cases, "scores", fails)
            else:
                patched.setattr(safety, "judge", fails)
            job = await ask(r, OPEN)
            assert isinstance(job.status, Done)
            assert r.studio._endings.tickets == {}, "its person's place is free again"
            if where != "decision":
                assert await r.studio.showing(job, adult=False) == "withheld"
                await until(lambda: counter.alarms == [True])
        judge.fault = None
        if where != "decision":
            await until(lambda: counter.redrawn == [job.id])
        assert await r.studio.showing(job, adult=False) == "here"


async def test_X15_a_disk_that_takes_nothing_while_a_picture_is_looked_at_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with rig(tmp_path, sections=ON, classifier=Judge()) as r:
        cases, tries = r.studio._store.cases, []
        scores = cases.scores

        async def unreadable(*given: Any) -> Any:
            tries.append(given)
            if len(tries) < 3:
                raise ConfigError("the data folder cannot be read", key="paths.data")
            return await scores(*given)

        monkeypatch.setattr(cases, "scores", unreadable)
        assert await r.studio.showing(await ask(r, OPEN), adult=False) == "here"


async def test_X15_a_restart_checks_what_was_not_checked(tmp_path: Path):
    async with rig(tmp_path, sections=ON) as r:
        r.studio.safety.classifier = Judge(away=True)
        job = await ask(r, OPEN)
        assert await r.studio.showing(job, adult=False) == "withheld"
        assert (await r.studio._store.usage(ANN, 0.0)).today == 1, "it is on its way"
    async with rig(tmp_path, sections=ON, classifier=Judge(0.9)) as r:
        counter = r.studio.safety.windows["discord"] = Counter()
        async with asyncio.timeout(10):
            while counter.redrawn != [job.id]:
                await asyncio.sleep(0.02)
        case = await r.studio.safety.case(job.id)
        assert case is not None
        assert case.reason == "unsafe"
        assert (await r.studio._store.usage(ANN, 0.0)).today == 0


@pytest.mark.parametrize("then", ["off", "off there"])
async def test_X15_what_was_not_checked_is_shown_once_nothing_is_checked_any_more(tmp_path: Path, then: str):
    async with rig(tmp_path, sections=ON) as r:
        r.studio.safety.classifier = Judge(away=True)
        job = await ask(r, OPEN)
        assert await _reason(r, job) == "unchecked"
    there = {**ON, "override": {"discord:1": {"safety": {"checker": "off"}}}}
    broken = Judge(breaks=True)
    given = {} if then == "off" else {"sections": there, "classifier": broken}
    async with rig(tmp_path, **given) as r:
        counter = r.studio.safety.windows["discord"] = Counter()
        await until(lambda: counter.redrawn == [job.id])
        assert await _reason(r, job) is None
        assert await r.studio.showing(r.studio.job(ANN, job.id), adult=False) == "here"
        assert isinstance(job.status, Done)
        assert (await r.studio.picture(ANN, job.status.images[0])).is_file()
        await until(lambda: len(r.studio.safety._loops) == 1)
        assert broken.tries == 0


async def test_X15_a_checker_that_cannot_be_loaded_stops_the_start(tmp_path: Path):
    with pytest.raises(ConfigError, match="away"):
        async with rig(tmp_path, sections=ON, classifier=Judge(away=True)):
            pass
