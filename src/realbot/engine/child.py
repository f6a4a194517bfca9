"""An engine in a process of its own: spawn, watch, kill, respawn; commands and facts in frames.

`EngineDown` is told once the process is gone, so no second engine is started beside it on the same device.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import stat
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from realbot.engine import (
    PROTOCOL,
    Cancelled,
    EngineDown,
    EngineUp,
    Fact,
    Failed,
    Picture,
    Produced,
    RunKey,
    Started,
    Step,
    Work,
)
from realbot.engine.frames import (
    Cancel,
    Close,
    Command,
    FrameError,
    Open,
    Release,
    Run,
    decode_fact,
    encode_command,
    next_frame,
    pack,
)
from realbot.engine.process import Process, clean
from realbot.engine.stream import FactStream
from realbot.engine.watch import Clock, Deaths, Patience, Silence
from realbot.errors import EngineLost

log = logging.getLogger(__name__)

_REASONS = frozenset({"crashed", "hung", "unreachable", "stopped", "replaced"})
#: Seconds for what a dying process wrote last, and for an idle one to leave by itself.
_LAST_WORDS = 2.0


@dataclass(slots=True, eq=False)
class _Life:
    """One engine process from spawn to death."""

    process: Process
    boot: str
    doom: asyncio.Future[tuple[str, str]]  #: why it must die: reason and detail
    gone: asyncio.Event
    up: EngineUp | None = None
    asked: bool = False  #: somebody wanted this death, it tells nothing of the engine's health

    def condemn(self, reason: str, detail: str = "", *, asked: bool = False) -> None:
        if not self.doom.done():
            self.asked = asked
            self.doom.set_result((reason, detail))


@dataclass(slots=True, eq=False)
class _Handed:
    """A run that was handed over, and the latest answer to it."""

    boot: str
    last: Fact | None = None
    ended: float | None = None


class ChildPool:
    """One local engine behind the promise of `EnginePool`; `argv` is its command line."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        spool: Path,
        environ: Mapping[str, str],
        engine: str = "local",
        patience: Patience | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.engine = engine
        self._argv = tuple(argv)
        self._spool = spool
        self._folders: frozenset[Path] = frozenset()
        self._environ = clean(environ)
        self._patience = patience or Patience()
        self._clock = clock
        self._facts = FactStream(self._patience.steps)
        self._silence = Silence(self._patience, clock)
        self._deaths = Deaths(self._patience, clock)
        self._runs: dict[RunKey, _Handed] = {}
        self._life: _Life | None = None
        self._device = ""
        self._retry = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Start the engine; returns at once, EngineUp tells when it is ready. Raises OSError for a bad spool."""
        self._folders = await asyncio.to_thread(_sweep, self._spool)
        self._supervisor = asyncio.create_task(self._supervise(), name=f"engine {self.engine}")

    def facts(self) -> AsyncIterator[Fact]:
        """The one stream of facts, for one reader; ends only after `close`."""
        return self._facts.read()

    async def run(self, engine: str, work: Work) -> None:
        """Hand over, not finish. A known key starts nothing; its last fact is told again.

        Raises EngineLost when that engine is not up; nothing has run then.
        """
        await self._expire()
        known = self._runs.get(work.key)
        if known is not None:
            if known.last is not None:
                self._facts.put(known.last)
            return
        life = self._life
        if engine != self.engine or life is None or life.up is None or life.doom.done():
            raise EngineLost(f"The engine {engine!r} is not up.")
        try:
            frame = pack(encode_command(Run(engine, work)))
        except FrameError as error:
            self._facts.put(Failed(work.key, "bad_request", str(error)))
            return
        if not self._working(life):
            self._silence.begin(work.request)
        self._runs[work.key] = _Handed(life.boot)
        life.process.send(frame)

    async def cancel(self, key: RunKey) -> None:
        """Stop before the next step; an unknown key has no effect."""
        run = self._runs.get(key)
        if run is not None and run.ended is None:
            self._send(Cancel(key))

    async def release(self, key: RunKey) -> None:
        """Forget the result and delete its files; called once `produced` is committed."""
        run = self._runs.get(key)
        if run is None or run.ended is None:
            return
        del self._runs[key]
        if self._life is not None and self._life.boot == run.boot:
            self._send(Release(key))
        elif isinstance(run.last, Produced):
            await asyncio.to_thread(_unlink, [file.path for file in _files(run.last)])

    async def restart(self, engine: str, reason: str) -> None:
        """Kill the engine process and start a new one; returns when the old one is gone or known to be unkillable.

        A process that has told nothing yet is as new as can be and stays.
        """
        if engine != self.engine:
            return
        self._retry.set()
        if (life := self._life) is not None and life.up is not None:
            if reason in _REASONS:
                life.condemn(reason, asked=reason != "hung")
            else:
                life.condemn("replaced", reason, asked=True)
            await life.gone.wait()

    async def close(self, grace: float) -> None:
        """Stop the engine, at most `grace` seconds for the run under way; then the stream of facts ends."""
        self._closing = True
        self._retry.set()
        supervisor = self._supervisor
        try:
            if supervisor is not None and not supervisor.done():
                self._send(Close(grace))
                life = self._life
                busy = life is not None and self._working(life)
                await asyncio.wait({supervisor}, timeout=grace if busy else min(grace, _LAST_WORDS))
        finally:
            if self._life is not None:
                self._life.condemn("stopped", asked=True)
                self._life.process.kill()
        if supervisor is not None:
            await asyncio.wait({supervisor}, timeout=self._patience.kill + _LAST_WORDS)
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
        self._facts.end()

    @property
    def overdue(self) -> float:
        """Seconds by which the engine at work has been silent for longer than it may; 0 when it has not."""
        life = self._life
        if life is None or life.up is None or not self._working(life):
            return 0.0
        return max(0.0, self._silence.seconds - self._silence.limit)

    async def _supervise(self) -> None:
        while not self._closing:
            self._retry.clear()
            boot = uuid4().hex
            try:
                process = await Process.spawn(self._argv, self._environ)
            except OSError as error:
                self._facts.put(EngineDown(self.engine, boot, "crashed", str(error)))
                pause = self._deaths.count()
            else:
                future = asyncio.get_running_loop().create_future()
                try:
                    pause = await self._live(_Life(process, boot, future, asyncio.Event()))
                except Exception:
                    log.exception("the engine's process cannot be looked after")
                    pause = self._deaths.count()
            if self._deaths.open:
                log.error("the engine died %d times; one start every %.0f s now", self._patience.deaths, pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._retry.wait()

    async def _live(self, life: _Life) -> float:
        """Accompany one process to its death; the pause before the next one."""
        process = life.process
        self._life = life
        self._silence.wait()
        self._send(Open(self.engine, life.boot))
        listen = asyncio.create_task(self._listen(life), name="engine facts")
        watch = asyncio.create_task(self._watch(life), name="engine watch")
        if self._closing:
            life.condemn("stopped", asked=True)
        ends: list[asyncio.Future[Any]] = [life.doom, process.exited]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            watch.cancel()
            process.kill()
            await asyncio.wait({process.exited}, timeout=self._patience.kill)
            dead = process.exited.done()
            await asyncio.wait({listen}, timeout=_LAST_WORDS if dead else 0.0)
            await _stop(listen)
            reason, detail = life.doom.result() if life.doom.done() else ("crashed", "")
            if dead:
                await process.end()
                self._bury(life, reason, f"{detail}\n{process.ending()}".strip())
            else:
                log.critical("engine process %d cannot be killed; nothing is painted until it is gone", process.pid)
                self._bury(life, "unreachable", process.ending())
                await process.exited
        finally:
            await _stop(listen, watch)
            process.kill()
            await process.end()
            if not life.gone.is_set():
                self._bury(life, "crashed", process.ending())
            self._life = None
        return 0.0 if life.asked else self._deaths.count()

    async def _listen(self, life: _Life) -> None:
        try:
            while (data := await next_frame(life.process.stdout)) is not None:
                await self._take(life, decode_fact(data))
                # A full buffer is read without waiting: let others run between two frames.
                await asyncio.sleep(0)
        except FrameError as error:
            life.condemn("crashed", str(error))
            return
        except Exception as error:
            log.exception("the engine's facts cannot be read")
            life.condemn("crashed", repr(error))
            return
        await asyncio.wait({life.process.exited}, timeout=_LAST_WORDS)
        if not life.process.exited.done():
            life.condemn("crashed", "it closed its output")

    async def _watch(self, life: _Life) -> None:
        """Condemn a silent engine; only after two looks, so that facts held up by a stalled event loop still count."""
        began = self._clock()
        pause = min(1.0, self._patience.hang / 4)
        late = 0
        while late < 2:
            await asyncio.sleep(pause)
            if not (life.up and life.up.fingerprint):
                late = late + 1 if self._clock() - began > self._patience.start else 0
            elif self._working(life):
                late = late + 1 if self._silence.seconds > self._silence.limit else 0
            else:
                late = 0
        life.condemn("hung", f"no sign of life for {self._silence.seconds:.0f} s")

    async def _take(self, life: _Life, fact: Fact) -> None:
        if isinstance(fact, EngineUp):
            self._rise(life, fact)
            return
        if isinstance(fact, EngineDown):
            raise FrameError("an engine cannot tell its own death")
        run = self._runs.get(fact.key)
        if run is None or run.boot != life.boot or run.ended is not None:
            # The answer to a run that nobody waits for any more.
            if isinstance(fact, Produced) and not (run and isinstance(run.last, Produced)):
                self._send(Release(fact.key))
            return
        if isinstance(fact, Started | Step | Produced):
            self._silence.hear()
        if isinstance(fact, Step) and fact.preview is not None and not self._inside(fact.preview):
            fact = replace(fact, preview=None)
        if isinstance(fact, Produced):
            inside = all(self._inside(file.path) for file in _files(fact))
            if not inside or not await asyncio.to_thread(_complete, fact):
                fact = Failed(fact.key, "engine", "The engine's picture is not where it should be.")
            else:
                self._silence.finish()
                self._deaths.forget()
        run.last = fact
        if isinstance(fact, Produced | Cancelled | Failed):
            run.ended = self._clock()
            self._silence.wait()
        self._facts.put(fact)
        if isinstance(fact, Failed) and not fact.engine_ok:
            life.condemn("replaced", fact.detail)

    def _rise(self, life: _Life, fact: EngineUp) -> None:
        if fact.protocol not in (PROTOCOL, PROTOCOL - 1):
            raise FrameError(f"it speaks protocol {fact.protocol}; this program speaks {PROTOCOL}")
        if fact.device and fact.device != self._device:
            self._device = fact.device
            self._silence.forget()
        self._silence.wait()
        life.up = replace(fact, engine=self.engine, boot=life.boot)
        self._facts.put(life.up)

    def _bury(self, life: _Life, reason: str, detail: str) -> None:
        """Tell the death of a process, which answers every run that it had not answered."""
        self._runs = {key: run for key, run in self._runs.items() if run.boot != life.boot or run.ended is not None}
        life.up = None
        reason = "stopped" if self._closing else reason
        level = logging.INFO if life.asked else logging.WARNING
        log.log(level, "the process of engine %s has ended: %s", self.engine, reason, extra={"detail": detail})
        self._facts.put(EngineDown(self.engine, life.boot, reason, detail))
        life.gone.set()

    def _working(self, life: _Life) -> bool:
        return any(run.boot == life.boot and run.ended is None for run in self._runs.values())

    def _send(self, command: Command) -> None:
        if self._life is not None:
            self._life.process.send(pack(encode_command(command)))

    async def _expire(self) -> None:
        horizon = self._clock() - self._patience.keep
        for key in [key for key, run in self._runs.items() if run.ended is not None and run.ended < horizon]:
            await self.release(key)

    def _inside(self, path: str) -> bool:
        return Path(path).parent in self._folders


async def _stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _sweep(spool: Path) -> frozenset[Path]:
    """Make the folder of results and delete what an earlier process left there; the names the folder goes by."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Names of results hold the `#` of a RunKey, so nothing else is touched.
    _unlink([str(path) for path in spool.glob("*#*")])
    return frozenset((spool, spool.absolute(), spool.resolve()))


def _unlink(paths: Sequence[str]) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)


def _files(fact: Produced) -> list[Picture]:
    return [*fact.pictures, *([fact.weights] if fact.weights is not None else [])]


def _complete(fact: Produced) -> bool:
    try:
        found = [Path(file.path).stat() for file in _files(fact)]
    except OSError:
        return False
    sizes = [file.size for file in _files(fact)]
    return sizes != [] and [f.st_size for f in found if stat.S_ISREG(f.st_mode)] == sizes
