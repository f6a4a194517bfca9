"""Whether each part does its work: what `/healthz`, the service manager and administrators are told.

A part is `well`; `poor` when something deserves a look; `unready` when requests cannot be taken or painted and that may
pass; `stuck` when it will not go on by itself, so that realbot had better be started anew.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from .endings import Endings
from .engine import EnginePool
from .errors import RealbotError
from .forecast import Forecast
from .lag import Probe
from .phrases import Phrase
from .store import Store
from .tickets import Bench

log = logging.getLogger(__name__)

State: TypeAlias = Literal["well", "poor", "unready", "stuck"]
#: From the best to the worst.
STATES: tuple[State, ...] = ("well", "poor", "unready", "stuck")
#: Seconds between two trial writes, until one is late, and until one is taken for lost.
FRESH, LATE, LOST = 10.0, 2.0, 60.0
#: Seconds without a sign of a front-end's work after which it is taken for stuck; in an outage it tries more often.
SILENT = 300.0
#: Seconds beyond the pool's own patience after which a silent engine that still lives is taken for stuck.
OVERDUE = 30.0
#: Seconds that any single check may take.
PATIENCE = 2.5


@dataclass(frozen=True, slots=True)
class Part:
    """How one part does, with a sentence for whoever runs the bot."""

    name: str
    state: State
    says: str

    @property
    def live(self) -> bool:
        return self.state != "stuck"

    @property
    def ready(self) -> bool:
        return self.state in ("well", "poor")


#: None: there is nothing to tell.
Check: TypeAlias = Callable[[], Part | Awaitable[Part | None] | None]


class Watched(Protocol):
    """What a front-end tells of itself."""

    platform: str

    @property
    def health(self) -> str:
        """What is not as it should be, in a few words; empty when all is well."""

    @property
    def away(self) -> bool:
        """Whether people cannot ask there at the moment."""

    @property
    def limited(self) -> int:
        """How often its platform wanted to be left alone."""

    def pulse(self) -> float:
        """Seconds since it last heard of its platform, or tried to."""


class Health:
    """The checks of one studio. `add` more, `watch` each front-end, and ask for the `parts` in the event loop."""

    def __init__(
        self,
        store: Store,
        pool: EnginePool,
        endings: Endings,
        forecast: Forecast,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._pool, self._endings, self._forecast = store, pool, endings, forecast
        self._monotonic = monotonic
        self.probe = Probe()
        self.fronts: list[Watched] = []
        #: Bytes that were free on the disk of the data folder when it was looked at.
        self.free = 0
        self._checks: list[tuple[str, Check]] = [
            ("loop", self._loop),
            ("store", self._writer),
            ("engine", self._engine),
            ("disk", self._disk),
        ]
        self._trial: asyncio.Task[None] | None = None
        self._begun = self._tried = float("-inf")

    def add(self, part: str, check: Check) -> None:
        """Ask this too; `part` names it where it fails to tell."""
        self._checks.append((part, check))

    def watch(self, front: Watched) -> None:
        """Ask this front-end too, until it is `lost`."""
        self.fronts.append(front)

    def lost(self, platform: str, reason: str) -> None:
        """A front-end was turned away for good: somebody should know, and the others go on."""
        self.fronts = [one for one in self.fronts if one.platform != platform]
        self.add(platform, lambda: Part(platform, "poor", reason))

    async def parts(self) -> list[Part]:
        """How everything is, in a few seconds at most."""
        checks = [*self._checks, *((one.platform, _front(one)) for one in self.fronts)]
        found = await asyncio.gather(*(_asked(part, check) for part, check in checks))
        return [part for part in found if part is not None]

    async def close(self) -> None:
        """Wait for no trial write any more."""
        if self._trial is not None:
            self._trial.cancel()
            await asyncio.gather(self._trial, return_exceptions=True)

    def _loop(self) -> Part:
        if self.probe.degraded:
            stood = max(self.probe.longest, self.probe.still)
            return Part("loop", "poor", Phrase("The event loop stood still for {seconds:.1f} s.", seconds=stood))
        return Part("loop", "well", Phrase("The event loop turns."))

    async def _writer(self) -> Part:
        """Write a trifle and see whether it arrives on the disk."""
        if self._endings.full:
            return Part("store", "unready", self._endings.full)
        now = self._monotonic()
        if self._trial is None or (self._trial.done() and now - self._tried > FRESH):
            self._begun = self._tried = now
            self._trial = asyncio.create_task(self._store.remember("trial", f"{now:.3f}"), name="trial write")
        await asyncio.wait({self._trial}, timeout=LATE)
        if not self._trial.done():
            waited = self._monotonic() - self._begun
            state: State = "stuck" if waited > LOST else "unready"
            return Part("store", state, Phrase("A write waits for {seconds:.0f} s already.", seconds=waited))
        if (failure := self._trial.exception()) is not None:
            self._tried = float("-inf")
            return Part("store", "unready", str(failure))
        return Part("store", "well", Phrase("The database takes writes."))

    def _engine(self) -> Part:
        benches = list(self._forecast.benches.values())
        overdue = self._pool.overdue
        if overdue > 0:
            state: State = "stuck" if overdue > OVERDUE else "poor"
            told = Phrase("The engine has been silent for {seconds:.0f} s longer than it may.", seconds=overdue)
            return Part("engine", state, told)
        ready = [bench for bench in benches if bench.ready]
        if ready:
            devices = ", ".join(bench.up.device or bench.name for bench in ready if bench.up is not None)
            return Part("engine", "well", Phrase("The engine is ready: {devices}.", devices=devices))
        return _away(benches)

    async def _disk(self) -> Part | None:
        try:
            room = await asyncio.to_thread(shutil.disk_usage, self._store.folder)
        except OSError as error:
            told = Phrase("The data folder cannot be looked at: {reason}.", reason=error.strerror or str(error))
            return Part("disk", "unready", told)
        space, self.free = self._store.space, room.free
        if space.lack:
            return Part("disk", "unready", Phrase("Nothing is taken: {reason}.", reason=space.lack))
        return Part("disk", "poor" if space.tight else "well", Phrase("{free} MB are free.", free=room.free >> 20))


def worst(parts: Iterable[Part]) -> State:
    """The state of the whole."""
    return max((part.state for part in parts), key=STATES.index, default="well")


def told(name: str, trouble: str, well: str) -> Part:
    """A part that is poor with a trouble and well without."""
    return Part(name, "poor", trouble) if trouble else Part(name, "well", well)


def _away(benches: list[Bench]) -> Part:
    down = next((bench.down for bench in benches if bench.down is not None), None)
    if down is None:
        return Part("engine", "unready", Phrase("The engine loads its model."))
    if down.reason == "unreachable":
        return Part("engine", "stuck", Phrase("The engine's process cannot be killed."))
    return Part("engine", "unready", Phrase("The engine is down: {reason}.", reason=down.reason))


def _front(front: Watched) -> Check:
    def check() -> Part:
        silent = front.pulse()
        if silent > SILENT:
            told = Phrase("Nothing was heard or tried for {seconds:.0f} s.", seconds=silent)
            return Part(front.platform, "stuck", told)
        if front.health:
            return Part(front.platform, "unready" if front.away else "poor", front.health)
        return Part(front.platform, "well", Phrase("People can ask."))

    return check


async def _asked(name: str, check: Check) -> Part | None:
    """What a check tells; one that fails or takes its time is a finding, not a failure of all."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = check()
            return await found if isinstance(found, Awaitable) else found
    except TimeoutError:
        return Part(name, "unready", Phrase("The check takes too long."))
    except RealbotError as error:
        return Part(name, "unready", str(error))
    except Exception:
        log.exception("the check %s failed", name)
        return Part(name, "poor", Phrase("The check failed; the log has the reason."))
