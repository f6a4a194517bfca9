"""Training of a LoRA style on a loaded model, step by step: it can pause after any and go on as if it had not.

All chance follows from the seed and the number of the step, so a checkpoint holds the weights, the optimizer and
where it was, and nothing else. The base model is the same before and after, bit by bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from PIL import Image

from realbot.engine import checkpoint, metrics, models
from realbot.engine.lessons import Lesson, Lessons
from realbot.engine.loading import Loaded
from realbot.engine.lowrank import LowRank
from realbot.engine.objectives import Batch, Objective
from realbot.engine.stages import Stages
from realbot.errors import ConfigError, EngineError, Invalid, OutOfMemory
from realbot.jobs import Generate
from realbot.training import Course, Example, OnStep, Progress, digest

#: Steps in which the learning rate rises at most, its share at the end, and the longest gradient that is followed.
_RISE, _END, _LONGEST = 50, 0.1, 1.0
#: Samples in a grid.
_SAMPLES = 4
#: Loss scale of a model in float16, and good steps after which it doubles.
_SCALE, _PATIENT = 2.0**10, 200

#: "paused" can go on; "stopped" found no better one for long; "finished" took every step.
Ending: TypeAlias = Literal["finished", "stopped", "paused"]


@dataclass(slots=True)
class _Place:
    """How far a training is: what a checkpoint holds besides tensors."""

    step: int = 0
    best: float | None = None  #: the least validation loss
    best_step: int = 0
    worse: int = 0  #: looks since
    scale: float = 1.0  #: of the loss, for gradients in float16
    good: int = 0  #: steps since the scale changed
    owes: bool = False  #: the look at samples and held-out pictures that is due after this step
    spent: float = 0.0  #: seconds


class _Interrupted(Exception):
    """What was being looked at is looked at again later."""


class Trainer:
    """One training on one loaded model, for one thread. No style may be merged while it runs."""

    def __init__(
        self,
        loaded: Loaded,
        stages: Stages,
        course: Course,
        examples: Sequence[Example],
        folder: Path,
        *,
        memory: dict[Example, Lesson] | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Encodes the pictures; goes on from the checkpoint in `folder` if there is one.

        `memory` and `between` are those of `Lessons`. Raises ConfigError when this model cannot be trained as it is
        loaded, Invalid when the checkpoint is of another training.
        """
        if loaded.mergeable or "offload group" in loaded.label:
            raise ConfigError(
                "A style cannot be trained with engine.quantize, nor with engine.offload = sequential or group;"
                " set both to none.",
                key="engine.quantize" if "quantize" in loaded.mergeable else "engine.offload",
            )
        self._loaded, self._stages, self.course, self.folder = loaded, stages, course, folder
        self._pictures = digest(examples)
        family = models.FAMILIES[loaded.preset.family]
        self._denoiser: Any = getattr(loaded.pipeline, family.denoiser)
        self._style = LowRank(self._denoiser, family.name, course.rank, course.alpha, course.seed)
        self._objective = Objective(loaded)
        self.lessons = Lessons(loaded, stages, course, examples, memory=memory, between=between)
        self._held_out = self.lessons.validation()
        self._optimizer: torch.optim.AdamW | None = None
        self._best: dict[str, torch.Tensor] = {}
        self._place = _Place(scale=_SCALE if loaded.dtype == torch.float16 else 1.0)
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        self._metrics = metrics.Metrics(folder / "metrics.csv", self._place.step if self._place.step else -1)
        #: The loss of the held-out pictures at the last look.
        self._latest = next((r.validation for r in reversed(self._metrics.rows) if r.validation is not None), None)

    @property
    def step(self) -> int:
        """Steps that were taken."""
        return self._place.step

    @property
    def spent(self) -> float:
        """Seconds that it was at work, up to the last pause."""
        return self._place.spent

    @property
    def rows(self) -> list[metrics.Row]:
        """What was measured after each step."""
        return self._metrics.rows

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def run(self, on_step: OnStep, interrupted: Callable[[], bool] = lambda: False) -> Ending:
        """Take steps until the last one, or until `on_step` says False, after which it can be called again.

        A look at samples or held-out pictures ends early when `interrupted`, which it asks every while, says True;
        that pauses, and the look is made before anything else when it goes on. Raises EngineError when the loss is no
        number any more, OutOfMemory, and whatever `on_step` raises; the last checkpoint stays.
        """
        try:
            with self._attached():
                began = time.monotonic()
                ending = self._steps(on_step, interrupted)
                self._place.spent += time.monotonic() - began
                self._save()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                "The training did not fit into the memory of the device; a batch of 1 or engine.offload = model may."
            ) from error
        self._draw()
        return ending

    def seconds(self) -> float:
        """How long the steps that are left will take, from two that are thrown away."""
        batch = self.lessons.batch(self._place.step * self.course.accumulation)
        spent = []
        with self._attached():
            for _ in range(2):
                began = time.monotonic()
                self._losses(batch).backward()
                self._clear()
                self._synchronize()
                spent.append(time.monotonic() - began)
        looks = (self.course.steps - self.step) / self.course.validate_every * len(self._held_out) / 3
        return spent[-1] * ((self.course.steps - self.step) * self.course.accumulation + looks)

    def export(self, path: Path) -> Path:
        """Write the style as it was at its best, else as it is now, as a LoRA file."""
        weights = self.weights()
        weights = self._best or weights
        steps = self._place.best_step if self._best else self._place.step
        checkpoint.export(path, weights, loaded=self._loaded, course=self.course, pictures=self._pictures, steps=steps)
        return path

    def weights(self) -> dict[str, torch.Tensor]:
        """The matrices as they are now, in float32 on the CPU."""
        if self._optimizer is None:
            with self._attached():
                pass
        return {name: weight.detach().float().cpu().clone() for name, weight in self._style.weights.items()}

    def _steps(self, on_step: OnStep, interrupted: Callable[[], bool]) -> Ending:
        course, place = self.course, self._place
        began, first, grid = time.monotonic(), place.step, None
        try:
            if place.step == 0 and not self._metrics.rows:
                self._metrics.add(metrics.Row(0, validation=self._validated(interrupted)))
            if place.owes:
                grid, found = self._look(interrupted)
                self._metrics.add(metrics.Row(place.step, validation=found))
            while place.step < course.steps:
                if course.patience and place.worse >= course.patience:
                    return "stopped"
                started = time.monotonic()
                loss = self._step()
                taken = time.monotonic() - started
                smoothed = self._metrics.smoothed(loss)
                speed = course.batch * course.accumulation / max(taken, 1e-9)
                row = metrics.Row(place.step, loss, smoothed, None, self._rate(), round(speed, 2))
                place.owes = self._due(course.validate_every) or self._due(course.sample_every)
                if place.owes:
                    try:
                        grid, found = self._look(interrupted)
                    except _Interrupted:
                        self._metrics.add(row)
                        raise
                    row = replace(row, validation=found)
                self._metrics.add(row)
                if place.step % course.save_every == 0:
                    self._save()
                    self._draw()
                each = (time.monotonic() - began) / (place.step - first)
                progress = Progress(
                    step=place.step,
                    steps=course.steps,
                    loss=loss,
                    smoothed=smoothed,
                    rate=self._rate(),
                    speed=speed,
                    seconds=each * (course.steps - place.step),
                    validation=self._latest,
                    preview=grid,
                )
                grid = None
                if not on_step(progress) and place.step < course.steps:
                    return "paused"
        except _Interrupted:
            return "paused"
        return "finished"

    def _due(self, every: int) -> bool:
        return self.step == self.course.steps or not self.step % every

    def _look(self, interrupted: Callable[[], bool]) -> tuple[Path | None, float | None]:
        """What is due after this step: a grid of samples, and the loss of the held-out pictures."""
        # The grid goes first: to draw it twice after an interruption changes nothing.
        grid = self._sample(interrupted) if self._due(self.course.sample_every) else None
        found = self._validated(interrupted) if self._due(self.course.validate_every) else None
        self._place.owes = False
        return grid, found

    def _step(self) -> float:
        """Learn from the next batches; their loss."""
        course, place = self.course, self._place
        total = 0.0
        for micro in range(course.accumulation):
            loss = self._losses(self.lessons.batch(place.step * course.accumulation + micro)) / course.accumulation
            (loss * place.scale).backward()
            total += loss.item()
        if not math.isfinite(total):
            raise EngineError(
                f"The training came to numbers that are none (NaN) at step {place.step + 1}; a smaller learning rate"
                " may help."
            )
        optimizer = self._optimizer
        assert optimizer is not None
        parameters = list(self._style.weights.values())
        if place.scale != 1:
            for parameter in parameters:
                assert parameter.grad is not None
                parameter.grad.div_(place.scale)
        length = torch.nn.utils.clip_grad_norm_(parameters, _LONGEST)
        if place.scale != 1 and not bool(torch.isfinite(length)):
            place.scale, place.good = max(place.scale / 2, 2.0**-10), 0
        else:
            for group in optimizer.param_groups:
                group["lr"] = self._rate(place.step + 1)
            optimizer.step()
            place.good += 1
            if self._loaded.dtype == torch.float16 and place.good >= _PATIENT:
                place.scale, place.good = place.scale * 2, 0
        self._clear()
        place.step += 1
        self._synchronize()
        return total

    def _losses(self, batch: Batch) -> torch.Tensor:
        with torch.enable_grad():
            return self._objective.losses(batch).mean()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _validated(self, interrupted: Callable[[], bool]) -> float | None:
        """The mean loss of the held-out pictures; the best weights are remembered."""
        if not self._held_out:
            return None
        losses = []
        for batch in self._held_out:
            if interrupted():
                raise _Interrupted
            losses.append(self._objective.losses(batch))
        found = self._latest = torch.cat(losses).mean().item()
        place = self._place
        if place.best is None or found < place.best:
            place.best, place.best_step, place.worse = found, place.step, 0
            if place.step:
                self._best = self.weights()
        else:
            place.worse += 1
        return self._latest

    def _rate(self, step: int | None = None) -> float:
        """The learning rate of a step: it rises for a little and falls along a cosine."""
        step = self._place.step if step is None else step
        rise = max(1, min(_RISE, self.course.steps // 10))
        if step < rise:
            return self.course.rate * step / rise
        share = (step - rise) / max(1, self.course.steps - rise)
        return self.course.rate * (_END + (1 - _END) * (1 + math.cos(math.pi * share)) / 2)

    def _sample(self, interrupted: Callable[[], bool]) -> Path:
        """A grid of pictures in the style, always of the same prompts and seeds."""
        seen: dict[str, None] = dict.fromkeys(
            lesson.caption for lesson in (*self.lessons.held_out, *self.lessons.learnt)
        )
        # Pictures that are called the same are asked for with several seeds.
        captions = (list(seen) * _SAMPLES)[:_SAMPLES]

        def on_step(_n: int, _clean: object) -> None:
            if interrupted():
                raise _Interrupted

        images: list[Image.Image] = []
        for index, caption in enumerate(captions):
            asked = Generate(prompt=caption, seed=self.course.seed + index)
            request, _ = models.resolve(asked, self._loaded.preset)
            conditioning = self._stages.encode(request)
            latents = self._stages.denoise(request, conditioning, self.course.seed + index, on_step)
            images.append(self._stages.decode(latents))
        path = self.folder / f"samples-{self._place.step:06}.png"
        metrics.grid(images, captions, f"{self.course.style}, step {self._place.step}", path)
        return path

    def _draw(self) -> None:
        metrics.chart(self._metrics.rows, self.course.style, self.folder / "chart.png")

    @contextmanager
    def _attached(self) -> Iterator[None]:
        with self._style.attached(self.course.recompute):
            if self._optimizer is None:
                weights = list(self._style.weights.values())
                fused = self._loaded.device.type in ("cpu", "cuda")
                self._optimizer = torch.optim.AdamW(weights, self.course.rate, weight_decay=0.01, fused=fused)
                self._restore()
            yield

    def _clear(self) -> None:
        for weight in self._style.weights.values():
            weight.grad = None

    def _save(self) -> None:
        """A checkpoint in the place of the one before."""
        tensors = {f"weight/{name}": weight for name, weight in self._style.weights.items()}
        tensors |= {f"best/{name}": weight for name, weight in self._best.items()}
        assert self._optimizer is not None
        for name, weight in self._style.weights.items():
            for key, value in self._optimizer.state.get(weight, {}).items():
                tensors[f"{key}/{name}"] = value
        place = {name: getattr(self._place, name) for name in _Place.__slots__}
        told = {"place": place, "course": self.course.digest, "pictures": self._pictures,
                "model": self._loaded.revision}  # fmt: skip
        checkpoint.save(self.checkpoint, tensors, told)

    def _resume(self) -> None:
        self._saved: dict[str, torch.Tensor] = {}
        if not self.checkpoint.exists():
            return
        tensors, told = checkpoint.load(self.checkpoint)
        for key, here, what in (
            ("course", self.course.digest, "settings"),
            ("pictures", self._pictures, "pictures"),
            ("model", self._loaded.revision, "model"),
        ):
            if told.get(key) != here:
                raise Invalid(
                    "The training that was begun had other {what}; delete {folder} to begin anew.",
                    what=what,
                    folder=self.folder,
                )
        self._place = replace(self._place, **told["place"])
        self._saved = tensors

    def _restore(self) -> None:
        """Weights and optimizer as they were saved."""
        if not self._saved:
            return
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in self._saved.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = tensor
        self._saved = {}
        self._style.load(parts.pop("weight"))
        self._best = parts.pop("best", {})
        assert self._optimizer is not None
        state = self._optimizer.state_dict()
        for index, name in enumerate(self._style.weights):
            found = {part: named[name] for part, named in parts.items() if name in named}
            if found:
                state["state"][index] = found
        self._optimizer.load_state_dict(state)

    def _synchronize(self) -> None:
        if self._loaded.device.type == "cuda":
            torch.cuda.synchronize(self._loaded.device)
