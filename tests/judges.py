"""A classifier in the test's own process, which finds what the test says, and what a front-end would show of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from realbot.classifier import Unchecked
from realbot.errors import ConfigError
from realbot.jobs import Generate, Job, Origin, User
from studios import Rig, end

ANN, BOB, MOD = User("discord", "7", "Ann"), User("discord", "8", "Bob"), User("discord", "1", "Mod")
OPEN, ADULT = Origin("discord", "10", server="1"), Origin("discord", "18", server="1", adult=True)
DIRECT = Origin("discord", "77")
#: Settings that have every picture looked at.
ON = {"safety": {"checker": "judge"}}


@dataclass
class Judge:
    level: float = 0.0  #: the score of the next picture
    away: bool = False
    breaks: bool = False  #: it crashes on each picture, and can be started again
    poison: bytes = b""  #: the picture on which alone it crashes
    fault: Exception | None = None  #: what it raises that nobody expects
    name: str = "judge"
    tries: int = 0
    seen: list[bytes] = field(default_factory=list)

    async def open(self) -> None:
        if self.away:
            raise ConfigError("the judge is away", key="safety.checker")

    async def score(self, png: bytes) -> float:
        self.tries += 1
        if self.away or self.breaks or png == self.poison:
            raise Unchecked("the judge is away")
        if self.fault is not None:
            raise self.fault
        self.seen.append(png)
        return self.level

    async def close(self) -> None:
        pass


class Counter:
    """What a front-end would show."""

    def __init__(self, *, reaches: bool = True) -> None:
        self.reached = reaches
        self.redrawn: list[str] = []
        self.asked: list[str] = []
        self.alarms: list[bool] = []
        self.retracted: list[str] = []

    def reaches(self, origin: Origin) -> bool:
        return self.reached

    async def open(self) -> None:
        pass

    async def redraw(self, job: Job) -> None:
        self.redrawn.append(job.id)

    async def consult(self, job: Job) -> None:
        self.asked.append(job.id)

    async def retract(self, place: str, message: str) -> None:
        self.retracted.append(message)

    async def alarm(self, *, down: bool) -> None:
        self.alarms.append(down)


async def ask(r: Rig, origin: Origin, prompt: str = "a cat", user: User = ANN, **fields: Any) -> Job:
    job = await r.studio.submit(user, Generate(prompt=prompt, steps=2, seed=1, **fields), origin)
    await end(job)
    return job
