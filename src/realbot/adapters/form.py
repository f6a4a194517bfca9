"""The fields of the page's form: from their values to a request, and back.

A field that holds the model's default is left out of the request, so that what is written in the prompt decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realbot import grammar
from realbot.adapters import retouch, words
from realbot.errors import Invalid
from realbot.jobs import Generate, StyleUse

#: Sides that every model family can paint are multiples of this, in pixels.
MULTIPLE = 16
#: Name of a shape and its width : height.
SHAPES = {"Square": (1, 1), "Landscape": (4, 3), "Portrait": (3, 4), "Wide": (16, 9), "Tall": (9, 16)}
AUTOMATIC = words.LABELS["automatic"]
#: What the page holds of the pictures that a request begins with, by the names of the request.
PICTURES = ("source", "mask", "region", "strength", "reference", "reference_weight")


@dataclass(frozen=True, slots=True)
class Form:
    """What the fields hold, in the order in which Gradio hands them over; a browser may send anything."""

    prompt: str | None
    negative: str | None
    styles: Mapping[str, float] | None
    pictures: Mapping[str, Any] | None
    width: float | None
    height: float | None
    steps: float | None
    guidance: float | None
    true_cfg: float | None
    scheduler: str | None
    seed: str | None
    lock: bool | None
    count: float | None

    def request(self, preset: Any) -> Generate:
        """What these fields and the options in the prompt ask for. Raises Invalid."""
        labels = words.LABELS
        width = round(number(self.width, preset.width, labels["width"]))
        height = round(number(self.height, preset.height, labels["height"]))
        sized = (width, height) != (preset.width, preset.height)
        chosen = self.styles if isinstance(self.styles, dict) else {}
        seed = str(self.seed or "").strip() if self.lock else ""
        base = Generate(
            prompt="",
            negative=str(self.negative or "").strip(),
            width=width if sized else None,
            height=height if sized else None,
            steps=unless(round(number(self.steps, preset.steps, labels["steps"])), preset.steps),
            guidance=unless(number(self.guidance, preset.guidance, labels["guidance"]), preset.guidance),
            true_cfg=unless(number(self.true_cfg, 1.0, labels["true_cfg"]), 1.0),
            scheduler=unless(str(self.scheduler or AUTOMATIC), AUTOMATIC),
            seed=grammar.parse(f'seed:"{seed}"').seed if seed else None,
            count=round(number(self.count, 1, labels["count"])),
            styles=tuple(StyleUse(name, number(weight, 1.0, name)) for name, weight in chosen.items()),
            **brought(self.pictures if isinstance(self.pictures, dict) else {}),
        )
        return grammar.parse(str(self.prompt or ""), base, area=preset.width * preset.height, multiple=MULTIPLE)


def fields(request: Generate, preset: Any) -> tuple[Any, ...]:
    """The inverse of `Form.request`: values that make the form ask for the same picture."""
    return (
        grammar.write(Generate(prompt=request.prompt)),
        request.negative,
        {use.name: use.weight for use in request.styles},
        {name: value for name in PICTURES if (value := getattr(request, name)) is not None},
        request.width or preset.width,
        request.height or preset.height,
        request.steps or preset.steps,
        preset.guidance if request.guidance is None else request.guidance,
        request.true_cfg or 1.0,
        request.scheduler or AUTOMATIC,
        "" if request.seed is None else str(request.seed),
        request.seed is not None,
        request.count,
    )


def brought(pictures: Mapping[str, Any]) -> dict[str, Any]:
    """What a request begins with; of a source that is not there nothing is left. Raises Invalid."""
    texts = retouch.TEXTS
    found: dict[str, Any] = {}
    if source := image(pictures.get("source")):
        region = str(pictures.get("region") or "") or None
        mask = None if region else image(pictures.get("mask"))
        found |= {"source": source, "mask": mask, "region": region}
        found["strength"] = share(pictures.get("strength"), texts["strength"])
    if reference := image(pictures.get("reference")):
        found["reference"] = reference
        found["reference_weight"] = share(pictures.get("reference_weight"), texts["look_weight"])
    return found


def image(value: Any) -> str | None:
    """The id of a picture, None for an empty field. Raises Invalid for what is no id."""
    if value and not (isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)):
        raise Invalid("This picture is not there any more.")
    return value or None


def share(value: Any, name: str) -> float | None:
    """A field's number, None where the model's own is meant. Raises Invalid."""
    return None if value is None or value == "" else number(value, 0.0, name)


def shapes(preset: Any) -> dict[str, tuple[int, int]]:
    """Width and height in pixels of each shape: about the area of the model's own size, within its sides."""
    low, high = preset.min_side, preset.max_side
    sizes = {}
    for name, (wide, tall) in SHAPES.items():
        width, height = grammar.ratio(wide, tall, preset.width * preset.height, MULTIPLE)
        sizes[name] = (min(max(width, low), high), min(max(height, low), high))
    return sizes


def sides(preset: Any, limits: Any) -> tuple[int, int]:
    """The shortest and the longest side that can be asked for, in pixels."""
    low = math.ceil(max(preset.min_side, limits.min_side) / MULTIPLE) * MULTIPLE
    high = min(preset.max_side, limits.max_side) // MULTIPLE * MULTIPLE
    return min(low, preset.width, preset.height), max(high, preset.width, preset.height)


def unless(value: Any, default: Any) -> Any:
    """The value, or None where it is the default."""
    return None if value == default else value


def number(value: Any, default: float, name: str) -> float:
    """A field's number; an emptied field holds its default. Raises Invalid."""
    if value is None or value == "":
        return default
    try:
        read = float(value)
    except (TypeError, ValueError):
        read = math.nan
    if not math.isfinite(read):
        text = str(value)[:40]
        raise Invalid("{name} takes a number, not {value}.", name=name, value=text, word=text)
    return read
