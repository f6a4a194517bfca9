"""What can be set in a prompt: the names of each option, the form of its value and how it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import regions
from .jobs import SEEDS
from .phrases import Phrase

WHOLE = re.compile(r"[+-]?\d{1,12}")
DECIMAL = re.compile(r"[+-]?(?:\d{1,40}(?:[.,]\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?")
IMAGE = re.compile(r"[0-9a-f]{64}")
#: Most a side may exceed the other, so that a ratio is a picture and not a line.
LONGEST = 20.0


def _whole(low: int, high: int = 10**9) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not WHOLE.fullmatch(text) or not low <= (number := int(text)) <= high:
            raise ValueError(text)
        return number

    return read


def decimal(low: float = -math.inf, high: float = math.inf) -> Callable[[str], float]:
    """A reader of numbers in a range, with a decimal point or comma; it raises ValueError for anything else."""

    def read(text: str) -> float:
        number = float(text.replace(",", ".")) if DECIMAL.fullmatch(text) else math.nan
        if not (math.isfinite(number) and low <= number <= high):
            raise ValueError(text)
        return number

    return read


def _seed(text: str) -> int | None:
    return None if text.casefold() in ("random", "-1") else _whole(0, SEEDS - 1)(text)


def _size(text: str) -> tuple[int, int]:
    width, _, height = re.sub("[×*X]", "x", text).partition("x")
    return _whole(1)(width), _whole(1)(height or width)


def _shape(text: str) -> tuple[float, float]:
    width, _, height = re.sub("[/x×X]", ":", text).partition(":")
    sides = decimal(0.001)(width), decimal(0.001)(height)
    if not 1 / LONGEST <= sides[0] / sides[1] <= LONGEST:
        raise ValueError(text)
    return sides


def filled(text: str) -> str:
    """The text itself. Raises ValueError when there is none."""
    if not text.strip():
        raise ValueError(text)
    return text


def _image(text: str) -> str:
    if not IMAGE.fullmatch(text):
        raise ValueError(text)
    return text


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be set: its names, the first of which is written, and how its value reads."""

    names: tuple[str, ...]
    form: Phrase
    example: str
    read: Callable[[str], Any]
    #: A value is a number, so that a long dash before the name is no dash of a sentence.
    numeric: bool = True
    #: What the value may be, where that is one of a few words.
    words: tuple[str, ...] = ()


OPTIONS = (
    Option(("size", "resolution", "res"), Phrase("width x height in pixels"), "768x512", _size),
    Option(("ar", "aspect", "ratio"), Phrase("width:height, neither more than 20 times the other"), "16:9", _shape),
    Option(("width", "w"), Phrase("a whole number of pixels"), "768", _whole(1)),
    Option(("height", "h"), Phrase("a whole number of pixels"), "512", _whole(1)),
    Option(("steps", "step"), Phrase("a whole number from 1"), "30", _whole(1)),
    Option(("guidance", "guidance_scale", "cfg", "cfg_scale"), Phrase("a number from 0"), "3.5", decimal(0)),
    Option(("true_cfg", "true_cfg_scale", "truecfg"), Phrase("a number from 0"), "4", decimal(0)),
    Option(("scheduler", "sampler"), Phrase("a scheduler's name"), "euler", filled, False),
    Option(("style", "styles", "lora", "loras"), Phrase("a style's name and weight"), "ink:0.8", filled, False),
    Option(("strength", "denoise"), Phrase("a number from 0 to 1"), "0.6", decimal(0, 1)),
    Option(("count", "n", "num", "images"), Phrase("a whole number from 1"), "4", _whole(1)),
    Option(("seed",), Phrase("a whole number from 0 to {high}, or random", high=SEEDS - 1), "7", _seed),
    Option(("model",), Phrase("a model's name"), "mini", filled, False),
    Option(("source",), Phrase("the id of a picture"), "ID", _image, False),
    Option(("mask",), Phrase("the id of a picture"), "ID", _image, False),
    Option(
        ("region",),
        Phrase("a part of the picture ({names}) or x, y, width and height in percent", names=", ".join(regions.NAMES)),
        "10,10,60,80%",
        regions.read,
        False,
        regions.NAMES,
    ),
    Option(("reference",), Phrase("the id of a picture"), "ID", _image, False),
    Option(("reference_weight", "look_weight", "look"), Phrase("a number from 0 to 1"), "0.7", decimal(0, 1)),
    Option(
        ("no", "negative", "neg", "negative_prompt"), Phrase("words to keep out, with commas"), "text, blur", str, False
    ),
    Option(("prompt",), Phrase("a text in quotes"), '"a cat"', str, False),
)
NAMES = {name: option for option in OPTIONS for name in option.names}
