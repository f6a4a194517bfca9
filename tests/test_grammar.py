"""The grammar: what is an option, what is prompt text, what is refused and how, and that a recipe line reads back."""

import math
import re
import string
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from realbot import regions
from realbot.errors import Invalid
from realbot.grammar import NAMES, nearest, parse, ratio, write
from realbot.jobs import SEEDS, Generate, StyleUse

#: Machines under load are slow, and a test that passes today passes tomorrow.
steady = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def refused(text: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return caught.value


def test_everything_at_once_in_any_order():
    request = parse(
        "--seed 7 a cat steps:30 guidance:3.5 on a mat style:realism:0.8,ink:0.3 size:768x512 "
        "sampler:unipc true_cfg:2 n:2 strength:0.6 model:mini --no text, watermark"
    )
    assert request == Generate(
        prompt="a cat on a mat",
        negative="text, watermark",
        width=768,
        height=512,
        steps=30,
        guidance=3.5,
        true_cfg=2.0,
        scheduler="unipc",
        seed=7,
        count=2,
        styles=(StyleUse("realism", 0.8), StyleUse("ink", 0.3)),
        strength=0.6,
        model="mini",
    )


@pytest.mark.parametrize(
    "text",
    [
        "don't",
        "it's a cat's life",
        'a 5" tall cat',
        'a "quoted prompt" and another',
        "a cat\\dog",
        "ratio 3:2 at 10:30 pm",
        "https://x.y/z?steps=3",
        "foo:bar baz:3",
        "steps: 30",
        "a quiet street — night mood",
        "a quiet street — no people",
        "she said — model behaviour, size — huge",
        "a -- dash --5 and -ar and --",
        "high-steps:30 x",
        "source:unknown mask:on reference:photo",
        "{0.__class__} %s $x \x00",
        "a\n\n  b\t c",
        "🧶 кошка 猫 e\u0301",
        "<b>bold</b> <lora:>",
        "/imagined things",
        "(steps:30)",
        "",
    ],
)
def test_X7_X8_text_without_known_keys_comes_back_unchanged(text):
    assert parse(text) == Generate(prompt=text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't --steps 20", {"prompt": "don't", "steps": 20}),
        ("it's a cat's life --seed 4", {"prompt": "it's a cat's life", "seed": 4}),
        ('a "quoted prompt" --no dog', {"prompt": 'a "quoted prompt"', "negative": "dog"}),
        ("a cat --steps=20", {"prompt": "a cat", "steps": 20}),
        ("a cat --steps: 20", {"prompt": "a cat", "steps": 20}),
        ("a cat\n--steps\n20\non a mat", {"prompt": "a cat on a mat", "steps": 20}),
        ("a cat, steps:20, on a mat", {"prompt": "a cat, on a mat", "steps": 20}),
        ("a cat steps:20.", {"prompt": "a cat", "steps": 20}),
        ("STEPS:20 Seed:3 a cat", {"prompt": "a cat", "steps": 20, "seed": 3}),
        ("a steps:20 steps:30", {"prompt": "a", "steps": 30}),
        ("a --cfg 3,5", {"prompt": "a", "guidance": 3.5}),
        ("a guidance_scale:.5", {"prompt": "a", "guidance": 0.5}),
        ("a --guidance-scale 7", {"prompt": "a", "guidance": 7.0}),
        ("a seed:random", {"prompt": "a", "seed": None}),
        ("a --seed -1", {"prompt": "a", "seed": None}),
        ("a steps:٣٠", {"prompt": "a", "steps": 30}),
        ("a size:512", {"prompt": "a", "width": 512, "height": 512}),
        ("a size:768×512", {"prompt": "a", "width": 768, "height": 512}),
        ("a res:768X512", {"prompt": "a", "width": 768, "height": 512}),
        ("a w:64 --h 96", {"prompt": "a", "width": 64, "height": 96}),
        ('a sampler:"DPM++ 2M Karras"', {"prompt": "a", "scheduler": "DPM++ 2M Karras"}),
        ("a --no text, blurry hands --steps 3", {"prompt": "a", "negative": "text, blurry hands", "steps": 3}),
        ("a --no text, steps:3 b", {"prompt": "a b", "negative": "text", "steps": 3}),
        ("--no x --no y, z", {"prompt": "", "negative": "x, y, z"}),
        ("a neg:blur b", {"prompt": "a b", "negative": "blur"}),
        ('a negative:"blur, text --steps 3" b', {"prompt": "a b", "negative": "blur, text --steps 3"}),
        ("a --no — a dash", {"prompt": "a", "negative": "— a dash"}),
    ],
)
def test_options_are_taken_out_and_the_rest_is_the_prompt(text, expected):
    assert parse(text) == Generate(**expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat —steps 16", {"prompt": "a cat", "steps": 16}),
        ("a cat — steps 16", {"prompt": "a cat", "steps": 16}),
        ("a cat –seed 16, red", {"prompt": "a cat red", "seed": 16}),
        ("a cat —no dogs, rain —seed 3", {"prompt": "a cat", "negative": "dogs, rain", "seed": 3}),
        ("a style:“ink wash”:0.8", {"prompt": "a", "styles": (StyleUse("ink wash", 0.8),)}),
        ("a negative:„blur, text”", {"prompt": "a", "negative": "blur, text"}),
        ("“a cat” steps:3", {"prompt": "“a cat”", "steps": 3}),
        ("a — steps into the dark", {"prompt": "a — steps into the dark"}),
    ],
)
def test_what_phones_make_of_dashes_and_quotes(text, expected):
    assert parse(text) == Generate(**expected)


