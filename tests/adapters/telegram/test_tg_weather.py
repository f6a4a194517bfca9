"""What is sent although Telegram holds chats, breaks connections and goes away: in full, and never twice."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools

import httpx
import pytest
from botapi import BotApi
from botapi_clients import picture
from botapi_faults import Close, Error, Limited, Malformed, Reset, Stall, Status, Torn
from telegram import InputMediaPhoto
from telegram.error import BadRequest, Forbidden, InvalidToken
from tg_fronts import house, painted, shows
from tg_sending import Hasty, Still, Wall, begun, moments, sending, turned

from realbot.adapters.outbox import Down
from realbot.adapters.telegram.limiter import PROGRESS, RESULT, unsent
from studios import until

SPENT = (Reset(), Reset(after=True), Close(after=True), Torn(), Torn(after=True), Status(502), Status(504, after=True),
         Error(500, "Internal Server Error", after=True), Malformed(after=True), Malformed(text="[]"))  # fmt: skip


@pytest.fixture
def time(monkeypatch):
    return Still(monkeypatch)


@pytest.fixture
async def strict(time):
    """A Telegram with flood control, whose time passes as the limiter sleeps."""
    async with BotApi(limits=True, clock=Wall(time)) as api:
        yield api
        assert not api.complaints


# Flood control


@pytest.mark.parametrize("seconds", [1, 3, 10, 60, 600])
async def test_T7_a_held_chat_is_left_alone_in_full_and_others_go_on(strict, time, seconds):
    anna, bert = strict.person("anna"), strict.person("bert")
    began = time.at
    async with sending(strict, time.clock()) as bot:
        strict.fault("sendMessage", Limited(seconds), chat=anna.chat)
        first = asyncio.ensure_future(bot.send_message(anna.id, "result", rate_limit_args=RESULT))
        await asyncio.gather(*(bot.send_message(bert.id, f"{n}") for n in range(2)))
        try:
            await first
        except Down as error:
            assert seconds > 4
            assert error.local
            assert seconds <= error.wait <= seconds + 2
            with pytest.raises(Down) as again:
                await bot.send_message(anna.id, "something else")
            assert again.value.local
            await time.sleep(error.wait + 0.1)
            await bot.send_message(anna.id, "result", rate_limit_args=RESULT)
    assert [message.words for message in anna.chat.told] == ["result"]
    assert moments(strict, anna.chat)[1] >= began + seconds
    assert [excess.early for excess in strict.refused] == [False]
    assert moments(strict, bert.chat)[1] < began + 3


async def test_T7_progress_does_not_wait_for_a_held_chat_and_requests_without_a_chat_wait_a_little(strict, time):
    anna = strict.person("anna")
    async with sending(strict, time.clock()) as bot:
        card = await bot.send_message(anna.id, "card")
        strict.fault("editMessageText", Limited(1), chat=anna.chat)
        assert not await turned(bot, anna.chat, card, 1, PROGRESS)
        await time.sleep(1.2)
        assert await turned(bot, anna.chat, card, 1, PROGRESS)

        strict.fault("setMyCommands", Limited(3))
        assert await bot.set_my_commands([("help", "help")])
        strict.fault("setMyCommands", Limited(300))
        with pytest.raises(Down) as caught:
            await bot.set_my_commands([("help", "help")])
        assert (caught.value.local, caught.value.wait) == (True, 300.0)
    assert not any(excess.early for excess in strict.refused)


async def test_T7_a_result_waits_in_the_outbox_and_comes(tmp_path):
    clock = Hasty(200)
    async with BotApi(clock=clock) as api, house(tmp_path, api, hand=True, haste=200) as home:
        anna, bert = api.person("anna"), api.person("bert")
        first = await anna.ask(anna.chat, "/imagine a cat on a blue background")
        await until(home.easel.working)
        limited = clock()
        rule = api.fault("edit*", Limited(600), chat=anna.chat)
        home.easel.finish()
        await until(lambda: rule.struck)
        second = await bert.ask(bert.chat, "/imagine a dog on a yellow background")
        await until(home.easel.working)
        home.easel.finish()
        await shows(second, "seed")
        assert clock() < limited + 600, "other chats do not wait"
        await shows(first, "seed")
        assert clock() >= limited + 600
        assert [len(await painted(one.chat)) for one in (anna, bert)] == [1, 1]
        assert not any(excess.early for excess in api.refused)


async def test_T7_every_chat_held_in_turn_loses_nothing(strict, time):
    """Telegram holds every third request for a second."""
    people = [strict.person(f"p{n}") for n in range(10)]
    numbers = itertools.count()
    strict.faults.draw = lambda call: Limited(1) if call.chat and next(numbers) % 3 == 0 else None
    async with sending(strict, time.clock()) as bot:

        async def bring(person, words):
            while True:
                try:
                    return await bot.send_message(person.id, words, rate_limit_args=RESULT)
                except Down as error:
                    assert error.local
                    await time.sleep(error.wait)

        await asyncio.gather(*(bring(person, f"{n}") for person in people for n in range(5)))
    assert all(sorted(m.words for m in person.chat.told) == list("01234") for person in people)
    assert not any(excess.early for excess in strict.refused)


# Once


@pytest.mark.parametrize("fault", SPENT)
async def test_R1_what_may_have_arrived_is_never_sent_again(api, anna, time, fault):
    album = [InputMediaPhoto(picture(seed=n)) for n in range(2)]
    async with sending(api, time.clock()) as bot:
        for method, send in (
            ("sendMessage", lambda: bot.send_message(anna.id, "x")),
            ("sendPhoto", lambda: bot.send_photo(anna.id, picture())),
            ("sendDocument", lambda: bot.send_document(anna.id, picture())),
            ("sendMediaGroup", lambda: bot.send_media_group(anna.id, album)),
        ):
            api.fault(method, fault)
            with pytest.raises(Down) as caught:
                await send()
            assert caught.value.uncertain
            assert not caught.value.local
            assert len(api.called(method)) == 1
        assert len(anna.chat.told) == (5 if fault.after else 0)


async def test_R1_a_send_that_hangs_is_given_up_and_not_sent_again(api, anna):
    async with sending(api) as bot:
        api.fault("sendMessage", Stall())
        with pytest.raises(Down) as caught:
            await bot.send_message(anna.id, "x", rate_limit_args=dataclasses.replace(RESULT, each=0.3))
        assert caught.value.uncertain
        await bot.send_message(anna.id, "y")
    assert len(api.called("sendMessage")) == 2


@pytest.mark.parametrize("fault", SPENT)
async def test_R1_changes_are_repeated_until_they_are_there(api, anna, time, fault):
    async with sending(api, time.clock()) as bot:
        card = await bot.send_message(anna.id, "card")
        api.fault("editMessageText", fault, 2)
        with contextlib.suppress(BadRequest):  # It is there already, says Telegram, where only the answer was lost.
            await bot.edit_message_text("painted", anna.id, card.message_id, rate_limit_args=RESULT)
        assert anna.chat.last.words == "painted"
        assert anna.chat.last.edits == 1
        api.fault("deleteMessage", fault)
        with contextlib.suppress(BadRequest):
            await bot.delete_message(anna.id, card.message_id)
        assert not anna.chat.told


async def test_progress_is_tried_once(api, anna, time):
    async with sending(api, time.clock()) as bot:
        card = await bot.send_message(anna.id, "card")
        api.fault("editMessageText", Reset(), -1)
        with pytest.raises(Down) as caught:
            await bot.edit_message_text("1", anna.id, card.message_id, rate_limit_args=PROGRESS)
        assert not caught.value.local
    assert len(api.called("editMessageText")) == 1


async def test_what_surely_did_not_leave_is_repeated(api, anna):
    async with sending(api) as bot:
        await api.stop()
        sent = asyncio.create_task(bot.send_message(anna.id, "x", rate_limit_args=RESULT))
        await asyncio.sleep(0.4)
        assert not sent.done()
        await api.start()
        await sent
        assert [message.words for message in anna.chat.told] == ["x"]
        await api.stop()
        with pytest.raises(Down) as caught:
            await bot.send_message(anna.id, "y", rate_limit_args=dataclasses.replace(RESULT, tries=2))
        assert not caught.value.uncertain
        assert not caught.value.local


async def test_answers_of_telegram_are_handed_on(api, anna, bert, time):
    bert.block()
    async with sending(api, time.clock()) as bot:
        with pytest.raises(BadRequest, match=r"(?i)message to edit not found"):
            await bot.edit_message_text("x", anna.id, 999_999)
        with pytest.raises(Forbidden, match="blocked"):
            await bot.send_message(bert.id, "x")
        api.fault("sendPhoto", Error(413, "Request Entity Too Large"))
        api.fault("sendPhoto", Status(413))
        for _ in range(2):
            with pytest.raises(BadRequest, match=r"(?i)entity too large"):
                await bot.send_photo(anna.id, picture())
    assert len(api.called("sendPhoto")) == 2


async def test_T20_results_wait_for_the_next_token(api, anna):
    async with sending(api) as bot:
        api.revoke()
        assert not bot.rate_limiter.revoked.is_set()
        with pytest.raises(Down) as caught:
            await bot.send_message(anna.id, "x", rate_limit_args=RESULT)
        assert not caught.value.uncertain
        assert bot.rate_limiter.revoked.is_set()
        with pytest.raises(InvalidToken):
            await bot.get_me()


async def test_T6_given_up_requests_leave_their_connections_to_others(api, anna):
    people = [api.person(f"p{n}") for n in range(90)]
    async with sending(api) as bot:
        rule = api.fault("sendMessage", Stall(), -1)
        stalled = begun(*(bot.send_message(person.id, "x") for person in people))
        await until(lambda: rule.struck >= 60)
        for task in stalled:
            task.cancel()
        await asyncio.gather(*stalled, return_exceptions=True)
        api.faults.clear()
        for _ in range(3):
            await asyncio.wait_for(bot.get_me(), 2)
        await asyncio.wait_for(bot.send_message(anna.id, "there"), 2)


@pytest.mark.parametrize(
    ("kind", "sure"),
    [(httpx.ConnectError, True), (httpx.ConnectTimeout, True), (httpx.PoolTimeout, True),
     (httpx.ReadTimeout, False), (httpx.WriteError, False), (httpx.RemoteProtocolError, False)],
)  # fmt: skip
def test_only_what_could_not_connect_surely_did_not_leave(kind, sure):
    error = Exception()
    error.__cause__ = kind("x")
    assert unsent(error) is sure
    assert not unsent(TimeoutError())
