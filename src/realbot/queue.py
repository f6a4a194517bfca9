"""The waiting room: who is next, who is where.

A pure view in memory of the rows that wait; the table in the store is what counts. `eta` knows how long it takes.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Order: TypeAlias = Literal["fifo", "round_robin"]


@dataclass(frozen=True, slots=True)
class Place:
    """One waiting job. `seq` is its number of acceptance, which it keeps for life."""

    seq: int
    job: str
    user: str
    model: str = ""  #: empty: any
    idle: bool = False  #: served only while nothing else waits


class Line:
    """Waiting jobs in the order in which they will be served.

    "fifo" serves strictly by `seq`. "round_robin" is start-time fair queueing: each job starts a round later than the
    one before it of the same person, a newcomer joins the present round, and within a round `seq` decides. So nobody
    starves, and nobody gains by asking one at a time. What is `idle` comes after everything else in both.
    """

    def __init__(self, order: Order = "fifo") -> None:
        self._order: Order = order
        self._places: list[Place] = []
        self._jobs: dict[str, Place] = {}
        self._rounds: dict[str, int] = {}
        self._next_round: dict[str, int] = {}
        self._round = 0
        self._served: list[Place] | None = None

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, job: object) -> bool:
        return job in self._jobs

    def __iter__(self) -> Iterator[Place]:
        return iter(self._in_order())

    @property
    def order(self) -> Order:
        return self._order

    @order.setter
    def order(self, order: Order) -> None:
        self._order, self._served = order, None

    def add(self, place: Place) -> None:
        """A job starts to wait; one that waits already stays as it is."""
        if place.job not in self._jobs:
            start = max(self._round, self._next_round.get(place.user, 0))
            self._next_round[place.user] = start + 1
            self._insert(place, start)

    def put_back(self, place: Place) -> None:
        """A job that was served in vain returns to its place: its person did not have this turn."""
        if place.job not in self._jobs:
            self._insert(place, self._round)

    def drop(self, job: str) -> Place | None:
        """The job leaves without having been served; the later ones of its person move up a round."""
        place = self._remove(job)
        if place is not None:
            start = self._rounds.pop(job)
            for other in self._places:
                if other.user == place.user and self._rounds[other.job] > start:
                    self._rounds[other.job] -= 1
            self._next_round[place.user] = max(self._next_round.get(place.user, 0) - 1, self._round)
        return place

    def serve(self, job: str) -> Place | None:
        """The job leaves to be painted."""
        place = self._remove(job)
        if place is not None:
            self._round = max(self._round, self._rounds.pop(job))
            if len(self._next_round) > 2 * len(self._places) + 100:
                self._next_round = {user: n for user, n in self._next_round.items() if n > self._round}
        return place

    def head(self, bases: Collection[str] = (), fits: Callable[[Place], bool] | None = None) -> Place | None:
        """The first job whose model is one of `bases` (none given: any) and that `fits`."""
        for place in self._in_order():
            if (not bases or not place.model or place.model in bases) and (fits is None or fits(place)):
                return place
        return None

    def positions(self) -> dict[str, int]:
        """The position of every waiting job; 1 is next."""
        return {place.job: n for n, place in enumerate(self._in_order(), 1)}

    def ahead(self, job: str) -> list[Place]:
        """Who is served before this job; nobody when it does not wait."""
        if job not in self._jobs:
            return []
        order = self._in_order()
        return order[: next(n for n, place in enumerate(order) if place.job == job)]

    def _in_order(self) -> list[Place]:
        if self._order == "fifo":
            return self._places
        if self._served is None:
            self._served = sorted(self._places, key=lambda place: (place.idle, self._rounds[place.job], place.seq))
        return self._served

    def _insert(self, place: Place, start: int) -> None:
        bisect.insort(self._places, place, key=_order)
        self._jobs[place.job], self._rounds[place.job] = place, start
        self._served = None

    def _remove(self, job: str) -> Place | None:
        place = self._jobs.pop(job, None)
        if place is not None:
            del self._places[bisect.bisect_left(self._places, _order(place), key=_order)]
            self._served = None
        return place


def _order(place: Place) -> tuple[bool, int]:
    return place.idle, place.seq
