"""Training of styles: the set is checked, some may and only so much, and it gives way to pictures."""

from __future__ import annotations

import asyncio
import io
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter

from pools import InProcessPool
from pupils import BOSS, OPEN, OTHER, SERVER, brought, drawn, learnt, lesson, planned
from realbot import academy, training
from realbot.academy import Brought
from realbot.errors import Blocked, Invalid, NotYours, OverQuota
from realbot.jobs import Cancelled, Done, Failed, Job, Running, Train, User, Waiting
from realbot.rulebook import Training
from studios import ANNA, BERT, HERE, end, rig, until

# The set


async def test_the_set_is_checked_before_a_minute_is_spent(tmp_path: Path):
    soft = Image.open(io.BytesIO(drawn(1))).filter(ImageFilter.GaussianBlur(1))
    buffer = io.BytesIO()
    soft.save(buffer, "PNG")
    files = [
        *brought(),
        Brought("again.png", drawn(2)),
        Brought("tiny.png", drawn(7, (32, 32))),
        Brought("torn.png", drawn(8)[:400]),
        Brought("notes.txt", b"hello"),
        Brought("nearly.png", buffer.getvalue(), "a soft cat"),
        Brought("IMG_1234.png", drawn(9)),
    ]
    async with rig(tmp_path, sections=OPEN) as r:
        plan = await r.studio.plan(ANNA, HERE, "My Dots", "dotty", files, steps=40)
        assert plan.request.style == "my-dots"
        assert len(plan.request.images) == 7
        assert plan.request.captions == (*("a cat, dotty",) * 5, "a soft cat, dotty", "dotty")
        told = dict(plan.left_out)
        assert set(told) == {"again.png", "tiny.png", "torn.png", "notes.txt"}
        assert "a-cat-2.png" in told["again.png"]
        assert "64" in told["tiny.png"]
        assert plan.alike == (("a-cat-1.png", "nearly.png"),)
        assert plan.duration is None, "nothing was painted yet to go by"
        await r.paint("a cat")
        later = await r.studio.plan(ANNA, HERE, "dots", "dotty", files, steps=4000)
        sooner = await r.studio.plan(ANNA, HERE, "dots", "dotty", files, steps=100)
        assert later.duration is not None
        assert sooner.duration is not None
        assert later.duration.high > sooner.duration.high >= sooner.duration.low >= 1


@pytest.mark.parametrize(
    ("name", "count", "options", "said"),
    [
        ("dots", 3, {}, "3 pictures are left to learn from, and 4 are the least. Bring more of them."),
        ("nul", 5, {}, "needs a name"),
        ("dots", 5, {"rank": 999}, "rank cannot be 999"),
        ("dots", 101, {}, "101 pictures are too many to train on; choose the best 100."),
    ],
)
async def test_what_cannot_be_learnt_is_refused_in_one_sentence(
    tmp_path: Path, name: str, count: int, options: dict[str, Any], said: str
):
    async with rig(tmp_path, sections=OPEN) as r:
        with pytest.raises(Invalid) as refused:
            await r.studio.plan(ANNA, HERE, name, "dotty", brought(count), **options)
        assert said in str(refused.value)


async def test_looking_at_a_set_holds_nothing_else_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    threads = set()

    def look_of(data: bytes) -> int:
        threads.add(threading.get_ident())
        return training.look_of(data)

    monkeypatch.setattr(academy, "look_of", look_of)
    async with rig(tmp_path, sections=OPEN) as r:
        await r.studio.plan(ANNA, HERE, "dots", "dotty", brought())
    assert threads
    assert threading.get_ident() not in threads


async def test_words_that_are_blocked_are_blocked_in_captions_too(tmp_path: Path):
    async with rig(tmp_path, sections={**OPEN, "moderation": {"blocked": ["gore"]}}) as r:
        files = [*brought(), Brought("x.png", drawn(60), "much g o r e")]
        plan = await r.studio.plan(ANNA, HERE, "dots", "dotty", files, steps=6)
        with pytest.raises(Blocked):
            await r.studio.submit(ANNA, plan.request, HERE)
        assert r.pool.works == []


