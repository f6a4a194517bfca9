"""How long a picture takes, learned from pictures: ranges in which four of five fall.

Pure arithmetic; the store keeps the observations and how right each shown range turned out to be.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any

from .engine.models import denoised
from .jobs import Eta, Request, Train, Upscale

#: Observations kept per model. The weight of one fades by half in about seven pictures.
MEMORY, FADE = 64, 0.9
#: No range is narrower than this part of its middle: neither machines nor samples of three are steady.
DOUBT = 0.1
#: What may be wrong with all of a line at once, such as a device that grows warm, as part of its middle.
DRIFT = 0.05
#: Half-width of the middle 80 % of a normal distribution, in standard deviations.
DECILE = 1.2816
#: Stands for a model's name where pictures are enlarged.
UPSCALE = "upscale"
#: Stands for it where a style is trained, and how much longer learning from a pixel takes than painting it.
TRAIN, LEARNING = "train", 3.5
#: How fast the ranges widen after a miss; one miss in ten on each side keeps the width as it is.
PACE = 0.1
#: Below so many seconds, times are shown in such steps.
GRAINS = ((20, 1.0), (60, 2.0), (300, 10.0), (1200, 30.0))


@dataclass(frozen=True, slots=True)
class Features:
    """What of a request decides its duration."""

    model: str
    pixels: int  #: of one picture
    steps: int
    passes: int = 1  #: of the network in a step; one more with classifier-free guidance or a reference
    count: int = 1
    styles: tuple[tuple[str, float], ...] = ()  #: changing them costs a switch

    @classmethod
    def of(cls, request: Request, pixels: int = 0) -> Features:
        """The features of a resolved request; `pixels` are those of an enlarged picture or of a step that is learnt."""
        if isinstance(request, Upscale):
            return cls(UPSCALE, pixels or 1024 * 1024 * request.factor**2, 1)
        if isinstance(request, Train):
            return cls(TRAIN, pixels or 1, request.steps)
        return cls(
            request.model or "",
            (request.width or 1) * (request.height or 1),
            max(denoised(request), 1),
            (2 if (request.true_cfg or 1) > 1 else 1) + (1 if request.reference_weight else 0),
            request.count,
            tuple(sorted((use.name, float(use.weight)) for use in request.styles)),
        )

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Features:
        """The inverse of `data`."""
        styles = tuple((str(name), float(weight)) for name, weight in data.get("styles", ()))
        return cls(**{**data, "styles": styles})

    def data(self) -> dict[str, Any]:
        """The features as JSON data."""
        return asdict(self)

    @property
    def work(self) -> float:
        """Passes of the network over a megapixel."""
        return self.pixels / 1e6 * self.steps * self.passes * self.count


@dataclass(frozen=True, slots=True)
class Guess:
    """Seconds: the middle and the distance from there to the 10 % and 90 % points."""

    middle: float
    spread: float


@dataclass(frozen=True, slots=True)
class _Seen:
    pixels: int
    rate: float  #: seconds of denoising per unit of work
    rest: float  #: seconds of everything else but the switch, per picture
    switch: float | None  #: None when the styles did not change


class Timings:
    """Learns from what each picture took. Without an observation of a model it has no opinion of it."""

    def __init__(self) -> None:
        self._seen: defaultdict[str, deque[_Seen]] = defaultdict(lambda: deque(maxlen=MEMORY))
        self._guesses: dict[tuple[Features, bool], Guess] = {}
        self._low = self._high = 1.0

    def record(self, features: Features, stages: Mapping[str, float], seconds: float | None = None) -> None:
        """One picture's seconds by stage; `seconds` in all where the stages do not add up to it."""
        denoise, switch = stages.get("denoise", 0.0), stages.get("switch", 0.0)
        total = max(sum(stages.values()), seconds or 0.0)
        if not math.isfinite(total) or total <= 0 or features.work <= 0:
            return
        self._guesses.clear()
        if "denoise" not in stages:
            denoise = max(total - switch, 0.0)
        self._seen[features.model].append(
            _Seen(
                features.pixels,
                denoise / features.work,
                max(total - switch - denoise, 0.0) / features.count,
                switch if switch > 0 else None,
            )
        )

    def guess(self, features: Features, switch: bool = False) -> Guess | None:
        """Seconds of one picture on an idle engine, with or without a change of styles. None: nothing to go by."""
        known = self._guesses.get((features, switch))
        if known is not None:
            return known
        seen = self._seen.get(features.model)
        if not seen:
            return None
        bare = (replace(features, styles=()), switch)
        if bare not in self._guesses:
            self._guesses[bare] = self._fresh(*bare, list(reversed(seen)))
        self._guesses[features, switch] = self._guesses[bare]
        return self._guesses[bare]

    def lesson(self, features: Features, model: str) -> Guess | None:
        """Seconds of a training; before the first one it is told by how long this model's pictures take."""
        known = self.guess(features)
        if known is not None:
            return known
        pictures = self.guess(replace(features, model=model))
        if pictures is None:
            return None
        middle = pictures.middle * LEARNING
        return Guess(middle, middle / 2)

    def _fresh(self, features: Features, switch: bool, recent: Sequence[_Seen]) -> Guess:
        # Attention costs more than its share in large pictures, so pictures of like size count for more.
        weights = [
            FADE**age * math.exp(-2 * abs(math.log(features.pixels / one.pixels))) for age, one in enumerate(recent)
        ]
        rate = _deciles([one.rate for one in recent], weights)
        rest = _deciles([one.rest for one in recent], weights)
        middle = rate[1] * features.work + rest[1] * features.count
        spread = math.hypot((rate[2] - rate[0]) / 2 * features.work, (rest[2] - rest[0]) / 2 * features.count)
        if switch:
            known = [
                (one.switch, weight) for one, weight in zip(recent, weights, strict=True) if one.switch is not None
            ]
            if known:
                change = _deciles([seconds for seconds, _ in known], [weight for _, weight in known])
                middle += change[1]
                spread = math.hypot(spread, (change[2] - change[0]) / 2)
        return Guess(middle, max(spread, DOUBT * middle))

    def left(self, features: Features, step: int, elapsed: float) -> Guess | None:
        """Seconds still to go of a picture under way, `elapsed` seconds after it started, at `step` of its steps."""
        whole = self.guess(features)
        done = min(step / features.steps, 1.0) if features.steps else 0.0
        if step >= 2:
            pace = elapsed / done * (1 - done)
            rest = (whole.middle - self._rate(features) * features.work) if whole else 0.0
            middle = pace + max(rest, 0.0)
        elif whole is not None:
            middle = max(whole.middle - elapsed, whole.middle * (1 - done) * DOUBT)
        else:
            return None
        return Guess(middle, max(whole.spread * (1 - done) if whole else 0.0, DOUBT * middle))

    def eta(self, guesses: Iterable[Guess]) -> Eta:
        """The shown range of things done one after another."""
        middle = variance = 0.0
        for guess in guesses:
            middle += guess.middle
            variance += guess.spread**2
        spread = math.hypot(math.sqrt(variance), DRIFT * middle)
        return rounded(Eta(max(middle - self._low * spread, middle * DOUBT), middle + self._high * spread))

    def score(self, shown: Eta, actual: float) -> None:
        """Tell how long it took in the end; ranges that miss too often widen, ranges that never miss narrow."""
        self._low *= math.exp(PACE * (0.9 if actual < shown.low else -0.1))
        self._high *= math.exp(PACE * (0.9 if actual > shown.high else -0.1))
        self._low = min(max(self._low, 0.1), 10.0)
        self._high = min(max(self._high, 0.1), 10.0)

    def _rate(self, features: Features) -> float:
        rates = sorted(one.rate for one in self._seen[features.model])
        return rates[len(rates) // 2]


def schedule(
    timings: Timings, engines: Sequence[tuple[Guess, tuple[tuple[str, float], ...]]], waiting: Iterable[Features | None]
) -> list[Eta | None]:
    """When each waiting job will be done, in their order, on engines that are busy for so long with such styles.

    `None` in `waiting` costs nothing, as it shares the picture of a job before it. `None` in the answer: unknown.
    Later jobs are never shown earlier than the ones before them.
    """
    answers: list[Eta | None] = []
    busy = [[guess] for guess, _ in engines]
    loaded = [styles for _, styles in engines]
    ends = [guess.middle for guess, _ in engines]
    last = Eta(0.0, 0.0)
    known = bool(busy)
    for features in waiting:
        if known and features is not None:
            n = min(range(len(ends)), key=ends.__getitem__)
            guess = timings.guess(features, loaded[n] != features.styles)
            if guess is None:
                known = False
            else:
                busy[n].append(guess)
                ends[n] += guess.middle
                loaded[n] = features.styles
                eta = timings.eta(busy[n])
                last = Eta(max(eta.low, last.low), max(eta.high, last.high))
                # One number stands for all before it, or a long line would take quadratic time.
                busy[n] = [Guess(ends[n], math.sqrt(sum(one.spread**2 for one in busy[n])))]
        answers.append(last if known else None)
    return answers


def rounded(eta: Eta) -> Eta:
    """A range in numbers that people say, widened rather than narrowed; at least one second."""
    low, high = max(eta.low, 1.0), max(eta.high, 1.0)
    return Eta(max(math.floor(low / _grain(low)) * _grain(low), 1.0), math.ceil(high / _grain(high)) * _grain(high))


def _grain(seconds: float) -> float:
    for below, grain in GRAINS:
        if seconds < below:
            return grain
    return 60.0


def _deciles(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float, float]:
    """The weighted 10 %, 50 % and 90 % points; for few values those of a normal distribution around the median."""
    order = sorted(zip(values, weights, strict=True))
    total = sum(weights)
    points = []
    for share in (0.1, 0.5, 0.9):
        reached = list(accumulate(weight for _, weight in order))
        n = min(bisect_left(reached, share * total), len(order) - 1)
        points.append(order[n][0])
    if len(order) < 5:
        away = DECILE * 0.2 * points[1]
        return min(points[0], points[1] - away), points[1], max(points[2], points[1] + away)
    return points[0], points[1], points[2]
