"""The pictures of a training as the denoiser knows them, each made once; and which come next.

What comes next depends on the seed and on the number of the step alone, so that nothing has to be remembered of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageOps

from realbot.engine import models
from realbot.engine.embeds import Encoded
from realbot.engine.latents import overflows, scaled
from realbot.engine.loading import Loaded
from realbot.engine.lowrank import generator
from realbot.engine.objectives import Batch
from realbot.engine.stages import Stages
from realbot.jobs import Generate
from realbot.training import Course, Example

#: Shapes that pictures are cut to, width to height.
_SHAPES = (1.0, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16)
#: Every tenth picture is held out, if there are enough, and looked at with so many amounts of noise.
_HELD_OUT, _MOST_HELD_OUT, _LEVELS = 10, 16, 8


@dataclass(frozen=True, slots=True)
class Lesson:
    """A picture's latents (1, channels, height, width) and its caption, in main memory."""

    latents: torch.Tensor
    words: Encoded
    caption: str


def shape(width: int, height: int, preset: models.Preset) -> tuple[int, int]:
    """The size in pixels that a picture of this size is learnt in: the model's usual area, in the nearest shape."""
    wanted = math.log(width / height)
    ratio = min(_SHAPES, key=lambda shape: abs(math.log(shape) - wanted))
    area, step = preset.width * preset.height, models.FAMILIES[preset.family].multiple
    # Packed latents are cut in two by two.
    step = max(step, 16)
    sides = (math.sqrt(area * ratio), math.sqrt(area / ratio))
    return tuple(max(step, round(side / step) * step) for side in sides)  # type: ignore[return-value]


class Lessons:
    """What is learnt from, and what is held out to see whether it was learnt."""

    def __init__(
        self,
        loaded: Loaded,
        stages: Stages,
        course: Course,
        examples: Sequence[Example],
        *,
        memory: dict[Example, Lesson] | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        """Encodes every picture and every caption that is not in `memory`, where they are kept.

        What `between` two pictures raises ends it.
        """
        self._course = course
        memory = {} if memory is None else memory
        lessons = []
        for example in sorted(examples, key=lambda e: (e.sha256, e.caption)):
            if example not in memory:
                between()
                memory[example] = self._lesson(loaded, stages, example)
            lessons.append(memory[example])
        self._nothing = stages.encode(Generate(prompt="", guidance=1.0)).positive
        order = torch.randperm(len(lessons), generator=generator(course.seed, "held out")).tolist()
        count = len(lessons) // _HELD_OUT or int(len(lessons) > 4)
        count = min(count, _MOST_HELD_OUT)
        self.held_out = [lessons[i] for i in order[:count]]
        self.learnt = [lessons[i] for i in sorted(order[count:])]
        self._buckets: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, lesson in enumerate(self.learnt):
            self._buckets[tuple(lesson.latents.shape)].append(index)
        self._epoch: tuple[int, list[list[int]]] = (-1, [])

    def batch(self, number: int) -> Batch:
        """Batch `number`, from 0: its pictures, noise, and amounts of noise."""
        per_epoch = sum(math.ceil(len(bucket) / self._course.batch) for bucket in self._buckets.values())
        epoch, index = divmod(number, per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._shuffled(epoch))
        chosen = [self.learnt[i] for i in self._epoch[1][index]]
        chance = generator(self._course.seed, "batch", number)
        latents = torch.cat([lesson.latents for lesson in chosen])
        noise = torch.randn(latents.shape, generator=chance)
        drawn, without = (torch.rand(len(chosen), generator=chance) for _ in range(2))
        words = [
            self._nothing if bare else lesson.words
            for lesson, bare in zip(chosen, (without < self._course.dropout).tolist(), strict=True)
        ]
        return Batch(latents, noise, drawn, words)

    def validation(self) -> list[Batch]:
        """The held-out pictures, each with the same noise in the same amounts whenever it is asked."""
        found = []
        for index, lesson in enumerate(self.held_out):
            noise = torch.randn(
                (_LEVELS, *lesson.latents.shape[1:]), generator=generator(self._course.seed, "validation", index)
            )
            chance = (torch.arange(_LEVELS) + 0.5) / _LEVELS
            for start in range(0, _LEVELS, self._course.batch):
                part = slice(start, min(start + self._course.batch, _LEVELS))
                count = part.stop - part.start
                latents = lesson.latents.expand(count, -1, -1, -1)
                found.append(Batch(latents, noise[part], chance[part], [lesson.words] * count))
        return found

    def _shuffled(self, epoch: int) -> list[list[int]]:
        """Batches of one size each that have every picture at least once; the last is filled from the front."""
        chance, batches = generator(self._course.seed, "epoch", epoch), []
        for bucket in self._buckets.values():
            order = [bucket[i] for i in torch.randperm(len(bucket), generator=chance).tolist()]
            for start in range(0, len(order), self._course.batch):
                part = order[start : start + self._course.batch]
                missing = self._course.batch - len(part)
                batches.append(part + [order[i % len(order)] for i in range(missing)])
        return [batches[i] for i in torch.randperm(len(batches), generator=chance).tolist()]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _lesson(self, loaded: Loaded, stages: Stages, example: Example) -> Lesson:
        pipe = loaded.pipeline
        with Image.open(example.path, formats=("PNG",)) as opened:
            size = shape(*opened.size, loaded.preset)
            picture = ImageOps.fit(opened.convert("RGB"), size, Image.Resampling.LANCZOS)
        vae = pipe.vae
        upcast = overflows(vae)
        if upcast:
            vae.to(torch.float32)
        try:
            pixels = pipe.image_processor.preprocess(picture).to(pipe._execution_device, vae.dtype)
            latents = scaled(vae, vae.encode(pixels).latent_dist.mode()).float().cpu()
        finally:
            if upcast:
                vae.to(torch.float16)
        words = stages.encode(Generate(prompt=example.caption, guidance=1.0, true_cfg=1.0)).positive
        return Lesson(latents, words, example.caption)
