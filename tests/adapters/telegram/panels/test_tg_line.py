"""/queue and /cancel on a loopback Telegram."""

from __future__ import annotations

import pytest
from tg_panels import seen, tap, user

from realbot.jobs import Cancelled, Origin
from studios import until


async def test_an_empty_line_says_so(world):
    shown = await world.anna.ask(world.anna.chat, "/queue")
    assert "Nothing of yours is waiting" in shown.words
    assert "Nobody else is waiting" in shown.words
    assert await world.anna.ask(world.anna.chat, "/cancel") != shown
    assert "Nothing of yours is waiting" in world.anna.chat.last.words


async def test_own_requests_stand_with_place_and_a_time_that_the_device_counts(world):
    await world.paint(world.bert, "an earlier picture")
    await world.ask(world.bert, "somebody else's canary")
    await world.ask(world.anna, "a red apple", world.anna.chat)
    await world.ask(world.anna, "a green *frog*")
    await until(world.home.easel.working)
    await until(lambda: all(job.status.eta for job in world.studio.waiting(user(world.anna))))
    shown = await world.anna.ask(world.anna.chat, "/queue")
    lines = shown.words.splitlines()
    assert "1. a red apple · Next in line · ready in" in shown.words
    assert "2. a green *frog* · 2nd in line · ready in" in shown.words
    assert "Of others: 1 being painted" in lines[-1]
    times = [entity for entity in shown.entities if entity["type"] == "date_time"]
    assert len(times) == 2
    assert all(entity["unix_time"] >= world.home.api.clock() - 1 for entity in times)


async def test_P11_the_line_tells_of_others_how_many_and_nothing_else(world):
    await world.ask(world.anna, "a secret canary")
    await world.ask(world.anna, "another secret canary")
    await until(world.home.easel.working)
    for chat in (world.bert.chat, world.group):
        text = seen(await world.bert.ask(chat, "/queue"))
        assert "canary" not in text
        assert "nna" not in text
        assert str(world.anna.id) not in text
        assert "1 being painted, 1 waiting" in text


async def test_P11_what_was_asked_elsewhere_is_no_business_of_a_group(world):
    await world.ask(world.anna, "a secret canary", world.anna.chat)
    await world.ask(world.anna, "an open frog")
    text = seen(await world.anna.ask(world.group, "/queue"))
    assert "an open frog" in text
    assert "canary" not in text
    assert "Of yours in other chats: 1" in text
    both = seen(await world.anna.ask(world.anna.chat, "/queue"))
    assert "canary" in both
    assert "frog" in both


async def test_one_of_the_own_requests_is_cancelled_from_the_panel(world):
    first = await world.ask(world.anna, "a red apple")
    await world.ask(world.anna, "a green frog")
    await until(world.home.easel.working)
    shown = await world.anna.ask(world.anna.chat, "/queue")
    pressed = await tap(world.anna, shown, "frog")
    assert pressed.text == "Cancelled."
    assert "frog" not in seen(shown)
    assert [job.id for job in world.studio.waiting(user(world.anna))] == [first]
    world.home.easel.finish()
    await until(lambda: not world.studio.waiting(user(world.anna)))
    await tap(world.anna, shown, "Refresh")
    assert "Nothing of yours is waiting" in shown.words


async def test_P1_nobody_presses_another_persons_panel(world):
    job = await world.ask(world.anna, "a red apple")
    shown = await world.anna.ask(world.group, "/queue")
    for stranger in (world.bert, world.carl):
        pressed = await tap(stranger, shown, "red apple")
        assert pressed.alert
        refreshed = await tap(stranger, shown, "Refresh")
        assert refreshed.alert
    assert [one.id for one in world.studio.waiting(user(world.anna))] == [job]


async def test_cancel_gives_up_the_one_request_there_is(world):
    job = world.studio.job(user(world.anna), await world.ask(world.anna, "a red apple", world.anna.chat))
    answer = await world.anna.ask(world.anna.chat, "/cancel")
    assert answer.words == "a red apple · Cancelled."
    assert job.status == Cancelled()


async def test_cancel_asks_which_one_of_several_and_takes_all(world):
    for prompt in ("a red apple", "a green frog", "a gold crown"):
        await world.ask(world.anna, prompt, world.anna.chat)
    await until(world.home.easel.working)
    shown = await world.anna.ask(world.anna.chat, "/cancel")
    assert "Which of them" in shown.words
    await tap(world.anna, shown, "frog")
    assert "Which of them" in shown.words
    assert "frog" not in seen(shown)
    pressed = await tap(world.anna, shown, "All of them")
    assert pressed.text == "Cancelled: 2 requests."
    assert not world.studio.waiting(user(world.anna))
    assert "Nothing of yours is waiting" in shown.words


async def test_cancel_as_an_answer_to_a_card_gives_up_that_one(world):
    first = await world.anna.ask(world.group, "/imagine a red apple steps:4")
    second = await world.anna.ask(world.group, "/imagine a green frog steps:4")
    await world.anna.ask(world.group, "/cancel", reply_to=second)
    await until(lambda: len(world.studio.waiting(user(world.anna))) == 1)
    assert "a green frog · Cancelled." in [message.words for message in world.group.told]
    await until(lambda: "Cancelled." in second.words)
    assert "Cancelled." not in first.words


async def test_cancel_all_in_a_group_leaves_what_was_asked_elsewhere(world):
    kept = await world.ask(world.anna, "a secret canary", world.anna.chat)
    await world.ask(world.anna, "a red apple")
    theirs = await world.ask(world.bert, "a green frog")
    answer = await world.anna.ask(world.group, "/cancel all")
    assert answer.words == "Cancelled: 1 request."
    assert [job.id for job in world.studio.waiting(user(world.anna))] == [kept]
    assert [job.id for job in world.studio.waiting(user(world.bert))] == [theirs]
    await world.anna.ask(world.anna.chat, "/cancel all")
    assert not world.studio.waiting(user(world.anna))


async def test_cancel_of_something_else_says_how(world):
    await world.ask(world.anna, "a red apple")
    assert "/cancel all" in (await world.anna.ask(world.anna.chat, "/cancel everything")).words
    assert len(world.studio.waiting(user(world.anna))) == 1


async def test_a_long_list_is_cut_and_says_so(world):
    for number in range(13):
        await world.ask(world.anna, f"picture {number}", world.anna.chat)
    shown = await world.anna.ask(world.anna.chat, "/queue")
    assert "…and 3 more" in shown.words
    assert len(shown.labels) == 11


async def test_a_pause_is_told_in_the_line(world):
    await world.studio.pause(f"telegram:{world.group.id}", user(world.carl))
    await world.ask(world.anna, "a red apple")
    assert "paused here" in (await world.anna.ask(world.anna.chat, "/queue")).words


@pytest.mark.parametrize("place", ["123", "-1001"])
async def test_P8_requests_of_the_same_number_on_another_platform_are_not_told_of(world, place):
    from realbot.jobs import Generate, User

    other = User("discord", str(world.anna.id))
    await world.studio.submit(other, Generate(prompt="a secret canary", steps=4), Origin("discord", place))
    assert "canary" not in seen(await world.anna.ask(world.anna.chat, "/queue"))
