"""A result reaches its person once: late, without its card, its chat or their leave, and never anybody else."""

from __future__ import annotations

import asyncio

import pytest
from botapi_faults import Reset
from botapi_world import SUPERGROUP
from tg_fronts import house
from tg_scenes import asks, calm, finishes, jobs, settled, shown, soon

from realbot.jobs import User

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
async def home(api, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        yield home


def state(home, n: int = -1):
    """What the store says of a job."""
    return home.bench.state(jobs(home)[n])


# The card is not there any more


async def test_T9_a_deleted_card_gets_one_successor(home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    home.easel.step(3)
    await finishes(home)
    (found,) = shown(api, "a red fox")
    assert found is not card
    assert found.reply_to is anna.chat.messages[0]
    assert "Again" in found.labels
    assert not found.silent
    assert anna.chat.told == [found]


async def test_T10_a_card_that_is_too_old_to_be_changed_gets_one_successor(home, api, anna):
    card = await asks(home, anna, "a red fox")
    api.edit_window = HOUR
    api.clock.advance(2 * HOUR)
    await finishes(home)
    (found,) = shown(api, "a red fox")
    assert found is not card
    # What could not be changed would say for ever that the picture is on its way.
    assert anna.chat.told == [found]


async def test_T9_the_message_that_asked_is_gone_too(home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    anna.delete(anna.chat.messages[0])
    await finishes(home)
    assert len(shown(api, "a red fox")) == 1


async def test_T9_what_is_cancelled_needs_no_successor(home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    await home.studio.cancel(User("telegram", str(anna.id)), jobs(home)[0].id)
    await settled(home)
    assert not anna.chat.told


async def test_a_failure_without_a_card_is_told(home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    home.easel.fail("out_of_memory")
    await settled(home)
    (told,) = anna.chat.told
    assert "Sorry" in told.words
    assert await state(home) == "failed"


# Late


@pytest.mark.parametrize("late", [16 * MINUTE, 2 * HOUR, 25 * HOUR], ids=["16min", "2h", "25h"])
async def test_R2_a_late_result_is_on_its_card_and_one_reply_makes_a_sound(late, home, api, anna):
    card = await asks(home, anna, "a red fox")
    api.clock.advance(late)
    await finishes(home)
    assert shown(api, "a red fox") == [card]
    ping = anna.chat.last
    assert anna.chat.told == [card, ping]
    assert ping.words == "Your picture is ready."
    assert ping.reply_to is anna.chat.messages[0]
    assert (card.silent, ping.silent) == (True, False)


async def test_R2_a_short_wait_makes_no_sound_and_who_wants_none_gets_none(home, api, anna):
    await asks(home, anna, "a red fox")
    await finishes(home)
    await home.studio.prefer(User("telegram", str(anna.id)), ping=False)
    await asks(home, anna, "a blue bird")
    api.clock.advance(HOUR)
    await finishes(home)
    assert len(anna.chat.told) == 2


async def test_R2_a_new_message_is_a_sound_of_its_own(home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    api.clock.advance(HOUR)
    await finishes(home)
    assert len(anna.chat.told) == 1


async def test_R2_a_sound_that_may_have_been_heard_is_not_made_again(home, api, anna):
    await asks(home, anna, "a red fox")
    api.clock.advance(HOUR)
    api.fault("sendMessage", Reset(after=True))
    await finishes(home)
    assert sum(message.words == "Your picture is ready." for message in anna.chat.told) == 1


# The chat is not there any more


async def test_T14_a_person_who_blocked_the_bot_keeps_the_picture_and_frees_the_slot(api, anna, bert, tmp_path):
    limits = {"limits": {"waiting_per_user": 1}}
    async with house(tmp_path, api, hand=True, sections=limits) as home:
        card = await asks(home, anna, "a red fox steps:9")
        other = await bert.ask(bert.chat, "a blue bird")
        anna.block()
        for step in (1, 2, 3):
            home.easel.step(step)
            await calm(0.4)
        sent = len([call for call in api.calls if call.chat == anna.id and call.status == 403])
        home.easel.finish()
        await soon(lambda: len(home.studio.pending("telegram")) == 1, "the blocked one is not settled")
        assert sent <= 2
        assert await state(home, 0) == "kept"
        await finishes(home)
        assert shown(api, "a blue bird") == [other]
        anna.unblock()
        await asks(home, anna, "a green cup")
        await soon(lambda: any("could not be delivered" in m.words for m in anna.chat.told), "nobody was told")
        assert not card.picture


@pytest.mark.parametrize("how", ["deleted", "kicked", "left", "photos", "topic"])
async def test_R4_a_place_that_is_closed_leads_to_the_person_alone(how, home, api, anna):
    place = api.forum("foxes", anna)
    topic = api.topic(place, "red ones")
    card = await asks(home, anna, "/imagine a red fox", place, topic=topic)
    match how:
        case "deleted":
            place.deleted = True
        case "kicked" | "left":
            place.members[api.bot.id] = how
        case "photos":
            place.denied = {"photos", "documents"}
        case "topic":
            anna.delete(card)
            place.topics[topic.id].closed = True
    await finishes(home)
    (found,) = shown(api, "a red fox")
    assert found.chat is anna.chat
    assert found.thread is None
    assert await state(home) == "delivered"
    if how == "photos":
        assert not place.told


async def test_R4_somebody_who_never_wrote_to_the_bot_finds_it_in_the_history(home, api):
    carla = api.person("carla", started=False)
    group = api.supergroup("foxes", carla)
    card = await asks(home, carla, "/imagine a red fox", group)
    group.denied = {"photos", "documents"}
    await finishes(home)
    assert not shown(api, "a red fox")
    assert card.words.splitlines() == [
        "a red fox", "A picture of yours could not be delivered. It is in your /history.",
    ]  # fmt: skip
    assert not card.labels
    (entry,) = await home.studio.history(User("telegram", str(carla.id)))
    assert entry.state == "kept"
    assert "Not enough rights" in entry.detail
    # The card has told it; nothing is said twice.
    await asks(home, carla, "/imagine a blue bird", group)
    await calm()
    assert sum("could not be delivered" in message.words for message in group.told) == 1


async def test_R4_what_a_closed_group_could_not_show_is_told_at_the_next_contact(home, api):
    carla = api.person("carla", started=False)
    group = api.supergroup("foxes", carla)
    await asks(home, carla, "/imagine a red fox", group)
    group.deleted = True
    await finishes(home)
    assert await state(home) == "kept"
    other = api.supergroup("birds", carla)
    await asks(home, carla, "/imagine a blue bird", other)
    await soon(lambda: any("could not be delivered" in m.words for m in other.told), "nobody was told")


async def test_X14_what_is_not_allowed_there_any_more_is_not_shown(home, api, anna):
    group = api.supergroup("foxes", anna)
    card = await asks(home, anna, "/imagine a naughty fox", group)
    words = {"adult_words": ["naughty"]}
    await home.studio.rule(f"telegram:{group.id}", User("telegram", str(anna.id)), moderation=words)
    await finishes(home)
    assert not shown(api, "naughty")
    assert "could not be delivered" in card.words
    assert await state(home) == "kept"


async def test_T13_a_group_that_became_a_supergroup_gets_the_picture_there(home, api, anna):
    group = api.group("foxes", anna)
    await asks(home, anna, "/imagine a red fox", group)
    new = api.migrate(group)
    await finishes(home)
    (found,) = shown(api, "a red fox")
    assert found.chat is new
    assert new.kind == SUPERGROUP


# Where it goes


async def test_R15_every_picture_is_where_it_was_asked_for(home, api, anna, bert):
    forum = api.forum("foxes", anna, bert)
    topics = [api.topic(forum, name) for name in ("red", "blue")]
    group = api.supergroup("birds", anna, bert)
    places = [(forum, None), (forum, topics[0]), (forum, topics[1]), (group, None), (None, None)]
    wanted = []
    for n in range(20):
        who, (chat, topic) = (anna, bert)[n % 2], places[n * 7 % 5]
        where = chat or who.chat
        about = {"topic": topic} if topic else {}
        asked = who.write(where, f"/imagine picture {n}. steps:1", **about)
        wanted.append((n, where, topic, asked))
    for _ in range(20):
        await soon(home.easel.working, "nothing is painted")
        home.easel.finish()
        await asyncio.sleep(0.01)
    await settled(home)
    for n, where, topic, asked in wanted:
        (found,) = shown(api, f"picture {n}.")
        assert found.chat is where
        assert found.thread == (topic.id if topic else found.thread)
        assert found.in_topic is bool(topic)
        assert found.reply_to is asked
