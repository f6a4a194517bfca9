"""One piece of work from its styles to PNG files in the spool, and what is told on the way."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from realbot.engine import Cancelled, Fact, Failed, Picture, Produced, RunKey, Started, Step, Work, models
from realbot.engine.embeds import Embeds
from realbot.engine.imageprompt import imageprompt
from realbot.engine.inpaint import Part
from realbot.engine.latents import Preview
from realbot.engine.loading import Loaded, identity
from realbot.engine.loras import Loras
from realbot.engine.stages import Stages, Start
from realbot.engine.teacher import GaveWay, Teacher, board, weights
from realbot.engine.upscaler import upscaler
from realbot.errors import EngineError, Invalid, StyleBroken
from realbot.jobs import FACTORS, SEEDS, Generate, ImageId, Request, Train, Upscale, from_json

log = logging.getLogger(__name__)

_MB = 2**20
#: Seconds to the first preview, and between two, at least: a picture that is there in half a second needs none.
_PREVIEW_PAUSE = 0.5
#: Models up to this size, in bytes, are worth a warm-up on a CPU.
_SMALL = 2**30


class _Stop(Exception):
    """The run was cancelled."""


class _Late(Exception):
    """The run took longer than its budget."""


class Painter:
    """A loaded model at work. All but `loras.prefetch` belongs to one thread."""

    def __init__(
        self,
        loaded: Loaded,
        spool: Path,
        engine: Mapping[str, Any],
        upscale: Mapping[str, Any] | None = None,
        reference: Mapping[str, Any] | None = None,
    ) -> None:
        """The last three are those sections of the settings. Raises ConfigError for weights that cannot be used."""
        self.loaded = loaded
        self.embeds = Embeds(int(engine.get("embed_cache_mb", 256)) * _MB)
        parts = {
            name: part
            for name, part in loaded.pipeline.components.items()
            if isinstance(part, torch.nn.Module)
            and (name.startswith("text_encoder") or name == models.FAMILIES[loaded.preset.family].denoiser)
        }
        self.loras = Loras(parts, type(loaded.pipeline), int(engine.get("style_memory_mb", 2048)) * _MB)
        prompt = imageprompt(reference or {}, loaded)
        self.stages = Stages(loaded, self.loras, self.embeds, prompt)
        self._teacher = Teacher(loaded, self.stages)
        self.upscaler = upscaler(upscale or {}, loaded.device)
        decisive = {**identity(loaded), "upscaler": list(self.upscaler.identity)}
        self.fingerprint = models.fingerprint(decisive | ({"reference": list(prompt.identity)} if prompt else {}))
        #: Pixels a latent stands for, each way.
        self._cell = int(loaded.pipeline.vae_scale_factor)
        self._spool = spool
        self._saver = ThreadPoolExecutor(1, "save")
        self._preview = self._fitted() if engine.get("previews", True) else None
        weights = sum(p.nbytes for part in parts.values() for p in part.parameters())
        if loaded.device.type != "cpu" or weights < _SMALL:
            self.stages.warm()

    def paint(self, work: Work, cancelled: threading.Event, tell: Callable[[Fact], None]) -> Fact:
        """Produced, Cancelled or Failed; `tell` hears Started and Step. Nothing is raised."""
        run = _Run(work, cancelled, self._spool)
        try:
            request = _request(work)
            self._teacher.forget()
            match request:
                case Upscale():
                    return self._enlarge(run, request, tell)
                case Train():
                    return self._teach(run, request, tell)
                case Generate():
                    return self._paint(run, request, tell)
        except _Stop:
            answer: Fact = Cancelled(work.key, run.step)
        except GaveWay as pause:
            answer = Cancelled(work.key, pause.step)
        except _Late:
            answer = Failed(work.key, "deadline", f"The picture was not ready after {work.budget:.0f} seconds.")
        except Invalid as error:
            answer = Failed(work.key, "bad_request", str(error))
        except StyleBroken as error:
            answer = Failed(work.key, "style", str(error))
        except EngineError as error:
            answer = Failed(work.key, "engine", str(error))
        except Exception as error:
            answer = self._failed(work.key, error)
        for path in run.pictures:
            path.unlink(missing_ok=True)
            path.with_suffix(".part").unlink(missing_ok=True)
        return answer

    def _paint(self, run: _Run, asked: Request, tell: Callable[[Fact], None]) -> Produced:
        work = run.work
        request, notes = self._resolved(asked)
        assert request.seed is not None and request.width is not None and request.height is not None
        size = (request.width, request.height)
        with run.timed("switch"):
            self._style(request, work)
        tell(Started(work.key, run.stages["switch"]))
        steps = max(models.denoised(request), 1)
        of = steps * request.count
        saves: list[Future[Picture]] = []
        try:
            run.check()
            with run.timed("encode"):
                conditioning = self.stages.encode(request)
                part = self._part(request, work)
                if part is not None:
                    start = Start(*part.seen(size, self._cell))
                elif request.source is not None and self.loaded.preset.edits:
                    start = Start(_picture(request.source, work))
                else:
                    start = Start(_cut(request.source, work, size))
                start = replace(start, reference=_cut(request.reference, work, size))
            for index in range(request.count):
                seed = (request.seed + index) % SEEDS
                run.check()

                def on_step(n: int, clean: Callable[[], torch.Tensor | None], done: int = index) -> None:
                    run.step = done * steps + n
                    shown = self._show(run, clean) if run.step < of else None
                    tell(Step(work.key, run.step, of, shown))
                    run.check()

                with run.timed("denoise"):
                    latents = self.stages.denoise(request, conditioning, seed, on_step, start)
                with run.timed("decode"):
                    image = self.stages.decode(latents)
                    if part is not None:
                        image = part.restored(image)
                path = run.picture(index)
                text = _reseeded(work.parameters, request.seed, seed)
                saves.append(self._saver.submit(_save, image, path, text, seed))
            run.check()
            with run.timed("save"):
                pictures = tuple(save.result() for save in saves)
        finally:
            for save in saves:
                save.exception()
            run.previews()
        seconds = time.monotonic() - run.began
        told = (*notes, *conditioning.notes)
        return Produced(work.key, pictures, "image/png", seconds, run.stages, told, memory_mb=self._taken())

    def _taken(self) -> int:
        """MB of the GPU that were taken at most."""
        device = self.loaded.device
        return torch.cuda.max_memory_reserved(device) >> 20 if device.type == "cuda" else 0

    def _enlarge(self, run: _Run, request: Upscale, tell: Callable[[Fact], None]) -> Produced:
        if request.factor not in FACTORS:
            raise Invalid("A picture can be enlarged by 2 or 4.")
        tell(Started(run.work.key))
        run.check()
        with run.timed("encode"):
            picture = _picture(request.source, run.work)

        def on_part(n: int, of: int) -> None:
            run.step = n
            tell(Step(run.work.key, n, of))
            run.check()

        with run.timed("upscale"):
            large = self.upscaler.enlarge(picture, request.factor, on_part)
        with run.timed("save"):
            saved = self._saver.submit(_save, large, run.picture(0), run.work.parameters, 0).result()
        seconds = time.monotonic() - run.began
        return Produced(run.work.key, (saved,), "image/png", seconds, run.stages, (("upscaled", self.upscaler.name),))

    def _teach(self, run: _Run, request: Train, tell: Callable[[Fact], None]) -> Produced:
        work = run.work
        with run.timed("switch"):
            self.loras.apply(())
        tell(Started(work.key, run.stages["switch"]))
        run.check()
        try:
            trainer = self._teacher.teach(work, request, run.stopped, tell, run.preview)
        finally:
            run.previews()
        style = weights(trainer, run.file("style.safetensors"))
        picture = _save(board(trainer), run.picture(0), "", request.seed)
        stages = {"train": trainer.spent}
        return Produced(work.key, (picture,), "image/png", trainer.spent, stages, weights=style)

    def _part(self, request: Generate, work: Work) -> Part | None:
        """The part of a picture that is to be painted, where one is asked for."""
        if request.source is None or request.mask is None:
            return None
        return Part.of(_picture(request.source, work), _picture(request.mask, work))

    def _resolved(self, request: Request) -> tuple[Generate, models.Notes]:
        if not isinstance(request, Generate):
            raise Invalid(f"The engine cannot {type(request).__name__.lower()} with {self.loaded.preset.name}.")
        if request.seed is None or not 0 <= request.seed < SEEDS or request.count < 1:
            raise Invalid("The engine needs a seed and a count of pictures.")
        return models.resolve(request, self.loaded.preset)

    def _style(self, request: Generate, work: Work) -> None:
        uses = []
        for use in request.styles:
            file = work.styles.get(use.name)
            if file is None:
                raise StyleBroken(f"The style {use.name} is not on this engine.")
            uses.append((file["path"], file["sha256"], use.weight))
        if uses and self.loaded.mergeable:
            raise StyleBroken(self.loaded.mergeable)
        self.loras.apply(uses)

    def _show(self, run: _Run, clean: Callable[[], torch.Tensor | None]) -> str | None:
        if self._preview is None or not run.work.preview or not run.wants_preview():
            return None
        latents = clean()
        if latents is None:
            return None
        path = run.preview()
        self._preview.write(latents, path)
        return str(path)

    def _fitted(self) -> Preview | None:
        """Previews are a courtesy: a VAE that cannot encode only takes them away."""
        try:
            return Preview(self.loaded.pipeline.vae, self.loaded.pipeline._execution_device)
        except (RuntimeError, AttributeError):
            log.warning("no previews with this model", exc_info=True)
            return None

    def _failed(self, key: RunKey, error: Exception) -> Failed:
        log.error("run %s failed", key, exc_info=error)
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text:
            if self.loaded.device.type == "cuda":
                torch.cuda.empty_cache()
            return Failed(key, "out_of_memory", "The picture did not fit into memory; a smaller one may.")
        return Failed(key, "engine", "The engine could not paint this picture.", "CUDA error" not in text)


class _Run:
    """The clock, the files and the place of one piece of work."""

    def __init__(self, work: Work, cancelled: threading.Event, spool: Path) -> None:
        self.work, self.began, self.step = work, time.monotonic(), 0
        self.stages: dict[str, float] = {}
        self.pictures: list[Path] = []
        self._cancelled = cancelled
        self._stem = spool / re.sub(r"[^\w.#-]", "-", str(work.key))
        self._shown: list[Path] = []
        self._last_shown = self.began

    def stopped(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raises when the run must not go on."""
        if self.stopped():
            raise _Stop
        if time.monotonic() - self.began > self.work.budget:
            raise _Late

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - began

    def picture(self, index: int) -> Path:
        return self.file(f"{index}.png")

    def file(self, name: str) -> Path:
        """Where a result goes."""
        self.pictures.append(self._stem.with_name(f"{self._stem.name}-{name}"))
        return self.pictures[-1]

    def wants_preview(self) -> bool:
        return time.monotonic() - self._last_shown >= _PREVIEW_PAUSE

    def preview(self) -> Path:
        """The next preview's path; the one before stays for a reader who has just heard of it."""
        self._last_shown = time.monotonic()
        self._shown.append(self._stem.with_name(f"{self._stem.name}-step{self.step}.jpg"))
        for path in self._shown[:-2]:
            path.unlink(missing_ok=True)
        return self._shown[-1]

    def previews(self) -> None:
        """Delete what is left of them."""
        for path in self._shown:
            path.unlink(missing_ok=True)


