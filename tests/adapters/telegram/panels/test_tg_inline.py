"""Inline mode on a loopback Telegram: one's own pictures, by their words, in any chat."""

from __future__ import annotations

from tg_fronts import border, near, painted
from tg_panels import user

from realbot.errors import QueueFull
from studios import until


async def paint(world, person, words: str, number: int = 1) -> None:
    """A picture that came to this person in the private chat."""
    before = len(person.chat.pictures)
    await person.ask(person.chat, f"/imagine {words}")
    await until(world.home.easel.working)
    world.home.easel.finish()
    await painted(person.chat, before + number)
    await until(lambda: not world.studio.waiting(user(person)))
    await until(lambda: not world.studio.pending("telegram"))


async def test_words_find_ones_own_pictures_which_are_sent_with_their_recipe(world):
    await paint(world, world.anna, "a cat on green steps:4 seed:7")
    await paint(world, world.anna, "a frog on blue steps:4 seed:8")
    found = await world.anna.search("frog")
    assert found.personal
    (result,) = found.results
    sent = world.anna.choose(found, world.group)
    assert near(border(sent.picture), (0, 0, 255))
    assert "a frog on blue" in sent.words
    assert "4 steps" in sent.words
    assert "seed 8" in sent.words
    assert result["title"] == "a frog on blue"
    everything = await world.anna.search("")
    assert everything.titles == ["a frog on blue", "a cat on green"]


async def test_every_picture_of_an_album_is_offered(world):
    await paint(world, world.anna, "a cat on green steps:4 count:3", 3)
    assert len((await world.anna.search("cat")).results) == 3


async def test_P6_nobody_finds_anothers_pictures(world):
    await paint(world, world.anna, "a secret canary steps:4")
    for words in ("", "canary", "*", '" OR 1'):
        found = await world.bert.search(words)
        assert found.answered
        assert not found.results
    assert found.button["start_parameter"] == "paint"
    assert "Hello Bert!" in (await world.bert.ask(world.bert.chat, "/start paint")).words


async def test_pages_follow_each_other_and_end(world):
    jobs = [await world.paint(world.anna, f"picture {number}") for number in range(30)]
    await paint(world, world.anna, "a cat on green steps:4")
    (photo,) = (await world.anna.search("cat")).results
    for job in jobs:
        await world.studio.place_card(job, "", {"photos": [photo["photo_file_id"]]})
    first = await world.anna.search("picture")
    assert len(first.results) == 24
    following = next_offset(world)
    rest = await world.anna.search("picture", offset=following)
    assert len(rest.results) == 6
    assert len({*first.titles, *rest.titles}) == 30
    assert next_offset(world) == ""
    assert (await world.anna.search("picture", offset="'; DROP TABLE jobs")).answered


def next_offset(world) -> str:
    return world.home.api.called("answerInlineQuery")[-1].get("next_offset", "")


async def test_pictures_that_telegram_has_no_copy_of_are_left_out(world):
    await world.paint(world.anna, "a cat on green")
    found = await world.anna.search("cat")
    assert not found.results
    assert found.button is not None


async def test_a_search_that_fails_is_answered_with_nothing(world, monkeypatch):
    async def full(*_: object, **__: object) -> None:
        raise QueueFull

    monkeypatch.setattr(world.studio, "history", full)
    found = await world.anna.search("cat")
    assert found.answered
    assert not found.results


async def test_T18_what_is_sent_through_the_bot_is_no_request(world):
    await paint(world, world.anna, "a cat on green steps:4")
    before = len(world.anna.chat.told)
    world.anna.choose(await world.anna.search("cat"), world.anna.chat)
    await world.anna.search("something else")
    assert len(world.anna.chat.told) == before + 1
    assert not world.studio.waiting(user(world.anna))
