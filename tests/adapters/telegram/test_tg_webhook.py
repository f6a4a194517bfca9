"""Listening by webhook: only Telegram is believed, what is confirmed is kept, what is not kept is told again."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import resource
import socket
import time

import aiohttp
import pytest
from botapi_clients import client
from botapi_faults import Error, Limited, Status
from tg_fronts import front_task, house, painted, section, serving
from tg_updates import deafened, idle, jobs, left, told

from realbot.adapters.telegram import Front
from realbot.adapters.telegram.inbox import KINDS
from realbot.adapters.telegram.webhook import HEADER, MOST
from realbot.config import Settings
from realbot.errors import ConfigError
from studios import rig, until

SECRET = "a-secret-of-many_letters"


@pytest.fixture
def hook():
    """Settings of a front-end that listens by webhook."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    return {"webhook_url": f"http://127.0.0.1:{port}/hook", "webhook_port": port, "webhook_secret": SECRET}


@contextlib.asynccontextmanager
async def posting(hook):
    """Somebody who posts to the webhook."""
    async with aiohttp.ClientSession() as session:

        async def post(body, secret=SECRET, method="POST"):
            data = body if isinstance(body, bytes | io.BytesIO) else json.dumps(body).encode()
            headers = {} if secret is None else {HEADER: secret}
            async with session.request(method, hook["webhook_url"], data=data, headers=headers) as answer:
                return answer.status

        yield post


