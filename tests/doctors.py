"""The platforms as `realbot doctor` sees them: small servers on this machine that answer as told."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from realbot import doctor
from realbot.config import Settings
from realbot.findings import Finding

TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAx.Gabcde.0123456789abcdefghijklmnopqrstuvwxyzAB"
BOT, GUILD, CHANNEL = "1000000000000000001", "2000000000000000001", "3000000000000000001"
EVERYTHING = str((1 << 10) | (1 << 11) | (1 << 14) | (1 << 15) | (1 << 16) | (1 << 38))
USER = {"id": BOT, "username": "realbot", "discriminator": "0", "avatar": None, "global_name": None, "bot": True}
OWNER = {**USER, "id": "7", "username": "anna", "bot": False}
CHANNEL_FORM = {
    "id": CHANNEL, "type": 0, "guild_id": GUILD, "name": "pictures", "position": 0, "nsfw": False,
    "permission_overwrites": [], "parent_id": None, "topic": None, "rate_limit_per_user": 0, "last_message_id": None,
}  # fmt: skip
GUILD_FORM = {
    "id": GUILD, "name": "Studio", "owner_id": "7", "icon": None, "splash": None, "discovery_splash": None,
    "roles": [{"id": GUILD, "name": "@everyone", "color": 0, "hoist": False, "position": 0, "managed": False,
               "permissions": EVERYTHING, "mentionable": False, "flags": 0,
               "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None}}],
    "emojis": [], "features": [], "afk_channel_id": None, "afk_timeout": 0, "verification_level": 0,
    "default_message_notifications": 0, "explicit_content_filter": 0, "mfa_level": 0, "system_channel_id": None,
    "system_channel_flags": 0, "rules_channel_id": None, "vanity_url_code": None, "description": None, "banner": None,
    "premium_tier": 0, "preferred_locale": "en-US", "public_updates_channel_id": None, "nsfw_level": 0, "stickers": [],
    "premium_progress_bar_enabled": False, "safety_alerts_channel_id": None, "application_id": None,
}  # fmt: skip


class Platform:
    """Discord and Telegram on one port. `answers` maps a path to its status and JSON; tests change it."""

    def __init__(self) -> None:
        self.date: str | None = None
        self.url = ""
        self.hello: Any = {"op": 10, "d": {"heartbeat_interval": 41250}, "t": None, "s": None}
        application = {
            "id": BOT, "name": "realbot", "icon": None, "description": "", "bot_public": True, "owner": OWNER,
            "bot_require_code_grant": False, "verify_key": "00", "team": None, "flags": 0, "rpc_origins": None,
            "interactions_endpoint_url": None, "bot": USER,
        }  # fmt: skip
        member = {"user": USER, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False,
                  "nick": None, "flags": 0}  # fmt: skip
        self.answers: dict[str, tuple[int, Any]] = copy.deepcopy(
            {
                "/users/@me": (200, USER),
                "/oauth2/applications/@me": (200, application),
                "/applications/@me": (200, application),
                "/users/@me/guilds": (200, [{**GUILD_FORM, "owner": False, "permissions": EVERYTHING}]),
                f"/applications/{BOT}/commands": (200, [{"name": "imagine"}]),
                f"/channels/{CHANNEL}": (200, CHANNEL_FORM),
                f"/guilds/{GUILD}": (200, GUILD_FORM),
                f"/guilds/{GUILD}/channels": (200, [CHANNEL_FORM]),
                f"/guilds/{GUILD}/members/{BOT}": (200, member),
            }
        )
        me = {"id": 5, "is_bot": True, "first_name": "realbot", "username": "real_bot", "can_join_groups": True,
              "can_read_all_group_messages": False, "supports_inline_queries": True}  # fmt: skip
        self.me: dict[str, Any] = me
        self.hook: dict[str, Any] = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        self.telegram: tuple[int, Any] | None = None
        self.sessions = 990

    def settings(self, **sections: Any) -> dict[str, str]:
        """The environment of a realbot that talks to this server."""
        given = {
            "DISCORD__TOKEN": TOKEN, "DISCORD__API_BASE": self.url, "DISCORD__GATEWAY": f"ws{self.url[4:]}/gateway",
            "TELEGRAM__TOKEN": "5:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "TELEGRAM__API_BASE": self.url,
            "TELEGRAM__OWNERS": "7", **sections,
        }  # fmt: skip
        return {f"REALBOT_{name}": value for name, value in given.items() if value is not None}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Platform]:
        app = web.Application()
        app.router.add_get("/gateway/", self._gateway)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        if self.hello is None:
            return web.Response(status=403)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(self.hello)
        await socket.close()
        return socket

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.path
        if path.startswith("/bot"):
            status, told = self.telegram or (200, {"ok": True, "result": self.me})
            if path.endswith("/getWebhookInfo") and self.telegram is None:
                told = {"ok": True, "result": self.hook}
        elif path == "/gateway/bot":
            limit = {"total": 1000, "remaining": self.sessions, "reset_after": 7_200_000, "max_concurrency": 1}
            status, told = 200, {"url": f"ws{self.url[4:]}/gateway", "shards": 1, "session_start_limit": limit}
        else:
            status, told = self.answers.get(path, (404, {"message": "Unknown", "code": 10003}))
        headers = {"Via": "1.1 test", "Content-Type": "application/json"}
        answer = web.Response(body=json.dumps(told).encode(), status=status, headers=headers)
        if self.date is not None:
            answer.headers["Date"] = self.date
        return answer


async def findings(environ: dict[str, str], **options: Any) -> list[Finding]:
    """What the doctor finds with these settings."""
    settings, found = doctor.configuration(None, environ)
    return [finding async for finding in doctor.examine(settings, found, **options)]


def told(found: list[Finding], part: str) -> Finding:
    """The worst finding of that part."""
    order = ("wrong", "unwise", "good")
    mine = sorted((one for one in found if one.part.startswith(part)), key=lambda one: order.index(one.verdict))
    assert mine, [one.part for one in found]
    return mine[0]


def settings(data: Path, **sections: Any) -> Settings:
    """Settings with that data folder, whatever room its disk has."""
    return Settings(paths={"data": data}, **{"storage": {"free_mb": 0, "tidy_mb": 0}, **sections})


def expect(found: Iterable[Finding], part: str, verdict: str, said: str, remedy: str) -> None:
    """The worst finding of a part has this verdict and these words."""
    finding = told(list(found), part)
    assert finding.verdict == verdict, finding
    assert said in finding.said, finding
    assert remedy in finding.remedy, finding
