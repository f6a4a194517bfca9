"""Ranges that hold four times of five, on traces with noise, drift, outliers and switches."""

from __future__ import annotations

import math
import random
from collections import deque

import pytest

from realbot.eta import Features, Guess, Timings, rounded, schedule
from realbot.jobs import Eta, Generate, StyleUse

PLAIN = Features("mini", 128 * 128, 12)


def took(features: Features, *, pace: float = 30.0, switch: bool = False, rest: float = 0.4) -> dict[str, float]:
    """Seconds by stage on an imagined engine; attention makes large pictures dearer than their share."""
    denoise = pace * features.work * (1 + features.pixels / 2e6)
    stages = {"encode": 0.1, "denoise": denoise, "decode": rest * features.pixels / 1e6 * features.count, "save": 0.05}
    return stages | ({"switch": 3.0} if switch else {})


def test_Q11_without_history_nothing_is_claimed():
    timings = Timings()
    assert timings.guess(PLAIN) is None
    assert timings.left(PLAIN, 1, 0.3) is None
    assert schedule(timings, [(Guess(0, 0), ())], [PLAIN, PLAIN]) == [None, None]


def test_Q11_an_unknown_model_says_nothing_about_itself_nor_about_who_waits_behind_it():
    timings = Timings()
    timings.record(PLAIN, took(PLAIN))
    other = Features("flux-dev", 1024 * 1024, 28)
    first, second, third = schedule(timings, [(Guess(0, 0), ())], [PLAIN, other, PLAIN])
    assert first is not None
    assert second is None
    assert third is None


def test_Q11_one_picture_is_enough_for_a_first_range():
    timings = Timings()
    timings.record(PLAIN, took(PLAIN))
    guess = timings.guess(PLAIN)
    assert guess is not None
    assert guess.middle == pytest.approx(sum(took(PLAIN).values()))
    assert guess.spread > 0


@pytest.mark.parametrize(
    ("change", "factor"),
    [({"steps": 24}, 2), ({"count": 3}, 3), ({"passes": 2}, 2), ({"pixels": 256 * 256}, 4)],
)
def test_Q11_more_work_takes_its_share_longer(change: dict[str, int], factor: float):
    timings = Timings()
    timings.record(PLAIN, {"denoise": 6.0})
    more = Features(**{"model": "mini", "pixels": 128 * 128, "steps": 12, **change})
    guess = timings.guess(more)
    assert guess is not None
    assert guess.middle == pytest.approx(6.0 * factor)


def test_Q11_a_change_of_styles_costs_a_switch_and_staying_does_not():
    timings = Timings()
    for _ in range(5):
        timings.record(PLAIN, took(PLAIN))
        timings.record(PLAIN, took(PLAIN, switch=True))
    stay, change = timings.guess(PLAIN), timings.guess(PLAIN, switch=True)
    assert stay is not None
    assert change is not None
    assert change.middle - stay.middle == pytest.approx(3.0)
    ink = Features("mini", 128 * 128, 12, styles=(("ink", 1.0),))
    in_turn = schedule(timings, [(Guess(0, 0), ())], [ink, PLAIN, ink, PLAIN])
    sorted_ = schedule(timings, [(Guess(0, 0), ())], [ink, ink, PLAIN, PLAIN])
    assert in_turn[-1].high > sorted_[-1].high


def test_Q11_an_outlier_does_not_move_the_middle():
    timings = Timings()
    for _ in range(10):
        timings.record(PLAIN, took(PLAIN))
    before = timings.guess(PLAIN)
    timings.record(PLAIN, took(PLAIN, pace=3000))
    after = timings.guess(PLAIN)
    assert after.middle == pytest.approx(before.middle)


def test_G19_a_slower_device_is_learned_within_ten_pictures():
    timings = Timings()
    for _ in range(60):
        timings.record(PLAIN, took(PLAIN))
    for _ in range(10):
        timings.record(PLAIN, took(PLAIN, pace=60))
    assert timings.guess(PLAIN).middle == pytest.approx(sum(took(PLAIN, pace=60).values()), rel=0.05)


@pytest.mark.parametrize("stages", [{}, {"denoise": 0.0}, {"denoise": math.nan}, {"denoise": math.inf}])
def test_Q11_nonsense_is_not_learned(stages: dict[str, float]):
    timings = Timings()
    timings.record(PLAIN, stages)
    assert timings.guess(PLAIN) is None


def test_Q11_what_is_left_shrinks_with_each_step_and_is_never_zero():
    timings = Timings()
    for _ in range(5):
        timings.record(PLAIN, took(PLAIN))
    whole = timings.guess(PLAIN).middle
    left = [timings.left(PLAIN, n, whole * n / 12) for n in range(12)]
    assert [one.middle for one in left] == sorted((one.middle for one in left), reverse=True)
    for late in (0.0, 1.0, 10.0, 1e6):
        assert timings.left(PLAIN, 0, whole * late).middle > 0
        eta = timings.eta([timings.left(PLAIN, 0, whole * late)])
        assert 0 < eta.low <= eta.high


