"""Updates on their way to the handlers, with a front-end and without one."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botapi import BotApi
from botapi_people import Actor
from telegram import Update
from tg_fronts import House, hurried

from realbot.adapters.telegram import Front
from realbot.adapters.telegram.inbox import Inbox
from realbot.entries import Entry
from realbot.jobs import User
from realbot.studio import Studio
from studios import rig


async def left(home: House) -> list[int]:
    """The numbers of what is not handled yet."""
    return [parcel.id for parcel in await home.studio.unopened(f"telegram:{home.api.bot.id}")]


async def idle(home: House, seconds: float = 20.0) -> None:
    """Wait until everything that was told is handled."""
    async with asyncio.timeout(seconds):
        while home.api.updates.waiting or await left(home):
            await asyncio.sleep(0.01)


async def jobs(home: House, person: Actor) -> list[Entry]:
    """What this person asked for."""
    return await home.studio.history(User("telegram", str(person.id)), 200)


def deafened(patch: pytest.MonkeyPatch) -> asyncio.Event:
    """Nothing is handled until this is set."""
    heard, handle = asyncio.Event(), Front._handle

    async def waiting(self: Front, updates: Sequence[Update]) -> None:
        await heard.wait()
        await handle(self, updates)

    patch.setattr(Front, "_handle", waiting)
    return heard


def told(api: BotApi, person: Actor, number: int, text: str = "hello") -> dict[str, Any]:
    """An update with a message in private."""
    message = {"message_id": number, "date": int(api.clock()), "chat": person.chat.form(), "text": text}
    return {"update_id": number, "message": {**message, "from": person.account.form()}}


@dataclass
class Seen:
    """An inbox, and what it handled and answered as too old."""

    studio: Studio
    inbox: Inbox = field(init=False)
    handled: list[int] = field(default_factory=list)
    together: list[list[int]] = field(default_factory=list)
    belated: list[tuple[list[int], float]] = field(default_factory=list)


@asynccontextmanager
async def alone(
    api: BotApi, folder: Path, handle: Callable[[Update], Awaitable[None]] | None = None, age: float = 3600.0
) -> AsyncIterator[Seen]:
    """An inbox on a real store, without a front-end."""
    async with rig(folder, clock=api.clock) as bench:
        seen = Seen(bench.studio)

        async def note(updates: Sequence[Update]) -> None:
            seen.together.append([update.update_id for update in updates])
            for update in updates:
                seen.handled.append(update.update_id)
                if handle is not None:
                    await handle(update)

        async def late(updates: Sequence[Update], seconds: float) -> None:
            seen.belated.append(([update.update_id for update in updates], seconds))

        seen.inbox = Inbox(bench.studio, hurried(api, 50), note, late, age)
        bot: Any = types.SimpleNamespace(id=api.bot.id, defaults=None)
        await seen.inbox.open(bot)
        try:
            yield seen
        finally:
            await seen.inbox.close(0.2)
