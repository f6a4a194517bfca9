"""/train on a loopback Telegram: pictures are gathered and looked at, learnt from, and the style is its owner's."""

from __future__ import annotations

import time

import pytest
from botapi_faults import Reset
from tg_fronts import house, shows
from tg_lessons import begun, gathered, last, learnt, looked, names, pictures, step, taken
from tg_scenes import asks, calm, finishes, rows, soon, user

from realbot.config import Settings

OPEN = {"training": {"roles": ("everyone",)}}


@pytest.fixture
def sections():
    return OPEN


@pytest.fixture
async def home(api, tmp_path, sections):
    async with house(tmp_path, api, hand=True, sections=sections) as home:
        yield home


# The set


async def test_pictures_are_gathered_one_by_one_and_in_albums(home, anna):
    status = await anna.ask(anna.chat, "/train My Milo")
    assert "my-milo" not in status.words, "the first word is the name"
    assert "Style my" in status.words
    assert "0 pictures so far; 4 are needed" in status.words
    assert rows(status) == [["Drop"]]
    anna.photo(anna.chat, taken(1), "a dog on a sofa")
    await shows(status, "1 picture so far")
    anna.album(anna.chat, [taken(2), taken(3)])
    anna.document(anna.chat, taken(4), name="the-sea.png")
    await shows(status, "4 pictures so far")
    assert rows(status) == [["Drop", "Check them"]]
    assert anna.chat.told == [status], "nothing is painted from them"


async def test_what_was_found_is_told_before_anything_is_learnt(home, anna):
    status = await anna.ask(anna.chat, "/train dots dotty steps:6")
    anna.album(anna.chat, pictures(3), "at home")
    anna.photo(anna.chat, taken(9), "a dog on a sofa")
    anna.document(anna.chat, taken(4), name="the-sea.png")
    anna.document(anna.chat, taken(4), name="again.png")
    anna.document(anna.chat, taken(5, (32, 32)), name="tiny.png")
    anna.document(anna.chat, taken(6)[:300], name="torn.png")
    await shows(status, "8 pictures so far")
    await looked(anna, status)
    for words in (
        "5 pictures to learn from", "Left out: again.png. It is the same picture as the-sea.png.",
        "Left out: tiny.png. The shorter side needs 64 pixels.", "Left out: torn.png. The picture is damaged",
        "at home", "a dog on a sofa", "the sea", "6 steps", "Not known yet", "consent",
    ):  # fmt: skip
        assert words in status.words
    assert rows(status) == [["Drop", "Add pictures"], ["Train"]]
    assert not home.easel.works
    await anna.press(status, "Add pictures")
    await shows(status, "8 pictures so far")
    anna.photo(anna.chat, taken(7))
    await shows(status, "9 pictures so far")


async def test_an_album_with_the_command_below_it_is_a_set(home, anna):
    anna.album(anna.chat, pictures(5), "/train dots dotty")
    await soon(lambda: anna.chat.told, "no answer")
    await shows(last(anna.chat), "5 pictures so far")
    assert len(anna.chat.told) == 1
    status = await looked(anna, last(anna.chat))
    assert "/train" not in status.words


async def test_a_set_survives_a_restart(api, anna, bert, tmp_path, sections):
    async with house(tmp_path, api, hand=True, sections=sections):
        status = await gathered(anna)
        anna.photo(anna.chat, taken(8), "a dog on a sofa")
        await shows(status, "6 pictures so far")
        other = await gathered(bert, "/train loops", 4)
    async with house(tmp_path, api, hand=True, sections=sections) as home:
        anna.photo(anna.chat, taken(9))
        await soon(lambda: status.deleted, "it is not told anew")
        status = last(anna.chat)
        assert "7 pictures so far" in status.words
        assert "a dog on a sofa" in (await looked(anna, status)).words
        assert "7 pictures to learn from" in status.words
    async with house(tmp_path, api, hand=True, sections=sections) as home:
        pressed = await anna.press(status, "Train")
        assert "once more" in pressed.text
        await shows(status, "to learn from", 20)
        await anna.press(status, "Train")
        await learnt(home)
        assert await names(home, anna) == ["dots"]
        # What somebody has deleted is not taken up again.
        await home.studio.erase(user(bert))
        bert.photo(bert.chat, taken(7), "a red fox steps:4")
        await soon(home.easel.working, "the picture is gathered")
    assert "4 pictures so far" in other.words


