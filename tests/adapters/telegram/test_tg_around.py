"""More of what is around a picture: zooming out and looking to a side, from a row that opens below the card."""

from __future__ import annotations

import pytest
from PIL import Image
from tg_fronts import house
from tg_scenes import calm, choose, data, finishes, jobs, painted, rows, soon, user

from realbot.jobs import Generate

FOX = "a red fox seed:7 steps:4 size:128x128"
AROUND = [["Zoom out ×1.5", "Zoom out ×2"], ["↑ Up"], ["← Left", "Right →"], ["↓ Down"], ["‹ Back"]]


@pytest.fixture
async def home(api, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        yield home


async def canvas(home, number: int = 2) -> tuple[Generate, Image.Image, Image.Image]:
    """The request of the last of so many jobs, the picture it begins with and its mask."""
    await soon(lambda: len(home.easel.works) == number, "nothing is painted")
    job = jobs(home)[-1]
    assert isinstance(job.request, Generate)
    source, mask = [
        Image.open(await home.studio.picture(job.user, image)) for image in (job.request.source, job.request.mask)
    ]
    return job.request, source.convert("RGB"), mask.convert("L")


async def original(home, index: int = 0) -> Image.Image:
    """A picture of the first job."""
    job = jobs(home)[0]
    return Image.open(await home.studio.picture(job.user, job.status.images[index])).convert("RGB")


@pytest.mark.parametrize(("label", "side"), [("Zoom out ×1.5", 192), ("Zoom out ×2", 256)])
async def test_zooming_out_keeps_the_picture_in_the_middle(home, anna, label, side):
    card = await painted(home, anna, FOX)
    await choose(anna, card, "More around it", label)
    request, source, mask = await canvas(home)
    assert source.size == mask.size == (side, side)
    edge = (side - 128) // 2
    inner = (edge, edge, edge + 128, edge + 128)
    assert source.crop(inner).tobytes() == (await original(home)).tobytes()
    assert mask.crop(inner).getextrema()[0] == 0
    assert mask.getpixel((2, 2)) == 255
    assert (request.prompt, request.count) == ("a red fox", 1)
    assert request.seed != 7
    await finishes(home)
    # How large the part was that the model saw is not the size of the picture.
    assert anna.chat.last.words.splitlines()[1].startswith("4 steps · Euler · partly painted anew · seed")
    assert anna.chat.last.reply_to is card


@pytest.mark.parametrize(
    ("label", "kept", "where"),
    [
        ("← Left", (0, 0, 64, 128), (64, 0, 128, 128)), ("Right →", (64, 0, 128, 128), (0, 0, 64, 128)),
        ("↑ Up", (0, 0, 128, 64), (0, 64, 128, 128)), ("↓ Down", (0, 64, 128, 128), (0, 0, 128, 64)),
    ],
)  # fmt: skip
async def test_looking_to_a_side_keeps_the_half_that_stays(home, anna, label, kept, where):
    card = await painted(home, anna, FOX)
    await choose(anna, card, "More around it", label)
    _, source, mask = await canvas(home)
    assert source.size == (128, 128)
    assert source.crop(where).tobytes() == (await original(home)).crop(kept).tobytes()
    left, top, right, bottom = where
    assert mask.getpixel(((left + right) // 2, (top + bottom) // 2)) == 0
    assert mask.getpixel((127 - (left + right) // 2, 127 - (top + bottom) // 2)) == 255


async def test_the_row_opens_in_place_and_goes_back(home, anna):
    card = await painted(home, anna, FOX)
    usual, told = rows(card), card.words
    await anna.press(card, "More around it")
    assert rows(card) == AROUND
    await anna.press(card, "‹ Back")
    assert (rows(card), card.words) == (usual, told)
    assert len(anna.chat.told) == 1


async def test_each_of_several_pictures_has_more_around_it(home, anna):
    await painted(home, anna, f"{FOX} count:3")
    below = anna.chat.last
    await choose(anna, below, "🖼 2", "More around it")
    assert rows(below) == AROUND
    await anna.press(below, "‹ Back")
    assert rows(below)[0] == ["Picture 2"]
    await choose(anna, below, "More around it", "Zoom out ×2")
    _, source, _ = await canvas(home)
    assert source.crop((64, 64, 192, 192)).tobytes() == (await original(home, 1)).tobytes()


async def test_the_limits_of_the_place_hold(home, api, anna):
    group = api.supergroup("foxes", anna)
    await home.studio.rule(f"telegram:{group.id}", user(anna), limits={"max_side": 160})
    card = await painted(home, anna, f"/imagine {FOX}", group)
    await choose(anna, card, "More around it", "Zoom out ×2")
    _, source, _ = await canvas(home)
    assert source.size == (160, 160)


async def test_P1_P3_foreign_forged_and_stale_presses_paint_nothing(home, api, anna, bert):
    group = api.supergroup("foxes", anna, bert)
    card = await painted(home, anna, f"/imagine {FOX}", group)
    opener = data(card, "More around it")
    assert (await bert.forge(card, opener)).alert
    assert rows(card) != AROUND
    await anna.press(card, "More around it")
    ids = [key["callback_data"] for key in card.buttons]
    for pressed in ids:
        answer = await bert.forge(card, pressed)
        assert answer.alert
        assert "Only the person" in answer.text
    elsewhere = await painted(home, anna, "a ball steps:4")
    for pressed in ids:
        assert (await anna.forge(elsewhere, pressed)).text == "This button belongs to another place."
    assert (await anna.forge(card, "r1:AAAAAAAAAAAAAAAA")).alert
    await home.studio.forget(user(anna), jobs(home)[0].id)
    for pressed in ids:
        assert (await anna.forge(card, pressed)).alert
    await calm(0.1)
    assert len(home.easel.works) == 2
