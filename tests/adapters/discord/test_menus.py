"""The menus of a message: its recipe, and painting from its picture."""

from __future__ import annotations

import io

import pytest
from easel import easel
from PIL import Image
from staged import stage
from test_presses import fields, press

from realbot import grammar


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path) as here:
        yield here


def png(colour="red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (128, 128), colour).save(out, "PNG")
    return out.getvalue()


async def test_the_recipe_of_a_card_is_told_to_everybody_who_sees_it(here):
    card = await here.painted(prompt="a fox", steps=4)
    for who in (here.anna, here.bert):
        shown = await who.context_menu(here.channel, "Recipe", card)
        assert shown.ephemeral
        assert grammar.parse(shown.response.embeds[0].description[4:-4]).prompt == "a fox"


async def test_a_message_of_somebody_else_has_no_recipe(here):
    said = await here.bert.send(here.channel, "hello")
    shown = await here.anna.context_menu(here.channel, "Recipe", said)
    assert shown.ephemeral and "not painted here" in shown.response.content


async def test_P6_the_card_of_a_waiting_job_tells_strangers_nothing(here):
    asked = await here.ask(prompt="a secret fox")
    shown = await here.bert.context_menu(here.channel, "Recipe", here.message(asked))
    assert shown.ephemeral and "secret" not in shown.response.content


async def test_painting_from_the_picture_of_a_card(here):
    card = await here.painted(prompt="a fox")
    shown = await here.bert.context_menu(here.channel, "Use as source", card)
    prompt, strength = fields(shown.modal)
    await here.bert.submit_modal(shown, {prompt: "a badger steps:5", strength: "0.3"})
    request = here.job().request
    assert (request.prompt, request.steps, request.strength) == ("a badger", 5, 0.3) and request.source is not None
    assert here.job().user.id == str(here.bert.id)


async def test_painting_from_anybodys_attachment(here):
    said = await here.bert.send(here.channel, "look", attachments=[("mine.png", png()), ("more.png", png("blue"))])
    shown = await here.anna.context_menu(here.channel, "Use as source", said)
    prompt, _, which = fields(shown.modal)
    await here.anna.submit_modal(shown, {prompt: "a badger", which: ["1"]})
    assert here.job().request.source is not None and here.job().request.strength == 0.6


async def test_a_message_without_a_picture_says_so(here):
    said = await here.bert.send(here.channel, "hello")
    shown = await here.anna.context_menu(here.channel, "Use as source", said)
    assert shown.ephemeral and "no picture" in shown.response.content


@pytest.mark.parametrize("strength", ["7", "much", "0 steps:0"])
async def test_a_wrong_strength_is_answered_privately(here, strength):
    card = await here.painted(prompt="a fox")
    shown = await here.anna.context_menu(here.channel, "Use as source", card)
    prompt, field = fields(shown.modal)
    asked = await here.anna.submit_modal(shown, {prompt: "a badger", field: strength})
    assert asked.ephemeral and len(here.pool.works) == 1


async def test_a_recipe_is_found_after_a_restart(here):
    card = await here.painted(prompt="a fox")
    await here.restart()
    assert (await here.bert.context_menu(here.channel, "Recipe", card)).response.embeds
    assert (await press(here, here.bert, card, "Recipe")).response.embeds


async def test_a_model_that_edits_is_asked_for_no_strength(tmp_path):
    """What is typed is an instruction, and the card tells of no strength either."""
    pool = easel(tmp_path, bases=("flux-kontext",))
    async with stage(tmp_path, pool=pool, sections={"model": {"name": "flux-kontext"}}) as here:
        said = await here.bert.send(here.channel, "look", attachments=[("mine.png", png())])
        shown = await here.anna.context_menu(here.channel, "Use as source", said)
        (prompt,) = fields(shown.modal)
        asked = await here.anna.submit_modal(shown, {prompt: "make it green"})
        request = here.job().request
        assert (request.prompt, request.strength, request.guidance) == ("make it green", None, 2.5)
        await here.paint()
        text = str([one.to_dict() for one in here.message(asked).embeds]) + here.message(asked).content
        text += str([one.to_dict() for one in here.message(asked).components])
        assert "make it green" in text
        assert "trength" not in text