async def test_too_few_pictures_and_names_that_are_taken_are_told_on_the_set(home, anna):
    status = await anna.ask(anna.chat, "/train dots")
    anna.album(anna.chat, [taken(1), taken(1), taken(2), taken(3)])
    await shows(status, "4 pictures so far")
    await anna.press(status, "Check them")
    await shows(status, "3 pictures are left to learn from, and 4 are the least", 20)
    assert rows(status) == [["Drop", "Check them"]]
    assert (await anna.ask(anna.chat, "/train nul")).words.startswith("A style needs a name")
    renamed = await anna.ask(anna.chat, "/train dogs doggy")
    assert "Style dogs" in renamed.words
    assert "4 pictures so far" in renamed.words
    await soon(lambda: status.deleted, "the old one stays")


async def test_a_dropped_set_takes_no_more_pictures(home, anna):
    status = await gathered(anna)
    await anna.press(status, "Drop")
    assert "Dropped" in status.words
    assert not status.labels
    answer = await anna.ask(anna.chat, "/train")
    assert "what the style is called" in answer.words
    anna.photo(anna.chat, taken(1), "a red fox")
    await soon(home.easel.working, "the picture is not painted from")


async def test_T8_a_message_in_doubt_serves_as_well_as_the_one_that_is_known(home, api, anna):
    api.fault("sendMessage", Reset(after=True))
    anna.write(anna.chat, "/train dots dotty steps:6")
    await soon(lambda: anna.chat.told, "no answer")
    doubted = last(anna.chat)
    anna.album(anna.chat, pictures())
    await soon(lambda: len(anna.chat.told) == 2, "nothing tells how many there are")
    await shows(last(anna.chat), "5 pictures so far")
    await anna.press(doubted, "Drop")
    assert "Dropped" in doubted.words
    assert (await anna.press(last(anna.chat), "Check them")).text.startswith("This set is not there any more")


async def test_other_commands_and_answers_go_on_while_pictures_are_gathered(home, anna):
    status = await gathered(anna)
    anna.photo(anna.chat, taken(1), "/imagine a red fox steps:4")
    await soon(home.easel.working, "nothing is painted")
    await finishes(home)
    assert "5 pictures so far" in status.words
    card = await anna.ask(anna.chat, "a blue bird steps:4")
    assert "bird" in card.words


async def test_in_a_group_pictures_answer_the_message(home, api, anna, bert):
    group = api.supergroup("painters", anna, bert)
    status = await anna.ask(group, "/train dots dotty steps:6")
    assert "Answer this message" in status.words
    anna.photo(group, taken(1))
    bert.photo(group, taken(2), reply_to=status)
    anna.album(group, [taken(3), taken(4)], reply_to=status)
    await shows(status, "2 pictures so far")
    await calm()
    assert "2 pictures so far" in status.words, "neither somebody else's nor one that answers nothing"
    await bert.press(status, "Drop")
    assert "Dropped" not in status.words


async def test_no_more_pictures_than_allowed_are_gathered(api, anna, tmp_path):
    rules = {"training": {"roles": ("everyone",), "max_pictures": 4, "max_steps": 50}}
    async with house(tmp_path, api, hand=True, sections=rules):
        wrong = await anna.ask(anna.chat, "/train dots steps:60")
        assert wrong.words == "steps must be a whole number from 1 to 50, not 60."
        status = await anna.ask(anna.chat, "/train dots steps:50")
        anna.album(anna.chat, pictures(6))
        await shows(status, "4 pictures so far")
        assert "as much as one training takes" in status.words
        assert "50 steps" in (await looked(anna, status)).words


