"""Pictures to train a style on, checked before a minute is spent; and what a training is told and tells.

Nothing here loads a model. Pictures are decoded in a process of their own, as every picture of a stranger is.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

from .decoder import packed, unpacked
from .errors import Invalid
from .jobs import Train
from .phrases import Phrase
from .styles import RESERVED, SLUG, slug

#: Pictures that a style needs at least, and that it is taught from at most.
FEWEST, MOST = 4, 500
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
#: What whoever trains is told before.
CONSENT = Phrase(
    "Train only on pictures that you made or may use, and of people only with their consent: whoever has the style can"
    " paint in their likeness."
)
#: Learning rate and batch by preset, and those of every other model.
USUAL = {"mini": (2e-3, 8)}
USUAL_OTHERWISE = (1e-4, 1)
#: Looks at the held-out pictures in a training, and those without a better one after which it is over.
LOOKS, PATIENCE = 20, 8
#: Bytes and pixels of one file, and seconds for its decoding.
_BYTES, _PIXELS, _PATIENCE = 64 * 2**20, 64_000_000, 60.0
#: Bits of 64 in which the hashes of two pictures that look alike differ at most.
ALIKE = 4
#: Finds realbot where this process has it.
_CHILD = f"import sys; sys.path.append({str(Path(__file__).parents[1])!r}); from realbot.decoder import main; main()"
#: What cameras and programs call their files.
_NAMELESS = re.compile(
    r"(img|image|dsc[fn]?|pxl|photo|picture|pic|screen ?shot|whatsapp image|unnamed|untitled|download)?[\W\d_]*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Everything that decides, with the pictures and the model, the weights of a style."""

    style: str
    trigger: str
    steps: int = 1000
    rank: int = 16
    alpha: float = 16.0  #: the change is scaled by alpha / rank
    rate: float = 1e-4  #: the highest learning rate
    batch: int = 1  #: pictures at a time
    accumulation: int = 1  #: batches before the weights are changed
    recompute: bool = False  #: gradient checkpointing: less memory, a third more time
    dropout: float = 0.1  #: share of the pictures that are shown without their caption
    seed: int = 0
    validate_every: int = 50  #: steps between two looks at the held-out pictures
    save_every: int = 100  #: steps between two checkpoints
    sample_every: int = 250  #: steps between two grids of samples
    patience: int = 0  #: looks without a better one after which it stops early; 0 is never

    @property
    def digest(self) -> str:
        """sha256 of it all, 64 hex digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Example:
    """A picture to learn from: a plain PNG file, and the words for it."""

    path: Path
    caption: str
    sha256: str  #: of the picture's pixels


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is, after one step."""

    step: int
    steps: int
    loss: float
    smoothed: float
    rate: float
    speed: float  #: pictures a second
    seconds: float  #: until the last step
    validation: float | None = None  #: the latest, on pictures that are not learnt from
    preview: Path | None = None  #: a grid of samples, when there is a new one


#: Asked after each step: whether to go on. False pauses.
OnStep: TypeAlias = Callable[[Progress], bool]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is left of a set of pictures, and why the rest is not."""

    examples: tuple[Example, ...]
    left_out: tuple[tuple[str, Phrase], ...] = ()  #: name of the file, reason
    alike: tuple[tuple[str, str], ...] = ()  #: names of two files that look the same

    @property
    def digest(self) -> str:
        return digest(self.examples)


def digest(examples: Sequence[Example]) -> str:
    """sha256 of the pictures and their captions, in any order: 64 hex digits."""
    lines = sorted(f"{example.sha256} {example.caption}\n" for example in examples)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def course(course: Course, preset: str, rate: float | None = None, batch: int | None = None) -> Course:
    """The course with its name as styles have it and with the model's usual rate and batch. Raises Invalid."""
    name = slug(course.style)
    if not SLUG.fullmatch(name) or name in RESERVED:
        raise Invalid(
            "A style needs a name of up to 64 letters a-z, digits, - and _, and {name!r} is none.", name=course.style
        )
    usual = USUAL.get(preset, USUAL_OTHERWISE)
    made = replace(
        course,
        style=name,
        trigger=_line(course.trigger, 60),
        rate=rate or usual[0],
        batch=batch or usual[1],
        # What a large model keeps for the way back does not fit beside it.
        recompute=course.recompute or preset not in USUAL,
    )
    if not made.trigger:
        raise Invalid("A style needs a word that wakes it.")
    for name, value, low, high in (
        ("steps", made.steps, 1, 100_000),
        ("rank", made.rank, 1, 256),
        ("batch", made.batch, 1, 256),
        ("accumulation", made.accumulation, 1, 256),
        ("learning rate", made.rate, 1e-7, 0.1),
    ):
        if not low <= value <= high:
            raise Invalid("{name} cannot be {value:g}; it goes from {low:g} to {high:g}.",
                          name=name, value=value, low=low, high=high)  # fmt: skip
    return made


