"""What becomes of pictures by what they show: places, scores, rules, channels that change, a classifier that fails."""

from __future__ import annotations

import asyncio
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import realbot.safety
from judges import ADULT, ANN, BOB, DIRECT, MOD, ON, OPEN, Counter, Judge, ask
from realbot.classifier import Classifier
from realbot.errors import Blocked, NotYours, QueueFull, Refused
from realbot.jobs import Done, Generate, Origin, Upscale, User
from realbot.rulebook import Safety
from realbot.store import Store
from realbot.veil import kind, released, veil, veils
from studios import rig, until

PLACES = {"open": OPEN, "adult": ADULT, "private": DIRECT}
#: Scores of a harmless, a suspect and an unsafe picture by the usual thresholds.
SCORES = {"harmless": 0.1, "suspect": 0.6, "unsafe": 0.95}


def usual(score: float, here: str) -> str:
    """What the documentation says of the usual settings."""
    level = "unsafe" if score >= 0.8 else "suspect" if score >= 0.5 else "harmless"
    return {
        ("open", "suspect"): "spoiler",
        ("open", "unsafe"): "withheld",
        ("adult", "unsafe"): "spoiler",
        ("private", "unsafe"): "spoiler",
    }.get((here, level), "here")


@pytest.mark.parametrize(
    ("asked", "shown", "level"), list(itertools.product(PLACES, ["then", "opened", "closed"], SCORES))
)
async def test_X14_the_matrix_of_places_scores_and_channels_that_change(
    tmp_path: Path, asked: str, shown: str, level: str
):
    """What is decided when it is shown is what holds in the place as it is then."""
    score = SCORES[level]
    async with rig(tmp_path, sections=ON, classifier=Judge(score)) as r:
        job = await ask(r, PLACES[asked])
        adult = {"then": asked == "adult", "opened": False, "closed": True}[shown]
        found = await r.studio.showing(job, adult=adult)
        now = "private" if asked == "private" else "adult" if adult else "open"
        expected = usual(score, now)
        if asked == "adult" and now == "open" and expected == "withheld":
            expected = "directly"
        assert found == expected
        case = await r.studio.safety.case(job.id)
        assert (case is not None and case.open) == (expected == "withheld")


@pytest.mark.parametrize("policy", ["pass", "spoiler", "withhold"])
@pytest.mark.parametrize("here", ["open", "adult", "private"])
@pytest.mark.parametrize("level", ["suspect", "unsafe"])
async def test_each_rule_holds_for_its_own_kind_of_place(tmp_path: Path, policy: str, here: str, level: str):
    key = {"open": "", "adult": "adult_", "private": "private_"}[here] + f"{level}s"
    sections = {"safety": {"checker": "judge", key: policy}}
    async with rig(tmp_path, sections=sections, classifier=Judge(SCORES[level])) as r:
        job = await ask(r, PLACES[here])
        shown = {"pass": "here", "spoiler": "spoiler", "withhold": "withheld"}[policy]
        assert await r.studio.showing(job, adult=PLACES[here].adult) == shown


def test_who_sees_what_is_shown_in_a_place():
    assert kind(OPEN) == "open"
    assert kind(ADULT) == "adult"
    assert kind(ADULT, adult=False) == "open"
    assert kind(DIRECT) == kind(None) == kind(Origin("discord", "10", server="1", private=True)) == "private"
    assert kind(Origin("discord", "55", shared=True)) == "open", "several people in a direct chat"


def test_what_nobody_knows_counts_as_unsafe_and_what_was_released_is_at_most_a_spoiler():
    rules = Safety()
    assert [veil(None, here, rules) for here in ("open", "adult", "private")] == ["withhold", "spoiler", "spoiler"]
    assert released(0.99, "open", rules) == released(None, "open", rules) == "spoiler"
    assert released(0.1, "open", rules) == "pass"


def test_previews_are_shown_only_where_nothing_can_be_veiled():
    rules = Safety(suspects="pass", unsafes="pass")
    assert not veils("open", rules)
    assert veils("adult", rules)
    assert veils("private", rules)


async def test_no_preview_is_asked_for_where_a_picture_could_be_veiled(tmp_path: Path):
    sections = {"safety": {"checker": "judge", "adult_suspects": "pass", "adult_unsafes": "pass"}}
    async with rig(tmp_path, sections=sections, classifier=Judge()) as r:
        await ask(r, OPEN, "one")
        await ask(r, ADULT, "two")
        assert [work.preview for work in r.pool.works] == [False, True]


async def test_a_place_that_the_settings_leave_out_is_not_checked(tmp_path: Path):
    sections = {**ON, "override": {"discord:1": {"safety": {"checker": "off"}}}}
    async with rig(tmp_path, sections=sections, classifier=Judge(1.0)) as r:
        assert await r.studio.showing(await ask(r, OPEN), adult=False) == "here"
        elsewhere = Origin("discord", "20", server="2")
        assert await r.studio.showing(await ask(r, elsewhere), adult=False) == "withheld"


