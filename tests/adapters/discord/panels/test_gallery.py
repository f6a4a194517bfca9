"""/styles in a simulated Discord: all of them, however many, and a card for each."""

from __future__ import annotations

import io

from PIL import Image
from simulated import control, offered, said, user

from realbot.jobs import StyleUse
from studios import lora


async def test_every_style_is_listed_and_looked_at(world):
    shown = await world.anna.slash(world.channel, "styles")
    assert shown.ephemeral
    assert "2 styles" in said(shown)
    assert offered(shown.response, "pm:styles:look") == ["glow", "ink"]
    card = await world.anna.select(shown.response, ["ink"], custom_id=control(shown.response, "pm:styles:look"))
    assert "style:ink:0.8" in said(card)
    assert "ink drawing" in said(card)
    assert not card.response.attachments
    back = await world.anna.click(card.response, custom_id=control(card.response, "pb:styles:list"))
    assert "2 styles" in said(back)


async def test_more_styles_than_a_menu_holds_come_in_pages(world, tmp_path):
    for number in range(58):
        lora(tmp_path / "styles" / f"style{number:02}.safetensors", fill=3 + number)
    world.rig.styles.sweep()
    shown = await world.anna.slash(world.channel, "styles")
    seen = offered(shown.response, "pm:styles:look")
    while True:
        assert len(seen) <= 60
        onward = control(shown.response, "pb:styles:onward")
        if len(seen) == 60:
            break
        await world.restart()
        shown = await world.anna.click(shown.response, custom_id=onward)
        seen += offered(shown.response, "pm:styles:look")
    assert sorted(seen) == [style.name for style in world.rig.studio.styles()]


async def test_typing_finds_a_style_among_many(world, tmp_path):
    for number in range(40):
        lora(tmp_path / "styles" / f"style{number:02}.safetensors", fill=3 + number)
    world.rig.styles.sweep()
    some = await world.anna.autocomplete(world.channel, "styles", "style", "")
    assert len(some) == 25
    found = await world.anna.autocomplete(world.channel, "styles", "style", "yle3")
    assert [choice["value"] for choice in found] == [f"style3{number}" for number in range(10)]


async def test_a_style_is_shown_by_its_name_however_it_is_typed_or_the_nearest_is_named(world):
    assert "style:ink:0.8" in said(await world.anna.slash(world.channel, "styles", style="INK"))
    assert "did you mean ink" in said(await world.anna.slash(world.channel, "styles", style="inc"))


async def test_P9_the_card_shows_ones_own_picture_in_the_style_and_nobody_elses(world):
    uses = (StyleUse("ink", 0.5),)
    await world.paint(world.anna, "a secret canary on blue", styles=uses)
    mine = await world.anna.slash(world.channel, "styles", style="ink")
    (picture,) = mine.response.attachments
    assert picture.description == "a secret canary on blue, in the style ink"
    assert Image.open(io.BytesIO(await picture.read())).size == (128, 128)
    assert "a secret canary" in said(mine)
    theirs = await world.bert.slash(world.channel, "styles", style="ink")
    assert not theirs.response.attachments
    assert "canary" not in said(theirs)
    assert "your picture is shown here" in said(theirs)


async def test_only_the_styles_that_a_server_allows_are_shown_there(world):
    await world.rig.studio.rule(f"discord:{world.guild.id}", user(world.admin), styles=["glow"])
    shown = await world.anna.slash(world.channel, "styles")
    assert offered(shown.response, "pm:styles:look") == ["glow"]
    assert "no style ink here" in said(await world.anna.slash(world.channel, "styles", style="ink"))
    assert [one["value"] for one in await world.anna.autocomplete(world.channel, "styles", "style", "")] == ["glow"]
    direct = await world.env.create_user("carl").slash("styles")
    assert offered(direct.response, "pm:styles:look") == ["glow", "ink"]


async def test_long_names_and_titles_fit_into_a_page(world, tmp_path):
    for number in range(25):
        lora(tmp_path / "styles" / f"{'a_' * 29}{number:03}.safetensors", fill=3 + number)
    world.rig.styles.sweep()
    shown = await world.anna.slash(world.channel, "styles")
    assert len(shown.response.embeds[0].description) <= 4096
    assert len(offered(shown.response, "pm:styles:look")) == 25
