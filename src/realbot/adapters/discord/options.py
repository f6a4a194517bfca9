"""The options of /imagine as a request: the same words and the same rules as in the prompt itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from realbot import grammar, regions
from realbot.adapters import captions
from realbot.adapters.discord import marked
from realbot.errors import Invalid
from realbot.jobs import Generate, ImageId, StyleUse

#: Sides are multiples of this, in pixels.
MULTIPLE = 16
#: What an autocompletion may hold.
CHOICES = 25
SHAPES = ("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "21:9", "9:21")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was chosen beside the prompt; None for what was left out."""

    steps: int | None = None
    guidance: float | None = None
    style: str | None = None
    weight: float | None = None
    size: str | None = None
    aspect: str | None = None
    seed: int | None = None
    scheduler: str | None = None
    negative: str | None = None
    count: int | None = None
    strength: float | None = None
    region: str | None = None
    look_weight: float | None = None

    def check(self, *, source: bool, mask: bool, look: bool) -> None:
        """Raise Invalid for what does not go together, told which pictures are attached."""
        if self.size and self.aspect:
            raise Invalid(captions.clash())
        if self.strength is not None and not source:
            raise Invalid(captions.sourceless())
        if not source and (mask or self.region):
            raise Invalid(marked.maskless())
        if mask and self.region:
            raise Invalid(marked.masked_twice())
        if self.look_weight is not None and not look:
            raise Invalid(marked.lookless())

    def request(
        self,
        prompt: str,
        preset: Any,
        source: ImageId | None = None,
        *,
        mask: ImageId | None = None,
        look: ImageId | None = None,
    ) -> Generate:
        """What is asked for; an option in the prompt counts more than the same option beside it. Raises Invalid."""
        self.check(source=source is not None, mask=mask is not None, look=look is not None)
        area = preset.width * preset.height
        base = Generate(
            prompt="",
            negative=(self.negative or "").strip(),
            steps=self.steps,
            guidance=self.guidance,
            seed=self.seed,
            scheduler=(self.scheduler or "").strip() or None,
            count=1 if self.count is None else self.count,
            styles=self._styles(),
            source=source,
            strength=self.strength,
            mask=mask,
            reference=look,
            reference_weight=self.look_weight,
        )
        if self.region:
            base = grammar.parse(f'region:"{self.region.replace(chr(34), "")}"', base)
        for name, value in (("size", self.size), ("ar", self.aspect)):
            if value:
                written = "".join(value.split())
                base = grammar.parse(f"--{name} {written}", base, area=area, multiple=MULTIPLE)
        return grammar.parse(prompt, base, area=area, multiple=MULTIPLE)

    def _styles(self) -> tuple[StyleUse, ...]:
        parts = [part.strip() for part in (self.style or "").split(",") if part.strip()]
        if not parts:
            if self.weight is not None:
                raise Invalid(captions.weightless())
            return ()
        usual = 1.0 if self.weight is None else self.weight
        return tuple(_style(part, usual) for part in parts)


def _style(text: str, usual: float) -> StyleUse:
    name, colon, weight = text.rpartition(":")
    if not colon:
        return StyleUse(text, usual)
    written = name.strip().replace('"', "")
    return grammar.parse(f'style:"{written}":{weight.strip() or "?"}').styles[0]


def styles(typed: str, known: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """At most 25 (shown, value) for what is typed of a list of styles; `known` are pairs of name and description.

    What stands before the last comma is kept, so that several styles can be chosen one after the other.
    """
    before, comma, last = typed.rpartition(",")
    kept = [part.strip() for part in before.split(",") if part.strip()]
    taken = {part.partition(":")[0].casefold() for part in kept}
    word, colon, weight = last.strip().partition(":")
    start = ", ".join(kept) + (", " if comma and kept else "")
    rest = [(name, about) for name, about in known if name.casefold() not in taken]
    offered = []
    for name, about in ranked(word, rest):
        value = f"{start}{name}{colon}{weight}"
        shown = f"{value} · {about}" if about else value
        if len(value) <= 100:
            offered.append((shown if len(shown) <= 100 else f"{shown[:99]}…", value))
    return offered[:CHOICES]


def ranked(word: str, known: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The entries with the word: first at the beginning of the name, then in it, then in the rest; else the nearest."""
    sought = word.strip().casefold()
    if not sought:
        return list(known)

    def rank(entry: tuple[str, str]) -> int:
        name, about = entry[0].casefold(), entry[1].casefold()
        return 0 if name.startswith(sought) else 1 if sought in name else 2 if sought in about else 3

    found = [entry for entry in sorted(known, key=rank) if rank(entry) < 3]
    if found:
        return found
    near = grammar.nearest(word, [name for name, _ in known])
    return [entry for entry in known if entry[0] == near]


def sizes(typed: str, preset: Any) -> list[str]:
    """Sizes about as large as the model's own, in the usual shapes."""
    area = preset.width * preset.height
    found: dict[str, None] = {f"{preset.width}x{preset.height}": None}
    for shape in SHAPES:
        wide, tall = (float(part) for part in shape.split(":"))
        width, height = grammar.ratio(wide, tall, area, MULTIPLE)
        if preset.min_side <= min(width, height) and max(width, height) <= preset.max_side:
            found[f"{width}x{height}"] = None
    asked = re.sub(r"[^\d]+", "x", typed.strip()).strip("x")
    return [size for size in found if size.startswith(asked)][:CHOICES]


def aspects(typed: str) -> list[str]:
    """The usual shapes."""
    asked = re.sub(r"[^\d.]+", ":", typed.strip()).strip(":")
    return [shape for shape in SHAPES if shape.startswith(asked)]


def parts(typed: str) -> list[str]:
    """The regions that have a name."""
    asked = typed.strip().casefold()
    found = [name for name in regions.NAMES if asked in name]
    try:
        return found or [regions.read(typed)]
    except ValueError:
        return []
