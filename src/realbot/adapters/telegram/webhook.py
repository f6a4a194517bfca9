"""Listening to Telegram by webhook: a small server that keeps each update before it says so."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web

from realbot.errors import ConfigError, Refused

if TYPE_CHECKING:
    from realbot.sections import Telegram

log = logging.getLogger(__name__)

HEADER = "X-Telegram-Bot-Api-Secret-Token"
#: Bytes of an update.
MOST = 2**20
#: After so many posts without the secret it is said again; anybody can make them.
STRANGERS = frozenset(10**n for n in range(12))
#: Seconds that requests get to end when realbot stops.
GRACE = 1.0

Take = Callable[[Sequence[dict[str, Any]]], Awaitable[None]]


class Webhook:
    """`take` keeps updates; what it has not kept is not confirmed, so Telegram tells it again."""

    def __init__(self, settings: Telegram, take: Take) -> None:
        self._settings, self._take = settings, take
        self.port = settings.webhook_port
        self._strangers = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take what is posted. Raises ConfigError."""
        app = web.Application(client_max_size=MOST)
        app.router.add_post("/{path:.*}", self._post)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._settings.webhook_host, self._settings.webhook_port)
            try:
                await site.start()
            except OSError as error:
                raise ConfigError(
                    "telegram.webhook_port {port} on {host} cannot be listened on: {reason}.",
                    key="telegram.webhook_port",
                    port=self._settings.webhook_port,
                    host=self._settings.webhook_host,
                    reason=error.strerror or str(error),
                ) from None
            self.port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        secret = self._settings.webhook_secret
        assert secret is not None, "checked with the settings"
        told = request.headers.get(HEADER, "")
        if not hmac.compare_digest(told.encode(errors="surrogateescape"), secret.get_secret_value().encode()):
            self._strangers += 1
            if self._strangers in STRANGERS:
                log.warning("somebody without the secret posted to the webhook (%d times)", self._strangers)
            return web.Response(status=403)
        try:
            update = json.loads(await request.read())
            int(update["update_id"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return web.Response(status=400)
        try:
            await self._take([update])
        except Refused as error:
            log.warning("an update could not be kept, Telegram will tell it again: %s", error)
            return web.Response(status=503)
        return web.Response()
