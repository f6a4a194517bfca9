"""/settings in a simulated Discord: each choice is kept at once, for that person alone."""

from __future__ import annotations

import pytest
from simulated import control, offered, said, user

from realbot.jobs import Generate, StyleUse
from realbot.preferences import Preferences
from studios import lora


@pytest.fixture
def own(world):
    async def own(person=world.anna) -> Preferences:
        return await world.rig.studio.preferences(user(person))

    return own


async def choose(world, panel, verb, value):
    return await world.anna.select(panel.response, [value], custom_id=control(panel.response, f"pm:settings:{verb}"))


async def press(world, panel, verb):
    return await world.anna.click(panel.response, custom_id=control(panel.response, f"pb:settings:{verb}"))


async def test_the_panel_shows_what_holds_and_the_ranges(world):
    shown = await world.anna.slash(world.channel, "settings")
    assert shown.ephemeral
    text = said(shown)
    assert "Steps: automatic (12)" in text
    assert "128 × 128" in text
    assert "Steps 1–100" in text
    assert "64–2048 pixels" in text


async def test_menus_and_switches_keep_each_choice_at_once_and_for_one_person_alone(world, own):
    panel = await world.anna.slash(world.channel, "settings")
    panel = await choose(world, panel, "style", "ink")
    panel = await choose(world, panel, "shape", "16:9")
    panel = await choose(world, panel, "scheduler", "unipc")
    panel = await press(world, panel, "private")
    await world.restart()
    panel = await press(world, panel, "ping")
    prefs = await own()
    assert prefs.styles == (StyleUse("ink"),)
    assert (prefs.width, prefs.height) == (176, 96)
    assert prefs.scheduler == "unipc"
    assert prefs.private
    assert not prefs.ping
    assert "UniPC" in said(panel)
    assert await own(world.bert) == Preferences()


async def test_what_is_chosen_is_taken_for_the_next_picture_and_explicit_values_win(world):
    panel = await world.anna.slash(world.channel, "settings")
    panel = await choose(world, panel, "style", "ink")
    await choose(world, panel, "scheduler", "unipc")
    studio = world.rig.studio
    request = await studio.defaulted(user(world.anna), Generate(prompt="a frog", scheduler="euler"))
    assert request.styles == (StyleUse("ink"),)
    assert request.scheduler == "euler"


async def form(world, panel, **typed):
    """Open the form, type, send; what is not named stays empty."""
    opened = await press(world, panel, "form")
    names = ("steps", "guidance", "size", "styles", "negative")
    fields = [row["component"]["custom_id"] for row in opened.modal["components"]]
    values = {field: typed.get(name, "") for name, field in zip(names, fields, strict=True)}
    return await world.anna.submit_modal(opened, values)


async def test_numbers_are_typed_into_a_form(world, own):
    panel = await world.anna.slash(world.channel, "settings")
    sent = await form(
        world, panel, steps="30", guidance="2,5", size="96 x 160", styles="ink:0.8, glow", negative="text: blur"
    )
    prefs = await own()
    assert prefs == Preferences(
        steps=30,
        guidance=2.5,
        width=96,
        height=160,
        styles=(StyleUse("ink", 0.8), StyleUse("glow")),
        negative="text: blur",
    )
    assert "96 × 160" in said(sent)
    opened = await press(world, sent, "form")
    values = [row["component"].get("value") for row in opened.modal["components"]]
    assert values == ["30", "2.5", "96x160", "ink:0.8, glow:1", "text: blur"]
    await form(world, sent)
    assert await own() == Preferences()


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ({"steps": "101"}, ("100", "101")),
        ({"steps": "many"}, ("steps", "many")),
        ({"size": "96x5000"}, ("2048",)),
        ({"styles": "inc"}, ("inc", "ink")),
        ({"guidance": "31"}, ("30",)),
    ],
)
async def test_what_is_out_of_range_is_refused_privately_and_changes_nothing(world, own, typed, parts):
    panel = await world.anna.slash(world.channel, "settings")
    sent = await form(world, panel, **{"negative": "text", **typed})
    assert sent.ephemeral
    for part in parts:
        assert part in said(sent)
    assert await own() == Preferences()


async def test_more_styles_than_a_menu_holds_can_be_chosen(world, own, tmp_path):
    for number in range(30):
        lora(tmp_path / "styles" / f"style{number:02}.safetensors", fill=3 + number)
    world.rig.styles.sweep()
    panel = await world.anna.slash(world.channel, "settings")
    seen = offered(panel.response, "pm:settings:style")
    assert len(seen) == 25
    panel = await choose(world, panel, "style", "+")
    seen += offered(panel.response, "pm:settings:style")
    assert {"ink", "glow", "style29"} <= set(seen)
    await choose(world, panel, "style", "style29")
    assert (await own()).styles == (StyleUse("style29"),)


async def test_everything_goes_back_to_automatic(world, own):
    await world.rig.studio.prefer(user(world.anna), steps=30, private=True, ping=False, styles=(StyleUse("ink"),))
    panel = await world.anna.slash(world.channel, "settings")
    await press(world, panel, "reset")
    assert await own() == Preferences()


async def test_in_direct_messages_too(world, own):
    carl = world.env.create_user("carl")
    panel = await carl.slash("settings")
    await carl.select(panel.response, ["4:3"], custom_id=control(panel.response, "pm:settings:shape"))
    assert (await own(carl)).width == 144
