"""The wire: what is tried again, what is not, and when nothing is sent."""

from __future__ import annotations

import io
import json
from contextlib import suppress

import aiohttp
import discord
import pytest
from discord.http import Route, handle_message_parameters
from moving import Time
from servers import halfway, limited, ok, reset, serving, silence, status, wired

from realbot.adapters.discord.wire import (
    ANSWER,
    CALM,
    LOGIN,
    PROGRESS,
    RATE,
    REFUSALS,
    RESULT,
    USUAL,
    WINDOW,
    Down,
    Patience,
    trying,
)


def message() -> Route:
    return Route("POST", "/channels/{channel_id}/messages", channel_id=7)


def form() -> discord.http.MultipartParameters:
    return handle_message_parameters("x", nonce="n", file=discord.File(io.BytesIO(b"z" * 100_000), "a.png"))


@pytest.mark.parametrize("fault", [reset, halfway, status(500), status(502), status(503), status(504)])
async def test_DC5_a_fault_is_tried_again_with_the_same_body(fault):
    time = Time()
    async with serving(fault, fault) as server, wired(server, time) as wire:
        with form() as sent, trying(RESULT):
            assert await wire.request(message(), form=sent.multipart, files=sent.files) == {}
        posts = [parts for method, _, parts in server.seen if method == "POST"]
        assert len(posts) == 3
        assert posts[0] == posts[1] == posts[2]
        assert posts[0]["files[0]"] == 100_000
    assert len(time.slept) == 2
    assert 0 < time.slept[0] < time.slept[1]


async def test_DC5_a_server_that_says_nothing_is_given_up_after_the_time_of_one_try():
    time = Time()
    async with serving(silence, ok) as server, wired(server, time) as wire:
        with trying(Patience(tries=3, seconds=30, each=0.2)):
            await wire.request(message(), json={})
        assert len(server.asked) == 2


async def test_DC5_after_six_tries_in_two_minutes_it_is_the_outboxs_turn():
    time = Time()
    async with serving(*[status(503)] * 20) as server, wired(server, time) as wire:
        begun = time.at
        with trying(RESULT), pytest.raises(Down) as caught:
            await wire.request(message(), json={})
        assert len(server.asked) == RESULT.tries == 6
        assert time.at - begun <= 120
        assert caught.value.uncertain


async def test_C14_no_more_goes_out_in_a_second_than_discord_takes_and_progress_lets_results_pass():
    time, sent = Time(), []
    answer = Route("POST", "/interactions/{webhook_id}/{webhook_token}/callback", webhook_id=1, webhook_token="t")
    async with serving() as server, wired(server, time) as wire:

        async def send(patience: Patience, route: Route, times: int) -> None:
            for _ in range(times):
                with trying(patience):
                    await wire.request(route, json={})
                sent.append((patience, route, time.at))

        # Logging in is over.
        time.at += 1
        await send(PROGRESS, message(), CALM)
        assert not time.slept
        await send(RESULT, message(), RATE - CALM)
        assert not time.slept
        await send(ANSWER, answer, 100)
        assert not time.slept
        await send(PROGRESS, message(), 2 * RATE)
        await send(RESULT, message(), 2 * RATE)
    counted = [at for _, route, at in sent if route is not answer]
    for n, at in enumerate(counted):
        assert sum(at - 1 < other <= at for other in counted[: n + 1]) <= RATE
    waited = [at for patience, _, at in sent if patience is PROGRESS]
    for n, at in enumerate(waited):
        assert sum(at - 1 < other <= at for other in waited[: n + 1]) <= CALM


async def test_DC5_waits_are_scattered():
    waits = set()
    for jitter in (0.0, 0.3, 1.0):
        time = Time()
        async with serving(reset) as server, wired(server, time) as wire:
            wire.gate._jitter = lambda jitter=jitter: jitter
            await wire.request(message(), json={})
        waits.add(time.slept[0])
    assert len(waits) == 3


async def test_a_request_that_never_left_is_known_not_to_have_arrived():
    time = Time()
    async with serving() as server, wired(server, time) as wire:
        server.url = wire._base = "http://127.0.0.1:9/api"
        with pytest.raises(Down) as caught:
            await wire.request(message(), json={})
    assert not caught.value.uncertain


async def test_progress_is_tried_once_and_an_answer_within_three_seconds():
    for patience, most in ((PROGRESS, 1), (ANSWER, 4)):
        time = Time()
        async with serving(*[reset] * 9) as server, wired(server, time) as wire:
            with trying(patience) as attempt, pytest.raises(Down):
                await wire.request(message(), json={})
            assert 1 <= attempt.tries == len(server.asked) <= most
            assert sum(time.slept) < 2.7


async def test_DC1_an_answer_to_an_interaction_is_tried_within_three_seconds_whoever_sends_it():
    answer = Route("POST", "/interactions/{webhook_id}/{webhook_token}/callback", webhook_id=1, webhook_token="t")
    time = Time()
    async with serving(*[reset] * 9) as server, wired(server, time) as wire:
        with pytest.raises(Down):
            await wire.request(answer, json={})
        assert len(server.asked) == ANSWER.tries
        assert sum(time.slept) < 2.7


async def test_what_is_refused_is_not_tried_again():
    async with serving(status(403, {"code": 50013, "message": "Missing Permissions"})) as server:
        async with wired(server, Time()) as wire:
            with pytest.raises(discord.Forbidden):
                await wire.request(message(), json={})
        assert len(server.asked) == 1


