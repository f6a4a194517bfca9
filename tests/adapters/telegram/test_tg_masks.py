"""The part of a picture that is painted anew: drawn over it, cut out or told in words, and agreed to."""

from __future__ import annotations

import io

import pytest
from botapi_people import Actor
from botapi_world import Message
from PIL import Image, ImageDraw
from tg_fronts import House, house
from tg_scenes import asks, calm, finishes, jobs, soon, user

from realbot.jobs import Generate


@pytest.fixture
async def home(api, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        yield home


async def picture(home: House, anna: Actor) -> Message:
    """A finished picture of ours."""
    card = await asks(home, anna, "a ball on a blue background steps:4 size:256x256 seed:7")
    await finishes(home)
    return card


def drawn_over(data: bytes | None, box: tuple[int, int, int, int], colour: str = "yellow") -> bytes:
    """A copy with a closed stroke around the box, as a phone's editor sends it."""
    assert data is not None
    copy = Image.open(io.BytesIO(data)).convert("RGB")
    ImageDraw.Draw(copy).ellipse(box, outline=colour, width=7)
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=87)
    return out.getvalue()


async def masked(home: House, anna: Actor) -> tuple[Generate, Image.Image]:
    """What is being painted, and its mask."""
    await soon(home.easel.working, "nothing is painted")
    request = jobs(home)[-1].request
    assert isinstance(request, Generate)
    assert request.mask is not None
    path = await home.studio.picture(user(anna), request.mask)
    return request, Image.open(path).convert("L")


async def test_strokes_over_a_picture_are_shown_and_painted_when_they_are_right(home, api, anna):
    card = await picture(home, anna)
    painted = jobs(home)[0].status.images[0]
    anna.photo(anna.chat, drawn_over(card.picture, (40, 40, 120, 120)), "a red hat steps:4", reply_to=card)
    await soon(lambda: "Right?" in anna.chat.last.words, "it is not asked")
    question = anna.chat.last
    assert question.picture is not None
    await calm()
    assert not home.easel.working()
    await anna.press(question, "▶ Paint")
    request, mask = await masked(home, anna)
    assert request.prompt == "a red hat"
    assert request.source == painted
    assert mask.getpixel((80, 80)) > 200
    assert mask.getpixel((200, 200)) < 20
    await finishes(home)
    assert question.deleted
    assert sum("a red hat" in message.words for message in anna.chat.told) == 1


async def test_no_paints_nothing(home, api, anna):
    card = await picture(home, anna)
    anna.photo(anna.chat, drawn_over(card.picture, (30, 30, 90, 90)), "a red hat", reply_to=card)
    await soon(lambda: "Right?" in anna.chat.last.words, "it is not asked")
    question = anna.chat.last
    await anna.press(question, "No")
    await soon(lambda: question.deleted, "it is still there")
    await calm()
    assert len(jobs(home)) == 1


async def test_P1_somebody_else_does_not_answer(home, api, anna, bert):
    group = api.supergroup("foxes", anna, bert)
    card = await asks(home, anna, "/imagine a ball size:256x256 steps:4", group)
    await finishes(home)
    anna.photo(group, drawn_over(card.picture, (30, 30, 90, 90)), "a red hat", reply_to=card)
    await soon(lambda: "Right?" in group.last.words, "it is not asked")
    pressed = await bert.press(group.last, "▶ Paint")
    assert pressed.alert
    await calm()
    assert len(jobs(home)) == 1


async def test_another_picture_is_a_source_and_no_mask(home, api, anna):
    card = await picture(home, anna)
    other = Image.effect_noise((200, 200), 90).convert("RGB")
    out = io.BytesIO()
    other.save(out, "JPEG")
    anna.photo(anna.chat, out.getvalue(), "a green cup steps:4", reply_to=card)
    await soon(home.easel.working, "nothing is painted")
    request = jobs(home)[-1].request
    assert request.source is not None
    assert request.mask is None
    await finishes(home)


async def test_a_region_in_words_is_shown_first(home, api, anna):
    card = await picture(home, anna)
    anna.write(anna.chat, "a red hat region:left steps:4", reply_to=card)
    await soon(lambda: "Right?" in anna.chat.last.words, "it is not asked")
    await anna.press(anna.chat.last, "▶ Paint")
    _, mask = await masked(home, anna)
    assert mask.getpixel((20, 128)) > 200
    assert mask.getpixel((230, 128)) < 20
    await finishes(home)


async def test_transparent_parts_of_a_file_are_painted(home, api, anna):
    cut = Image.new("RGBA", (256, 256), (0, 0, 200, 255))
    cut.paste((0, 0, 0, 0), (0, 0, 128, 256))
    out = io.BytesIO()
    cut.save(out, "PNG")
    anna.document(anna.chat, out.getvalue(), caption="a red hat steps:4")
    await soon(lambda: any("Right?" in message.words for message in anna.chat.told), "it is not asked")
    await anna.press(anna.chat.last, "▶ Paint")
    _, mask = await masked(home, anna)
    assert mask.getpixel((20, 128)) > 200
    assert mask.getpixel((230, 128)) < 20
    await finishes(home)
