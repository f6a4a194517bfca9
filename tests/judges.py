"""A classifier in the test's own process: it finds what the test says, and is away when the test says so."""

from __future__ import annotations

from dataclasses import dataclass, field

from realbot.classifier import Unchecked
from realbot.errors import ConfigError


@dataclass
class Judge:
    level: float = 0.0  #: the score of the next picture
    away: bool = False
    breaks: bool = False  #: it crashes on each picture, and can be started again
    name: str = "judge"
    seen: list[bytes] = field(default_factory=list)

    async def open(self) -> None:
        if self.away:
            raise ConfigError("the judge is away", key="safety.checker")

    async def score(self, png: bytes) -> float:
        if self.away or self.breaks:
            raise Unchecked("the judge is away")
        self.seen.append(png)
        return self.level

    async def close(self) -> None:
        pass