async def test_administrators_make_it_stricter_and_never_looser(tmp_path: Path):
    async with rig(tmp_path, sections=ON, classifier=Judge(0.6)) as r:
        job = await ask(r, OPEN)
        assert await r.studio.showing(job, adult=False) == "spoiler"
        await r.studio.rule("discord:10", MOD, safety={"suspects": "withhold"})
        assert await r.studio.showing(job, adult=False) == "withheld"
        await r.studio.rule("discord:10", MOD, safety={"suspects": None, "unsafe": 0.55})
        assert await r.studio.showing(job, adult=False) == "withheld"
        for looser in ({"suspects": "pass"}, {"unsafe": 0.9}, {"checker": "off"}, {"private_unsafes": "withhold"}):
            with pytest.raises(Refused):
                await r.studio.rule("discord:10", MOD, safety=looser)


async def test_the_settings_can_be_others_for_a_role(tmp_path: Path):
    sections = {**ON, "override": {"discord:role:5": {"safety": {"suspects": "pass"}}}}
    async with rig(tmp_path, sections=sections, classifier=Judge(0.6)) as r:
        trusted = User("discord", "9", "Cid", frozenset({"5"}))
        assert await r.studio.showing(await ask(r, OPEN, user=trusted), adult=False) == "here"
        assert await r.studio.showing(await ask(r, OPEN), adult=False) == "spoiler"


async def test_the_offline_classifier_looks_at_what_is_painted_and_at_what_is_brought(tmp_path: Path):
    from test_classifier import png

    sections = {"safety": {"checker": "opennsfw"}}
    async with rig(tmp_path, sections=sections, classifier=Classifier("opennsfw")) as r:
        image = await r.studio.upload(ANN, png("blue"))
        job = await ask(r, OPEN, source=image, strength=0.5)
        assert await r.studio.showing(job, adult=False) == "here"
        assert isinstance(job.status, Done)
        images = (image, *job.status.images)
        scores = await r.store.cases.scores(images, r.studio.safety.classifier.name)
        assert set(scores) == set(images)
        assert max(scores.values()) < 0.5


async def test_without_a_checker_nothing_is_looked_at(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await ask(r, OPEN)
        assert await r.studio.showing(job, adult=False) == "here"
        assert await r.studio.safety.veil(job.id, job.status.images) == "pass"


@pytest.mark.parametrize(("first", "then"), list(itertools.product(PLACES, PLACES)))
@pytest.mark.parametrize("level", SCORES)
async def test_X16_a_picture_that_is_known_is_judged_by_the_place_that_asks(
    tmp_path: Path, first: str, then: str, level: str
):
    sections = {**ON, "cache": {"scope": "user"}}
    async with rig(tmp_path, sections=sections, classifier=Judge(SCORES[level])) as r:
        await ask(r, PLACES[first])
        job = await ask(r, PLACES[then])
        assert await r.studio.showing(job, adult=PLACES[then].adult) == usual(SCORES[level], then)
        if first == then:
            assert isinstance(job.status, Done)
            assert job.status.cached
            assert len(r.studio.safety.classifier.seen) == 1, "the score belongs to the picture"


async def test_what_is_withheld_is_hidden_from_its_owner_and_costs_nothing(tmp_path: Path):
    sections = {**ON, "limits": {"per_day": 2}}
    async with rig(tmp_path, sections=sections, classifier=Judge(0.95)) as r:
        job = await ask(r, OPEN)
        assert isinstance(job.status, Done)
        (image,) = job.status.images
        for verb in (r.studio.picture, r.studio.source):
            with pytest.raises(Blocked, match="withheld"):
                await verb(ANN, image)
        with pytest.raises(NotYours):
            await r.studio.picture(BOB, image)
        assert (await r.studio._store.usage(ANN, 0.0)).today == 0
        with pytest.raises(Blocked):
            await r.studio.submit(ANN, Upscale(source=image), DIRECT)
        with pytest.raises(Blocked):
            await r.studio.vary(ANN, job.id, 0, "subtle")
        (entry,) = await r.studio.history(ANN)
        assert await r.studio.safety.veil(entry.id, entry.images) == "withhold"
        await ask(r, DIRECT, "a cat")
        assert (await r.studio.picture(ANN, image)).is_file(), "in private it is shown behind a spoiler"


async def test_an_export_leaves_out_what_is_withheld_and_says_so(tmp_path: Path):
    judge = Judge(0.95)
    async with rig(tmp_path, sections=ON, classifier=judge) as r:
        closed = await ask(r, OPEN)
        judge.level = 0.0
        plain = await ask(r, OPEN, "a dog")
        path = await r.studio.export(ANN)
        with zipfile.ZipFile(path) as archive:
            told = json.loads(archive.read("realbot.json"))
            files = [name for name in archive.namelist() if name.startswith("pictures/")]
        assert isinstance(plain.status, Done)
        assert files == [f"pictures/{plain.status.images[0]}.png"]
        assert [row["job"] for row in told["withheld"]] == [closed.id]
        assert told["withheld"][0]["reason"] == "unsafe"
        path.unlink()


async def test_an_appeal_is_made_once_and_its_decision_can_be_taken_back(tmp_path: Path):
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95)) as r:
        job = await ask(r, OPEN)
        safety, counter = r.studio.safety, Counter()
        with pytest.raises(Refused, match="nobody"):
            await safety.appeal(ANN, job.id)
        safety.windows["discord"] = counter
        with pytest.raises(NotYours):
            await safety.appeal(BOB, job.id)
        await safety.appeal(ANN, job.id)
        await until(lambda: counter.asked == [job.id])
        with pytest.raises(Refused, match="already"):
            await safety.appeal(ANN, job.id)
        assert [one.id for one in await safety.pending("discord")] == [job.id]
        assert (await safety.decide(MOD, job.id, release=True)).decision == "released"
        await until(lambda: counter.redrawn == [job.id])
        assert await r.studio.showing(job, adult=False) == "spoiler"
        assert isinstance(job.status, Done)
        assert (await r.studio.picture(ANN, job.status.images[0])).is_file()
        await safety.decide(MOD, job.id, release=True)
        assert (await safety.decide(MOD, job.id, release=False)).decision == "upheld"
        await until(lambda: counter.redrawn == [job.id, job.id])
        assert await r.studio.showing(job, adult=False) == "withheld"
        assert await r.studio.showing(job, adult=True) == "withheld", "also where a channel's flag changed"
        with pytest.raises(Blocked):
            await r.studio.picture(ANN, job.status.images[0])
        noted = [(one.by, one.change) for one in await r.studio.audit("discord:1")]
        assert noted == [(MOD.key, {"upheld": job.id}), (MOD.key, {"released": job.id})]
        assert await safety.pending("discord") == []


