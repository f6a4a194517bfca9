"""What a person may have in an hour, a day and a month, in pictures and seconds of the engine, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot.adapters import words
from realbot.errors import OverQuota, Refused
from realbot.jobs import Generate, Train, Upscale
from realbot.policy import check, quota
from realbot.rulebook import Limits
from realbot.spending import DAY, HOUR, MONTH, QUOTAS, Charge, Quota, Usage, allowance, frees, in_force, windows

CAT = Generate(prompt="a cat")
NOW = 10_000_000.0


def used(window: float, *charges: Charge) -> Usage:
    return Usage(charges={window: charges})


def refused(request: Any, limits: Limits, usage: Usage, seconds: float | None = None) -> OverQuota:
    with pytest.raises(OverQuota) as caught:
        quota(request, limits, usage, NOW, seconds)
    return caught.value


def test_Q1_what_is_left_and_when_there_is_room_again_is_told():
    limits, usage = Limits(per_day=10), used(DAY, Charge(NOW - 7200, 3), Charge(NOW - 3600, 4))
    quota(replace(CAT, count=3), limits, usage, NOW)
    error = refused(replace(CAT, count=4), limits, usage)
    assert str(error) == "Of your 10 pictures for 24 hours 3 are left, and this asks for 4."
    assert error.resets == NOW - 7200 + DAY
    assert words.refusal(error, NOW) == (
        "Of your 10 pictures for 24 hours 3 are left, and this asks for 4. Try again in about 22 h."
    )


@pytest.mark.parametrize(
    ("limits", "charges", "count", "says", "after"),
    [
        ({"per_day": 1}, [Charge(NOW - 60, 1)], 1, "Your 1 picture for 24 hours is used up.", DAY - 60),
        ({"per_hour": 2}, [Charge(NOW - 60, 2)], 1, "Your 2 pictures for 60 minutes are used up.", HOUR - 60),
        ({"per_month": 9}, [Charge(NOW - DAY, 9)], 1, "Your 9 pictures for 30 days are used up.", MONTH - DAY),
        ({"per_day": 5}, [Charge(NOW - 60, 4)], 2, "5 pictures for 24 hours 1 is left, and this asks for 2.", DAY - 60),
        # What does not come back by waiting names no time.
        ({"per_day": 1}, [], 2, "This asks for 2 pictures, and only 1 picture may be asked for in 24 hours", None),
        ({"per_day": 3}, [Charge(NOW, 1)], 4, "and only 3 pictures may be asked for in 24 hours; please", None),
    ],
)
def test_Q1_each_limit_is_named_with_its_own_time(
    limits: dict[str, int], charges: list[Charge], count: int, says: str, after: float | None
):
    window = next(one.window for one in QUOTAS if one.name in limits)
    error = refused(replace(CAT, count=count), Limits(**limits), used(window, *charges))
    assert says in str(error)
    assert error.resets == (0.0 if after is None else NOW + after)
    assert ("Try again in" in words.refusal(error, NOW)) == (after is not None)


def test_Q1_of_several_limits_the_one_that_holds_longest_is_told():
    usage = Usage(charges={HOUR: (Charge(NOW - 60, 5),), DAY: (Charge(NOW - 60, 5),), MONTH: (Charge(NOW - 60, 5),)})
    error = refused(CAT, Limits(per_hour=5, per_day=5, per_month=6), usage)
    assert "24 hours" in str(error)
    assert error.resets == NOW - 60 + DAY


def test_Q1_a_share_comes_back_picture_by_picture():
    usage = used(HOUR, *(Charge(NOW - 3000 + 100 * n, 1) for n in range(10)))
    for count, n in ((1, 0), (3, 2), (10, 9)):
        assert refused(replace(CAT, count=count), Limits(per_hour=10), usage).resets == NOW - 3000 + 100 * n + HOUR


@pytest.mark.parametrize(
    ("expected", "had", "says"),
    [
        (30.0, 50.0, "Of your 60 s of painting for 60 minutes 10 s is left, and this takes about 30 s."),
        (30.0, 60.0, "Your 60 s of painting for 60 minutes is used up."),
        (None, 60.0, "Your 60 s of painting for 60 minutes is used up."),
        (90.0, 0.0, "This takes about 90 s of painting, and only 60 s may be used in 60 minutes; please ask for fewer"),
    ],
)
def test_Q1_seconds_of_the_engine_are_a_limit_too(expected: float | None, had: float, says: str):
    usage = used(HOUR, Charge(NOW - 600, 2, had)) if had else Usage()
    error = refused(CAT, Limits(seconds_per_hour=60), usage, expected)
    assert says in str(error)
    assert error.resets == (NOW - 600 + HOUR if (expected or 0) <= 60 else 0.0)


def test_Q1_what_is_not_known_to_be_too_much_is_taken():
    usage = used(HOUR, Charge(NOW - 600, 2, 50.0))
    quota(CAT, Limits(seconds_per_hour=60), usage, NOW, None)
    quota(CAT, Limits(seconds_per_hour=60), usage, NOW, 10.0)
    quota(Upscale(source="0" * 64), Limits(seconds_per_hour=60), usage, NOW, 10.0)


def test_Q1_a_training_takes_what_nobody_else_wants_and_counts_as_one_picture():
    train = Train(style="x", trigger="x", images=())
    quota(train, Limits(seconds_per_hour=60), used(HOUR, Charge(NOW, 1, 60.0)), NOW, None)
    assert "used up" in str(refused(train, Limits(per_hour=1), used(HOUR, Charge(NOW, 1))))


def test_Q1_what_was_handed_back_counts_only_against_those_who_did_not():
    usage = used(DAY, Charge(NOW - 100, 3, forgiven=True), Charge(NOW - 50, 1))
    quota(CAT, Limits(per_day=2), usage, NOW)
    with pytest.raises(OverQuota):
        quota(CAT, Limits(per_day=4), usage, NOW, forgiving=False)
    with pytest.raises(OverQuota):
        check(CAT, Limits(per_day=2), usage, NOW, base=Limits(per_day=4))
    check(CAT, Limits(per_day=2), usage, NOW, base=Limits(per_day=5))


def test_D13_a_clock_set_back_takes_nothing_away_for_longer_than_the_rule():
    error = refused(CAT, Limits(per_hour=1), used(HOUR, Charge(NOW + 10 * DAY, 1)))
    assert error.resets == NOW + HOUR


def test_who_is_exempt_has_no_cooldown_no_quota_and_no_number_of_waiting_requests():
    limits = Limits(per_day=1, cooldown=60, waiting_per_user=1, waiting_per_server=1, max_steps=10)
    usage = Usage(5, 5, NOW, {DAY: (Charge(NOW, 9),)}, 5)
    check(CAT, limits, usage, NOW, exempt=True)
    with pytest.raises(Refused, match="from 1 to 10"):
        check(replace(CAT, steps=11), limits, usage, NOW, exempt=True)
    with pytest.raises(Refused, match="The line is full"):
        check(CAT, limits, usage, NOW, exempt=True, waiting_total=5)
    with pytest.raises(Refused):
        check(CAT, limits, usage, NOW)


def test_what_is_left_is_told_with_the_times_at_which_it_comes_back():
    day = Quota("per_day", DAY, "pictures")
    has = allowance(day, 10, used(DAY, Charge(NOW - 100, 3), Charge(NOW - 50, 1)), NOW)
    assert (has.used, has.left, has.frees, has.whole) == (4, 6, NOW - 100 + DAY, NOW - 50 + DAY)
    assert allowance(day, 10, Usage(), NOW).frees is None
    assert windows(Limits(per_day=1, seconds_per_month=5), Limits(per_hour=2)) == (HOUR, DAY, MONTH)
    assert windows(Limits()) == ()


@given(
    st.lists(st.tuples(st.floats(0, DAY - 1), st.integers(1, 4)), max_size=20),
    st.integers(1, 4),
    st.integers(1, 60),
)
def test_Q3_there_is_room_at_the_time_that_is_told_and_not_before(had: list[tuple[float, int]], count: int, limit: int):
    charges = sorted((Charge(NOW - ago, number) for ago, number in had), key=lambda one: one.at)
    (one, most) = next(in_force(Limits(per_day=limit)))

    def left(at: float) -> float:
        return most - sum(charge.pictures for charge in charges if charge.at > at - DAY)

    try:
        check(replace(CAT, count=count), Limits(per_day=limit), used(DAY, *charges), NOW)
    except OverQuota as error:
        assert left(NOW) < count
        if error.resets:
            assert left(error.resets) >= count > left(error.resets - 1e-3)
        else:
            assert count > limit
    else:
        assert left(NOW) >= count
        assert frees(one, 0, used(DAY, *charges), NOW) == NOW
