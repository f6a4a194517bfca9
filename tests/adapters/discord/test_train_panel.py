"""Training a style on simcord: gathering, what is found, the card from line to end, and what its owner may do."""

from __future__ import annotations

import asyncio

import discord
import pytest
from learning import OPEN, given, lesson, school, set_of
from staged import PARTS, stage
from test_presses import find

from realbot.jobs import Done, StyleUse, Train, User
from studios import until

EVERY = (*PARTS, "train", "history", "settings")


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path, parts=EVERY, pool=school(tmp_path), sections=OPEN) as here:
        yield here


def anna(here) -> User:
    return User("discord", str(here.anna.id))


def now(asked):
    """The message that answered, as it is now."""
    return asked.response.message if hasattr(asked, "response") else asked


async def push(here, who, asked, label):
    message = now(asked)
    return await who.click(message, custom_id=find(message, label))


def text(asked) -> str:
    """All that a message says."""
    message = now(asked)
    parts = [message.content]
    for embed in message.embeds:
        parts += [embed.title or "", embed.description or "", embed.footer.text or ""]
        parts += [f"{field.name}: {field.value}" for field in embed.fields]
    return "\n".join(parts)


def labels(asked) -> list[str]:
    return [part.label or str(part.emoji) for row in now(asked).components for part in row.children]


async def gathered(here, count: int = 5, who=None, **options):
    """The panel of a set."""
    asked = await (who or here.anna).slash(
        here.channel, "train", name="My Tiles", trigger="tilework", **given(set_of(count)), **{"steps": 100} | options
    )
    assert asked.ephemeral
    return asked


async def begun(here, **options):
    """The card of a training."""
    return await push(here, here.anna, await gathered(here, **options), "Train")


async def trained(here):
    card = await begun(here)
    await here.paint()
    return card


# The set


async def test_what_is_found_among_the_pictures_is_shown_before_anything_is_trained(here):
    files = [*set_of(5), ("same.png", lesson(2)), ("torn.png", lesson(7)[:300]), ("IMG_1234.png", lesson(8))]
    asked = await here.anna.slash(here.channel, "train", name="My Tiles", trigger="tilework", **given(files))
    panel = asked
    assert asked.ephemeral and labels(panel) == ["Train", "Add pictures", "Drop"]
    told = text(panel)
    for said in (
        "Style my-tiles",
        "6 pictures to learn from",
        "Left out: same\\.png. It is the same picture as a\\_gold\\_tile\\_2\\.png",
        "Left out: torn\\.png. The picture is damaged",
        "Words that bring it out: tilework",
        "up to 1000 steps",
        "a crimson tile, tilework",
        "Not known yet",
        "only on pictures that you made or may use",
    ):
        assert said.replace("\\.", ".") in told.replace("\\.", "."), (said, told)
    assert [one.filename for one in now(panel).attachments] == ["pictures.webp"]
    assert not here.pool.working() and here.public() == []


async def test_more_pictures_come_by_dialog_by_command_and_from_a_message_up_to_forty(here):
    panel = await gathered(here, 2)
    assert "2 pictures so far; 4 are needed" in text(panel) and labels(panel) == ["Add pictures", "Drop"]
    at = 2
    for _ in range(3):
        dialog = await push(here, here.anna, panel, "Add pictures")
        (field,) = dialog.modal["components"]
        await here.anna.submit_modal(dialog, {field["component"]["custom_id"]: set_of(10, at)})
        at += 10
        assert f"{at} pictures to learn from" in text(panel)
    asked = await here.anna.slash(here.channel, "train", name="my-tiles", trigger="tilework", **given(set_of(6, at)))
    assert "38 pictures to learn from" in text(asked)
    said = await here.anna.send(here.channel, "more", attachments=set_of(2, 38))
    dialog = await here.anna.context_menu(here.channel, "Train on these pictures", said)
    fields = {row["label"]: row["component"] for row in dialog.modal["components"]}
    values = [one["value"] for one in fields.values()]
    assert values == ["my-tiles", "tilework"]
    done = await here.anna.submit_modal(dialog, {one["custom_id"]: one["value"] for one in fields.values()})
    assert "40 pictures to learn from" in text(done)
    # The panel that was there first stands for the whole set too.
    await push(here, here.anna, panel, "Train")
    await here.painting()
    assert isinstance(here.job().request, Train)


async def test_a_set_is_dropped_and_its_panel_is_of_no_use_then(here):
    panel = await gathered(here)
    old = find(now(panel), "Train")
    await push(here, here.anna, panel, "Drop")
    assert "Dropped" in text(panel) and not now(panel).embeds and not now(panel).attachments
    assert labels(panel) == []
    assert not here.pool.working() and here.bench.studio.waiting(anna(here)) == []
    assert old


