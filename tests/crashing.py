"""A bot that is meant to be killed: store, studio and a scripted engine in a process of its own.

`Nursery` loads everything once and forks a life at a time, so that hundreds of deaths take no time to start. What
people see goes to a diary, one line an event, which survives the process. CRASH_AT names the point at which a life
kills itself.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEOPLE = 5
#: CRASH_AT -> the verb of the store around which it happens, and on which side.
POINTS = {
    "before_put": ("put", "before"),
    "after_put": ("put", "after"),
    "after_start": ("start", "after"),
    "before_adopt": ("adopt", "before"),
    "after_adopt": ("adopt", "after"),
    "after_produce": ("produce", "after"),
    "after_deliver": ("deliver", "after"),
    "before_delivered": ("delivered", "before"),
    "after_delivered": ("delivered", "after"),
    "after_cancel": ("cancel", "after"),
}


class Diary:
    """Events that survive `kill -9`: each is one write at the end of a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "diary"

    def write(self, *words: object) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(handle, (" ".join(map(str, words)) + "\n").encode())
        finally:
            os.close(handle)

    def read(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def rig_verb(store: Any, verb: str, side: str, countdown: int) -> None:
    """Kill this process before or after the n-th call of a verb of the store."""
    real: Callable[..., Awaitable[Any]] = getattr(store, verb)
    left = countdown

    async def rigged(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left <= 0 and side == "before":
            die()
        value = await real(*arguments, **options)
        if left <= 0:
            die()
        return value

    setattr(store, verb, rigged)


async def live(folder: Path, wanted: int) -> None:
    """Take up what is pending, ask for more until `wanted` jobs were confirmed, show every end, then stop."""
    from realbot.config import Settings
    from realbot.engine.child import ChildPool
    from realbot.engine.models import PRESETS
    from realbot.jobs import Done, Generate, Job, Origin, User
    from realbot.store import Store
    from realbot.studio import Studio
    from realbot.styles import Styles

    diary = Diary(folder)
    diary.write("life", os.getpid())
    spool = folder / "spool"
    script = f'{{"spool": "{spool}", "step": 0.002}}'
    pool = ChildPool(
        [sys.executable, str(HERE / "engine" / "scripted.py"), "--settings", script], spool=spool, environ=os.environ
    )
    async with Store.open(folder / "data") as store:
        if point := os.environ.get("CRASH_AT"):
            rig_verb(store, *POINTS[point], countdown=int(os.environ.get("CRASH_COUNT", "1")))
        # On a slow machine the lives are too short for what is asked, and the line grows from life to life.
        limits, queue = {"waiting_per_user": 1000}, {"waiting_total": 100_000}
        preset = type(PRESETS["mini"])(**{**_fields(PRESETS["mini"]), "name": "scripted"})
        studio = Studio(store, pool, Settings(limits=limits, queue=queue), Styles([]), model=preset)
        run, produce = pool.run, store.produce

        async def noted_run(engine: str, work: Any) -> None:
            diary.write("run", work.key.job, work.key.attempt, work.request["seed"])
            await run(engine, work)

        async def noted_produce(job: str, *arguments: Any, **options: Any) -> bool:
            done = await produce(job, *arguments, **options)
            diary.write("produced", job)
            return done

        pool.run, store.produce = noted_run, noted_produce
        await studio.open()

        def strike() -> None:
            """Kill the engine, but not twice under one job, which would rightly set it aside."""
            struck = {words[1] for words in diary.read() if words[0] == "struck"}
            bench = next(iter(studio._forecast.benches.values()), None)
            if bench is None or bench.run is None or bench.run.ticket.id in struck or pool._life is None:
                return
            diary.write("struck", bench.run.ticket.id)
            os.kill(pool._life.process.pid, signal.SIGKILL)

        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, strike)

        async def show(job: Job) -> None:
            async for _ in job.watch():
                pass
            status = job.status
            await studio.delivering(job.id)
            detail = status.images[0] if isinstance(status, Done) else getattr(status, "error", "")
            diary.write("shown", job.id, type(status).__name__, detail)
            await studio.delivered(job.id)

        async def ask(n: int) -> Job:
            user = User("web", f"u{n % PEOPLE}")
            request = Generate(prompt=f"picture {n}", steps=1 + n % 4)
            job = await studio.submit(user, request, Origin("web", f"card{n}"), dedup=f"n{n}")
            diary.write("confirmed", job.id, n, job.request.seed)
            return job

        showing = [asyncio.create_task(show(job)) for job in studio.pending("web")]
        cancelling = os.environ.get("CRASH_AT") == "after_cancel"
        confirmed = {int(words[2]) for words in diary.read() if words[0] == "confirmed"}
        draw = random.Random(os.getpid())
        for n in range(wanted):
            if n not in confirmed:
                job = await ask(n)
                showing.append(asyncio.create_task(show(job)))
                if cancelling:
                    await studio.cancel(job.user, job.id)
                if draw.random() < 0.7:
                    await asyncio.sleep(draw.uniform(0, 0.02))
        await asyncio.gather(*showing)
        diary.write("finished")
        await studio.close(5)
    # The loop gives the signal its default back when it closes, and a strike that comes then would end this life.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})


def _fields(preset: Any) -> dict[str, Any]:
    return {name: getattr(preset, name) for name in preset.__slots__}


def nursery() -> None:
    """Read "FOLDER WANTED POINT COUNT" lines; for each fork a life, tell its pid, and wait for its end."""
    import realbot.engine.child
    import realbot.studio  # noqa: F401

    # A strike that comes before the life is ready for it does nothing.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    for line in sys.stdin:
        folder, wanted, point, count = line.split()
        pid = os.fork()
        if pid == 0:
            if point != "-":
                os.environ |= {"CRASH_AT": point, "CRASH_COUNT": count}
            code = 1
            try:
                asyncio.run(live(Path(folder), int(wanted)))
                code = 0
            except BaseException as error:
                Diary(Path(folder)).write("error", type(error).__name__, error)
            finally:
                os._exit(code)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@dataclass
class Nursery:
    """Use as a context manager."""

    folder: Path
    process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Nursery:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "crashing.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()

    def life(
        self,
        wanted: int,
        *,
        point: str = "-",
        count: int = 1,
        after: float | None = None,
        strikes: tuple[float, ...] = (),
    ) -> int:
        """One life; it is killed `after` seconds, its engine after each of `strikes`. The exit code, -9 if killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{self.folder} {wanted} {point} {count}\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        waited = 0.0
        for moment in sorted(strikes):
            time.sleep(max(moment - waited, 0.0))
            waited = moment
            self._send(pid, signal.SIGUSR1)
        if after is not None:
            time.sleep(max(after - waited, 0.0))
            self._send(pid, signal.SIGKILL)
        return int(self.process.stdout.readline())

    @staticmethod
    def _send(pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    nursery()
