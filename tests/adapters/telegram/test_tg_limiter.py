"""When something is sent: the pace of chats, results before progress, and nothing that grows."""

from __future__ import annotations

import asyncio
import collections
import gc
import itertools
import resource
from pathlib import Path

import pytest
from botapi import BotApi
from botapi_clients import picture
from telegram import InputMediaPhoto
from telegram.error import RetryAfter
from tg_sending import Still, Wall, begun, busiest, gaps, moments, sending, turned

from realbot.adapters.outbox import Down
from realbot.adapters.telegram.limiter import CHATS, PROGRESS, RESULT, USUAL, Limiter
from studios import until


@pytest.fixture
def time(monkeypatch):
    return Still(monkeypatch)


@pytest.fixture
async def strict(time):
    """A Telegram with flood control, whose time passes as the limiter sleeps."""
    async with BotApi(limits=True, clock=Wall(time)) as api:
        yield api
        assert not api.complaints


# The pace


async def test_a_private_chat_gets_one_message_or_change_a_second(strict, time):
    anna = strict.person("anna")
    async with sending(strict, time.clock()) as bot:
        card = await bot.send_message(anna.id, "card")
        sent = begun(*(bot.send_message(anna.id, f"{n}") for n in range(6)))
        edits = begun(*(bot.edit_message_text(f"{n}", anna.id, card.message_id) for n in range(6)))
        await asyncio.gather(*sent, *edits)
    times = moments(strict, anna.chat)
    assert len(times) == 13
    assert all(1.0 <= gap < 1.3 for gap in gaps(times))
    assert [m.words for m in anna.chat.told] == ["5", *map(str, range(6))], "in the order in which they were asked for"
    assert not strict.refused


async def test_progress_in_a_group_is_a_change_in_four_seconds_and_fifteen_a_minute(strict, time):
    group = strict.supergroup("friends", strict.person("anna"))
    async with sending(strict, time.clock()) as bot:
        card = await bot.send_message(group.id, "card")
        began, made = time.at, 0
        for number in range(1000):
            made += await turned(bot, group, card, number, PROGRESS)
            await time.sleep(0.3)
            if time.at > began + 300:
                break
    times = moments(strict, group)[1:]
    assert min(gaps(times)) >= 4.0
    assert 10 <= busiest(times, 60.0) <= 15
    assert made == len(times) >= 45
    assert not strict.refused


async def test_results_and_buttons_in_a_group_stay_below_telegrams_limit(strict, time):
    group = strict.supergroup("friends", strict.person("anna"))
    async with sending(strict, time.clock()) as bot:
        card, began = await bot.send_message(group.id, "card"), time.at
        made = collections.Counter()
        for number in itertools.count():
            made["changes"] += await turned(bot, group, card, number, USUAL)
            try:
                await bot.send_message(group.id, "result", rate_limit_args=RESULT)
                made["results"] += 1
            except Down as error:
                assert error.local
                assert 5.0 < error.wait <= 60.0
                await time.sleep(error.wait)
            if time.at > began + 300:
                break
    assert not strict.refused
    assert min(gaps(moments(strict, group))) >= 0.4
    assert busiest(moments(strict, group), 60.0) <= 18
    changes = [call.at for call in strict.called("editMessageText")]
    assert busiest(changes, 60.0) <= 15
    assert min(made.values()) >= 30


async def test_changes_of_a_group_alone_are_fifteen_a_minute(strict, time):
    group = strict.supergroup("friends", strict.person("anna"))
    async with sending(strict, time.clock()) as bot:
        card = await bot.send_message(group.id, "card")
        await time.sleep(60.0)
        made = [await turned(bot, group, card, number, USUAL) for number in range(20)]
        assert made == [True] * 15 + [False] * 5
        await bot.send_message(group.id, "a message is none")


async def test_an_album_counts_as_many(strict, time):
    group = strict.supergroup("friends", strict.person("anna"))
    anna = strict.person("anna")
    album = [InputMediaPhoto(picture(seed=n)) for n in range(6)]
    async with sending(strict, time.clock()) as bot:
        for _ in range(3):
            await bot.send_media_group(group.id, album, rate_limit_args=RESULT)
        with pytest.raises(Down) as caught:
            await bot.send_media_group(group.id, album, rate_limit_args=RESULT)
        assert caught.value.local
        assert caught.value.wait > 50
        await time.sleep(caught.value.wait)
        await bot.send_media_group(group.id, album, rate_limit_args=RESULT)
        await bot.send_media_group(anna.id, album[:4], rate_limit_args=RESULT)
        await bot.send_message(anna.id, "below")
    assert gaps(moments(strict, anna.chat))[0] >= 4.0
    assert not strict.refused


