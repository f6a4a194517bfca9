"""Updates on their way from Telegram to the handlers: on the disk before Telegram forgets them, each handled once.

One person's updates are handled one after the other, those of different people at the same time. What lay at Telegram
for too long is not done any more, and its sender is told so once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from telegram import Update

from realbot.adapters.telegram import place
from realbot.inbox import Parcel

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.studio import Studio

    from .wire import Bot

log = logging.getLogger(__name__)

#: People whose updates are handled at the same time.
ABREAST = 32
#: What Telegram is asked to tell.
KINDS = ("message", "callback_query", "inline_query", "my_chat_member")
#: Seconds without a further old update until their senders are answered.
QUIET = 2.0

Handle = Callable[[Update], Awaitable[None]]
#: Answers the senders of what came too late: the updates of one person in one chat, and the seconds they are old.
Belated = Callable[[Sequence[Update], float], Awaitable[None]]


class Inbox:
    """`handle` does what an update asks for, `belated` answers what is older than `age` seconds."""

    def __init__(self, studio: Studio, clock: Clock, handle: Handle, belated: Belated, age: float) -> None:
        self._studio, self._clock, self._handle, self._belated, self._age = studio, clock, handle, belated, age
        self._bot: Bot | None = None
        self._post = ""
        self._lanes: dict[str, deque[tuple[Parcel, Update]]] = {}
        self._slots = asyncio.Semaphore(ABREAST)
        self._old: dict[str, list[tuple[Parcel, Update]]] = {}
        self._answering: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self, bot: Bot) -> None:
        """Take updates for this bot, first those that an earlier life did not handle to the end."""
        self._bot, self._post = bot, f"{place.PLATFORM}:{bot.id}"
        for parcel in await self._studio.unopened(self._post):
            self._sort(parcel)

    async def take(self, told: Sequence[dict[str, Any]]) -> None:
        """Keep these updates, as JSON data, and handle those that are new. They are on the disk when this returns.

        Raises QueueFull when they could not be kept; Telegram must tell them again.
        """
        now = self._clock.now()
        parcels = [Parcel(int(data["update_id"]), owner(data), data, now) for data in told]
        for parcel in await self._studio.receive(self._post, parcels):
            self._sort(parcel)

    async def close(self, grace: float) -> None:
        """Finish what is being handled, for `grace` seconds; the rest is handled at the next start."""
        self._closed = True
        tasks = [*self._tasks, *([self._answering] if self._answering else [])]
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _sort(self, parcel: Parcel) -> None:
        if self._closed:
            return
        try:
            update = Update.de_json(parcel.data, self._bot)
        except Exception:
            log.exception("update %d cannot be read", parcel.id)
            self._spawn(self._open(parcel))
            return
        who = parcel.owner or str(update.effective_chat.id if update.effective_chat else "")
        if self._clock.now() - written(update, parcel) > self._age:
            chat = update.effective_chat.id if update.effective_chat else ""
            self._old.setdefault(f"{chat} {who}", []).append((parcel, update))
            if self._answering is None:
                self._answering = asyncio.create_task(self._answer(), name="belated updates")
            return
        lane = self._lanes.get(who)
        if lane is None:
            lane = self._lanes[who] = deque()
            self._spawn(self._serve(who))
        lane.append((parcel, update))

    async def _serve(self, who: str) -> None:
        lane = self._lanes[who]
        try:
            while lane and not self._closed:
                parcel, update = lane[0]
                async with self._slots:
                    try:
                        await self._handle(update)
                    except Exception:
                        log.exception("update %d was not handled", parcel.id)
                await self._open(parcel)
                lane.popleft()
        finally:
            self._lanes.pop(who, None)

    async def _answer(self) -> None:
        """Tell each sender once what came too late, when no more of it arrives."""
        while self._old:
            before = sum(map(len, self._old.values()))
            await self._clock.sleep(QUIET)
            if sum(map(len, self._old.values())) > before:
                continue
            _, late = self._old.popitem()
            updates = [update for _, update in late]
            try:
                await self._belated(
                    updates, self._clock.now() - min(written(update, parcel) for parcel, update in late)
                )
            except Exception:
                log.exception("%d belated updates were not answered", len(late))
            for parcel, _ in late:
                await self._open(parcel)
        self._answering = None

    async def _open(self, parcel: Parcel) -> None:
        try:
            await self._studio.opened(self._post, parcel.id)
        except Exception:
            log.exception("update %d will be handled again at the next start", parcel.id)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def owner(data: dict[str, Any]) -> str:
    """The key of the person behind an update, empty where it tells of none."""
    for kind in data.values():
        if isinstance(kind, dict) and isinstance(person := kind.get("from"), dict):
            return f"{place.PLATFORM}:{person.get('id')}"
    return ""


def written(update: Update, parcel: Parcel) -> float:
    """The Unix time at which it was sent; a press and a search do not tell, and are as old as their arrival here."""
    message = update.message or update.edited_message
    if message is not None:
        return (message.edit_date or message.date).timestamp()
    return update.my_chat_member.date.timestamp() if update.my_chat_member else parcel.at
