"""The options of /imagine: beside the prompt and inside it they mean the same."""

from __future__ import annotations

import pytest

from realbot.adapters.discord import options
from realbot.adapters.discord.options import Options
from realbot.engine.models import preset
from realbot.errors import Invalid
from realbot.jobs import StyleUse

MINI = preset("mini")
KNOWN = [(f"style-{n:02}", "") for n in range(60)] + [("ink", "Line art"), ("realism", "Shaded")]


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ({"steps": 20}, "steps:20"),
        ({"guidance": 3.5}, "guidance:3.5"),
        ({"style": "ink", "weight": 0.8}, "style:ink:0.8"),
        ({"style": "ink, realism:0.5", "weight": 0.8}, "style:ink:0.8,realism:0.5"),
        ({"size": "192 x 128"}, "size:192x128"),
        ({"aspect": "16:9"}, "--ar 16:9"),
        ({"seed": 7}, "seed:7"),
        ({"scheduler": "euler"}, "--scheduler euler"),
        ({"negative": "text, blur"}, "--no text, blur"),
        ({"count": 4}, "count:4"),
    ],
)
def test_an_option_means_the_same_beside_the_prompt_and_in_it(chosen, written):
    beside = Options(**chosen).request("a red fox", MINI)
    inside = Options().request(f"a red fox {written}", MINI)
    assert beside == inside != Options().request("a red fox", MINI)


def test_the_prompt_has_the_last_word():
    assert Options(steps=20, size="128x128").request("a fox steps:9 --ar 16:9", MINI).steps == 9
    assert Options(aspect="1:1").request("a fox --ar 2:1", MINI).width > 128


@pytest.mark.parametrize(
    ("chosen", "part"),
    [
        ({"size": "128x128", "aspect": "1:1"}, "not both"),
        ({"weight": 0.5}, "style"),
        ({"strength": 0.5}, "source"),
        ({"size": "big"}, "768x512"),
        ({"aspect": "wide"}, "16:9"),
        ({"style": "ink:strong"}, "ink:0.8"),
    ],
)
def test_a_wrong_option_is_refused_with_what_it_should_be(chosen, part):
    with pytest.raises(Invalid, match=part):
        Options(**chosen).request("a red fox", MINI)


def test_a_source_and_its_strength():
    request = Options(strength=0.4).request("a red fox", MINI, "a" * 64)
    assert request.source == "a" * 64 and request.strength == 0.4


def test_a_style_of_any_spelling_is_left_to_the_studio():
    assert Options(style="Ink Wash").request("a fox", MINI).styles == (StyleUse("Ink Wash"),)


def test_more_than_25_styles_are_all_found_by_typing():
    assert len(options.styles("", KNOWN)) == 25
    for name, _ in KNOWN:
        assert any(value == name for _, value in options.styles(name, KNOWN))


def test_styles_are_found_in_the_middle_by_description_and_when_misspelt():
    assert options.styles("e-07", KNOWN) == [("style-07", "style-07")]
    assert options.styles("line art", KNOWN) == [("ink · Line art", "ink")]
    assert options.styles("realsim", KNOWN) == [("realism · Shaded", "realism")]
    assert options.styles("zzzz", KNOWN) == []


def test_several_styles_are_chosen_one_after_the_other():
    found = options.styles("realism:0.5, in", KNOWN)
    assert found == [("realism:0.5, ink · Line art", "realism:0.5, ink")]
    assert "realism" not in [value.split(", ")[-1] for _, value in options.styles("realism, ", KNOWN)]
    assert options.styles("ink:0.8", KNOWN)[0][1] == "ink:0.8"


def test_offers_fit_into_discord():
    long = [(f"{'n' * 64}{n}", "d" * 500) for n in range(60)]
    for shown, value in options.styles("", long) + options.styles(f"{'n' * 64}1, ", long):
        assert 1 <= len(shown) <= 100 and 1 <= len(value) <= 100


def test_sizes_are_the_models_own_and_its_shapes():
    found = options.sizes("", MINI)
    assert found[0] == f"{MINI.width}x{MINI.height}" and len(found) == len(set(found)) <= 25
    for size in found:
        width, height = (int(side) for side in size.split("x"))
        assert width % 16 == height % 16 == 0 and MINI.min_side <= width <= MINI.max_side
    assert options.sizes("128 × ", MINI) == ["128x128"]
    assert options.aspects("16") == ["16:9"]
