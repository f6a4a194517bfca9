"""Whose turn it is where a person, or a server, may have only so many pictures painted at a time. Pure arithmetic.

Who has as many on the engines as they may is skipped over, and comes as soon as one of theirs is done.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .eta import Features, Guess, Timings
from .jobs import Eta

Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Share:
    """Whom a job counts for, and how many of theirs may be painted at a time: 0 sets no limit."""

    person: str
    server: str = ""
    person_most: int = 0
    server_most: int = 0

    @property
    def limits(self) -> tuple[tuple[Key, int], ...]:
        both = ((("person", self.person), self.person_most), (("server", self.server), self.server_most))
        return tuple((key, most) for key, most in both if key[1] and most)

    @property
    def keys(self) -> tuple[Key, ...]:
        return tuple(key for key in (("person", self.person), ("server", self.server)) if key[1])


@dataclass(frozen=True, slots=True)
class Seat:
    """An engine: how long it is busy, with whose job, and the styles that it has loaded."""

    left: Guess
    share: Share | None = None
    styles: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A waiting job. One without features costs nothing, and has no share of anything."""

    features: Features | None
    share: Share


def fits(share: Share, running: Iterable[Share]) -> bool:
    """Whether a job may be painted beside these."""
    limits = share.limits
    if not limits:
        return True
    counts = Counter(key for one in running for key in one.keys)
    return all(counts[key] < most for key, most in limits)


def served(timings: Timings, seats: Sequence[Seat], waiting: Sequence[Standing]) -> list[tuple[int, Eta | None]]:
    """The number of each waiting job and when it will be done, in the order in which they begin.

    None: unknown. Nobody is shown an earlier time than whoever begins before them.
    """
    if not seats:
        return [(n, None) for n in range(len(waiting))]
    ends, loaded = [seat.left.middle for seat in seats], [seat.styles for seat in seats]
    spreads, holders = [seat.left.spread for seat in seats], [seat.share for seat in seats]
    room, answers, last, known = _Room(waiting, filter(None, holders)), list[tuple[int, Eta | None]](), Eta(0, 0), True
    while len(answers) < len(waiting):
        n = min(range(len(ends)), key=ends.__getitem__)
        for m, holder in enumerate(holders):
            if holder is not None and ends[m] <= ends[n]:
                room.leave(holder)
                holders[m] = None
        one = room.next()
        if one is None:
            # Everybody who waits has as many on the other engines as they may: this one waits with them.
            m = min((m for m, holder in enumerate(holders) if holder is not None), key=ends.__getitem__)
            ends[n], spreads[n] = ends[m], spreads[m]
            continue
        features, share = waiting[one].features, waiting[one].share
        if features is None:
            answers.append((one, last if known else None))
            continue
        guess = timings.guess(features, loaded[n] != features.styles)
        known = known and guess is not None
        # Where nothing is known all take as long, which is enough for the order.
        guess = guess or Guess(1.0, 0.0)
        ends[n], spreads[n], loaded[n] = ends[n] + guess.middle, math.hypot(spreads[n], guess.spread), features.styles
        room.enter(share)
        holders[n] = share
        if known:
            eta = timings.eta([Guess(ends[n], spreads[n])])
            last = Eta(max(eta.low, last.low), max(eta.high, last.high))
        answers.append((one, last if known else None))
    return answers


@dataclass(slots=True)
class _Room:
    """Who of the waiting may begin, looked at once each and again when somebody of theirs leaves an engine."""

    waiting: Sequence[Standing]
    running: Iterable[Share]
    _counts: Counter[Key] = field(default_factory=Counter)
    _skipped: defaultdict[Key, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    _back: list[int] = field(default_factory=list)
    _at: int = 0

    def __post_init__(self) -> None:
        for share in self.running:
            self.enter(share)

    def enter(self, share: Share) -> None:
        self._counts.update(share.keys)

    def leave(self, share: Share) -> None:
        self._counts.subtract(share.keys)
        for key in share.keys:
            self._recall(key)

    def next(self) -> int | None:
        """The first who may begin; None when nobody may."""
        while self._back or self._at < len(self.waiting):
            if self._back and (self._at >= len(self.waiting) or self._back[0] < self._at):
                n = heapq.heappop(self._back)
            else:
                n, self._at = self._at, self._at + 1
            one = self.waiting[n]
            full = [key for key, most in one.share.limits if self._counts[key] >= most]
            if one.features is None or not full:
                return n
            self._skipped[full[0]].append(n)
            for key, most in one.share.limits:
                # It was called for a free place that it does not take, so another of theirs may.
                if key not in full and self._counts[key] < most:
                    self._recall(key)
        return None

    def _recall(self, key: Key) -> None:
        skipped = self._skipped.get(key)
        if skipped:
            heapq.heappush(self._back, skipped.popleft())
