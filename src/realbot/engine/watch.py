"""When an engine counts as hung, and how long to wait before the next start. All times are in seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Patience:
    """How patient a pool is with its engine."""

    #: Silence of a working engine after which it is killed, unless it is usually slower.
    hang: float = 30.0
    #: The same before its first picture, when nothing is known of its speed; None is ten times `hang`.
    first: float | None = None
    #: Time to load the model.
    start: float = 1800.0
    #: Time in which SIGKILL must have worked.
    kill: float = 10.0
    #: Before the first, second, ... restart within `window`; the last one repeats.
    pauses: tuple[float, ...] = (0.0, 1.0, 2.0, 5.0)
    #: So many deaths within `window` open the circuit: then one start every `probe`.
    deaths: int = 5
    window: float = 600.0
    probe: float = 60.0
    #: Between two Step facts at least.
    steps: float = 0.1
    #: How long the answer to a run is remembered when nobody releases it.
    keep: float = 600.0


class Silence:
    """How long a working engine has said nothing, compared with what is usual for it."""

    def __init__(self, patience: Patience, clock: Clock = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._heard = clock()
        self._cost = 1.0
        #: The longest silence of this run and of recent runs that ended well, in seconds per unit of cost.
        self._longest = 0.0
        self._usual: deque[float] = deque(maxlen=8)

    def begin(self, request: Mapping[str, Any]) -> None:
        """A run is handed over."""
        width, height = request.get("width") or 1024, request.get("height") or 1024
        # True CFG computes each step twice.
        self._cost = width * height * (2.0 if (request.get("true_cfg") or 1.0) > 1.0 else 1.0)
        self._longest = 0.0
        self.wait()

    def wait(self) -> None:
        """Count from now: the silence until here was no work."""
        self._heard = self._clock()

    def hear(self) -> None:
        """The engine told something about its work."""
        self._longest = max(self._longest, self.seconds / self._cost)
        self.wait()

    def finish(self) -> None:
        """The run ended well."""
        self._usual.append(self._longest)
        self._longest = 0.0

    def forget(self) -> None:
        """The engine is on another device now."""
        self._usual.clear()

    @property
    def limit(self) -> float:
        """The silence that is taken for a hang in this run."""
        if not self._usual:
            return 10.0 * self._patience.hang if self._patience.first is None else self._patience.first
        return max(self._patience.hang, 5.0 * median(self._usual) * self._cost)

    @property
    def seconds(self) -> float:
        return self._clock() - self._heard


class Deaths:
    """The recent deaths of an engine, from which the pause before the next start follows."""

    def __init__(self, patience: Patience, clock: Clock = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._times: deque[float] = deque()

    def count(self) -> float:
        """One more death; the pause before the next start."""
        self._times.append(self._clock())
        if self.open:
            return self._patience.probe
        return self._patience.pauses[min(len(self._times), len(self._patience.pauses)) - 1]

    def forget(self) -> None:
        """The engine works."""
        self._times.clear()

    @property
    def open(self) -> bool:
        """Whether the engine is only probed now and then."""
        while self._times and self._clock() - self._times[0] > self._patience.window:
            self._times.popleft()
        return len(self._times) >= self._patience.deaths
