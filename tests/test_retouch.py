"""Painting a part of a picture and around it, from what a person brings to the request that the engine gets."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drawing import PENS, drawn, overlap, photo, sent, stroke
from realbot import masks, regions
from realbot.app import opened
from realbot.errors import Invalid, NotYours
from realbot.jobs import Done, Failed, Generate, ImageId, Job, Upscale, User
from studios import ANNA, BERT, HERE, Rig, end, rig, settings, until


def file(picture: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def half(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


PHOTO = photo(1, (400, 300))


async def kept(r: Rig, image: ImageId) -> Image.Image:
    with Image.open(await r.store.picture(image)) as picture:
        picture.load()
        return picture


async def asked(r: Rig, request: Generate | Upscale, user: User = ANNA) -> Job:
    return await r.studio.submit(user, request, HERE)


async def test_a_cut_out_picture_is_a_source_and_its_mask_and_one_that_is_whole_is_none(tmp_path: Path):
    async with rig(tmp_path) as r:
        cut = PHOTO.convert("RGBA")
        cut.paste((0, 0, 0, 0), (100, 50, 200, 250))
        pair = await r.studio.mask_from_alpha(ANNA, file(cut), HERE)
        assert pair is not None
        source, mask = [await kept(r, image) for image in pair]
        assert source.mode == "RGB"
        assert np.array_equal(np.asarray(source)[:50], np.asarray(PHOTO)[:50])
        assert mask.tobytes() == half((400, 300), (100, 50, 200, 250)).tobytes()
        for whole in (file(PHOTO), file(PHOTO.convert("RGBA")), file(PHOTO, "JPEG")):
            assert await r.studio.mask_from_alpha(ANNA, whole, HERE) is None


async def test_a_second_picture_becomes_a_mask_of_the_first_ones_size(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        mask = await r.studio.mask(ANNA, source, file(half((200, 150), (0, 0, 100, 150)), "JPEG"), HERE)
        assert overlap(await kept(r, mask), half((400, 300), (0, 0, 200, 300))) > 0.99
        with pytest.raises(Invalid, match="black all over"):
            await r.studio.mask(ANNA, source, file(Image.new("L", (50, 50))), HERE)


async def test_strokes_on_a_copy_become_a_mask_and_wrong_copies_are_refused(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        line, meant = stroke(PHOTO.size, 2, "loop", 0.05)
        mask = await r.studio.mask_by_strokes(ANNA, source, sent(drawn(PHOTO, line, PENS["white"])), HERE)
        assert overlap(await kept(r, mask), meant) > 0.8
        for copy, says in ((PHOTO, "Nothing seems"), (photo(2, (400, 300)), "same picture")):
            with pytest.raises(Invalid, match=says) as caught:
                await r.studio.mask_by_strokes(ANNA, source, sent(copy), HERE)
            assert "\n" not in str(caught.value)


async def test_the_overlay_shows_what_will_be_painted(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        mask = await r.studio.mask_of_region(ANNA, source, "left", HERE)
        with Image.open(io.BytesIO(await r.studio.overlay(ANNA, source, mask))) as shown:
            assert (shown.format, shown.size) == ("PNG", PHOTO.size)
            away = np.abs(np.asarray(shown.convert("RGB")).astype(int) - np.asarray(PHOTO)).max(2)
        assert away[:, 205:].max() == 0
        assert np.median(away[:, :195]) > 40


async def test_P6_masks_and_overlays_are_made_of_ones_own_pictures_only(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        mask = await r.studio.mask_of_region(ANNA, source, "left", HERE)
        white = file(Image.new("RGB", (40, 30), "white"))
        for verb in (
            r.studio.mask(BERT, source, white, HERE),
            r.studio.mask_by_strokes(BERT, source, white, HERE),
            r.studio.mask_of_region(BERT, source, "left", HERE),
            r.studio.overlay(BERT, source, mask),
            asked(r, Generate(prompt="a hat", source=await r.studio.upload(BERT, white), mask=mask), BERT),
        ):
            with pytest.raises(NotYours):
                await verb


async def test_what_is_marked_reaches_the_engine_with_its_source_and_counts_in_the_key(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        masks_ = [await r.studio.mask_of_region(ANNA, source, region, HERE) for region in ("left", "right")]
        base = Generate(prompt="a hat", source=source, mask=masks_[0], seed=1, steps=2)
        first = await asked(r, base)
        assert first.request.strength == 1.0
        done = await end(first)
        assert set(r.pool.works[-1].files) == {source, masks_[0]}
        assert (await end(await asked(r, base))).cached
        other = await end(await asked(r, replace(base, mask=masks_[1])))
        assert not other.cached
        assert other.images != done.images
        assert len(r.pool.works) == 2


async def test_D1_a_mask_is_kept_for_its_job_whatever_happens(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        job = await asked(r, Generate(prompt="a hat", source=source, region="left", steps=2))
    async with rig(tmp_path) as r:
        (again,) = r.studio.pending("web")
        assert isinstance(await end(again), Done)
        assert set(r.pool.works[0].files) == {source, job.request.mask}
        entry = await r.studio.entry(ANNA, job.id)
        assert (entry.request.region, entry.request.mask) == ("left", job.request.mask)
        await asked(r, replace(entry.request, seed=5))


async def test_a_mask_that_is_lost_while_its_job_waits_is_told(tmp_path: Path):
    async with rig(tmp_path, hand=True) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        blocker = await r.ask("in front", BERT)
        await until(r.pool.working)
        job = await asked(r, Generate(prompt="a hat", source=source, region="left", steps=2))
        (await r.store.picture(job.request.mask)).write_bytes(b"damaged")
        r.pool.finish()
        await end(blocker)
        failed = await end(job)
        assert isinstance(failed, Failed)
        assert failed.error == "Invalid"


async def test_R8_a_region_gives_the_same_mask_each_time_and_words_and_percent_are_read(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        for region in (*regions.NAMES, "10,10,60,80%"):
            request = Generate(prompt="a hat", source=source, region=region, steps=2, seed=1)
            one = await asked(r, request)
            assert one.request.mask == await r.studio.mask_of_region(ANNA, source, region, HERE)
            mask = await kept(r, one.request.mask)
            assert mask.tobytes() == masks.by_region(PHOTO, region).tobytes()
            await end(one)
            assert (await end(await asked(r, request))).cached
        changed = await asked(r, replace(one.request, region="right"))
        assert changed.request.mask == await r.studio.mask_of_region(ANNA, source, "right", HERE)
        with pytest.raises(Invalid, match="There is no region lft"):
            await asked(r, Generate(prompt="a hat", source=source, region="lft"))
        with pytest.raises(Invalid, match="say with source"):
            await asked(r, Generate(prompt="a hat", region="left"))


async def test_a_mask_that_nobody_asks_for_is_deleted_with_its_source(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        mask = await r.studio.mask_of_region(ANNA, source, "left", HERE)
        await r.studio.erase(ANNA)
        for image in (source, mask):
            with pytest.raises(Invalid):
                await r.store.picture(image)


# A wider view, a look aside


async def canvas(r: Rig, request: Generate) -> tuple[Any, Any]:
    assert request.source is not None
    assert request.mask is not None
    return np.asarray(await kept(r, request.source)), np.asarray(await kept(r, request.mask)) > 0


@pytest.mark.parametrize("factor", [1.5, 2])
async def test_zoomed_out_a_picture_lies_unchanged_in_the_middle_of_what_is_painted(tmp_path: Path, factor: float):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat", width=128, height=96, count=2, guidance=2.0)
        done = await end(job)
        request = await r.studio.zoom_out(ANNA, job.id, 1, factor)
        assert (request.prompt, request.guidance, request.count, request.region) == ("a cat", 2.0, 1, None)
        around, mask = await canvas(r, request)
        picture = np.asarray((await kept(r, done.images[1])).convert("RGB"))
        height, width = mask.shape
        assert (width, height) == (int(128 * factor) // 16 * 16, int(96 * factor) // 16 * 16)
        top, left = (height - 96) // 2, (width - 128) // 2
        assert np.array_equal(around[top : top + 96, left : left + 128], picture)
        assert not mask[top : top + 96, left : left + 128].any()
        assert mask.sum() == width * height - 96 * 128
        wide = await asked(r, request)
        assert wide.request.strength == 1.0
        assert wide.request.width * wide.request.height <= 128 * 128 * 1.1
        assert isinstance(await end(wide), Done)
        varied = await r.studio.vary(ANNA, wide.id, 0, "subtle")
        assert (varied.mask, varied.region, varied.strength) == (None, None, 0.35), "all of it varies, not the border"


@pytest.mark.parametrize(("direction", "x", "y"), [("left", 64, 0), ("right", -64, 0), ("up", 0, 48), ("down", 0, -48)])
async def test_looking_aside_half_of_the_picture_stays(tmp_path: Path, direction: Any, x: int, y: int):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat", width=128, height=96)
        done = await end(job)
        request = await r.studio.pan(ANNA, job.id, 0, direction)
        around, mask = await canvas(r, request)
        expected = Image.new("RGB", (128, 96))
        expected.paste((await kept(r, done.images[0])).convert("RGB"), (x, y))
        assert mask.mean() == 0.5
        assert np.array_equal(around[~mask], np.asarray(expected)[~mask])
        assert isinstance(await end(await asked(r, request)), Done)


async def test_where_no_larger_canvas_is_allowed_the_picture_becomes_smaller(tmp_path: Path):
    async with rig(tmp_path, sections={"limits": {"max_side": 144, "max_pixels": 16_384}}) as r:
        job = await r.ask("a cat", width=128, height=96)
        await end(job)
        for _ in range(3):
            request = await r.studio.zoom_out(ANNA, job.id, 0, 2)
            _, mask = await canvas(r, request)
            assert max(mask.shape) <= 144
            assert mask.size <= 16_384
            assert mask.mean() == pytest.approx(0.75, abs=0.06)
            job = await asked(r, request)
            assert isinstance(await end(job), Done)


async def test_what_cannot_be_continued_is_refused(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat")
        done = await end(job)
        with pytest.raises(Invalid, match=r"by 1\.5 or by 2, not by 3"):
            await r.studio.zoom_out(ANNA, job.id, 0, 3)
        with pytest.raises(Invalid, match="not there"):
            await r.studio.zoom_out(ANNA, job.id, 1)
        large = await asked(r, Upscale(source=done.images[0]))
        await end(large)
        for verb in (r.studio.zoom_out(ANNA, large.id, 0), r.studio.pan(ANNA, large.id, 0, "left")):
            with pytest.raises(Invalid, match="the one it was made from"):
                await verb


async def test_P6_another_persons_picture_can_be_continued_only_where_it_was_shown(tmp_path: Path):
    async with rig(tmp_path) as r:
        job = await r.ask("a cat")
        await end(job)
        for verb in (r.studio.zoom_out(BERT, job.id, 0), r.studio.pan(BERT, job.id, 0, "up")):
            with pytest.raises(NotYours):
                await verb
        request = await r.studio.zoom_out(BERT, job.id, 0, shown=True)
        assert isinstance(await end(await asked(r, request, BERT)), Done)


async def test_I6_many_masks_at_once_are_made_in_turn(tmp_path: Path):
    async with rig(tmp_path) as r:
        source = await r.studio.upload(ANNA, file(PHOTO))
        made = await asyncio.gather(
            *(r.studio.mask_of_region(ANNA, source, region, HERE) for region in ("left", "right", "top"))
        )
        assert len(set(made)) == 3


@pytest.mark.slow
async def test_the_engine_paints_a_marked_part_and_what_lies_around(tmp_path: Path):
    """Through the process of the engine, with the bundled model."""
    paths = {"data": tmp_path / "data", "styles": tmp_path / "styles"}
    async with opened(settings(paths=paths, engine={"threads": 1}), grace=0.0) as studio:

        async def done(request: Generate) -> tuple[Job, Any]:
            job = await studio.submit(ANNA, request, HERE)
            status = await end(job, 250)
            assert isinstance(status, Done), status
            with Image.open(await studio.picture(ANNA, status.images[0])) as image:
                return job, np.asarray(image.convert("RGB")).astype(int)

        brought = Image.new("RGB", (301, 203), "blue")
        source = await studio.upload(ANNA, file(brought))
        job, painted = await done(
            Generate(prompt="a frog on a yellow background", source=source, region="right", steps=6, seed=1)
        )
        assert painted.shape == (203, 301, 3)
        assert np.abs(painted[:, :150] - np.asarray(brought)[:, :150]).max() == 0
        red, green, blue = painted[20:60, 240:].reshape(-1, 3).mean(0)
        assert min(red, green) > 150 > blue
        request = await studio.zoom_out(ANNA, job.id, 0, 1.5)
        _, wide = await done(replace(request, steps=4))
        top, left = (wide.shape[0] - 203) // 2, (wide.shape[1] - 301) // 2
        assert np.array_equal(wide[top : top + 203, left : left + 301], painted)
