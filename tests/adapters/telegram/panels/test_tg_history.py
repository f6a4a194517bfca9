"""/history on a loopback Telegram: one's own pictures, in the private chat."""

from __future__ import annotations

import re

from tg_fronts import border, near
from tg_panels import addresses, seen, tap, user


def numbers(message) -> list[str]:
    """The prompts of the list, in order."""
    return re.findall(r"^\d+\. (?:⭐ )?(.*?) · ", message.words, re.MULTILINE)


async def test_an_empty_history_says_how_to_begin(world):
    shown = await world.anna.ask(world.anna.chat, "/history")
    assert "Paint the first with /imagine" in shown.words


async def test_pages_of_eight_are_turned_in_the_same_message(world):
    for number in range(19):
        await world.paint(world.anna, f"picture {number}")
    shown = await world.anna.ask(world.anna.chat, "/history")
    assert numbers(shown) == [f"picture {n}" for n in range(18, 10, -1)]
    assert "Your pictures · 1–8" in shown.words
    assert "Newer" not in seen(shown)
    await tap(world.anna, shown, "Older")
    await tap(world.anna, shown, "Older")
    assert numbers(shown) == ["picture 2", "picture 1", "picture 0"]
    assert "17–19" in shown.words
    assert "Older" not in seen(shown)
    # What is painted meanwhile does not move the pages.
    await world.paint(world.anna, "a later picture")
    await tap(world.anna, shown, "Newer")
    assert numbers(shown) == [f"picture {n}" for n in range(10, 2, -1)]
    assert len(world.anna.chat.told) == 1
    times = [entity for entity in shown.entities if entity["type"] == "date_time"]
    assert len(times) == 8


async def test_a_picture_opens_with_its_card_and_the_list_stays(world):
    await world.paint(world.anna, "a cat on green", seed=7)
    await world.paint(world.anna, "a frog on blue", seed=8)
    shown = await world.anna.ask(world.anna.chat, "/history")
    before = shown.words
    await tap(world.anna, shown, "a cat on")
    assert shown.words == before
    card = world.anna.chat.last
    assert near(border(card.picture), (0, 128, 0))
    assert "a cat on green" in card.words
    assert "seed 7" in card.words
    for label in ("Again", "Recipe", "Original", "🗑"):
        assert label in card.labels
    await tap(world.anna, card, "Again")
    assert len(world.studio.waiting(user(world.anna))) == 1


async def test_several_pictures_open_as_an_album_with_one_control_message(world):
    await world.paint(world.anna, "a cat on green", count=3)
    shown = await world.anna.ask(world.anna.chat, "/history")
    assert "3 pictures" in shown.words
    await tap(world.anna, shown, "a cat on")
    assert len(world.anna.chat.pictures) == 3
    assert "🖼 3" in world.anna.chat.last.labels


async def test_favourites_alone_are_shown_and_all_again(world):
    job = await world.paint(world.anna, "a red apple")
    await world.paint(world.anna, "a green frog")
    shown = await world.anna.ask(world.anna.chat, "/history")
    await tap(world.anna, shown, "Favourites")
    assert "No favourites yet" in shown.words
    await tap(world.anna, shown, "Show all")
    await world.studio.favourite(user(world.anna), job, True)
    await tap(world.anna, shown, "Favourites")
    assert "1. ⭐ a red apple" in shown.words
    assert "frog" not in seen(shown)


async def test_words_after_the_command_search_the_prompts(world):
    for prompt in ("a red apple", "a green apple", "a green frog"):
        await world.paint(world.anna, prompt)
    shown = await world.anna.ask(world.anna.chat, "/history green apple")
    assert numbers(shown) == ["a green apple"]
    assert "green apple" in shown.words.splitlines()[0]
    await tap(world.anna, shown, "End the search")
    assert len(numbers(shown)) == 3
    none = await world.anna.ask(world.anna.chat, "/history \"'; DROP TABLE jobs; -- *")
    assert "None of your prompts" in none.words
    assert len(numbers(await world.anna.ask(world.anna.chat, "/history"))) == 3


async def test_P6_a_history_is_shown_in_the_private_chat_only(world):
    await world.paint(world.anna, "a secret canary", world.anna.chat)
    answer = await world.anna.ask(world.group, "/history canary")
    assert "canary" not in seen(answer)
    assert addresses(answer) == ["https://t.me/realbot_bot?start=history"]
    opened = await world.anna.ask(world.anna.chat, "/start history")
    assert "canary" in opened.words
    theirs = await world.bert.ask(world.bert.chat, "/history canary")
    assert "None of your prompts" in theirs.words
    # The button of one chat does nothing in another one, nor for another person.
    data = next(button["callback_data"] for button in opened.buttons if "canary" in button["text"])
    for person, message in ((world.anna, answer), (world.bert, theirs), (world.bert, answer)):
        pressed = await person.forge(message, data)
        assert pressed.alert
        assert "canary" not in pressed.text
    assert not world.group.pictures
    assert not world.bert.chat.pictures


async def test_a_picture_that_was_deleted_meanwhile_is_told_of(world):
    job = await world.paint(world.anna, "a red apple")
    shown = await world.anna.ask(world.anna.chat, "/history")
    await world.studio.forget(user(world.anna), job)
    pressed = await tap(world.anna, shown, "red apple")
    assert pressed.alert
    assert "not there any more" in pressed.text


async def test_the_last_page_that_was_emptied_meanwhile_shows_the_one_before(world):
    jobs = [await world.paint(world.anna, f"picture {number}") for number in range(9)]
    shown = await world.anna.ask(world.anna.chat, "/history")
    await world.studio.forget(user(world.anna), jobs[0])
    await tap(world.anna, shown, "Older")
    assert len(numbers(shown)) == 8


async def test_T11_prompts_are_shown_as_they_were_written(world):
    prompt = "<b>@carl</b> *x* /cancel https://evil.example tg://user?id=1 \u202ex"
    await world.paint(world.anna, prompt)
    shown = await world.anna.ask(world.anna.chat, "/history")
    kinds = {kind for kind, text in shown.marks if "carl" in text or "evil" in text}
    assert kinds == {"code"}
    assert "\u202e" not in shown.words
