"""The card: what it says in each status, that prompts are never markup, and that Discord's limits hold."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot.adapters.discord import card, controls
from realbot.adapters.discord.card import Promise
from realbot.adapters.discord.controls import Control, chosen
from realbot.adapters.discord.markup import block, escaped, plain
from realbot.jobs import Cancelled, Done, Eta, Failed, Generate, Running, StyleUse, Upscale, Waiting

ASKED = Generate(
    prompt="a red fox", width=768, height=512, steps=30, scheduler="euler", seed=7, styles=(StyleUse("ink", 0.8),)
)
IMAGE = "a" * 64
EVIL = [
    "@everyone @here <@1> <@&2> <#3> <t:1:R> </imagine:1> <:smile:1> <id:customize>",
    "[click](https://evil.example) https://evil.example <https://evil.example> discord.gg/x",
    "# heading\n## more\n> quote\n>>> all\n- list\n* list\n1. list\n-# small",
    "**bold** *it* __under__ _it_ ~~no~~ ||spoiler|| `code` ```block```",
    "\\",
    "\\*not\\* \\\\",
    "`````",
]


def rendered(text: str) -> str:
    """What a reader sees: a backslash makes the sign after it itself; any other that could be markup is an error."""
    seen, position = [], 0
    while position < len(text):
        sign = text[position]
        if sign == "\\" and position + 1 < len(text) and not text[position + 1].isalnum():
            seen.append(text[position + 1])
            position += 2
            continue
        assert sign not in "\\*_~|`<>[]#@", f"{sign!r} could be markup in {text!r}"
        assert not text.startswith("://", position), f"a link in {text!r}"
        seen.append(sign)
        position += 1
    return "".join(seen)


@pytest.mark.parametrize("prompt", EVIL)
def test_X3_X4_a_prompt_is_read_as_it_was_written(prompt):
    assert rendered(escaped(prompt, 2000)) == " ".join(prompt.split())


@given(st.text(max_size=400))
def test_X4_any_text_is_read_as_it_was_written(text):
    assert rendered(escaped(text, 300)).strip("\u2068\u2069") == plain(text, 300)
    assert len(plain(text, 300)) <= 300


@pytest.mark.parametrize("prompt", EVIL)
def test_X4_a_heading_starts_with_our_bold_and_never_with_theirs(prompt):
    heading = card.heading(replace(ASKED, prompt=prompt))
    assert heading.startswith("**") and heading.endswith("**")
    rendered(heading[2:-2])


def test_X2_text_cannot_turn_what_stands_beside_it():
    assert "\u202e" not in escaped("evil \u202etxt.exe")
    shown = escaped("تفاحة حمراء")
    assert shown.startswith("\u2068") and shown.endswith("\u2069")


@pytest.mark.parametrize("text", ["```", "`edge", "edge`", "a ``` b", "x" * 1801])
def test_X4_a_block_that_would_break_is_not_made(text):
    assert block(text) is None


def test_X4_a_block_holds_its_text_as_it_is():
    assert block("a *red* fox") == "```\na *red* fox\n```"


def test_a_waiting_card_says_its_place_and_counts_down_on_the_readers_device():
    embed = card.waiting(ASKED, Waiting(2), 1_700_000_000)
    assert embed.description == "**a red fox**\n2nd in line · ready <t:1700000000:R>"


def test_a_waiting_card_says_when_the_engine_is_not_there():
    embed = card.waiting(ASKED, Waiting(1), None, "The model is loading.")
    assert embed.description == "**a red fox**\nNext in line\nThe model is loading."


def test_a_paused_place_is_told():
    assert "paused" in card.waiting(ASKED, Waiting(1, None, True), None).description


def test_a_running_card_has_a_bar_of_twelve_cells():
    embed = card.painting(ASKED, Running(15, 30), 1_700_000_000)
    assert embed.description == "**a red fox**\n▰▰▰▰▰▰▱▱▱▱▱▱\nStep 15 of 30 · ready <t:1700000000:R>"


@pytest.mark.parametrize(("step", "steps", "full"), [(0, 30, 0), (1, 30, 0), (30, 30, 12), (31, 30, 12), (0, 0, 0)])
def test_the_bar_is_full_at_the_end_only(step, steps, full):
    assert card.painting(ASKED, Running(step, steps), None).description.count("▰") == full


def test_a_finished_card_is_the_prompt_the_asker_and_one_line_of_recipe():
    embed = card.finished(ASKED, Done((IMAGE,), 7, 12.0), "42")
    assert embed.description == "**a red fox**\n-# for <@42>"
    assert embed.footer.text == "768×512 · 30 steps · Euler · ink 0.8 · seed 7 · 12 s"


def test_what_the_model_did_differently_is_a_note():
    done = Done((IMAGE,), 7, 12.0, notes=(("prompt_cut", "*and* a bear"),))
    assert "-# " in card.finished(ASKED, done, "42").description
    assert "\\*and\\* a bear" in card.finished(ASKED, done, "42").description


def test_R8_an_answer_from_history_says_so():
    embed = card.finished(ASKED, Done((IMAGE,), 7, 12.0, True), "42")
    assert "history" in embed.description and "12 s" not in embed.footer.text


def test_a_failed_card_apologises():
    embed = card.ended(ASKED, Failed("OutOfMemory"))
    assert "Sorry" in embed.description and "memory" in embed.description


def test_a_card_holds_a_prompt_of_any_length():
    long = replace(ASKED, prompt="*" * 6000, styles=tuple(StyleUse(f"s{n}" * 20) for n in range(20)))
    for embed in (
        card.waiting(long, Waiting(1), 1),
        card.painting(long, Running(1, 2), 1),
        card.finished(long, Done((IMAGE,), 7, 1.0, notes=(("prompt_cut", "x" * 6000),)), "42"),
    ):
        assert len(embed) <= 6000 and len(embed.description) <= 4096
        assert embed.footer.text is None or len(embed.footer.text) <= 2048


# The promise


def test_a_promise_rests_while_it_holds():
    promise = Promise()
    first = promise.keep(Eta(10, 20), 1000.0)
    assert first == 1020
    assert promise.keep(Eta(8, 17), 1002.0) == first
    assert promise.keep(Eta(8, 60), 1003.0) == 1063


def test_a_promise_that_has_passed_is_made_anew():
    promise = Promise()
    promise.keep(Eta(1, 2), 1000.0)
    assert promise.keep(Eta(1, 2), 1003.0) == 1005


def test_nothing_is_promised_while_nothing_is_known():
    assert Promise().keep(None, 1000.0) is None
    assert Promise().keep(Eta(1, float("inf")), 1000.0) is None


# Buttons


def verbs(request, status, **options):
    return [c.label or c.verb for c in controls.controls(request, status, **options)]


def test_a_card_offers_what_fits_its_status():
    one, four = Done((IMAGE,), 7, 1.0), Done((IMAGE,) * 4, 7, 1.0)
    assert verbs(ASKED, Waiting(1)) == verbs(ASKED, Running(1, 2)) == ["cancel"]
    assert verbs(ASKED, Cancelled()) == verbs(ASKED, Failed("EngineLost")) == ["retry", "remix", "recipe"]
    changes = ["again", "subtle", "strong", "upscale2", "upscale4"]
    assert verbs(ASKED, one) == [*changes, "around", "remix", "recipe", "download", "favourite", "delete"]
    assert verbs(ASKED, replace(one, cached=True))[0] == "fresh"
    assert verbs(ASKED, four) == ["again", "remix", "recipe", "favourite", "delete"]
    assert verbs(Upscale(source=IMAGE), one) == ["recipe", "download", "favourite", "delete"]


@pytest.mark.parametrize("pictures", range(1, 17))
async def test_buttons_and_menus_fit_into_a_message(pictures):
    status = Done((IMAGE,) * pictures, 7, 1.0)
    offered = [*controls.controls(ASKED, status), *controls.menus(status)]
    view = controls.view(offered, [f"{n:016}" for n in range(len(offered))], pictures=pictures)
    rows = view.to_components()
    assert len(rows) <= 5
    for row in rows:
        assert len(row["components"]) <= 5
        for part in row["components"]:
            assert len(part["custom_id"]) <= 100 and len(part.get("label") or "") <= 80
            assert len(part.get("options", ())) <= 25
    values = [option["value"] for row in rows for part in row["components"] for option in part.get("options", ())]
    assert len(set(values)) == len(values) == (0 if pictures == 1 else 6 * pictures)
    assert all(chosen(value, pictures) for value in values)


@pytest.mark.parametrize("value", ["", "subtle", "subtle.", "subtle.4", "subtle.-1", "delete.0", "subtle.٣", "x.0"])
def test_P2_a_value_that_the_menu_does_not_have_means_nothing(value):
    assert chosen(value, 4) is None


async def test_a_favourite_is_a_star_in_colour():
    status = Done((IMAGE,), 7, 1.0)
    for on in (False, True):
        (star,) = [c for c in controls.controls(ASKED, status, favourite=on) if c.verb == "favourite"]
        assert (star.style != Control("favourite").style) is on


def test_labels_are_short():
    for verb in ("cancel", "again", "fresh", "retry", "subtle", "strong", "upscale2", "remix", "recipe", "download"):
        label = controls.captions.button(verb)
        assert re.fullmatch(r".{1,20}", label)
