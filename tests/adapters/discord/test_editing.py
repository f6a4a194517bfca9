"""Editing pictures on simcord: masks that are agreed to, looks, what was drawn, and what is around a picture."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from PIL import Image, ImageDraw
from staged import stage
from test_presses import fields, find, press

from realbot.adapters import buttons
from realbot.adapters.discord.options import Options
from realbot.engine.models import preset
from realbot.errors import Invalid, NotYours
from realbot.jobs import Generate, User


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path) as here:
        yield here


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def scene(size=(128, 128)) -> Image.Image:
    picture = Image.new("RGB", size, "navy")
    ImageDraw.Draw(picture).ellipse((30, 30, 90, 90), fill="orange")
    return picture


def left(size=(128, 128)) -> Image.Image:
    """White on the left, where something is painted."""
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


def anna(here) -> User:
    return User("discord", str(here.anna.id))


async def opened(here, image) -> Image.Image:
    """A kept picture."""
    with Image.open(await here.bench.studio.picture(anna(here), image)) as picture:
        return picture.copy()


async def mask_of(here) -> Image.Image:
    """The mask of what is being painted."""
    await here.painting()
    request = here.job().request
    assert request.mask is not None
    return (await opened(here, request.mask)).convert("L")


async def asked_for(here, **options):
    """The question which part is painted."""
    asked = await here.anna.slash(
        here.channel, "imagine", prompt="a red hat", source=("start.png", png(scene())), **options
    )
    assert asked.ephemeral and "Right?" in asked.response.embeds[0].description
    assert not here.pool.working()
    return asked


# Masks


async def test_a_mask_is_shown_over_its_picture_and_painted_when_it_is_right(here):
    asked = await asked_for(here, mask=("mask.png", png(left())))
    question = asked.response.message
    (shown,) = question.attachments
    assert "a red hat" in shown.description
    overlay = Image.open(io.BytesIO(await shown.read())).convert("RGB")
    assert overlay.getpixel((100, 110)) == scene().getpixel((100, 110)) != overlay.getpixel((10, 10))
    assert here.public() == []
    card = await press(here, here.anna, question, "Paint")
    mask = await mask_of(here)
    assert mask.getpixel((10, 64)) > 200 and mask.getpixel((120, 64)) < 20
    assert not card.ephemeral and here.job().request.prompt == "a red hat"
    assert question.id not in [message.id for message in here.channel.history(viewer=here.anna)]
    await here.paint()
    (done,) = here.public()
    assert "partly painted anew" in done.embeds[0].footer.text
    assert done.attachments[0].description == "a red hat, painted into another picture"
    told = await press(here, here.bert, done, "Recipe")
    assert ("Painted anew", "a part of it") in [(one.name, one.value) for one in told.response.embeds[0].fields]


async def test_remix_of_ones_own_edit_paints_the_same_part_and_that_of_others_none(here):
    asked = await asked_for(here, region="left", look=("look.png", png(scene())))
    await press(here, here.anna, asked.response.message, "Paint")
    await here.paint()
    edited = here.job().request
    (card,) = here.public()
    for who, part in ((here.anna, (edited.source, edited.mask, edited.reference)), (here.bert, (None, None, None))):
        shown = await press(here, who, card, "Remix")
        (field,) = fields(shown.modal)
        await who.submit_modal(shown, {field: "a green hat"})
        await here.painting()
        request = here.job().request
        assert request.prompt == "a green hat" and (request.source, request.mask, request.reference) == part
        await here.paint()
    shown = await press(here, here.anna, card, "Remix")
    (field,) = fields(shown.modal)
    other = await here.anna.submit_modal(shown, {field: "a green hat region:right"})
    assert "Right?" in (other.response.message if other.response else other.followups[-1].message).embeds[0].description


async def test_transparent_parts_are_the_mask(here):
    cut = scene().convert("RGBA")
    cut.paste((0, 0, 0, 0), (0, 0, 64, 128))
    asked = await here.anna.slash(here.channel, "imagine", prompt="a red hat", source=("start.png", png(cut)))
    question = asked.response.message if asked.response else asked.followups[-1].message
    assert question.flags.ephemeral and here.public() == []
    await press(here, here.anna, question, "Paint")
    mask = await mask_of(here)
    assert mask.getpixel((10, 64)) > 200 and mask.getpixel((120, 64)) < 20


async def test_a_region_beside_the_prompt_and_in_it(here):
    asked = await asked_for(here, region="left")
    await press(here, here.anna, asked.response.message, "Paint")
    assert (await mask_of(here)).getpixel((10, 64)) > 200
    assert here.job().request.region == "left"
    asked = await here.anna.slash(
        here.channel, "imagine", prompt="a hat region:right", source=("start.png", png(scene()))
    )
    question = asked.response.message if asked.response else asked.followups[-1].message
    assert "Right?" in question.embeds[0].description and len(here.public()) == 1


async def test_no_takes_the_question_away_and_paints_nothing(here):
    asked = await asked_for(here, region="left")
    await press(here, here.anna, asked.response.message, "No")
    assert here.channel.history(viewer=here.anna) == [] and not here.bench.studio.pending("discord")


async def test_a_double_press_paints_once(here):
    asked = await asked_for(here, region="left")
    question = asked.response.message
    action = find(question, "Paint")
    interactions = [press(here, here.anna, question, "Paint") for _ in range(2)]
    await asyncio.gather(*interactions, return_exceptions=True)
    await here.painting()
    assert len(here.pool.works) == 1 and len(here.bench.studio._jobs) == 1 and len(here.public()) == 1
    with pytest.raises(Exception, match="used already"):
        await here.bench.studio.acted(buttons.action_id(action), anna(here), press=False)


async def test_a_question_that_was_refused_can_be_answered_again(tmp_path):
    async with stage(tmp_path, sections={"limits": {"waiting_per_user": 1}}) as here:
        asked = await asked_for(here, region="left")
        question = asked.response.message
        await here.ask(prompt="a fox")
        refused = await press(here, here.anna, question, "Paint")
        assert refused.ephemeral and "waiting" in refused.response.content
        await here.paint()
        await press(here, here.anna, question, "Paint")
        assert here.job().request.prompt == "a red hat"


async def test_P1_a_question_is_nobody_elses(here):
    asked = await asked_for(here, region="left")
    action = buttons.action_id(find(asked.response.message, "Paint"))
    with pytest.raises(NotYours):
        await here.bench.studio.acted(action, User("discord", str(here.bert.id)), press=False)


async def test_DC15_a_question_outlives_a_restart_with_its_pictures(here):
    asked = await asked_for(here, mask=("mask.png", png(left())), look=("look.png", png(left())))
    question = asked.response.message
    uploads = here.bench.studio._desk.uploads
    for _, image in list(uploads._known):
        await here.bench.store.abandon(image)
    uploads._known.clear()
    uploads._brought.clear()
    await here.restart()
    await press(here, here.anna, question, "Paint")
    assert (await mask_of(here)).getpixel((10, 64)) > 200


async def test_a_private_request_stays_private(here):
    asked = await asked_for(here, region="left", private=True)
    card = await press(here, here.anna, asked.response.message, "Paint")
    assert card.ephemeral and here.job().origin.private and here.public() == []


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"mask": ("mask.png", png(left()))}, "attach one as source"),
        ({"region": "left"}, "attach one as source"),
        ({"look_weight": 0.5}, "needs a look"),
        ({"source": True, "mask": ("mask.png", png(left())), "region": "left"}, "not both"),
        ({"source": True, "region": "lefft"}, "left"),
        ({"source": True, "mask": ("mask.png", png(Image.new("L", (128, 128))))}, "black all over"),
        ({"source": True, "mask": ("mask.png", b"no picture")}, "PNG, JPEG or WebP"),
    ],
)
async def test_what_does_not_go_together_is_refused_privately(here, options, part):
    if options.get("source"):
        options = {**options, "source": ("start.png", png(scene()))}
    asked = await here.anna.slash(here.channel, "imagine", prompt="a red hat", **options)
    assert asked.ephemeral and part in asked.response.content.replace("\\", "")
    assert not here.bench.studio.pending("discord") and here.public() == []


def test_the_options_of_editing_mean_the_same_in_the_prompt():
    mini, image = preset("mini"), "a" * 64
    beside = Options(region="10,10,60,80%", look_weight=0.4).request("a hat", mini, image, look=image)
    assert beside == Options().request("a hat region:10,10,60,80% look_weight:0.4", mini, image, look=image)
    with pytest.raises(Invalid, match="not both"):
        Options(region="left").request("a hat", mini, image, mask=image)


async def test_regions_are_offered(here):
    offered = await here.anna.autocomplete(here.channel, "imagine", "region", "top", prompt="x")
    assert [one["value"] for one in offered] == ["top", "top-left", "top-right"]


# Looks


async def test_a_look_reaches_the_request_and_the_card(here):
    card = await here.painted(prompt="a fox", look=("look.png", png(scene())), look_weight=0.4)
    request = here.job().request
    assert request.reference is not None and request.source is None and request.reference_weight == 0.4
    assert "look of a picture 0.4" in card.embeds[0].footer.text
    assert card.attachments[0].description == "a fox, with the look of another picture"
    told = await press(here, here.bert, card, "Recipe")
    assert "weight 0.4" in str([one.value for one in told.response.embeds[0].fields])


async def test_the_look_of_a_message(here):
    said = await here.bert.send(here.channel, "look", attachments=[("mine.png", png(scene()))])
    shown = await here.anna.context_menu(here.channel, "Use its look", said)
    prompt, weight = fields(shown.modal)
    await here.anna.submit_modal(shown, {prompt: "a badger steps:5", weight: "0.3"})
    request = here.job().request
    assert (request.prompt, request.steps, request.reference_weight) == ("a badger", 5, 0.3)
    assert request.reference is not None and request.source is None


# What was drawn


def drawn_over(data: bytes, box=(40, 40, 120, 120)) -> bytes:
    """A copy of a picture with a closed stroke, as a phone's editor makes it."""
    copy = Image.open(io.BytesIO(data)).convert("RGB")
    ImageDraw.Draw(copy).ellipse(box, outline="yellow", width=6)
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=88)
    return out.getvalue()


