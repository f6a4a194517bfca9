"""Answers from before, one picture for one question, and nobody sees what is another's."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from realbot.errors import NotYours, OverQuota
from realbot.jobs import Cancelled, Done, Generate, Origin, StyleUse, User, key_of
from realbot.tickets import printed
from studios import ANNA, BERT, end, lora, rig, until

# Answers from before


async def test_R8_the_same_question_with_a_seed_gets_the_same_bytes_without_an_engine(tmp_path: Path):
    async with rig(tmp_path) as r:
        first = await r.paint("a cat", seed=7, count=2)
        again = await r.paint("a cat", seed=7, count=2)
        assert again == replace(first, cached=True)
        assert await r.bytes(again) == await r.bytes(first)
        assert len(r.pool.works) == 1
        assert not (await r.paint("a cat", seed=8, count=2)).cached


async def test_R8_the_same_question_without_a_seed_is_answered_from_that_persons_history(tmp_path: Path):
    async with rig(tmp_path) as r:
        first = await r.paint("a cat")
        again = await r.paint("a cat")
        assert again == replace(first, cached=True)
        assert not (await r.paint("a cat", BERT)).cached
        assert not (await r.paint("a cat", seed=(first.seed + 1) % 2**32)).cached
        assert len(r.pool.works) == 3


async def test_R8_an_answer_from_before_needs_no_engine_after_a_restart(tmp_path: Path):
    async with rig(tmp_path) as r:
        first = await r.paint("a cat")
    async with rig(tmp_path, start=False) as r:
        assert r.studio.engine().loading
        assert await r.paint("a cat") == replace(first, cached=True)
        assert await r.paint("a cat", seed=first.seed) == replace(first, cached=True)


async def test_R8_an_answer_from_before_takes_no_place_and_no_quota(tmp_path: Path):
    async with rig(tmp_path, sections={"limits": {"per_day": 1, "waiting_per_user": 1}}) as r:
        await r.paint("a cat")
        for _ in range(3):
            assert (await r.paint("a cat")).cached
        with pytest.raises(OverQuota):
            await r.ask("a dog")


async def test_R8_without_a_cache_everything_is_painted(tmp_path: Path):
    async with rig(tmp_path, sections={"cache": {"enabled": False}}) as r:
        assert not (await r.paint("a cat", seed=1)).cached
        assert not (await r.paint("a cat", seed=1)).cached
        jobs = [await r.ask("a dog", seed=1) for _ in range(3)]
        assert not any([(await end(job)).cached for job in jobs])
        assert len(r.pool.works) == 5


CHANGES = {
    "prompt": "a dog",
    "negative": "blurry",
    "width": 192,
    "height": 192,
    "steps": 3,
    "guidance": 4.0,
    "true_cfg": 2.5,
    "scheduler": "unipc",
    "seed": 8,
    "count": 2,
    "styles": (StyleUse("ink"),),
    "source": "0" * 64,
    "mask": "0" * 64,
    "region": "left",
    "strength": 0.5,
    "reference": "0" * 64,
    "reference_weight": 0.5,
    "model": "flux-dev",
    "avoid": "text",
}


def test_R9_every_field_of_a_request_is_in_its_key():
    request = Generate(prompt="a cat", seed=7, width=128, height=128, steps=2, styles=(StyleUse("realism"),))
    keys = {key_of(request, "f")}
    for field in fields(Generate):
        keys.add(key_of(replace(request, **{field.name: CHANGES[field.name]}), "f"))
    keys.add(key_of(replace(request, styles=(StyleUse("realism", 0.5),)), "f"))
    keys.add(key_of(request, "another engine"))
    keys.add(key_of(request, printed("f", {})))
    keys.add(key_of(request, printed("f", {"realism": "1"})))
    keys.add(key_of(request, printed("f", {"realism": "2"})))
    assert len(keys) == len(CHANGES) + 6


PICTURED = {"source", "mask", "region", "strength", "reference", "reference_weight"}


@pytest.mark.parametrize("field", sorted(set(CHANGES) - PICTURED - {"model", "avoid"}))
async def test_R9_another_value_is_painted_anew(tmp_path: Path, field: str):
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        base = {"seed": 7, "steps": 2}
        await r.paint("a cat", **base)
        changed = {**base, "prompt": "a cat", field: CHANGES[field]}
        assert not (await r.paint(changed.pop("prompt"), **changed)).cached


async def test_R9_another_engine_paints_anew(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.paint("a cat")
        await r.paint("a cat", seed=1)
    async with rig(tmp_path, fingerprint="in-process-2") as r:
        await until(lambda: r.studio.engine().up)
        assert not (await r.paint("a cat")).cached
        assert not (await r.paint("a cat", seed=1)).cached


async def test_R10_a_damaged_picture_is_painted_again(tmp_path: Path):
    async with rig(tmp_path) as r:
        first = await r.paint("a cat", seed=7)
        path = await r.studio.picture(ANNA, first.images[0])
        good = path.read_bytes()
        path.write_bytes(good[:-1] + b"?")
        again = await r.paint("a cat", seed=7)
        assert not again.cached
        assert await r.bytes(again) == [good]


async def test_R11_a_style_replaced_under_its_name_is_another_style(tmp_path: Path):
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "ink.safetensors", fill=1)
        use = (StyleUse("ink"),)
        first = await r.paint("a cat", styles=use, seed=7)
        drawn = await r.paint("a dog", styles=use)
        assert (await r.paint("a cat", styles=use, seed=7)).cached
        assert (await r.paint("a dog", styles=use)).cached
        lora(tmp_path / "styles" / "ink.safetensors", fill=2)
        second = await r.paint("a cat", styles=use, seed=7)
        assert not second.cached
        assert second.images != first.images
        assert (await r.paint("a dog", styles=use)).images != drawn.images
        hashes = [work.styles["ink"]["sha256"] for work in r.pool.works]
        assert hashes[0] == hashes[1] != hashes[2] == hashes[3]


@pytest.mark.parametrize(("scope", "same", "others"), [("user", 1, 2), ("everyone", 1, 1)], ids=["user", "everyone"])
async def test_R12_identical_requests_share_a_run_where_the_scope_allows(
    tmp_path: Path, scope: str, same: int, others: int
):
    async with rig(tmp_path, pace=0.01, sections={"cache": {"scope": scope}}) as r:
        mine = [await r.ask("a cat", seed=7) for _ in range(3)]
        done = [await end(job) for job in mine]
        assert len(r.pool.works) == same
        assert len({one.images for one in done}) == 1
        pair = [await r.ask("a dog", user, seed=7) for user in (ANNA, BERT)]
        for job in pair:
            assert isinstance(await end(job), Done)
        assert len(r.pool.works) == same + others
        for job in pair:
            await r.studio.picture(job.user, job.status.images[0])


async def test_R12_a_question_asked_twice_while_it_waits_is_one_picture(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        first, second = await r.ask("a cat"), await r.ask("a cat")
        assert first.request == second.request
        await until(r.pool.working)
        r.pool.finish()
        assert (await end(second)).images == (await end(first)).images
        assert len(r.pool.works) == 1


@pytest.mark.parametrize("running", [True, False])
async def test_R12_who_follows_a_cancelled_job_is_painted_in_its_own_place(tmp_path: Path, running: bool):
    async with rig(tmp_path, hand=True) as r:
        before = None if running else await r.ask("before", BERT)
        leader = await r.ask("a cat")
        between = await r.ask("between", BERT)
        follower = await r.ask("a cat")
        await until(r.pool.working)
        assert await r.studio.cancel(ANNA, leader.id)
        if before is not None:
            r.pool.finish()
        await until(lambda: r.pool.working() and r.pool.working().job == between.id)
        r.pool.finish()
        await until(lambda: r.pool.working() and r.pool.working().job == follower.id)
        r.pool.finish()
        assert isinstance(await end(follower), Done)
        assert leader.status == Cancelled()


async def test_R12_who_follows_a_failed_job_is_painted(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        leader, follower = await r.ask("a cat"), await r.ask("a cat")
        await until(r.pool.working)
        r.pool.fail("engine", "It did not work.")
        assert (await end(leader)).error == "EngineError"
        await until(r.pool.working)
        r.pool.finish()
        assert isinstance(await end(follower), Done)


async def test_R15_the_destination_is_the_one_of_the_acceptance(tmp_path: Path):
    places = [Origin("discord", f"c{n}", f"m{n}") for n in range(20)]
    async with rig(tmp_path) as r:
        jobs = await asyncio.gather(
            *(
                r.studio.submit(User("discord", f"{n}"), Generate(prompt="a cat", steps=2), place)
                for n, place in enumerate(places)
            )
        )
        for job, place in zip(jobs, places, strict=True):
            await end(job)
            assert job.origin == place
            assert (await r.store.row(job.id)).origin == place
    async with rig(tmp_path) as r:
        assert {job.origin.message: job.user.id for job in r.studio.pending("discord")} == {
            f"m{n}": f"{n}" for n in range(20)
        }


# Whose it is


async def test_P6_nothing_of_one_person_is_shown_to_another(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await r.ask("a secret cat")
        done = await end(job)
        for stranger in (BERT, User("discord", "anna"), User("web", "")):
            assert await r.studio.history(stranger) == []
            assert await r.studio.history(stranger, search="secret") == []
            with pytest.raises(NotYours):
                await r.studio.picture(stranger, done.images[0])
            for verb in (r.studio.entry, r.studio.cancel, r.studio.forget):
                with pytest.raises(NotYours):
                    await verb(stranger, job.id)
            with pytest.raises(NotYours):
                await r.studio.favourite(stranger, job.id, True)
            with pytest.raises(NotYours):
                r.studio.job(stranger, job.id)
        assert [entry.id for entry in await r.studio.history(ANNA, search="secret")] == [job.id]


async def test_P6_an_unknown_job_looks_like_a_strangers(tmp_path: Path):
    async with rig(tmp_path) as r:
        for verb in (r.studio.entry, r.studio.cancel, r.studio.forget):
            with pytest.raises(NotYours):
                await verb(ANNA, "0" * 24)
        with pytest.raises(NotYours):
            r.studio.job(ANNA, "0" * 24)


@hypothesis.settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(["anna", "bert"]), st.sampled_from(["cat", "dog"]), st.booleans()), max_size=8)
)
def test_P6_each_history_holds_exactly_ones_own(
    tmp_path_factory: pytest.TempPathFactory, asks: list[tuple[str, str, bool]]
):
    async def story() -> None:
        async with rig(tmp_path_factory.mktemp("p6")) as r:
            people = {"anna": ANNA, "bert": BERT}
            asked: dict[str, list[str]] = {"anna": [], "bert": []}
            for who, what, seeded in asks:
                job = await r.ask(what, people[who], seed=5 if seeded else None)
                await end(job)
                asked[who].append(job.id)
            for who, user in people.items():
                assert [entry.id for entry in await r.studio.history(user)] == asked[who][::-1]
                images = {image for entry in await r.studio.history(user) for image in entry.images}
                for image in images:
                    await r.studio.picture(user, image)

    asyncio.run(story())


async def test_P9_by_default_nobody_learns_that_another_has_painted_the_same(tmp_path: Path):
    async with rig(tmp_path) as r:
        await r.paint("a cat", seed=7)
        assert not (await r.paint("a cat", BERT, seed=7)).cached
