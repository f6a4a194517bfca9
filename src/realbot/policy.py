"""Who may ask for what. Pure: the numbers are handed in, a Refused comes out or nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from . import moderation
from .errors import Blocked, Invalid, OverQuota, QueueFull, TooSoon
from .jobs import SEEDS, Generate, Request, Showing, Train, count_of
from .lexicon import Lexicon
from .phrases import Phrase
from .rulebook import Limits, Moderation, Training

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

    @property
    def trainings(self) -> int:
        """Trainings the person began in the last 24 hours."""
        ...

    @property
    def styles(self) -> int:
        """Trained styles the person has."""
        ...


def check(
    request: Request,
    limits: Limits,
    usage: Usage,
    now: float,
    *,
    waiting_total: int = 200,
    training: Training | None = None,
) -> None:
    """Raise the first reason to refuse `request` at the Unix time `now`, if there is one."""
    if isinstance(request, Generate):
        ranges(request, limits)
    if isinstance(request, Train) and training is not None:
        lessons(request, training, usage)
    cooldown(limits, usage, now)
    quota(request, limits, usage, now)
    room(limits, usage, waiting_total)


def ranges(request: Generate, limits: Limits) -> None:
    """Raise Invalid when a parameter is not in its range; fields that are None pass."""
    if not request.prompt.strip():
        raise Invalid("The prompt is empty; say what to paint.")
    for name, text in ((Phrase("prompt"), request.prompt), (Phrase("negative prompt"), request.negative)):
        if len(text) > limits.max_prompt:
            raise Invalid(
                "The {name} has {size} characters; at most {most} are allowed, so shorten it.",
                name=name,
                size=len(text),
                most=limits.max_prompt,
            )
    _whole("steps", request.steps, 1, limits.max_steps)
    _whole("count", request.count, 1, limits.max_count)
    _whole("seed", request.seed, 0, SEEDS - 1)
    _whole("width", request.width, limits.min_side, limits.max_side)
    _whole("height", request.height, limits.min_side, limits.max_side)
    if request.width and request.height and request.width * request.height > limits.max_pixels:
        raise Invalid(
            "A picture of {width}×{height} has {pixels} pixels; at most {most} are allowed, so choose a smaller"
            " width or height.",
            width=request.width,
            height=request.height,
            pixels=request.width * request.height,
            most=limits.max_pixels,
        )
    _number("guidance", request.guidance, 0.0, limits.max_guidance)
    _number("true_cfg", request.true_cfg, 1.0, max(limits.max_guidance, 1.0))
    _number("strength", request.strength, 0.0, 1.0)
    _number("reference_weight", request.reference_weight, 0.0, 1.0)
    if len(request.styles) > limits.max_styles:
        raise Invalid(
            "{count} styles at once are too many; choose at most {most}.",
            count=len(request.styles),
            most=limits.max_styles,
        )
    seen: set[str] = set()
    for use in request.styles:
        weighed = Phrase("the weight of style {style}", style=use.name)
        _number(weighed, use.weight, -limits.max_weight, limits.max_weight, word=use.name)
        if use.name in seen:
            raise Invalid(
                "The style {style} is given twice; give it once, with one weight.", style=use.name, word=use.name
            )
        seen.add(use.name)


def lessons(request: Train, rules: Training, usage: Usage) -> None:
    """Raise Invalid for a training that is too large, OverQuota for one more than a person may have."""
    _whole("steps", request.steps, 1, rules.max_steps)
    if len(request.images) > rules.max_pictures:
        raise Invalid(
            "{count} pictures are too many to train on; choose the best {most}.",
            count=len(request.images),
            most=rules.max_pictures,
        )
    if rules.per_day and usage.trainings >= rules.per_day:
        raise OverQuota(
            "{count} styles in 24 hours are the most that one person may train; please come back tomorrow.",
            count=rules.per_day,
        )
    if rules.per_person and usage.styles >= rules.per_person:
        raise OverQuota(
            "You have {count} trained styles, and more are not kept; delete one of them first.", count=usage.styles
        )


def words(prompt: str, rules: Moderation) -> None:
    """Raise Blocked when the prompt has something that is not allowed, however written. What to avoid may be named."""
    if moderation.never(prompt):
        raise Blocked("Minors in a sexual context are not painted, here or anywhere.")
    lexicon(rules).check(prompt)


def lexicon(rules: Moderation) -> Lexicon:
    """What these rules say of words."""
    return Lexicon(rules.blocked, rules.patterns, rules.together, rules.stripped, rules.innocent)


def adult(prompts: Iterable[str], here: bool, rules: Moderation) -> None:
    """Raise Blocked when one of the prompts behind a picture has a word that is for places open to adults only.

    `here` tells whether the place is one.
    """
    if rules.adult == "anywhere" or (here and rules.adult == "restricted"):
        return
    listed = moderation.Rules(rules.adult_words)
    word = next(filter(None, map(listed.check, prompts)), None)
    if word is None:
        return
    if rules.adult == "restricted":
        raise Blocked("The word “{word}” is allowed in age-restricted channels only.", word=word)
    raise Blocked("The word “{word}” is not allowed here; please describe the picture without it.", word=word)


def showing(prompts: Iterable[str], asked: bool, here: bool, rules: Moderation) -> Showing:
    """Where a picture may be shown whose place was open to adults only when it was asked for, and is so now, or not.

    Whoever asked in such a place may see it, and gets it alone when the place is open to everyone by now.
    """
    try:
        adult(prompts, here, rules)
    except Blocked:
        return "directly" if asked and rules.adult == "restricted" else "nowhere"
    return "here"


def cooldown(limits: Limits, usage: Usage, now: float) -> None:
    """Raise TooSoon, with the seconds to wait, when the person's last request is too recent."""
    if limits.cooldown <= 0 or usage.last_accept is None:
        return
    wait = usage.last_accept + limits.cooldown - now
    # A clock that was set back must not lock anybody out for longer than the rule.
    wait = min(wait, limits.cooldown)
    if wait > 0:
        raise TooSoon(
            "One request every {pause:g} seconds; please wait {more} more.",
            pause=limits.cooldown,
            more=math.ceil(wait),
            wait=wait,
        )