async def strange(hook):
    """What is said to a secret that is no text."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hook["webhook_port"])
    writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n{HEADER}: ".encode() + b"\xff\xfe\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return line


async def test_people_are_served_by_webhook(api, anna, bert, tmp_path, hook):
    async with house(tmp_path, api, telegram=hook) as home:
        await anna.ask(anna.chat, "/imagine a cat on a blue background")
        await painted(anna.chat)
        await bert.ask(bert.chat, "/help")
        await idle(home)
        assert home.front.health == ""
        (call,) = api.called("setWebhook")
        assert call.params == {
            "url": hook["webhook_url"], "secret_token": SECRET, "allowed_updates": list(KINDS)
        }  # fmt: skip
    assert not api.called("getUpdates")
    assert not api.called("deleteWebhook"), "so that what people write meanwhile waits at Telegram"
    assert {post.status for post in api.updates.posts} == {200}


async def test_T1_what_was_posted_while_realbot_was_away_is_done_once_it_is_back(api, anna, tmp_path, hook):
    async with house(tmp_path, api, telegram=hook):
        await anna.ask(anna.chat, "/help")
    for number in range(5):
        anna.write(anna.chat, f"/imagine wish {number} steps:2")
    await until(lambda: api.updates.posts[-1].status == 0)
    async with house(tmp_path, api, telegram=hook) as home:
        await painted(anna.chat, 5)
        await idle(home)
        assert len(await jobs(home, anna)) == 5
        assert len(anna.chat.told) == 6


async def test_T17_only_who_knows_the_secret_is_believed(api, anna, tmp_path, hook, caplog):
    async with house(tmp_path, api, telegram=hook) as home, posting(hook) as post:
        update = told(api, anna, 5, "/help")
        for wrong in (None, "", SECRET[:-1], SECRET + "x", SECRET.upper(), "ö-" + SECRET):
            for _ in range(3):
                assert await post(update, wrong) == 403
        assert await strange(hook) == b"HTTP/1.1 403 Forbidden\r\n"
        assert caplog.text.count("without the secret") == 2, "not each time"
        assert SECRET not in caplog.text
        assert not await left(home)
        await asyncio.sleep(0.1)
        assert not anna.chat.told
        assert await post(update) == 200
        await until(lambda: anna.chat.told)
        assert await post(update) == 200
        await idle(home)
        assert len(anna.chat.told) == 1


async def test_what_is_no_update_is_refused_and_stops_nothing(api, anna, tmp_path, hook):
    async with house(tmp_path, api, telegram=hook) as home, posting(hook) as post:
        for body in (b"", b"no json", [], "x", 5, None, {}, {"update_id": None}, {"update_id": "x"}, {"update_id": []},
                     b'{"update_id": ' + b"[" * 50_000, b"\xff\xfe", b'{"update_id": 1'):  # fmt: skip
            assert await post(body) == 400
        assert await post(io.BytesIO(b" " * (MOST + 1))) == 413
        assert await post(b"", method="GET") in (404, 405)
        assert await post({"update_id": 7}) == 200
        assert await post({"update_id": 8, "message": "strange"}) == 200
        await anna.ask(anna.chat, "/help")
        await idle(home)


async def test_T1_an_update_is_confirmed_once_it_is_kept(api, anna, tmp_path, hook, monkeypatch):
    heard = deafened(monkeypatch)
    async with house(tmp_path, api, telegram=hook) as home, posting(hook) as post:
        receive, kept = home.studio.receive, asyncio.Event()

        async def slow(*args):
            await kept.wait()
            return await receive(*args)

        monkeypatch.setattr(home.studio, "receive", slow)
        posted = asyncio.create_task(post(told(api, anna, 5, "/help")))
        await asyncio.sleep(0.1)
        assert not posted.done()
        kept.set()
        assert await posted == 200
        assert await left(home) == [5], "it is confirmed before it is handled"
    heard.set()
    async with house(tmp_path, api, telegram=hook):
        await until(lambda: anna.chat.told)


async def test_H2_on_a_full_disk_nothing_is_confirmed(api, anna, tmp_path, hook, caplog):
    async with house(tmp_path, api, telegram=hook) as home, posting(hook) as post:
        await anna.ask(anna.chat, "/help")
        await idle(home)
        size = max(path.stat().st_size for path in (tmp_path / "data").glob("realbot.db*"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        large = {**told(api, anna, 5, "/help"), "padding": "x" * 900_000}
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, hard))
        try:
            assert await post(large) == 503
            assert "will tell it again" in caplog.text
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not await left(home)
        assert await post(large) == 200
        await idle(home)
        assert len(anna.chat.told) == 2


async def test_many_posts_at_once_are_each_done_once(api, tmp_path, hook):
    people = [api.person(f"p{n}") for n in range(40)]
    async with house(tmp_path, api, telegram=hook) as home, posting(hook) as post:
        updates = [told(api, person, n, "/help") for n, person in enumerate(people)]
        answers = await asyncio.gather(*(post(update) for update in updates * 3))
        assert set(answers) == {200}
        await until(lambda: all(person.chat.told for person in people))
        await idle(home)
    assert {len(person.chat.told) for person in people} == {1}


# The start and the end


async def test_polling_takes_an_old_webhook_away(api, anna, tmp_path, hook):
    async with client(api) as other:
        await other.set_webhook(hook["webhook_url"])
        anna.write(anna.chat, "/help")
    async with house(tmp_path, api):
        await until(lambda: anna.chat.told)
    assert not api.updates.hook


async def serve(folder, api, hook):
    async with rig(folder, clock=api.clock) as bench:
        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(Front(bench.studio, section(api, **hook)).serve(), 10)
    return caught.value


async def test_a_port_that_is_taken_is_told_of(api, tmp_path, hook):
    with socket.socket() as door:
        door.bind(("127.0.0.1", hook["webhook_port"]))
        door.listen()
        error = await serve(tmp_path, api, hook)
    assert error.key == "telegram.webhook_port"
    assert str(hook["webhook_port"]) in str(error)
    assert not api.called("setWebhook")


async def test_an_address_that_telegram_does_not_take_is_told_of(api, tmp_path, hook):
    error = await serve(tmp_path, api, {**hook, "webhook_url": "http://example.org/hook"})
    assert error.key == "telegram.webhook_url"
    assert "https url must be provided" in str(error)


async def test_telegram_is_told_the_address_until_it_takes_it(api, anna, tmp_path, hook):
    faults = (Status(502), Limited(2), Error(500, "Internal Server Error"))
    rules = [api.fault("setWebhook", fault) for fault in faults]
    anna.write(anna.chat, "/help")
    async with rig(tmp_path, clock=api.clock) as bench, serving(bench, api, ready=False, **hook) as front:
        await until(lambda: rules[1].struck)
        assert front.health == "not connected to Telegram"
        api.clock.advance(10)
        await until(lambda: anna.chat.told)
        assert [rule.struck for rule in rules] == [1, 1, 1]
        assert front.health == ""


async def test_T20_a_revoked_token_is_noticed_by_what_is_sent(api, anna, tmp_path, hook):
    async with house(tmp_path, api, hand=True, telegram=hook) as home:
        await anna.ask(anna.chat, "/imagine a cat on a blue background")
        await until(home.easel.working)
        api.revoke()
        home.easel.finish()
        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(asyncio.shield(front_task[home.front]), 10)
        assert caught.value.key == "telegram.token"
    async with house(tmp_path, api, telegram=hook):
        await painted(anna.chat)
        assert len(anna.chat.told) == 1


async def test_stopping_is_quick_while_somebody_posts_slowly(api, tmp_path, hook):
    async with rig(tmp_path, clock=api.clock) as bench:
        up = asyncio.Event()
        task = asyncio.create_task(Front(bench.studio, section(api, **hook)).serve(ready=up))
        await asyncio.wait_for(up.wait(), 10)
        _, writer = await asyncio.open_connection("127.0.0.1", hook["webhook_port"])
        writer.write(f"POST /hook HTTP/1.1\r\nHost: x\r\n{HEADER}: {SECRET}\r\nContent-Length: 99\r\n\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 3
        writer.close()


# Settings


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        ("", "telegram.webhook_secret", "needs a secret"),
        ("webhook_secret = ''", "telegram.webhook_secret", "16"),
        ("webhook_secret = 'short'", "telegram.webhook_secret", "16"),
        (f"webhook_secret = '{'x' * 257}'", "telegram.webhook_secret", "256"),
        ("webhook_secret = 'with spaces in between'", "telegram.webhook_secret", "letters, digits"),
        ("webhook_secret = 'colons:are:not:taken'", "telegram.webhook_secret", "letters, digits"),
        ("webhook_secret = 'nor-are-umläuts-no'", "telegram.webhook_secret", "letters, digits"),
        (f"webhook_secret = '{SECRET}'\nwebhook_port = 70000", "telegram.webhook_port", "65535"),
        (f"webhook_secret = '{SECRET}'\nwebhook_url = 'ftp://example.org'", "telegram.webhook_url", "http"),
    ],
)
def test_T17_a_webhook_without_a_good_secret_does_not_start(tmp_path, section, key, words):
    path = tmp_path / "realbot.toml"
    url = "" if "webhook_url" in section else "webhook_url = 'https://example.org/telegram'\n"
    path.write_text(f"[telegram]\ntoken = '1:a'\n{url}{section}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Settings.load(path, {})
    told = str(caught.value)
    assert key in told
    assert words in told
    assert caught.value.key.startswith("telegram")
    assert "\n" not in told
    assert told.endswith((".", "?", ")"))
    assert SECRET not in told


def test_T17_a_webhook_with_a_secret_starts(tmp_path):
    path = tmp_path / "realbot.toml"
    path.write_text("[telegram]\ntoken = '1:a'\nwebhook_url = 'https://example.org/telegram'\n", encoding="utf-8")
    settings = Settings.load(path, {"REALBOT_TELEGRAM__WEBHOOK_SECRET": SECRET})
    assert settings.telegram.webhook_secret.get_secret_value() == SECRET
    assert SECRET in settings.secrets()
