"""Trains styles for the painter on its loaded model, one at a time, and gives way to pictures at any moment.

A training that gave way stays in memory and goes on where it was; after a crash it goes on from its checkpoint.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from realbot.engine import Fact, Picture, Step, Work, metrics
from realbot.engine.lessons import Lesson
from realbot.engine.loading import Loaded
from realbot.engine.stages import Stages
from realbot.engine.train import Trainer
from realbot.errors import Invalid
from realbot.jobs import Train
from realbot.training import FEWEST, Example, Progress, course_of

#: Seconds between two signs of life where no step is told, and between two charts.
_SIGN, _CHART = 1.0, 10.0


class GaveWay(Exception):
    """The training was told to stop; it goes on from `step` when it is asked for again."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class Teacher:
    """For the thread that paints. No style may be merged while it teaches."""

    def __init__(self, loaded: Loaded, stages: Stages) -> None:
        self._loaded, self._stages = loaded, stages
        self._trainer: Trainer | None = None
        self._folder = Path()
        self._memory: dict[Example, Lesson] = {}

    def forget(self) -> None:
        """Free the memory of a training that nobody goes on with: its folder is gone."""
        if self._memory and not self._folder.exists():
            self._trainer, self._memory = None, {}

    def teach(
        self,
        work: Work,
        request: Train,
        stopped: Callable[[], bool],
        tell: Callable[[Fact], None],
        shown: Callable[[], Path],
    ) -> Trainer:
        """Train to the end. `shown` gives the path of the next preview.

        Raises GaveWay soon after `stopped` says so, Invalid, and what the trainer raises.
        """
        telling = _Telling(work, request.steps, tell)

        def interrupted() -> bool:
            telling.sign()
            return stopped()

        def between() -> None:
            if interrupted():
                raise GaveWay(0)

        def on_step(progress: Progress) -> bool:
            telling.step(progress, trainer, shown)
            return not stopped()

        trainer = self._opened(work, request, between)
        telling.n = trainer.step
        if trainer.run(on_step, interrupted) == "paused":
            raise GaveWay(trainer.step)
        self._trainer, self._memory = None, {}
        return trainer

    def _opened(self, work: Work, request: Train, between: Callable[[], None]) -> Trainer:
        if not work.folder:
            raise Invalid("The engine was told of no folder to train in.")
        folder = Path(work.folder)
        if folder != self._folder:
            self._trainer, self._folder, self._memory = None, folder, {}
        folder.mkdir(parents=True, exist_ok=True)
        if self._trainer is None:
            captions = request.captions or (request.trigger,) * len(request.images)
            try:
                examples = [
                    Example(Path(work.files[image]), caption, image)
                    for image, caption in zip(request.images, captions, strict=True)
                ]
            except (KeyError, ValueError) as error:
                raise Invalid("The pictures to learn from are not on this engine.") from error
            if len(examples) < FEWEST:
                raise Invalid("A style needs at least {least} different pictures.", least=FEWEST)
            course = course_of(request, self._loaded.preset.name)
            self._trainer = Trainer(
                self._loaded, self._stages, course, examples, folder, memory=self._memory, between=between
            )
        return self._trainer


class _Telling:
    """What is told of a training on its way."""

    def __init__(self, work: Work, steps: int, tell: Callable[[Fact], None]) -> None:
        self.n = 0
        self._work, self._steps, self._tell = work, steps, tell
        self._told = self._charted = time.monotonic()

    def sign(self) -> None:
        """The engine is alive, although no step was taken."""
        if time.monotonic() - self._told >= _SIGN:
            self._send(Step(self._work.key, self.n, self._steps))

    def step(self, progress: Progress, trainer: Trainer, shown: Callable[[], Path]) -> None:
        """A step was taken; with a new grid, or every few seconds, there is a new picture of how it goes."""
        self.n, preview = progress.step, None
        if self._work.preview and (progress.preview is not None or time.monotonic() - self._charted >= _CHART):
            self._charted, preview = time.monotonic(), shown()
            board(trainer).convert("RGB").save(preview, "JPEG", quality=88)
        numbers = {
            "loss": progress.loss,
            "smoothed": progress.smoothed,
            "rate": progress.rate,
            "speed": progress.speed,
            "left": progress.seconds,
        }
        if progress.validation is not None:
            numbers["validation"] = progress.validation
        self._send(Step(self._work.key, self.n, self._steps, str(preview) if preview else None, numbers))

    def _send(self, fact: Step) -> None:
        self._told = time.monotonic()
        self._tell(fact)


def board(trainer: Trainer) -> Image.Image:
    """The chart of a training, and below it the latest grid of samples."""
    grids = sorted(trainer.folder.glob("samples-*.png"))
    return metrics.board(trainer.rows, trainer.course.style, grids[-1] if grids else None)


def weights(trainer: Trainer, path: Path) -> Picture:
    """The style that was learnt, as a LoRA file at `path`."""
    data = trainer.export(path).read_bytes()
    return Picture(str(path), hashlib.sha256(data).hexdigest(), len(data), trainer.course.seed)
