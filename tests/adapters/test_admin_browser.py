"""The page of whoever runs this bot in a real browser, on a desktop and on a phone."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from browsing import DESKTOP, PHONE, until_async
from visiting import served

from realbot.overview import Sample
from studios import until

SECRET = "open-sesame-canary"


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
async def test_looking_after_a_bot(browser, bench, tmp_path, size, scheme):
    async with served(bench, tmp_path, admin=SECRET) as home:
        now = time.time()
        bench.studio.overview.samples.extend(
            Sample(now - 20 * (60 - n), n % 9, 4.0 + n % 5, 2.0, 0.2 if n % 4 else None) for n in range(60)
        )
        for n in range(4):
            await bench.ask(f"a frog {n}", steps=8)
        await until(bench.pool.working)
        bench.pool.step(4)
        context = await browser.new_context(viewport=size, color_scheme=scheme, locale="en")
        page = await context.new_page()
        foreign, errors = [], []
        page.on("request", lambda request: foreign.append(request.url) if outside(request.url) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda note: errors.append(note.text) if "Security Policy" in note.text else None)
        await page.goto(f"{home.url}/admin")
        await page.get_by_label("Password").fill("wrong")
        await page.get_by_role("button", name="Enter").click()
        await page.get_by_role("alert").get_by_text("not the password").wait_for()
        await page.get_by_label("Password").fill(SECRET)
        await page.get_by_role("button", name="Enter").click()

        await page.get_by_text("All is well").wait_for()
        await page.locator("#engines").get_by_text("Step 4 of 8").wait_for()
        assert await page.locator(".chart .curve").count() == 4
        assert await page.locator("#line tr").count() == 4
        assert await page.locator("#n-waiting").inner_text() == "3"
        box = await page.locator(".chart svg").first.bounding_box()
        await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
        await page.locator(".tip").first.get_by_text("·").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

        await page.get_by_role("button", name="Pause").click()
        await page.get_by_text("Painting is paused", exact=True).wait_for()
        await page.get_by_role("button", name="Go on").click()
        await page.get_by_role("button", name="Pause").wait_for()

        await page.get_by_role("button", name="Clear the line").click()
        await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        assert await page.locator("#line tr").count() == 4
        await page.get_by_role("button", name="Clear the line").click()
        await page.get_by_role("dialog").get_by_role("button", name="Yes").click()
        await page.get_by_text("3 requests were cancelled.").wait_for()
        await until_async(page.locator("#line tr").count, 1)

        bench.pool.step(6)
        await page.locator("#engines").get_by_text("Step 6 of 8").wait_for()
        await page.get_by_role("link", name="The page").click()
        await page.locator("#foot").get_by_role("link", name="How it goes").click()
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_role("button", name="Enter").wait_for()
        await page.goto(home.url)
        await page.locator("#foot").get_by_text("in process").wait_for()
        assert not await page.locator("#foot").get_by_role("link").count()
        await context.close()
        assert not foreign
        assert not errors


def outside(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname != "127.0.0.1"
