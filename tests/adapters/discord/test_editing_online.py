"""Editing over real HTTP: questions, answers to cards and dialogs as Discord tells them, and a restart in between."""

from __future__ import annotations

import pytest
from fronts import arrives, finished, house, soon
from loopback_faults import Reset
from loopback_people import Upload
from PIL import Image
from test_editing import drawn_over, left, png, scene

from realbot.jobs import User

SOURCE, MASK = Upload("start.png", png(scene())), Upload("mask.png", png(left()))


def question(anna, channel):
    """The last question that only Anna sees, empty while there is none."""
    asked = [m for m in anna.sees(channel) if m.ephemeral and "Right?" in m.text and not m.loading]
    return asked[-1] if asked else None


async def asks(anna, channel, **options):
    asked = await anna.slash(channel, "imagine", prompt="a red hat", **options)
    # The picture is uploaded after the first answer, which may not wait for it.
    assert asked.answer == 5 and asked.waited < 2.8
    await soon(lambda: question(anna, channel), "it is not asked")
    return question(anna, channel)


@pytest.mark.parametrize("where", ["server", "direct"])
async def test_a_mask_is_agreed_to_and_painted(front, atelier, discord, channel, anna, bert, where):
    place = channel if where == "server" else anna.dm
    told = await asks(anna, place, source=SOURCE, mask=MASK)
    assert told.attachments[0].description and told.labels == ["Paint", "No"]
    assert told not in bert.sees(place) and not atelier.pool.working()
    pressed = await anna.press(told, "Paint")
    assert pressed.answer in (4, 5) and pressed.waited < 2.8
    await soon(atelier.pool.working)
    atelier.pool.finish()
    card = await arrives(pressed.message, "partly painted anew")
    assert not card.ephemeral
    await soon(lambda: question(anna, place) is None, "the question stays")


async def test_DC5_a_reset_while_it_is_agreed_to_paints_once(front, atelier, discord, channel, anna):
    told = await asks(anna, channel, source=SOURCE, region="left")
    discord.fault("POST", "/interactions/*/callback", Reset(after=True))
    pressed = await anna.press(told, "Paint")
    await soon(atelier.pool.working)
    atelier.pool.finish()
    await arrives(pressed.message)
    assert len(atelier.pool.jobs) == 1 and len([m for m in anna.sees(channel) if finished(m) and not m.ephemeral]) == 1


async def test_what_was_drawn_over_a_card_of_somebody_else(front, atelier, discord, channel, anna, bert):
    asked = await anna.slash(channel, "imagine", prompt="a fox on blue size:256x256")
    await soon(atelier.pool.working)
    atelier.pool.finish()
    card = await arrives(asked.message)
    copy = drawn_over(card.pictures[0], (40, 40, 120, 120))
    answer = discord.say(bert, channel, "", {"drawn.jpg": copy}, reply_to=card)
    dialog = await bert.menu("Paint where I drew", answer)
    asked = await bert.fill(dialog, **{"Prompt and options": "a red hat"})
    assert asked.waited < 2.8
    await soon(lambda: question(bert, channel), "it is not asked")
    await bert.press(question(bert, channel), "Paint")
    await soon(atelier.pool.working)
    request = atelier.studio._jobs[atelier.pool.jobs[-1]].request
    assert request.prompt == "a red hat"
    with Image.open(await atelier.studio.picture(User("discord", bert.id), request.mask)) as mask:
        assert mask.convert("L").getpixel((80, 80)) > 200 and mask.convert("L").getpixel((230, 230)) < 20
    atelier.pool.finish()


async def test_the_look_of_a_picture_and_what_is_around_one(front, atelier, discord, channel, anna):
    said = discord.say(anna, channel, "look", {"mine.png": SOURCE.data})
    asked = await anna.fill(await anna.menu("Use its look", said), **{"Prompt and options": "a fox"})
    await soon(atelier.pool.working)
    atelier.pool.finish()
    card = await arrives(asked.message, "look of a picture")
    row = await anna.press(card, "More around it")
    assert row.private and row.message.labels[0] == "Zoom out ×1.5"
    wider = await anna.press(row.message, "Zoom out ×1.5")
    await soon(atelier.pool.working)
    atelier.pool.finish()
    await arrives(wider.message, "partly painted anew")


async def test_DC15_a_question_is_answered_after_a_restart(discord, channel, anna, tmp_path):
    async with house(tmp_path, discord, haste=10):
        told = await asks(anna, channel, source=SOURCE, mask=MASK)
    async with house(tmp_path, discord, haste=10) as bench:
        pressed = await anna.press(told, "Paint")
        await soon(bench.pool.working, "it is not painted")
        bench.pool.finish()
        await arrives(pressed.message, "partly painted anew")
        assert question(anna, channel) is None
        again = await anna.forge(told, told.buttons[0]["custom_id"])
        assert "used already" in again.text
