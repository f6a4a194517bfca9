"""What a person has had lately, and what is left of it: the limits of an hour, a day and a month. Pure arithmetic.

The windows slide: what was asked for counts until it is as old as the window is long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .rulebook import Limits

#: In seconds.
HOUR, DAY, MONTH = 3600.0, 86_400.0, 30 * 86_400.0
WINDOWS = (HOUR, DAY, MONTH)
Unit: TypeAlias = Literal["pictures", "seconds"]


@dataclass(frozen=True, slots=True)
class Quota:
    """One of the limits. `name` is its key in the settings."""

    name: str
    window: float  #: seconds
    unit: Unit


QUOTAS = (
    Quota("per_hour", HOUR, "pictures"),
    Quota("per_day", DAY, "pictures"),
    Quota("per_month", MONTH, "pictures"),
    Quota("seconds_per_hour", HOUR, "seconds"),
    Quota("seconds_per_day", DAY, "seconds"),
    Quota("seconds_per_month", MONTH, "seconds"),
)


@dataclass(frozen=True, slots=True)
class Charge:
    """What was asked for at one time, or in one short while up to then: a Unix time in seconds."""

    at: float
    pictures: int
    seconds: float = 0.0  #: of the engine; those that are expected, until it is painted
    forgiven: bool = False  #: the administrators of the place where it is judged have handed it back

    def amount(self, unit: Unit) -> float:
        return self.pictures if unit == "pictures" else self.seconds


@dataclass(frozen=True, slots=True)
class Usage:
    """What counts against a person's limits at this moment."""

    waiting_user: int = 0  #: the person's jobs that wait or run
    waiting_total: int = 0  #: everyone's
    last_accept: float | None = None  #: Unix time in seconds
    #: By window, the oldest first; cancelled, failed and cached ones do not count.
    charges: Mapping[float, tuple[Charge, ...]] = field(default_factory=dict)
    waiting_server: int = 0  #: jobs that wait or run in the server where it is asked
    trainings: int = 0  #: styles whose training was begun in the last 24 hours; looked up when another is asked for
    styles: int = 0  #: trained styles that the person has

    @property
    def today(self) -> int:
        """Pictures of the last 24 hours."""
        return sum(one.pictures for one in self.charges.get(DAY, ()))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of one limit. `frees` is the Unix time at which some of it comes back, `whole` when all does."""

    quota: Quota
    limit: float
    used: float
    frees: float | None = None  #: None while nothing is used
    whole: float | None = None

    @property
    def left(self) -> float:
        return max(self.limit - self.used, 0.0)


def in_force(limits: Limits) -> Iterator[tuple[Quota, float]]:
    """The quotas that these limits set, and how much each grants."""
    for quota in QUOTAS:
        limit = float(getattr(limits, quota.name))
        if limit > 0:
            yield quota, limit


def windows(*limits: Limits) -> tuple[float, ...]:
    """How far these limits look back, in seconds."""
    return tuple(sorted({quota.window for one in limits for quota, _ in in_force(one)}))


def allowance(quota: Quota, limit: float, usage: Usage, now: float, *, forgiving: bool = True) -> Allowance:
    """What is left of a limit at a Unix time. `forgiving`: what was handed back does not count."""
    counted = _counted(quota, usage, forgiving=forgiving)
    used = sum(one.amount(quota.unit) for one in counted)
    if not counted:
        return Allowance(quota, limit, used)
    # A clock that was set back must not take anything away for longer than the rule.
    first, last = (min(one.at, now) + quota.window for one in (counted[0], counted[-1]))
    return Allowance(quota, limit, used, first, last)


def frees(quota: Quota, amount: float, usage: Usage, now: float, *, forgiving: bool = True) -> float:
    """The Unix time at which so much of what is used has come back."""
    at = now
    for one in _counted(quota, usage, forgiving=forgiving):
        if amount <= 0:
            break
        amount -= one.amount(quota.unit)
        at = min(one.at, now) + quota.window
    return at


def _counted(quota: Quota, usage: Usage, *, forgiving: bool) -> list[Charge]:
    charges = usage.charges.get(quota.window, ())
    return [one for one in charges if one.amount(quota.unit) > 0 and not (forgiving and one.forgiven)]
