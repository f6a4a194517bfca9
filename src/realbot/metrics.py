"""Numbers for Prometheus, counted from outside: what the journal tells, and what can be seen when somebody asks.

No label holds a person, a prompt or a file; every label has few values. The engine's process counts nothing itself.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from . import __version__
from .engine import EngineDown, EngineUp, Fact, Produced, RunKey, Step
from .errors import Refused
from .eta import Features
from .health import STATES, Part
from .jobs import Cancelled, Done, Failed, Generate, Job, Status
from .journal import Observer
from .studio import Studio
from .tickets import Run, Ticket

#: Upper bounds in seconds: of what people wait for, of one step, and of a commit.
WAITS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
STEPS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
COMMITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
#: Sides of a square with as many pixels as a picture, rounded up.
SIDES = (256, 512, 768, 1024, 1536, 2048)
#: Styles that are counted by name; trained ones, whose names are somebody's, and further ones are counted together.
NAMED = 100
TRAINED, OTHERS = "(trained)", "(others)"


@dataclass(slots=True)
class _Attempt:
    """What is known of a run while an engine has it."""

    features: Features
    engine: str
    steps: int = 0


class Metrics(Observer):
    """Listens to a studio's journal, and looks at the studio with each `sample`."""

    def __init__(self, studio: Studio) -> None:
        self.registry = registry = CollectorRegistry()
        self._studio = studio
        self._attempts: dict[RunKey, _Attempt] = {}
        self._limits: dict[str, int] = {}
        self._names: set[str] = set()
        self._worn: dict[str, tuple[tuple[str, float], ...]] = {}
        ProcessCollector(registry=registry)

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"realbot_{name}", told, labels, registry=registry)

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            return Gauge(f"realbot_{name}", told, labels, registry=registry)

        def histogram(name: str, told: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"realbot_{name}", told, labels, buckets=buckets, registry=registry)

        self.build = gauge("build_info", "1, with the version of realbot and the model.", "version", "model")
        self.build.labels(__version__, studio.preset().name).set(1)
        self.started_at = gauge("start_time_seconds", "Unix time at which this realbot started.")
        self.started_at.set(time.time())

        self.queue_waiting = gauge("queue_waiting", "Jobs that wait for an engine.")
        self.queue_running = gauge("queue_running", "Jobs that an engine has.")
        self.accepted_jobs = counter("jobs_accepted", "Requests that were taken.", "platform", "kind")
        self.jobs = counter("jobs", "Jobs that ended painted, cached, failed or cancelled.", "platform", "outcome")
        self.failures = counter("failures", "Jobs that failed, by the class of the error.", "error")
        self.refusals = counter("refusals", "Requests that were refused, and why.", "platform", "reason")
        self.wait = histogram("wait_seconds", "From acceptance to the start of painting.", WAITS)
        self.total = histogram("job_seconds", "From acceptance to the picture.", WAITS, "platform")
        self.step = histogram("step_seconds", "One step of denoising, by model and size.", STEPS, "model", "size")
        self.stage = counter("stage_seconds", "Seconds that each stage of painting took.", "model", "stage")
        self.eta = counter("eta", "Arrival times that were shown, by whether the picture came within.", "within")
        self.eta_error = histogram("eta_error_seconds", "Distance from the middle of the time shown.", WAITS)
        self.switches = counter("style_switches", "Runs that put other styles into the model.")
        self.switching = counter("style_switch_seconds", "Seconds spent on putting styles into the model.")
        self.styles = counter("style_uses", "Pictures with a style; those that people trained are one.", "style")
        self.cache = counter("cache", "Requests by whether an earlier picture answered them.", "result")
        self.uploads = counter("uploads", "Pictures that people brought, kept or refused.", "outcome")

        self.deliveries = counter("deliveries", "Ends of jobs that people were shown, or not.", "platform", "outcome")
        self.delivery = histogram("delivery_seconds", "From the end of a job until it was shown.", WAITS, "platform")
        self.limited = counter("rate_limited", "Answers of a platform that wanted to be left alone.", "platform")
        self.connected = gauge("front_connected", "1 while a front-end does its work.", "platform")

        self.engine_up = gauge("engine_up", "1 while an engine is ready.", "engine")
        self.engine_starts = counter("engine_starts", "Engines that became ready.", "engine")
        self.engine_ends = counter("engine_ends", "Engines that ended, by the reason.", "engine", "reason")
        self.memory = gauge("engine_memory_bytes", "GPU memory of an engine, total and peak.", "engine", "of")

        self.commit = histogram("store_commit_seconds", "One commit of the database, with its fsync.", COMMITS)
        self.lag = gauge("loop_lag_seconds", "The longest that the event loop stood still since the last look.")
        self.free = gauge("disk_free_bytes", "Room on the disk of the data folder.")
        self.backup_age = gauge("backup_age_seconds", "Age of the last good copy of the data; NaN when there is none.")
        self.part = gauge("part", "1 for the state that a part is in: well, poor, unready or stuck.", "part", "state")

        # What was never counted can be told from what is not known.
        for platform in ("discord", "telegram", "web"):
            for outcome in ("delivered", "kept"):
                self.deliveries.labels(platform, outcome)
            self.limited.labels(platform)
        for result in ("hit", "miss"):
            self.cache.labels(result)
        for within in ("yes", "no"):
            self.eta.labels(within)
        studio.journal.observers.append(self)

    # What is told

    def accepted(self, job: Job, *, cached: bool) -> None:
        self.accepted_jobs.labels(job.user.platform, type(job.request).__name__.lower()).inc()
        if isinstance(job.request, Generate):
            for use in job.request.styles:
                self.styles.labels(self._named(use.name)).inc()

    def refused(self, platform: str, error: Refused) -> None:
        self.refusals.labels(platform, type(error).__name__).inc()

    def started(self, run: Run, engine: str, waited: float | None) -> None:
        self._attempts[run.key] = _Attempt(run.ticket.features, engine)
        # A job that gives way, or whose engine is lost, was waited for already.
        if waited is not None and run.key.attempt == 1:
            self.wait.observe(waited)

    def ended(self, ticket: Ticket, status: Status, took: float | None) -> None:
        platform = ticket.job.user.platform
        match status:
            case Done(cached=cached):
                self.jobs.labels(platform, "cached" if cached else "painted").inc()
                self.cache.labels("hit" if cached else "miss").inc()
                if took is not None:
                    self.total.labels(platform).observe(took)
                    self._judge(ticket, took, cached=cached)
            case Failed(error=error):
                self.jobs.labels(platform, "failed").inc()
                self.failures.labels(error).inc()
            case Cancelled():
                self.jobs.labels(platform, "cancelled").inc()
        for key in [key for key in self._attempts if key.job == ticket.id]:
            del self._attempts[key]

    def delivered(self, job: Job, waited: float | None, kept: str) -> None:
        platform = job.user.platform
        self.deliveries.labels(platform, "kept" if kept else "delivered").inc()
        if waited is not None and not kept:
            self.delivery.labels(platform).observe(waited)

    def heard(self, fact: Fact) -> None:
        match fact:
            case EngineUp():
                ready = fact.fingerprint != ""
                self.engine_up.labels(fact.engine).set(ready)
                if ready:
                    self.engine_starts.labels(fact.engine).inc()
                    self.memory.labels(fact.engine, "total").set(fact.vram_mb << 20)
            case EngineDown():
                self.engine_up.labels(fact.engine).set(0)
                self._worn.pop(fact.engine, None)
                self.engine_ends.labels(fact.engine, fact.reason).inc()
            case Step(key, _, of) if key in self._attempts:
                self._attempts[key].steps = of
            case Produced(key) if key in self._attempts:
                self._produced(fact, self._attempts.pop(key))

    def uploaded(self, *, kept: bool) -> None:
        self.uploads.labels("kept" if kept else "refused").inc()

    def committed(self, seconds: float) -> None:
        self.commit.observe(seconds)

    def _produced(self, fact: Produced, attempt: _Attempt) -> None:
        features = attempt.features
        for stage, seconds in fact.stages.items():
            self.stage.labels(features.model, stage).inc(seconds)
        if attempt.steps and (denoise := fact.stages.get("denoise")):
            self.step.labels(features.model, _size(features.pixels)).observe(denoise / attempt.steps)
        if features.styles != self._worn.get(attempt.engine, ()):
            self._worn[attempt.engine] = features.styles
            self.switches.inc()
            self.switching.inc(fact.stages.get("switch", 0.0))
        if fact.memory_mb:
            self.memory.labels(attempt.engine, "peak").set(fact.memory_mb << 20)

    def _judge(self, ticket: Ticket, took: float, *, cached: bool) -> None:
        if cached or ticket.promised is None:
            return
        low, high = ticket.promised.low, ticket.promised.high
        # No range is shown below a second.
        took = max(took, 1.0)
        self.eta.labels("yes" if low <= took <= high else "no").inc()
        self.eta_error.observe(abs(took - (low + high) / 2))

    def _named(self, style: str) -> str:
        if self._studio.learnt(style):
            return TRAINED
        if style not in self._names and len(self._names) >= NAMED:
            return OTHERS
        self._names.add(style)
        return style

    # What can be seen

    async def look(self) -> list[Part]:
        """Ask how the parts are, in the event loop, and note it."""
        parts = await self._studio.health.parts()
        self.show(parts)
        return parts

    async def sample(self) -> list[Part]:
        """Look at everything, as `look`. What is counted since the last look begins anew, so only a scrape asks."""
        parts = await self.look()
        waiting, running = self._studio.line()
        self.queue_waiting.set(waiting)
        self.queue_running.set(running)
        self.lag.set(self._studio.health.probe.worst())
        for front in self._studio.health.fronts:
            self.connected.labels(front.platform).set(not front.away)
            before = self._limits.get(front.platform, 0)
            self.limited.labels(front.platform).inc(max(0, front.limited - before))
            self._limits[front.platform] = front.limited
        self.free.set(self._studio.health.free)
        last = self._studio.upkeep.last_backup
        self.backup_age.set(math.nan if last is None else max(0.0, time.time() - last))
        return parts

    def show(self, parts: list[Part]) -> None:
        """Note how the parts are."""
        for part in parts:
            for state in STATES:
                self.part.labels(part.name, state).set(part.state == state)

    def text(self) -> bytes:
        """Everything in Prometheus' format."""
        return generate_latest(self.registry)


def _size(pixels: int) -> str:
    """The side of a square with so many pixels, as one of a few."""
    side = math.isqrt(max(pixels - 1, 0)) + 1
    return next((str(most) for most in SIDES if side <= most), "larger")
