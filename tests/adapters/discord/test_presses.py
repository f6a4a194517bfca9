"""The buttons of a card: what they do, who may press them, and that they outlive a restart."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest
from staged import stage

from realbot.adapters import buttons
from realbot.adapters.discord import place
from realbot.jobs import Cancelled, Done, Generate, Upscale, User
from studios import until


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path) as here:
        yield here


@pytest.fixture
def moderator(here):
    import discord

    role = here.server.create_role("keepers", permissions=discord.Permissions(manage_messages=True))
    return here.server.add_member(here.env.create_user("mona"), roles=[role])


def find(message, label):
    """The id of a button by its label or its sign, or of the menu."""
    for row in message.components:
        for part in row.children:
            if getattr(part, "label", None) == label or str(getattr(part, "emoji", "")) == label:
                return part.custom_id
            if label == "menu" and hasattr(part, "options"):
                return part.custom_id
    raise AssertionError(f"no {label}")


async def press(here, who, message, label):
    return await who.click(message, custom_id=find(message, label))


def anna(here):
    return User("discord", str(here.anna.id))


async def test_cancel_stops_a_waiting_job(here):
    await here.ask(prompt="first")
    asked = await here.ask(prompt="second")
    second = here.job()
    await press(here, here.anna, here.message(asked), "Cancel")
    await until(lambda: isinstance(second.status, Cancelled))
    await until(lambda: "Cancelled." in here.message(asked).embeds[0].description)
    assert [part.label for part in here.message(asked).components[0].children] == ["Try again", "Remix", "Recipe"]


async def test_cancel_of_what_has_just_ended_says_so(here):
    asked = await here.ask()
    old = here.message(asked)
    button = find(old, "Cancel")
    action = await here.bench.studio.acted(buttons.action_id(button), press=False)
    await here.paint()
    assert action.verb == "cancel"
    done = here.message(asked)
    again = await here.bench.studio.cancel(anna(here), here.job().id)
    assert again is False and len(done.attachments) == 1


async def test_again_paints_the_same_with_another_seed(here):
    card = await here.painted(prompt="a fox", seed=7)
    await press(here, here.anna, card, "Again")
    first, second = here.job(0).request, here.job(1).request
    assert second.prompt == "a fox" and first.seed == 7 != second.seed


@pytest.mark.parametrize(("label", "strength"), [("Vary a little", 0.35), ("Vary a lot", 0.75)])
async def test_vary_starts_from_the_picture(here, label, strength):
    card = await here.painted(prompt="a fox")
    done = here.job().status
    await press(here, here.anna, card, label)
    request = here.job().request
    assert isinstance(request, Generate) and isinstance(done, Done)
    assert request.source == done.images[0] and request.strength == strength


@pytest.mark.parametrize("factor", [2, 4])
async def test_upscale_enlarges_the_picture(here, factor):
    card = await here.painted(prompt="a fox")
    done = here.job().status
    await press(here, here.anna, card, f"×{factor}")
    assert here.job().request == Upscale(source=done.images[0], factor=factor)


async def test_the_menu_works_on_the_picture_that_was_chosen(here):
    card = await here.painted(prompt="a fox", count=4)
    done = here.job().status
    await here.anna.select(card, ["subtle.2"], custom_id=find(card, "menu"))
    assert here.job().request.source == done.images[2]
    await here.anna.select(card, ["upscale4.3"], custom_id=find(card, "menu"))
    assert here.job().request == Upscale(source=done.images[3], factor=4)
    sent = await here.anna.select(card, ["download.1"], custom_id=find(card, "menu"))
    (file,) = sent.response.attachments
    assert file.filename == card.attachments[1].filename


async def test_remix_opens_with_the_prompt_and_paints_what_is_written(here):
    card = await here.painted(prompt="a fox", seed=7, steps=4)
    shown = await press(here, here.anna, card, "Remix")
    assert "a fox" in str(shown.modal) and "seed" not in str(shown.modal)
    (field,) = fields(shown.modal)
    await here.anna.submit_modal(shown, {field: "a badger steps:5"})
    assert (here.job().request.prompt, here.job().request.steps) == ("a badger", 5)


async def test_remix_of_ones_own_variation_begins_with_its_picture_and_that_of_others_with_none(here):
    card = await here.painted(prompt="a fox")
    await press(here, here.anna, card, "Vary a lot")
    varied = here.job().request
    await here.paint()
    varied_card = here.channel.history()[-1]
    for who, source, strength in ((here.anna, varied.source, 0.75), (here.bert, None, None)):
        shown = await press(here, who, varied_card, "Remix")
        assert ("strength" in str(shown.modal)) == (source is not None)
        (field,) = fields(shown.modal)
        line = "a badger" if strength is None else f"a badger --strength {strength}"
        await who.submit_modal(shown, {field: line})
        assert (here.job().request.source, here.job().request.strength) == (source, strength)
        await here.paint()


async def test_remix_answers_a_wrong_option_privately(here):
    card = await here.painted(prompt="a fox")
    shown = await press(here, here.anna, card, "Remix")
    (field,) = fields(shown.modal)
    asked = await here.anna.submit_modal(shown, {field: "a badger steps:9999"})
    assert asked.ephemeral and "9999" in asked.response.content


def fields(modal):
    found = []

    def walk(part):
        if isinstance(part, dict):
            if "custom_id" in part and "components" not in part and "component" not in part:
                found.append(part["custom_id"])
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(modal["components"])
    return found


async def test_the_recipe_can_be_copied_and_asks_for_the_same(here):
    from realbot import grammar

    card = await here.painted(prompt="a *red* fox", steps=4, style="ink", weight=0.8)
    shown = await press(here, here.anna, card, "Recipe")
    assert shown.ephemeral
    text = shown.response.embeds[0].description
    assert text.startswith("```\n/imagine prompt:") and text.endswith("\n```")
    assert replace(grammar.parse(text[4:-4]), true_cfg=1.0) == here.job().request


async def test_X4_a_recipe_that_would_break_out_of_its_block_is_a_file(here):
    card = await here.painted(prompt="a ``` @everyone [x](https://evil.example)")
    shown = await press(here, here.anna, card, "Recipe")
    (file,) = shown.response.attachments
    assert b"```" in await file.read() and "```" not in (shown.response.embeds[0].description or "")


async def test_the_original_is_the_file_as_it_was_painted(here):
    card = await here.painted(prompt="a fox")
    shown = await press(here, here.anna, card, "Original")
    (file,) = shown.response.attachments
    path = await here.bench.studio.picture(anna(here), here.job().status.images[0])
    assert shown.ephemeral and await file.read() == path.read_bytes()


async def test_a_favourite_is_a_star_on_the_card(here):
    card = await here.painted(prompt="a fox")
    pressed = card.components[-1].children[0].style
    await press(here, here.anna, card, "⭐")
    entry = await here.bench.studio.entry(anna(here), here.job().id)
    assert entry.favourite
    (card,) = here.public()
    assert card.components[-1].children[0].style != pressed and len(card.attachments) == 1
    await press(here, here.anna, card, "⭐")
    assert not (await here.bench.studio.entry(anna(here), here.job().id)).favourite


async def test_delete_asks_once_more_and_then_takes_card_and_picture_away(here):
    card = await here.painted(prompt="a fox")
    asked = await press(here, here.anna, card, "🗑️")
    assert asked.ephemeral and len(here.public()) == 1
    await here.anna.click(asked.response.message, label="Delete")
    assert here.public() == []
    assert await here.bench.studio.history(anna(here)) == []


async def test_a_private_card_is_deleted_too(here):
    asked = await here.ask(private=True)
    await here.paint()
    confirm = await press(here, here.anna, here.message(asked), "🗑️")
    await here.anna.click(confirm.response.message, label="Delete")
    assert asked.response is None


# Who may press


DESTRUCTIVE = ["Again", "Vary a little", "Vary a lot", "×2", "×4", "More around it", "⭐", "🗑️"]


@pytest.mark.parametrize("label", DESTRUCTIVE)
async def test_P1_what_is_somebody_elses_is_refused_privately(here, label):
    card = await here.painted(prompt="a fox")
    asked = await press(here, here.bert, card, label)
    assert asked.ephemeral and "Only the person who asked" in asked.response.content
    assert len(here.pool.works) == 1 and len(here.public()) == 1


async def test_P1_cancel_is_the_owners(here):
    asked = await here.ask()
    refused = await press(here, here.bert, here.message(asked), "Cancel")
    assert refused.ephemeral and not isinstance(here.job().status, Cancelled)


async def test_P1_the_menu_is_the_owners(here):
    card = await here.painted(prompt="a fox", count=2)
    refused = await here.bert.select(card, ["subtle.0"], custom_id=find(card, "menu"))
    assert refused.ephemeral and len(here.pool.works) == 1


async def test_P1_a_moderator_cancels_and_deletes_and_uses_nothing_else(here, moderator):
    asked = await here.ask()
    await press(here, moderator, here.message(asked), "Cancel")
    await until(lambda: isinstance(here.job().status, Cancelled))
    card = await here.painted(prompt="another fox")
    for label in ("Again", "⭐"):
        refused = await press(here, moderator, card, label)
        assert refused.ephemeral and "Only the person" in refused.response.content
    confirm = await press(here, moderator, card, "🗑️")
    await moderator.click(confirm.response.message, label="Delete")
    assert [entry for entry in await here.bench.studio.history(anna(here)) if entry.images] == []


async def test_everybody_may_read_the_recipe_take_the_file_and_remix(here):
    card = await here.painted(prompt="a fox")
    assert (await press(here, here.bert, card, "Recipe")).ephemeral
    assert len((await press(here, here.bert, card, "Original")).response.attachments) == 1
    shown = await press(here, here.bert, card, "Remix")
    (field,) = fields(shown.modal)
    await here.bert.submit_modal(shown, {field: "a badger"})
    assert here.job().user.id == str(here.bert.id)


async def test_P2_an_id_that_was_made_up_is_refused(here):
    card = await here.painted(prompt="a fox")
    real = find(card, "Recipe")
    for forged in (secrets.token_urlsafe(12), buttons.action_id(real)[::-1]):
        with pytest.raises(Exception, match=r"not known|Too many"):
            await here.bench.studio.acted(forged, anna(here))


async def test_P2_what_everybody_may_do_is_bound_to_its_place(here):
    card = await here.painted(prompt="a fox")
    action = await here.bench.studio.acted(buttons.action_id(find(card, "Recipe")), press=False)
    assert action.place == str(here.channel.id) and action.owner == ""


async def test_P2_a_confirmation_counts_once(here):
    card = await here.painted(prompt="a fox")
    first = await press(here, here.anna, card, "🗑️")
    second = await press(here, here.anna, card, "🗑️")
    await here.anna.click(first.response.message, label="Delete")
    asked = await here.anna.click(second.response.message, label="Delete")
    said = [asked.response, *asked.followups]
    assert any("button" in (one.content or "") or "longer" in (one.content or "") for one in said if one)


async def test_P4_every_press_counts_against_the_limits_of_whoever_presses(tmp_path):
    async with stage(tmp_path, sections={"limits": {"waiting_per_user": 2}}) as here:
        card = await here.painted(prompt="a fox")
        answers = [await press(here, here.anna, card, "Again") for _ in range(4)]
        assert [answer.ephemeral for answer in answers] == [False, False, True, True]


async def test_DC1_a_press_that_is_looked_up_for_too_long_is_announced(here, monkeypatch):
    card = await here.painted(prompt="a fox")
    here.bot.presses._patience = 0.05
    acted = here.bench.studio.acted

    async def slow(*arguments, **options):
        await asyncio.sleep(0.3)
        return await acted(*arguments, **options)

    monkeypatch.setattr(here.bench.studio, "acted", slow)
    asked = await press(here, here.anna, card, "Remix")
    assert asked.ephemeral and "once more" in asked.response.content and asked.modal is None


# Restarts and age


async def test_DC15_buttons_outlive_a_restart(here):
    card = await here.painted(prompt="a fox")
    waiting = here.message(await here.ask(prompt="a badger"))
    await here.restart()
    await press(here, here.anna, waiting, "Cancel")
    await until(lambda: isinstance(here.job().status, Cancelled))
    await press(here, here.anna, card, "Again")
    assert here.job().request.prompt == "a fox"
    assert (await press(here, here.bert, card, "Recipe")).ephemeral
    refused = await press(here, here.bert, card, "🗑️")
    assert "Only the person" in refused.response.content


@pytest.mark.parametrize(("seconds", "works"), [(181, True), (20 * 86_400, True), (31 * 86_400, False)])
async def test_DC16_a_button_works_for_a_month_and_then_says_so(here, seconds, works):
    card = await here.painted(prompt="a fox")
    await here.env.advance_time(seconds)
    asked = await press(here, here.anna, card, "Recipe")
    assert asked.ephemeral and bool(asked.response.embeds) is works
    if not works:
        assert "too old" in asked.response.content


async def test_a_press_on_what_was_deleted_says_so(here):
    card = await here.painted(prompt="a fox")
    await here.bench.studio.forget(anna(here), here.job().id)
    asked = await press(here, here.anna, card, "Again")
    assert asked.ephemeral and asked.response.content


async def test_what_follows_from_a_private_card_is_private(here):
    asked = await here.ask(private=True)
    await here.paint()
    follow = await press(here, here.anna, here.message(asked), "Again")
    assert follow.ephemeral and here.job().origin.private


def test_nobody_moderates_direct_messages():
    class Direct:
        guild_id = None

    assert place.moderator_of(Direct()) == ""  # type: ignore[arg-type]
