"""What a dear request costs, asked on the web page: over HTTP, and in a real browser."""

from __future__ import annotations

import re

import httpx
import pytest
from browsing import DESKTOP, PHONE, Person
from easel import easel

from realbot.eta import Features
from realbot.jobs import Generate
from studios import rig, until


@pytest.fixture
async def bench(tmp_path):
    sections = {"limits": {"quote_seconds": 60, "per_day": 10}}
    async with rig(tmp_path, pool=easel(tmp_path), sections=sections) as bench:
        usual = bench.studio.usual(Generate(prompt="x", steps=10))
        for _ in range(5):
            bench.studio._timings.record(Features.of(usual), {"denoise": 20.0})
        yield bench


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_a_dear_request_is_painted_when_its_person_agrees(browser, bench, url, size):
    async with Person(browser, url, size) as person:
        page, question = person.page, person.page.locator(".quote")
        await person.imagine("a castle steps:60 count:2")
        await question.wait_for()
        text = await question.inner_text()
        for part in (
            "a castle",
            "Painting this takes about 3–5 min.",
            "Next in line, ready in about 3–5 min.",
            "It counts as 2 of the 10 pictures that you have left in 24 hours.",
        ):
            assert part in text
        assert not bench.pool.works
        await question.get_by_role("button", name="Leave it").click()
        await question.wait_for(state="detached")
        await person.imagine("a castle steps:60 count:2")
        await question.get_by_role("button", name="Paint it").click()
        await until(bench.pool.working)
        await question.wait_for(state="detached")
        assert (bench.pool.works[0].request["prompt"], bench.pool.works[0].request["steps"]) == ("a castle", 60)
        await page.locator("#foot").get_by_text("8 of 10 pictures left in 24 hours").wait_for()


async def test_a_button_of_a_card_asks_too(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        await person.imagine("a hut steps:4")
        await until(bench.pool.working)
        bench.pool.finish()
        await person.see("Done in")
        for _ in range(30):
            usual = bench.studio.usual(Generate(prompt="x", steps=10))
            bench.studio._timings.record(Features.of(usual), {"denoise": 2000.0})
        await person.page.evaluate("document.querySelector('#stage [data-verb=strong]').click()")
        await person.page.locator(".quote").get_by_role("button", name="Paint it").click()
        await until(lambda: len(bench.pool.works) == 2)


async def test_what_was_agreed_to_is_taken_once_and_by_its_person_alone(bench, face):
    (notice,) = await face.fire("imagine", "click", face.form(prompt="a castle steps:60"))
    found = re.search(r'data-quote="([^"]+)"', notice)
    assert found is not None
    async with httpx.AsyncClient(base_url=face.page.url) as stranger:
        await stranger.get("/")
        assert (await stranger.post(f"/quotes/{found[1]}")).status_code == 403
    assert (await face.client.post(f"/quotes/{found[1]}")).status_code == 204
    assert (await face.client.post(f"/quotes/{found[1]}")).status_code == 409
    assert (await face.client.post("/quotes/nothing")).status_code == 409
    await until(bench.pool.working)
    assert len(bench.studio._jobs) == 1
