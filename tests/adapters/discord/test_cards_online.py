"""Every control of a card over real HTTP: all that is sent keeps Discord's rules and its description of the API."""

from __future__ import annotations

import io

import pytest
from fronts import arrives, soon
from loopback_people import Unable, Upload
from loopback_world import FORUM, TEXT, VOICE
from PIL import Image

from realbot.jobs import Cancelled, Generate, Upscale


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(out, "PNG")
    return out.getvalue()


def newest(atelier):
    jobs = {**atelier.studio._seen, **atelier.studio._jobs}
    return max(jobs.values(), key=lambda job: (job.created, int(job.origin.message or 0)))


async def paints(atelier, asked):
    """The card with its finished pictures."""
    await soon(atelier.pool.working, f"nothing is painted: {asked.text}")
    atelier.pool.finish()
    return await arrives(asked.message)


async def test_all_controls_of_one_picture(front, atelier, discord, channel, anna, bert):
    asked = await anna.slash(
        channel, "imagine", prompt="a *red* fox", style="ink", steps=4, source=Upload("a.png", png())
    )
    card = await paints(atelier, asked)
    assert card.labels == [
        *("Again", "Vary a little", "Vary a lot", "×2", "×4"),
        *("More around it", "Remix", "Recipe", "Original", "⭐", "🗑️"),
    ]
    for button in ("Recipe", "Original"):
        assert (await bert.press(card, button)).private
    remix = await bert.press(card, "Remix")
    filled = await bert.fill(remix, **{"Prompt and options": "a badger steps:2"})
    await paints(atelier, filled)
    recipe = await bert.menu("Recipe", card)
    assert recipe.private and "a *red* fox" in recipe.text
    source = await bert.menu("Use as source", card)
    filled = await bert.fill(source, **{"Prompt and options": "a bear steps:2"})
    await paints(atelier, filled)
    for button, kind in (("Again", Generate), ("Vary a little", Generate), ("Vary a lot", Generate), ("×2", Upscale)):
        discord.clock.advance(1)
        pressed = await anna.press(card, button)
        assert pressed.message is not card and isinstance(newest(atelier).request, kind)
        await soon(lambda: not isinstance(newest(atelier).status, Cancelled) and atelier.pool.working())
        await anna.press(pressed.message, "Cancel")
        await soon(lambda: isinstance(newest(atelier).status, Cancelled))
    assert (await anna.press(card, "⭐")).answer == 7 and len(card.attachments) == 1
    asked = await anna.press(card, "🗑️")
    assert asked.private
    await anna.press(asked.message, "Delete")
    await soon(lambda: card.id not in channel.messages, "the card is still there")


async def test_the_menu_of_four_pictures(front, atelier, discord, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a fox", count=4)
    card = await paints(atelier, asked)
    assert len(card.attachments) == 4
    done = newest(atelier).status
    discord.clock.advance(1)
    picked = await anna.choose(card, ["Picture 3: enlarge ×4"])
    assert newest(atelier).request == Upscale(source=done.images[2], factor=4)
    await anna.press(picked.message, "Cancel")
    assert (await anna.choose(card, ["Picture 2: original file"])).private


async def test_a_failed_card_can_be_remixed(front, atelier, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a fox")
    await soon(atelier.pool.working)
    atelier.pool.fail("OutOfMemory")
    await soon(lambda: "Sorry" in asked.message.text)
    assert asked.message.labels == ["Try again", "Remix", "Recipe"]
    remix = await anna.press(asked.message, "Remix")
    assert (await anna.fill(remix, **{"Prompt and options": "a fox --stepz 3"})).private


async def test_P1_P2_P3_a_stranger_presses_guesses_and_forges(front, atelier, channel, anna, bert):
    asked = await anna.slash(channel, "imagine", prompt="a fox")
    (cancel,) = asked.message.buttons
    assert "Only the person" in (await bert.press(asked.message, "Cancel")).text
    own = await bert.slash(channel, "imagine", prompt="a bear")
    bert.patience = 0.3
    assert (await bert.forge(own.message, cancel["custom_id"])).answer in (None, 4)
    for n in range(30):
        await bert.forge(own.message, f"r1:{n:016}")
    assert not isinstance(newest(atelier).status, Cancelled)
    with pytest.raises(Unable):
        await bert.press(asked.message, "🗑️")


@pytest.mark.parametrize("kind", [TEXT, VOICE])
async def test_DC17_channels(kind, front, atelier, discord, server, anna):
    channel = discord.channel(server.guild, "other", kind=kind)
    await paints(atelier, await anna.slash(channel, "imagine", prompt="a fox"))


async def test_DC17_threads_and_the_posts_of_a_forum(front, atelier, discord, server, channel, anna):
    for parent in (channel, discord.channel(server.guild, "forum", kind=FORUM)):
        thread = discord.thread(parent, "a post")
        card = await paints(atelier, await anna.slash(thread, "imagine", prompt=f"a fox in {parent.name}"))
        assert card.channel is thread
        discord.clock.advance(1)
        await paints(atelier, await anna.press(card, "Again"))


async def test_DC17_direct_messages_and_a_person_who_brings_the_bot_along(front, atelier, discord, anna, bert):
    card = await paints(atelier, await anna.slash(anna.dm, "imagine", prompt="a fox"))
    assert (await anna.press(card, "Recipe")).private
    anna.person.installed = True
    group = discord.group(anna, bert)
    card = await paints(atelier, await anna.slash(group, "imagine", prompt="a bear"))
    assert (await bert.press(card, "Recipe")).private
    away = discord.guild("Elsewhere", joined=False)
    there = discord.channel(away.guild, "general")
    await paints(atelier, await anna.slash(there, "imagine", prompt="a badger"))


async def test_a_private_card_and_what_follows_from_it(front, atelier, discord, channel, anna, bert):
    asked = await anna.slash(channel, "imagine", prompt="a fox", private=True)
    card = await paints(atelier, asked)
    assert asked.private and card not in bert.sees(channel)
    discord.clock.advance(1)
    follow = await anna.press(card, "Again")
    assert follow.private
    await paints(atelier, follow)
    confirm = await anna.press(card, "🗑️")
    await anna.press(confirm.message, "Delete")
    await soon(lambda: card.id not in channel.messages, "the card is still there")


async def test_X3_X4_what_a_prompt_holds_reaches_nobody(front, atelier, channel, anna):
    evil = "@everyone <@1> [x](https://evil.example) ||a|| https://evil.example discord.gg/x ``` # big"
    card = await paints(atelier, await anna.slash(channel, "imagine", prompt=evil))
    assert not card.pings
    text = card.embeds[0]["description"]
    assert "://" not in text and "<@1>" not in text and "](" not in text and "||" not in text.replace("\\|", "")


async def test_a_german_card(front, atelier, discord, channel):
    greta = discord.person("greta", locale="de")
    asked = await greta.slash(channel, "imagine", prompt="ein Fuchs")
    (cancel,) = asked.message.labels
    assert cancel == "Abbrechen"
