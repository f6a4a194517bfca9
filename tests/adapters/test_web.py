"""The page over HTTP: a real server on loopback, a real studio, an engine in this process."""

from __future__ import annotations

import io
import re

import pytest
from contract import Contract, paint, shows
from PIL import Image
from visiting import Tab, plain

from realbot.adapters import words
from studios import until


class TestPage(Contract):
    """The scenarios of every front-end."""


# Fields


async def test_every_field_reaches_the_engine(face: Tab):
    fields = {"Width": 160, "Height": 96, "Steps": 9, "Guidance": 2.5, "True CFG": 1.5, "Pictures": 2}
    more = {"Negative prompt": "blur", "Scheduler": "unipc", "seed": "77", "lock": True}
    data = face.form(prompt="a frog", styles={"ink": 0.5, "glow": 1.25}, **fields, **more)
    assert (await face.fire("imagine", "click", data))[0] == ""
    await until(face.bench.pool.working)
    request = face.bench.pool.works[-1].request
    expected = {
        "prompt": "a frog",
        "width": 160,
        "height": 96,
        "steps": 9,
        "guidance": 2.5,
        "true_cfg": 1.5,
        "count": 2,
    }
    assert expected.items() <= request.items()
    assert {"negative": "blur", "scheduler": "unipc", "seed": 77}.items() <= request.items()
    assert [(use["name"], use["weight"]) for use in request["styles"]] == [("ink", 0.5), ("glow", 1.25)]


async def test_what_is_written_in_the_prompt_wins_over_the_fields(face: Tab):
    data = face.form(prompt="/imagine a frog steps:3 seed:5 --ar 2:1", Steps=9, seed="77", lock=True)
    await face.fire("imagine", "click", data)
    await until(face.bench.pool.working)
    request = face.bench.pool.works[-1].request
    assert (request["prompt"], request["steps"], request["seed"]) == ("a frog", 3, 5)
    assert request["width"] == pytest.approx(2 * request["height"], rel=0.1)


async def test_a_seed_that_is_not_kept_is_not_used(face: Tab):
    await face.fire("imagine", "click", face.form(prompt="a frog", seed="77", lock=False))
    await until(face.bench.pool.working)
    assert face.bench.pool.works[-1].request["seed"] != 77


async def test_emptied_fields_mean_the_defaults(face: Tab):
    data = face.form(prompt="a frog", styles=None, seed=None, lock=None, **{"Negative prompt": None, "Scheduler": None})
    assert (await face.fire("imagine", "click", data))[0] == ""
    await until(face.bench.pool.working)
    assert face.bench.pool.works[-1].request["steps"] == face.bench.studio.preset().steps


@pytest.mark.parametrize(
    "change", [{"seed": "many", "lock": True}, {"styles": {"ink": "heavy"}}, {"styles": {"oil": 1}}]
)
async def test_a_field_that_cannot_be_read_is_refused_in_a_sentence(face: Tab, change):
    (notice,) = await face.fire("imagine", "click", face.form(prompt="a frog", **change))
    assert 'class="trouble"' in notice
    assert re.search("many|heavy|oil", notice)
    assert not face.bench.pool.works


async def test_reuse_fills_the_form_so_that_it_asks_for_the_same(face: Tab):
    await paint(face, "a frog:of steps:9 seed:5 style:ink:0.5 size:160x96 scheduler:unipc no:blur")
    job = re.search(r'data-act="reuse" data-job="([^"]+)"', face.parts["stage"])[1]
    *fields, notice = await face.fire("board", "reuse", [], {"job": job})
    assert notice == ""
    await face.fire("imagine", "click", fields)
    await shows(face, "From your history")
    assert len(face.bench.pool.works) == 1


# Cards


async def test_a_fresh_one_is_offered_for_an_answer_from_before_and_paints_another(face: Tab):
    await paint(face, "a frog steps:4")
    await face.ask("a frog steps:4")
    await shows(face, words.LABELS["fresh"])
    assert (await face.press("fresh")).status_code == 204
    await until(lambda: len(face.bench.pool.works) == 2)
    first, second = (work.request for work in face.bench.pool.works)
    assert first["seed"] != second["seed"]
    assert {**first, "seed": 0} == {**second, "seed": 0}


