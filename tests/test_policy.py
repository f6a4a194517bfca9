"""What is refused, with the range and the remedy in the sentence."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot.errors import Blocked, Invalid, QueueFull, TooSoon
from realbot.jobs import Generate, StyleUse
from realbot.policy import adult, cooldown, full, ranges, room, showing, words
from realbot.rulebook import Limits, Moderation
from realbot.spending import Usage

NOBODY = Usage()
CAT = Generate(prompt="a cat")
NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps must be a whole number from 1 to 100, not 0."),
        ({"steps": 10**9}, "steps must be a whole number from 1 to 100, not 1000000000."),
        ({"steps": True}, "steps must be a whole number from 1 to 100, not True."),
        ({"count": 0}, "count must be a whole number from 1 to 4, not 0."),
        ({"count": -1}, "count must be a whole number from 1 to 4, not -1."),
        ({"count": 10**9}, "count must be a whole number from 1 to 4, not 1000000000."),
        ({"seed": 2**64}, "seed must be a whole number from 0 to 4294967295, not 18446744073709551616."),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, not -1."),
        ({"width": 32}, "width must be a whole number from 64 to 2048, not 32."),
        ({"height": 4096}, "height must be a whole number from 64 to 2048, not 4096."),
        ({"guidance": math.nan}, "guidance must be from 0 to 30, not nan."),
        ({"guidance": math.inf}, "guidance must be from 0 to 30, not inf."),
        ({"guidance": -0.1}, "guidance must be from 0 to 30, not -0.1."),
        ({"true_cfg": 0.5}, "true_cfg must be from 1 to 30, not 0.5."),
        ({"strength": 1.5}, "strength must be from 0 to 1, not 1.5."),
        ({"styles": (StyleUse("ink", 2.5),)}, "the weight of style ink must be from -2 to 2, not 2.5."),
        ({"styles": (StyleUse("ink", math.nan),)}, "the weight of style ink must be from -2 to 2, not nan."),
        (
            {"styles": tuple(StyleUse(f"s{n}") for n in range(6))},
            "6 styles at once are too many; choose at most 5.",
        ),
        (
            {"styles": (StyleUse("ink"), StyleUse("ink", 0.5))},
            "The style ink is given twice; give it once, with one weight.",
        ),
        ({"prompt": " \n"}, "The prompt is empty; say what to paint."),
        (
            {"prompt": "x" * 2001},
            "The prompt has 2001 characters; at most 2000 are allowed, so shorten it.",
        ),
        (
            {"negative": "x" * 2001},
            "The negative prompt has 2001 characters; at most 2000 are allowed, so shorten it.",
        ),
    ],
)
def test_Q17_out_of_range_is_refused_with_the_range(change: dict[str, Any], sentence: str):
    with pytest.raises(Invalid) as caught:
        ranges(replace(CAT, **change), Limits())
    assert str(caught.value) == sentence


def test_Q17_the_number_of_pixels_counts_too():
    limits = Limits(max_pixels=1_000_000)
    ranges(replace(CAT, width=1000, height=1000), limits)
    with pytest.raises(Invalid, match="at most 1000000 are allowed"):
        ranges(replace(CAT, width=1001, height=1000), limits)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "steps": st.integers(),
            "count": st.integers(),
            "seed": st.integers(),
            "width": st.integers(),
            "height": st.integers(),
            "guidance": st.floats(),
            "true_cfg": st.floats(),
            "strength": st.floats(),
            "styles": st.lists(st.builds(StyleUse, st.text(max_size=3), st.floats()), max_size=8).map(tuple),
            "prompt": st.text(max_size=50),
        },
    )
)
def test_Q17_whatever_passes_is_in_range(change: dict[str, Any]):
    request, limits = replace(CAT, **change), Limits()
    try:
        ranges(request, limits)
    except Invalid:
        return
    assert request.prompt.strip()
    assert request.steps is None or 1 <= request.steps <= 100
    assert 1 <= request.count <= 4
    assert request.seed is None or 0 <= request.seed < 2**32
    for side in (request.width, request.height):
        assert side is None or 64 <= side <= 2048
    for number, top in ((request.guidance, 30), (request.true_cfg, 30), (request.strength, 1)):
        assert number is None or (math.isfinite(number) and 0 <= number <= top)
    assert len(request.styles) <= 5
    assert all(abs(use.weight) <= 2 for use in request.styles)


@pytest.mark.parametrize(
    "prompt",
    ["a Gun", "gun", "GUN!", "big,gun", "a\u00a0gun\n", "ｇｕｎ", "g\u200bun", "the  smoking\tgun rests", "gun-metal"],
)
def test_P11_a_blocked_word_is_found_whole_and_in_any_case(prompt: str):
    with pytest.raises(Blocked, match="not allowed here"):
        words(prompt, Moderation(blocked=("knife", "gun")))


@pytest.mark.parametrize("prompt", ["a gunner", "begun", "guns", "gun_metal", "Scunthorpe", ""])
def test_P11_a_part_of_another_word_is_not_a_blocked_word(prompt: str):
    words(prompt, Moderation(blocked=("gun", "cunt", "", "  ")))


def test_P11_a_phrase_is_found_whatever_the_blanks():
    with pytest.raises(Blocked, match="“red flag”"):
        words("one RED\n  flag", Moderation(blocked=("red flag",)))
    words("a flag, red", Moderation(blocked=("red flag",)))


def test_Q1_the_waiting_requests_of_one_person_are_limited():
    room(Limits(waiting_per_user=5), Usage(4, 4))
    with pytest.raises(QueueFull, match="at most 5 may; wait for one of them or cancel it"):
        room(Limits(waiting_per_user=5), Usage(5, 5))
    with pytest.raises(QueueFull, match="1 of your requests is waiting already and at most 1 may; wait for it or"):
        room(Limits(waiting_per_user=1), Usage(1, 1))


def test_Q1_the_waiting_requests_of_one_server_are_limited():
    room(Limits(waiting_per_server=3), Usage(0, 9, waiting_server=2))
    room(Limits(), Usage(0, 9, waiting_server=9))
    with pytest.raises(QueueFull, match="3 requests are waiting here already, of at most 3"):
        room(Limits(waiting_per_server=3), Usage(0, 9, waiting_server=3))


def test_Q4_the_line_of_everyone_is_limited():
    full(Usage(0, 199), 200)
    with pytest.raises(QueueFull, match="200 requests are waiting, of at most 200"):
        full(Usage(0, 200), 200)


@pytest.mark.parametrize("policy", ["anywhere", "restricted", "never"])
@pytest.mark.parametrize("asked", [True, False], ids=["asked among adults", "asked in the open"])
@pytest.mark.parametrize("here", [True, False], ids=["shown among adults", "shown in the open"])
@pytest.mark.parametrize("prompt", ["much g o r e", "a category"])
def test_X14_whether_a_picture_is_painted_and_where_it_is_shown(policy: Any, asked: bool, here: bool, prompt: str):
    rules = Moderation(adult=policy, adult_words=("gore",))
    listed = "g o r e" in prompt
    taken = not listed or policy == "anywhere" or (policy == "restricted" and asked)
    try:
        adult([prompt], asked, rules)
    except Blocked:
        assert not taken
    else:
        assert taken
    expected = "here"
    if listed and policy == "never":
        expected = "nowhere"
    elif listed and policy == "restricted" and not here:
        # Whoever asked among adults may see it alone; of anybody else that is not known.
        expected = "directly" if asked else "nowhere"
    assert showing(["a cat", prompt], asked, here, rules) == expected


def test_Q1_too_soon_tells_how_long_to_wait():
    limits = Limits(cooldown=30)
    with pytest.raises(TooSoon, match="please wait 21 more") as caught:
        cooldown(limits, Usage(0, 0, NOW - 9.5), NOW)
    assert caught.value.wait == pytest.approx(20.5)
    cooldown(limits, Usage(0, 0, NOW - 30), NOW)
    cooldown(limits, NOBODY, NOW)
    cooldown(Limits(), Usage(0, 0, NOW), NOW)


def test_D13_a_clock_set_back_locks_nobody_out():
    with pytest.raises(TooSoon) as caught:
        cooldown(Limits(cooldown=30), Usage(0, 0, NOW + 3600), NOW)
    assert caught.value.wait == 30