async def test_posting_by_webhook_knows_no_nonce_and_is_not_repeated_when_it_may_have_arrived():
    hook = Route("POST", "/webhooks/{webhook_id}/{webhook_token}", webhook_id=1, webhook_token="t" * 80)
    edit = Route("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", webhook_id=1, webhook_token="t")
    async with serving(reset, reset) as server, wired(server, Time()) as wire, aiohttp.ClientSession() as session:
        with pytest.raises(Down):
            await wire.webhooks.request(hook, session, payload={})
        assert len(server.asked) == 1
        await wire.webhooks.request(edit, session, payload={})
        assert len(server.asked) == 3


async def test_DC7_a_route_limit_is_waited_for():
    async with serving(limited(0.05), limited(0.05, everywhere=True)) as server, wired(server, Time()) as wire:
        await wire.request(message(), json={})
        assert len(server.asked) == 3


async def test_DC7_a_long_route_limit_is_told_and_not_slept_through():
    async with serving(limited(300)) as server, wired(server, Time()) as wire:
        with pytest.raises(discord.RateLimited) as caught:
            await wire.request(message(), json={})
    assert caught.value.retry_after == 300


async def test_DC7_cloudflare_stops_everything_for_the_time_it_says():
    time = Time()
    async with serving(status(429, "banned", **{"Retry-After": "120"})) as server, wired(server, time) as wire:
        for patience in (RESULT, PROGRESS, ANSWER, USUAL):
            with trying(patience), pytest.raises(Down) as caught:
                await wire.request(message(), json={})
            assert caught.value.wait == pytest.approx(120)
        assert len(server.asked) == 1, "nothing is sent after the first answer"
        assert wire.gate.stopped == pytest.approx(120)
        time.at += 121
        await wire.request(message(), json={})
        assert len(server.asked) == 2


async def test_a_message_that_is_too_old_to_be_edited_so_often_is_not_waited_for():
    old = status(429, {"code": 30046, "message": "", "retry_after": 1500.0})
    async with serving(old) as server, wired(server, Time()) as wire:
        with pytest.raises(discord.HTTPException) as caught:
            await wire.request(message(), json={})
        assert caught.value.code == 30046
        assert not wire.gate.stopped, "this is no ban"
        assert len(server.asked) == 1


async def test_DC8_a_thousand_refusals_in_ten_minutes_pause_what_is_not_essential():
    time = Time()
    async with serving() as server, wired(server, time) as wire:
        for n in range(REFUSALS):
            server.script.append(status(403 if n % 2 else 401, {"code": 50027}))
            with trying(PROGRESS), suppress(discord.HTTPException):
                await wire.request(message(), json={})
            time.at += 0.1
        assert wire.gate.strained
        asked = len(server.asked)
        with trying(PROGRESS), pytest.raises(Down):
            await wire.request(message(), json={})
        assert len(server.asked) == asked
        with trying(RESULT):
            await wire.request(message(), json={})
        time.at += WINDOW
        assert not wire.gate.strained
        with trying(PROGRESS):
            await wire.request(message(), json={})


async def test_DC8_a_limit_shared_with_others_is_not_our_refusal():
    shared = status(429, {"retry_after": 0, "global": False}, Via="1.1", **{"X-RateLimit-Scope": "shared"})
    async with serving(shared) as server, wired(server, Time()) as wire:
        await wire.request(message(), json={})
        assert not wire.gate._refusals


async def test_DC9_a_token_that_is_refused_is_reported_once_it_was_good():
    revoked = []
    refused = status(401, {"code": 0, "message": "401: Unauthorized"})
    async with serving(refused) as server, wired(server, Time()) as wire:
        wire.revoked = lambda: revoked.append(1)
        with pytest.raises(discord.HTTPException):
            await wire.request(message(), json={})
    assert revoked == [1]


async def test_logging_in_waits_as_long_as_discord_is_away():
    time = Time()
    async with serving(*[status(503)] * 40) as server, wired(server, time) as wire:
        with trying(LOGIN):
            await wire.request(Route("GET", "/oauth2/applications/@me"))
        assert len(server.asked) == 41
    assert max(time.slept) <= 30


async def test_routes_go_to_the_configured_address_and_no_other():
    async with serving() as one, serving() as two, wired(one, Time()) as first, wired(two, Time()) as second:
        await first.request(message(), json={"a": 1})
        route = message()
        await second.request(route, json={})
        await second.request(route, json={})
        assert (len(one.asked), len(two.asked)) == (1, 2)
        assert one.headers[-1]["Authorization"] == "Bot a.b.c"


async def test_nothing_that_is_told_holds_a_token(caplog):
    caplog.set_level("DEBUG", logger="realbot")
    token = "aW50ZXJhY3Rpb246" * 8
    edit = Route(
        "PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original", webhook_id=1, webhook_token=token
    )
    async with serving(*[status(500)] * 9) as server, wired(server, Time()) as wire, aiohttp.ClientSession() as session:
        with pytest.raises(Down) as caught:
            await wire.webhooks.request(edit, session, payload={})
    told = json.dumps([record.getMessage() for record in caplog.records if record.name.startswith("realbot")])
    assert token not in str(caught.value)
    assert token not in told
    assert "/webhooks/1/" in told
