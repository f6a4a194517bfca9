"""What is on its way: a ticket for each accepted job, a run for each attempt, a bench for each engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .engine import EngineDown, EngineUp, RunKey, Work
from .engine.models import fingerprint
from .eta import Features
from .jobs import Eta, Generate, Job, Request, Train
from .queue import Place

Notes: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that the dispatcher waits."""

    reattach: float = 30.0  #: for a lost engine to say what it still holds
    disk: float = 2.0  #: before a write that the disk did not take is repeated
    sick: float = 30.0  #: before an engine gets work again that died under everything


@dataclass(slots=True, eq=False)
class Ticket:
    """An accepted job that has not ended. Times are monotonic, in seconds."""

    job: Job
    request: Request
    seq: int
    attempt: int = 0  #: the last one that was handed out
    deaths: int = 0  #: engines that died under it
    spoiled: int = 0  #: results that could not be used
    notes: Notes = ()
    #: Jobs with the same question share one picture; an empty one is never shared.
    question: str = ""
    asked_key: str = ""
    pixels: int = 0  #: of an enlarged picture, or of what is learnt from in one step
    promised: Eta | None = None
    accepted: float | None = None  #: None for a job of an earlier life of the bot
    run: Run | None = None
    person: str = ""  #: whose turn it is; empty: of the account alone
    #: Whoever sets it decides the end: the picture or the cancellation, never both.
    ended: bool = False

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def place(self) -> Place:
        model = self.request.model or "" if isinstance(self.request, Generate) else ""
        return Place(self.seq, self.id, self.person or self.job.user.key, model, self.idle)

    @property
    def idle(self) -> bool:
        """Whether it is worked on only while nobody waits for a picture."""
        return isinstance(self.request, Train)

    @property
    def features(self) -> Features:
        return Features.of(self.request, self.pixels)


@dataclass(slots=True, eq=False)
class Run:
    """One attempt, from the moment it leaves the line until its engine is free again."""

    ticket: Ticket
    key: RunKey
    boot: str  #: of the engine that got it
    work: Work | None = None  #: None until the pool has it
    fingerprint: str = ""  #: of the engine and the styles
    step: int = 0
    started: float | None = None
    left: float | None = None  #: seconds to go, where the engine says so
    preview: str | None = None  #: of a training, which has a new one only now and then
    yielding: bool = False  #: it was told to give way


@dataclass(slots=True, eq=False)
class Bench:
    """One engine and what it works on."""

    name: str
    up: EngineUp | None = None
    boot: str = ""
    down: EngineDown | None = None
    run: Run | None = None
    styles: tuple[tuple[str, float], ...] = ()  #: of the last run, which a next one like it need not load

    @property
    def ready(self) -> bool:
        return self.up is not None and self.up.fingerprint != ""


def printed(engine: str, styles: dict[str, str]) -> str:
    """What besides the request decides the bytes: the engine's fingerprint and the sha256 of each style."""
    return fingerprint({"engine": engine, "styles": styles})
