"""Random submissions, cancellations, crashes and restarts, against a model of the queue that fits on a page."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pools import InProcessPool
from realbot.errors import QueueFull
from realbot.jobs import Cancelled, Done, Failed, Generate, Job, Running, User, Waiting
from studios import HERE, Rig, rig, until

WAITING_PER_USER = 4


@dataclass
class Model:
    """What must be true: a list in the order of acceptance, whose first is being painted, and the ends."""

    line: list[str] = field(default_factory=list)
    owner: dict[str, str] = field(default_factory=dict)
    seed: dict[str, int] = field(default_factory=dict)
    attempt: dict[str, int] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    end: dict[str, str] = field(default_factory=dict)
    painted: list[str] = field(default_factory=list)

    def may_submit(self, user: str) -> bool:
        return sum(self.owner[job] == user for job in self.line) < WAITING_PER_USER

    def submit(self, job: str, user: str, seed: int) -> None:
        self.owner[job], self.seed[job], self.attempt[job], self.deaths[job] = user, seed, 0, 0
        self.line.append(job)
        self.hand()

    def hand(self) -> None:
        """The first in the line is on the engine, and what was there before has been told so."""
        if self.line and not self.attempt[self.line[0]]:
            self.attempt[self.line[0]] = 1

    def leave(self, job: str, how: str) -> None:
        self.line.remove(job)
        self.end[job] = how
        self.hand()

    def finish(self) -> None:
        self.painted.append(self.line[0])
        self.leave(self.line[0], "Done")

    def crash(self) -> None:
        self.attempt[self.line[0]] += 1
        self.deaths[self.line[0]] += 1

    def restart(self) -> None:
        """The bot was killed and started again."""
        if self.line:
            self.attempt[self.line[0]] += 1


class Storm:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.draw, self.model = folder, random.Random(seed), Model()
        self.jobs: dict[str, Job] = {}
        self.life = 0

    async def rage(self, moves: int) -> None:
        async with AsyncExitStack() as stack:
            r = await self.start(stack)
            for n in range(moves):
                move = self.draw.choices(
                    (self.submit, self.finish, self.cancel, self.fail, self.crash, self.step, self.cancel_stranger),
                    (8, 4, 2, 1, 1, 2, 1),
                )[0]
                await move(r, n)
                await self.agree(r)
                if self.draw.random() < 0.04:
                    await stack.aclose()
                    self.model.restart()
                    r = await self.start(stack)
                    await self.agree(r)
            while self.model.line:
                await self.finish(r, moves)
                await self.agree(r)
            await self.at_rest(r)

    async def start(self, stack: AsyncExitStack) -> Rig:
        """A new life on the old folder."""
        self.life += 1
        pool = InProcessPool(self.folder / "spool", hand=True)
        r = await stack.enter_async_context(
            rig(self.folder, pool=pool, sections={"limits": {"waiting_per_user": WAITING_PER_USER}})
        )
        for job in r.studio.pending("web"):
            self.jobs[job.id] = job
        return r

    async def submit(self, r: Rig, n: int) -> None:
        user = User("web", f"u{self.draw.randrange(4)}")
        asking = r.studio.submit(user, Generate(prompt=f"{n}", steps=3), HERE, dedup=f"{n}")
        if not self.model.may_submit(user.id):
            with pytest.raises(QueueFull):
                await asking
            return
        job = await asking
        assert isinstance(job.request, Generate)
        self.jobs[job.id] = job
        self.model.submit(job.id, user.id, job.request.seed or 0)
        again = await r.studio.submit(user, Generate(prompt=f"{n}", steps=3), HERE, dedup=f"{n}")
        assert again.id == job.id

    async def finish(self, r: Rig, n: int) -> None:
        if self.model.line:
            r.pool.finish()
            self.model.finish()

    async def fail(self, r: Rig, n: int) -> None:
        if self.model.line:
            r.pool.fail("out_of_memory", "Too large.", ok=self.draw.random() < 0.5)
            self.model.leave(self.model.line[0], "Failed")

    async def crash(self, r: Rig, n: int) -> None:
        if self.model.line and not self.model.deaths[self.model.line[0]]:
            r.pool.crash()
            self.model.crash()

    async def step(self, r: Rig, n: int) -> None:
        if self.model.line:
            r.pool.step(self.draw.randrange(1, 4))

    async def cancel(self, r: Rig, n: int) -> None:
        if not self.jobs:
            return
        job = self.jobs[self.draw.choice(list(self.jobs))]
        won = await r.studio.cancel(job.user, job.id)
        assert won == (job.id in self.model.line)
        if won:
            self.model.leave(job.id, "Cancelled")

    async def cancel_stranger(self, r: Rig, n: int) -> None:
        if self.jobs:
            job = self.jobs[self.draw.choice(list(self.jobs))]
            with pytest.raises(Exception, match="someone else"):
                await r.studio.cancel(User("web", "stranger"), job.id)

    async def agree(self, r: Rig) -> None:
        """Wait until the studio has caught up, then compare everything."""
        model = self.model
        head = (model.line[0], model.attempt[model.line[0]]) if model.line else None

        def caught_up() -> bool:
            key = r.pool.working()
            return ((key.job, key.attempt) if key else None) == head and all(
                type(self.jobs[job].status).__name__ == how for job, how in model.end.items()
            )

        try:
            await until(caught_up, 60)
        except TimeoutError:
            ends = {job: (how, self.jobs[job].status) for job, how in model.end.items()}
            pytest.fail(f"expected {head}, working on {r.pool.working()}, line {r.studio.line()}, {model}, {ends}")
        if head:
            assert r.pool.works[-1].request["seed"] == model.seed[head[0]]
        assert {row.id for row in await r.store.waiting()} == set(model.line)
        for position, job in enumerate(model.line):
            status = self.jobs[job].status
            assert isinstance(status, Running if position == 0 else Waiting) or position == 0

    async def at_rest(self, r: Rig) -> None:
        states = {Done: "produced", Cancelled: "cancelled", Failed: "failed"}
        assert len(self.model.end) == len(self.model.owner)
        for job in self.jobs.values():
            row = await r.store.row(job.id)
            assert row.state == states[type(job.status)]
            assert row.seed == self.model.seed[job.id]
            assert row.user.id == self.model.owner[job.id]
            if isinstance(job.status, Done):
                assert (await r.studio.picture(job.user, job.status.images[0])).is_file()
        painted = {
            user: [job for job in self.model.painted if self.model.owner[job] == user]
            for user in ["u0", "u1", "u2", "u3"]
        }
        for user, mine in painted.items():
            history = await r.studio.history(User("web", user), 10_000)
            assert {entry.id for entry in history} == set(mine)
        await until(lambda: r.studio._forecast.show() is None)
        assert r.studio.line() == (0, 0)


@pytest.mark.parametrize("seed", range(6))
async def test_D1_Q2_Q7_Q9_G6_a_storm_agrees_with_the_model(tmp_path: Path, seed: int):
    await Storm(tmp_path, seed).rage(120)


async def test_Q7_positions_in_a_storm_are_those_of_the_line(tmp_path: Path):
    draw = random.Random(3)
    async with rig(tmp_path, hand=True) as r:
        line: list[Job] = []
        for n in range(80):
            if draw.random() < 0.6 or not line:
                line.append(await r.ask(f"{n}"))
                assert n == 0 or line[-1].status.position == max(len(line) - 1, 1)
            else:
                job = line.pop(draw.randrange(len(line)))
                await r.studio.cancel(job.user, job.id)
            if n % 10 == 9:
                await asyncio.sleep(0.2)
                waiting = [job for job in line if isinstance(job.status, Waiting)]
                await until(lambda w=waiting: [job.status.position for job in w] == list(range(1, len(w) + 1)))