# The training


async def test_a_training_is_followed_on_its_card_to_its_style(home, anna, tmp_path):
    card = await begun(home, anna)
    assert "Style dots" in card.words
    assert card.labels == ["Cancel"]
    await soon(home.easel.working, "nothing is learnt")
    step(home, 2, taken(3))
    await shows(card, "Step 2 of 6")
    for words in (
        "loss 0.2000",
        "held-out pictures 0.3000",
        "learning rate 2.0e-3",
        "8.0 pictures/s",
        "▰▰▰▰▱",
        "ready",
    ):
        assert words in card.words
    assert card.picture is not None, "the chart and the samples"
    await learnt(home)
    assert "style:dots" in card.words
    assert "nobody else can use it" in card.words
    assert "In a group, /styles dots shares it" in card.words
    assert rows(card) == [["Metrics", "Weights"], ["Recipe", "⭐", "🗑"]]
    assert await names(home, anna) == ["dots"]


async def test_pictures_go_first_and_the_card_says_so(home, anna, bert):
    card = await begun(home, anna)
    await soon(home.easel.working, "nothing is learnt")
    step(home, 3)
    await shows(card, "Step 3 of 6")
    first = await asks(home, bert, "a red fox steps:4")
    await soon(lambda: home.easel.works[-1].request.get("prompt") == "a red fox", "the picture waits")
    await shows(card, "Paused after step 3 of 6: pictures go first.", 15)
    await finishes_one(home, first)
    await learnt(home)
    assert "style:dots" in card.words


async def finishes_one(home, card) -> None:
    home.easel.finish()
    await shows(card, "seed")


async def test_a_training_that_fails_is_told_in_one_sentence_and_tried_again(home, anna):
    card = await begun(home, anna)
    await soon(home.easel.working, "nothing is learnt")
    home.easel.fail("out_of_memory")
    await shows(card, "did not fit into the memory", 15)
    assert card.labels == ["Try again"]
    await anna.press(card, "Try again")
    await learnt(home)
    assert await names(home, anna) == ["dots"]


async def test_a_training_is_cancelled_while_it_runs(home, anna):
    card = await begun(home, anna)
    await soon(home.easel.working, "nothing is learnt")
    step(home, 1)
    await shows(card, "Step 1 of 6")
    await anna.press(card, "Cancel")
    await shows(card, "Cancelled")
    assert await names(home, anna) == []
    queue = await anna.ask(anna.chat, "/queue")
    assert "dots" not in queue.words


async def test_the_set_stays_when_the_training_is_not_taken(api, anna, tmp_path):
    rules = {"training": {"roles": ("everyone",)}, "moderation": {"blocked": ("dotty",)}}
    async with house(tmp_path, api, hand=True, sections=rules) as home:
        status = await looked(anna, await gathered(anna))
        pressed = await anna.press(status, "Train")
        assert "not allowed here" in pressed.text
        assert not home.easel.works
        renamed = await anna.ask(anna.chat, "/train dots spotty steps:6")
        assert "5 pictures so far" in renamed.words


async def test_a_training_waits_for_its_hours_and_says_until_when(api, anna, tmp_path):
    hour = time.localtime().tm_hour
    hours = f"{(hour + 2) % 24}-{(hour + 3) % 24}"
    async with house(tmp_path, api, hand=True, sections={"training": {"roles": ("everyone",), "hours": hours}}) as home:
        card = await begun(home, anna)
        await shows(card, "styles are trained at certain hours")
        assert any(entity["type"] == "date_time" for entity in card.entities)
        queue = await anna.ask(anna.chat, "/queue")
        assert "styles are trained at certain hours" in queue.words
        assert not home.easel.works


async def test_whoever_may_not_train_any_more_cannot_hand_a_set_in(home, anna):
    status = await gathered(anna)
    home.studio.configure(Settings(training={"roles": ("administrators",)}))
    await anna.press(status, "Check them")
    await shows(status, "by some people only", 20)
    assert "Train" not in status.labels
