"""/history in a simulated Discord: one's own pictures only, in pages, searched, by favourites, each with its card."""

from __future__ import annotations

import io

from PIL import Image
from simulated import control, controls, offered, said, user

from realbot.adapters.discord.history import PAGE, View


async def test_an_empty_history_says_how_to_begin(world):
    shown = await world.anna.slash(world.channel, "history")
    assert shown.ephemeral
    assert "/imagine" in said(shown)


async def test_the_pictures_are_shown_small_with_alt_text_the_latest_first(world):
    await world.paint(world.anna, "a red apple")
    await world.paint(world.anna, "a *green* frog")
    shown = await world.anna.slash(world.channel, "history")
    message = shown.response
    assert message.ephemeral
    assert [embed.description.splitlines()[0] for embed in message.embeds] == [r"a \*green\* frog", "a red apple"]
    assert [file.description for file in message.attachments] == ["a *green* frog", "a red apple"]
    small = Image.open(io.BytesIO(await message.attachments[0].read()))
    assert max(small.size) <= 256
    assert message.embeds[0].thumbnail.url


async def test_pages_turn_both_ways_and_go_on_working_after_a_restart(world):
    for number in range(PAGE + 2):
        await world.paint(world.anna, f"picture number {number}")
    shown = await world.anna.slash(world.channel, "history")
    assert len(shown.response.embeds) == PAGE
    assert f"picture number {PAGE + 1}" in said(shown)
    await world.restart()
    await world.paint(world.anna, "a later picture")
    turned = await world.anna.click(shown.response, custom_id=control(shown.response, "pb:history:older"))
    assert [embed.description.splitlines()[0] for embed in turned.response.embeds] == [
        "picture number 1",
        "picture number 0",
    ]
    older = next(item for item in controls(turned.response) if item["custom_id"].startswith("pb:history:older"))
    assert older["disabled"]
    back = await world.anna.click(turned.response, custom_id=control(turned.response, "pb:history:newer"))
    assert f"picture number {PAGE + 1}" in said(back)
    assert "a later picture" not in said(back)


async def test_a_page_whose_pictures_were_deleted_meanwhile_falls_back_to_the_last_one(world):
    jobs = [await world.paint(world.anna, f"picture number {number}") for number in range(PAGE + 1)]
    shown = await world.anna.slash(world.channel, "history")
    await world.rig.studio.forget(user(world.anna), jobs[0])
    turned = await world.anna.click(shown.response, custom_id=control(shown.response, "pb:history:older"))
    assert len(turned.response.embeds) == PAGE


async def test_search_and_favourites_narrow_it_down(world):
    await world.paint(world.anna, "a red apple")
    starred = await world.paint(world.anna, "a red boat")
    await world.rig.studio.favourite(user(world.anna), starred, True)
    await world.paint(world.anna, "a green frog")
    found = await world.anna.slash(world.channel, "history", search="red")
    assert "frog" not in said(found)
    assert "a red apple" in said(found)
    only = await world.anna.click(found.response, custom_id=control(found.response, "pb:history:favourites"))
    assert [embed.description.splitlines()[0] for embed in only.response.embeds] == ["⭐ a red boat"]
    every = await world.anna.click(only.response, custom_id=control(only.response, "pb:history:clear"))
    assert "frog" not in said(every)
    nothing = await world.anna.slash(world.channel, "history", search="unicorn")
    assert "None of your prompts" in said(nothing)
    marked = await world.bert.slash(world.channel, "history", favourites=True)
    assert "No favourites yet" in said(marked)


async def test_words_are_searched_from_the_panel_too(world):
    await world.paint(world.anna, "a red apple")
    await world.paint(world.anna, "a green frog")
    shown = await world.anna.slash(world.channel, "history")
    form = await world.anna.click(shown.response, custom_id=control(shown.response, "pb:history:search"))
    field = form.modal["components"][0]["component"]["custom_id"]
    found = await world.anna.submit_modal(form, {field: "frog: green"})
    assert [embed.description.splitlines()[0] for embed in found.response.embeds] == ["a green frog"]


async def test_a_picture_opens_with_its_card_as_it_was_painted(world):
    job = await world.paint(world.anna, "a red apple on blue", seed=7)
    shown = await world.anna.slash(world.channel, "history")
    opened = await world.anna.select(shown.response, [job], custom_id=control(shown.response, "pm:history:open"))
    card = next(one for one in (opened.response, *opened.followups) if one and one.id != shown.response.id)
    assert card.ephemeral
    assert "seed 7" in str(card.embeds[0].footer.text)
    picture = Image.open(io.BytesIO(await card.attachments[0].read()))
    assert picture.size == (128, 128)
    assert card.attachments[0].description == "a red apple on blue"
    assert controls(card)


async def test_P6_P7_what_one_person_made_nobody_else_finds(world):
    job = await world.paint(world.anna, "a secret canary", seed=7)
    await world.paint(world.bert, "an open frog")
    for options in ({}, {"search": "secret"}, {"favourites": True}, {"search": "secret", "favourites": True}):
        assert "canary" not in said(await world.bert.slash(world.channel, "history", **options))
    shown = await world.bert.slash(world.channel, "history")
    assert job not in offered(shown.response, "pm:history:open")
    message = world.env.backend.get_message(world.channel.id, shown.response.id)
    for row in message.components:
        for item in row["components"]:
            for option in item.get("options", ()):
                option["value"] = job
    forged = await world.bert.select(shown.response, [job], custom_id=control(shown.response, "pm:history:open"))
    assert "canary" not in said(forged)
    assert "someone else" in said(forged)
    assert all(not one.attachments for one in (*forged.followups,))


async def test_P6_a_made_up_position_shows_only_what_is_ones_own(world):
    await world.paint(world.anna, "a secret canary")
    await world.paint(world.bert, "an open frog")
    shown = await world.bert.slash(world.channel, "history")
    message = world.env.backend.get_message(world.channel.id, shown.response.id)
    for arguments in ("9999999999:0:0:", "1:0:0:secret", "-1:x:2:", "0:99999999999999999999:1:" + "c" * 40, ""):
        made_up = f"pb:history:clear:{arguments}".rstrip(":")
        message.components[1]["components"][0] |= {"custom_id": made_up, "disabled": False}
        assert "canary" not in said(await world.bert.click(shown.response, custom_id=made_up))


def test_a_position_survives_the_way_through_a_control():
    view = View(123456789, 12, True, "red apple")
    assert View.read(tuple(str(part) for part in view.written())) == view
    assert View.read(("x", "-5", "yes", "a" * 100)).search == "a" * 48
    assert View.read(()) == View()
