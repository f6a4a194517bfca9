"""The token in whatever realbot logs of Telegram: in no line, and in none of a program that logs everything."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from urllib.parse import quote

import pytest
from botapi_clients import picture
from botapi_faults import Close, Error, Limited, Malformed, Reset, Status
from tg_fronts import front_task, house, hurried, painted, section
from tg_updates import idle

from realbot import logs
from realbot.adapters.telegram import Front
from realbot.errors import ConfigError
from studios import rig, until

FAULTS = (Reset(), Close(), Status(502), Malformed(), Error(500, "Internal Server Error"), Error(404, "Not Found"),
          Limited(1))  # fmt: skip


@pytest.fixture
def said(api, monkeypatch):
    """Logging as the program configures it; what came out so far."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure([api.token])
    root.handlers += before
    yield stream.getvalue
    root.handlers, root.level = before, level
    for name, old in quiet.items():
        logging.getLogger(name).setLevel(old)


def hides(text, token):
    return all(form not in text for form in (token, quote(token), token.partition(":")[2]))


async def unrest(api, anna, home):
    """A day on which much goes wrong."""
    for fault in FAULTS:
        for method in ("getUpdates", "sendMessage", "edit*", "getFile", "download", "answerCallbackQuery", "sendChat*"):
            api.fault(method, fault)
    card = await anna.ask(anna.chat, "/imagine a cat on a blue background")
    anna.begin(card, next((button["callback_data"] for button in card.buttons), "none"))
    for number in range(len(FAULTS)):
        anna.photo(anna.chat, picture(seed=number), "a dog")
    api.clock.advance(10)
    await idle(home, 60)
    api.faults.clear()
    await api.stop()
    await asyncio.sleep(0.1)
    await api.start()
    anna.write(anna.chat, "/imagine a fox on a blue background seed:7")
    await until(lambda: any("a fox" in message.words for message in anna.chat.told), 20)
    await painted(anna.chat, 1)


async def test_S1_no_line_holds_the_token(api, anna, tmp_path, said, caplog):
    token = api.token
    async with house(tmp_path, api, haste=400) as home:
        await unrest(api, anna, home)
        api.revoke()
        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(asyncio.shield(front_task[home.front]), 10)
        # As a traceback that names the address, the token and what the library says of it.
        logging.getLogger("realbot").error("telegram is off", exc_info=caught.value)
    assert "updates do not come" in said()
    assert "telegram is off" in said()
    assert hides(said(), token)
    assert hides(said(), api.token)
    assert "HTTP Request" not in said()
    assert hides(caplog.text, token), "not even before it is redacted"


async def test_S1_the_library_that_names_the_token_is_redacted(api, tmp_path, said):
    """At the start it says which token was rejected."""
    token = api.token
    async with rig(tmp_path, clock=api.clock) as bench:
        front = Front(bench.studio, section(api), clock=hurried(api, 50))
        api.revoke()
        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(front.serve(), 10)
    assert token in str(caught.value.__cause__)
    logging.getLogger("realbot").error("telegram is off", exc_info=caught.value)
    assert "was rejected by the server" in said()
    assert hides(said(), token)


async def test_S1_a_program_that_logs_everything_is_redacted(api, anna, tmp_path, said):
    names = ("httpx", "httpcore", "telegram", "asyncio", "realbot")
    before = {name: logging.getLogger(name).level for name in names}
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.DEBUG)
        async with house(tmp_path, api):
            await anna.ask(anna.chat, "/imagine a cat")
            await painted(anna.chat)
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
    assert "[secret]/getUpdates" in said(), "httpx names every address"
    assert hides(said(), api.token)
