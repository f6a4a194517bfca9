"""The form's fields: to a request and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot.adapters.form import AUTOMATIC, MULTIPLE, PICTURES, SHAPES, Form, fields, number, shapes, sides
from realbot.engine.models import PRESETS
from realbot.errors import Invalid
from realbot.jobs import Generate, StyleUse
from realbot.rulebook import Limits

MINI = PRESETS["mini"]
ONE, TWO = "ab" * 32, "cd" * 32


def form(**changes):
    """The form as it is at first."""
    start = {
        "prompt": "a frog",
        "negative": "",
        "styles": {},
        "pictures": {},
        "width": MINI.width,
        "height": MINI.height,
    }
    start |= {"steps": MINI.steps, "guidance": MINI.guidance, "true_cfg": 1, "scheduler": AUTOMATIC}
    return Form(**{**start, "seed": "", "lock": False, "count": 1, **changes})


def test_an_untouched_form_asks_for_the_prompt_only():
    assert form().request(MINI) == Generate(prompt="a frog")


def test_a_size_is_taken_whole():
    request = form(width=160).request(MINI)
    assert (request.width, request.height) == (160, MINI.height)


def test_an_aspect_ratio_in_the_prompt_keeps_the_area_of_the_form():
    request = form(prompt="a frog --ar 2:1", width=256, height=256).request(MINI)
    assert request.width * request.height == pytest.approx(256 * 256, rel=0.15)


@pytest.mark.parametrize("value", ["x", [], {}, float("nan"), float("inf"), "1e999"])
def test_what_is_no_number_is_refused_by_the_name_of_its_field(value):
    with pytest.raises(Invalid, match="Steps"):
        form(steps=value).request(MINI)


@pytest.mark.parametrize("value", [None, ""])
def test_an_emptied_field_holds_its_default(value):
    assert number(value, 12, "Steps") == 12
    assert form(steps=value, width=value, guidance=value, scheduler=value).request(MINI) == Generate(prompt="a frog")


@pytest.mark.parametrize("seed", ["-5", "4294967296", "1.5", 'x" steps:3', "seven"])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(Invalid, match="seed"):
        form(seed=seed, lock=True).request(MINI)


def test_pictures_to_start_from_are_asked_for_with_what_was_said_of_them():
    held = {"source": ONE, "mask": TWO, "strength": 0.5, "reference": TWO, "reference_weight": 0.7}
    assert form(pictures=held).request(MINI) == Generate(prompt="a frog", **held)
    assert form(pictures={"source": ONE}).request(MINI) == Generate(prompt="a frog", source=ONE)
    named = form(pictures={"source": ONE, "mask": TWO, "region": "left"}).request(MINI)
    assert named == Generate(prompt="a frog", source=ONE, region="left")


def test_what_is_said_of_a_picture_that_is_not_there_is_nothing():
    held = {"mask": TWO, "region": "left", "strength": 0.5, "reference_weight": 0.7}
    assert form(pictures=held).request(MINI) == Generate(prompt="a frog")
    for value in (None, [], "x", 5):
        assert form(pictures=value).request(MINI) == Generate(prompt="a frog")


@pytest.mark.parametrize("name", ["source", "mask", "reference"])
@pytest.mark.parametrize("value", ["/etc/passwd", "../" * 9 + "etc/passwd", ONE.upper(), [ONE], {"path": ONE}, 7])
def test_what_is_no_id_of_a_picture_is_refused(name, value):
    with pytest.raises(Invalid, match="not there"):
        form(pictures={"source": ONE, name: value}).request(MINI)


@pytest.mark.parametrize("name", ["strength", "reference_weight"])
def test_a_share_that_is_no_number_is_refused(name):
    with pytest.raises(Invalid, match="takes a number"):
        form(pictures={"source": ONE, "reference": ONE, name: "much"}).request(MINI)


requests = st.builds(
    Generate,
    prompt=st.text(min_size=1, max_size=60).map(str.strip).filter(bool),
    negative=st.sampled_from(["", "blur, text"]),
    width=st.sampled_from([64, 128, 160]),
    height=st.sampled_from([96, 128, 256]),
    steps=st.integers(1, 100),
    guidance=st.floats(0, 30).map(lambda value: round(value, 2)),
    true_cfg=st.sampled_from([1.0, 2.0, 3.5]),
    scheduler=st.sampled_from(["euler", "unipc"]),
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 4),
    styles=st.sampled_from([(), (StyleUse("ink", 0.8),), (StyleUse("ink", 0.8), StyleUse("realism", 1.0))]),
)
IDS = st.sampled_from([ONE, TWO])
started = st.fixed_dictionaries(
    {"source": IDS},
    optional={"mask": IDS, "region": st.sampled_from(["left", "10,10,60,80%"]), "strength": st.sampled_from([0, 0.6])},
)
looked = st.fixed_dictionaries({"reference": IDS}, optional={"reference_weight": st.sampled_from([0, 0.7, 1])})


@given(requests, started | looked | st.just({}))
def test_a_form_filled_from_a_request_asks_for_it_again(request_, pictures):
    request_ = replace(request_, **pictures)
    if request_.region is not None:
        request_ = replace(request_, mask=None)
    again = Form(*fields(request_, MINI)).request(MINI)
    assert Form(*fields(again, MINI)) == Form(*fields(request_, MINI))
    assert again.seed == request_.seed
    assert again.styles == request_.styles
    assert again.negative == request_.negative
    for name in PICTURES:
        assert getattr(again, name) == getattr(request_, name)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_shape_is_one_that_the_model_can_paint(preset):
    sizes = shapes(preset)
    assert set(sizes) == set(SHAPES)
    assert sizes["Square"] == (preset.width, preset.height)
    for width, height in sizes.values():
        assert width % MULTIPLE == height % MULTIPLE == 0
        assert preset.min_side <= min(width, height)
        assert max(width, height) <= preset.max_side
    assert sizes["Wide"][0] > sizes["Landscape"][0] > sizes["Square"][0]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("limits", [Limits(), Limits(min_side=100, max_side=300)], ids=["usual", "narrow"])
def test_the_sliders_hold_the_models_own_size_and_whole_multiples(preset, limits):
    low, high = sides(preset, limits)
    assert low % MULTIPLE == high % MULTIPLE == 0
    assert low <= preset.width <= high
