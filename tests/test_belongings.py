"""What belongs to a person: theirs alone to see, handed out whole, and gone without a trace when they say so."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from realbot.errors import Invalid, NotYours, OverQuota, Refused
from realbot.jobs import Cancelled, Done, Generate, Origin, StyleUse, User, Waiting
from realbot.preferences import Preferences
from studios import Rig, end, lora, rig, until

ANN, BOB = User("discord", "7000000000000000007", "Ann Canary"), User("discord", "8", "Bob")
#: The same number on another platform is another person.
TWIN = User("telegram", "7000000000000000007", "Twin")
ROOM = Origin("discord", "10", server="1")


async def ask(r: Rig, user: User = ANN, prompt: str = "a cat", origin: Origin = ROOM, **fields: Any):
    fields.setdefault("steps", 2)
    return await r.studio.submit(user, Generate(prompt=prompt, **fields), origin)


def traces(folder: Path, *needles: str) -> set[str]:
    """Which files below the folder hold one of the texts, in their bytes or their names."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes() + str(path.relative_to(folder)).encode()
            found |= {f"{path.relative_to(folder)}: {needle}" for needle in needles if needle.encode() in data}
    return found


async def lived(r: Rig, user: User, prompt: str) -> list[str]:
    """A person with everything that can be kept of one; the ids of their pictures."""
    done = await end(await ask(r, user, prompt, seed=5, count=2))
    assert isinstance(done, Done)
    job = (await r.studio.history(user))[0]
    await r.studio.place_card(job.id, "555", {"note": prompt})
    await r.studio.action("again", job.id, user, detail=prompt)
    await r.studio.action("erase", user=user, detail=prompt)
    await r.studio.prefer(user, negative=prompt, steps=9)
    await r.studio.favourite(user, job.id, True)
    await r.studio.pause("discord:1", user)
    await r.studio.resume("discord:1", user)
    return list(done.images)


# Deleting


async def test_P12_after_deleting_nothing_of_a_person_is_found_in_any_file(tmp_path: Path):
    async with rig(tmp_path) as r:
        mine = await lived(r, ANN, "canaryprompt of mine")
        theirs = await lived(r, BOB, "another prompt")
        await r.studio.export(ANN)
        failed = await ask(r, ANN, "canaryprompt cancelled", steps=100, origin=Origin("discord", "3"))
        await r.studio.cancel(ANN, failed.id)
        canaries = (ANN.id, "canaryprompt", "Ann Canary", *mine)
        assert traces(tmp_path / "data", *canaries)
        began = time.monotonic()
        assert await r.studio.erase(ANN) == 2
        assert time.monotonic() - began < 60
        assert traces(tmp_path, *canaries) == set()
        assert await r.studio.history(ANN) == []
        assert await r.studio.history(ANN, search="canaryprompt") == []
        assert await r.studio.preferences(ANN) == Preferences()
        assert r.studio.pending("discord") == [job for job in r.studio.pending("discord") if job.user == BOB]
        assert [change.by for change in await r.studio.audit("discord:1")] == [BOB.key] * 2 + [""] * 2
        # Nothing of anybody else's is touched.
        assert [entry.images for entry in await r.studio.history(BOB, favourites=True)] == [tuple(theirs)]
        assert (await r.studio.preferences(BOB)).steps == 9
        for image in theirs:
            assert await r.studio.picture(BOB, image)
        assert await r.studio.erase(ANN) == 0
    assert traces(tmp_path, *canaries) == set()


