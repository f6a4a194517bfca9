"""The waiting room: who is next, who is where.

A pure view in memory of the rows that wait; the table in the store is what counts. `eta` knows how long it takes.
"""

from __future__ import annotations

import bisect
import heapq
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
    model: str = ""


class Line:
    """Waiting jobs in the order in which they will be served.

    "fifo" serves strictly by `seq`. "round_robin" serves people in turn, each person's own jobs by `seq`; a newcomer
    joins the end of the round, so nobody starves and nobody gains by asking one at a time.
    """

    def __init__(self, order: Order = "fifo") -> None:
        self._order: Order = order
        self._places: list[Place] = []
        self._jobs: dict[str, Place] = {}
        self._turns: dict[str, int] = {}
        self._last = self._first = 0
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
        """A job starts to wait, or returns to its place; a job that waits already stays as it is."""
        if place.job in self._jobs:
            return
        bisect.insort(self._places, place, key=lambda other: other.seq)
        self._jobs[place.job] = place
        if place.user not in self._turns:
            self._last += 1
            self._turns[place.user] = self._last
        self._served = None

    def put_back(self, place: Place) -> None:
        """A job that was served returns to the front of its place: its person did not have this turn."""
        self.add(place)
        self._first -= 1
        self._turns[place.user] = self._first
        self._served = None

    def drop(self, job: str) -> Place | None:
        """The job leaves without having been served."""
        place = self._jobs.pop(job, None)
        if place is None:
            return None
        del self._places[bisect.bisect_left(self._places, place.seq, key=lambda other: other.seq)]
        if all(other.user != place.user for other in self._places):
            self._turns.pop(place.user, None)
        self._served = None
        return place

    def serve(self, job: str) -> Place | None:
        """The job leaves to be painted; its person goes to the end of the round."""
        place = self.drop(job)
        if place is not None and place.user in self._turns:
            self._last += 1
            self._turns[place.user] = self._last
        return place

    def head(self, bases: Collection[str] = (), fits: Callable[[Place], bool] | None = None) -> Place | None:
        """The first job whose model is one of `bases` (none given: any) and that `fits`."""
        for place in self._in_order():
            if (not bases or place.model in bases) and (fits is None or fits(place)):
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
            self._served = self._rounds()
        return self._served

    def _rounds(self) -> list[Place]:
        own: dict[str, list[Place]] = {}
        for place in reversed(self._places):
            own.setdefault(place.user, []).append(place)
        turns = [(self._turns[user], user) for user in own]
        heapq.heapify(turns)
        served, last = [], self._last
        while turns:
            _, user = heapq.heappop(turns)
            served.append(own[user].pop())
            if own[user]:
                last += 1
                heapq.heappush(turns, (last, user))
        return served
