"""Veiled and withheld pictures on the page, in a real browser and in one without a screen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, Person
from easel import easel
from visiting import Tab, served

from judges import Judge
from realbot.jobs import Job, Origin, User
from studios import rig, until


class Office:
    """Somebody elsewhere who can be asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def reaches(self, origin: Origin) -> bool:
        return True

    async def open(self) -> None:
        pass

    async def redraw(self, job: Job) -> None:
        pass

    async def consult(self, job: Job) -> None:
        self.asked.append(job.id)

    async def retract(self, place: str, message: str) -> None:
        pass

    async def alarm(self, *, down: bool) -> None:
        pass


@pytest.fixture
def sections(request):
    return {"safety": {"checker": "judge", **getattr(request, "param", {})}}


@pytest.fixture
def judge():
    return Judge(0.95)


@pytest.fixture
async def bench(tmp_path, sections, judge):
    async with rig(tmp_path, pool=easel(tmp_path), sections=sections, classifier=judge) as bench:
        yield bench


def keep(page, name: str):
    """A screenshot, where somebody wants to look at them."""
    folder = os.environ.get("SCREENSHOTS")
    return page.screenshot(path=str(Path(folder) / f"{name}.png")) if folder else _nothing()


async def _nothing() -> None:
    pass


async def paints(person, bench, text="a red apple on a blue background steps:4 seed:7"):
    await person.imagine(text)
    await until(bench.pool.working)
    bench.pool.finish()


BLURRED = "getComputedStyle(document.querySelector('.shot img')).filter.includes('blur')"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_a_picture_behind_a_spoiler_is_blurred_until_it_is_pressed(browser, bench, url, size):
    async with Person(browser, url, size) as person:
        page = person.page
        await paints(person, bench)
        await person.see("Done in")
        await page.wait_for_function("document.querySelector('.shot img').naturalWidth == 128")
        assert await page.evaluate(BLURRED)
        assert await page.evaluate("getComputedStyle(document.querySelector('.tile img')).filter.includes('blur')")
        await page.locator(".tile").wait_for()
        await keep(page, f"veiled-{size['width']}")
        await page.locator("#stage .shot").click()
        assert not await page.evaluate(BLURRED)
        assert len(person.context.pages) == 1, "the first press only shows it"
        await person.press("Favourite")
        await page.locator(".star").wait_for()
        assert not await page.evaluate(BLURRED), "what was shown stays so"
        async with person.context.expect_page():
            await page.locator("#stage .shot").click()


@pytest.mark.parametrize("sections", [{"private_unsafes": "withhold"}], indirect=True)
async def test_a_withheld_picture_cannot_be_loaded_and_an_appeal_brings_it_back(browser, bench, url):
    office = bench.studio.safety.windows["telegram"] = Office()
    async with Person(browser, url, DESKTOP) as person:
        page = person.page
        await paints(person, bench)
        await person.see("is withheld")
        assert await page.locator(".shot").count() == 0
        await page.locator(".tile").get_by_text("withheld").wait_for()
        await keep(page, "withheld")
        (job,) = await _latest(bench)
        await person.press("Ask a moderator")
        await person.see("asked to have a look")
        await until(lambda: office.asked == [job])
        assert await page.locator("#stage").get_by_role("button", name="Ask a moderator").count() == 0
        await bench.studio.safety.decide(User("telegram", "1"), job, release=True)
        await page.locator("#stage .shot.veiled").wait_for()
        await bench.studio.safety.decide(User("telegram", "1"), job, release=False)
        await person.see("stays withheld")


async def _latest(bench) -> list[str]:
    found = await bench.store._writer.run(lambda db: db.execute_fetchall("SELECT id FROM jobs"), write=False)
    return [row["id"] for row in found]


@pytest.mark.parametrize("sections", [{"private_unsafes": "withhold"}], indirect=True)
async def test_no_address_leads_to_a_withheld_picture(bench, tmp_path):
    async with served(bench, tmp_path) as page, Tab(page, bench) as tab:
        await tab.ask("a red apple steps:4")
        await until(bench.pool.working)
        bench.pool.finish()
        await until(lambda: "withheld" in tab.parts.get("stage", ""))
        (job,) = await _latest(bench)
        row = await bench.store.row(job)
        assert row is not None
        (image,) = row.images
        assert image not in "".join(tab.parts["stage"])
        for path in (f"/picture/{image}", f"/picture/{image}?download", f"/thumb/{image}"):
            assert (await tab.client.get(path)).status_code == 404
        card = await tab.client.get(f"/card/{job}")
        assert image not in card.text
        refused = await tab.client.post(f"/jobs/{job}/appeal", data={})
        assert refused.status_code == 409, "nobody can be asked"
        assert (await tab.client.post(f"/jobs/{job}/upscale2", data={})).status_code == 409
