"""What becomes of each job and each engine, told in one place: to the log, and to whoever counts.

A job can be followed in the log by its id, from `accepted` to `delivered`. Nobody and no prompt is named.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from .engine import EngineDown, EngineUp, Fact
from .errors import Refused
from .jobs import Cancelled, Done, Failed, Job, Status
from .tickets import Run, Ticket

log = logging.getLogger(__name__)

#: Jobs whose end is remembered until they are delivered.
REMEMBERED = 10_000


class Observer:
    """Override what is of interest. Times are in seconds; nothing here waits."""

    def accepted(self, job: Job, *, cached: bool) -> None:
        """A request was taken; `cached` when an earlier picture answers it."""

    def refused(self, platform: str, error: Refused) -> None:
        """A request was not taken."""

    def started(self, run: Run, engine: str, waited: float | None) -> None:
        """An engine has it; how long it waited, None for a job of an earlier life of the bot."""

    def ended(self, ticket: Ticket, status: Status, took: float | None) -> None:
        """It is Done, Failed or Cancelled, so long after it was accepted."""

    def delivered(self, job: Job, waited: float | None, kept: str) -> None:
        """Its owner was shown the end, so long after it came; `kept` is why they could not be, else empty."""

    def heard(self, fact: Fact) -> None:
        """An engine told something."""

    def uploaded(self, *, kept: bool) -> None:
        """Somebody brought a picture, which was kept or refused."""

    def committed(self, seconds: float) -> None:
        """The database took a commit, which was on the disk after so long."""


class Journal:
    """Writes down what is told to it and hands it on to its observers, whose failures disturb nobody."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.observers: list[Observer] = []
        self._ended: OrderedDict[str, float] = OrderedDict()

    @contextlib.contextmanager
    def asking(self, platform: str) -> Iterator[None]:
        """Somebody asks for something; a refusal is noted on its way to them."""
        try:
            yield
        except Refused as error:
            log.debug("refused: %s", type(error).__name__, extra={"event": "refused", "platform": platform})
            for observer in self._each():
                with _alone():
                    observer.refused(platform, error)
            raise

    @contextlib.contextmanager
    def bringing(self) -> Iterator[None]:
        """Somebody brings a picture."""
        try:
            yield
        except Refused:
            self._uploaded(kept=False)
            raise
        self._uploaded(kept=True)

    def accepted(self, job: Job, *, cached: bool = False) -> None:
        """A request is on the disk; `cached` when an earlier picture answers it."""
        kind = type(job.request).__name__.lower()
        log.info("job %s accepted", job.id, extra=_fields("accepted", job, kind=kind))
        for observer in self._each():
            with _alone():
                observer.accepted(job, cached=cached)

    def started(self, run: Run, engine: str) -> None:
        """An engine has it."""
        ticket = run.ticket
        waited = None if ticket.accepted is None else self._monotonic() - ticket.accepted
        fields = _fields("started", ticket.job, engine=engine, attempt=run.key.attempt, seconds=_rounded(waited))
        log.info("job %s started on engine %s, attempt %d", ticket.id, engine, run.key.attempt, extra=fields)
        for observer in self._each():
            with _alone():
                observer.started(run, engine, waited)

    def ended(self, ticket: Ticket, status: Status) -> None:
        """It is Done, Failed or Cancelled."""
        now = self._monotonic()
        took = None if ticket.accepted is None else now - ticket.accepted
        self._ended[ticket.id] = now
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        match status:
            case Done(cached=True):
                event, said, level = "produced", "is answered from before", logging.INFO
            case Done(seconds=seconds):
                event, said, level = "produced", f"produced in {seconds:.1f} s", logging.INFO
            case Failed(error=error):
                event, said, level = "failed", f"failed: {error}", logging.WARNING
            case Cancelled():
                event, said, level = "cancelled", "cancelled", logging.INFO
            case _:
                return
        fields = _fields(event, ticket.job, seconds=_rounded(took))
        log.log(level, "job %s %s", ticket.id, said, extra=fields)
        for observer in self._each():
            with _alone():
                observer.ended(ticket, status, took)

    def delivered(self, job: Job, kept: str = "") -> None:
        """Its owner was shown the end; `kept` is why they could not be."""
        ended = self._ended.pop(job.id, None)
        waited = None if ended is None else self._monotonic() - ended
        event = "kept" if kept else "delivered"
        log.info("job %s %s", job.id, event, extra=_fields(event, job, seconds=_rounded(waited)))
        for observer in self._each():
            with _alone():
                observer.delivered(job, waited, kept)

    def heard(self, fact: Fact) -> None:
        """An engine told something."""
        match fact:
            case EngineUp(fingerprint=""):
                log.info("engine %s loads", fact.engine, extra={"event": "engine_loads", "engine": fact.engine})
            case EngineUp():
                fields = {"event": "engine_up", "engine": fact.engine, "boot": fact.boot}
                log.info("engine %s is up: %s", fact.engine, fact.device or "ready", extra=fields)
            case EngineDown():
                level = logging.INFO if fact.reason == "stopped" else logging.WARNING
                fields = {"event": "engine_down", "engine": fact.engine, "boot": fact.boot, "reason": fact.reason}
                log.log(level, "engine %s is down: %s", fact.engine, fact.reason, extra=fields)
        for observer in self._each():
            with _alone():
                observer.heard(fact)

    def committed(self, seconds: float) -> None:
        """The database took a commit."""
        for observer in self._each():
            with _alone():
                observer.committed(seconds)

    def _uploaded(self, *, kept: bool) -> None:
        for observer in self._each():
            with _alone():
                observer.uploaded(kept=kept)

    def _each(self) -> tuple[Observer, ...]:
        return tuple(self.observers)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Counting wrongly is no reason to paint nothing."""
    try:
        yield
    except Exception:
        log.exception("an observer failed")


def _fields(event: str, job: Job, **more: object) -> dict[str, object]:
    return {"event": event, "job": job.id, "platform": job.user.platform, **more}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
