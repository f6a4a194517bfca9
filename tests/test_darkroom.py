"""Requests that begin with a picture: variations, enlargements, and what is promised and remembered of them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realbot.app import opened
from realbot.errors import Invalid, NotYours, QueueFull
from realbot.eta import UPSCALE, Features
from realbot.jobs import Done, Failed, Generate, Job, StyleUse, Upscale, User, Waiting
from studios import ANNA, BERT, HERE, Rig, end, lora, rig, settings, until


async def asked(r: Rig, request: Generate | Upscale, user: User = ANNA) -> Job:
    return await r.studio.submit(user, request, HERE)


async def size(r: Rig, done: Done, user: User = ANNA) -> tuple[int, int]:
    with Image.open(await r.studio.picture(user, done.images[0])) as image:
        return image.size


async def test_a_variation_is_the_same_request_from_its_picture_with_a_new_seed(tmp_path: Path):
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "ink.safetensors")
        use = (StyleUse("ink", 0.5),)
        job = await r.ask("a cat", count=2, width=128, height=96, steps=4, guidance=2.0, styles=use, seed=7)
        done = await end(job)
        subtle = await r.studio.vary(ANNA, job.id, 1, "subtle")
        strong = await r.studio.vary(ANNA, job.id, 1, "strong")
        expected = replace(job.request, source=done.images[1], strength=0.35, seed=subtle.seed, count=1, model=None)
        assert subtle == expected
        assert strong == replace(expected, strength=0.75, seed=strong.seed)
        assert len({7, subtle.seed, strong.seed}) == 3
        varied = await end(await asked(r, subtle))
        assert not varied.cached
        assert await size(r, varied) == (128, 96)
        assert set(r.pool.works[-1].files) == {done.images[1]}
        assert Path(r.pool.works[-1].files[done.images[1]]).read_bytes().startswith(b"\x89PNG")


async def test_a_model_that_edits_varies_without_a_strength(tmp_path: Path):
    """A subtle variation begins with the picture that there is, a strong one where that one began."""
    sections = {"model": {"name": "flux-kontext"}}
    async with rig(tmp_path, sections=sections, bases=("flux-kontext",)) as r:
        brought = io.BytesIO()
        Image.new("RGB", (300, 200), "blue").save(brought, "PNG")
        image = await r.studio.upload(ANNA, brought.getvalue())
        job = await r.ask("make it green", source=image, seed=7)
        done = await end(job)
        assert isinstance(done, Done)
        asked_for = job.request
        assert isinstance(asked_for, Generate)
        assert (asked_for.width, asked_for.height, asked_for.strength, asked_for.guidance) == (1248, 832, None, 2.5)
        subtle = await r.studio.vary(ANNA, job.id, 0, "subtle")
        strong = await r.studio.vary(ANNA, job.id, 0, "strong")
        assert (subtle.source, strong.source) == (done.images[0], image)
        assert subtle == replace(asked_for, source=done.images[0], seed=subtle.seed, model=None)
        for one in (subtle, strong):
            assert isinstance(await end(await asked(r, one)), Done)
        with pytest.raises(Invalid, match="takes no strength"):
            await r.ask("make it green", source=image, strength=0.5)


async def test_what_one_may_start_from_one_may_look_at_and_nobody_else(tmp_path: Path):
    async with rig(tmp_path) as r:
        brought = io.BytesIO()
        Image.new("RGB", (64, 48), "blue").save(brought, "PNG")
        image = await r.studio.upload(ANNA, brought.getvalue())
        with Image.open(await r.studio.source(ANNA, image)) as kept:
            assert kept.size == (64, 48)
        request = (await asked(r, Generate(prompt="a cat", source=image, steps=2))).request
        assert await r.studio.shape(ANNA, image) == (request.width, request.height)
        for user, other in ((BERT, image), (ANNA, "ab" * 32)):
            with pytest.raises(NotYours):
                await r.studio.source(user, other)
            with pytest.raises(NotYours):
                await r.studio.shape(user, other)


async def test_the_models_own_values_are_told_and_taken(tmp_path: Path):
    async with rig(tmp_path) as r:
        image = (await r.paint("a cat")).images[0]
        for fields in ({"source": image}, {"source": image, "mask": image}, {"reference": image}):
            request = Generate(prompt="a dog", seed=1, **fields)
            usual = r.studio.usual(request)
            assert usual == replace((await asked(r, request)).request, width=usual.width, height=usual.height)


async def test_P6_a_reference_is_ones_own_goes_to_the_engine_and_stays_with_its_job(tmp_path: Path):
    async with rig(tmp_path) as r:
        first = await r.ask("a cat")
        look = (await end(first)).images[0]
        request = Generate(prompt="a dog", steps=2, reference=look, reference_weight=0.7)
        with pytest.raises(NotYours):
            await asked(r, request, BERT)
        done = await end(await asked(r, request))
        assert set(r.pool.works[-1].files) == {look}
        await r.studio.forget(ANNA, first.id)
        assert (await end(await asked(r, request))).images == done.images
        other = await end(await asked(r, replace(request, reference_weight=0.3, seed=done.seed)))
        assert not other.cached
        with pytest.raises(Invalid, match="needs a reference"):
            await asked(r, replace(request, reference=None))


async def test_a_variation_can_be_varied_and_the_first_picture_forgotten(tmp_path: Path):
    async with rig(tmp_path) as r:
        first = await r.ask("a cat")
        parent = await end(first)
        second = await asked(r, await r.studio.vary(ANNA, first.id, 0, "subtle"))
        await end(second)
        await r.studio.forget(ANNA, first.id)
        assert isinstance(await end(await asked(r, await r.studio.vary(ANNA, second.id, 0, "strong"))), Done)
        await r.studio.picture(ANNA, parent.images[0])
        await r.studio.forget(ANNA, second.id)
        with pytest.raises(NotYours):
            await r.studio.picture(ANNA, parent.images[0])


async def test_what_cannot_be_varied_is_refused(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a cat")
        for index in (0, 1, -1):
            with pytest.raises(Invalid):
                await r.studio.vary(ANNA, job.id, index, "subtle")
        with pytest.raises(NotYours):
            await r.studio.vary(ANNA, "0" * 24, 0, "subtle")


async def test_P6_another_persons_picture_can_be_varied_only_where_it_was_shown(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat")
        done = await end(job)
        for verb in (r.studio.vary(BERT, job.id, 0, "subtle"), r.studio.enlarge(BERT, job.id, 0, 2)):
            with pytest.raises(NotYours):
                await verb
        with pytest.raises(NotYours):
            await asked(r, Upscale(source=done.images[0]), BERT)
        request = await r.studio.vary(BERT, job.id, 0, "subtle", shown=True)
        assert isinstance(await end(await asked(r, request, BERT)), Done)
        assert isinstance(await end(await asked(r, await r.studio.enlarge(BERT, job.id, 0, 2, shown=True), BERT)), Done)
        with pytest.raises(NotYours):
            await asked(r, request, User("web", "carl"))


@pytest.mark.parametrize("factor", [2, 4])
async def test_an_enlarged_picture_is_kept_like_any_other(tmp_path: Path, factor: int):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat", width=128, height=64)
        await end(job)
        request = await r.studio.enlarge(ANNA, job.id, 0, factor)
        large = await asked(r, request)
        assert large.request == request
        done = await end(large)
        assert isinstance(done, Done)
        assert done.notes == (("upscaled", "lanczos"),)
        assert await size(r, done) == (128 * factor, 64 * factor)
        assert [entry.id for entry in await r.studio.history(ANNA)] == [large.id, job.id]
        await r.studio.favourite(ANNA, large.id, True)
        with pytest.raises(Invalid, match="vary the one"):
            await r.studio.vary(ANNA, large.id, 0, "subtle")


async def test_R8_the_same_enlargement_is_answered_from_before(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat")
        await end(job)
        request = await r.studio.enlarge(ANNA, job.id, 0, 2)
        first = await end(await asked(r, request))
        assert await end(await asked(r, request)) == replace(first, cached=True)
        assert not (await end(await asked(r, replace(request, factor=4)))).cached
        assert len(r.pool.works) == 3


async def test_R12_the_same_enlargement_twice_while_it_waits_is_one_picture(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a cat")
        await until(r.pool.working)
        r.pool.finish()
        await end(job)
        request = await r.studio.enlarge(ANNA, job.id, 0, 2)
        pair = [await asked(r, request) for _ in range(2)]
        await until(r.pool.working)
        r.pool.finish()
        assert (await end(pair[0])).images == (await end(pair[1])).images
        assert len(r.pool.works) == 2


async def test_R9_a_variation_of_another_picture_or_strength_is_another_picture(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat", count=2)
        done = await end(job)
        base = Generate(prompt="a cat", steps=2, seed=5, source=done.images[0], strength=0.5)
        first = await end(await asked(r, base))
        for other in (replace(base, source=done.images[1]), replace(base, strength=0.6)):
            found = await end(await asked(r, other))
            assert not found.cached
            assert found.images != first.images
        assert (await end(await asked(r, base))).cached


@pytest.mark.parametrize(
    ("request_", "says"),
    [(Upscale(source="{}", factor=3), "2 or by 4, not by 3"), (Upscale(source="{}", factor=4), "at most 65536")],
)
async def test_an_enlargement_that_is_too_large_or_odd_is_refused(tmp_path: Path, request_: Upscale, says: str):
    async with rig(tmp_path, sections={"upscale": {"max_pixels": 65_536}}) as r:
        done = await r.paint("a cat", width=128, height=128)
        with pytest.raises(Invalid, match=says):
            await asked(r, replace(request_, source=done.images[0]))
        assert isinstance(await end(await asked(r, Upscale(source=done.images[0], factor=2))), Done)


async def test_an_enlargement_counts_against_the_limits(tmp_path: Path):
    async with rig(tmp_path, hand=True, sections={"limits": {"waiting_per_user": 1}}) as r:
        job = await r.ask("a cat")
        await until(r.pool.working)
        r.pool.finish()
        await end(job)
        await asked(r, await r.studio.enlarge(ANNA, job.id, 0, 2))
        with pytest.raises(QueueFull):
            await asked(r, await r.studio.enlarge(ANNA, job.id, 0, 4))


async def test_no_size_given_the_shape_is_that_of_the_source(tmp_path: Path):
    async with rig(tmp_path) as r:
        done = await r.paint("a cat", width=192, height=96)
        source = done.images[0]
        shaped = await asked(r, Generate(prompt="a dog", source=source, steps=2))
        assert (shaped.request.width, shaped.request.height, shaped.request.strength) == (176, 96, 0.6)
        wished = await asked(r, Generate(prompt="a dog", source=source, steps=2, width=64, height=64))
        assert (wished.request.width, wished.request.height) == (64, 64)
        for job in (shaped, wished):
            assert isinstance(await end(job), Done)


async def test_a_source_that_is_lost_while_its_job_waits_is_told(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        first = await r.ask("a cat")
        await until(r.pool.working)
        r.pool.finish()
        done = await end(first)
        blocker = await r.ask("in front", BERT)
        await until(r.pool.working)
        job = await asked(r, await r.studio.vary(ANNA, first.id, 0, "subtle"))
        (await r.studio.picture(ANNA, done.images[0])).write_bytes(b"damaged")
        r.pool.finish()
        await end(blocker)
        failed = await end(job)
        assert isinstance(failed, Failed)
        assert failed.error == "Invalid"
        assert "lost" in failed.detail


async def test_D1_enlargements_and_variations_that_waited_are_done_after_a_restart(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat", width=64, height=64)
        done = await end(job)
    async with rig(tmp_path, hand=True) as r:
        await until(r.studio.engine)
        jobs = [
            await asked(r, await r.studio.enlarge(ANNA, job.id, 0, 4)),
            await asked(r, await r.studio.vary(ANNA, job.id, 0, "strong")),
        ]
    async with rig(tmp_path) as r:
        again = {one.id: one for one in r.studio.pending("web")}
        for one in jobs:
            assert isinstance(await end(again[one.id]), Done)
        assert {work.key.job: set(work.files) for work in r.pool.works} == {one.id: {done.images[0]} for one in jobs}
        assert await size(r, again[jobs[0].id].status) == (256, 256)


@pytest.mark.slow
async def test_the_engine_paints_from_what_a_person_brought_then_varies_and_enlarges_it(tmp_path: Path):
    """Through the process of the engine, with the bundled model."""
    paths = {"data": tmp_path / "data", "styles": tmp_path / "styles"}
    brought = io.BytesIO()
    Image.new("RGB", (300, 200), "blue").save(brought, "JPEG")
    async with opened(settings(paths=paths, engine={"threads": 1}), grace=0.0) as studio:

        async def done(request: Generate | Upscale) -> tuple[str, Done, np.ndarray[Any, Any]]:
            job = await studio.submit(ANNA, request, HERE)
            status = await end(job, 250)
            assert isinstance(status, Done), status
            with Image.open(await studio.picture(ANNA, status.images[0])) as image:
                return job.id, status, np.asarray(image.convert("RGB")).astype(float)

        source = await studio.upload(ANNA, brought.getvalue())
        prompt = "a red apple on a yellow background"
        first, _, painted = await done(Generate(prompt=prompt, source=source, strength=0.9, steps=6, seed=1))
        assert painted.shape == (112, 160, 3)
        red, green, blue = painted[:6].reshape(-1, 3).mean(0)
        assert min(red, green) > 150 > blue
        _, _, varied = await done(await studio.vary(ANNA, first, 0, "subtle"))
        assert 0 < np.abs(varied - painted).mean() < 25
        _, status, large = await done(await studio.enlarge(ANNA, first, 0, 4))
        assert large.shape == (448, 640, 3)
        assert [kind for kind, _ in status.notes] == ["upscaled"]
        assert np.abs(large[2::4, 2::4] - painted).mean() < 10


# When it will be ready


def test_Q11_a_picture_from_a_picture_takes_the_steps_that_are_left():
    request = Generate(prompt="x", model="mini", width=128, height=128, steps=20, source="ab" * 32, strength=0.35)
    assert Features.of(request).steps == 7
    assert Features.of(replace(request, strength=0.0)).steps == 1
    assert Features.of(replace(request, strength=1.0)).steps == 20


def test_Q11_an_enlarged_picture_is_learned_of_by_its_own_size():
    features = Features.of(Upscale(source="ab" * 32, factor=2), 512 * 512 * 4)
    assert (features.model, features.pixels, features.work) == (UPSCALE, 1024 * 1024, pytest.approx(1.048576))
    assert Features.load(features.data()) == features


async def test_Q11_who_waits_for_an_enlarged_picture_is_told_when_once_one_was_seen(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        job = await r.ask("a cat", width=128, height=128)
        await until(r.pool.working)
        r.pool.finish(seconds=10)
        done = await end(job)
        large = await asked(r, Upscale(source=done.images[0], factor=4))
        await until(r.pool.working)
        r.pool.finish(seconds=40)
        await end(large)
        blocker = await r.ask("in front")
        await until(r.pool.working)
        small = await asked(r, Upscale(source=done.images[0], factor=2))
        assert isinstance(small.status, Waiting)
        assert small.status.eta is not None
        assert 10 <= small.status.eta.low <= 20 <= small.status.eta.high <= 30
        r.pool.finish()
        await end(blocker)


async def test_what_was_brought_outlives_a_restart_for_an_hour(tmp_path: Path):

    def picture(colour: str = "blue") -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
        return buffer.getvalue()

    now = [1e9]
    async with rig(tmp_path, clock=lambda: now[0]) as r:
        image = await r.studio.upload(ANNA, picture())
        gone = await r.studio.upload(BERT, picture(colour="green"))
        await r.studio.erase(BERT)
    now[0] += 3000
    async with rig(tmp_path, clock=lambda: now[0]) as r:
        with pytest.raises(NotYours):
            await r.studio.submit(BERT, Generate(prompt="a cat", source=image), HERE)
        with pytest.raises(NotYours):
            await r.studio.submit(BERT, Generate(prompt="a cat", source=gone), HERE)
        done = await end(await r.studio.submit(ANNA, Generate(prompt="a cat", source=image, steps=2), HERE))
        assert isinstance(done, Done)
        other = await r.studio.upload(ANNA, picture(colour="red"))
    now[0] += 3700
    async with rig(tmp_path, clock=lambda: now[0]) as r:
        with pytest.raises(NotYours):
            await r.studio.submit(ANNA, Generate(prompt="a cat", source=other), HERE)
        assert await r.studio.submit(ANNA, Generate(prompt="a dog", source=image), HERE), "a request keeps it"
