"""What a button carries, and that nothing else is taken for one."""

from __future__ import annotations

import random
import string

import pytest

from realbot.actions import fresh
from realbot.adapters.buttons import action_id, custom_id


def test_P2_an_id_survives_the_way_through_a_message():
    for _ in range(1000):
        made = fresh()
        text = custom_id(made)
        assert action_id(text) == made
        assert len(text.encode()) <= 64  # the least that a platform allows


@pytest.mark.parametrize(
    "text", ["", "r1:", "r1:short", "r2:" + "a" * 16, "a" * 16, "r1:" + "a" * 21, "r1:" + "é" * 16]
)
def test_P2_what_is_no_button_of_ours_has_no_id(text: str):
    assert action_id(text) is None


def test_P2_random_texts_never_fail():
    draw = random.Random(2)
    for _ in range(10_000):
        text = "r1:" * draw.randrange(2) + "".join(draw.choices(string.printable + "é\ud800🦊", k=draw.randrange(40)))
        found = action_id(text)
        assert found is None or custom_id(found) == text


@pytest.mark.parametrize("made", ["", "a" * 15, "a b" * 6, "a" * 21, "a" * 15 + "\n"])
def test_only_ids_of_actions_are_carried(made: str):
    with pytest.raises(ValueError, match="not the id"):
        custom_id(made)
