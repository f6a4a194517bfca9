"""A training from the command line: its folder below the data folder, its pictures, and the model it is done on.

The folder holds everything that going on needs, so neither the pictures nor the options have to be given again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from realbot import training
from realbot.config import Settings
from realbot.engine.models import preset
from realbot.errors import ConfigError, Invalid
from realbot.styles import slug
from realbot.training import Checked, Course, Example

if TYPE_CHECKING:
    from realbot.engine.train import Trainer

#: What is kept of a training that is over.
_KEPT = ("metrics.csv", "chart.png")


@dataclass(frozen=True, slots=True)
class Schooling:
    """A training that was begun and is not over."""

    settings: Settings
    folder: Path
    course: Course
    checked: Checked

    @property
    def style(self) -> Path:
        """Where the finished style goes."""
        return _styles(self.settings) / f"{self.course.style}.safetensors"

    def export(self, trainer: Trainer) -> Path:
        """Put the style where it can be asked for; of the rest only chart, table and samples stay."""
        path = trainer.export(self.style)
        shutil.rmtree(self.folder / "pictures", ignore_errors=True)
        for file in self.folder.iterdir():
            if file.name not in _KEPT and not file.name.startswith("samples-"):
                file.unlink(missing_ok=True)
        return path


@contextmanager
def begun(
    settings: Settings, asked: Course, images: Path, *, rate: float | None = None, batch: int | None = None
) -> Iterator[Schooling]:
    """A new training on the pictures of a folder. Raises Invalid, in one sentence, for what cannot be learnt.

    `rate` and `batch` are the model's usual ones unless given.
    """
    model = preset(settings.model.name, settings.model.path)
    course = training.course(asked, model.name, rate, batch)
    folder = settings.paths.data / "training" / course.style
    with _alone(folder):
        if (folder / "course.json").exists():
            raise Invalid(
                "A training of {style} was begun: --resume goes on with it. To begin anew, delete {folder}.",
                style=course.style,
                folder=folder,
            )
        path = _styles(settings) / f"{course.style}.safetensors"
        if path.exists():
            raise Invalid(
                "There is a style {style} already; take another name, or delete {path}.", style=course.style, path=path
            )
        paths = training.pictures(images)
        for old in folder.glob("samples-*.png"):
            old.unlink()
        shutil.rmtree(folder / "pictures", ignore_errors=True)
        checked = training.check(paths, course.trigger, folder / "pictures", min(model.width, model.height) // 2)
        entries = [[example.path.name, example.caption, example.sha256] for example in checked.examples]
        _write(folder / "course.json", {"course": asdict(course), "pictures": entries})
        yield Schooling(settings, folder, course, checked)


@contextmanager
def resumed(settings: Settings, name: str) -> Iterator[Schooling]:
    """The training of that name that was paused, or that a crash ended. Raises Invalid when there is none."""
    folder = settings.paths.data / "training" / slug(name)
    with _alone(folder):
        try:
            told = json.loads((folder / "course.json").read_text("utf-8"))
            course = Course(**told["course"])
            examples = tuple(
                Example(folder / "pictures" / Path(file).name, caption, sha256)
                for file, caption, sha256 in told["pictures"]
            )
        except FileNotFoundError:
            raise Invalid("No training of {style} was begun; leave --resume out.", style=name) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Invalid("The training in {folder} is damaged; delete it to begin anew.", folder=folder) from error
        yield Schooling(settings, folder, course, Checked(examples))


def trainer(schooling: Schooling) -> Trainer:
    """The model of the settings with this training on it; takes seconds, and everything heavy is loaded here.

    Raises ModelMissing or ConfigError in one sentence.
    """
    settings = schooling.settings
    os.environ.setdefault("HF_HUB_OFFLINE", "0" if settings.model.download else "1")
    from realbot.engine import loading
    from realbot.engine.embeds import Embeds
    from realbot.engine.loras import Loras
    from realbot.engine.stages import Stages
    from realbot.engine.train import Trainer

    loading.quiet()
    loaded = loading.load(settings.model.model_dump(mode="json"), settings.engine.model_dump(mode="json"))
    stages = Stages(loaded, Loras({}, type(loaded.pipeline), 0), Embeds(settings.engine.embed_cache_mb << 20))
    return Trainer(loaded, stages, schooling.course, schooling.checked.examples, schooling.folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time for each training."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"), mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"The style {folder.name} is being trained by another realbot.", key="paths.data") from None
    try:
        yield
    finally:
        lock.release()
        with contextlib.suppress(OSError):
            folder.rmdir()


def _styles(settings: Settings) -> Path:
    return settings.paths.styles or settings.paths.data / "styles"


def _write(path: Path, data: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
