"""A studio in memory for front-end tests: the same verbs, pictures drawn with Pillow, steps at the test's command."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

from PIL import Image, ImageDraw

from realbot.errors import Invalid, NotYours, QueueFull, Refused
from realbot.jobs import (
    SEEDS,
    Board,
    Cancelled,
    Done,
    Eta,
    Failed,
    Generate,
    Job,
    Origin,
    Request,
    Running,
    User,
    Waiting,
    is_final,
)

PRESET = SimpleNamespace(
    name="mini",
    family="flux",
    width=128,
    height=128,
    steps=4,
    guidance=3.0,
    max_tokens=32,
    min_side=64,
    max_side=256,
    cfg="embedded",
    true_cfg=2.0,
)
STYLES = [
    SimpleNamespace(name="ink", title="Ink", trigger="", description="Line art in black", family="flux"),
    SimpleNamespace(
        name="realism", title="Realism", trigger="", description="Shaded, three-dimensional", family="flux"
    ),
]
LIMITS = SimpleNamespace(
    max_steps=100,
    min_side=64,
    max_side=2048,
    max_count=4,
    max_guidance=30.0,
    max_prompt=2000,
    max_styles=5,
    max_weight=2.0,
)


@dataclass(frozen=True)
class Entry:
    """A picture of the past, as `history` lists it."""

    id: str
    request: Request
    images: tuple[str, ...]
    seed: int
    seconds: float
    created: float
    state: str = "delivered"
    favourite: bool = False
    error: str = ""
    cached: bool = False
    notes: tuple = ()


@dataclass
class FakeStudio:
    """`step` is the pace in seconds; hold `gate` to keep jobs waiting; set `break_with` to fail the next job."""

    folder: Path
    step: float = 0.01
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    break_with: Failed | None = None
    refuse_with: Refused | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    line_of: list[Job] = field(default_factory=list)
    handed_over: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.gate.set()
        self._wake = asyncio.Event()
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> FakeStudio:
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def submit(self, user: User, request: Request, origin: Origin, *, dedup: str | None = None) -> Job:
        if self.refuse_with is not None:
            raise self.refuse_with
        assert isinstance(request, Generate)
        if (request.steps or 1) > LIMITS.max_steps:
            raise Invalid(f"steps:{request.steps} is outside 1 to {LIMITS.max_steps}.", word=f"steps:{request.steps}")
        if sum(job.user == user for job in self.line_of) >= 5:
            raise QueueFull
        resolved = replace(
            request,
            width=request.width or PRESET.width,
            height=request.height or PRESET.height,
            steps=request.steps or PRESET.steps,
            guidance=PRESET.guidance if request.guidance is None else request.guidance,
            scheduler=request.scheduler or "euler",
            model="mini",
        )
        earlier = next(
            (
                e
                for e in self.entries
                if self._owner[e.id] == user.key and replace(e.request, seed=request.seed) == resolved
            ),
            None,
        )
        if request.seed is None:
            resolved = replace(resolved, seed=secrets.randbelow(SEEDS) if earlier is None else earlier.seed)
        name = f"job{next(self._numbers)}"
        status = Waiting(len(self.line_of) + 1, Eta(8.0, 14.0))
        job = Job(name, user, resolved, origin, time.time(), Board(status))
        self.jobs[name] = job
        if earlier is not None and (request.seed is None or request.seed == earlier.seed):
            job.board.post(Done(earlier.images, earlier.seed, earlier.seconds, cached=True))
            return job
        self.line_of.append(job)
        self._wake.set()
        return job

    @property
    def _owner(self) -> dict[str, str]:
        return {name: job.user.key for name, job in self.jobs.items()}

    async def cancel(self, user: User, job_id: str) -> bool:
        job = self.job(user, job_id)
        if is_final(job.status):
            return False
        job.board.post(Cancelled())
        if job in self.line_of:
            self.line_of.remove(job)
        return True

    def job(self, user: User, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        if job is None or job.user.key != user.key:
            raise NotYours
        return job

    async def history(self, user: User, limit: int = 20, before: object = None, search: str = "") -> list[Entry]:
        mine = [e for e in self.entries if self._owner[e.id] == user.key and search in e.request.prompt]
        return sorted(mine, key=lambda e: -e.created)[:limit]

    async def picture(self, user: User, image: str) -> Path:
        if not any(image in e.images and self._owner[e.id] == user.key for e in self.entries):
            raise NotYours
        return self.folder / f"{image}.png"

    async def forget(self, user: User, job_id: str) -> None:
        self.job(user, job_id)
        self.entries = [e for e in self.entries if e.id != job_id]

    async def favourite(self, user: User, job_id: str, on: bool) -> None:
        self.job(user, job_id)
        self.entries = [replace(e, favourite=on) if e.id == job_id else e for e in self.entries]

    def pending(self, platform: str) -> list[Job]:
        return [j for j in self.jobs.values() if j.user.platform == platform and j.id not in self.handed_over]

    async def delivering(self, job_id: str) -> None:
        pass

    async def delivered(self, job_id: str) -> None:
        self.handed_over.add(job_id)

    async def kept(self, job_id: str, reason: str) -> None:
        self.handed_over.add(job_id)

    def styles(self) -> list[SimpleNamespace]:
        return STYLES

    def preset(self) -> SimpleNamespace:
        return PRESET

    def schedulers(self) -> tuple[str, ...]:
        return ("euler", "dpm++2m", "unipc")

    async def entry(self, user: User, job_id: str) -> Entry:
        job = self.job(user, job_id)
        return next((e for e in self.entries if e.id == job_id), Entry(job_id, job.request, (), 0, 0.0, 0.0))

    def limits(self, user: User) -> SimpleNamespace:
        return LIMITS

    def engine(self) -> SimpleNamespace:
        return SimpleNamespace(up=True, device="cpu, float32", loading=False, reason="")

    def line(self) -> tuple[int, int]:
        running = sum(isinstance(job.status, Running) for job in self.line_of)
        return len(self.line_of) - running, running

    async def _work(self) -> None:
        while True:
            await self.gate.wait()
            if not self.line_of:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._paint(self.line_of[0])

    async def _paint(self, job: Job) -> None:
        request = job.request
        assert isinstance(request, Generate)
        started = time.monotonic()
        for step in range(request.steps + 1):
            if is_final(job.status):
                return
            preview = self.folder / f"{job.id}-{step}.jpg"
            draw(request, 64).convert("RGB").save(preview)
            left = (request.steps - step) * self.step
            job.board.post(Running(step, request.steps, Eta(left, left + 2), str(preview) if step else None))
            await asyncio.sleep(self.step)
        if is_final(job.status):
            return
        self.line_of.remove(job)
        if self.break_with is not None:
            failure, self.break_with = self.break_with, None
            job.board.post(failure)
            return
        images = []
        for index in range(request.count):
            temporary = self.folder / "picture.png"
            draw(replace(request, seed=(request.seed or 0) + index), 1).save(temporary)
            digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
            temporary.rename(self.folder / f"{digest}.png")
            images.append(digest)
        seconds = time.monotonic() - started
        self.entries.append(Entry(job.id, request, tuple(images), request.seed or 0, seconds, time.time()))
        job.board.post(Done(tuple(images), request.seed or 0, seconds))


def draw(request: Generate, blur: int) -> Image.Image:
    """A disc of a colour that the seed chooses on the background that the prompt names; `blur` > 1 is a preview."""
    words = request.prompt.split()
    background = next(
        (w for w in reversed(words) if w in ("blue", "yellow", "purple", "orange", "green", "white")), "teal"
    )
    picture = Image.new("RGB", (request.width or 128, request.height or 128), background)
    seed = request.seed or 0
    box = [request.width * 0.2, request.height * 0.2, request.width * 0.8, request.height * 0.8]
    ImageDraw.Draw(picture).ellipse(box, fill=(200, seed % 200, seed // 200 % 200))
    return picture.resize((max(picture.width // 2, 1), max(picture.height // 2, 1))) if blur > 1 else picture
