"""Every sentence: what it must say, for the whole range of what can happen."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot import errors
from realbot.adapters import words
from realbot.jobs import (
    Cancelled,
    Done,
    Eta,
    Failed,
    Generate,
    Running,
    StyleUse,
    Train,
    Upscale,
    Waiting,
)

WHOLE = Generate(
    prompt="a red apple",
    negative="blur",
    width=128,
    height=96,
    steps=12,
    guidance=3.0,
    true_cfg=2.0,
    scheduler="dpm++2m",
    seed=7,
    styles=(StyleUse("ink", 0.8), StyleUse("realism")),
    model="mini",
)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.2, 1.4, "a moment"),
        (3.1, 6.2, "about 3–7 s"),
        (6.5, 6.9, "about 6–7 s"),
        (21, 38, "about 20–40 s"),
        (30, 30, "about 30 s"),
        (58, 88, "about 55–90 s"),
        (70, 150, "about 1–3 min"),
        (20, 200, "about 1–4 min"),
        (600, 600, "about 10 min"),
        (3000, 9000, "about 1–3 h"),
    ],
)
def test_an_eta_is_rounded_outwards(low, high, text):
    assert words.eta(Eta(low, high)) == text


@pytest.mark.parametrize("value", [None, Eta(math.nan, 3), Eta(1, math.inf), Eta(math.nan, math.nan)])
def test_an_unknown_eta_is_silent(value):
    assert words.eta(value) == ""


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_an_eta_is_always_short_and_never_says_zero(low, high):
    text = words.eta(Eta(min(low, high), max(low, high)))
    assert len(text) < 24
    assert "about 0" not in text


@given(st.floats(0, 80_000), st.floats(1, 2))
def test_the_range_that_is_shown_holds_the_range_that_was_meant(low, factor):
    text = words.eta(Eta(low, low * factor))
    if text == "a moment":
        assert low * factor < 2
        return
    _, span, unit = text.split()
    seconds = {"s": 1, "min": 60, "h": 3600}[unit]
    first, _, last = span.partition("–")
    assert int(last or first) * seconds >= low * factor - 1e-6
    assert int(first) * seconds <= max(low, seconds) + 1e-6


@pytest.mark.parametrize(
    ("n", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")],
)
def test_ordinals(n, text):
    assert words.ordinal(n) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.84, "0.8 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (3600, "1 h"),
    ],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Waiting(1), "Next in line"),
        (Waiting(3, Eta(21, 38)), "3rd in line · about 20–40 s"),
        (Running(0, 12), "Starting"),
        (Running(3, 12, Eta(4, 6)), "Step 3 of 12 · about 4–6 s left"),
        (Running(3, 12), "Step 3 of 12"),
        (Running(12, 12), "Finishing"),
        (Done(("a",), 7, 3.24), "Done in 3.2 s · seed 7"),
        (Done(("a", "b"), 7, 3.24), "2 pictures in 3.2 s · seed 7"),
        (Cancelled(), "Cancelled."),
    ],
)
def test_how_far_a_job_is(status, text):
    assert words.say(status) == text


def test_an_answer_from_before_says_so():
    assert "history" in words.say(Done(("a",), 7, 3.0, cached=True))


@pytest.mark.parametrize("name", [kind.__name__ for kind in errors.EngineError.__subclasses__()] + ["Unheard", ""])
def test_every_failure_is_an_apology_that_names_no_class(name):
    text = words.say(Failed(name))
    assert text.startswith("Sorry")
    assert not name or name not in text


def test_a_failure_shows_the_sentence_it_carries():
    assert "The style ink holds NaN" in words.say(Failed("StyleBroken", "The style ink holds NaN."))


@pytest.mark.parametrize("kind", [errors.Refused, *errors.Refused.__subclasses__()])
def test_every_refusal_has_a_sentence(kind):
    text = words.refusal(kind())
    assert len(text) > 10
    assert text[-1] in ".?"


def test_a_refusal_offers_what_was_probably_meant_once():
    assert words.refusal(errors.Invalid("There is no style inc.", nearest="ink")).count("ink") == 1
    assert words.refusal(errors.Invalid("There is no style ikn; did you mean ink?", nearest="ink")).count("ink") == 1


def test_a_wait_is_told_unless_the_message_tells_it():
    assert "about 10 s" in words.refusal(errors.TooSoon(wait=9.3))
    assert words.refusal(errors.TooSoon("Wait 9 s.", wait=9.3)) == "Wait 9 s."
    assert "about 2 h" in words.refusal(errors.OverQuota(resets=7200.0), now=0.0)


def test_the_recipe_card_tells_everything_that_was_set():
    facts = dict(words.facts(WHOLE, Done(("a",), 7, 3.24)))
    assert facts["Size"] == "128 × 96"
    assert facts["Styles"] == "ink 0.8, realism 1"
    assert facts["Scheduler"] == "DPM++ 2M"
    assert facts["True CFG"] == "2"
    assert facts["Negative prompt"] == "blur"
    assert facts["Seed"] == "7"
    assert facts["Painted in"] == "3.2 s"
    assert all(facts.values())


def test_the_recipe_card_as_text_ends_with_the_line_to_ask_again():
    text = words.card(WHOLE, Done(("a",), 7, 3.24))
    assert text.splitlines()[0] == "a red apple"
    assert text.splitlines()[-1] == words.recipe(WHOLE)


def test_what_is_off_is_not_on_the_card():
    facts = dict(words.facts(Generate(prompt="x", true_cfg=1.0)))
    assert "True CFG" not in facts
    assert "Styles" not in facts


@pytest.mark.parametrize(
    "request_",
    [WHOLE, Upscale(source="a" * 64, factor=4), Train(style="fox", trigger="fx", images=("a" * 64,))],
)
def test_every_request_has_a_recipe_a_subject_and_a_text_for_the_blind(request_):
    assert words.recipe(request_)
    assert words.subject(request_)
    assert words.alt(request_)
    assert words.file_name(request_, 7).endswith("-7.png")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A Red Apple!", "a-red-apple-7.png"),
        ("../../etc/passwd", "etc-passwd-7.png"),
        ("naïve café", "naive-cafe-7.png"),
        ("日本の猫", "picture-7.png"),
        ("", "picture-7.png"),
        ("CON:\\\x00<>|?*", "con-7.png"),
    ],
)
def test_file_names_are_safe_on_every_system(prompt, name):
    assert words.file_name(Generate(prompt=prompt), 7) == name


@given(st.text(max_size=300))
def test_no_prompt_makes_a_long_or_odd_file_name(prompt):
    name = words.file_name(Generate(prompt=prompt), 7)
    assert len(name) < 70
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>| ')


def test_notes_are_sentences():
    notes = (("scheduler", "ddim"), ("prompt_cut", "on the moon"), ("something_new", "x"))
    first, second, third = words.notes(Done(("a",), 7, 1.0, notes=notes))
    assert "DDIM" in first
    assert "on the moon" in second
    assert third == "Something new: x."


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ((True, False, "cpu, float32"), "cpu, float32"),
        ((False, True), "The model is loading."),
        ((False, False, "", "crashed"), "The engine is not running: crashed."),
        ((False, False), "The engine is not running."),
    ],
)
def test_the_state_of_the_engine(state, text):
    assert words.engine(*state) == text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((0, 0), "nobody is waiting"),
        ((0, 1), "1 being painted"),
        ((3, 1), "1 being painted, 3 waiting"),
        ((2, 0), "2 waiting"),
    ],
)
def test_how_busy_the_line_is(counts, text):
    assert words.line(*counts) == text


def test_a_screen_reader_tells_an_edited_picture_and_a_taken_look():
    edited = Generate(prompt="a red hat", source="a" * 64, mask="b" * 64)
    assert words.alt(edited) == "a red hat, painted into another picture"
    assert words.alt(Generate(prompt="a red hat", source="a" * 64)) == "a red hat"
    looking = Generate(prompt="a red hat", styles=(StyleUse("ink"),), reference="c" * 64)
    assert words.alt(looking) == "a red hat, in the style ink, with the look of another picture"
