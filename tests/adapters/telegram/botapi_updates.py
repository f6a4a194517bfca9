"""How updates reach the bot: kept until it confirms them, told by long polls or posted to its webhook."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from botapi_calls import Call, Refusal, method

if TYPE_CHECKING:
    from botapi import BotApi

KEPT = 24 * 3600.0
#: What is told only to those who ask for it by name.
UNASKED = ("chat_member", "message_reaction", "message_reaction_count")
OTHER = "terminated by other getUpdates request; make sure that only one bot instance is running"
HEADER = "X-Telegram-Bot-Api-Secret-Token"


@dataclass
class Waiting:
    """An update that is not confirmed yet."""

    id: int
    at: float
    kind: str
    body: dict[str, Any]
    tried: int = 0
    again: bool = False  #: it is told although it was confirmed before

    def form(self) -> dict[str, Any]:
        return {"update_id": self.id, self.kind: self.body}


@dataclass(frozen=True)
class Post:
    """A delivery to the webhook and what came of it; `status` is 0 when it could not be reached."""

    update: int
    status: int
    at: float


@dataclass(eq=False)
class Updates:
    home: BotApi
    next_id: int = 700_000_001
    waiting: list[Waiting] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)  #: every update that was ever made
    posts: list[Post] = field(default_factory=list)
    conflicts: int = 0
    pause: float = 0.05  #: seconds until the webhook is tried again; it doubles up to a second
    allowed: list[str] = field(default_factory=list)
    hook: dict[str, Any] = field(default_factory=dict)
    polled: int = 0  #: polls so far
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _poll: Call | None = None
    _delivery: asyncio.Task[None] | None = None
    _failure: tuple[int, str] | None = None

    def tell(self, kind: str, body: dict[str, Any]) -> int | None:
        """Something happened; the id of its update, None when the bot does not want to know."""
        if (kind not in self.allowed) if self.allowed else (kind in UNASKED):
            return None
        update = Waiting(self.next_id, self.home.clock(), kind, body)
        self.next_id += 1
        self._put(update)
        return update.id

    def repeat(self, form: dict[str, Any]) -> None:
        """Tell an update once more, under its old id, as after a mishap at Telegram's."""
        kind = next(name for name in form if name != "update_id")
        self._put(Waiting(form["update_id"], self.home.clock(), kind, form[kind], again=True))

    def _put(self, update: Waiting) -> None:
        self.waiting.append(update)
        self.told.append(update.form())
        self.home.shown.append(("Update", update.form()))
        self._news.set()

    def confirm(self, offset: int) -> None:
        """Forget what is older than `offset`, and after a day the rest."""
        now = self.home.clock()
        self.waiting = [u for u in self.waiting if (u.id >= offset or u.again) and u.at > now - KEPT]

    @property
    def polling(self) -> bool:
        """Whether somebody listens right now."""
        return self._poll is not None and not self._poll.gone

    async def poll(self, mine: Call, offset: int, limit: int, timeout: float) -> list[dict[str, Any]]:
        """A long poll. It is over when there is something, when its time is, or when another one begins."""
        self.conflicts += self.polling
        other, self._poll = self._poll is not None, mine
        self.polled += 1
        if other:
            self._news.set()
            await asyncio.sleep(0)
        if offset > self.next_id:
            # From the future: ids began anew, below.
            offset = 0
        try:
            self._confirm_by(offset)
            loop = asyncio.get_running_loop()
            end = loop.time() + timeout
            while True:
                if self._poll is not mine:
                    raise Refusal(
                        409, f"Conflict: {OTHER if self._poll is not None else 'terminated by setWebhook request'}"
                    )
                found = [u for u in self.waiting if u.id >= offset or u.again][:limit]
                if found or loop.time() >= end:
                    for update in found:
                        update.again = False
                    return [update.form() for update in found]
                self._news.clear()
                try:
                    async with asyncio.timeout_at(end):
                        await self._news.wait()
                except TimeoutError:
                    pass
        finally:
            if self._poll is mine:
                self._poll = None

    def _confirm_by(self, offset: int) -> None:
        """A negative offset counts from the end."""
        self.confirm(offset if offset >= 0 else self.waiting[offset:][0].id if self.waiting else 0)

    # The webhook

    async def install(self, hook: dict[str, Any]) -> None:
        await self.uninstall()
        self.hook = hook
        if self._poll is not None:
            self._poll = None
            self._news.set()
        self._delivery = asyncio.create_task(self._deliver(), name="webhook deliveries")

    async def uninstall(self) -> None:
        self.hook = {}
        if self._delivery is not None:
            self._delivery.cancel()
            await asyncio.gather(self._delivery, return_exceptions=True)
            self._delivery = None

    async def _deliver(self) -> None:
        """Post one update after the other, each until it is taken."""
        headers = {HEADER: self.hook["secret"]} if self.hook["secret"] else {}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                self.confirm(0)
                if not self.waiting:
                    self._news.clear()
                    await self._news.wait()
                    continue
                update = self.waiting[0]
                status, failure = await self._post(session, update, headers)
                self.posts.append(Post(update.id, status, self.home.clock()))
                if 200 <= status < 300:
                    self.waiting.remove(update)
                    continue
                self._failure = (int(self.home.clock()), failure)
                await asyncio.sleep(min(1.0, self.pause * 2 ** min(update.tried, 10)))
                update.tried += 1

    async def _post(self, session: aiohttp.ClientSession, update: Waiting, headers: dict[str, str]) -> tuple[int, str]:
        try:
            body = json.dumps(update.form()).encode()
            sent = {"Content-Type": "application/json", **headers}
            async with session.post(self.hook["url"], data=body, headers=sent, allow_redirects=False) as answer:
                return answer.status, f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, "Connection refused" if isinstance(
                error, aiohttp.ClientConnectorError
            ) else "Read timeout expired"

    def info(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "url": self.hook.get("url", ""), "has_custom_certificate": False, "pending_update_count": len(self.waiting),
        }  # fmt: skip
        if self.hook:
            told["max_connections"] = self.hook["connections"]
        if self.allowed:
            told["allowed_updates"] = self.allowed
        if self._failure is not None:
            told["last_error_date"], told["last_error_message"] = self._failure
        return told


@method
async def getUpdates(home: BotApi, call: Call) -> Any:
    updates = home.updates
    if updates.hook:
        hint = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
        raise Refusal(409, f"Conflict: {hint}")
    if isinstance(call.get("allowed_updates"), list):
        updates.allowed = call.params["allowed_updates"]
    limit = min(max(int(call.get("limit", 100)), 1), 100)
    return await updates.poll(
        call, int(call.get("offset", 0)), limit, min(max(float(call.get("timeout", 0)), 0.0), 50.0)
    )


@method
async def setWebhook(home: BotApi, call: Call) -> Any:
    url, secret = str(call.get("url", "")), str(call.get("secret_token", ""))
    if not url:
        return await deleteWebhook(home, call)
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise Refusal(400, "Bad Request: secret token contains unallowed characters")
    if isinstance(call.get("allowed_updates"), list):
        home.updates.allowed = call.params["allowed_updates"]
    if call.get("drop_pending_updates"):
        home.updates.waiting.clear()
    connections = min(max(int(call.get("max_connections", 40)), 1), 100)
    await home.updates.install({"url": url, "secret": secret, "connections": connections})
    return True


@method
async def deleteWebhook(home: BotApi, call: Call) -> Any:
    if call.get("drop_pending_updates"):
        home.updates.waiting.clear()
    await home.updates.uninstall()
    return True


@method
async def getWebhookInfo(home: BotApi, call: Call) -> Any:
    return home.updates.info()