async def test_all_chats_together_get_what_telegram_takes_and_none_waits_for_another(strict, time):
    people = [strict.person(f"p{n}") for n in range(120)]
    async with sending(strict, time.clock()) as bot:
        # One chat has a long line of its own.
        mine = strict.person("anna")
        line = begun(*(bot.send_message(mine.id, f"{n}") for n in range(12)))
        began = time.at
        await asyncio.gather(*(bot.send_message(person.id, "x") for person in people))
        assert time.at - began < 8
        await asyncio.gather(*line)
    assert not strict.refused
    assert busiest(moments(strict), 1.0) <= 30
    firsts = [call.chat for call in strict.called("sendMessage") if call.chat != mine.id]
    assert firsts == [person.id for person in people], "first come, first served"


async def test_what_surely_comes_too_late_is_refused_at_once(strict, time):
    anna = strict.person("anna")
    async with sending(strict, time.clock()) as bot:
        line = begun(*(bot.send_message(anna.id, f"{n}") for n in range(40)))
        await asyncio.gather(*line, return_exceptions=True)
    refused = [task.exception() for task in line if task.exception()]
    assert 20 < len(refused) < 28
    assert all(isinstance(error, Down) and error.local for error in refused)
    assert len(anna.chat.told) == 40 - len(refused)


# Results before progress


async def test_results_go_before_progress_in_one_chat(strict, time):
    anna = strict.person("anna")
    async with sending(strict, time.clock()) as bot:
        card = await bot.send_message(anna.id, "card")
        progress = begun(*(turned(bot, anna.chat, card, n, PROGRESS) for n in range(3)))
        await asyncio.sleep(0)
        result = bot.send_message(anna.id, "result", rate_limit_args=RESULT)
        await asyncio.gather(*progress, result)
    order = [call.method for call in strict.calls if call.chat]
    assert order == ["sendMessage", "sendMessage", *["editMessageText"] * 3]


async def test_results_go_before_the_progress_of_all_other_chats(strict, time):
    people = [strict.person(f"p{n}") for n in range(60)]
    async with sending(strict, time.clock()) as bot:
        cards = await asyncio.gather(*(bot.send_message(person.id, "card") for person in people))
        await time.sleep(2)
        progress = begun(
            *(turned(bot, one.chat, card, 1, PROGRESS) for one, card in zip(people, cards, strict=True)),
        )
        await asyncio.sleep(0)
        late = [strict.person(f"late{n}") for n in range(5)]
        results = begun(*(bot.send_message(one.id, "result", rate_limit_args=RESULT) for one in late))
        await asyncio.gather(*progress, *results)
    order = [call.method for call in strict.calls if call.chat][60:]
    assert order.count("editMessageText") == 60
    assert max(n for n, method in enumerate(order) if method == "sendMessage") < 10
    assert not strict.refused


# Memory, cancelling, the end


def resident():
    """Bytes of memory that this process occupies."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def test_T19_a_hundred_thousand_chats_are_not_remembered(time):
    limiter = Limiter(time.clock())

    async def answer():
        return True

    async def refuse():
        raise RetryAfter(10**6)

    async def ask(chat, callback=answer):
        return await limiter.process_request(callback, (), {}, "sendMessage", {"chat_id": chat}, RESULT)

    with pytest.raises(Down):
        await ask(7, refuse)
    held = []
    for number in range(100_000):
        # Some find everything busy.
        time.at += 0.05 * (number % 20 > 0)
        assert await ask(number + 100 if number % 2 else -number - 100)
        if number in (25_000, 99_999):
            held.append(resident())
    assert held[1] - held[0] < 2 * 2**20
    assert len(limiter._lanes) <= CHATS
    with pytest.raises(Down, match="takes nothing"):
        await ask(7)


async def test_who_gives_up_waiting_is_in_nobodys_way(strict, time):
    anna = strict.person("anna")
    async with sending(strict, time.clock()) as bot:
        await bot.send_message(anna.id, "first")
        given_up, kept = begun(bot.send_message(anna.id, "no"), bot.send_message(anna.id, "yes"))
        await asyncio.sleep(0)
        given_up.cancel()
        await kept
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert len([task for task in asyncio.all_tasks() if task.get_name() == "requests to Telegram"]) <= 1
    assert [message.words for message in anna.chat.told] == ["first", "yes"]
    assert moments(strict, anna.chat)[1] - moments(strict, anna.chat)[0] < 1.3


async def test_at_the_end_nobody_waits_for_ever(api, anna):
    async with sending(api) as bot:
        waiting = begun(*(bot.send_message(anna.id, f"{n}") for n in range(4)))
        await until(lambda: anna.chat.told)
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(one, Down) for one in ended) == 3
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "requests to Telegram"]