async def test_P12_P13_what_waits_or_is_painted_is_cancelled_and_thrown_away(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        painted, waits = await ask(r, prompt="canary 1"), await ask(r, prompt="canary 2")
        other = await ask(r, BOB, "another")
        await until(r.pool.working)
        assert await r.studio.erase(ANN) == 2
        assert painted.status == waits.status == Cancelled()
        await until(lambda: r.pool.working() and r.pool.working().job == other.id)
        r.pool.finish()
        assert isinstance(await end(other), Done)
        assert r.studio.waiting(ANN) == []
        assert traces(tmp_path, "canary") == set()


@pytest.mark.parametrize("verb", ["erase", "forget"])
async def test_P13_deleting_at_any_moment_of_a_picture_leaves_neither_row_nor_file(tmp_path: Path, verb: str):
    draw = random.Random(13)
    async with rig(tmp_path) as r:
        for n in range(60):
            job = await ask(r, prompt=f"canary {n}", steps=1)
            await asyncio.sleep(draw.uniform(0, 0.03))
            if verb == "erase":
                await r.studio.erase(ANN)
            else:
                await r.studio.forget(ANN, job.id)
            assert isinstance(await end(job), Cancelled | Done)
            assert await r.studio.history(ANN) == []
            assert not await r.studio.delivering(job.id)
        await until(lambda: r.studio.line() == (0, 0) and not r.pool.working())
        await asyncio.sleep(0.1)
        pictures = tmp_path / "data" / "pictures"
        assert [path for path in pictures.rglob("*") if path.is_file()] == []
        await r.studio.erase(ANN)
        assert traces(tmp_path, "canary") == set()


async def test_P13_what_is_being_delivered_when_it_is_deleted_is_not_shown(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await ask(r)
        done = await end(job)
        await r.studio.delivering(job.id)
        await r.studio.erase(ANN)
        with pytest.raises(NotYours):
            await r.studio.picture(ANN, done.images[0])
        await r.studio.delivered(job.id)
        await r.studio.kept(job.id, "late")
        assert await r.store.row(job.id) is None
        assert r.studio.pending("discord") == []


async def test_P15_deleting_is_no_way_around_the_limits(tmp_path: Path):
    now = 1_000_000.0
    async with rig(tmp_path, sections={"limits": {"per_day": 2}}, clock=lambda: now) as r:
        await end(await ask(r, count=2))
        await r.studio.erase(ANN)
        with pytest.raises(OverQuota):
            await ask(r, prompt="more")
        await ask(r, TWIN, "more")
        now += 86_401
        await end(await ask(r, prompt="more"))


async def test_a_picture_that_another_person_has_too_outlives_the_deletion(tmp_path: Path):
    async with rig(tmp_path, sections={"cache": {"scope": "server"}}) as r:
        first = await end(await ask(r, seed=1))
        again = await end(await ask(r, BOB, seed=1))
        assert again.cached
        await r.studio.erase(ANN)
        assert (await r.studio.picture(BOB, again.images[0])).exists()
        with pytest.raises(NotYours):
            await r.studio.picture(ANN, first.images[0])


# Handing out


async def test_P16_an_export_is_complete_and_holds_nobody_elses(tmp_path: Path):
    async with rig(tmp_path) as r:
        images = {user: await lived(r, user, f"prompt of {user.name}") for user in (ANN, BOB, TWIN)}
        await r.store.fail((await ask(r, steps=99)).id, "OutOfMemory", "too large")
        path = await r.studio.export(ANN)
        assert path.stat().st_mode & 0o777 == 0o600
        assert ANN.id not in path.name
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            told = json.loads(archive.read("realbot.json"))
            for image in images[ANN]:
                assert archive.read(f"pictures/{image}.png") == (await r.studio.picture(ANN, image)).read_bytes()
        assert names == {"realbot.json", *(f"pictures/{image}.png" for image in images[ANN])}
        assert told["user"] == ANN.key
        assert [job["state"] for job in told["jobs"]] == ["produced", "failed"]
        assert told["jobs"][0]["request"]["prompt"] == "prompt of Ann Canary"
        assert told["cards"][0]["message"] == "555"
        assert told["preferences"][0]["value"]["steps"] == 9
        assert {action["verb"] for action in told["actions"]} == {"again", "erase"}
        assert len(told["charges"]) == 2
        assert [entry["change"] for entry in told["audit"]] == [{"paused": True}, {"paused": False}]
        for other in ("Bob", "Twin", BOB.key, TWIN.key, *images[BOB], *images[TWIN]):
            assert other not in json.dumps(told)
        with zipfile.ZipFile(await r.studio.export(ANN, pictures=False)) as archive:
            assert archive.namelist() == ["realbot.json"]
        with zipfile.ZipFile(await r.studio.export(User("discord", "9"))) as archive:
            assert json.loads(archive.read("realbot.json"))["jobs"] == []


async def test_P16_an_export_that_nobody_took_is_deleted_after_an_hour(tmp_path: Path):
    async with rig(tmp_path) as r:
        old, fresh = await r.studio.export(ANN), await r.studio.export(ANN)
        os.utime(old, (time.time() - 3700,) * 2)
        await r.studio.export(BOB)
        assert not old.exists()
        assert fresh.exists()


# Two people, and one number on two platforms


async def everything(r: Rig, user: User) -> str:
    """All that the studio tells one person, as text."""
    told: list[Any] = [await r.studio.history(user, 1000), await r.studio.history(user, search="prompt")]
    told += [await r.studio.history(user, favourites=True), await r.studio.preferences(user)]
    told += [r.studio.waiting(user), r.studio.line(), await r.studio.stats("discord:1")]
    told.append(await r.studio.defaulted(user, Generate(prompt="x"), ROOM))
    told += [await r.studio.linked(user), r.studio.trained(user), r.studio.styles(ROOM, user)]
    told += [await r.studio.budget.purse(user, ROOM), r.studio.limits(user, ROOM), r.studio.settled(ROOM, user)]
    told.append(await r.studio.budget.quote(user, Generate(prompt="x", seed=1), ROOM))
    told += [await r.studio.history(user, 10, search=word) for word in ("mark", "annmark", "bobmark", "twinmark")]
    path = await r.studio.export(user)
    with zipfile.ZipFile(path) as archive:
        told += [archive.namelist(), archive.read("realbot.json").decode()]
    return repr(told)


async def test_P6_P8_two_people_never_see_each_other_in_anything_they_ask(tmp_path: Path):
    draw = random.Random(68)
    people = (ANN, BOB, TWIN)
    marks = {ANN: "annmark", BOB: "bobmark", TWIN: "twinmark"}
    jobs: dict[User, list[Any]] = {user: [] for user in people}
    images: dict[User, list[str]] = {user: [] for user in people}
    async with rig(tmp_path) as r:
        for n in range(40):
            user = draw.choice(people)
            others = [one for one in people if one != user]
            kind = draw.choice(("paint", "prefer", "card", "action", "look"))
            if kind == "paint":
                job = await ask(r, user, f"prompt {marks[user]} {n}", seed=draw.randrange(3))
                images[user] += (await end(job)).images
                jobs[user].append(job)
            elif kind == "prefer":
                await r.studio.prefer(user, negative=marks[user], steps=draw.randrange(1, 50))
            elif kind == "card" and jobs[user]:
                await r.studio.place_card(draw.choice(jobs[user]).id, str(n), {"mark": marks[user]})
            elif kind == "action" and jobs[user]:
                made = await r.studio.action("delete", draw.choice(jobs[user]).id, user, detail=marks[user])
                for other in others:
                    with pytest.raises(NotYours) as caught:
                        await r.studio.acted(made, other)
                    assert marks[user] not in str(caught.value)
            elif kind == "look":
                told = await everything(r, user)
                for other in others:
                    assert marks[other] not in told
                    assert not any(job.id in told for job in jobs[other])
                    assert not any(image in told for image in images[other])
                    for job in jobs[other]:
                        for verb in (
                            r.studio.entry(user, job.id),
                            r.studio.cancel(user, job.id),
                            r.studio.forget(user, job.id),
                            r.studio.favourite(user, job.id, True),
                        ):
                            with pytest.raises(NotYours) as caught:
                                await verb
                            assert marks[other] not in str(caught.value)
                    for image in images[other]:
                        with pytest.raises(Refused):
                            await r.studio.picture(user, image)
                        with pytest.raises(Refused):
                            await r.studio.source(user, image)
                    if images[other]:
                        # Whoever holds a picture learns that it is ours, not whose it is or what was asked for.
                        data = (await r.store.picture(images[other][-1])).read_bytes()
                        ours = await r.studio.finder.whose(user, data, ROOM)
                        assert ours is not None
                        assert ours.entry is None
        assert all(jobs.values())


async def test_P8_one_number_on_two_platforms_is_two_people(tmp_path: Path):
    async with rig(tmp_path, sections={"limits": {"per_day": 1}}) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        job = await ask(r, ANN, "mine", seed=1)
        await end(job)
        await r.studio.prefer(ANN, steps=9, styles=(StyleUse("ink"),))
        own = await r.studio.submit(TWIN, Generate(prompt="mine", seed=1, steps=2), Origin("telegram", "10"))
        assert not (await end(own)).cached
        assert await r.studio.preferences(TWIN) == Preferences()
        with pytest.raises(NotYours):
            await r.studio.entry(TWIN, job.id)
        assert await r.studio.erase(TWIN) == 1
        assert len(await r.studio.history(ANN)) == 1
        with pytest.raises(OverQuota):
            await ask(r, ANN, "more")


async def test_P7_styles_and_buttons_of_a_server_tell_nothing_of_another(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        lora(tmp_path / "styles" / "secret.safetensors", fill=2)
        r.styles.sweep()
        await r.studio.rule("discord:1", BOB, styles=["ink"])
        with pytest.raises(Invalid) as caught:
            await ask(r, styles=(StyleUse("secret"),))
        assert str(caught.value) == "The style secret is not allowed here; these are: ink."
        assert isinstance((await ask(r, styles=(StyleUse("ink"),))).status, Waiting)
