"""Whose fault it is when an engine dies: the job's or the engine's own. Pure bookkeeping.

A job that killed the engine twice is set aside until another job comes through: then it was the job. When other
jobs die as well, it is the engine, and nobody is blamed.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["again", "aside", "sick"]

#: Deaths after which a job is not tried again.
DEATHS = 2
#: Different jobs that must die one after another until the engine itself is to blame.
WITNESSES = 3


class Suspects:
    """Jobs under which an engine died, in a row without one picture in between."""

    def __init__(self) -> None:
        self._deaths: dict[str, int] = {}
        self._row: list[str] = []

    def load(self, job: str, deaths: int) -> None:
        """A job that comes with a past."""
        if deaths:
            self._deaths[job] = deaths

    def died(self, job: str) -> Verdict:
        """An engine died under this job.

        "again": back to its place; "aside": another job first; "sick": too many different ones, so nobody is blamed
        and the engine needs a pause.
        """
        self._deaths[job] = self._deaths.get(job, 0) + 1
        if job not in self._row:
            self._row.append(job)
        if len(self._row) >= WITNESSES:
            for one in self._row:
                self._deaths.pop(one, None)
            self._row.clear()
            return "sick"
        return "aside" if self._deaths[job] >= DEATHS else "again"

    def survived(self, job: str) -> None:
        """A picture came out: the engine is sound."""
        self._deaths.pop(job, None)
        self._row.clear()

    def forget(self, job: str) -> None:
        """The job has ended."""
        self._deaths.pop(job, None)
        if job in self._row:
            self._row.remove(job)
