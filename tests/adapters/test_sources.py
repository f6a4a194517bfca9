"""Pictures that visitors bring to the page, over HTTP: what is taken, for whom, and what is refused in which words."""

from __future__ import annotations

import asyncio
import io
import re
import struct
import zlib

import numpy as np
import pytest
from contract import paint, shows
from PIL import Image
from visiting import Tab, plain, served

from drawing import photo
from realbot.adapters import cards, sources
from realbot.jobs import Done, Upscale
from studios import rig, until


def file(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def bomb(side: int) -> bytes:
    """A PNG file whose header announces many pixels."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(9999)))]
    chunks = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
              for name, data in [*parts, (b"IEND", b"")]]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


PHOTO = photo(1, (400, 300))


def cut() -> bytes:
    clear = PHOTO.convert("RGBA")
    clear.paste((0, 0, 0, 0), (100, 50, 200, 250))
    return file(clear)


async def pixels(face: Tab, image: str) -> np.ndarray:
    answer = await face.client.get(f"/picture/{image}")
    return np.asarray(Image.open(io.BytesIO(answer.raise_for_status().content)).convert("RGB"))


async def asks(face: Tab, **pictures: object) -> dict:
    """What reaches the engine for a form with these pictures."""
    (notice,) = await face.fire("imagine", "click", face.form(prompt="a frog steps:2", pictures=pictures))
    assert notice == ""
    await until(face.bench.pool.working)
    return face.bench.pool.works[-1].request


async def test_I5_what_is_brought_is_shown_upright_and_reaches_the_engine_as_the_source(face: Tab):
    turned = Image.Exif()
    turned[0x0112] = 6
    answer = await face.bring(file(PHOTO, "JPEG", exif=turned))
    source = answer.json()["image"]
    assert answer.json() == {"image": source}
    assert (await pixels(face, source)).shape == (400, 300, 3)
    assert b"Exif" not in (await face.client.get(f"/picture/{source}")).content
    request = await asks(face, source=source, strength=0.5)
    assert (request["source"], request["strength"], request["mask"]) == (source, 0.5, None)
    assert request["width"] < request["height"]


async def test_a_picture_with_transparent_parts_is_its_own_mask_and_as_a_look_it_is_none(face: Tab):
    brought = (await face.bring(cut())).json()
    mask = await pixels(face, brought["mask"])
    assert mask[150, 150].min() == 255
    assert mask[20, 20].max() == 0
    request = await asks(face, **{"source": brought["image"], "mask": brought["mask"]})
    assert (request["mask"], request["strength"]) == (brought["mask"], 1.0)
    assert "mask" not in (await face.bring(cut(), **{"as": "reference"})).json()


async def test_a_drawn_mask_and_a_part_in_words(face: Tab):
    source = (await face.bring(file(PHOTO))).json()["image"]
    drawn = Image.new("L", (200, 150))
    drawn.paste(255, (20, 30, 60, 90))
    mask = (await face.bring(file(drawn), source=source)).json()["mask"]
    found = (await pixels(face, mask))[..., 0]
    assert found.shape == (300, 400)
    assert found[60:180, 42:118].min() == 255
    assert found[:55].max() == 0
    named = (await face.bring(b"", source=source, region="left")).json()
    assert named["region"] == "left"
    half = (await pixels(face, named["mask"]))[..., 0]
    assert half[:, :200].min() == 255
    assert half[:, 200:].max() == 0
    request = await asks(face, source=source, **named)
    assert (request["mask"], request["region"]) == (named["mask"], "left")


async def test_a_look_reaches_the_engine_with_the_models_own_weight_or_the_one_that_was_chosen(face: Tab):
    look = (await face.bring(file(PHOTO), **{"as": "reference"})).json()["image"]
    request = await asks(face, reference=look)
    assert (request["reference"], request["source"]) == (look, None)
    usual = face.component("pictures")["props"]["props"]["usual"]
    assert request["reference_weight"] == usual["reference_weight"]
    face.bench.pool.finish()
    assert (await asks(face, reference=look, reference_weight=0.9))["reference_weight"] == 0.9


async def test_reuse_brings_the_pictures_back(face: Tab):
    brought = (await face.bring(cut())).json()
    look = (await face.bring(file(PHOTO))).json()["image"]
    held = {"source": brought["image"], "mask": brought["mask"], "reference": look, "reference_weight": 0.7}
    first = await asks(face, **held, strength=0.8)
    face.bench.pool.finish()
    await shows(face, "Done in")
    job = re.search(r'data-act="reuse" data-job="([^"]+)"', face.parts["stage"])[1]
    *fields, notice = await face.fire("board", "reuse", [], {"job": job})
    assert notice == ""
    assert {**held, "strength": 0.8} in fields
    await face.fire("imagine", "click", fields)
    await shows(face, "From your history")
    assert first["strength"] == 0.8


async def test_a_picture_brings_its_shape_to_the_form_and_takes_it_away(face: Tab):
    source = (await face.bring(file(PHOTO))).json()["image"]
    width, height = await face.fire("pictures", "begin", [], {"image": source})
    request = await asks(face, source=source)
    assert (width, height) == (request["width"], request["height"])
    preset = face.bench.studio.preset()
    for image in ("", "ab" * 32, "../../etc/passwd"):
        assert await face.fire("pictures", "begin", [], {"image": image}) == [preset.width, preset.height]


# Refusals


FRAMES = [Image.new("RGB", (64, 64), name) for name in ("red", "blue")]
BAD = {
    "text": (b"hello", "not a PNG, JPEG or WebP"),
    "markup": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG, JPEG or WebP"),
    "nothing": (b"", "not a PNG, JPEG or WebP"),
    "moving": (file(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), "moves"),
    "cut short": (file(PHOTO)[:4000], "damaged"),
    "bomb": (bomb(30_000), "30000×30000 pixels"),
    "small": (file(Image.new("RGB", (8, 8))), "too small"),
}


@pytest.mark.parametrize("way", ["source", "reference", "mask"])
async def test_I6_what_cannot_be_taken_is_refused_in_one_sentence(face: Tab, way):
    source = (await face.bring(file(PHOTO))).json()["image"]
    for name, (data, words) in BAD.items():
        if way == "mask" and name == "small":
            continue
        answer = await face.bring(data, **({"source": source} if way == "mask" else {"as": way}))
        assert answer.status_code == 409, name
        assert answer.headers["content-type"].startswith("text/plain")
        assert words in answer.text, name
        assert re.fullmatch(r"[^\n]+\.", answer.text)


async def test_an_unknown_part_names_those_that_there_are(face: Tab):
    source = (await face.bring(file(PHOTO))).json()["image"]
    answer = await face.bring(b"", source=source, region="elbow")
    assert answer.status_code == 409
    assert "elbow" in answer.text
    assert "background" in answer.text


async def test_I9_a_body_over_the_limit_is_refused_before_it_is_read(bench, tmp_path):
    sections = {"limits": {"max_upload_mb": 1}}
    async with (
        rig(tmp_path / "small", sections=sections) as r,
        served(r, tmp_path / "small") as page,
        Tab(page, r) as tab,
    ):
        host, port = page.url.removeprefix("http://").split(":")
        cookie = "; ".join(f"{name}={value}" for name, value in tab.client.cookies.items())
        for path, size in (("/uploads", 2**20 + 1), ("/masks?source=x", 2**30), ("/jobs/x/cancel", 2**20 + 1)):
            reader, writer = await asyncio.open_connection(host, int(port))
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nContent-Length: {size}\r\n\r\n"
            writer.write(head.encode())
            async with asyncio.timeout(10):
                answer = await reader.readuntil(b"allowed.")
            assert b" 413 " in answer.splitlines()[0]
            assert b"at most 1 MB" in answer
            writer.close()
        large = np.random.default_rng(1).integers(0, 255, (700, 700, 3), np.uint8)
        answer = await tab.bring(file(Image.fromarray(large)))
        assert (answer.status_code, answer.text) == (413, "The picture is too large; at most 1 MB are allowed.")
        assert (await tab.bring(file(PHOTO, "JPEG"))).status_code == 200


async def test_I9_a_body_that_does_not_tell_its_size_ends_at_the_limit(face: Tab):
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 64 * 2**20:
            sent += 2**16
            yield b"\x89PNG\r\n\x1a\n" * 2**13

    answer = await face.client.post("/uploads", content=endless())
    assert answer.status_code == 413
    assert "at most 16 MB" in answer.text


async def test_I9_one_that_trickles_in_is_given_up(face: Tab, monkeypatch):
    monkeypatch.setattr(sources, "PATIENCE", 0.2)

    async def slowly():
        yield b"\x89PNG\r\n\x1a\n"
        await asyncio.sleep(1)
        yield b"more"

    answer = await face.client.post("/uploads", content=slowly())
    assert (answer.status_code, answer.text) == (409, sources.retouch.slow())


async def test_somebody_who_brings_hundreds_is_asked_to_wait_and_others_are_not(face: Tab, monkeypatch):
    for _ in range(sources.MOST):
        await face.bring(b"")
    answer = await face.bring(file(PHOTO))
    assert answer.status_code == 409
    assert "wait a little" in answer.text
    async with Tab(face.page, face.bench) as other:
        assert (await other.bring(file(PHOTO))).status_code == 200


# Whose they are


async def test_P6_what_one_brings_nobody_else_sees_or_uses(face: Tab):
    brought = (await face.bring(cut())).json()
    async with Tab(face.page, face.bench) as other:
        for image in brought.values():
            for path in ("picture", "thumb"):
                assert (await other.client.get(f"/{path}/{image}")).status_code == 404
            assert (await other.bring(file(PHOTO), source=image)).status_code == 403
            assert (await other.bring(b"", source=image, region="left")).status_code == 403
            for field in ("source", "reference"):
                (notice,) = await other.fire("imagine", "click", other.form(prompt="a frog", pictures={field: image}))
                assert "trouble" in notice
        own = (await other.bring(file(PHOTO))).json()["image"]
        held = {"source": own, "mask": brought["mask"]}
        (notice,) = await other.fire("imagine", "click", other.form(prompt="a frog", pictures=held))
        assert "trouble" in notice
    assert not face.bench.pool.works


async def test_P6_a_picture_that_was_made_from_one_that_was_brought_shows_neither_to_others(face: Tab):
    source = (await face.bring(file(PHOTO))).json()["image"]
    await asks(face, source=source)
    face.bench.pool.finish()
    await shows(face, "Done in")
    assert f"thumb/{source}" in face.parts["stage"]
    assert (await face.client.get(f"/thumb/{source}")).status_code == 200
    assert source not in await face.stranger_sees()


async def test_I7_no_path_is_taken_from_a_browser(face: Tab, tmp_path):
    secret = tmp_path / "secret.png"
    PHOTO.save(secret)
    for value in (str(secret), {"path": str(secret), "meta": {"_type": "gradio.FileData"}}, ["x"]):
        for field in ("source", "mask", "reference"):
            held = {"source": "ab" * 32, field: value}
            try:
                (notice,) = await face.fire("imagine", "click", face.form(prompt="a frog", pictures=held))
                assert "trouble" in notice
            except AssertionError as error:
                assert "success" in str(error)
    for path in (f"/picture/{secret}", "/picture/..%2f..%2fsecret.png", "/thumb/..%2fsecret.png"):
        assert (await face.client.get(path)).status_code == 404
    for source in (str(secret), "../secret", "", "\0"):
        answer = await face.bring(b"", source=source, region="left")
        assert answer.status_code in (403, 409)
    assert not face.bench.pool.works


async def test_I7_gradio_takes_no_files(face: Tab, tmp_path):
    for path in ("/gradio_api/upload", "/upload"):
        answer = await face.client.post(path, files={"files": ("x.png", file(PHOTO), "image/png")})
        assert answer.status_code == 404
    assert not [path for path in (tmp_path / "web").rglob("*") if path.is_file()]


async def test_without_cookies_and_without_the_password_nothing_is_taken(bench, tmp_path):
    async with served(bench, tmp_path, "let me in") as page:
        tab = Tab(page, bench)
        assert (await tab.bring(file(PHOTO))).status_code == 401
        await tab.client.aclose()
    async with served(bench, tmp_path) as page:
        tab = Tab(page, bench)
        answer = await tab.bring(file(PHOTO))
        assert answer.status_code == 403
        assert "cookies" in answer.text
        await tab.client.aclose()


async def test_a_picture_that_lapsed_is_told_from_somebody_elses(face: Tab):
    pictures = {"source": "ab" * 32}
    (notice,) = await face.fire("imagine", "click", face.form(prompt="a frog", pictures=pictures))
    assert "choose it again" in plain(notice)


# More of a finished picture


@pytest.mark.parametrize("verb", ["subtle", "strong", "zoom", "zoom2", "left", "right", "up", "down"])
async def test_more_is_made_of_one_of_several(face: Tab, verb):
    await face.ask("a frog steps:2 count:2 size:128x96")
    await until(face.bench.pool.working)
    face.bench.pool.finish()
    await shows(face, "2 pictures in")
    job = re.search(r'data-act="make" data-job="([^"]+)"', face.parts["stage"])[1]
    second = face.images()[1]
    assert (await face.press(verb, job, index="1")).status_code == 204
    await until(lambda: len(face.bench.pool.works) == 2)
    work = face.bench.pool.works[-1]
    if verb in ("subtle", "strong"):
        assert work.request["source"] == second
    else:
        source, mask = [await pixels(face, work.request[name]) for name in ("source", "mask")]
        kept = mask[..., 0] == 0
        assert 0.2 < kept.mean() < 0.6
        assert len(np.unique(source[kept].reshape(-1, 3), axis=0)) > 1


async def test_only_what_can_be_made_of_ones_own_picture_is_made(face: Tab):
    await paint(face, "a frog steps:2")
    job = re.search(r'data-act="make" data-job="([^"]+)"', face.parts["stage"])[1]
    for index in ("5", "x", "-1"):
        answer = await face.press("zoom", job, index=index)
        assert answer.status_code == (204 if index in ("x", "-1") else 409)
    assert (await face.press("explode", job)).status_code == 404
    async with Tab(face.page, face.bench) as other:
        assert (await other.press("upscale2", job)).status_code == 403
    assert (await face.press("upscale2", job)).status_code == 204


def test_an_enlarged_picture_offers_what_can_be_made_of_it():
    card = cards.done("job", Upscale(source="ab" * 32, factor=2), Done(("cd" * 32,), 0, 1.0))
    assert set(re.findall(r'data-verb="(\w+)"', card)) == {"upscale2", "upscale4"}
    assert set(re.findall(r'data-act="(\w+)"', card)) == {"make", "use", "forget"}
    assert "data-slot" in card
