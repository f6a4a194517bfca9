"""Pictures of strangers: what passes is a plain PNG, everything else is refused in one sentence."""

from __future__ import annotations

import asyncio
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw
from PIL.PngImagePlugin import PngInfo

from realbot import decoder, uploads
from realbot.errors import Invalid, NotYours
from realbot.jobs import Generate
from realbot.rulebook import Limits
from realbot.store import Store
from realbot.uploads import KEEP, Uploads
from studios import ANNA, BERT, HERE, end, rig, until


def drawing(width: int = 80, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Red in the upper left corner, blue elsewhere."""
    picture = Image.new("RGB", (width, height), "blue")
    ImageDraw.Draw(picture).rectangle((0, 0, width // 4, height // 4), "red")
    return picture.convert(mode)


def file(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def announced(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG file whose header promises so many pixels, whatever there is."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def moving(kind: str) -> bytes:
    frames = [drawing(), drawing().transpose(Image.Transpose.ROTATE_180)]
    return file(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def polyglot() -> bytes:
    """A PNG that is also an archive and a page."""
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.sh", "<script>secret()</script>")
    return file(drawing()) + out.getvalue()


async def taken(folder: Path, data: bytes, limits: Limits | None = None) -> tuple[Image.Image, bytes]:
    async with Store.open(folder / "data") as store:
        image = await Uploads(store).take(ANNA, data, limits or Limits())
        content = (await store.picture(image)).read_bytes()
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return picture, content


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "not a PNG"),
    "text": (lambda: b"#!/bin/sh\nexit 0\n", "not a PNG"),
    "a page": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG"),
    "gif": (lambda: file(drawing(), "GIF"), "not a PNG"),
    "bmp": (lambda: file(drawing(), "BMP"), "not a PNG"),
    "sound in a riff": (lambda: b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 28, "not a PNG"),
    "a beginning only": (lambda: b"\x89PNG\r\n\x1a\n", "not a PNG|damaged"),
    "wrong content": (lambda: b"\xff\xd8\xff\xe0" + b"no picture " * 50, "not a PNG|damaged"),
    "a bomb": (lambda: announced(50_000, 50_000), "50000×50000 pixels; at most 40000000"),
    "a bomb within a byte": (lambda: announced(40_001, 1_000), "40001×1000 pixels"),
    "a bomb of text": (
        lambda: (
            file(drawing())[:33] + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"0" * 90_000_000)) + file(drawing())[33:]
        ),
        "damaged|not a PNG",
    ),
    "less than announced": (lambda: announced(900, 900, b"\0" * 100), "damaged"),
    "truncated png": (lambda: file(drawing(400, 400, "L").effect_spread(40))[:-200], "damaged"),
    "truncated jpeg": (lambda: file(Image.effect_noise((400, 400), 90), "JPEG")[:-2000], "damaged"),
    "truncated webp": (
        lambda: file(Image.effect_noise((400, 400), 90).convert("RGB"), "WEBP")[:-2000],
        "damaged|not a",
    ),
    "a moving png": (lambda: moving("PNG"), "moves"),
    "a moving webp": (lambda: moving("WEBP"), "moves"),
    "a line": (lambda: file(Image.new("RGB", (4000, 3))), "4000×3 pixels, which is too small"),
    "a thread": (lambda: file(Image.new("RGB", (20_000, 20))), "too small"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_I1_I2_I3_I6_what_is_no_good_picture_is_refused_in_one_sentence_and_nothing_is_kept(
    tmp_path: Path, name: str
):
    make, says = REFUSED[name]
    async with Store.open(tmp_path / "data") as store:
        with pytest.raises(Invalid, match=says) as caught:
            await Uploads(store).take(ANNA, make(), Limits())
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "data" / "pictures").rglob("*") if path.is_file()]


async def test_I9_a_file_that_is_too_large_is_refused_before_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def never(*_: Any) -> bytes:
        raise AssertionError

    monkeypatch.setattr(uploads, "_decoded", never)
    async with Store.open(tmp_path / "data") as store:
        with pytest.raises(Invalid, match=r"has 1\.0 MB; at most 1 MB"):
            await Uploads(store).take(ANNA, file(drawing()) + b"\0" * 2**20, Limits(max_upload_mb=1))


async def test_I6_a_decoder_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "PATIENCE", 0.0)
    async with Store.open(tmp_path / "data") as store:
        with pytest.raises(Invalid, match="damaged"):
            await Uploads(store).take(ANNA, file(drawing()), Limits())


GOOD: dict[str, Callable[[], bytes]] = {
    "png": lambda: file(drawing()),
    "jpeg": lambda: file(drawing(), "JPEG", quality=95),
    "progressive jpeg": lambda: file(drawing(), "JPEG", quality=95, progressive=True),
    "webp": lambda: file(drawing(), "WEBP", lossless=True),
    "palette": lambda: file(drawing(mode="P")),
    "with alpha": lambda: file(drawing(mode="RGBA")),
    "cmyk": lambda: file(drawing(mode="CMYK"), "JPEG", quality=95),
    "a telephone's jpeg": lambda: file(drawing(), "MPO", save_all=True, append_images=[drawing(40, 24)], quality=95),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_picture_of_each_kind_becomes_a_plain_png_that_looks_the_same(tmp_path: Path, name: str):
    picture, content = await taken(tmp_path, GOOD[name]())
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (80, 48))
    assert picture.info == {}
    assert content.startswith(b"\x89PNG")
    away = np.abs(np.asarray(picture).astype(float) - np.asarray(drawing()))
    assert away.mean() < 4


async def test_sixteen_bits_of_grey_are_eight(tmp_path: Path):
    ramp = Image.fromarray((np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64))
    picture, _ = await taken(tmp_path, file(ramp))
    grey = np.asarray(picture.convert("L"))
    assert grey[0, 0] == 0
    assert abs(int(grey[32, 0]) - 128) <= 1
    assert grey[-1, -1] >= 254


async def test_I11_transparent_parts_are_white(tmp_path: Path):
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    picture, _ = await taken(tmp_path, file(clear))
    assert picture.getcolors() == [(32 * 32, (255, 255, 255))]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_I5_the_picture_stands_upright_and_tells_nothing_of_where_it_was_made(tmp_path: Path, kind: str):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise to be upright
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825)[1] = "N"
    options: dict[str, Any] = {"exif": exif}
    if kind == "PNG":
        text = PngInfo()
        text.add_text("parameters", "Secret prompt")
        options["pnginfo"] = text
    picture, content = await taken(tmp_path, file(drawing(), kind, **options))
    assert picture.size == (48, 80)
    assert not dict(picture.getexif())
    assert b"Secret" not in content
    red = np.asarray(picture).astype(int)
    assert red[4, 44, 0] > 200
    assert red[4, 4, 2] > 200


async def test_I4_what_hides_behind_a_picture_is_left_behind(tmp_path: Path):
    data = polyglot()
    assert b"secret()" in data or b"run.sh" in data
    picture, content = await taken(tmp_path, data)
    assert picture.size == (80, 48)
    assert b"run.sh" not in content
    assert content.endswith(b"IEND\xaeB`\x82")


async def test_colours_of_another_space_are_translated(tmp_path: Path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    odd = file(Image.new("RGB", (32, 32), (200, 30, 30)), icc_profile=profile.tobytes())
    picture, _ = await taken(tmp_path, odd)
    assert picture.mode == "RGB"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture, _ = await taken(tmp_path, file(Image.new("RGB", (32, 32), (200, 30, 30)), icc_profile=srgb))
    assert np.abs(np.asarray(picture).astype(int) - (200, 30, 30)).max() <= 1


async def test_a_very_large_picture_is_kept_smaller(tmp_path: Path):
    picture, _ = await taken(tmp_path, file(Image.new("RGB", (6000, 1500), "green"), "JPEG"))
    assert picture.size == (4096, 1024)


@given(
    st.sampled_from([("PNG", {}), ("JPEG", {"quality": 50}), ("WEBP", {"quality": 50})]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8),
    st.integers(0, 60),
)
@hypothesis.settings(max_examples=300, deadline=None)
def test_I6_a_file_that_is_changed_anywhere_is_taken_or_refused_and_nothing_else(
    kind: tuple[str, dict[str, Any]], changes: list[tuple[int, int]], lost: int
):
    data = bytearray(file(drawing(), kind[0], **kind[1]))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = decoder.plain(bytes(data[: len(data) - lost]), 10_000)
    except decoder.Refusal as refusal:
        assert str(refusal).split()[0] in uploads._SENTENCES
    else:
        with Image.open(io.BytesIO(plain)) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGB")


# Whose it is, and how long


async def test_P6_only_who_brought_a_picture_may_start_from_it(tmp_path: Path):
    async with rig(tmp_path) as r:
        image = await r.studio.upload(ANNA, file(drawing()))
        with pytest.raises(NotYours):
            await r.ask("a cat", BERT, source=image)
        with pytest.raises(NotYours):
            await r.ask("a cat", source="ab" * 32)
        with pytest.raises(Invalid):
            await r.ask("a cat", source="../../etc/passwd")
        await end(await r.ask("a cat", source=image))
        assert image in r.pool.works[0].files
        with pytest.raises(NotYours):
            await r.ask("a cat", BERT, source=image)
        again = await r.studio.upload(BERT, file(drawing()))
        assert again == image
        await end(await r.ask("a dog", BERT, source=image))


async def test_a_picture_that_nobody_asks_for_is_deleted_after_an_hour(tmp_path: Path):
    now = 0.0
    async with Store.open(tmp_path / "data") as store:
        brought = Uploads(store, lambda: now)
        used = await brought.take(ANNA, file(drawing()), Limits())
        unused = await brought.take(ANNA, file(drawing(40, 40)), Limits())
        request = Generate(prompt="a cat", source=used, seed=1)
        await store.put("job", ANNA, request, None, HERE, None, 1.0, lambda _usage: None)
        assert brought.knows(ANNA, unused)
        now = KEEP + 1
        assert not brought.knows(ANNA, unused)
        await brought.take(BERT, file(drawing(60, 60)), Limits())
        await store.picture(used)
        with pytest.raises(Invalid):
            await store.picture(unused)


async def test_I10_a_picture_that_was_brought_before_a_restart_can_still_be_used(tmp_path: Path):
    async with rig(tmp_path) as r:
        image = await r.studio.upload(ANNA, file(drawing()))
    async with rig(tmp_path) as r:
        await end(await r.ask("a cat", source=image))


async def test_I10_a_picture_is_there_when_its_turn_comes_however_late(tmp_path: Path):
    """What was brought is kept with the request, so that no address is needed when it is painted."""
    now = 1000.0
    async with rig(tmp_path, clock=lambda: now) as r:
        r.pool.die("one")
        image = await r.studio.upload(ANNA, file(drawing()))
        job = await r.ask("a cat", source=image)
        expected = await r.store.picture(image)
        content = expected.read_bytes()
    now += 30 * KEEP
    async with rig(tmp_path, clock=lambda: now) as r:
        await r.studio.upload(BERT, file(drawing(60, 60)))
        await until(lambda: r.pool.works)
        (work,) = r.pool.works
        assert work.key.job == job.id
        assert Path(work.files[image]).read_bytes() == content


async def test_P12_of_a_person_who_is_deleted_no_picture_stays_that_was_brought(tmp_path: Path):
    async with rig(tmp_path) as r:
        image = await r.studio.upload(ANNA, file(drawing()))
        shared = await r.studio.upload(ANNA, file(drawing(40, 40)))
        assert await r.studio.upload(BERT, file(drawing(40, 40))) == shared
        await r.studio.erase(ANNA)
        with pytest.raises(NotYours):
            await r.ask("a cat", source=image)
        with pytest.raises(Invalid):
            await r.store.picture(image)
        await end(await r.ask("a cat", BERT, source=shared))


async def test_many_at_once_are_decoded_in_turn(tmp_path: Path):
    async with Store.open(tmp_path / "data") as store:
        brought = Uploads(store)
        files = [file(drawing(40 + n, 40)) for n in range(4)]
        images = await asyncio.gather(*(brought.take(ANNA, data, Limits()) for data in files))
        assert len(set(images)) == 4