def course_of(request: Train, preset: str) -> Course:
    """The course of a request: with looks on the way, and over early when it gets no better. Raises Invalid."""
    steps = request.steps
    asked = Course(
        style=request.style,
        trigger=request.trigger,
        steps=steps,
        rank=request.rank,
        alpha=request.rank,
        seed=request.seed,
        validate_every=max(steps // LOOKS, 1),
        save_every=min(max(steps // 10, 1), 100),
        sample_every=max(steps // 4, 1),
        patience=PATIENCE,
    )
    return course(asked, preset, request.rate, request.batch)


def pictures(folder: Path) -> list[Path]:
    """The files of a folder that are called pictures, by name. Raises Invalid when it has none."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise Invalid("The folder {folder} cannot be read: {reason}.", folder=folder, reason=error.strerror) from error
    if not found:
        raise Invalid("The folder {folder} holds no PNG, JPEG or WebP pictures.", folder=folder)
    if len(found) > MOST:
        raise Invalid("There are {count} pictures in {folder}; {most} are the most.",
                      count=len(found), folder=folder, most=MOST)  # fmt: skip
    return found


def check(paths: Sequence[Path], trigger: str, into: Path, least: int) -> Checked:
    """Decode pictures into the folder `into`, as plain PNG files, and leave out what cannot be learnt from.

    `least` is the shorter side in pixels that a picture needs. Raises Invalid when fewer than FEWEST are left.
    """
    into.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        decoded = list(pool.map(_decoded, paths))
    examples: list[Example] = []
    left_out: list[tuple[str, Phrase]] = []
    alike: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    hashes: list[tuple[str, int]] = []
    for path, plain in zip(paths, decoded, strict=True):
        if isinstance(plain, Phrase):
            left_out.append((path.name, plain))
            continue
        (width, height), sha256, look = _seen(plain)
        if min(width, height) < least:
            left_out.append(
                (path.name, Phrase("has {width}×{height} pixels; this model learns from {least} and more",
                                   width=width, height=height, least=least))
            )  # fmt: skip
        elif sha256 in seen:
            left_out.append((path.name, Phrase("is the same picture as {other}", other=seen[sha256])))
        else:
            alike += [(other, path.name) for other, known in hashes if (known ^ look).bit_count() <= ALIKE]
            seen[sha256] = path.name
            hashes.append((path.name, look))
            kept = into / f"{len(examples):04}.png"
            kept.write_bytes(plain)
            examples.append(Example(kept, caption(path, trigger), sha256))
    if len(examples) < FEWEST:
        why = "; ".join(f"{name} {reason}" for name, reason in left_out[:3])
        raise Invalid(
            "A style needs at least {fewest} pictures and there are {count}{why}.",
            fewest=FEWEST,
            count=len(examples),
            why=f" ({why})" if why else "",
        )
    return Checked(tuple(examples), tuple(left_out), tuple(alike))


def caption(path: Path, trigger: str) -> str:
    """The words of the text file beside a picture, else those of its name, and then the trigger."""
    try:
        with path.with_suffix(".txt").open("rb") as file:
            words = file.read(4000).decode("utf-8", "replace")
    except OSError:
        words = ""
    return caption_of(words, path.name, trigger)


def caption_of(words: str, name: str, trigger: str) -> str:
    """What is said of a picture, else what its file's name says, and then the trigger."""
    words = _line(words, 1000)
    if not words:
        stem = _line(re.sub(r"[_\-\s]+", " ", Path(name).stem), 200)
        words = "" if _NAMELESS.fullmatch(stem.lower()) else re.sub(r"\s*\(?\d+\)?$", "", stem)
    if trigger.casefold() in words.casefold():
        return words
    # What is on the picture comes first, as people say it: mini loses it behind words that it does not know.
    return f"{words}, {trigger}" if words else trigger


def look_of(picture: bytes) -> int:
    """A perceptual hash, 64 bits: which of the 8×8 slowest waves of the brightness are above their median."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(picture), formats=("PNG",)) as image:
        small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    waves = np.cos(np.pi / 32 * (np.arange(32)[None] + 0.5) * np.arange(8)[:, None])
    slow = (waves @ small @ waves.T).flatten()
    bits = slow > np.median(slow[1:])
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _seen(plain: bytes) -> tuple[tuple[int, int], str, int]:
    """Size, sha256 of the pixels and perceptual hash of a plain PNG file."""
    from PIL import Image

    with Image.open(io.BytesIO(plain), formats=("PNG",)) as image:
        pixels = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
        return image.size, pixels, look_of(plain)


def _decoded(path: Path) -> bytes | Phrase:
    """A plain PNG file of what is in there, or why not, as the rest of a sentence that begins with the file's name."""
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES + 1)
    except OSError as error:
        return Phrase("cannot be read: {reason}", reason=error.strerror)
    if len(data) > _BYTES:
        return Phrase("is larger than {most} MB", most=_BYTES >> 20)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _CHILD, "plain", json.dumps({"pixels": _PIXELS})],
            input=packed([data]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, timeout=_PATIENCE,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return _REASONS["broken"]
    if done.returncode == 0:
        with contextlib.suppress(ValueError):
            (plain,) = unpacked(done.stdout)
            return plain
    reason = done.stdout.decode("ascii", "replace").split(" ")[0] if done.returncode == 1 else "broken"
    return _REASONS.get(reason, _REASONS["broken"])


_REASONS = {
    "format": Phrase("is no PNG, JPEG or WebP picture"),
    "animated": Phrase("moves, and still pictures are needed"),
    "pixels": Phrase("has too many pixels"),
    "small": Phrase("is too small"),
    "broken": Phrase("is damaged or incomplete"),
}


def _line(text: str, limit: int) -> str:
    kept = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(kept.split())[:limit].strip()
