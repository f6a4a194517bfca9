"""Who may ask for what. Pure: the numbers are handed in, a Refused comes out or nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from . import moderation
from .errors import Blocked, Invalid, OverQuota, QueueFull, TooSoon
from .jobs import SEEDS, Generate, Request, Showing, Train, count_of
from .lexicon import Lexicon
from .phrases import Phrase, counted
from .rulebook import Limits, Moderation, Training
from .spending import DAY, HOUR, MONTH, Quota, Usage, allowance, frees, in_force

#: What the windows of the quotas are called.
SPANS = {HOUR: Phrase("60 minutes"), DAY: Phrase("24 hours"), MONTH: Phrase("30 days")}


def check(
    request: Request,
    limits: Limits,
    usage: Usage,
    now: float,
    *,
    waiting_total: int = 200,
    training: Training | None = None,
    seconds: float | None = None,
    base: Limits | None = None,
    exempt: bool = False,
) -> None:
    """Raise the first reason to refuse `request` at the Unix time `now`, if there is one.

    `seconds` of the engine are expected for it, None where nothing is known. `base` are the limits that count also what
    was handed back. For whom is `exempt`, cooldown, quotas and the number of waiting requests do not hold.
    """
    if isinstance(request, Generate):
        ranges(request, limits)
    if isinstance(request, Train) and training is not None:
        lessons(request, training, replace(usage, trainings=0) if exempt else usage)
    if not exempt:
        cooldown(limits, usage, now)
        quota(request, limits, usage, now, seconds)
        if base is not None:
            quota(request, base, usage, now, seconds, forgiving=False)
        room(limits, usage)
    full(usage, waiting_total)


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


def quota(
    request: Request,
    limits: Limits,
    usage: Usage,
    now: float,
    seconds: float | None = None,
    *,
    forgiving: bool = True,
) -> None:
    """Raise OverQuota, with the time from which there is room, when a person would have had too much.

    Trainings use the engine only while nobody else wants it, so their seconds do not count.
    """
    over: OverQuota | None = None
    for one, limit in in_force(limits):
        need = float(count_of(request)) if one.unit == "pictures" else (seconds or 0.0)
        if isinstance(request, Train) and one.unit == "seconds":
            continue
        has = allowance(one, limit, usage, now, forgiving=forgiving)
        if has.used + need <= limit and (need or has.used < limit):
            continue
        # Of what is not known, some must be left.
        lacking = max(has.used + need - limit, 1e-9)
        resets = frees(one, lacking, usage, now, forgiving=forgiving) if need <= limit else 0.0
        said = _pictures(one, has.left, limit, need) if one.unit == "pictures" else _seconds(one, has.left, limit, need)
        if over is None or (over.resets and (not resets or resets > over.resets)):
            over = OverQuota(said, resets=resets)
    if over is not None:
        raise over


def room(limits: Limits, usage: Usage) -> None:
    """Raise QueueFull when the person, or their server, has enough requests waiting."""
    if usage.waiting_user >= limits.waiting_per_user:
        raise QueueFull(
            counted(
                "{waiting} of your requests is waiting already and at most {most} may; wait for it or cancel it.",
                "{waiting} of your requests are waiting already and at most {most} may; wait for one of them or cancel"
                " it.",
                usage.waiting_user,
                waiting=usage.waiting_user,
                most=limits.waiting_per_user,
            )
        )
    if limits.waiting_per_server and usage.waiting_server >= limits.waiting_per_server:
        raise QueueFull(
            counted(
                "{waiting} request is waiting here already, of at most {most}; please try again in a few minutes.",
                "{waiting} requests are waiting here already, of at most {most}; please try again in a few minutes.",
                usage.waiting_server,
                waiting=usage.waiting_server,
                most=limits.waiting_per_server,
            )
        )


def full(usage: Usage, waiting_total: int) -> None:
    """Raise QueueFull when everyone together has enough requests waiting."""
    if usage.waiting_total >= waiting_total:
        raise QueueFull(
            "The line is full: {waiting} requests are waiting, of at most {most}; please try again in a few minutes.",
            waiting=usage.waiting_total,
            most=waiting_total,
        )


def lasting(seconds: float) -> Phrase:
    """A length of time as people say it, rounded to tenths below ten of its unit."""
    for unit, phrase in ((3600.0, "{number} h"), (60.0, "{number} min")):
        if seconds >= 2 * unit:
            return Phrase(phrase, number=_short(seconds / unit))
    return Phrase("{number} s", number=_short(seconds))


def _short(number: float) -> str:
    return f"{number:.2g}" if number < 10 else str(round(number))


def _pictures(quota: Quota, left: float, limit: float, need: float) -> Phrase:
    values = {"all": int(limit), "left": int(left), "count": int(need), "span": SPANS[quota.window]}
    if need > limit:
        return counted(
            "This asks for {count} pictures, and only {all} picture may be asked for in {span}; please ask for fewer.",
            "This asks for {count} pictures, and only {all} pictures may be asked for in {span}; please ask for fewer.",
            int(limit),
            **values,
        )
    if left < 1:
        return counted(
            "Your {all} picture for {span} is used up.", "Your {all} pictures for {span} are used up.", int(limit),
            **values,
        )  # fmt: skip
    return counted(
        "Of your {all} pictures for {span} {left} is left, and this asks for {count}.",
        "Of your {all} pictures for {span} {left} are left, and this asks for {count}.",
        int(left),
        **values,
    )


def _seconds(quota: Quota, left: float, limit: float, need: float) -> Phrase:
    values = {
        "all": lasting(limit),
        "left": lasting(left),
        "need": lasting(need),
        "span": SPANS[quota.window],
    }
    if need > limit:
        return Phrase(
            "This takes about {need} of painting, and only {all} may be used in {span}; please ask for fewer steps or"
            " a smaller picture.",
            **values,
        )
    if left <= 0 or not need:
        return Phrase("Your {all} of painting for {span} is used up.", **values)
    return Phrase("Of your {all} of painting for {span} {left} is left, and this takes about {need}.", **values)


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
