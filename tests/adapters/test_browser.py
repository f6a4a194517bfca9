"""The page in a real browser: what a person does on it, on a desktop and on a phone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, Person, until_async

from studios import settings, until


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_from_the_prompt_to_the_picture_to_its_recipe(browser, bench, url, size):
    async with Person(browser, url, size) as person:
        page = person.page
        await person.imagine("a red apple on a blue background steps:4 seed:7")
        await until(bench.pool.working)
        bench.pool.step(2)
        await person.see("Step 2 of 4")
        await page.locator(".preview").wait_for()
        assert await page.get_by_role("progressbar").get_attribute("aria-valuenow") == "50"
        bench.pool.finish()
        await person.see("Done in")
        image = page.locator(".shot img")
        await page.wait_for_function("document.querySelector('.shot img').naturalWidth == 128")
        assert await image.get_attribute("alt") == "a red apple on a blue background"
        box = await image.bounding_box()
        assert box["width"] > 300
        assert box["width"] == pytest.approx(box["height"], abs=2)
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        async with page.expect_download() as waiting:
            await page.get_by_role("link", name="Download").click()
        download = await waiting.value
        assert download.suggested_filename == "a-red-apple-on-a-blue-background-7.png"
        assert Path(await download.path()).read_bytes().startswith(b"\x89PNG")
        assert "seed:7" in await page.locator(".recipe code").inner_text()
        await page.locator(".tile img").wait_for()


async def test_cancel_and_a_refusal(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        await person.imagine("a red apple steps:4")
        await until(bench.pool.working)
        await person.press("Cancel")
        await person.see("Cancelled")
        await until(lambda: bench.pool.working() is None)
        await person.imagine("a red apple steps:many")
        await person.page.get_by_role("alert").get_by_text("steps:many").wait_for()
        assert len(bench.pool.works) == 1


async def test_styles_with_weights_and_the_settings(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        page = person.page
        for name, weight in (("ink", "0.5"), ("glow", "1.25")):
            row = page.locator(f".style[data-style={name}]")
            await row.locator("[type=checkbox]").check()
            await row.locator("[type=range]").fill(weight)
        await page.get_by_label("Landscape").check()
        await page.get_by_label("number input for Steps").fill("9")
        await page.get_by_label("Negative prompt").fill("blur")
        await page.get_by_label("Seed", exact=True).fill("77")
        await page.wait_for_function("document.querySelector('#lock input').checked")
        await person.imagine("a frog")
        await until(bench.pool.working)
        request = bench.pool.works[-1].request
        assert {use["name"]: use["weight"] for use in request["styles"]} == {"ink": 0.5, "glow": 1.25}
        assert request["width"] > request["height"]
        assert {"steps": 9, "negative": "blur", "seed": 77}.items() <= request.items()


async def test_the_same_again_offers_a_fresh_one(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        await person.imagine("a frog steps:2")
        await until(bench.pool.working)
        bench.pool.finish()
        await person.see("Done in")
        await person.imagine("a frog steps:2")
        await person.see("From your history")
        await person.press("Paint a fresh one")
        await until(lambda: len(bench.pool.works) == 2)
        bench.pool.finish()
        await person.see("Done in")
        await until_async(lambda: person.page.locator(".tile").count(), 2)


async def test_reuse_from_the_gallery_fills_the_form(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        page = person.page
        await person.imagine("a frog steps:9 seed:5 style:ink:0.5 size:160x96")
        await until(bench.pool.working)
        bench.pool.finish()
        await page.locator(".tile").click()
        await page.locator("#viewer").get_by_role("button", name="Reuse").click()
        await page.wait_for_function("document.querySelector('#prompt textarea').value == 'a frog'")
        await page.wait_for_function("document.querySelector('.style[data-style=ink] input').checked")
        assert await page.get_by_label("number input for Steps").input_value() == "9"
        assert await page.get_by_label("number input for Width").input_value() == "160"
        assert await page.get_by_label("Seed", exact=True).input_value() == "5"
        await page.get_by_role("button", name="Imagine", exact=True).click()
        await person.see("From your history")
        assert len(bench.pool.works) == 1


async def test_a_reload_shows_the_running_job_and_another_visitor_sees_nothing(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person, Person(browser, url, PHONE) as other:
        await person.imagine("a red apple steps:4")
        await until(bench.pool.working)
        bench.pool.step(1)
        await person.see("Step 1 of 4")
        await person.page.reload()
        await person.see("Step 1 of 4")
        assert "apple" not in await other.page.locator("#stage .card").all_inner_texts()
        assert not await other.page.locator("#stage .card").count()
        bench.pool.finish()
        await person.see("Done in")
        assert not await other.page.locator(".tile").count()


async def test_enter_paints_and_an_example_is_one_press(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        await person.page.locator(".chip").first.click()
        await until(bench.pool.working)
        example = bench.pool.works[-1].request["prompt"]
        assert re.search("background", example)
        bench.pool.finish()
        await person.see("Done in")
        await person.page.locator("#prompt textarea").fill("a frog")
        await person.page.locator("#prompt textarea").press("Enter")
        await until(lambda: len(bench.pool.works) == 2)
        assert bench.pool.works[-1].request["prompt"] == "a frog"


#: Brings the picture on the stage as a person's own file, by an event of the clipboard or of the mouse.
BRING = """async ([kind, slot]) => {
    const answer = await fetch(document.querySelector('#stage .shot img').src);
    const data = new DataTransfer();
    data.items.add(new File([await answer.blob()], '../x.png', { type: 'image/png' }));
    const event = kind === 'paste' ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true })
        : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector(`.slot[data-slot=${slot}] .add`).dispatchEvent(event);
}"""


async def test_a_picture_can_be_pasted_and_dropped(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        await person.imagine("a frog steps:2")
        await until(bench.pool.working)
        bench.pool.finish()
        await person.page.locator("#stage .shot").wait_for()
        for kind, slot in (("paste", "source"), ("drop", "reference")):
            await person.page.evaluate(BRING, [kind, slot])
            await person.page.locator(f".slot.full[data-slot={slot}] img").wait_for()
        await person.imagine("a dog steps:2")
        await until(lambda: len(bench.pool.works) == 2)
        request = bench.pool.works[-1].request
        assert request["source"]
        assert request["reference"]


async def test_the_sliders_follow_the_limits_when_the_page_is_opened_again(browser, bench, url):
    async with Person(browser, url, DESKTOP) as person:
        steps = person.page.get_by_label("number input for Steps")
        assert await steps.get_attribute("max") == "100"
        bench.studio.configure(settings(limits={"max_steps": 150, "max_side": 192}))
        await person.page.reload()
        await until_async(lambda: steps.get_attribute("max"), "150")
        assert await person.page.get_by_label("number input for Width").get_attribute("max") == "192"
        await steps.fill("120")
        await person.imagine("a frog")
        await until(bench.pool.working)
        assert bench.pool.works[-1].request["steps"] == 120
