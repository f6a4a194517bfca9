"""The Telegram of these tests, held against the library: polls, webhooks, faults, flood control and tokens."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

import botapi_specs
import httpx
import pytest
import telegram
from aiohttp import web
from botapi_clients import client, picture, polling, refused
from botapi_faults import Close, Error, Limited, Malformed, Reset, Stall, Status, Torn
from botapi_people import Unable
from telegram import InlineKeyboardButton as Button
from telegram import InlineKeyboardMarkup as Keyboard
from telegram.error import (
    BadRequest,
    Conflict,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from studios import until


async def imagine(update, context):
    rows = Keyboard([[Button("Again", callback_data="again"), Button("Site", url="https://example.org")]])
    card = await update.effective_message.reply_photo(picture(), caption="painted", reply_markup=rows)
    assert card.photo[-1].width == 64


async def pressed(update, context):
    await update.callback_query.answer("As you wish", show_alert=True)
    await update.callback_query.edit_message_caption("again")


async def test_a_conversation(api, anna):
    handlers = [CommandHandler("imagine", imagine), CallbackQueryHandler(pressed)]
    async with polling(api, *handlers):
        card = await anna.ask(anna.chat, "/imagine a red apple")
        assert card.words == "painted"
        assert card.labels == ["Again", "Site"]
        press = await anna.press(card, "Again")
        assert (press.text, press.alert, press.answered) == ("As you wish", True, True)
        await until(lambda: card.edits == 1)
        assert [version.caption for version in card.past] == ["painted", "again"]
        assert card.labels == []
        assert len(anna.chat.pictures) == 1
        with pytest.raises(Unable):
            await anna.press(card, "Again")


async def test_polls_keep_updates_until_they_are_confirmed(api, anna, bot):
    for number in range(3):
        anna.write(anna.chat, f"/{number}")
    first = await bot.get_updates(limit=2)
    assert [update.message.text for update in first] == ["/0", "/1"]
    again = await bot.get_updates()
    assert [update.update_id for update in again] == [first[0].update_id + n for n in range(3)]
    assert [update.message.text for update in await bot.get_updates(offset=-1)] == ["/2"]
    assert not await bot.get_updates(offset=again[-1].update_id + 1)
    assert not await bot.get_updates()


async def test_a_poll_waits_for_news_and_not_longer(api, anna, bot):
    began = asyncio.get_running_loop().time()
    assert not await bot.get_updates(timeout=1)
    assert 0.9 < asyncio.get_running_loop().time() - began < 2
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await until(lambda: api.updates.polling)
    anna.write(anna.chat, "hello")
    (update,) = await asyncio.wait_for(poll, 1)
    assert update.message.text == "hello"


async def test_T2_T3_ids_are_told_twice_and_jump(api, anna, bot):
    anna.write(anna.chat, "one")
    (one,) = await bot.get_updates()
    assert not await bot.get_updates(offset=one.update_id + 1)
    api.updates.repeat(api.updates.told[0])
    assert [update.update_id for update in await bot.get_updates(offset=one.update_id + 1)] == [one.update_id]
    assert not await bot.get_updates(offset=one.update_id + 1)
    for start in (900_000_000, 5):
        api.updates.next_id = start
        anna.write(anna.chat, "after a quiet week")
        assert [update.update_id for update in await bot.get_updates(offset=one.update_id + 1)] == [start]
        assert not await bot.get_updates(offset=start + 1)


async def test_a_poll_whose_client_died_is_in_nobodys_way(api, anna, bot):
    async with client(api) as first:
        poll = asyncio.create_task(first.get_updates(timeout=20))
        await until(lambda: api.updates.polling)
        poll.cancel()
    await until(lambda: not api.updates.polling)
    anna.write(anna.chat, "x")
    assert [update.message.text for update in await bot.get_updates(timeout=5)] == ["x"]
    assert api.updates.conflicts == 0


async def test_updates_are_forgotten_after_a_day_and_told_as_asked(api, anna, bot):
    anna.write(anna.chat, "old")
    api.clock.advance(24 * 3600 + 1)
    anna.edit(anna.write(anna.chat, "new"), "newer")
    assert [update.effective_message.text for update in await bot.get_updates()] == ["new", "newer"]
    await bot.get_updates(offset=api.updates.next_id, allowed_updates=["message"])
    anna.edit(anna.write(anna.chat, "again"), "more")
    assert [update.edited_message for update in await bot.get_updates()] == [None]


async def test_T5_only_one_may_poll(api, anna, bot):
    first = asyncio.create_task(bot.get_updates(timeout=20))
    await until(lambda: api.updates.polling)
    async with client(api) as other:
        second = asyncio.create_task(other.get_updates(timeout=20))
        with refused("make sure that only one bot instance is running", Conflict):
            await first
        anna.write(anna.chat, "x")
        assert len(await second) == 1
    assert api.updates.conflicts == 1
    await bot.set_webhook("https://example.org/hook")
    with refused("webhook is active", Conflict):
        await bot.get_updates()
    await bot.delete_webhook()
    await bot.get_updates()


@contextlib.asynccontextmanager
async def hook(*statuses):
    """A web server that answers so, in turn, and then 200; what it got."""
    got, left = [], list(statuses)

    async def handle(request):
        status = left.pop(0) if left else 200
        got.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), status, await request.json()))
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hook", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", got
    finally:
        await runner.cleanup()


async def test_T17_a_webhook_gets_everything_in_order_until_it_says_so(api, anna, bot):
    anna.write(anna.chat, "before")
    async with hook(500, 200, 503, 404) as (url, got):
        assert await bot.set_webhook(url, secret_token="s-1", max_connections=5)
        for text in ("one", "two"):
            anna.write(anna.chat, text)
        await until(lambda: not api.updates.waiting)
        assert [(status, told["message"]["text"]) for _, status, told in got] == [
            (500, "before"), (200, "before"), (503, "one"), (404, "one"), (200, "one"), (200, "two"),
        ]  # fmt: skip
        assert {secret for secret, _, _ in got} == {"s-1"}
        info = await bot.get_webhook_info()
        assert (info.url, info.pending_update_count, info.max_connections) == (url, 0, 5)
        assert info.last_error_message == "Wrong response from the webhook: 404 Not Found"
    with refused("unallowed characters"):
        await bot.set_webhook(url, secret_token="no spaces")
    with refused("HTTPS"):
        await bot.set_webhook("http://example.org/hook")


async def test_five_thousand_updates_wait_for_a_bot(api, anna):
    for number in range(5000):
        anna.write(anna.chat, f"{number}")
    seen = []

    async def take(update, context):
        seen.append(int(update.message.text))

    async with polling(api, MessageHandler(filters.TEXT, take)):
        await until(lambda: len(seen) == 5000, 60)
    assert seen == list(range(5000))


async def test_R1_faults_strike_before_or_after(api, anna):
    async with client(api, read_timeout=0.5) as bot:
        for fault, error in (
            (Reset(), NetworkError), (Close(), NetworkError), (Status(502), NetworkError), (Stall(), TimedOut),
            (Malformed(), telegram.error.TelegramError), (Torn(), NetworkError),
            (Error(500, "Internal Server Error"), NetworkError), (Error(400, "Bad Request: strange"), BadRequest),
        ):  # fmt: skip
            for after in (False, True):
                rule = api.fault("sendMessage", dataclasses.replace(fault, after=after))
                before = len(anna.chat.messages)
                with pytest.raises(error):
                    await bot.send_message(anna.id, "x")
                assert rule.struck == 1
                assert len(anna.chat.messages) - before == after
                assert api.called("sendMessage")[-1].ok is after
        late = api.fault("send*", Stall(0.1), chat=anna.chat)
        await bot.send_message(anna.id, "late")
        assert late.struck == 1
        assert anna.chat.last.words == "late"


async def test_T8_an_edit_that_arrived_is_found_not_modified(api, anna, bot):
    card = await bot.send_message(anna.id, "one")
    api.fault("editMessageText", Reset(after=True))
    with pytest.raises(NetworkError):
        await card.edit_text("two")
    with refused("not modified"):
        await card.edit_text("two")
    assert anna.chat.last.edits == 1


async def test_faults_have_a_chance_and_a_place(api, anna, bert, bot):
    rule = api.fault("sendMessage", Error(500, "Internal Server Error"), -1, chat=anna.chat, chance=0.5)
    for _ in range(40):
        await bot.send_message(bert.id, "x")
        with contextlib.suppress(NetworkError):
            await bot.send_message(anna.id, "x")
    assert 10 < rule.struck < 30
    assert len(anna.chat.messages) == 40 - rule.struck
    api.faults.clear()
    await bot.send_message(anna.id, "x")
    data = await bot.send_photo(anna.id, picture())
    api.fault("download", Status(502))
    file = await bot.get_file(data.photo[0].file_id)
    with pytest.raises(NetworkError):
        await file.download_as_bytearray()
    assert await file.download_as_bytearray()


async def test_T7_flood_control_holds_a_chat_until_its_time_is_over(api, anna, bert, bot):
    api.fault("sendMessage", Limited(5), chat=anna.chat)
    for _ in range(2):
        with pytest.raises(RetryAfter) as caught:
            await bot.send_message(anna.id, "x")
        assert caught.value.retry_after.total_seconds() == 5
    await bot.send_message(bert.id, "others go on")
    await bot.send_chat_action(anna.id, "typing")
    api.clock.advance(5.1)
    await bot.send_message(anna.id, "y")
    assert [excess.early for excess in api.refused] == [False, True]
    assert [message.words for message in anna.chat.messages] == ["y"]


async def test_limits_of_chats_and_of_the_whole(api, anna, bot):
    api.limits.on = True
    group = api.group("friends", anna)
    card = await bot.send_message(anna.id, "0")
    await card.edit_text("1")
    await card.edit_text("2")
    with pytest.raises(RetryAfter):
        await card.edit_text("3")
    api.clock.advance(1.1)
    await card.edit_text("3")
    for number in range(20):
        api.clock.advance(1)
        await bot.send_message(group.id, f"{number}")
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(group.id, "20")
    assert 30 < caught.value.retry_after.total_seconds() < 61
    people = [api.person(f"p{number}") for number in range(31)]
    api.clock.advance(2)
    sent = await asyncio.gather(*(bot.send_message(person.id, "x") for person in people), return_exceptions=True)
    assert sum(isinstance(answer, RetryAfter) for answer in sent) == 1
    assert len(api.refused) == 3


async def test_T20_tokens_methods_and_outages(api, anna, bot):
    async with httpx.AsyncClient(base_url=api.base) as raw:
        good = f"/bot{api.token.replace(':', '%3A')}"
        assert (await raw.get(f"{good}/GETME")).json()["result"]["is_bot"] is True
        for path, code, description in (
            (f"{good}/noSuchMethod", 404, "Not Found: method not found"), ("/botnonsense/getMe", 404, "Not Found"),
            ("/bot1:wrong/getMe", 401, "Unauthorized"), (f"/file{good}/photos/none.jpg", 404, "Not Found"),
        ):  # fmt: skip
            answer = await raw.post(path)
            assert (answer.status_code, answer.json()["description"]) == (code, description)
        assert (await raw.post(f"{good}/sendMessage", json={"chat_id": anna.id, "text": "json"})).json()["ok"]
    assert "noSuchMethod is no method of this double" in api.complaints
    api.complaints.clear()
    await api.stop()
    with pytest.raises(NetworkError):
        await bot.get_me()
    await api.start()
    assert await bot.get_me()
    api.revoke()
    with pytest.raises(InvalidToken):
        await bot.get_me()


async def test_requests_are_held_against_the_description(api, anna, bot):
    if botapi_specs.found() is None:
        pytest.skip("shared/specs/telegram-bot-api.json is not beside this tree")
    for method, params, files, error in (
        ("sendMessage", {"chat_id": 1}, set(), "text is missing"),
        ("sendMessage", {"chat_id": 1, "text": "x", "colour": "red"}, set(), "unknown field colour"),
        ("sendMessage", {"chat_id": 1, "text": "x", "entities": [{"type": "bold"}]}, set(), "offset is missing"),
        ("sendMessage", {"chat_id": 1, "text": "x", "message_thread_id": "x"}, set(), "is no Integer"),
        (
            "sendMediaGroup",
            {"chat_id": 1, "media": [{"type": "photo", "media": "attach://a"}]},
            set(),
            "without that part",
        ),
        ("sendMediaGroup", {"chat_id": 1, "media": [], "reply_markup": {}}, set(), "unknown field reply_markup"),
        ("paintMessage", {}, set(), "no such method"),
    ):
        assert error in "\n".join(botapi_specs.request(method, params, files))
    assert not botapi_specs.request("sendPhoto", {"chat_id": "1", "has_spoiler": "true"}, {"photo"})
    assert botapi_specs.told("Message", {"message_id": 1, "date": 1.5, "chat": {"id": 1, "type": "private"}})
    await bot.send_message(anna.id, "x", api_kwargs={"colour": "red"})
    assert api.complaints == ["sendMessage: unknown field colour"]
    api.complaints.clear()
