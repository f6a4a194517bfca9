"""Who may ask for what. Pure: the numbers are handed in, a Refused comes out or nothing."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Protocol

from .errors import Blocked, Invalid, OverQuota, QueueFull, TooSoon
from .jobs import SEEDS, Generate
from .sections import Limits

DAY = 86_400.0


class Usage(Protocol):
    """What the books say of a person, and of everyone together, at this moment."""

    @property
    def waiting_user(self) -> int: ...
    @property
    def waiting_total(self) -> int: ...
    @property
    def today(self) -> int:
        """Pictures the person asked for in the last 24 hours."""
        ...

    @property
    def last_accept(self) -> float | None:
        """Unix time of the person's last accepted request."""
        ...

    @property
    def oldest(self) -> float | None:
        """Unix time of the first of the pictures in `today`: a day later one more is free."""
        ...


def check(
    request: Generate,
    limits: Limits,
    usage: Usage,
    now: float,
    *,
    waiting_total: int = 200,
    blocked: Iterable[str] = (),
) -> None:
    """Raise the first reason to refuse `request` at the Unix time `now`, if there is one."""
    ranges(request, limits)
    words(request.prompt, blocked)
    cooldown(limits, usage, now)
    quota(request, limits, usage, now)
    room(limits, usage, waiting_total)


def ranges(request: Generate, limits: Limits) -> None:
    """Raise Invalid when a parameter is not in its range; fields that are None pass."""
    if not request.prompt.strip():
        raise Invalid("The prompt is empty; say what to paint.")
    for name, text in (("prompt", request.prompt), ("negative prompt", request.negative)):
        if len(text) > limits.max_prompt:
            raise Invalid(
                f"The {name} has {len(text)} characters; at most {limits.max_prompt} are allowed, so shorten it."
            )
    _whole("steps", request.steps, 1, limits.max_steps)
    _whole("count", request.count, 1, limits.max_count)
    _whole("seed", request.seed, 0, SEEDS - 1)
    _whole("width", request.width, limits.min_side, limits.max_side)
    _whole("height", request.height, limits.min_side, limits.max_side)
    if request.width and request.height and request.width * request.height > limits.max_pixels:
        raise Invalid(
            f"A picture of {request.width}×{request.height} has {request.width * request.height} pixels; "
            f"at most {limits.max_pixels} are allowed, so choose a smaller width or height."
        )
    _number("guidance", request.guidance, 0.0, limits.max_guidance)
    _number("true_cfg", request.true_cfg, 1.0, max(limits.max_guidance, 1.0))
    _number("strength", request.strength, 0.0, 1.0)
    if len(request.styles) > limits.max_styles:
        raise Invalid(f"{len(request.styles)} styles at once are too many; choose at most {limits.max_styles}.")
    seen: set[str] = set()
    for use in request.styles:
        _number(f"the weight of style {use.name}", use.weight, -limits.max_weight, limits.max_weight, word=use.name)
        if use.name in seen:
            raise Invalid(f"The style {use.name} is given twice; give it once, with one weight.", word=use.name)
        seen.add(use.name)


def words(prompt: str, blocked: Iterable[str]) -> None:
    """Raise Blocked when the prompt has one of these words, whole and in any case. What to avoid may be named."""
    folded = _folded(prompt)
    for word in blocked:
        pattern = _word(word)
        if pattern is not None and pattern.search(folded):
            raise Blocked(f"The word “{word.strip()}” is not allowed here; please describe the picture without it.")


def cooldown(limits: Limits, usage: Usage, now: float) -> None:
    """Raise TooSoon, with the seconds to wait, when the person's last request is too recent."""
    if limits.cooldown <= 0 or usage.last_accept is None:
        return
    wait = usage.last_accept + limits.cooldown - now
    # A clock that was set back must not lock anybody out for longer than the rule.
    wait = min(wait, limits.cooldown)
    if wait > 0:
        raise TooSoon(f"One request every {limits.cooldown:g} seconds; please wait {math.ceil(wait)} more.", wait=wait)


def quota(request: Generate, limits: Limits, usage: Usage, now: float) -> None:
    """Raise OverQuota, with the time it resets, when the pictures of these 24 hours would be too many."""
    if not limits.per_day or usage.today + request.count <= limits.per_day:
        return
    left = max(limits.per_day - usage.today, 0)
    rest = (
        f"{left} of your {limits.per_day} pictures are left" if left else f"your {limits.per_day} pictures are used up"
    )
    raise OverQuota(
        f"Of these 24 hours {rest}, and this asks for {request.count}; please ask for fewer or come back later.",
        resets=(now if usage.oldest is None else usage.oldest) + DAY,
    )


def room(limits: Limits, usage: Usage, waiting_total: int) -> None:
    """Raise QueueFull when the person, or everyone together, has enough requests waiting."""
    if usage.waiting_user >= limits.waiting_per_user:
        raise QueueFull(
            f"{usage.waiting_user} of your requests are waiting already and at most {limits.waiting_per_user} may; "
            "wait for one of them or cancel it."
        )
    if usage.waiting_total >= waiting_total:
        raise QueueFull(
            f"The line is full: {usage.waiting_total} requests are waiting, of at most {waiting_total}; "
            "please try again in a few minutes."
        )


def _whole(name: str, value: object, low: int, high: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Invalid(f"{name} must be a whole number from {low} to {high}, not {value}.", word=str(value))


def _number(name: str, value: object, low: float, high: float, word: str | None = None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Invalid(f"{name} must be from {low:g} to {high:g}, not {value}.", word=word or str(value))


def _folded(text: str) -> str:
    """For comparing: compatible forms and cases made equal, invisible characters left out."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")


@lru_cache(maxsize=4096)
def _word(word: str) -> re.Pattern[str] | None:
    phrase = r"\s+".join(re.escape(part) for part in _folded(word).split())
    return re.compile(rf"(?<!\w){phrase}(?!\w)") if phrase else None