def test_Q11_a_running_picture_is_judged_by_its_own_pace():
    timings = Timings()
    timings.record(PLAIN, {"denoise": 12.0})
    assert timings.left(PLAIN, 6, 60.0).middle == pytest.approx(60.0)


def test_Q11_later_in_the_line_is_never_earlier_and_never_now():
    draw = random.Random(4)
    timings = Timings()
    for _ in range(30):
        timings.record(PLAIN, took(PLAIN, pace=draw.lognormvariate(3, 1)))
    waiting = [PLAIN if draw.random() < 0.8 else None for _ in range(300)]
    for engines in ([(Guess(0, 0), ())], [(Guess(5, 1), ()), (Guess(1, 1), ())]):
        etas = schedule(timings, engines, [PLAIN, *waiting])
        assert all(1 <= eta.low <= eta.high for eta in etas)
        assert [eta.low for eta in etas] == sorted(eta.low for eta in etas)
        assert [eta.high for eta in etas] == sorted(eta.high for eta in etas)


def test_Q11_two_engines_halve_the_wait():
    timings = Timings()
    for _ in range(10):
        timings.record(PLAIN, {"denoise": 10.0})
    one = schedule(timings, [(Guess(0, 0), ())], [PLAIN] * 20)[-1]
    two = schedule(timings, [(Guess(0, 0), ())] * 2, [PLAIN] * 20)[-1]
    assert two.high < 0.7 * one.high


def test_Q11_ranges_are_round_numbers_that_hold_the_exact_ones():
    draw = random.Random(1)
    for _ in range(2000):
        low = draw.lognormvariate(3, 2)
        exact = Eta(low, low * draw.uniform(1, 3))
        shown = rounded(exact)
        assert shown.low <= max(exact.low, 1)
        assert shown.high >= exact.high
        assert shown.low >= 1
        assert shown.low == int(shown.low)
        assert shown.high - exact.high <= max(1, 0.2 * exact.high)


def test_Q11_features_of_a_request_and_back():
    request = Generate(
        prompt="x", width=64, height=128, steps=20, true_cfg=3.5, count=2, model="mini", styles=(StyleUse("ink", 1),)
    )
    features = Features.of(request)
    assert features == Features("mini", 8192, 20, 2, 2, (("ink", 1.0),))
    assert Features.load(features.data()) == features


@pytest.mark.parametrize("seed", range(6))
def test_Q11_four_of_five_promises_hold_on_a_trace(seed: int):
    """A day of jobs: bursts, sizes, styles, a machine that slows down at noon, now and then a picture that sticks."""
    draw = random.Random(seed)
    timings = Timings()
    jobs = 1500
    arrival, now = [], 0.0
    for _ in range(jobs):
        now += draw.expovariate(1 / 13) * (0.2 if draw.random() < 0.3 else 1.34)
        arrival.append(now)
    wanted = [
        Features(
            "mini",
            draw.choice((128, 128, 192, 256)) ** 2,
            draw.choice((8, 12, 12, 20)),
            2 if draw.random() < 0.1 else 1,
            draw.choice((1, 1, 1, 4)),
            (("ink", 1.0),) if draw.random() < 0.3 else (),
        )
        for _ in range(jobs)
    ]
    line: deque[int] = deque()
    promised: dict[int, Eta] = {}
    hits: list[bool] = []
    running: tuple[int, float, float, dict[str, float]] | None = None
    loaded: tuple[tuple[str, float], ...] = ()
    clock, next_one = 0.0, 0

    def start(at: float) -> None:
        nonlocal running, loaded
        job = line.popleft()
        pace = (
            8.0 * (1.4 if job > jobs / 2 else 1.0) * draw.lognormvariate(0, 0.12) * (5 if draw.random() < 0.01 else 1)
        )
        stages = took(wanted[job], pace=pace, switch=loaded != wanted[job].styles)
        loaded = wanted[job].styles
        running = (job, at, at + sum(stages.values()), stages)

    while next_one < jobs or running:
        if running and (next_one >= jobs or running[2] <= arrival[next_one]):
            job, _, clock, stages = running
            running = None
            timings.record(wanted[job], stages)
            if job in promised:
                actual = max(clock - arrival[job], 1.0)
                hits.append(promised[job].low <= actual <= promised[job].high)
                timings.score(promised[job], actual)
            if line:
                start(clock)
            continue
        clock, job = arrival[next_one], next_one
        next_one += 1
        line.append(job)
        busy = Guess(0.0, 0.0)
        if running:
            done = int(wanted[running[0]].steps * min((clock - running[1]) / (running[2] - running[1]), 1))
            busy = timings.left(wanted[running[0]], done, clock - running[1]) or busy
        eta = schedule(timings, [(busy, loaded)], [wanted[one] for one in line])[-1]
        if eta is not None:
            promised[job] = eta
        if running is None:
            start(clock)
    coverage = sum(hits) / len(hits)
    assert len(hits) > 0.95 * jobs
    assert 0.70 <= coverage <= 0.90, coverage
