"""A result reaches its person once through every fault, and what is on the way to it disturbs nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from botapi_faults import Close, Error, Limited, Malformed, Reset, Stall, Status, Torn
from tg_fronts import house, shows
from tg_scenes import asks, calm, finishes, jobs, settled, shown, soon, uploads

from realbot.adapters.telegram import delivery
from realbot.adapters.telegram.limiter import RESULT
from realbot.jobs import User
from studios import until

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


@pytest.mark.parametrize("method", ["sendMessage", "editMessageText", "editMessageMedia", "sendPhoto"])
async def test_T11_a_text_that_telegram_cannot_read_comes_once_without_its_looks(method, home, api, anna):
    rule = api.fault(method, Error(400, "Bad Request: can't parse entities: unexpected end"))
    card = await asks(home, anna, "a red fox steps:8 seed:7")
    home.easel.step(1)
    await shows(card, "Step 1")
    if method == "sendPhoto":
        anna.delete(card)
    await finishes(home)
    assert rule.struck == 1
    (found,) = shown(api, "a red fox")
    assert anna.chat.told == [found]
    assert bool(found.marks) is (method in ("sendMessage", "editMessageText"))


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
