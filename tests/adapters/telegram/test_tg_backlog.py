"""What lay at Telegram for too long: its senders are told so once, and what is fresh is done first."""

from __future__ import annotations

import asyncio
import resource

import pytest
from botapi_clients import picture
from botapi_faults import Limited, Reset
from botapi_world import ADMINISTRATOR
from tg_fronts import house, painted
from tg_updates import alone, deafened, idle, jobs, left, told

from studios import until

HOUR = 3600.0


@pytest.mark.slow
async def test_T4_a_backlog_of_five_thousand_is_answered_once_and_what_is_fresh_comes_first(api, tmp_path):
    people = [api.person(f"p{n}") for n in range(50)]
    for number in range(5000):
        people[number % 50].write(people[number % 50].chat, f"/imagine an old wish {number}")
    api.clock.advance(20 * HOUR)
    anna = api.person("anna")
    for person in (people[0], people[1], anna):
        person.write(person.chat, "/imagine a fresh wish")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with house(tmp_path, api, haste=1) as home:
        await idle(home, 60)
        await until(lambda: all(person.chat.told for person in people), 30)
        answers = {person.id: [m for m in person.chat.told if "offline" in m.words] for person in people}
        assert {len(found) for found in answers.values()} == {1}
        assert all("100 messages" in found[0].words for found in answers.values())
        assert all("20 h" in found[0].words for found in answers.values())
        assert all(found[0].reply_to.text.endswith(str(4950 + n)) for n, found in enumerate(answers.values()))
        for person in (people[0], people[1], anna):
            await painted(person.chat)
            assert len(await jobs(home, person)) == 1
        cards = [m.date for person in (people[0], people[1], anna) for m in person.chat.told if "fresh" in m.words]
        assert len(cards) == 3
        assert max(cards) < min(found[0].date for found in answers.values())
        assert not await jobs(home, people[2])
        # Kilobytes; the test's own Telegram remembers everything.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000
    assert not any("offline" in message.words for message in anna.chat.told)


async def test_T4_a_later_outage_is_answered_anew_and_stragglers_of_the_first_are_not(api, anna, tmp_path):
    async with alone(api, tmp_path, age=60.0) as seen:
        for number, hours in ((1, 2), (2, 5), (3, 1), (4, 30)):
            api.clock.advance(2 * HOUR)
            late = told(api, anna, number)
            if number == 2:
                late["message"]["date"] -= int(4 * HOUR)
            api.clock.advance(hours * HOUR)
            await seen.inbox.take([late])
            await until(lambda: not seen.inbox._tasks)
        assert [ids for ids, _ in seen.belated] == [[1], [3], [4]]
        assert [round(seconds / HOUR) for _, seconds in seen.belated] == [2, 1, 30]
        assert seen.handled == []
        assert await seen.studio.unopened(f"telegram:{api.bot.id}") == []


async def test_T4_what_was_kept_by_an_earlier_life_and_is_too_old_now_is_answered(api, anna, tmp_path, monkeypatch):
    heard = deafened(monkeypatch)
    async with house(tmp_path, api) as home:
        anna.write(anna.chat, "/imagine a wish")
        await until(lambda: not api.updates.waiting)
        assert await left(home)
    heard.set()
    api.clock.advance(3 * HOUR)
    async with house(tmp_path, api) as home:
        await idle(home)
        assert len(anna.chat.told) == 1
        assert "your message" in anna.chat.last.words
        assert not await jobs(home, anna)


async def test_T4_only_what_was_meant_for_the_bot_is_answered(api, anna, bert, tmp_path):
    group = api.supergroup("friends", anna, bert, bot=ADMINISTRATOR)
    shown, said = api.post(group, api.bot, media=api.files.photo(picture())), api.post(group, api.bot, text="a card")
    carl, dora, emil = (api.person(name) for name in ("carl", "dora", "emil"))
    for person in (carl, dora, emil):
        person.join(group)
    for text in ("hello all", "/weather", "/imagine@other_bot a cat", "@realbot_bottle a cat"):
        anna.write(group, text)
    anna.write(group, "thank you", reply_to=said)
    api.announce(anna.forward(bert.write(group, "/imagine a cat"), group))
    carl.write(group, "@realbot_bot a dog")
    dora.write(group, "like this", reply_to=shown)
    emil.write(group, "/queue@realbot_bot")
    api.clock.advance(20 * HOUR)
    async with house(tmp_path, api) as home:
        await idle(home)
        answered = [m.reply_to.sender.name for m in group.told if "offline" in m.words]
    assert sorted(answered) == ["bert", "carl", "dora", "emil"]


async def test_T4_an_answer_that_cannot_be_given_now_is_given_later_and_once(api, anna, bert, tmp_path):
    api.fault("sendMessage", Limited(8), chat=anna.chat)
    api.fault("sendMessage", Reset(after=True), chat=bert.chat)
    carl = api.person("carl")
    for person in (anna, bert, carl):
        person.write(person.chat, "a cat")
    carl.block()
    api.clock.advance(20 * HOUR)
    async with house(tmp_path, api) as home:
        await until(lambda: api.refused)
        api.clock.advance(8.5)
        await idle(home)
        await asyncio.sleep(0.2)
    assert [len(person.chat.told) for person in (anna, bert, carl)] == [1, 1, 0]
    assert len(api.called("sendMessage", bert.chat)) == 1


async def test_T4_T13_what_became_of_a_group_and_what_was_pressed_is_never_too_late(api, anna, bert, tmp_path):
    lost, old = api.supergroup("lost", anna), api.group("growing", anna)
    async with house(tmp_path, api, hand=True) as home:
        card = await anna.ask(lost, "/imagine a cat")
        mine = await anna.ask(anna.chat, "/imagine a dog")
        await until(lambda: mine.labels)
    anna.kick(lost)
    new = api.migrate(old)
    anna.begin(mine, next(b["callback_data"] for b in mine.buttons if b["text"] == "Cancel"))
    api.clock.advance(20 * HOUR)
    async with house(tmp_path, api, hand=True) as home:
        await idle(home)
        states = {entry.request.prompt: entry.state for entry in await jobs(home, anna)}
        assert states == {}, "neither is painted any more"
        assert await home.front.moves.now(str(old.id)) == str(new.id)
    assert not any("offline" in message.words for chat in (lost, old, new, anna.chat) for message in chat.told)
    assert card.deleted is False
