"""Editing in a real browser: pictures to start from, masks that are drawn, looks, and more of a finished picture."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from browsing import DESKTOP, PHONE, Person
from PIL import Image
from visiting import served

from drawing import photo
from realbot.app import opened
from realbot.engine.models import REFERENCE_WEIGHT
from studios import settings, until

WIDE = photo(3, (300, 200))
#: How much of the left and of the right half of a canvas is drawn on.
SHARES = """canvas => {
    const pen = canvas.getContext('2d'), half = canvas.width / 2, seen = [0, 0];
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length / 4; i++) seen[i % canvas.width < half ? 0 : 1] += data[i * 4 + 3] / 255;
    return seen.map(n => n / (half * canvas.height));
}"""


def file(picture: Image.Image, kind: str = "PNG", **options: object) -> dict[str, object]:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return named(out.getvalue(), kind.lower())


def named(data: bytes, kind: str = "png") -> dict[str, object]:
    return {"name": f"picture.{kind}", "mimeType": f"image/{kind}", "buffer": data}


class Painter(Person):
    """Somebody who edits."""

    def slot(self, name: str, rest: str = ""):
        return self.page.locator(f".slot[data-slot={name}] {rest}")

    async def bring(self, slot: str, what: dict[str, object]) -> None:
        await self.slot(slot, "[type=file]").set_input_files(what)

    async def open(self) -> dict[str, float]:
        """Open the sheet; where it lies."""
        await self.slot("source", "[data-do=mark]").click()
        await self.page.locator("#retouch[open]").wait_for()
        return await self.page.locator("#retouch canvas").bounding_box()

    async def drag(self, box: dict[str, float], *points: tuple[float, float]) -> None:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        await self.page.mouse.move(*places[0])
        await self.page.mouse.down()
        for place in places[1:]:
            await self.page.mouse.move(*place, steps=6)
        await self.page.mouse.up()

    async def tool(self, name: str) -> None:
        await self.page.locator("#retouch").get_by_role("button", name=name, exact=True).click()

    async def take(self) -> None:
        await self.tool("Use this")
        await self.page.locator("#retouch[open]").wait_for(state="detached")

    async def sentence(self) -> str:
        trouble = self.page.locator(".pictures > .trouble")
        await trouble.wait_for()
        return await trouble.inner_text()

    async def fits(self) -> None:
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        wide = "e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1"
        assert not await self.page.evaluate(f"[...document.querySelectorAll('#desk *')].filter({wide}).length")


def work(bench) -> SimpleNamespace:
    """What the engine paints: the request, and the pictures it begins with."""
    one = bench.pool.works[-1]
    arrays = {}
    for name in ("source", "mask", "reference"):
        if one.request[name]:
            with Image.open(one.files[one.request[name]]) as picture:
                arrays[name] = np.asarray(picture.convert("L"))
    return SimpleNamespace(request=one.request, **arrays)


async def painted(person: Painter, bench) -> SimpleNamespace:
    before = len(bench.pool.works)
    await person.imagine("a frog steps:2")
    await until(lambda: len(bench.pool.works) > before)
    found = work(bench)
    bench.pool.finish()
    await person.page.locator("#stage .done").wait_for()
    return found


async def test_what_is_drawn_with_brush_eraser_and_box_is_the_mask(browser, bench, url):
    async with Painter(browser, url, DESKTOP) as person:
        await person.bring("source", file(WIDE))
        box = await person.open()
        assert box["width"] / box["height"] == pytest.approx(1.5, rel=0.01)
        await person.drag(box, (0.2, 0.5), (0.8, 0.5))
        await person.tool("Eraser")
        await person.drag(box, (0.5, 0.3), (0.5, 0.7))
        await person.tool("Box")
        await person.drag(box, (0.1, 0.1), (0.3, 0.3))
        await person.drag(box, (0.7, 0.7), (0.9, 0.9))
        await person.tool("Undo")
        await person.take()
        await person.slot("source", "canvas").wait_for()
        mask = (await painted(person, bench)).mask > 127
        assert mask.shape == (200, 300)
        assert mask[96:104, 70:130].all()
        assert not mask[:, 148:152].any()
        assert mask[22:58, 32:88].all()
        assert not mask[150:].any()
        assert 0.08 < mask.mean() < 0.2


async def test_the_tint_on_the_form_is_the_mask_that_is_sent(browser, bench, url):
    async with Painter(browser, url, DESKTOP) as person:
        await person.bring("source", file(WIDE))
        box = await person.open()
        await person.tool("Box")
        await person.drag(box, (0.5, 0), (1, 1))
        await person.tool("Invert")
        await person.take()
        canvas = person.slot("source", "canvas")
        await person.page.wait_for_function("document.querySelector('[data-slot=source] canvas').width > 1")
        left, right = await canvas.evaluate(SHARES)
        assert left == pytest.approx(1, abs=0.02)
        assert right == pytest.approx(0, abs=0.02)
        mask = (await painted(person, bench)).mask
        assert mask[:, :145].min() == 255
        assert mask[:, 155:].max() == 0
        # Opened again, the sheet holds it; cleared, nothing is marked any more.
        await person.open()
        await person.tool("Clear")
        await person.take()
        assert (await painted(person, bench)).request["mask"] is None


async def test_a_finger_draws_on_a_phone_and_nothing_scrolls(browser, bench, url):
    async with Painter(browser, url, PHONE) as person:
        await person.bring("source", file(WIDE.transpose(Image.Transpose.ROTATE_90)))
        box = await person.open()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        before = await person.page.evaluate("scrollY")
        session = await person.context.new_cdp_session(person.page)
        at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * 0.5) for x in (0.3, 0.4, 0.5, 0.6, 0.7)]
        for kind, point in [("touchStart", at[0]), *(("touchMove", place) for place in at[1:]), ("touchEnd", None)]:
            points = [{"x": point[0], "y": point[1]}] if point else []
            await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        for name in ("Use this", "Cancel", "Undo", "Invert", "Clear", "Brush", "Eraser", "Box"):
            button = await person.page.locator("#retouch").get_by_role("button", name=name, exact=True).bounding_box()
            assert button["x"] >= 0
            assert button["x"] + button["width"] <= PHONE["width"]
            assert button["y"] + button["height"] <= PHONE["height"]
            assert button["height"] >= 38
        assert await person.page.evaluate("scrollY") == before
        await person.take()
        await person.fits()
        mask = (await painted(person, bench)).mask > 127
        assert mask.shape == (300, 200)
        assert mask[146:154, 64:136].all()
        assert mask.mean() < 0.1


async def test_a_keyboard_is_enough_to_mark_a_part(browser, bench, url):
    async with Painter(browser, url, DESKTOP) as person:
        page = person.page
        await person.bring("source", file(WIDE))
        await person.slot("source", ".held img").wait_for()
        await person.slot("source", "[data-do=mark]").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog", name="Paint over what is to change").wait_for()
        surface = page.get_by_role("application", name="arrow keys move the brush")
        assert await surface.evaluate("e => e === document.activeElement")
        await page.keyboard.press("Space")
        for _ in range(5):
            await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Space")
        await page.keyboard.press("Shift+ArrowDown")
        seen = []
        for _ in range(9):
            await page.keyboard.press("Tab")
            tell = "(e => e.textContent.trim().split('\\n')[0] || e.type)(document.activeElement)"
            seen.append(await page.evaluate(tell))
        assert seen[:4] == ["Brush", "Eraser", "Box", "range"]
        assert seen[5:] == ["Undo", "Invert", "Clear", "Cancel"]
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.locator("#retouch[open]").wait_for(state="detached")
        assert await page.evaluate("document.activeElement.dataset.do") == "mark"
        mask = (await painted(person, bench)).mask > 127
        assert mask[100, 150:180].all()
        assert not mask[100, 200:].any()
        await person.open()
        await page.keyboard.press("Escape")
        await page.locator("#retouch[open]").wait_for(state="detached")
        assert "marked" in await person.slot("source").get_attribute("class")


async def test_a_part_in_words_is_asked_for_in_words_until_it_is_changed(browser, bench, url):
    async with Painter(browser, url, DESKTOP) as person:
        await person.bring("source", file(WIDE))
        box = await person.open()
        await person.page.get_by_label("Choose a part").select_option(label="Left half")
        await until_tinted(person)
        await person.take()
        found = await painted(person, bench)
        assert found.request["region"] == "left"
        assert found.mask[:, :150].min() == 255
        box = await person.open()
        await person.drag(box, (0.8, 0.5), (0.9, 0.5))
        await person.take()
        found = await painted(person, bench)
        assert found.request["region"] is None
        assert found.mask[:, :150].min() == 255
        assert found.mask[100, 245:265].min() == 255


async def until_tinted(person: Painter) -> None:
    await person.page.wait_for_function("""(canvas => canvas.getContext('2d').getImageData(2, 2, 1, 1).data[3] > 0)
        (document.querySelector('#retouch canvas'))""")


async def test_a_cut_out_picture_is_marked_at_once_and_a_look_has_its_weight(browser, bench, url):
    async with Painter(browser, url, DESKTOP) as person:
        clear = WIDE.convert("RGBA")
        clear.paste((0, 0, 0, 0), (0, 0, 100, 200))
        await person.bring("source", file(clear))
        await person.page.get_by_text("What is tinted is painted anew").wait_for()
        assert await person.slot("source", "output").inner_text() == "1"
        await person.slot("source", "[type=range]").fill("0.8")
        await person.bring("reference", file(WIDE.convert("L"), "JPEG"))
        assert await person.slot("reference", "output").inner_text() == str(REFERENCE_WEIGHT)
        await person.page.get_by_label("Weight of the look").fill("0.65")
        found = await painted(person, bench)
        assert found.mask[:, :100].min() == 255
        assert found.mask[:, 100:].max() == 0
        assert (found.request["strength"], found.request["reference_weight"]) == (0.8, 0.65)
        for name in ("Start without this picture", "Paint without this look"):
            await person.page.get_by_role("button", name=name).click()
        request = (await painted(person, bench)).request
        assert {name: request[name] for name in ("source", "mask", "reference", "strength")} == dict.fromkeys(
            ("source", "mask", "reference", "strength")
        )
        assert request["width"] == request["height"]


FRAMES = [Image.new("RGB", (64, 64), name) for name in ("red", "blue")]


async def test_I6_a_file_that_cannot_be_taken_is_one_sentence_under_the_prompt(browser, bench, url):
    async with Painter(browser, url, PHONE) as person:
        sent = []
        person.page.on("request", lambda request: sent.append(request.url))
        bad = [
            (file(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), "The picture moves"),
            (named(file(WIDE)["buffer"][:3000]), "damaged or incomplete"),
            (named(b"GIF89a nothing"), "not a PNG, JPEG or WebP"),
            (named(bytes(16 * 2**20 + 1)), "too large; at most 16 MB"),
        ]
        for slot in ("source", "reference"):
            for what, words in bad:
                await person.bring(slot, what)
                await person.page.locator(".pictures > .trouble", has_text=words).wait_for()
                assert (await person.sentence()).count(".") == 1
                assert not await person.page.get_by_role("button", name="Imagine", exact=True).is_disabled()
        assert len([url for url in sent if "/uploads" in url]) == 6
        await person.fits()
        await person.bring("source", file(WIDE))
        await person.slot("source", ".held img").wait_for()
        assert not await person.page.locator(".pictures > .trouble").is_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_more_is_made_of_the_chosen_one_of_several(browser, bench, url, size):
    async with Painter(browser, url, size) as person:
        page = person.page
        await person.imagine("a frog steps:2 count:3 seed:4 size:128x96")
        await until(bench.pool.working)
        bench.pool.finish()
        menu = page.locator("#stage .menu")
        await menu.get_by_text("Make more of it").click()
        await menu.get_by_label("Picture 3").check(force=True)
        await person.fits()
        images = await page.locator("#stage .shot").evaluate_all("all => all.map(one => one.dataset.key)")
        await menu.get_by_role("button", name="Start from it").click()
        await page.wait_for_function("scrollY === 0")
        await menu.get_by_label("Picture 2").check(force=True)
        await menu.get_by_role("button", name="Take its look").click()
        await person.slot("reference", ".held img").wait_for()
        await person.fits()
        request = (await painted(person, bench)).request
        assert (request["source"], request["reference"]) == (images[2], images[1])
        assert (request["width"], request["height"]) == (144, 112) or request["width"] > request["height"]
        await page.locator(".tile").last.click()
        menu = page.locator("#viewer .menu")
        await menu.get_by_text("Make more of it").click()
        await menu.get_by_role("button", name="Vary a little").click()
        await until(lambda: len(bench.pool.works) == 3)
        assert bench.pool.works[-1].request["strength"] == 0.35
        bench.pool.finish()
        await page.locator("#viewer[open]").wait_for(state="detached")


async def test_an_unfolded_menu_stays_so_when_the_card_changes_and_an_enlarged_picture_keeps_its_shape(
    browser, bench, url
):
    async with Painter(browser, url, DESKTOP) as person:
        page = person.page
        await person.imagine("a frog steps:2 size:160x96")
        await until(bench.pool.working)
        bench.pool.finish()
        await page.locator("#stage summary").click()
        await person.press("Favourite")
        await page.locator("#stage").get_by_text("★").wait_for()
        assert await page.locator("#stage .menu").get_attribute("open") is not None
        box = await page.locator("#stage .shot").bounding_box()
        assert box["width"] / box["height"] == pytest.approx(160 / 96, rel=0.02)


@pytest.mark.slow
async def test_with_the_bundled_model_a_mark_a_look_and_a_wider_view(browser, tmp_path):
    """Through the process of the engine: outside the mark each pixel stays, the look moves the picture."""
    paths = {"data": tmp_path / "data", "styles": tmp_path / "styles"}
    async with (
        opened(settings(paths=paths, engine={"threads": 1}), grace=0.0) as studio,
        served(SimpleNamespace(studio=studio), tmp_path) as page,
        Painter(browser, page.url, PHONE) as person,
    ):
        person.page.set_default_timeout(200_000)
        first = await seen(person, "a red apple on a blue background steps:8 seed:3")
        await person.page.locator("#stage summary").click()
        await person.press("Start from it")
        box = await person.open()
        await person.tool("Box")
        await person.drag(box, (0, 0), (0.5, 1))
        await person.take()
        second = await seen(person, "a red apple on a yellow background steps:8 seed:3")
        assert second.shape == first.shape
        assert np.array_equal(second[:, 65:], first[:, 65:])
        red, green, blue = second[4:40, 4:30].reshape(-1, 3).mean(0)
        assert min(red, green) > 120 > blue
        await person.page.get_by_role("button", name="Start without this picture").click()

        await person.bring("reference", file(Image.effect_noise((128, 128), 90)))
        await person.slot("reference", ".held img").wait_for()
        looked = await seen(person, "a red apple on a blue background steps:8 seed:3")
        assert looked.shape == first.shape
        assert np.abs(looked - first).mean() > 2
        await person.page.get_by_role("button", name="Paint without this look").click()

        await person.page.locator("#stage summary").click()
        wide = await seen(person, None, "Zoom out ×1.5")
        edges = [(side - 128) // 2 for side in wide.shape[:2]]
        assert min(edges) > 20
        assert np.array_equal(wide[edges[0] : edges[0] + 128, edges[1] : edges[1] + 128], looked)
        await person.page.locator("#stage summary").click()
        beside = await seen(person, None, "Right →")
        half = wide.shape[1] // 2
        assert np.array_equal(beside[:, :half], wide[:, half:])
        await person.fits()


async def seen(person: Painter, prompt: str | None, button: str = "") -> np.ndarray:
    """Paint, and the pixels of what then stands on the page."""
    page = person.page
    shown = "document.querySelector('#stage .shot img')?.currentSrc || ''"
    before = await page.evaluate(shown)
    if prompt is None:
        await person.press(button)
    else:
        await person.imagine(prompt)
    await page.wait_for_function(f"before => ({shown}) && ({shown}) !== before", arg=before)
    answer = await page.request.get(await page.evaluate(shown))
    return np.asarray(Image.open(io.BytesIO(await answer.body())).convert("RGB")).astype(int)
