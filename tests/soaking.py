"""A bot that is used for months in an hour: people who ask, wait, look, change their minds and leave, on real parts.

Store, studio and an engine process (scripted: no time goes into painting) are real; two hundred people do what people
do through the studio, and everything that grows is read off at equal distances.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from realbot import database, host
from realbot.config import Settings
from realbot.engine.child import ChildPool
from realbot.engine.models import PRESETS
from realbot.errors import Refused
from realbot.jobs import Done, Failed, Generate, Job, Origin, User
from realbot.store import Store
from realbot.studio import Studio
from realbot.styles import Styles

SCRIPTED = Path(__file__).parent / "engine" / "scripted.py"
PEOPLE = 200
COLOURS, THINGS = ("red", "blue", "green", "pink"), ("apple", "boat", "frog", "lamp", "rocket", "teapot")
#: Finished jobs after which somebody has everything deleted, the settings change, the database is copied, history ends.
ERASE, RELOAD, COPY, EXPIRE = 997, 499, 4999, 1999


@dataclass(frozen=True, slots=True)
class Reading:
    """What was held at a moment. Memory in bytes; without the engine's process where it says nothing else."""

    jobs: int
    seconds: float
    memory: int
    engine: int  #: memory of the engine's process
    descriptors: int
    tasks: int
    threads: int
    children: int
    folder: int  #: bytes in the data folder


@dataclass
class Soak:
    """`run` lets people use the bot until so many jobs have ended; what it read is in `readings`."""

    folder: Path
    jobs: int
    every: int
    told: Callable[[Reading], None] = lambda _: None
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    readings: list[Reading] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    begun: float = field(default_factory=time.monotonic)
    _asked: int = 0
    _ended: int = 0

    async def run(self) -> None:
        spool = self.folder / "spool"
        script = f'{{"spool": "{spool}", "step": 0.0}}'
        argv = [sys.executable, str(SCRIPTED), "--settings", script]
        pool = ChildPool(argv, spool=spool, environ=dict(os.environ))
        async with Store.open(self.folder / "data") as store:
            model = replace(PRESETS["mini"], name="scripted")
            studio = Studio(store, pool, self.settings(0), Styles([]), model=model)
            await studio.open()
            try:
                people = [asyncio.create_task(self.live(studio, n)) for n in range(PEOPLE)]
                keeper = asyncio.create_task(self.keep(studio, store))
                await asyncio.gather(*people)
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
                self.read()
                left = await store.waiting()
                assert not left, f"{len(left)} jobs are still waiting"
            finally:
                await studio.close(1.0)

    @staticmethod
    def settings(turn: int) -> Settings:
        """Limits that are changed again and again, and the order of the line."""
        return Settings(
            limits={"waiting_per_user": 3 + turn % 3, "max_count": 2},
            queue={"waiting_total": 5000, "order": "round_robin" if turn % 2 else "fifo"},
            privacy={"history_days": 0},
        )

    async def live(self, studio: Studio, number: int) -> None:
        """One person, who asks for one thing after the other."""
        platform = ("discord", "telegram", "web")[number % 3]
        user = User(platform, str(number), f"person {number}")
        while self._asked < self.jobs:
            self._asked += 1
            origin = Origin(platform, place=str(number % 7), server=str(number % 5) if platform == "discord" else "")
            request = self.request()
            try:
                job = await studio.submit(user, request, origin, dedup=str(self._asked))
            except Refused as refusal:
                self.ends[type(refusal).__name__] += 1
                continue
            self.accepted += 1
            await self.follow(studio, user, job)
            self._ended += 1
            if self._ended % self.every == 0:
                self.read()

    def request(self) -> Generate:
        """Mostly something new, at times what was asked before, rarely what kills the engine or cannot be painted."""
        luck = self.chance.random()
        words = f"a {self.chance.choice(COLOURS)} {self.chance.choice(THINGS)}"
        if luck < 0.2:
            return Generate(prompt=words, steps=1, seed=7)
        if luck < 0.201:
            words += " fault:exit@1"
        elif luck < 0.21:
            words += " fault:memory"
        return Generate(
            prompt=f"{words} {self._asked}", steps=self.chance.randint(1, 3), count=self.chance.randint(1, 2)
        )

    async def follow(self, studio: Studio, user: User, job: Job) -> None:
        """Watch it as a front-end does, with a card and buttons, and look around afterwards."""
        await studio.place_card(job.id, f"message {job.id}", {"thread": ""})
        if self.chance.random() < 0.05:
            await studio.cancel(user, job.id)
        async for _ in job.watch():
            pass
        self.ends[type(job.status).__name__ + (" from before" if getattr(job.status, "cached", False) else "")] += 1
        assert not isinstance(job.status, Failed) or "fault:" in job.request.prompt, job.status
        await studio.delivering(job.id)
        await studio.delivered(job.id)
        luck = self.chance.random()
        with contextlib.suppress(Refused):
            if isinstance(job.status, Done) and luck < 0.1:
                button = await studio.action("again", job.id, user)
                await studio.acted(button, user)
            elif luck < 0.15:
                await studio.history(user, search=self.chance.choice(THINGS))
            elif luck < 0.18 and isinstance(job.status, Done):
                await studio.picture(user, job.status.images[0])
            elif luck < 0.2:
                await studio.forget(user, job.id)

    async def keep(self, studio: Studio, store: Store) -> None:
        """What happens to a bot from outside, at certain numbers of jobs."""
        done = dict.fromkeys((ERASE, RELOAD, COPY, EXPIRE), 0)
        while True:
            await asyncio.sleep(0.05)
            for every in done:
                if self._ended // every > done[every]:
                    done[every] += 1
                    await self.befall(studio, store, every, done[every])

    async def befall(self, studio: Studio, store: Store, what: int, turn: int) -> None:
        match what:
            case 997:
                user = User("web", str(2 + 3 * self.chance.randrange(60)))
                (await studio.export(user)).unlink()
                await studio.erase(user)
            case 499:
                studio.configure(self.settings(turn))
            case 4999:
                await asyncio.to_thread(database.backup, store.folder, self.folder / "copy.db")
            case 1999:
                await store.expire(time.time() - 300)

    def read(self) -> None:
        gc.collect()
        # As upkeep does every ten minutes.
        host.trim()
        own = psutil.Process()
        below = own.children(recursive=True)
        engine = sum(one.memory_info().rss for one in below if one.is_running())
        tasks = [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ != "Soak.live"]
        # Counted by another process: pathlib keeps a name in memory for every file that it ever saw.
        disk = subprocess.run(["du", "-s", "-B1", self.folder / "data"], capture_output=True, text=True, check=False)
        reading = Reading(
            self._ended,
            time.monotonic() - self.begun,
            own.memory_info().rss,
            engine,
            own.num_fds(),
            len(tasks),
            own.num_threads(),
            len(below),
            int((disk.stdout.split() or ["0"])[0]),
        )
        self.readings.append(reading)
        self.told(reading)


def slope(readings: list[Reading], value: str) -> float:
    """By how much a value grows with 1 000 jobs, by least squares."""
    xs = [reading.jobs / 1000 for reading in readings]
    ys = [float(getattr(reading, value)) for reading in readings]
    middle, mean = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - middle) ** 2 for x in xs)
    return sum((x - middle) * (y - mean) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0
