"""Linked accounts: one person with one history, one set of defaults and one quota; and strangers before and after."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from linked import ANN, BOB, EVE, NOW, TWIN, ask, link, paint
from realbot.errors import NotYours, OverQuota, QueueFull, Refused, TooSoon
from realbot.inbox import Parcel
from realbot.jobs import Cancelled, Done, Generate, Job, StyleUse, User
from realbot.preferences import Preferences
from studios import Rig, end, lora, rig, until


async def exported(r: Rig, user: User) -> dict[str, Any]:
    path = await r.studio.export(user)
    with zipfile.ZipFile(path) as archive:
        return {**json.loads(archive.read("realbot.json")), "names": archive.namelist()}


# One person


async def test_a_picture_made_on_one_platform_is_there_on_the_other_with_everything_about_it(tmp_path: Path):
    async with rig(tmp_path) as r:
        job, done = await paint(r, ANN, "a red apple", seed=1)
        await link(r, ANN, TWIN)
        for search in ("", "apple"):
            assert [entry.id for entry in await r.studio.history(TWIN, search=search)] == [job.id]
        entry = await r.studio.entry(TWIN, job.id)
        assert entry.owner == ANN.key
        assert r.studio.owns(TWIN, entry.owner)
        assert not r.studio.owns(BOB, entry.owner)
        assert r.studio.job(TWIN, job.id) is job
        assert (await r.studio.picture(TWIN, done.images[0])).exists()
        await r.studio.favourite(TWIN, job.id, True)
        assert [entry.id for entry in await r.studio.history(ANN, favourites=True)] == [job.id]
        button = await r.studio.action("delete", job.id, ANN)
        assert (await r.studio.acted(button, TWIN)).job_id == job.id
        with pytest.raises(NotYours):
            await r.studio.acted(button, BOB)
        assert (await r.studio.vary(TWIN, job.id, 0, "subtle")).source == done.images[0]
        await end(await ask(r, TWIN, "from it", source=done.images[0]))
        brought = await r.studio.upload(ANN, (await r.studio.picture(ANN, done.images[0])).read_bytes())
        await end(await ask(r, TWIN, "from what was brought", source=brought))
        # Each is shown where it was asked for.
        assert {one.id for one in r.studio.pending("discord")} == {job.id}
        assert len(r.studio.pending("telegram")) == 2
        await r.studio.forget(TWIN, job.id)
        with pytest.raises(NotYours):
            await r.studio.entry(ANN, job.id)


async def test_the_same_question_is_answered_from_before_with_any_of_the_accounts(tmp_path: Path):
    async with rig(tmp_path) as r:
        _, first = await paint(r, ANN, "a cat")
        assert not (await paint(r, TWIN, "a cat"))[1].cached
        await link(r, EVE, ANN)
        _, again = await paint(r, EVE, "a cat")
        assert again.cached
        assert (again.images, again.seed) == (first.images, first.seed)
        assert (await paint(r, EVE, "a cat", seed=first.seed))[1].cached
        await r.studio.unlink(ANN)
        _, own = await paint(r, EVE, "a dog")
        assert not (await paint(r, ANN, "a dog"))[1].cached
        assert not own.cached


async def test_linked_accounts_that_ask_the_same_at_once_share_a_picture_until_they_part(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        await link(r, ANN, TWIN)
        for part in (False, True):
            mine, theirs = await ask(r, ANN, f"a cat {part}"), await ask(r, TWIN, f"a cat {part}")
            assert mine.request == theirs.request
            if part:
                await r.studio.unlink(TWIN)
            await until(r.pool.working)
            r.pool.finish()
            assert isinstance(await end(mine), Done)
            if part:
                await until(r.pool.working)
                r.pool.finish()
            assert (await end(theirs)).cached != part


async def test_what_waits_is_one_persons_and_can_be_cancelled_with_any_account(tmp_path: Path):
    limits = {"limits": {"waiting_per_user": 2}, "queue": {"order": "round_robin"}}
    async with rig(tmp_path, hand=True, sections=limits) as r:
        mine = await ask(r, ANN, "one")
        await link(r, ANN, TWIN)
        theirs = await ask(r, TWIN, "two")
        assert r.studio.waiting(ANN) == r.studio.waiting(TWIN) == [mine, theirs]
        for user in (ANN, TWIN):
            with pytest.raises(QueueFull, match="2 of your requests"):
                await ask(r, user, "three")
        assert await r.studio.cancel(ANN, theirs.id)
        with pytest.raises(NotYours):
            await r.studio.cancel(BOB, mine.id)
        assert r.studio.waiting(TWIN) == [mine]
        await r.studio.unlink(ANN)
        assert r.studio.waiting(TWIN) == []
        assert r.studio.waiting(ANN) == [mine]
        with pytest.raises(NotYours):
            await r.studio.cancel(TWIN, mine.id)


async def test_in_turn_means_a_turn_for_each_person_not_for_each_account(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"queue": {"order": "round_robin"}}) as r:
        await link(r, ANN, TWIN)
        await ask(r, EVE, "painted first")
        await until(r.pool.working)
        for user, prompt in ((ANN, "ann 1"), (TWIN, "ann 2"), (ANN, "ann 3"), (BOB, "bob 1")):
            await ask(r, user, prompt)
        for n in range(5):
            await until(lambda n=n: len(r.pool.works) > n)
            r.pool.finish()
        order = [work.request["prompt"] for work in r.pool.works]
        assert order == ["painted first", "ann 1", "bob 1", "ann 2", "ann 3"]


async def test_defaults_are_those_of_whoever_made_the_code_and_stay_when_they_part(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        await r.studio.prefer(EVE, steps=9)
        await link(r, TWIN, EVE)
        assert (await r.studio.preferences(TWIN)).steps == 9
        await r.studio.prefer(ANN, styles=(StyleUse("ink", 0.5),))
        await link(r, ANN, TWIN)
        for user in (ANN, TWIN, EVE):
            assert await r.studio.preferences(user) == Preferences(styles=(StyleUse("ink", 0.5),))
        await r.studio.prefer(EVE, steps=7)
        assert (await r.studio.defaulted(ANN, Generate(prompt="x"))).steps == 7
        assert await r.studio.unlink(EVE)
        await r.studio.prefer(ANN, steps=8)
        await r.studio.prefer(EVE, styles=None)
        assert (await r.studio.preferences(TWIN)) == Preferences(steps=8, styles=(StyleUse("ink", 0.5),))
        assert (await r.studio.preferences(EVE)) == Preferences(steps=7)
        assert await r.studio.preferences(BOB) == Preferences()


# Limits


async def test_Q3_two_accounts_have_one_quota_and_parting_or_deleting_gives_no_second_one(tmp_path: Path):
    now = NOW
    async with rig(tmp_path, sections={"limits": {"per_day": 3}}, clock=lambda: now) as r:

        async def exhausted(*users: User) -> None:
            for user in users:
                with pytest.raises(OverQuota, match="3 pictures for 24 hours are used up"):
                    await ask(r, user, f"more of {user.name}")

        await paint(r, ANN, "before", count=2)
        await link(r, ANN, TWIN)
        await paint(r, TWIN, "together")
        await exhausted(ANN, TWIN)
        await link(r, TWIN, EVE)
        await exhausted(ANN, TWIN, EVE)
        await r.studio.unlink(TWIN)
        await exhausted(ANN, TWIN, EVE)
        await r.studio.erase(ANN)
        assert await r.studio.linked(EVE) == []
        await exhausted(ANN, TWIN, EVE)
        # Linked anew, nothing is counted twice either.
        await link(r, EVE, ANN)
        await exhausted(ANN, EVE)
        now += 86_401
        await paint(r, EVE, "tomorrow", count=2)
        await paint(r, ANN, "tomorrow too")
        await exhausted(ANN, EVE)
        await paint(r, TWIN, "apart", count=3)


async def test_Q1_the_pause_between_two_requests_is_one_for_all_accounts(tmp_path: Path):
    now = NOW
    async with rig(tmp_path, hand=True, sections={"limits": {"cooldown": 30}}, clock=lambda: now) as r:
        await link(r, ANN, TWIN)
        await ask(r, ANN, "one")
        with pytest.raises(TooSoon):
            await ask(r, TWIN, "two")
        await r.studio.unlink(TWIN)
        with pytest.raises(TooSoon):
            await ask(r, TWIN, "two")
        await ask(r, BOB, "three")
        now += 31
        await ask(r, TWIN, "two")


async def test_what_was_cancelled_or_known_counts_for_none_of_the_accounts(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"per_day": 2}}) as r:
        await link(r, ANN, TWIN)
        job = await ask(r, ANN, "one", count=2)
        await r.studio.unlink(TWIN)
        with pytest.raises(OverQuota):
            await ask(r, TWIN, "two")
        await r.studio.cancel(ANN, job.id)
        await ask(r, TWIN, "two", count=2)


# Everything of a person


async def test_P12_deleting_with_one_account_deletes_what_all_linked_ones_have(tmp_path: Path):
    async with rig(tmp_path, pace=0.01) as r:
        images = []
        for user in (ANN, TWIN, EVE):
            job, done = await paint(r, user, f"canary of {user.name}")
            images += done.images
            await r.studio.prefer(user, negative=f"canary liked by {user.name}")
            await r.studio.action("again", job.id, user, detail="canary")
            await r.studio.receive("telegram:1", [Parcel(len(images), user.key, {"text": "canary"}, NOW)])
            await r.studio.pause("discord:1", user)
            await r.studio.resume("discord:1", user)
        await link(r, ANN, TWIN, EVE)
        await r.studio.link_code(EVE)
        await r.studio.export(EVE)
        _, others = await paint(r, BOB, "of Bob")
        waits = await ask(r, EVE, "canary that is painted", steps=100)
        assert await r.studio.erase(TWIN) == 4
        assert waits.status == Cancelled()
        assert [change.by for change in await r.studio.audit("discord:1")] == [""] * 6
        stored = b"".join(path.read_bytes() + path.name.encode() for path in tmp_path.rglob("*") if path.is_file())
        for needle in ("canary", ANN.key, TWIN.key, EVE.key, ANN.id, *images):
            assert needle.encode() not in stored
        for user in (ANN, TWIN, EVE):
            assert await r.studio.linked(user) == []
            assert await r.studio.history(user) == []
            assert await r.studio.preferences(user) == Preferences()
            assert not any(job.user == user for job in r.studio.pending(user.platform))
        assert (await r.studio.picture(BOB, others.images[0])).exists()


async def test_P12_an_account_that_parted_outlives_the_deletion_of_the_other(tmp_path: Path):
    async with rig(tmp_path) as r:
        await link(r, ANN, TWIN)
        job, done = await paint(r, TWIN, "of the twin")
        await r.studio.unlink(ANN)
        assert await r.studio.erase(ANN) == 0
        assert [entry.id for entry in await r.studio.history(TWIN)] == [job.id]
        assert (await r.studio.picture(TWIN, done.images[0])).exists()


async def test_P16_an_export_holds_what_all_linked_accounts_have_and_nobody_elses(tmp_path: Path):
    async with rig(tmp_path) as r:
        made = {user: await paint(r, user, f"prompt of {user.name}") for user in (ANN, TWIN, BOB)}
        await link(r, ANN, TWIN)
        code = await r.studio.link_code(TWIN)
        for user in (ANN, TWIN):
            told = await exported(r, user)
            assert told["user"] == user.key
            assert [job["id"] for job in told["jobs"]] == [made[ANN][0].id, made[TWIN][0].id]
            images = [image for one in (ANN, TWIN) for image in made[one][1].images]
            assert set(told["names"]) == {"realbot.json", *(f"pictures/{image}.png" for image in images)}
            assert {row["user_key"] for row in told["people"]} == {ANN.key, TWIN.key}
            assert [row["user_key"] for row in told["codes"]] == [TWIN.key]
            assert len(told["charges"]) == 4
            for needle in ("Bob", BOB.key, made[BOB][0].id, *made[BOB][1].images, code):
                assert needle not in json.dumps(told)


# Strangers before and after


async def look(r: Rig, user: User) -> str:
    """All that the studio tells one person, as text."""
    told: list[Any] = [await r.studio.history(user, 1000), await r.studio.history(user, search="prompt")]
    told += [await r.studio.history(user, favourites=True), r.studio.waiting(user)]
    told += [await r.studio.stats("discord:1"), await exported(r, user)]
    return repr(told)


async def test_P6_P8_accounts_see_each_other_while_they_are_linked_and_never_else(tmp_path: Path):
    draw = random.Random(6)
    users = [ANN, TWIN, BOB, EVE]
    group: dict[User, set[User]] = {user: {user} for user in users}
    made: dict[User, list[tuple[Job, tuple[str, ...], str]]] = {user: [] for user in users}
    asked: dict[User, set[int]] = {user: set() for user in users}
    seen = 0

    async def holds(verb: Awaitable[Any], mine: bool) -> None:
        if mine:
            await verb
            return
        with pytest.raises(NotYours) as caught:
            await verb
        assert not any(mark in str(caught.value) for mark in ("prompt", "Ann", "Twin", "Bob", "Eve"))

    async with rig(tmp_path) as r:
        for n in range(150):
            user, other = draw.sample(users, 2)
            kind = draw.choice(("paint", "paint", "same", "link", "unlink", "look", "look"))
            if kind == "paint":
                job, done = await paint(r, user, f"prompt {n} of {user.name}")
                button = await r.studio.action("delete", job.id, user, detail=f"mark {n}")
                made[user].append((job, done.images, button))
            elif kind == "same":
                seed = draw.randrange(4)
                _, done = await paint(r, user, "what everybody asks", seed=seed)
                assert done.cached == any(seed in asked[one] for one in group[user])
                asked[user].add(seed)
            elif kind == "link" and other not in group[user] and len(group[user]) == len(group[other]) == 1:
                await link(r, user, other)
                group[user] = group[other] = {user, other}
            elif kind == "unlink":
                assert await r.studio.unlink(user) == (len(group[user]) > 1)
                for one in group[user]:
                    group[one] = {one}
            elif kind == "look":
                told = await look(r, user)
                for one in users:
                    mine = one in group[user]
                    assert (one.key in told) == mine or not made[one]
                    for job, images, button in made[one]:
                        for mark in (job.id, *images, button):
                            assert (mark in told) == mine
                        await holds(r.studio.entry(user, job.id), mine)
                        await holds(r.studio.favourite(user, job.id, draw.random() < 0.5), mine)
                        await holds(r.studio.cancel(user, job.id), mine)
                        await holds(r.studio.picture(user, images[0]), mine)
                        await holds(r.studio.vary(user, job.id, 0, "subtle"), mine)
                        await holds(r.studio.enlarge(user, job.id, 0, 2), mine)
                        await holds(r.studio.acted(button, user), mine)
                        if not mine:
                            await holds(r.studio.forget(user, job.id), False)
                            with pytest.raises(Refused):
                                await ask(r, user, "stolen", source=images[0])
                            with pytest.raises(NotYours):
                                r.studio.job(user, job.id)
                        seen += mine and one != user
        assert seen > 20
        assert all(made.values())


async def test_P8_one_number_on_two_platforms_is_two_people_until_it_is_linked(tmp_path: Path):
    async with rig(tmp_path) as r:
        job, _ = await paint(r, ANN, "mine")
        for _ in range(2):
            assert await r.studio.history(TWIN) == []
            with pytest.raises(NotYours):
                await r.studio.entry(TWIN, job.id)
            await link(r, TWIN, ANN)
            assert (await r.studio.entry(TWIN, job.id)).id == job.id
            assert await r.studio.unlink(TWIN)
            assert not await r.studio.unlink(ANN)
