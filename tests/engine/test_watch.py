"""When an engine counts as hung, and when it is started again."""

from __future__ import annotations

from realbot.engine.watch import Deaths, Patience, Silence

SMALL = {"width": 512, "height": 512}
LARGE = {"width": 1024, "height": 1024}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def paint(silence: Silence, clock: Clock, request: dict[str, int], *gaps: float) -> None:
    silence.begin(request)
    for gap in gaps:
        clock.now += gap
        assert silence.seconds == gap
        silence.hear()
    silence.finish()


def test_G4_the_first_picture_may_take_long() -> None:
    silence = Silence(Patience(hang=30.0), Clock())
    silence.begin(SMALL)
    assert silence.limit == 300.0
    assert Silence(Patience(hang=30.0, first=45.0), Clock()).limit == 45.0


def test_G4_hung_is_five_times_the_usual_but_at_least_the_setting() -> None:
    clock = Clock()
    silence = Silence(Patience(hang=30.0), clock)
    paint(silence, clock, SMALL, 1.0, 1.0, 2.0)
    silence.begin(SMALL)
    assert silence.limit == 30.0
    paint(silence, clock, SMALL, 20.0, 20.0)
    paint(silence, clock, SMALL, 20.0, 20.0)
    silence.begin(SMALL)
    assert silence.limit == 100.0


def test_G19_a_larger_picture_is_given_more_time() -> None:
    clock = Clock()
    silence = Silence(Patience(hang=30.0), clock)
    paint(silence, clock, SMALL, 10.0)
    silence.begin(LARGE)
    assert silence.limit == 200.0
    silence.begin({**LARGE, "true_cfg": 3.5})
    assert silence.limit == 400.0


def test_G4_one_slow_warm_up_does_not_hide_later_hangs() -> None:
    clock = Clock()
    silence = Silence(Patience(hang=30.0), clock)
    paint(silence, clock, SMALL, 200.0)
    for _ in range(3):
        paint(silence, clock, SMALL, 8.0)
    silence.begin(SMALL)
    assert silence.limit == 40.0


def test_G20_loading_is_no_silence_of_work() -> None:
    clock = Clock()
    silence = Silence(Patience(), clock)
    silence.begin(SMALL)
    clock.now += 600.0
    silence.wait()
    assert silence.seconds == 0.0


def test_another_device_has_another_speed() -> None:
    clock = Clock()
    silence = Silence(Patience(), clock)
    paint(silence, clock, SMALL, 0.5)
    silence.forget()
    assert silence.limit == 300.0


def test_G10_the_circuit_opens_after_five_deaths_in_ten_minutes() -> None:
    clock = Clock()
    deaths = Deaths(Patience(), clock)
    pauses = []
    for _ in range(7):
        clock.now += 60.0
        pauses.append(deaths.count())
    assert pauses == [0.0, 1.0, 2.0, 5.0, 60.0, 60.0, 60.0]
    assert deaths.open
    clock.now += 601.0
    assert not deaths.open
    assert deaths.count() == 0.0


def test_G10_deaths_far_apart_do_not_add_up() -> None:
    clock = Clock()
    deaths = Deaths(Patience(), clock)
    for _ in range(20):
        clock.now += 200.0
        assert deaths.count() < 60.0


def test_G10_a_picture_closes_the_circuit() -> None:
    deaths = Deaths(Patience(), Clock())
    for _ in range(9):
        deaths.count()
    deaths.forget()
    assert not deaths.open
    assert deaths.count() == 0.0