async def test_words_that_are_left_out_are_left_out_of_captions(tmp_path: Path):
    async with rig(tmp_path, sections={**OPEN, "moderation": {"stripped": ["8k"], "patterns": ["gor+e"]}}) as r:
        files = [*brought(), Brought("x.png", drawn(60), "a dot, 8k"), Brought("y.png", drawn(61), "8K")]
        plan = await r.studio.plan(ANNA, HERE, "dots", "dotty", files, steps=6)
        job = await r.studio.submit(ANNA, plan.request, HERE)
        assert isinstance(job.request, Train)
        assert len(job.request.captions) == len(job.request.images)
        assert all(job.request.captions) and "8" not in "".join(job.request.captions)
        for changes in ({"trigger": "8k dotty"}, {"captions": ("gorrre",) * len(plan.request.images)}):
            with pytest.raises(Blocked):
                await r.studio.submit(ANNA, replace(plan.request, style="others", **changes), HERE)


async def test_pictures_of_others_are_not_learnt_from(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN) as r:
        plan = await planned(r)
        with pytest.raises(NotYours):
            await r.studio.submit(BERT, plan.request, HERE)


# Who, how long, how many


async def test_whoever_runs_the_bot_and_the_place_say_who_may_train(tmp_path: Path):
    helper = User("web", "carla", "Carla", frozenset({"77"}))
    async with rig(tmp_path) as r:
        may = r.studio.may_train
        assert not may(ANNA, SERVER)
        with pytest.raises(Blocked):
            await planned(r)
        assert may(BOSS, SERVER)
        assert may(replace(ANNA, roles=frozenset({"owners"})), SERVER)
        assert not may(helper, SERVER)
        await r.studio.rule("web:1", BOSS, trainers=["77", "bert"])
        assert may(helper, SERVER)
        assert may(BERT, SERVER)
        assert not may(helper, OTHER)
    for roles, anna, boss in ((("owners",), False, False), (("web:anna",), True, True), ((), False, False)):
        async with rig(tmp_path, sections={"training": {"roles": roles}}) as r:
            assert (r.studio.may_train(ANNA, SERVER), r.studio.may_train(BOSS, SERVER)) == (anna, boss)
            assert not r.studio.may_train(helper, SERVER), "a place cannot allow what the bot does not"


async def test_a_place_can_only_be_stricter(tmp_path: Path):
    async with rig(tmp_path, sections={"training": {"roles": ("everyone",), "max_steps": 100}}) as r:
        await r.studio.rule("web:1", BOSS, training={"max_steps": 50})
        with pytest.raises(Invalid, match="looser"):
            await r.studio.rule("web:1", BOSS, training={"max_steps": 500})
        with pytest.raises(Invalid, match="steps must be a whole number from 1 to 50"):
            await lesson(r, origin=SERVER, steps=60)
        assert await lesson(r, origin=HERE, steps=60)


async def test_Q3_no_more_trainings_than_allowed_however_they_are_asked(tmp_path: Path):
    rules = {"training": {"roles": ("everyone",), "per_day": 2, "per_person": 5}}
    async with rig(tmp_path, sections=rules, hand=True) as r:
        plans = [await planned(r, name=f"dots{n}") for n in range(5)]
        tries = [r.studio.submit(ANNA, plan.request, HERE) for plan in plans]
        done = await asyncio.gather(*tries, return_exceptions=True)
        taken = [job for job in done if isinstance(job, Job)]
        assert len(taken) == 2
        assert all(isinstance(one, Job | OverQuota) for one in done)
        # One that is given up does not count.
        assert await r.studio.cancel(ANNA, taken[1].id)
        await lesson(r, name="dots7")


