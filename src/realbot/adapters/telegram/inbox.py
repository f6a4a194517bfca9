"""Updates on their way from Telegram to the handlers: on the disk before Telegram forgets them, each handled once.

One person's updates are handled one after the other, those of different people at the same time, and the pictures of an
album together. What lay at Telegram for too long is not done any more, and its sender is told so once.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from telegram import Update

from realbot.adapters.outbox import Down
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
#: Notes on what became of a group; they are never too late.
NOTES = {"migrate_to_chat_id", "migrate_from_chat_id"}
#: Seconds without a further old update until their senders are answered, and the longest wait between two tries.
QUIET, LONGEST = 2.0, 60.0
#: Seconds in which nothing more of an album comes when it is whole, and the pictures of one.
WHOLE, ALBUM = 1.0, 10
#: Senders of old updates who are remembered after they were answered.
TOLD = 10_000

#: Does what one update asks for, or those of an album.
Handle = Callable[[Sequence[Update]], Awaitable[None]]
#: Answers the sender of what came too late: the updates of one person in one chat, and the seconds they are old.
Belated = Callable[[Sequence[Update], float], Awaitable[None]]


class Inbox:
    """`handle` does what updates ask for, `belated` answers what is older than `age` seconds."""

    def __init__(self, studio: Studio, clock: Clock, handle: Handle, belated: Belated, age: float) -> None:
        self._studio, self._clock, self._handle, self._belated, self.age = studio, clock, handle, belated, age
        self._bot: Bot | None = None
        self._post = ""
        self._lanes: dict[str, deque[Parcel]] = {}
        self._slots = asyncio.Semaphore(ABREAST)
        self._old: dict[str, list[Parcel]] = {}
        #: When senders of old updates were answered; what they wrote before is covered by that.
        self._told: OrderedDict[str, float] = OrderedDict()
        self._answering = False
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
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _sort(self, parcel: Parcel) -> None:
        if self._closed:
            return
        who = parcel.owner or chat(parcel.data)
        if self._clock.now() - written(parcel) > self.age:
            self._old.setdefault(f"{chat(parcel.data)} {who}", []).append(parcel)
            if not self._answering:
                self._answering = True
                self._spawn(self._answer())
            return
        lane = self._lanes.get(who)
        if lane is None:
            lane = self._lanes[who] = deque()
            self._spawn(self._serve(who))
        lane.append(parcel)

    async def _serve(self, who: str) -> None:
        lane = self._lanes[who]
        try:
            while lane:
                parcels = await self._next(lane)
                if self._closed:
                    break
                for _ in parcels:
                    lane.popleft()
                async with self._slots:
                    try:
                        await self._handle([Update.de_json(parcel.data, self._bot) for parcel in parcels])
                    except Exception:
                        log.exception("update %d was not handled", parcels[0].id)
                for parcel in parcels:
                    await self._open(parcel)
        finally:
            del self._lanes[who]

    async def _next(self, lane: deque[Parcel]) -> list[Parcel]:
        """What is to be handled next, which stays in its lane: one update, or an album when no more of it comes."""
        name, known = album(lane[0].data), 0
        while name and not self._closed:
            found = list(itertools.takewhile(lambda parcel: album(parcel.data) == name, lane))
            if len(found) < len(lane) or len(found) in (known, ALBUM):
                return found
            known = len(found)
            await self._clock.sleep(WHOLE)
        return [lane[0]]

    async def _answer(self) -> None:
        """Tell each sender once what came too late, when no more of it arrives."""
        wait = QUIET
        try:
            while self._old and not self._closed:
                before = sum(map(len, self._old.values()))
                await self._clock.sleep(wait)
                if sum(map(len, self._old.values())) > before:
                    continue
                wait, late, self._old = QUIET, self._old, {}
                for sender, parcels in late.items():
                    try:
                        await self._tell(sender, parcels)
                    except Down as error:
                        self._old.setdefault(sender, [])[:0] = parcels
                        wait = min(max(wait, error.wait), LONGEST)
        finally:
            self._answering = False

    async def _tell(self, sender: str, parcels: Sequence[Parcel]) -> None:
        """Answer one sender. Raises Down when that has to be tried again."""
        since = self._told.get(sender, -math.inf)
        new = [parcel for parcel in parcels if written(parcel) > since]
        updates = list(self._read(new))
        if updates:
            try:
                await self._belated(updates, self._clock.now() - min(map(written, new)))
            except Down as error:
                if not error.uncertain:
                    raise
                log.warning("nobody knows whether the sender of belated updates was answered: %s", error)
            except Exception:
                log.exception("%d belated updates were not answered", len(new))
            self._told[sender] = self._clock.now()
            self._told.move_to_end(sender)
            if len(self._told) > TOLD:
                self._told.popitem(last=False)
        await asyncio.gather(*(self._open(parcel) for parcel in parcels))

    def _read(self, parcels: Sequence[Parcel]) -> Iterator[Update]:
        for parcel in parcels:
            try:
                yield Update.de_json(parcel.data, self._bot)
            except Exception:
                log.exception("update %d cannot be read", parcel.id)

    async def _open(self, parcel: Parcel) -> None:
        try:
            await self._studio.opened(self._post, parcel.id)
        except Exception as error:
            log.warning("update %d will be handled again at the next start: %s", parcel.id, error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def owner(data: dict[str, Any]) -> str:
    """The key of the person behind an update, empty where it tells of none."""
    for kind in data.values():
        if isinstance(kind, dict) and isinstance(person := kind.get("from"), dict):
            return f"{place.PLATFORM}:{person.get('id')}"
    return ""


def chat(data: dict[str, Any]) -> str:
    """The number of the chat that an update is about, empty where it tells of none."""
    for kind in data.values():
        if isinstance(kind, dict) and isinstance(found := kind.get("chat"), dict):
            return str(found.get("id"))
    return ""


def album(data: dict[str, Any]) -> str:
    """The name of the album to which the message of an update belongs, empty for none."""
    message = data.get("message")
    return str(message.get("media_group_id") or "") if isinstance(message, dict) else ""


def written(parcel: Parcel) -> float:
    """The Unix time at which an update was written, infinite for what is never too late: a press, a note on a group."""
    message = parcel.data.get("message")
    if not isinstance(message, dict) or NOTES & message.keys():
        return math.inf
    date = message.get("date")
    return float(date) if isinstance(date, int) else parcel.at