def _request(work: Work) -> Request:
    try:
        return from_json(work.request)
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("This request is of a version that the engine does not know.") from error


def _cut(image: ImageId | None, work: Work, size: tuple[int, int]) -> Image.Image | None:
    """A picture that the work names, if it does, cut and scaled to the size that is painted."""
    if image is None:
        return None
    picture = _picture(image, work)
    return picture if picture.size == size else ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def _picture(image: ImageId, work: Work) -> Image.Image:
    """A picture that the work names, RGB. Raises Invalid when it is not there or not the one it is named for."""
    try:
        data = Path(work.files[image]).read_bytes()
    except (KeyError, OSError) as error:
        raise Invalid("The picture to start from is not on this engine.") from error
    if hashlib.sha256(data).hexdigest() != image:
        raise Invalid("The picture to start from is damaged; please send it again.")
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        return picture.convert("RGB")


def _reseeded(parameters: str, first: int, seed: int) -> str:
    """The generation parameters of the first picture as those of another; settings come last, after any prompt."""
    before, found, after = parameters.rpartition(f"Seed: {first}")
    return f"{before}Seed: {seed}{after}" if found else parameters


def _save(image: Image.Image, path: Path, parameters: str, seed: int) -> Picture:
    """A complete, synced PNG file under its final name; the text is where A1111 and others look for it."""
    info = PngInfo()
    if parameters:
        info.add_text("parameters", parameters)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1, pnginfo=info)
    data = buffer.getvalue()
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return Picture(str(path), hashlib.sha256(data).hexdigest(), len(data), seed)