async def test_no_more_styles_than_allowed_are_kept(tmp_path: Path):
    rules = {"training": {"roles": ("everyone",), "per_day": 0, "per_person": 1}}
    async with rig(tmp_path, sections=rules) as r:
        await learnt(r)
        with pytest.raises(OverQuota, match="You have 1 trained styles"):
            await lesson(r, name="more")
        await r.studio.discard(ANNA, "dots")
        await learnt(r, name="more")


async def test_a_name_belongs_to_one_training(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN, hand=True) as r:
        first, plan = await planned(r), await planned(r, BERT)
        tries = [r.studio.submit(ANNA, first.request, HERE), r.studio.submit(BERT, plan.request, HERE)]
        one, other = await asyncio.gather(*tries, return_exceptions=True)
        won, lost = (one, other) if isinstance(one, Job) else (other, one)
        assert isinstance(won, Job)
        assert str(lost) == "There is a style dots already; take another name."
        await r.studio.cancel(won.user, won.id)
        assert await r.studio.submit(BERT, plan.request, HERE), "a name that was given up is free"


# The line


async def test_a_training_waits_for_every_picture_and_gives_way_to_them(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN, hand=True) as r:
        first = await r.ask("first")
        training = await lesson(r)
        second = await r.ask("second", BERT)
        assert isinstance(second.status, Waiting)
        assert second.status.position == 1, "a picture that was asked for later goes first"
        await until(lambda: isinstance(training.status, Waiting) and training.status.position == 2)
        for job in (first, second):
            await until(lambda job=job: r.pool.working() and r.pool.working().job == job.id)
            r.pool.finish()
            await end(job)
        await until(lambda: r.pool.working() and r.pool.working().job == training.id)
        r.pool.step(3)
        await until(lambda: isinstance(training.status, Running) and training.status.step == 3)
        assert training.status.numbers == {
            "loss": 1 / 3,
            "smoothed": 1 / 3,
            "validation": 1 / 3,
            "rate": 1e-3,
            "speed": 8,
        }
        assert training.status.eta is not None
        third = await r.ask("third", BERT)
        await until(lambda: r.pool.working() and r.pool.working().job == third.id)
        await until(lambda: isinstance(training.status, Waiting))
        r.pool.finish()
        assert isinstance(await end(third), Done)
        await until(lambda: r.pool.working() and r.pool.working().job == training.id)
        assert r.pool.works[-1].key.attempt == 2
        assert r.pool.works[-1].folder == r.pool.works[-3].folder
        assert Path(r.pool.works[-1].folder).is_relative_to(tmp_path)
        r.pool.finish()
        assert isinstance(await end(training), Done)


async def test_a_training_takes_nobodys_arrival_time(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN, hand=True) as r:
        for n in range(5):
            job = await r.ask(f"{n}")
            await until(r.pool.working)
            r.pool.finish(seconds=2.0)
            await end(job)
        training = await lesson(r)
        await until(r.pool.working)
        await r.studio.pause(None, BOSS)
        picture = await r.ask("a cat")
        assert picture.status == Waiting(1, paused=True)
        await r.studio.resume(None, BOSS)
        await until(lambda: isinstance(training.status, Waiting))
        assert isinstance(picture.status, Waiting | Running)
        await until(lambda: picture.status.eta is not None)
        assert picture.status.eta.high < 10


async def test_many_interruptions_lose_nothing_and_starve_nobody(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN, pace=0.003) as r:
        trainings = [await lesson(r, user, f"dots{n}", steps=20) for n, user in enumerate((ANNA, BERT, ANNA))]
        draw, pictures = random.Random(4), []
        for n in range(40):
            pictures.append(await r.ask(f"picture {n}", draw.choice((ANNA, BERT))))
            await asyncio.sleep(draw.random() * 0.03)
        assert all([isinstance(await end(job), Done) for job in pictures])
        assert all([isinstance(await end(job), Done) for job in trainings])
        assert len(set(r.pool.keys)) == len(r.pool.keys)
        assert [one.name for one in r.studio.trained(ANNA)] == ["dots0", "dots2"]


