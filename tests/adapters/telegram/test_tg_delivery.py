"""A result reaches its person once: late, through faults, without its card, its chat or their leave."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from botapi_faults import Close, Error, Limited, Malformed, Reset, Stall, Status, Torn
from botapi_world import SUPERGROUP
from tg_fronts import house, shows
from tg_scenes import asks, calm, finishes, jobs, settled, shown, soon, uploads

from realbot.adapters.telegram import delivery
from realbot.adapters.telegram.limiter import RESULT
from realbot.jobs import User
from studios import until

MINUTE, HOUR = 60.0, 3600.0
FAULTS = [
    Reset(), Reset(after=True), Close(), Close(after=True), Torn(after=True), Status(status=502), Status(status=503),
    Status(after=True, status=502), Status(after=True, status=504), Malformed(after=True), Stall(0.05),
    Error(500, "Internal Server Error"), Error(500, "Internal Server Error", after=True),
]  # fmt: skip


def named(fault) -> str:
    return str(fault).replace(" ", "")


@pytest.fixture
async def home(api, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        yield home


def state(home, n: int = -1):
    """What the store says of a job."""
    return home.bench.state(jobs(home)[n])


# Faults


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_R1_T8_a_change_of_the_card_survives_every_fault_once(fault, home, api, anna):
    card = await asks(home, anna, "a red fox")
    rule = api.fault("editMessageMedia", fault, 2)
    await finishes(home)
    assert rule.struck == (1 if isinstance(fault, Stall) else 2)
    assert shown(api, "a red fox") == [card]
    assert anna.chat.told == [card]
    assert await state(home) == "delivered"


@pytest.mark.parametrize("fault", [Stall(after=True), Stall()], ids=named)
async def test_R1_T8_a_change_that_is_never_answered_is_made_again(fault, home, api, anna, monkeypatch):
    monkeypatch.setattr(delivery, "RESULT", replace(RESULT, each=0.4))
    card = await asks(home, anna, "a red fox")
    api.fault("editMessageMedia", fault)
    await finishes(home)
    assert len(uploads(api)) == 2
    assert anna.chat.told == [card]
    assert shown(api, "a red fox") == [card]


@pytest.mark.parametrize("fault", [Reset(after=True), Status(after=True, status=504)], ids=named)
async def test_T8_not_modified_is_success(fault, home, api, anna):
    card = await asks(home, anna, "a red fox")
    api.fault("editMessageText", fault, when=lambda call: "Sorry" in call.params["text"])
    home.easel.fail("out_of_memory")
    await settled(home)
    assert [call.status for call in api.called("editMessageText") if "Sorry" in call.params["text"]] == [200, 400]
    assert anna.chat.told == [card]
    assert "Sorry" in card.words


@pytest.mark.parametrize("fault", [one for one in FAULTS if not isinstance(one, Stall)], ids=named)
async def test_R1_T8_a_new_message_is_never_sent_twice_and_is_shown_again_on_request(fault, home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    rule = api.fault("sendPhoto", fault)
    await finishes(home)
    assert rule.struck == len(api.called("sendPhoto")) == 1
    assert len(shown(api, "a red fox")) == int(fault.after)
    assert await state(home) == "delivered"
    (remark,) = (message for message in anna.chat.told if "did not tell" in message.words)
    await anna.press(remark, "Show them")
    await soon(lambda: len(shown(api, "a red fox")) == int(fault.after) + 1, "it is not shown")
    await soon(lambda: remark.deleted, "the question is still there")


@pytest.mark.parametrize("fault", [Reset(), Reset(after=True)], ids=named)
async def test_R1_what_is_in_doubt_twice_is_kept_and_told_at_the_next_contact(fault, home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    api.fault("sendPhoto", fault)
    rule = api.fault("sendMessage", fault, when=lambda call: "did not tell" in call.params["text"])
    await finishes(home)
    assert rule.struck == 1
    assert await state(home) == "kept"
    (entry,) = await home.studio.history(User("telegram", str(anna.id)))
    assert "did not tell" in entry.detail
    await asks(home, anna, "a blue bird")
    await soon(lambda: any("could not be delivered" in m.words for m in anna.chat.told), "nobody was told")
    await finishes(home)
    await asks(home, anna, "a green cup")
    await finishes(home)
    assert sum("could not be delivered" in m.words for m in anna.chat.told) == 1


async def test_R1_a_message_that_surely_did_not_leave_is_sent_again(home, api, anna):
    card = await asks(home, anna, "a red fox")
    anna.delete(card)
    await api.stop()
    home.easel.finish()
    await calm()
    await api.start()
    await settled(home)
    assert len(shown(api, "a red fox")) == 1
    assert await state(home) == "delivered"


@pytest.mark.parametrize("fault", FAULTS, ids=named)
async def test_R1_a_card_that_is_in_doubt_costs_no_picture(fault, home, api, anna):
    rule = api.fault("sendMessage", fault)
    anna.write(anna.chat, "a red fox")
    await finishes(home)
    assert rule.struck == 1
    assert len(shown(api, "a red fox")) == 1
    assert sum("Cancel" in message.labels for message in anna.chat.told) <= int(fault.after)


async def test_T7_a_chat_that_telegram_holds_gets_its_picture_afterwards(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True, haste=1) as home:
        card = await asks(home, anna, "a red fox")
        api.fault("editMessageMedia", Limited(2))
        await finishes(home)
        assert shown(api, "a red fox") == [card]
        assert [excess.early for excess in api.refused] == [False]


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


# On the way


async def test_steps_that_come_quickly_are_one_change(home, api, anna):
    card = await asks(home, anna, "a red fox steps:40")
    for step in range(1, 31):
        home.easel.step(step)
        await asyncio.sleep(0.005)
    await shows(card, "Step 30 of 40")
    assert card.edits <= 8
    assert not uploads(api)[1:]


async def test_a_chat_says_that_a_picture_is_on_its_way_once_for_all_that_are_painted(api, anna, tmp_path):
    from easel import easel

    pool = easel(tmp_path, names=("one", "two"))
    async with house(tmp_path, api, pool=pool, haste=20) as home:
        forum = api.forum("foxes", anna)
        topic = api.topic(forum, "red")
        await asks(home, anna, "/imagine a red fox steps:9", forum, topic=topic)
        await anna.ask(forum, "/imagine a blue bird steps:9", topic=topic)
        await until(lambda: all(pool.working(name) for name in ("one", "two")))
        await until(lambda: len(forum.actions) >= 4)
        assert {(what, thread) for _, what, thread in forum.actions} == {("upload_photo", topic.id)}
        gaps = [later[0] - earlier[0] for earlier, later in zip(forum.actions, forum.actions[1:], strict=False)]
        assert min(gaps) > 4.0 / 20
        for name in ("one", "two"):
            home.easel.finish(name)
        await settled(home)
        said = len(forum.actions)
        await calm(0.5)
        assert len(forum.actions) <= said + 1


async def test_Q13_a_card_that_cannot_be_changed_is_left_alone_until_the_end(home, api, anna):
    card = await asks(home, anna, "a red fox steps:9")
    rule = api.fault("editMessage*", Error(400, "Bad Request: message can't be edited"), -1)
    for step in (1, 2, 3):
        home.easel.step(step)
        await calm(1.1)
    assert rule.struck == 1
    rule.times = 0
    await finishes(home)
    assert shown(api, "a red fox") == [card]