@pytest.mark.parametrize(
    ("text", "styles"),
    [
        ("a style:ink", (StyleUse("ink"),)),
        ("a style:ink:0.8", (StyleUse("ink", 0.8),)),
        ("a --style ink:-0.5", (StyleUse("ink", -0.5),)),
        ("a style:ink,realism:0.3", (StyleUse("ink"), StyleUse("realism", 0.3))),
        ("a style:ink lora:realism", (StyleUse("ink"), StyleUse("realism"))),
        ("style:ink, a", (StyleUse("ink"),)),
        ("a style:ink:1e-3", (StyleUse("ink", 0.001),)),
        ("a <lora:ink:0.5>", (StyleUse("ink", 0.5),)),
        ("a<lora:Ink Wash v2>", (StyleUse("Ink Wash v2"),)),
        ('a style:"x, y: z":2', (StyleUse("x, y: z", 2.0),)),
        ("a style:none", ()),
    ],
)
def test_styles_and_their_weights(text, styles):
    assert parse(text) == Generate(prompt="a", styles=styles)


def test_the_command_before_the_prompt_is_optional():
    for text in ("/imagine a cat steps:3", "/imagine@real_bot a cat steps:3", "/imagine prompt:a cat steps:3"):
        assert parse(text) == Generate(prompt="a cat", steps=3)
    assert parse("/imagine") == Generate(prompt="")


def test_a_base_keeps_what_is_not_written():
    base = Generate(prompt="a cat", steps=20, styles=(StyleUse("ink"),), negative="blur", width=512, height=512, seed=1)
    assert parse("", base) == base
    assert parse("a dog --seed 2", base).prompt == "a dog"
    assert parse("--seed 2", base) == parse("a cat --seed 2", base)
    changed = parse('style:none --neg "" steps:3', base)
    assert (changed.prompt, changed.styles, changed.negative, changed.steps) == ("a cat", (), "", 3)
    wide = parse("--ar 4:1", base)
    assert (wide.width, wide.height) == (1024, 256)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("--ar 1:1", (1024, 1024)),
        ("--ar 16:9", (1360, 768)),
        ("--ar 9/16", (768, 1360)),
        ("ar:3x2 ", (1248, 832)),
        ("--ar 1.91:1,", (1408, 736)),
        ("size:512x512 --ar 4:1", (1024, 256)),
        ("--ar 4:1 size:512x512", (1024, 256)),
        ("width:512 --ar 2:1", (512, 256)),
        ("height:512 --ar 2:1", (1024, 512)),
    ],
)
def test_a_ratio_keeps_the_number_of_pixels_or_the_side_that_is_written(text, size):
    request = parse(f"a {text}")
    assert (request.width, request.height) == size


def test_a_ratio_takes_the_models_own_area_and_multiple():
    small = parse("--ar 16:9", area=128 * 128, multiple=16)
    assert (small.width, small.height) == (176, 96)


