"""/styles on a loopback Telegram: all of them, and one by one with an own picture."""

from __future__ import annotations

from tg_fronts import border, near
from tg_panels import copied, seen, tap, user

from realbot.jobs import StyleUse
from studios import lora


async def test_every_style_is_reached_by_turning_pages(world, tmp_path):
    for number in range(30):
        lora(tmp_path / "styles" / f"style-{number:02}.safetensors", fill=number + 3)
    world.home.bench.styles.sweep()
    shown = await world.anna.ask(world.anna.chat, "/styles")
    assert "32 styles · 1/3" in shown.words
    found = set()
    for page in range(1, 4):
        assert f"{page}/3" in shown.words
        found |= {label for label in shown.labels if label.startswith(("style", "ink", "glow"))}
        await tap(world.anna, shown, "›")
    assert len(found) == 32
    assert "1/3" in shown.words


async def test_a_style_tells_what_it_is_and_how_it_is_used(world):
    shown = await world.anna.ask(world.group, "/styles")
    await tap(world.anna, shown, "ink")
    assert "style:ink:0.8" in shown.words
    assert ("code", "ink drawing") in shown.marks
    assert "Paint something in this style" in shown.words
    assert copied(shown) == ["style:ink:0.8"]
    await tap(world.anna, shown, "All styles")
    assert "2 styles" in shown.words


async def test_a_style_is_shown_with_ones_own_strongest_picture_in_it(world):
    await world.paint(world.anna, "a cat on green", world.anna.chat, styles=(StyleUse("ink"),))
    await world.paint(world.anna, "a cat on blue", world.anna.chat, styles=(StyleUse("ink", 0.4),))
    await world.paint(world.bert, "a cat on orange", world.anna.chat, styles=(StyleUse("ink", 2.0),))
    shown = await world.anna.ask(world.anna.chat, "/styles Ink")
    assert near(border(shown.picture), (0, 128, 0))
    assert "Your picture: a cat on green" in shown.words
    await tap(world.anna, shown, "All styles")
    assert shown.deleted
    assert world.anna.chat.last.picture is None
    assert "2 styles" in world.anna.chat.last.words


async def test_P6_a_group_sees_no_picture_that_was_painted_elsewhere(world):
    await world.paint(world.anna, "a secret canary on green", world.anna.chat, styles=(StyleUse("ink"),))
    shown = await world.anna.ask(world.group, "/styles ink")
    assert shown.picture is None
    assert "canary" not in seen(shown)
    await world.paint(world.anna, "a frog on blue", styles=(StyleUse("ink", 0.3),))
    again = await world.anna.ask(world.group, "/styles ink")
    assert near(border(again.picture), (0, 0, 255))
    assert "canary" not in seen(again)


async def test_only_styles_of_the_place_are_listed(world):
    await world.studio.rule(f"telegram:{world.group.id}", user(world.carl), styles=["glow"])
    shown = await world.anna.ask(world.group, "/styles")
    assert "1 style" in shown.words
    assert "ink" not in seen(shown)
    refused = await world.anna.ask(world.group, "/styles ink")
    assert "no style ink" in refused.words
    assert "2 styles" in (await world.anna.ask(world.anna.chat, "/styles")).words


async def test_a_style_that_there_is_not_is_refused_with_the_nearest_one(world):
    assert "did you mean glow?" in (await world.anna.ask(world.anna.chat, "/styles glo")).words
    for name in ("../../etc/passwd", "{0.__class__}", "x" * 3000):
        refused = await world.anna.ask(world.anna.chat, f"/styles {name}")
        assert "There is no style" in refused.words
        assert len(refused.words) < 300