async def test_a_training_survives_the_bot_and_its_engine(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN, hand=True) as r:
        training = await lesson(r)
        await until(r.pool.working)
        r.pool.step(2)
        r.pool.crash()
        await until(lambda: len(r.pool.works) == 2)
    async with rig(tmp_path, sections=OPEN, pool=InProcessPool(tmp_path / "spool")) as r:
        with pytest.raises(Invalid):
            await lesson(r, BERT)
        (job,) = r.studio.pending("web")
        assert job.id == training.id
        assert isinstance(await end(job), Done)
        assert r.pool.works[0].key.attempt == 3
        assert [one.name for one in r.studio.trained(ANNA)] == ["dots"]
    # What is left of trainings that nobody goes on with is deleted at the start.
    school = tmp_path / "data" / "school"
    (school / "gone").mkdir(parents=True)
    (school / training.id).mkdir(exist_ok=True)
    async with rig(tmp_path, sections=OPEN) as r:
        assert [path.name for path in school.iterdir()] == [training.id]


async def test_cancelling_ends_it_for_good(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN, hand=True) as r:
        training = await lesson(r)
        await until(r.pool.working)
        folder = Path(r.pool.works[0].folder)
        folder.mkdir(parents=True)
        (folder / "checkpoint.safetensors").touch()
        assert await r.studio.cancel(ANNA, training.id)
        assert training.status == Cancelled()
        await until(lambda: not folder.exists())
        assert r.studio.trained(ANNA) == []
        assert r.styles.all() == []
        await r.ask("a cat")
        await until(r.pool.working)


async def test_a_style_that_is_not_what_the_engine_wrote_is_learnt_anew_once(tmp_path: Path):
    async with rig(tmp_path, sections=OPEN, hand=True) as r:
        training = await lesson(r)
        for attempt in (1, 2):
            await until(lambda attempt=attempt: r.pool.works[-1:] and r.pool.works[-1].key.attempt == attempt)
            await until(r.pool.working)
            r.pool.finish(spoil=True)
        assert isinstance(await end(training), Failed)
        assert r.studio.trained(ANNA) == []


async def test_at_night_only(tmp_path: Path):
    noon = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))
    now = [noon]
    rules = {"training": {"roles": ("everyone",), "hours": "22-6"}}
    async with rig(tmp_path, sections=rules, hand=True, clock=lambda: now[0]) as r:
        training = await lesson(r)
        await until(lambda: isinstance(training.status, Waiting) and training.status.until is not None)
        assert training.status.until == noon + 10 * 3600
        picture = await r.ask("a cat")
        await until(r.pool.working)
        r.pool.finish()
        await end(picture)
        assert r.pool.working() is None
        now[0] = noon + 10 * 3600 + 1
        r.studio._dispatcher.feed()
        await until(r.pool.working)
        r.pool.step(1)
        await until(lambda: isinstance(training.status, Running))
        now[0] = noon + 18 * 3600 + 1
        r.pool.step(2)
        await until(lambda: r.pool.working() is None)
        await until(lambda: isinstance(training.status, Waiting))


@pytest.mark.parametrize(
    ("hours", "at", "waits"),
    [
        ("", 12, 0),
        ("22-6", 23, 0),
        ("22-6", 5.5, 0),
        ("22-6", 6, 16),
        ("9-17", 8, 1),
        ("9-17", 17, 16),
        ("0-24", 13, 0),
    ],
)
def test_hours_of_the_day(hours: str, at: float, waits: float):
    now = time.mktime((2026, 3, 4, int(at), int(at % 1 * 60), 0, 0, 0, -1))
    rules = Training(hours=hours)
    assert rules.opens(now) == now + waits * 3600
    assert rules.open(now) == (waits == 0)
