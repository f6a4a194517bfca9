"""Listening by polls: other programs, stalls, outages and dead tokens are noticed, and nothing else stops for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time

import pytest
from botapi import BotApi
from botapi_clients import client
from botapi_faults import Close, Error, Limited, Malformed, Reset, Stall, Status, Torn
from telegram.error import Conflict
from tg_fronts import front_task, house, hurried, painted, section, serving, shows
from tg_sending import Hasty
from tg_updates import idle

from realbot import app
from realbot.adapters.telegram import Front
from realbot.adapters.telegram.poller import HOLD, SILENCE
from realbot.config import Settings
from realbot.errors import ConfigError
from studios import rig, until

#: The loopback holds a poll for two seconds, which are as many of the front-end's as Telegram holds one for.
HASTE = HOLD / 2


def polls(api):
    return api.called("getUpdates")


def port(call):
    """The connection that a request came by."""
    return call.request.transport.get_extra_info("peername")[1]


async def ended(front):
    """How serving ended by itself."""
    with pytest.raises(ConfigError) as caught:
        await asyncio.wait_for(asyncio.shield(front_task[front]), 10)
    return caught.value


# Other programs


async def test_T5_another_program_with_the_token_is_told_of_and_not_fought(api, anna, tmp_path, caplog):
    async with house(tmp_path, api, haste=20) as home, client(api) as other:
        await anna.ask(anna.chat, "/imagine a cat steps:2")
        before = len(polls(api))
        refused = 0
        began = time.monotonic()
        while time.monotonic() - began < 3:
            try:
                await other.get_updates(timeout=1)
            except Conflict:
                refused += 1
        # Three seconds are a minute here.
        assert len(polls(api)) - before < 20
        assert refused <= 5
        told = [record for record in caplog.records if "another program listens" in record.message]
        assert 1 <= len(told) <= 5
        assert {record.levelname for record in told} == {"CRITICAL"}
        assert home.front.health in ("", "another program listens")
        assert not front_task[home.front].done()
        anna.write(anna.chat, "/imagine a dog steps:2")
        await painted(anna.chat, 2)
        await idle(home)
        assert len(anna.chat.told) == 2


# Stalls


async def test_T6_a_silent_stall_is_noticed_and_healed_and_stops_nothing_else(api, anna, bert, tmp_path):
    async with house(tmp_path, api, hand=True, haste=HASTE) as home:
        card = await anna.ask(anna.chat, "/imagine a cat on a blue background")
        await until(home.easel.working)
        before, rule = port(polls(api)[-1]), api.fault("getUpdates", Stall(), 2)
        assert home.front.health == ""
        await until(lambda: rule.struck)
        clock = home.front.clock.monotonic
        stalled = clock()
        bert.write(bert.chat, "/imagine a dog steps:2")
        # The queue and what is sent go on.
        home.easel.finish()
        await shows(card, "seed")
        assert clock() < stalled + HOLD * SILENCE
        await until(lambda: home.front.health == "Telegram does not answer")
        assert clock() < stalled + 90
        await until(lambda: bert.chat.told)
        assert clock() < stalled + 120
        assert home.front.health == ""
        assert len({before, *(port(call) for call in polls(api)[-1:])}) == 2, "on a connection of its own"
        assert not front_task[home.front].done()
    assert len(bert.chat.told) == 1


async def test_T6_a_stall_for_hours_is_healed_when_it_is_over(api, anna, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with house(tmp_path, api, haste=HASTE) as home:
        rule = api.fault("getUpdates", Stall(), -1)
        await until(lambda: rule.struck >= 3, 20)
        assert "updates do not come" in caplog.text
        assert home.front.health == "Telegram does not answer"
        anna.write(anna.chat, "/help")
        api.faults.clear()
        await until(lambda: anna.chat.told)
        assert home.front.health == ""
        await until(lambda: "Telegram answers again" in caplog.text)


# Outages and garbage


@pytest.mark.parametrize(
    "fault",
    [Reset(), Reset(after=True), Close(), Torn(after=True), Status(502), Status(404), Status(403), Limited(2),
     Error(500, "Internal Server Error"), Error(404, "Not Found"), Error(400, "Bad Request"),
     Malformed(), Malformed(after=True), Malformed("[]"), Malformed("{}"), Malformed('{"ok": true, "result": 5}'),
     Malformed('{"ok": true, "result": [{"x": 1}]}'), Malformed('{"ok": true, "result": [{"update_id": "x"}]}')],
    ids=repr,
)  # fmt: skip
async def test_what_goes_wrong_with_a_poll_loses_nothing_and_repeats_nothing(api, anna, tmp_path, fault, caplog):
    async with house(tmp_path, api) as home:
        rule = api.fault("getUpdates", fault, 3)
        anna.write(anna.chat, "/help the canary")
        await until(lambda: rule.struck == 3, 20)
        if isinstance(fault, Limited):
            api.clock.advance(10)
        await anna.ask(anna.chat, "/queue")
        await until(lambda: len(anna.chat.told) == 2)
        await idle(home)
        assert len(anna.chat.told) == 2
        assert not front_task[home.front].done()
    assert "canary" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_an_outage_of_telegram_is_waited_for(api, anna, tmp_path, caplog):
    async with house(tmp_path, api, haste=200) as home:
        await api.stop()
        await until(lambda: "updates do not come (10 times)" in caplog.text, 20)
        assert caplog.text.count("updates do not come") == 2, "it is not said each time"
        await until(lambda: home.front.health)
        anna.write(anna.chat, "/help")
        await api.start()
        await until(lambda: anna.chat.told, 20)
        assert home.front.health == ""


# The start


async def test_while_telegram_is_away_at_the_start_it_is_waited_for(tmp_path, caplog):
    async with BotApi(clock=Hasty(200)) as api:
        anna = api.person("anna")
        await api.stop()
        async with rig(tmp_path, clock=api.clock) as bench, serving(bench, api, haste=200, ready=False) as front:
            await until(lambda: caplog.text.count("Telegram is away") >= 3)
            assert front.health == "not connected to Telegram"
            for fault in (Status(502), Malformed(), Limited(5), Reset(after=True), Error(500, "Internal Server Error")):
                api.fault("getMe", fault)
            api.fault("deleteWebhook", Limited(60))
            api.fault("deleteWebhook", Status(502))
            anna.write(anna.chat, "/help")
            await api.start()
            await until(lambda: anna.chat.told, 20)
            assert front.health == ""


async def test_one_login_serves_and_everything_ends_with_it(api, anna, tmp_path):
    before = asyncio.all_tasks()
    async with house(tmp_path, api):
        await anna.ask(anna.chat, "/imagine a cat")
        await painted(anna.chat)
    assert len(api.called("getMe")) == 1
    await until(lambda: not [task for task in asyncio.all_tasks() - before if "aiohttp" not in repr(task)])


# Dead tokens


async def test_T20_a_token_that_telegram_does_not_know_is_told_of_in_one_sentence(api, tmp_path, caplog):
    old = api.token
    async with rig(tmp_path, clock=api.clock) as bench:
        settings = section(api)
        api.revoke()
        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(Front(bench.studio, settings, clock=hurried(api, 50)).serve(), 10)
    assert caught.value.key == "telegram.token"
    assert "BotFather" in str(caught.value)
    assert old not in str(caught.value)


async def test_T20_a_token_that_is_revoked_ends_telegram_and_results_wait_for_the_next(api, anna, tmp_path):
    async with house(tmp_path, api, hand=True) as home:
        await anna.ask(anna.chat, "/imagine a cat on a blue background")
        await until(home.easel.working)
        api.revoke()
        home.easel.finish()
        error = await ended(home.front)
        assert error.key == "telegram.token"
        assert home.front.health == "not connected to Telegram"
        assert not anna.chat.pictures
    async with house(tmp_path, api):
        await painted(anna.chat)
        assert len(anna.chat.told) == 1


async def test_T20_the_rest_of_realbot_goes_on(api, anna, tmp_path, monkeypatch, caplog):
    served = asyncio.Event()

    class Page:
        platform = "web"

        async def serve(self, *, ready=None):
            ready.set()
            served.set()
            await asyncio.Event().wait()

    async with rig(tmp_path, clock=api.clock) as bench:

        @contextlib.asynccontextmanager
        async def opened(settings, grace=0.0):
            yield bench.studio

        front = Front(bench.studio, section(api), clock=hurried(api, 50), hold=1)
        monkeypatch.setattr(app, "opened", opened)
        monkeypatch.setattr(app, "_fronts", lambda settings, studio: iter([Page(), front]))
        running = asyncio.create_task(app.run(Settings()))
        await served.wait()
        await anna.ask(anna.chat, "/imagine a cat")
        api.revoke()
        await until(lambda: "telegram is off" in caplog.text)
        assert "BotFather" in caplog.text
        assert not running.done()
        assert (await bench.paint("a dog")).images
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 5)


# Stopping


@pytest.mark.parametrize("where", ["poll", "login", "webhook", "away", "sending"])
async def test_stopping_is_quick_whatever_hangs(api, anna, tmp_path, where):
    async with contextlib.AsyncExitStack() as stack:
        bench = await stack.enter_async_context(rig(tmp_path, clock=api.clock))
        if where == "away":
            await api.stop()
        method = {"poll": "getUpdates", "login": "getMe", "webhook": "deleteWebhook", "sending": "sendMessage"}
        rule = api.fault(method.get(where, "none"), Stall(), -1)
        front = Front(bench.studio, section(api))
        task = asyncio.create_task(front.serve())
        if where == "away":
            await asyncio.sleep(0.3)
        else:
            anna.write(anna.chat, "/help")
            await until(lambda: rule.struck)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # What is on its way gets a second and a half.
        assert time.monotonic() - began < 3.0
