"""Who is next: strict order of acceptance, or people in turn."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot.queue import Line, Place


def names(line: Line) -> str:
    return " ".join(place.job for place in line)


def fill(line: Line, text: str) -> None:
    """`a1 b1 a2` are jobs of a and b in the order of acceptance."""
    for seq, job in enumerate(text.split(), 1):
        line.add(Place(seq, job, job[0], "mini"))


def test_Q2_first_come_first_served():
    line = Line()
    fill(line, "a1 a2 b1 a3 c1")
    assert names(line) == "a1 a2 b1 a3 c1"
    assert line.positions() == {"a1": 1, "a2": 2, "b1": 3, "a3": 4, "c1": 5}
    assert [place.job for place in line.ahead("a3")] == ["a1", "a2", "b1"]
    assert line.head().job == "a1"
    line.serve("a1")
    assert names(line) == "a2 b1 a3 c1"


def test_Q2_acceptance_counts_and_not_the_moment_of_adding():
    line = Line()
    for seq in (5, 2, 9, 1):
        line.add(Place(seq, f"j{seq}", "a"))
    assert names(line) == "j1 j2 j5 j9"


def test_D4_what_comes_back_stands_where_it_stood():
    line = Line()
    fill(line, "a1 b1 c1 d1")
    first = line.serve("a1")
    second = line.serve("b1")
    line.put_back(second)
    line.put_back(first)
    assert names(line) == "a1 b1 c1 d1"


def test_Q7_who_leaves_moves_everyone_behind_up():
    line = Line()
    fill(line, "a1 b1 c1 d1")
    assert line.drop("b1").user == "b"
    assert line.positions() == {"a1": 1, "c1": 2, "d1": 3}
    assert line.drop("b1") is None
    assert "b1" not in line
    assert line.ahead("b1") == []


def test_Q2_adding_twice_is_adding_once():
    line = Line()
    fill(line, "a1 b1")
    line.add(Place(1, "a1", "a"))
    assert len(line) == 2


def test_Q15_the_head_for_an_engine_is_the_first_it_can_run():
    line = Line()
    line.add(Place(1, "big", "a", "flux-dev"))
    line.add(Place(2, "small", "b", "mini"))
    assert line.head(("mini",)).job == "small"
    assert line.head(()).job == "big"
    assert line.head(("sdxl",)) is None
    assert line.head((), lambda place: place.user == "b").job == "small"
    assert Line().head() is None


def test_Q1_in_turn_a_crowd_of_one_person_delays_nobody():
    line = Line("round_robin")
    fill(line, "a1 a2 a3 a4 b1 c1 b2")
    assert names(line) == "a1 b1 c1 a2 b2 a3 a4"
    assert line.positions()["b1"] == 2


def test_Q1_in_turn_a_newcomer_joins_the_present_round():
    line = Line("round_robin")
    fill(line, "a1 a2 a3 b1 b2")
    order = []
    while len(line):
        order.append(line.head().job)
        line.serve(order[-1])
        if len(order) == 2:
            line.add(Place(9, "c1", "c"))
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_Q1_in_turn_asking_one_at_a_time_gains_nothing():
    line = Line("round_robin")
    fill(line, "b1 b2 b3")
    order, seq = [], 10
    for n in range(6):
        line.add(Place(seq + n, f"a{n}", "a"))
        order.append(line.head().user)
        line.serve(line.head().job)
    assert order == ["b", "a", "b", "a", "b", "a"]


def test_Q1_in_turn_whoever_is_served_already_lets_others_pass():
    line = Line("round_robin")
    fill(line, "a1")
    line.serve("a1")
    line.add(Place(2, "a2", "a"))
    line.add(Place(3, "b1", "b"))
    assert names(line) == "b1 a2"


def test_Q7_in_turn_a_cancelled_job_gives_its_turn_to_the_next_of_its_person():
    line = Line("round_robin")
    fill(line, "a1 a2 b1 a3 b2")
    line.drop("a1")
    assert names(line) == "a2 b1 a3 b2"
    line.add(Place(9, "a4", "a"))
    assert names(line) == "a2 b1 a3 b2 a4"


def test_D4_in_turn_a_lost_attempt_keeps_its_turn():
    line = Line("round_robin")
    fill(line, "a1 a2 b1 c1")
    place = line.serve("a1")
    assert names(line) == "b1 c1 a2"
    line.put_back(place)
    assert names(line) == "a1 b1 c1 a2"


def test_Q5_the_order_can_change_while_people_wait():
    line = Line()
    fill(line, "a1 a2 b1")
    line.order = "round_robin"
    assert names(line) == "a1 b1 a2"
    line.order = "fifo"
    assert names(line) == "a1 a2 b1"


@given(st.lists(st.tuples(st.sampled_from("asdp"), st.integers(0, 4)), max_size=60), st.booleans())
def test_Q2_positions_are_the_order_in_which_people_are_served(moves: list[tuple[str, int]], in_turn: bool):
    line, seq, out = Line("round_robin" if in_turn else "fifo"), 0, []
    for move, who in moves:
        if move == "a":
            seq += 1
            line.add(Place(seq, f"j{seq}", f"u{who}"))
        elif move == "s" and len(line):
            out.append(line.serve(line.head().job))
        elif move == "d" and len(line):
            line.drop(list(line)[who % len(line)].job)
        elif move == "p" and out:
            line.put_back(out.pop())
        positions = line.positions()
        assert sorted(positions.values()) == list(range(1, len(line) + 1))
        order = [place.job for place in line]
        assert [job for job, _ in sorted(positions.items(), key=lambda item: item[1])] == order
        if not in_turn:
            assert [place.seq for place in line] == sorted(place.seq for place in line)
    expected = [place.job for place in line]
    served = []
    while (head := line.head()) is not None:
        served.append(head.job)
        line.serve(head.job)
    assert served == expected


@pytest.mark.parametrize("order", ["fifo", "round_robin"])
def test_Q2_nobody_starves_while_others_keep_coming(order: str):
    draw = random.Random(7)
    line, seq = Line(order), 0
    for _ in range(50):
        seq += 1
        line.add(Place(seq, f"j{seq}", f"u{draw.randrange(5)}"))
    last = list(line)[-1].job
    turns = 0
    while last in line:
        turns += 1
        seq += 1
        line.add(Place(seq, f"j{seq}", f"u{draw.randrange(5)}"))
        line.serve(line.head().job)
        assert turns <= 250