@steady
@given(st.floats(0.05, 20), st.integers(64 * 64, 4_194_304), st.sampled_from([8, 16, 64]))
def test_ratio_gives_multiples_near_the_shape_and_area(shape, pixels, multiple):
    width, height = ratio(shape, 1.0, pixels, multiple)
    assert width % multiple == height % multiple == 0
    assert min(width, height) >= multiple
    exact = math.sqrt(pixels * shape), math.sqrt(pixels / shape)
    assert abs(width - exact[0]) <= multiple
    assert abs(height - exact[1]) <= multiple


@pytest.mark.parametrize(
    ("text", "word", "says"),
    [
        ("a steps:many", "many", "steps:many cannot be read: it takes a whole number from 1, such as steps:30."),
        ("a --steps many", "many", "--steps many cannot be read: .*, such as --steps 30."),
        ("a --steps", "", "--steps cannot be read"),
        ("a --steps --seed 3", "", "--steps cannot be read"),
        ("a steps:0", "0", "a whole number from 1"),
        ("a steps:-3", "-3", "a whole number from 1"),
        ("a steps:3.5", "3.5", "a whole number"),
        ("a steps:1e3", "1e3", "a whole number"),
        ("a steps:" + "9" * 5000, "9" * 100, "a whole number"),
        ("a count:0", "0", "a whole number from 1"),
        ("a guidance:nan", "nan", "a number from 0"),
        ("a guidance:inf", "inf", "a number from 0"),
        ("a guidance:1e400", "1e400", "a number from 0"),
        ("a guidance:-1", "-1", "a number from 0"),
        ("a strength:1.1", "1.1", "a number from 0 to 1"),
        ("a look:1.1", "1.1", "a number from 0 to 1"),
        ("a seed:4294967296", "4294967296", "from 0 to 4294967295, or random"),
        ("a seed:-2", "-2", "from 0 to 4294967295"),
        ("a size:768by512", "768by512", "width x height in pixels, such as size:768x512"),
        ("a size:0x512", "0x512", "width x height"),
        ("a --ar 16", "16", "width:height"),
        ("a --ar 100:1", "100:1", "neither more than 20 times the other"),
        ("a --ar 0:0", "0:0", "width:height"),
        ("a —steps many", "many", "a whole number"),
        ("a style:ink:heavy", "ink:heavy", "a style's name and weight, such as style:ink:0.8"),
        ("a style:ink:", "ink:", "a style's name and weight"),
        ("a style:,ink", ",ink", "a style's name"),
        ("a --style", "", "a style's name"),
        ("a <lora:ink:nan>", "ink:nan", "a style's name and weight"),
        ("a style:ink style:ink:0.5", "ink", "The style ink is given twice"),
        ("a --no", "", "words to keep out"),
        ("a --no --steps 3", "", "words to keep out"),
        ('a model:""', "", "a model's name"),
    ],
)
def test_X8_X12_a_value_that_cannot_be_read_is_refused_with_its_form(text, word, says):
    error = refused(text)
    assert error.word == word
    assert re.search(says, str(error)), str(error)


@pytest.mark.parametrize(
    ("text", "near"),
    [("a --stepz 3", "--steps"), ("a --cgf 3", "--cfg"), ("a --Stlye ink", "--style"), ("a --asepct 1:1", "--aspect")],
)
def test_X8_an_unknown_flag_is_refused_with_the_nearest_name(text, near):
    error = refused(text)
    assert error.nearest == near
    assert f"did you mean {near}?" in str(error)
    assert error.word in text


def test_X8_an_unknown_flag_near_to_nothing_lists_the_options():
    error = refused("a cat --bogus 3")
    assert error.word == "--bogus"
    assert error.nearest == ""
    assert "the options are size, ar, width" in str(error)


def test_nearest_is_a_valid_name_or_nothing():
    assert nearest("Realsim", ["ink", "realism"]) == "realism"
    assert nearest("RINK", ["Ink"]) == "Ink"
    assert nearest("watercolour", ["ink"]) == ""
    assert nearest("x" * 50_000, NAMES) == ""