async def painted_where_drawn(here, who, answer):
    """The question after the words were said."""
    shown = await who.context_menu(here.channel, "Paint where I drew", answer)
    (prompt,) = fields(shown.modal)
    asked = await who.submit_modal(shown, {prompt: "a red hat"})
    question = asked.response.message if asked.response else asked.followups[-1].message
    assert question.flags.ephemeral
    return question


async def test_what_was_drawn_over_a_card_is_painted_when_it_is_right(here):
    card = await here.painted(prompt="a blue fox on blue size:256x256")
    done = here.job().status
    copy = drawn_over(await card.attachments[0].read())
    answer = await here.anna.send(here.channel, "", reply_to=card, attachments=[("drawn.jpg", copy)])
    question = await painted_where_drawn(here, here.anna, answer)
    assert "Right?" in question.embeds[0].description
    await press(here, here.anna, question, "Paint")
    mask = await mask_of(here)
    assert mask.getpixel((80, 80)) > 200 and mask.getpixel((230, 230)) < 20
    assert here.job().request.source == done.images[0]


async def test_somebody_else_draws_over_a_card_with_several_pictures(here):
    card = await here.painted(prompt="a fox on green size:256x256", count=2)
    done = here.job().status
    copy = drawn_over(await card.attachments[1].read())
    answer = await here.bert.send(here.channel, "", reply_to=card, attachments=[("drawn.jpg", copy)])
    question = await painted_where_drawn(here, here.bert, answer)
    await press(here, here.bert, question, "Paint")
    await here.painting()
    assert here.job().request.source == done.images[1] and here.job().user.id == str(here.bert.id)


