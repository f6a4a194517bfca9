"""/settings on a loopback Telegram: menus that change in place, and what is typed."""

from __future__ import annotations

import pytest
from tg_panels import addresses, seen, tap, user

from realbot.jobs import StyleUse
from realbot.preferences import Preferences
from studios import lora


async def own(world, person=None) -> Preferences:
    return await world.studio.preferences(user(person or world.anna))


async def test_the_menu_tells_what_holds_and_the_ranges(world):
    shown = await world.anna.ask(world.anna.chat, "/settings")
    model = world.studio.preset()
    assert f"Steps: automatic ({model.steps})" in shown.words
    assert f"Size: automatic ({model.width}×{model.height})" in shown.words
    assert "Steps 1–100" in shown.words
    await world.studio.prefer(user(world.anna), negative="blur, *text*", styles=(StyleUse("ink", 0.8),))
    again = await world.anna.ask(world.anna.chat, "/settings")
    assert "blur, *text*" in again.words
    assert "Styles: ink 0.8" in again.words


async def test_every_default_is_set_by_buttons_alone_in_one_message(world):
    shown = await world.anna.ask(world.anna.chat, "/settings")
    for menu, choice in (
        ("Steps", "20"),
        ("Guidance", "5"),
        ("Size", "16:9"),
        ("Scheduler", "DPM++ 2M"),
    ):
        await tap(world.anna, shown, menu)
        await world.anna.press(shown, next(label for label in shown.labels if label.startswith(choice)))
    await tap(world.anna, shown, "Styles")
    await tap(world.anna, shown, "ink")
    await tap(world.anna, shown, "ink 0.7")
    await tap(world.anna, shown, "Styles")
    await tap(world.anna, shown, "glow")
    await tap(world.anna, shown, "glow 0.3")
    await tap(world.anna, shown, "Ping")
    prefs = await own(world)
    assert (prefs.steps, prefs.guidance, prefs.scheduler, prefs.ping) == (20, 5.0, "dpm++2m", False)
    assert prefs.styles == (StyleUse("ink", 0.7), StyleUse("glow", 0.3))
    assert prefs.width > prefs.height
    assert "Steps: 20" in shown.words
    assert len(world.anna.chat.told) == 1
    await tap(world.anna, shown, "Steps")
    assert "✓ 20" in shown.labels
    await tap(world.anna, shown, "automatic")
    assert (await own(world)).steps is None
    await tap(world.anna, shown, "Styles")
    await tap(world.anna, shown, "✓ ink")
    assert (await own(world)).styles == (StyleUse("glow", 0.3),)
    await tap(world.anna, shown, "No style")
    await tap(world.anna, shown, "Negative")
    assert "/settings negative" in shown.words
    await tap(world.anna, shown, "none")
    await tap(world.anna, shown, "Back to automatic")
    assert await own(world) == Preferences()


async def test_all_styles_are_reached(world, tmp_path):
    for number in range(30):
        lora(tmp_path / "styles" / f"style-{number:02}.safetensors", fill=number + 3)
    world.home.bench.styles.sweep()
    shown = await world.anna.ask(world.anna.chat, "/settings style")
    found = set()
    for _ in range(4):
        found |= {label for label in shown.labels if label.startswith(("style-", "ink", "glow"))}
        await tap(world.anna, shown, "›")
    assert len(found) == 32
    assert "1/4" in shown.labels


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("steps 30", {"steps": 30}),
        ("steps: 30", {"steps": 30}),
        ("Steps 30", {"steps": 30}),
        ("guidance 3,5", {"guidance": 3.5}),
        ("size 256x192", {"width": 256, "height": 192}),
        ("style ink", {"styles": (StyleUse("ink"),)}),
        ("style ink 0.8", {"styles": (StyleUse("ink", 0.8),)}),
        ("style ink:0.8, glow 0.3", {"styles": (StyleUse("ink", 0.8), StyleUse("glow", 0.3))}),
        ("negative text, blurry steps:1", {"negative": "text, blurry steps:1"}),
        ("scheduler unipc", {"scheduler": "unipc"}),
        ("ping off", {"ping": False}),
        ("steps:30 style:ink:0.5 --no blur", {"steps": 30, "styles": (StyleUse("ink", 0.5),), "negative": "blur"}),
        ("width:256 height:192", {"width": 256, "height": 192}),
    ],
)
async def test_what_is_typed_is_kept_and_shown(world, typed, expected):
    shown = await world.anna.ask(world.anna.chat, f"/settings {typed}")
    assert await own(world) == Preferences(**expected)
    assert "Your defaults" in shown.words


async def test_a_shape_has_as_many_pixels_as_the_model_paints(world):
    await world.anna.ask(world.anna.chat, "/settings size 16:9")
    prefs, model = await own(world), world.studio.preset()
    assert prefs.width / prefs.height == pytest.approx(16 / 9, rel=0.1)
    assert prefs.width * prefs.height == pytest.approx(model.width * model.height, rel=0.1)


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        ("reset", {}),
        ("auto", {}),
        ("steps reset", {"negative": "blur", "styles": (StyleUse("ink"),)}),
        ("negative none", {"steps": 20, "styles": (StyleUse("ink"),)}),
        ("style none", {"steps": 20, "negative": "blur"}),
        ("style:none", {"steps": 20, "negative": "blur"}),
    ],
)
async def test_what_was_set_is_taken_back(world, typed, left):
    await world.studio.prefer(user(world.anna), steps=20, negative="blur", styles=(StyleUse("ink"),))
    await world.anna.ask(world.anna.chat, f"/settings {typed}")
    assert await own(world) == Preferences(**left)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("steps 1000", "from 1 to 100"),
        ("steps many", "a whole number from 1"),
        ("steps 30 please", "no setting “please”"),
        ("size 5000x5000", "from 64 to 2048"),
        ("style inc", "did you mean ink?"),
        ("scheduler eular", "euler"),
        ("ping perhaps", "on or off"),
        ("seed:7", "no default"),
        ("steps:30 count:4", "no default"),
        ("colour red", "no setting “colour red”"),
        ("steps:30 --stepz 4", "--steps"),
        ("{0.__class__}", "no setting"),
    ],
)
async def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(world, typed, says):
    answer = await world.anna.ask(world.anna.chat, f"/settings {typed}")
    assert says in answer.words
    assert not answer.labels
    assert await own(world) == Preferences()


async def test_the_menu_of_one_default_opens_by_its_name(world):
    shown = await world.anna.ask(world.anna.chat, "/settings steps")
    assert "20" in shown.labels
    assert "/settings steps 30" in shown.words


async def test_P6_defaults_are_shown_in_the_private_chat_only(world):
    await world.studio.prefer(user(world.anna), negative="a secret canary")
    answer = await world.anna.ask(world.group, "/settings steps 30")
    assert "canary" not in seen(answer)
    assert addresses(answer) == ["https://t.me/realbot_bot?start=settings"]
    assert (await own(world)).steps is None
    assert "canary" in (await world.anna.ask(world.anna.chat, "/start settings")).words
    theirs = await world.bert.ask(world.bert.chat, "/settings steps 12")
    assert "canary" not in seen(theirs)
    assert ((await own(world, world.bert)).steps, (await own(world)).steps) == (12, None)


async def test_defaults_hold_for_what_is_asked_for(world):
    await world.anna.ask(world.anna.chat, "/settings steps:7 style:ink:0.5")
    await world.anna.ask(world.group, "/imagine a red apple")
    (job,) = world.studio.waiting(user(world.anna))
    assert (job.request.steps, job.request.styles) == (7, (StyleUse("ink", 0.5),))