async def test_who_may_not_train_is_told_so_privately(tmp_path):
    async with stage(tmp_path, parts=EVERY, pool=school(tmp_path)) as here:
        for asked in (
            await here.anna.slash(here.channel, "train", name="x", trigger="x", **given(set_of(4))),
            await here.anna.context_menu(
                here.channel, "Train on these pictures", await here.anna.send(here.channel, "", attachments=set_of(1))
            ),
        ):
            assert asked.ephemeral and "by some people only" in asked.response.content
        helped = await here.anna.slash(here.channel, "help")
        assert "/train" not in text(helped)
        await here.bench.studio.rule(f"discord:{here.server.id}", anna(here), trainers=[str(here.anna.id)])
        assert "Train" in labels(await gathered(here))
        helped = await here.anna.slash(here.channel, "help")
        assert "`/train`" in text(helped)


async def test_a_set_that_cannot_be_learnt_from_says_why_and_can_be_added_to(here):
    files = [*set_of(3), ("torn.png", lesson(7)[:300])]
    asked = await here.anna.slash(here.channel, "train", name="nul", trigger="x", **given(files))
    assert "needs a name" in text(asked)
    asked = await here.anna.slash(here.channel, "train", name="fine", trigger="x", **given(files))
    panel = asked
    assert "3 pictures are left to learn from" in text(panel) and labels(panel) == ["Add pictures", "Drop"]
    dialog = await push(here, here.anna, panel, "Add pictures")
    (field,) = dialog.modal["components"]
    await here.anna.submit_modal(dialog, {field["component"]["custom_id"]: set_of(2, 3)})
    assert "5 pictures to learn from" in text(panel)
    # Another name for what is gathered.
    asked = await here.anna.slash(here.channel, "train", name="other", trigger="y")
    assert "Style other" in text(asked) and "5 pictures to learn from" in text(asked)
    asked = await here.anna.slash(here.channel, "train", name="fine", trigger="x", steps=90_000)
    assert "3000" in asked.response.content


# The card


async def test_the_card_tells_how_it_goes_and_gives_way_to_pictures(here):
    card = await begun(here)
    await here.painting()
    assert not card.ephemeral and labels(card) == ["Cancel"]
    here.pool.step(30)
    await until(lambda: "Step 30 of 100" in text(card))
    for said in (
        "▰▰▰▰",
        "loss 0.0333",
        "held-out pictures 0.0333",
        "learning rate 1.0e-3",
        "8.0 pictures/s",
        "ready <t:",
    ):
        assert said in text(card), text(card)
    assert [one.filename for one in now(card).attachments] == ["preview.jpg"]
    assert "samples painted with it" in now(card).attachments[0].description
    picture = await here.ask(here.bert, prompt="a frog on blue")
    await until(lambda: "Paused after step 30 of 100" in text(card))
    await until(lambda: here.pool.works[-1].request["verb"] == "generate")
    here.pool.finish()
    await until(lambda: here.message(picture).attachments)
    await until(lambda: here.pool.working() and here.pool.works[-1].request["verb"] == "train")
    await here.paint()
    assert "The style is trained" in text(card) and "`style:my-tiles`" in text(card)
    assert "5 pictures · up to 100 steps · rank 16" in text(card)
    assert labels(card) == ["Share with this server", "Metrics", "Weights", "🗑️"]
    assert now(card).attachments[0].filename == "style-my-tiles-0.png"


async def test_hundreds_of_steps_are_few_changes_of_the_card(here):
    await begun(here, steps=600)
    await here.painting()
    before = len([one for one in here.env.http_requests if one.method == "PATCH"])
    for n in range(1, 600):
        here.pool.step(n)
        if n % 20 == 0:
            await asyncio.sleep(0.06)
    await here.paint()
    changes = len([one for one in here.env.http_requests if one.method == "PATCH"]) - before
    assert changes <= 55, changes


async def test_a_training_is_cancelled_and_tried_again(here):
    card = await begun(here)
    await here.painting()
    await push(here, here.anna, card, "Cancel")
    await until(lambda: "Cancelled." in text(card))
    assert labels(card) == ["Try again"]
    again = await push(here, here.anna, card, "Try again")
    await here.painting()
    here.pool.fail("bad_request", "The training came to numbers that are none.")
    await here.idle()
    failed = again
    assert "could not be trained" in text(failed) and "numbers that are none" in text(failed)
    assert labels(failed) == ["Try again"]


async def test_it_waits_for_its_hours(tmp_path):
    # simcord's time begins at midnight.
    hours = {"training": {"roles": ("everyone",), "hours": "5-6"}}
    async with stage(tmp_path, parts=EVERY, pool=school(tmp_path), sections=hours) as here:
        card = await begun(here)
        await until(lambda: "Waits until <t:" in text(card))
        assert labels(card) == ["Cancel"] and not here.pool.working()
        listed = await here.anna.slash(here.channel, "queue")
        assert "Waits until <t:" in text(listed)


async def test_a_panel_is_agreed_to_once_also_after_a_restart(here):
    panel = await gathered(here)
    old = find(now(panel), "Train")
    await here.restart()
    pressed = await here.anna.click(now(panel), custom_id=old)
    await here.painting()
    assert "Style my" in text(pressed)
    await here.paint()
    assert isinstance(here.job().status, Done)
    assert len(here.pool.jobs) == 1


# What follows