def quota(request: Request, limits: Limits, usage: Usage, now: float) -> None:
    """Raise OverQuota, with the time it resets, when the pictures of these 24 hours would be too many."""
    if not limits.per_day or usage.today + count_of(request) <= limits.per_day:
        return
    left = max(limits.per_day - usage.today, 0)
    rest = (
        Phrase("{left} of your {all} pictures are left", left=left, all=limits.per_day)
        if left
        else Phrase("your {all} pictures are used up", all=limits.per_day)
    )
    raise OverQuota(
        "Of these 24 hours {rest}, and this asks for {count}; please ask for fewer or come back later.",
        rest=rest,
        count=count_of(request),
        resets=(now if usage.oldest is None else usage.oldest) + DAY,
    )


def room(limits: Limits, usage: Usage, waiting_total: int) -> None:
    """Raise QueueFull when the person, or everyone together, has enough requests waiting."""
    if usage.waiting_user >= limits.waiting_per_user:
        raise QueueFull(
            "{waiting} of your requests are waiting already and at most {most} may; wait for one of them or cancel it.",
            waiting=usage.waiting_user,
            most=limits.waiting_per_user,
        )
    if usage.waiting_total >= waiting_total:
        raise QueueFull(
            "The line is full: {waiting} requests are waiting, of at most {most}; please try again in a few minutes.",
            waiting=usage.waiting_total,
            most=waiting_total,
        )


def _whole(name: str, value: object, low: int, high: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Invalid(
            "{name} must be a whole number from {low} to {high}, not {value}.",
            name=name,
            low=low,
            high=high,
            value=value,
            word=str(value),
        )


def _number(name: str, value: object, low: float, high: float, word: str | None = None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Invalid(
            "{name} must be from {low:g} to {high:g}, not {value}.",
            name=name,
            low=low,
            high=high,
            value=value,
            word=word or str(value),
        )