async def test_previews_are_shown_while_it_is_painted_and_gone_afterwards(face: Tab):
    await face.ask("a frog on a green background steps:4")
    await until(face.bench.pool.working)
    face.bench.pool.step(2)
    await until(lambda: "preview/" in face.parts["stage"])
    path = re.search(r'src="(preview/[^"]+)"', face.parts["stage"])[1]
    answer = await face.client.get(path)
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (48, 48)
    face.bench.pool.finish()
    await shows(face, "Done in")
    assert (await face.client.get(path)).status_code == 404


async def test_the_gallery_holds_ones_own_pictures_and_finds_words(face: Tab):
    for prompt in ("a red apple steps:2", "a green frog steps:3"):
        await paint(face, prompt)
    await until(lambda: face.parts["gallery"].count('class="tile"') == 2)
    image, job = re.search(r'data-job="([^"]+)".*?thumb/(\w+)', face.parts["gallery"]).group(2, 1)
    thumb = await face.client.get(f"/thumb/{image}")
    assert Image.open(io.BytesIO(thumb.content)).format == "WEBP"
    card = (await face.client.get(f"/card/{job}")).text
    assert "green frog" in card
    assert "steps:3" in card
    async with Tab(face.page, face.bench, face.client.cookies) as tab:
        tab.live.cancel()
        tab.parts.clear()
        tab.look(search="apple")
        await until(lambda: "gallery" in tab.parts)
        assert tab.parts["gallery"].count('class="tile"') == 1
        assert "apple" in tab.parts["gallery"]


async def test_the_download_is_the_original_with_a_name_for_it(face: Tab):
    await paint(face, "a red apple steps:2 seed:7")
    link = re.search(r'href="(picture/\w+\?download)" download="([^"]+)"', face.parts["stage"])
    assert link[2] == "a-red-apple-7.png"
    answer = await face.client.get(link[1])
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.content.startswith(b"\x89PNG")


async def test_a_favourite_is_marked_and_unmarked(face: Tab):
    await paint(face, "a red apple steps:2")
    await face.press("favourite", on="1")
    await until(lambda: "★" in face.parts["gallery"])
    await face.press("favourite", on="")
    await until(lambda: "★" not in face.parts["gallery"])


async def test_a_deleted_picture_is_gone_everywhere(face: Tab):
    await paint(face, "a red apple steps:2")
    (image,) = face.images()
    await face.press("forget")
    await until(lambda: words.NOTHING_YET in face.parts["gallery"])
    await until(lambda: words.WELCOME in face.parts["stage"])
    assert (await face.client.get(f"/picture/{image}")).status_code == 404
    assert (await face.client.get(f"/thumb/{image}")).status_code == 404


async def test_a_prompt_is_text_and_never_markup(face: Tab):
    await paint(face, "<img src=x onerror=alert(1)> & \"quotes' steps:2")
    for part in ("stage", "gallery"):
        assert "<img src=x" not in face.parts[part]
        assert "&lt;img src=x" in face.parts[part]


async def test_several_jobs_stand_in_line_on_one_page(face: Tab):
    for number in range(3):
        await face.ask(f"apple number {number} steps:4")
    await until(face.bench.pool.working)
    await until(lambda: face.parts["stage"].count('class="turn"') == 2)
    assert "2nd in line" in plain(face.parts["stage"])
    face.bench.pool.finish()
    await until(lambda: face.parts["stage"].count('class="turn"') == 1)
    await until(lambda: face.parts["gallery"].count('class="tile"') == 1)


async def test_the_head_tells_the_device_and_the_line(face: Tab):
    await until(lambda: "in process" in face.parts["foot"])
    await face.ask("a frog steps:4")
    await until(lambda: "1 being painted" in face.parts["foot"])
