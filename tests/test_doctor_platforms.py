"""`realbot doctor` and the platforms: each fault is found, and the remedy is the right one."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest

from doctors import BOT, CHANNEL, GUILD, TOKEN, Platform, findings, settings, told
from realbot.adapters.discord.diagnosis import diagnosis
from realbot.adapters.telegram.diagnosis import diagnosis as telegram
from realbot.doctor import ports
from realbot.sections import Discord, Telegram


@pytest.fixture
async def platform():
    async with Platform().serving() as platform:
        yield platform


async def discord(platform: Platform, channel: str = "", told_once: tuple[str, ...] = ()):
    section = Discord(token=TOKEN, api_base=platform.url, gateway=f"ws{platform.url[4:]}/gateway")
    return await diagnosis(section, channel, recall=lambda _: json.dumps(told_once))


async def bot_api(platform: Platform, **more):
    return await telegram(Telegram(**{"token": "5:" + "A" * 35, "api_base": platform.url, "owners": (7,), **more}))


async def test_where_all_is_well_nothing_is_wrong(platform):
    found = [*await discord(platform, CHANNEL), *await bot_api(platform)]
    assert {one.verdict for one in found} == {"good"}, found
    assert "anna" in told(found, "Discord owner").said
    assert "Studio" in told(found, "Discord servers").said


def denied(platform: Platform, *bits: int) -> None:
    overwrite = {"id": GUILD, "type": 0, "allow": "0", "deny": str(sum(1 << bit for bit in bits))}
    for path in (f"/channels/{CHANNEL}", f"/guilds/{GUILD}/channels"):
        form = platform.answers[path][1]
        (form[0] if isinstance(form, list) else form)["permission_overwrites"] = [overwrite]


def application(platform: Platform, **more) -> None:
    for path in ("/oauth2/applications/@me", "/applications/@me"):
        platform.answers[path][1].update(more)


DISCORD = {
    "token": (lambda p: p.answers.update({"/users/@me": (401, {"message": "401: Unauthorized", "code": 0})}),
              "Discord token", "wrong", "does not know", "Reset Token"),
    "away": (lambda p: p.answers.update({"/users/@me": (502, {})}), "Discord", "wrong", "does not answer", "proxy"),
    "endpoint": (lambda p: application(p, interactions_endpoint_url="https://example.org/x"),
                 "Discord application", "wrong", "never hears", "Empty that field"),
    "grant": (lambda p: application(p, bot_require_code_grant=True),
              "Discord application", "wrong", "nobody can add", "Code Grant off"),
    "sessions": (lambda p: setattr(p, "sessions", 0), "Discord gateway", "wrong", "used up", "Wait 2.0 hours"),
    "gateway": (lambda p: setattr(p, "hello", None), "Discord gateway", "wrong", "No connection", "websockets"),
    "stranger": (lambda p: setattr(p, "hello", {"op": 1}), "Discord gateway", "wrong", "hello", "websockets"),
    "alone": (lambda p: p.answers.update({"/users/@me/guilds": (200, [])}),
              "Discord servers", "unwise", "no server", f"client_id={BOT}"),
    "commands": (lambda p: p.answers.update({f"/applications/{BOT}/commands": (200, [])}),
                 "Discord commands", "wrong", "imagine", "new token"),
    "strange": (lambda p: p.answers.update({f"/applications/{BOT}/commands": (200, [{"name": "imagine"},
                {"name": "ping"}])}), "Discord commands", "unwise", "ping", "no other program"),
    "embed": (lambda p: denied(p, 14, 15), "Discord channel", "wrong", "Embed Links, Attach Files",
              "allow Embed Links, Attach Files"),
    "unseen": (lambda p: denied(p, 10), "Discord channel", "wrong", "View Channel", "View Channel"),
    "nowhere": (lambda p: p.answers.pop(f"/channels/{CHANNEL}"), "Discord channel", "wrong", "none", "Copy Channel ID"),
    "forbidden": (lambda p: p.answers.update({f"/channels/{CHANNEL}": (403, {"code": 50001, "message": "Missing"})}),
                  "Discord channel", "wrong", "may not see", "invite it"),
}  # fmt: skip


@pytest.mark.parametrize("fault", DISCORD)
async def test_a_fault_at_discord_is_told_with_its_remedy(platform, fault):
    make, part, verdict, said, remedy = DISCORD[fault]
    make(platform)
    finding = told(await discord(platform, CHANNEL, ("imagine",)), part)
    assert (finding.verdict, said in finding.said, remedy in finding.remedy) == (verdict, True, True), finding


async def test_an_id_that_is_none_is_told_apart(platform):
    assert "id of a channel" in told(await discord(platform, "#pictures"), "Discord channel").said


async def test_a_thread_needs_the_right_to_write_in_threads(platform):
    thread = "3000000000000000002"
    form = {
        "id": thread, "type": 11, "guild_id": GUILD, "parent_id": CHANNEL, "name": "a thread", "owner_id": "7",
        "message_count": 1, "member_count": 1, "rate_limit_per_user": 0, "last_message_id": None, "flags": 0,
        "thread_metadata": {"archived": False, "auto_archive_duration": 60, "locked": False,
                            "archive_timestamp": "2026-01-01T00:00:00+00:00"},
    }  # fmt: skip
    platform.answers[f"/channels/{thread}"] = (200, form)
    denied(platform, 11)
    assert told(await discord(platform, thread), "Discord channel").verdict == "good"
    denied(platform, 38)
    finding = told(await discord(platform, thread), "Discord channel")
    assert "Send Messages in Threads" in finding.remedy


def failed(platform: Platform) -> None:
    now = int(time.time()) - 5
    platform.hook |= {
        "url": "https://example.org/telegram",
        "last_error_date": now,
        "last_error_message": "Bad Gateway",
    }


HOOKED = {"webhook_url": "https://example.org/telegram", "webhook_secret": "s" * 32}
TELEGRAM = {
    "token": (lambda p: setattr(p, "telegram", (401, {"ok": False, "error_code": 401, "description": "Unauthorized"})),
              {}, "Telegram token", "wrong", "does not know", "@BotFather"),
    "away": (lambda p: setattr(p, "telegram", (502, {})), {}, "Telegram", "wrong", "does not answer", "api_base"),
    "privacy": (lambda p: p.me.update(can_read_all_group_messages=True),
                {}, "Telegram privacy", "unwise", "every message", "/setprivacy"),
    "groups": (lambda p: p.me.update(can_join_groups=False), {}, "Telegram groups", "unwise", "add", "/setjoingroups"),
    "inline": (lambda p: p.me.update(supports_inline_queries=False), {}, "Telegram inline", "unwise", "by name",
               "/setinline"),
    "hook": (lambda p: p.hook.update(url="https://evil.example/secret-path"), {}, "Telegram updates", "wrong",
             "evil.example", "another program"),
    "hookless": (lambda p: None, HOOKED, "Telegram updates", "wrong", "No webhook", "Restart realbot"),
    "elsewhere": (lambda p: p.hook.update(url="https://other.example/"), HOOKED, "Telegram updates", "wrong",
                  "other.example", "Restart realbot"),
    "failing": (failed, HOOKED, "Telegram updates", "wrong", "Bad Gateway", "certificate"),
    "kinds": (lambda p: p.hook.update(url=HOOKED["webhook_url"], allowed_updates=["message"]), HOOKED,
              "Telegram updates", "wrong", "some kinds", "asks for all"),
    "waiting": (lambda p: p.hook.update(pending_update_count=900), {}, "Telegram updates", "unwise", "900", "log"),
    "owners": (lambda p: None, {"owners": ()}, "Telegram owners", "unwise", "Nobody", "telegram.owners"),
}  # fmt: skip


@pytest.mark.parametrize("fault", TELEGRAM)
async def test_a_fault_at_telegram_is_told_with_its_remedy(platform, fault):
    make, more, part, verdict, said, remedy = TELEGRAM[fault]
    make(platform)
    found = await bot_api(platform, **more)
    finding = told(found, part)
    assert (finding.verdict, said in finding.said, remedy in finding.remedy) == (verdict, True, True), finding
    assert "secret-path" not in str(found)


@pytest.mark.parametrize(
    ("off", "verdict", "said"),
    [(0, "good", ""), (-7, "good", ""), (90, "unwise", "behind"), (-90, "unwise", "ahead"), (3600, "wrong", "behind")],
)
async def test_the_clock_is_held_against_theirs(platform, off, verdict, said):
    platform.date = formatdate(time.time() + off, usegmt=True)
    (finding,) = [one async for one in ports.clock(platform.url)]
    assert (finding.verdict, said in finding.said) == (verdict, True), finding
    assert verdict == "good" or "timedatectl" in finding.remedy


async def test_a_platform_that_is_not_there_costs_seconds_at_most():
    begun = time.monotonic()
    nowhere = Platform()
    nowhere.url = "http://127.0.0.1:9"
    assert told(await discord(nowhere), "Discord").verdict == "wrong"
    assert told(await bot_api(nowhere), "Telegram").verdict == "wrong"
    assert [one async for one in ports.clock(nowhere.url)] == []
    assert time.monotonic() - begun < 20


async def test_S5_no_secret_is_told_whatever_goes_wrong(platform, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hook, page = "hook-canary-0123456789", "page-canary-0123456789"
    more = {"WEB__ADMIN_PASSWORD": page, "TELEGRAM__WEBHOOK_URL": platform.url, "TELEGRAM__WEBHOOK_SECRET": hook}
    environ = platform.settings(**more)
    quoted = f"{TOKEN} {environ['REALBOT_TELEGRAM__TOKEN']} {hook} {page}"
    platform.hook |= {"url": platform.url, "last_error_date": int(time.time()), "last_error_message": quoted}
    platform.answers["/users/@me/guilds"] = (200, [{**platform.answers["/users/@me/guilds"][1][0], "name": quoted}])
    found = await findings(environ, channel=CHANNEL)
    assert "[secret] [secret] [secret] [secret]" in told(found, "Telegram updates").said
    for secret in (TOKEN, environ["REALBOT_TELEGRAM__TOKEN"], hook, page):
        assert secret not in str(found)


async def test_the_port_of_the_webhook(platform, tmp_path):
    section = {"token": "5:" + "A" * 35, "webhook_url": "https://x.example/", "webhook_secret": "s" * 32}
    port = int(platform.url.rpartition(":")[2])
    taken = settings(tmp_path, telegram={**section, "webhook_port": port})
    (finding,) = [one async for one in ports.webhook(taken, runs=False)]
    assert (finding.verdict, "telegram.webhook_port" in finding.remedy) == ("wrong", True)
    (finding,) = [one async for one in ports.webhook(taken, runs=True)]
    assert finding.verdict == "good"
    free = settings(tmp_path, telegram={**section, "webhook_port": 0})
    assert [one.verdict async for one in ports.webhook(free, runs=False)] == ["good"]
    assert [one.verdict async for one in ports.webhook(free, runs=True)] == ["wrong"]
