"""Training over real HTTP: files in a dialog, a restart before and after it began, and an outage at the end."""

from __future__ import annotations

import asyncio

import pytest
from fronts import arrives, house, shows, soon
from learning import OPEN, given, school, set_of
from loopback_people import Actor, Unable, Upload

from realbot.jobs import Train, User


def uploads(files: list[tuple[str, bytes]]) -> list[Upload]:
    return [Upload(*file) for file in files]


def panel(person, channel):
    """The newest panel of a set that only this person sees."""
    return [one for one in person.sees(channel) if one.ephemeral and "Drop" in one.labels][-1]


async def gathers(anna, channel, files):
    options = {option: Upload(*file) for option, file in given(files).items()}
    asked = await anna.slash(channel, "train", name="tiles", trigger="tilework", steps=100, **options)
    assert asked.waited is not None
    assert asked.waited < 2.8
    await soon(lambda: any("Drop" in one.labels for one in anna.sees(channel)), "there is no panel")


@pytest.mark.parametrize("where", ["server", "direct"])
async def test_files_come_by_dialog_and_are_trained_on_after_a_restart(discord, channel, anna, bert, tmp_path, where):
    place = channel if where == "server" else anna.dm
    async with house(tmp_path, discord, haste=10, pool=school(tmp_path), sections=OPEN):
        await gathers(anna, place, set_of(3))
        dialog = await anna.press(panel(anna, place), "Add pictures")
        label = "Pictures, up to 10 at a time"
        with pytest.raises(Unable):
            await anna.fill(dialog, **{label: []})
        await anna.fill(dialog, **{label: uploads(set_of(4, 3))})
        await soon(lambda: "7 pictures to learn from" in panel(anna, place).text, "they were not added")
        assert panel(anna, place).attachments[0].description == "7 pictures to learn from, side by side"
        assert not [one for one in bert.sees(place) if one.text]
    async with house(tmp_path, discord, haste=10, pool=school(tmp_path), sections=OPEN) as bench:
        # Longer ago than what was brought is kept.
        await bench.studio._desk.uploads.forget(User("discord", anna.id).key)
        pressed = await anna.press(panel(anna, place), "Train")
        await soon(bench.pool.working, "it is not trained")
        bench.pool.step(50)
        await shows(pressed.message, "Step 50 of 100")
        (job,) = bench.studio._jobs.values()
        assert isinstance(job.request, Train)
        assert len(job.request.images) == 7
    async with house(tmp_path, discord, haste=10, pool=school(tmp_path), sections=OPEN) as bench:
        await soon(bench.pool.working, "it is not trained after a restart")
        bench.pool.finish()
        card = await arrives(pressed.message, "The style is trained")
        shared = [label for label in card.labels if label.startswith("Share")]
        assert shared == (["Share with this server"] if where == "server" else [])
        assert [one.name for one in bench.studio.trained(User("discord", anna.id))] == ["tiles"]
        file = await anna.press(card, "Weights")
        await soon(lambda: file.message is not None and file.message.attachments, "there is no file")
        discord.file_limit = 10
        large = await anna.press(card, "Weights")
        assert "tiles.safetensors" in large.text


async def test_pictures_that_discord_keeps_no_more_are_asked_for_again(discord, channel, anna, tmp_path):
    async with house(tmp_path, discord, haste=10, pool=school(tmp_path), sections=OPEN) as bench:
        await gathers(anna, channel, set_of(5))
        await bench.studio._desk.uploads.forget(User("discord", anna.id).key)
        discord.files.clear()
        pressed = await anna.press(panel(anna, channel), "Train")
        assert "attach it again" in pressed.text
        assert not bench.pool.working()


async def test_an_old_card_is_changed_now_and_then(discord, channel, anna, tmp_path):
    async with house(tmp_path, discord, haste=10, pool=school(tmp_path), sections=OPEN) as bench:
        await gathers(anna, channel, set_of(4))
        card = (await anna.press(panel(anna, channel), "Train")).message
        await soon(bench.pool.working)
        bench.pool.step(10)
        await shows(card, "Step 10 of 100")
        discord.clock.advance(2 * 3600)
        bench.pool.step(20)
        await shows(card, "Step 20 of 100")
        before = card.edits
        for step in (30, 40, 50):
            bench.pool.step(step)
            await asyncio.sleep(0.5)
        assert card.edits == before
        discord.clock.advance(11 * 60)
        bench.pool.step(60)
        await shows(card, "Step 60 of 100")
        bench.pool.finish()
        await arrives(card, "The style is trained")
        await soon(lambda: any("your style is trained" in one.text for one in anna.sees(channel)), "nobody is told")


async def test_the_owner_of_the_application_trains_where_nobody_else_may(discord, channel, anna, tmp_path):
    owner = Actor(discord, discord.owner)
    sections = {"training": {"roles": ("owners",)}}
    async with house(tmp_path, discord, haste=10, pool=school(tmp_path), sections=sections) as bench:
        refused = await anna.slash(channel, "train", name="x", trigger="x")
        assert "some people only" in refused.text
        await gathers(owner, owner.dm, set_of(4))
        await anna.forge(panel(owner, owner.dm), panel(owner, owner.dm).buttons[0]["custom_id"])
        assert not bench.pool.working()
        pressed = await owner.press(panel(owner, owner.dm), "Train")
        await soon(bench.pool.working)
        bench.pool.finish()
        await arrives(pressed.message, "The style is trained")
        shown = (await owner.slash(channel, "styles", style="tiles")).message
        await soon(lambda: "Share everywhere" in shown.labels, "it cannot be shared")
        await owner.press(shown, "Share everywhere")
        await soon(lambda: "Share everywhere no longer" in shown.labels, "it is not shared")
        assert [value for _, value in await anna.complete(anna.dm, "imagine", "style", "tiles", prompt="x")] == [
            "tiles"
        ]
        await owner.press(shown, "Share everywhere no longer")
        await soon(lambda: "Share everywhere" in shown.labels, "it is still shared")
        assert await anna.complete(channel, "imagine", "style", "tiles", prompt="x") == []
