"""What an engine promises: verbs in, facts out. This module and everything it imports is free of torch.

`key` is the fencing token `job#attempt`: running a known key again starts nothing, and a fact of an older attempt is
dropped by the reader. Every `run` ends in exactly one of Produced, Cancelled, Failed, or the EngineDown of its boot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

#: Version of the frames; an engine of this version or the one before is accepted.
PROTOCOL = 1
#: Bytes of one frame at most; pictures go by file.
FRAME_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class RunKey:
    """One attempt at one job; on the wire `job#attempt`."""

    job: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.job}#{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> RunKey:
        job, _, attempt = text.rpartition("#")
        return cls(job, int(attempt))


@dataclass(frozen=True, slots=True)
class Work:
    """A resolved request without user ids or tokens.

    `request` is `jobs.to_json` of it; `styles` maps each style name to {"path", "sha256"};
    `files` maps each ImageId that the request names to a path; `spool` is where results go.
    """

    key: RunKey
    request: Mapping[str, Any]
    styles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    #: Seconds this may take; relative, because the clocks of two hosts are not compared.
    budget: float = 600.0
    #: Generation parameters for the PNG's text chunk, empty for none.
    parameters: str = ""
    #: Whether previews are wanted.
    preview: bool = True
    #: Where a training keeps what going on needs; empty for everything else.
    folder: str = ""


@dataclass(frozen=True, slots=True)
class EngineUp:
    engine: str
    boot: str  #: changes whenever the engine process is a new one
    protocol: int
    fingerprint: str  #: part of every cache key; empty while the model still loads
    bases: tuple[str, ...]  #: models this engine can run
    vram_mb: int
    holding: tuple[RunKey, ...] = ()  #: runs it still works on or keeps the result of
    device: str = ""  #: "cpu, float32", "cuda:0 (NVIDIA H200), bfloat16"


@dataclass(frozen=True, slots=True)
class EngineDown:
    engine: str
    boot: str
    reason: str  #: crashed | hung | unreachable | stopped | replaced
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    key: RunKey
    #: Seconds from `run` to here that were spent on switching the model or styles.
    switch: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    key: RunKey
    n: int
    of: int
    preview: str | None = None  #: path of a small JPEG in the spool
    #: Of a training, as in `jobs.Running`, and "left": the seconds to go.
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """A complete, synced PNG file in the spool, or the weights of a style."""

    path: str
    sha256: str
    size: int  #: bytes
    seed: int


@dataclass(frozen=True, slots=True)
class Produced:
    key: RunKey
    pictures: tuple[Picture, ...]
    media_type: str
    seconds: float  #: of painting, without the wait
    #: Seconds of each stage: encode, switch, denoise, decode, save; what the ETA learns from.
    stages: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()  #: as in `jobs.Done`
    weights: Picture | None = None  #: of the style that was trained, a .safetensors file
    memory_mb: int = 0  #: of the GPU, the most that was taken so far


@dataclass(frozen=True, slots=True)
class Cancelled:
    key: RunKey
    at_step: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    key: RunKey
    kind: str  #: out_of_memory | bad_request | style | model | engine | deadline
    detail: str  #: one sentence for a person
    engine_ok: bool = True  #: False: the process must not be used again


Fact: TypeAlias = EngineUp | EngineDown | Started | Step | Produced | Cancelled | Failed


class EnginePool(Protocol):
    """Engines behind one door. No call blocks the event loop for more than 10 ms."""

    async def open(self) -> None:
        """Start the engines; returns at once, EngineUp tells when one is ready."""

    def facts(self) -> AsyncIterator[Fact]:
        """The one stream of facts, for one reader; ends only after `close`."""
        ...

    async def run(self, engine: str, work: Work) -> None:
        """Hand over, not finish. A known key starts nothing; its last fact is told again."""

    async def cancel(self, key: RunKey) -> None:
        """Stop before the next step; an unknown key has no effect."""

    async def release(self, key: RunKey) -> None:
        """Forget the result and delete its files; called once `produced` is committed."""

    async def restart(self, engine: str, reason: str) -> None:
        """Kill the engine process and start a new one."""

    async def close(self, grace: float) -> None:
        """Stop the engines, at most `grace` seconds for the run under way."""

    @property
    def overdue(self) -> float:
        """Seconds by which an engine at work has been silent for longer than it may; 0 when none has."""
        ...