async def test_its_owner_uses_it_and_nobody_else_until_it_is_shared(here):
    card = await trained(here)

    async def offered(who):
        names = await who.autocomplete(here.channel, "imagine", "style", "my", prompt="x")
        return [one["value"] for one in names]

    assert await offered(here.anna) == ["my-tiles"]
    assert await offered(here.bert) == []
    refused = await here.bert.slash(here.channel, "imagine", prompt="a cat", style="my-tiles")
    assert refused.ephemeral
    for label in ("Share with this server", "Metrics", "Weights"):
        pressed = await push(here, here.bert, card, label)
        assert pressed.response.content == "Only the person whose style this is can do that."
    await push(here, here.anna, card, "Share with this server")
    assert labels(card)[0] == "Share with this server no longer" and "Everybody here may use" in text(card)
    assert await offered(here.bert) == ["my-tiles"]
    await here.painted(here.bert, prompt="a cat on green", style="my-tiles")
    assert here.job().request.styles == (StyleUse("my-tiles"),)
    await here.bench.studio.prefer(User("discord", str(here.bert.id)), styles=(StyleUse("my-tiles"),))
    await push(here, here.anna, card, "Share with this server no longer")
    assert await offered(here.bert) == []
    # A default that may not be used any more refuses nothing.
    await here.painted(here.bert, prompt="a cat on blue")
    assert here.job().request.styles == ()


async def test_its_files_are_handed_over_and_it_is_deleted_after_a_question(here):
    card = await trained(here)
    lesson_folder = here.bench.store.wardrobe.lesson(here.job().id)
    missing = await push(here, here.anna, card, "Metrics")
    assert "not there any more" in missing.response.content
    lesson_folder.mkdir(parents=True, exist_ok=True)
    (lesson_folder / "metrics.csv").write_text("step,loss\n1,0.5\n")
    table = await push(here, here.anna, card, "Metrics")
    assert [one.filename for one in table.response.attachments] == ["my-tiles.csv"]
    file = await push(here, here.anna, card, "Weights")
    assert [one.filename for one in file.response.attachments] == ["my-tiles.safetensors"]
    shown = now(card).id
    asked = await push(here, here.anna, card, "🗑️")
    assert "Delete the style my-tiles for good?" in asked.response.content
    await push(here, here.anna, asked, "Delete")
    assert here.bench.studio.trained(anna(here)) == []
    assert shown not in [one.id for one in here.public()]


async def test_recipe_history_and_an_old_card_tell_of_a_training(here):
    card = await trained(here)
    told = await here.anna.context_menu(here.channel, "Recipe", now(card))
    assert "tilework" in text(told) and "Rank: 16" in text(told)
    listed = await here.anna.slash(here.channel, "history")
    panel = listed
    assert "Style my" in text(panel) and "seed" not in text(panel)
    opened = await here.anna.select(now(panel), [here.job().id], custom_id=find(now(panel), "menu"))
    shown = opened.followups[0].message if opened.followups else opened.response.message
    assert "Share with this server" in labels(shown)
    # Deleted elsewhere, its card says so when it is asked.
    await here.bench.studio.discard(anna(here), "my-tiles")
    gone = await push(here, here.anna, card, "Weights")
    assert "not there any more" in gone.response.content


async def test_its_owner_does_the_same_from_the_list_of_styles(here):
    await trained(here)
    theirs = await here.bert.slash(here.channel, "styles", style="my-tiles")
    assert "There is no style my" in theirs.response.content
    panel = await here.anna.slash(here.channel, "styles", style="my-tiles")
    assert labels(panel) == ["All styles", "Share with this server", "Metrics", "Weights", "Delete"]
    await push(here, here.anna, panel, "Share with this server")
    assert labels(panel)[1] == "Share with this server no longer"
    theirs = await here.bert.slash(here.channel, "styles", style="my-tiles")
    assert "tilework" in text(theirs) and labels(theirs) == ["All styles"]
    file = await push(here, here.anna, panel, "Weights")
    assert [one.filename for one in file.followups[0].attachments] == ["my-tiles.safetensors"]
    await push(here, here.anna, panel, "Delete")
    assert "for good?" in text(panel) and labels(panel) == ["Delete", "Back"]
    await push(here, here.anna, panel, "Delete")
    assert here.bench.studio.trained(anna(here)) == [] and "my-tiles" not in text(panel)


async def test_what_is_gathered_goes_with_what_is_kept_of_a_person(here):
    await gathered(here)
    await here.bench.studio.erase(anna(here))
    asked = await here.anna.slash(here.channel, "train", name="My Tiles", trigger="tilework")
    assert "0 pictures so far" in text(asked)


async def test_a_moderator_deletes_the_card_and_not_the_style(here):
    card = await trained(here)
    role = here.server.create_role("keepers", permissions=discord.Permissions(manage_messages=True))
    mona = here.server.add_member(here.env.create_user("mona"), roles=[role])
    shown = now(card).id
    asked = await push(here, mona, card, "🗑️")
    await push(here, mona, asked, "Delete")
    assert shown not in [one.id for one in here.public()]
    assert [one.name for one in here.bench.studio.trained(anna(here))] == ["my-tiles"]