async def test_a_copy_that_answers_nothing_of_ours_is_told_what_to_do(here):
    card = await here.painted(prompt="a fox on blue size:256x256")
    copy = drawn_over(await card.attachments[0].read())
    alone = await here.anna.send(here.channel, "", attachments=[("drawn.jpg", copy)])
    told = await here.anna.context_menu(here.channel, "Paint where I drew", alone)
    assert told.ephemeral and "as an answer" in told.response.content
    said = await here.bert.send(here.channel, "hello")
    elsewhere = await here.anna.send(here.channel, "", reply_to=said, attachments=[("drawn.jpg", copy)])
    question = await painted_where_drawn(here, here.anna, elsewhere)
    assert "as an answer" in question.content
    none = await here.anna.context_menu(here.channel, "Paint where I drew", said)
    assert "no picture" in none.response.content


async def test_nothing_drawn_is_told(here):
    card = await here.painted(prompt="a fox on blue size:256x256")
    copy = await card.attachments[0].read()
    answer = await here.anna.send(here.channel, "", reply_to=card, attachments=[("same.png", copy)])
    question = await painted_where_drawn(here, here.anna, answer)
    assert "Nothing seems to be drawn" in question.content


# Around a picture


async def test_what_is_around_a_picture(here):
    card = await here.painted(prompt="a fox", size="128x128")
    row = await press(here, here.anna, card, "More around it")
    assert row.ephemeral
    rows = [[part.label for part in line.children] for line in row.response.message.components]
    assert rows == [["Zoom out ×1.5", "Zoom out ×2"], ["← Left", "Right →", "↑ Up", "↓ Down"]]
    wider = await press(here, here.anna, row.response.message, "Zoom out ×2")
    request = here.job().request
    assert not wider.ephemeral and isinstance(request, Generate) and request.mask is not None
    assert (await opened(here, request.source)).size == (256, 256)
    await here.paint()
    await press(here, here.anna, row.response.message, "← Left")
    request = here.job().request
    assert request.mask and (await opened(here, request.source)).size == (128, 128)


async def test_the_menu_opens_what_is_around_one_of_several(here):
    card = await here.painted(prompt="a fox", count=4)
    row = await here.anna.select(card, ["around.2"], custom_id=find(card, "menu"))
    assert row.ephemeral and "Picture 3" in row.response.content
    await press(here, here.anna, row.response.message, "↑ Up")
    await here.painting()
    original = (await opened(here, here.job(0).status.images[2])).convert("RGB")
    canvas = (await opened(here, here.job().request.source)).convert("RGB")
    old = canvas.crop((0, 64, 128, 128))
    assert old.tobytes() == original.crop((0, 0, 128, 64)).tobytes()


async def test_around_a_private_card_is_private(here):
    asked = await here.ask(private=True)
    await here.paint()
    row = await press(here, here.anna, here.message(asked), "More around it")
    wider = await press(here, here.anna, row.response.message, "Zoom out ×1.5")
    assert wider.ephemeral and here.job().origin.private


async def test_P2_a_damaged_question_is_refused(here):
    question = await here.bench.studio.action("masked", user=anna(here), detail=json.dumps({"request": {}}), uses=1)
    with pytest.raises(Invalid, match="not known"):
        from realbot.adapters.discord import masking

        masking.private(await here.bench.studio.acted(question, press=False))
