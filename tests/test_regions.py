"""Words for a part of a picture, as they are written in a prompt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realbot.errors import Invalid
from realbot.grammar import parse, write
from realbot.jobs import Generate


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("a hat region:left", "left"),
        ("a hat --region Top-Right", "top-right"),
        ("a hat region:centre,", "center"),
        ("a hat region:10,10,60,80%", "10,10,60,80%"),
        ("a hat region:10,10,60,80", "10,10,60,80%"),
        ('a hat region:"10%, 10%, 60%, 80%"', "10,10,60,80%"),
        ("a hat region:50,0,80,100%.", "50,0,50,100%"),
        ("a hat region:right region:left", "left"),
        ("a hat region:background", "background"),
    ],
)
def test_a_region_is_written_in_words_or_percent_and_read_back(text, region):
    request = parse(text)
    assert request == Generate(prompt="a hat", region=region)
    assert write(request) == f"a hat region:{region}"
    assert parse(write(replace(request, mask="a" * 64))) == request


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("a region:lft", "left"),
        ("a --region backgrund", "background"),
        ("a region:nowhere", ""),
        ("a region:10,10,60", ""),
        ("a region:100,0,10,10%", ""),
        ("a region:0,0,0,10%", ""),
        ("a region:1,1,1,1,%", ""),
        ("a region:-1,1,1,1%", ""),
    ],
)
def test_an_unknown_region_names_the_nearest_or_all(text, near):
    with pytest.raises(Invalid, match=f"did you mean {near}" if near else "background.* in percent") as caught:
        parse(text)
    assert caught.value.nearest == near


def test_of_a_mask_and_a_region_the_last_counts():
    base = Generate(prompt="a", source="a" * 64, mask="b" * 64, region="left")
    assert parse("region:right", base) == replace(base, mask=None, region="right")
    assert parse(f"mask:{'c' * 64}", base) == replace(base, mask="c" * 64, region=None)
    assert parse(f"a mask:{'c' * 64} region:top").region == "top"
    assert parse("a cat", base).mask == base.mask