decimals = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
names = st.text(string.printable + "“„é猫", min_size=1).filter(lambda name: name.strip())
requests = st.builds(
    Generate,
    prompt=st.text()
    | st.text(string.ascii_letters + ' "“\\:-—,.<>\n', max_size=60)
    | st.sampled_from([*NAMES, "--no a"]),
    negative=st.text() | st.sampled_from(["text, watermark", "a --steps 3", ' "', "x,", "—ar 3"]),
    width=st.none() | st.integers(1, 10**6),
    height=st.none() | st.integers(1, 10**6),
    steps=st.none() | st.integers(1, 10**6),
    guidance=st.none() | decimals,
    true_cfg=st.none() | decimals,
    scheduler=st.none() | names,
    seed=st.none() | st.integers(0, SEEDS - 1),
    count=st.integers(1, 99),
    styles=st.lists(
        st.builds(StyleUse, names, st.floats(allow_nan=False, allow_infinity=False)), unique_by=lambda use: use.name
    ).map(tuple),
    source=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    mask=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    region=st.none() | st.sampled_from([*regions.NAMES, "10,10,60,80%", "0.5,0,99.5,100%"]),
    strength=st.none() | st.floats(0, 1),
    reference=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    reference_weight=st.none() | st.floats(0, 1),
    model=st.none() | names,
).map(lambda request: replace(request, mask=None) if request.region else request)


@steady
@given(requests)
@example(Generate(prompt="a — ", steps=3))
@example(Generate(prompt="--no", negative="--no"))
@example(Generate(prompt=' prompt:"x" ', negative="\\"))
@example(Generate(prompt="/imagine a cat", styles=(StyleUse("none", 0.5),)))
@example(Generate(prompt="a", styles=(StyleUse("a\nb", 1e-7), StyleUse('"', 1e300))))
def test_a_recipe_line_reads_back(request):
    assert parse(write(request)) == request


@steady
@given(st.text())
def test_X8_any_text_is_a_request_or_refused(text):
    try:
        request = parse(text)
    except Invalid:
        return
    assert parse(write(request)) == request


@steady
@given(st.lists(st.text(string.ascii_letters + "'\",.é猫", min_size=1, max_size=8)).map(" ".join))
def test_words_alone_are_never_changed(text):
    assert parse(text) == Generate(prompt=text)


def test_a_recipe_line_is_as_short_as_it_can_be():
    request = Generate(
        prompt="a cat",
        width=768,
        height=512,
        steps=30,
        guidance=3.0,
        styles=(StyleUse("ink", 0.8), StyleUse("x y")),
        seed=7,
    )
    assert write(request) == 'a cat size:768x512 steps:30 guidance:3.0 style:ink:0.8,"x y" seed:7'
    assert write(Generate(prompt="a", negative="text, blur", count=2)) == "a count:2 --no text, blur"
    assert write(Generate(prompt="--v 6")) == 'prompt:"--v 6"'


HOSTILE = [
    '"', "“", "\\", "--no ", "—no ", "<lora:", "<lora:a:", 'style:"', "style:a,", "style:a ", 'prompt:"', 'prompt:"\\ ',
    "a:", "a-", "steps:1 ", "— ", "--seed 1 ", ",", "\\\"", "no:\"a ", "<lora:a>", "e\u0301", "😀", " ", "\n",
    "--no a ", "/imagine ", "prompt: ", "— steps ", "source:" + "a" * 64 + " ",
]  # fmt: skip


def spent(text: str) -> float:
    began = time.process_time()
    with suppress(Invalid):
        parse(text)
    return time.process_time() - began


@pytest.mark.parametrize("piece", HOSTILE, ids=ascii)
def test_X1_hostile_input_takes_linear_time(piece):
    """Eight times the text takes about eight times as long; quadratic would be sixty-four."""
    short, long = ((piece * (size // len(piece) + 1))[:size] for size in (5_500, 44_000))
    fast = min(spent(short) for _ in range(3))
    slow = min(spent(long) for _ in range(3))
    assert slow < max(32 * fast, 0.1)


def test_X1_many_different_styles_take_linear_time():
    short, long = ("style:" + ",".join(f"s{n}" for n in range(count)) for count in (900, 7200))
    assert len(parse(long).styles) == 7200
    assert min(spent(long) for _ in range(3)) < max(32 * min(spent(short) for _ in range(3)), 0.1)
