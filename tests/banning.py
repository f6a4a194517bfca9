"""People, places and a clock for tests of who may ask."""

from __future__ import annotations

import pytest

from realbot.errors import Blocked
from realbot.jobs import Generate, Job, Origin, User
from studios import Rig

ANN, BOB = User("discord", "11", "Ann"), User("discord", "12", "Bob")
BOSS = User("discord", "90", "Boss", frozenset({"administrators"}))
OWNER = User("discord", "99", "Root", frozenset({"owners"}))
SERVER, OTHER = "discord:1", "discord:2"
ROOM, ELSEWHERE = Origin("discord", "10", server="1"), Origin("discord", "20", server="2")
DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


async def ask(r: Rig, user: User = ANN, origin: Origin = ROOM, prompt: str = "a cat") -> Job:
    return await r.studio.submit(user, Generate(prompt=prompt, steps=2), origin)


async def refused(r: Rig, user: User = ANN, origin: Origin = ROOM) -> str:
    with pytest.raises(Blocked) as caught:
        await ask(r, user, origin)
    return str(caught.value)


async def kept(r: Rig, sql: str) -> list[dict[str, object]]:
    """Rows of the database."""
    return [dict(row) for row in await r.store._writer.run(lambda db: db.execute_fetchall(sql), write=False)]
