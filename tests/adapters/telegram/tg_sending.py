"""The client of the front-end alone, and clocks that it shares with Telegram."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import botapi_world
import pytest
from botapi import BotApi
from moving import Time
from tg_fronts import section

from realbot.adapters.clock import Clock
from realbot.adapters.outbox import Down
from realbot.adapters.telegram import wire
from realbot.adapters.telegram.limiter import Limiter, Patience


class Still(Time):
    """A clock that stands still while a request is on its way; otherwise those who wait on it move it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.under_way, send = 0, wire.Request.do_request

        async def counted(*args: Any, **named: Any) -> Any:
            self.under_way += 1
            try:
                return await send(*args, **named)
            finally:
                self.under_way -= 1

        patch.setattr(wire.Request, "do_request", counted)

    async def sleep(self, seconds: float) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        while self.under_way:
            await asyncio.sleep(0.0005)
        self.at += max(seconds, 0.0)


class Wall(botapi_world.Clock):
    """Telegram's clock, which shows the same time."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self.time = time

    def __call__(self) -> float:
        return self.time.at

    def advance(self, seconds: float) -> None:
        self.time.at += seconds


class Hasty(botapi_world.Clock):
    """A clock that runs faster, as that of a hurried front-end does."""

    def __init__(self, haste: float) -> None:
        super().__init__()
        self.haste, self.begun = haste, super().__call__()

    def __call__(self) -> float:
        return self.begun + (super().__call__() - self.begun) * self.haste


@contextlib.asynccontextmanager
async def sending(api: BotApi, clock: Clock | None = None) -> AsyncIterator[wire.Bot]:
    """The client of the front-end."""
    bot = wire.connected(section(api), Limiter(clock, lambda: 0.0))
    async with bot:
        yield bot


def begun(*calls: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    """Requests that are made in this order, at once."""
    return [asyncio.create_task(call) for call in calls]


async def turned(bot: wire.Bot, chat: botapi_world.Chat, card: Any, number: int, patience: Patience) -> bool:
    """A change of a card. Whether it was made."""
    try:
        await bot.edit_message_text(f"{number}", chat.id, card.message_id, rate_limit_args=patience)
    except Down as error:
        assert error.local
        return False
    return True


def moments(api: BotApi, chat: botapi_world.Chat | None = None) -> list[float]:
    """When messages and changes of them came, oldest first."""
    return [call.at for call in api.calls if call.chat and (chat is None or call.chat == chat.id)]


def gaps(times: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def busiest(times: Sequence[float], seconds: float) -> int:
    """The most that came within so many seconds."""
    return max(sum(start <= at < start + seconds for at in times) for start in times)
