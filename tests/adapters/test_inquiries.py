"""Moderators are asked again while their platform is away, and not for ever."""

from __future__ import annotations

from typing import Any

import pytest

from realbot.adapters import inquiries
from realbot.adapters.inquiries import Inquiries
from realbot.adapters.outbox import Down


class Clock:
    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Job:
    id = "job"


class Away(Inquiries):
    """A platform that is away for a number of tries."""

    def __init__(self, tries: int) -> None:
        self.left, self.time, studio = tries, Clock(), Any
        super().__init__(studio, "telegram", self.time)

    async def _consulted(self, job) -> bool:
        self.left -= 1
        if self.left >= 0:
            raise Down("away")
        return True


@pytest.mark.parametrize("tries", [0, 3])
async def test_who_is_asked_while_a_platform_is_away_is_asked_when_it_is_back(tries):
    away = Away(tries)
    await away.consult(Job())
    assert away.time.slept == [inquiries.PAUSE] * tries


async def test_a_platform_that_stays_away_is_left_until_the_next_start(caplog):
    away = Away(1000)
    await away.consult(Job())
    assert len(away.time.slept) == inquiries.TRIES - 1
    assert "nobody could be asked about job job" in caplog.text
