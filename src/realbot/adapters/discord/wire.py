"""Every request to Discord passes here: retries with jitter, a stop when Cloudflare says so, a budget for refusals.

discord.py repeats some answers without jitter and, on Linux, no dropped connection at all; its rate-limit buckets are
kept, everything below them is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import discord
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route
from discord.webhook.async_ import AsyncWebhookAdapter
from yarl import URL

from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down

log = logging.getLogger(__name__)

#: Discord bans an address after 10 000 answers of 401, 403 and 429 within ten minutes.
REFUSALS, WINDOW = 1000, 600.0
#: Requests in a second of the fifty that Discord takes: all of them, and those after which progress lets results pass.
#: Answers to interactions are not counted.
RATE, CALM = 40, 25
#: Seconds for which nothing is sent when Cloudflare bans without saying for how long.
BANNED = 600.0
#: Longest wait between two tries, in seconds.
LONGEST = 30.0
#: Seconds that a gateway gets to answer a goodbye; one that has fallen silent never does.
GOODBYE = 1.0
#: Interactions whose answers are counted.
ANSWERS = 1000
#: Discord's code for a message that is too old to be edited so often. It comes as a 429, but waiting does not help.
OLD_EDITS = 30046


@dataclass(frozen=True, slots=True)
class Patience:
    """How hard a request is tried: how often, for how many seconds in all, and how many each time."""

    tries: float = 4
    seconds: float = 20.0
    each: float = 15.0
    essential: bool = True  #: whether it is sent while the budget for refusals is used up


#: What must be there within three seconds.
ANSWER = Patience(tries=4, seconds=2.7, each=1.5)
#: A picture or an apology; after that it waits in the outbox.
RESULT = Patience(tries=6, seconds=120.0, each=60.0)
#: A position or a progress bar; the next one comes soon.
PROGRESS = Patience(tries=1, seconds=10.0, each=10.0, essential=False)
#: Logging in waits for as long as Discord is away.
LOGIN = Patience(tries=math.inf, seconds=math.inf, each=15.0)
USUAL = Patience()


@dataclass(slots=True)
class Attempt:
    """One request as it was made: `tries` counts how often it went out."""

    patience: Patience
    tries: int = 0


_attempt: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextlib.contextmanager
def trying(patience: Patience) -> Iterator[Attempt]:
    """Requests inside are tried this hard; tells afterwards how often the last one went out."""
    attempt = Attempt(patience)
    token = _attempt.set(attempt)
    try:
        yield attempt
    finally:
        _attempt.reset(token)


class Gate:
    """The gate to Discord, as aiohttp middleware: the only place that sees each single answer."""

    def __init__(self, clock: Clock | None = None, jitter: Callable[[], float] = random.random) -> None:
        self._clock, self._jitter = clock or Clock(), jitter
        self._refusals: deque[float] = deque(maxlen=REFUSALS)
        self._stopped = -math.inf
        self._sent: deque[float] = deque(maxlen=RATE)
        self._answers: OrderedDict[str, int] = OrderedDict()
        #: How often Discord wanted to be left alone, and the monotonic time of the last try to reach it.
        self.limited, self.tried = 0, self._clock.monotonic()

    @property
    def strained(self) -> bool:
        """Whether so many requests were refused lately that only what matters is sent."""
        return len(self._refusals) == REFUSALS and self._refusals[0] > self._clock.monotonic() - WINDOW

    @property
    def stopped(self) -> float:
        """For how many more seconds nothing may be sent at all."""
        return max(0.0, self._stopped - self._clock.monotonic())

    def answers(self, interaction: int) -> int:
        """How often an answer to this interaction went out."""
        return self._answers.get(str(interaction), 0)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        attempt = _attempt.get() or Attempt(ANSWER if request.url.path.endswith("/callback") else USUAL)
        patience, begun = attempt.patience, self._clock.monotonic()
        attempt.tries = 0
        repeatable, uncertain = not _executes(request), False
        while True:
            self._admit(patience)
            await self._turn(request, RATE if patience.essential else CALM)
            attempt.tries += 1
            self.tried = self._clock.monotonic()
            self._answer(request)
            response: ClientResponse | None = None
            try:
                left = patience.seconds - (self._clock.monotonic() - begun)
                async with asyncio.timeout(min(patience.each, max(left, 0.1))):
                    response = await handler(request)
                    # Read here, where a connection that breaks in the middle can still be tried again.
                    await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                if response is not None:
                    response.close()
                reason, again = f"{type(error).__name__}: {error}", repeatable or _unsent(error)
                uncertain, stated = uncertain or not _unsent(error), 0.0
            else:
                self._count(response)
                if response.status < 500:
                    return response
                reason, again, stated, uncertain = f"HTTP {response.status}", repeatable, _stated(response), True
                response.release()
            wait = max(stated, min(LONGEST, 2.0 ** (attempt.tries - 1)) * (0.25 + 0.75 * self._jitter()))
            if patience.seconds < 10:
                wait = min(wait, patience.seconds / 8)
            late = self._clock.monotonic() + wait - begun > patience.seconds
            if not again or late or attempt.tries >= patience.tries:
                raise Down(f"{request.method} {_shown(request.url)}: {reason}", wait=stated, uncertain=uncertain)
            log.debug("%s %s: %s; again in %.1f s", request.method, _shown(request.url), reason, wait)
            await self._clock.sleep(wait)

    def now(self) -> float:
        return self._clock.monotonic()

    async def pause(self, seconds: float) -> None:
        """Wait about that long."""
        await self._clock.sleep(seconds * (0.5 + 0.5 * self._jitter()))

    def _admit(self, patience: Patience) -> None:
        if self.stopped:
            raise Down("Cloudflare keeps this address out", wait=self.stopped)
        if self.strained and not patience.essential:
            raise Down("too many requests were refused lately", wait=WINDOW / 10)

    async def _turn(self, request: ClientRequest, rate: int) -> None:
        """Wait until fewer than `rate` requests went out in the last second."""
        if _answers(request):
            return
        while len(self._sent) >= rate and (wait := self._sent[-rate] + 1.0 - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait)
        self._sent.append(self._clock.monotonic())

    def _answer(self, request: ClientRequest) -> None:
        parts = request.url.path.split("/")
        if parts[-1] == "callback" and len(parts) > 3:
            self._answers[parts[-3]] = self._answers.pop(parts[-3], 0) + 1
            if len(self._answers) > ANSWERS:
                self._answers.popitem(last=False)

    def _count(self, response: ClientResponse) -> None:
        if response.status not in (401, 403, 429):
            return
        self.limited += response.status == 429
        if response.headers.get("X-RateLimit-Scope") != "shared":
            before = self.strained
            self._refusals.append(self._clock.monotonic())
            if self.strained and not before:
                log.error("Discord refused %d requests in ten minutes; only answers and results are sent now", REFUSALS)
        if response.status == 429 and (said := _json(response)).get("code") == OLD_EDITS:
            raise discord.HTTPException(response, said)
        if response.status == 429 and not response.headers.get("Via"):
            wait = _stated(response) or BANNED
            self._stopped = self._clock.monotonic() + wait
            log.error("Cloudflare keeps this address out of Discord; nothing is sent for %.0f s", wait)
            raise Down("Cloudflare keeps this address out", wait=wait)


class Wire(HTTPClient):
    """discord.py's client for bot routes through our gate; `revoked` is called when the token is not valid any more."""

    def __init__(self, inner: HTTPClient, gate: Gate, api_base: str, gateway: str | None) -> None:
        super().__init__(inner.loop, inner.connector, proxy=inner.proxy, max_ratelimit_timeout=LONGEST)
        self.gate, self._base = gate, api_base.rstrip("/")
        self._gateway = URL(gateway) if gateway else None
        self.revoked: Callable[[], None] = lambda: None
        self.webhooks = Webhooks(self)

    def moved(self, route: Route) -> Route:
        """The route at the configured address."""
        if route.url.startswith(Route.BASE):
            route.url = self._base + route.url.removeprefix(Route.BASE)
        return route

    async def request(self, route: Route, **kwargs: Any) -> Any:
        """As the library's. Raises Down when Discord cannot be reached, besides the library's own errors."""
        try:
            return await super().request(self.moved(route), **kwargs, middlewares=(self.gate,), timeout=UNTIMED)
        except discord.HTTPException as error:
            if error.status == 401 and self.token is not None:
                self.revoked()
            raise

    async def static_login(self, token: str) -> Any:
        """As the library's, and again after a failure."""
        await self.close()
        self.connector = discord.utils.MISSING
        return await super().static_login(token)

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        asked = URL(url)
        if self._gateway is not None and asked.origin() == DiscordWebSocket.DEFAULT_GATEWAY.origin():
            url = str(self._gateway.with_query(asked.query))
        # The library waits ever longer between its tries, up to a quarter of an hour, so it never sees one fail.
        for wait in (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 0.0):
            self.gate.tried = self.gate.now()
            try:
                socket = await super().ws_connect(url, compress=compress)
                socket._timeout = aiohttp.ClientWSTimeout(ws_close=GOODBYE)
                return socket
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}"
            await self.gate.pause(wait)
        raise Down(reason)