async def test_a_question_is_taken_away_once_with_its_job_and_no_other_job_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95)) as r:
        safety = r.studio.safety
        counter = safety.windows["discord"] = Counter()
        jobs = [await ask(r, OPEN, prompt) for prompt in ("a cat", "a dog", "a bird")]
        theirs = [await ask(r, OPEN, prompt, user=BOB) for prompt in ("a cow", "a pig")]
        for job in (*jobs, *theirs):
            await safety.asked(job.id, "discord", "99", f"about {job.id}")
        looked, row = [], Store.row

        async def watched(store: Store, job_id: str, user: User | None = None) -> Any:
            looked.append(job_id)
            return await row(store, job_id, user)

        monkeypatch.setattr(Store, "row", watched)
        await r.studio.forget(ANN, jobs[0].id)
        await until(lambda: counter.retracted == [f"about {jobs[0].id}"])
        assert set(looked) == {jobs[0].id}
        await r.studio.erase(BOB)
        await until(lambda: len(counter.retracted) == 3)
        assert set(counter.retracted[1:]) == {f"about {job.id}" for job in theirs}
        assert set(looked) <= {jobs[0].id, *(job.id for job in theirs)}
        await safety.asked(theirs[0].id, "discord", "99", "too late")
        await until(lambda: counter.retracted[3:] == ["too late"])
        # One that is asked about while it is being deleted.
        async with safety.retracting(job_id=jobs[1].id):
            await safety.asked(jobs[1].id, "discord", "99", "meanwhile")
            await r.store.forget(ANN, jobs[1].id)
        await until(lambda: counter.retracted[4:] == [f"about {jobs[1].id}", "meanwhile"])
        assert set(safety._asked) == {jobs[2].id}


@pytest.mark.parametrize("window", ["none", "killed"])
async def test_P12_a_question_that_could_not_be_taken_away_is_at_the_next_start(tmp_path: Path, window: str):
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95)) as r:
        jobs = [await ask(r, OPEN, prompt) for prompt in ("a cat", "a dog")]
        for job in jobs:
            await r.studio.safety.asked(job.id, "discord", "99", f"about {job.id}")
        stays = await ask(r, OPEN, "a cow", user=BOB)
        await r.studio.safety.asked(stays.id, "telegram", "99", f"about {stays.id}")
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95)) as r:
        if window == "killed":
            hangs = r.studio.safety.windows["discord"] = Counter()
            hangs.retract = lambda *_: asyncio.Event().wait()  # type: ignore[method-assign, assignment, return-value]
        assert await r.studio.erase(ANN) == 2
        assert await r.studio.erase(BOB) == 1
    for left in (2, 0):
        async with rig(tmp_path, sections=ON, classifier=Judge(0.95)) as r:
            counter = r.studio.safety.windows["discord"] = Counter()
            assert len(await r.store.cases.stranded("discord")) == left
            await r.studio.safety.begin("discord")
            await until(lambda: len(counter.retracted) == left)  # noqa: B023
            assert left == 0 or set(counter.retracted) == {f"about {job.id}" for job in jobs}
            assert await r.store.cases.stranded("telegram") == [["telegram", "99", f"about {stays.id}"]]