class Webhooks(AsyncWebhookAdapter):
    """discord.py's client for the routes that an interaction's token opens, through the same gate."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._wire = wire

    async def request(self, route: Route, session: aiohttp.ClientSession, **kwargs: Any) -> Any:
        """As the library's. Raises Down when Discord cannot be reached, besides the library's own errors."""
        gated = cast("aiohttp.ClientSession", _Gated(session, self._wire.gate))
        return await super().request(self._wire.moved(route), gated, **kwargs)


class _Gated:
    """A session whose requests pass the gate."""

    def __init__(self, session: aiohttp.ClientSession, gate: Gate) -> None:
        self._session, self._gate = session, gate

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        return self._session.request(method, url, middlewares=(self._gate,), timeout=UNTIMED, **kwargs)


#: The gate has its own limits for each try.
UNTIMED = ClientTimeout(total=None)


def _answers(request: ClientRequest) -> bool:
    """Whether it goes to an interaction or a webhook, for which Discord has limits of their own."""
    return not {"interactions", "webhooks"}.isdisjoint(request.url.path.split("/"))


def _executes(request: ClientRequest) -> bool:
    """Whether a repeat could be seen twice: posting by a webhook knows no nonce."""
    parts = request.url.path.rstrip("/").split("/")
    return request.method == "POST" and len(parts) >= 3 and parts[-3] == "webhooks"


def _unsent(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError)


def _stated(response: ClientResponse) -> float:
    """The seconds that an answer asks to wait, 0 for none."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(response.headers.get("Retry-After", "")))
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return max(0.0, float(_json(response)["retry_after"]))
    return 0.0


def _json(response: ClientResponse) -> dict[str, Any]:
    """What an answer that was read says, empty for anything but a JSON object."""
    with contextlib.suppress(ValueError):
        said = json.loads(response._body or b"")
        return said if isinstance(said, dict) else {}
    return {}


def _shown(url: URL) -> str:
    """A path for the log, without the tokens that interactions carry in it."""
    parts = url.path.split("/")
    return "/".join("…" if len(part) > 40 else part for part in parts)