async def test_a_restart_between_withholding_and_the_decision_changes_nothing(tmp_path: Path):
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95)) as r:
        job = await ask(r, OPEN)
        r.studio.safety.windows["discord"] = Counter()
        await r.studio.safety.appeal(ANN, job.id)
    async with rig(tmp_path, sections=ON, classifier=Judge(0.0)) as r:
        counter = Counter()
        r.studio.safety.windows["discord"] = counter
        again = r.studio.job(ANN, job.id)
        assert await r.studio.showing(again, adult=False) == "withheld"
        assert [one.id for one in await r.studio.safety.pending("discord")] == [job.id]
        await r.studio.safety.decide(MOD, job.id, release=True)
        assert await r.studio.showing(again, adult=False) == "spoiler"
        await until(lambda: counter.redrawn == [job.id])


async def test_a_picture_that_is_brought_is_checked_before_it_is_begun_with(tmp_path: Path):
    judge = Judge(0.95)
    async with rig(tmp_path, sections=ON, classifier=judge) as r:
        from test_classifier import png

        image = await r.studio.upload(ANN, png())
        for fields in ({"source": image, "strength": 0.5}, {"reference": image}):
            with pytest.raises(Blocked, match="begins with"):
                await ask(r, OPEN, "a cat", **fields)
        await ask(r, ADULT, "a cat", source=image, strength=0.5)
        judge.away = True
        second = await r.studio.upload(ANN, png("blue"))
        with pytest.raises(QueueFull, match="cannot be checked"):
            await ask(r, OPEN, "a cat", source=second, strength=0.5)
        with pytest.raises(QueueFull, match="cannot be checked"):
            await r.studio.submit(ANN, Generate(prompt="a cat", steps=2, source=second, strength=0.5), OPEN)
        assert r.studio._desk._drawn == {}, "nothing is kept in mind of what was refused"


async def test_P12_deleting_everything_deletes_scores_and_cases(tmp_path: Path):
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95)) as r:
        await ask(r, OPEN)
        await ask(r, OPEN, "a dog", user=BOB)
        await r.studio.safety.decide(ANN, (await ask(r, OPEN, "a cow", user=BOB)).id, release=True)

        async def count(sql: str) -> int:
            found = await r.store._writer.run(lambda db: db.execute_fetchall(sql), write=False)
            return int(next(iter(found))[0])

        assert await count("SELECT count(*) FROM checked") == 3
        await r.studio.erase(ANN)
        assert await count("SELECT count(*) FROM checked") == 2
        assert await count("SELECT count(*) FROM withheld") == 2
        assert await count("SELECT count(*) FROM withheld WHERE author <> ''") == 0
        await r.studio.erase(BOB)
        assert await count("SELECT count(*) FROM checked") == await count("SELECT count(*) FROM withheld") == 0


async def test_what_is_withheld_for_a_month_is_deleted(tmp_path: Path):
    now = [1_000_000.0]
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95), clock=lambda: now[0]) as r:
        job = await ask(r, OPEN)
        assert await r.store.row(job.id) is not None
    now[0] += 31 * 86_400
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95), clock=lambda: now[0]) as r:
        async with asyncio.timeout(10):
            while await r.store.row(job.id) is not None:
                await asyncio.sleep(0.02)


async def test_one_that_cannot_be_deleted_after_a_month_keeps_no_other_and_not_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    now = [1_000_000.0]
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95), clock=lambda: now[0]) as r:
        first, second = await ask(r, OPEN), await ask(r, OPEN, "a dog")
    now[0] += 31 * 86_400
    forget, stuck = Store.forget, True

    async def sticky(store: Store, user: User, job_id: str) -> None:
        if stuck and job_id == first.id:
            raise RuntimeError("out of the blue")
        await forget(store, user, job_id)

    monkeypatch.setattr(Store, "forget", sticky)
    monkeypatch.setattr(realbot.safety, "TIDY", 0.01)
    async with rig(tmp_path, sections=ON, classifier=Judge(0.95), clock=lambda: now[0]) as r:
        async with asyncio.timeout(10):
            while await r.store.row(second.id) is not None:
                await asyncio.sleep(0.02)
            assert await r.store.row(first.id) is not None
            stuck = False
            while await r.store.row(first.id) is not None:
                await asyncio.sleep(0.02)
