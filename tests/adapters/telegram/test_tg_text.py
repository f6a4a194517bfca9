"""Text: entities that always fit, cuts between graphemes, and nothing in what a person wrote that comes alive."""

from __future__ import annotations

import random
import unicodedata
from datetime import UTC, datetime

import botapi_text
import pytest
import regex
import telegram
from botapi_clients import client
from hypothesis import given, settings
from hypothesis import strategies as st

from realbot.adapters import words
from realbot.adapters.plain import plain
from realbot.adapters.telegram import card, phrases
from realbot.adapters.telegram.text import (
    CAPTION,
    MESSAGE,
    PROMPT,
    Text,
    block,
    bold,
    code,
    dead,
    filled,
    link,
    quoted,
    shortened,
    small,
    units,
    when,
)
from realbot.errors import Invalid
from realbot.jobs import Done, Generate, StyleUse

ASKED = Generate(prompt="a red fox", width=768, height=512, steps=30, scheduler="euler", seed=7)
IMAGE = "a" * 64
#: What Telegram would make something of, markup that would break a message, and signs of every length.
EVIL = [
    "@anna @realbot_bot hello@example.com ＠anna",
    "/imagine /ban@other_bot /start",
    "https://evil.example t.me/x tg://user?id=1 example.com 1.2.3.4",
    "#tag ＃tag $USD #1tag",
    "+49 (30) 1234-567 5500000001 4242 4242 4242 4242 1:30",
    "<b>bold</b> <a href='tg://user?id=1'>x</a> &amp; &lt;",
    "*bold* _it_ __u__ ~no~ ||sp|| `code` ```pre``` [x](tg://user?id=1) \\",
    "{0.__class__} %s $x {when}",
    "تفاحة حمراء על רקע כחול",
    "\u202eevil\u202c \u2066a\u2069 \u200f\u200e",
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽❤️‍🔥1️⃣",
    "e\u0301\u0302\u0303 ก็็็็ z̸̡̛͓",
    "\u0000\u0007\u001b[31m\n\r\t\u0085\u2028 a\u00a0b",
    "\u200b\u200d\ufeff\U000e0041",
]
PARTS = [*EVIL, *(word for text in EVIL for word in text.split()), "a red fox", "🦊", "é", "x", " ", "\n", ".", "…"]


def fuzzed(dice: random.Random) -> str:
    """A prompt of such parts, up to a few thousand signs long."""
    parts = dice.choices(PARTS, k=dice.choice([1, 2, 3, 5, 8, 40, 200]))
    return dice.choice(["", " "]).join(parts)


def accepted(text: Text, most: int) -> list[dict[str, object]]:
    """What Telegram makes of a text: its entities, given and found. Raises Refusal for one that it does not take."""
    entities = [entity.to_dict() for entity in text.entities()]
    said, found = botapi_text.fit(str(text), entities, None, most, "too long")
    assert said == str(text).strip()
    return found


def live(found: list[dict[str, object]]) -> list[object]:
    kinds = {"bold", "italic", "code", "pre", "date_time"}
    return [entity for entity in found if entity["type"] not in kinds]


def graphemes(text: str) -> list[str]:
    return regex.findall(r"\X", text)


def cards(prompt: str) -> list[tuple[Text, int]]:
    """Everything that shows a prompt, with the room that Telegram has for it."""
    asked = Generate(
        prompt=prompt, negative=prompt[:300], width=768, height=512, steps=30, scheduler="euler", seed=1713430227,
        styles=(StyleUse("ink", 0.8),),
    )  # fmt: skip
    done = Done((IMAGE,), 1713430227, 12.0, notes=(("prompt_cut", prompt[:500]),))
    ready = phrases.ready("about 20 s", 1_800_000_000)
    return [
        (card.finished(asked, done).cut(CAPTION), CAPTION),
        (card.recipe(asked, done).cut(MESSAGE), MESSAGE),
        (card.painting(asked, card.Running(3, 30), ready).cut(CAPTION), CAPTION),
        (card.waiting(asked, card.Waiting(2), ready).cut(MESSAGE), MESSAGE),
        (Text(card.heading(asked), " ", prompt.encode("utf-8", "ignore").decode()).cut(100), 100),
    ]


def test_T11_T12_ten_thousand_captions_fit_and_none_comes_alive():
    dice = random.Random(11)
    for _ in range(2_500):
        prompt = fuzzed(dice)
        for text, most in cards(prompt)[:4]:
            assert units(str(text)) <= most
            assert not live(accepted(text, most)), prompt


def test_T12_cuts_of_fuzzed_texts_are_between_graphemes():
    dice = random.Random(12)
    for _ in range(2_000):
        whole = Text(bold(plain(fuzzed(dice), 3000)), " · ", small(plain(fuzzed(dice), 3000)))
        limit = dice.choice([1, 2, 3, 10, 64, 280, 1024])
        cut = whole.cut(limit)
        assert units(str(cut)) <= limit
        if cut != whole:
            assert str(cut).endswith("…")
            kept = graphemes(str(cut)[:-1])
            assert graphemes(str(whole))[: len(kept)] == kept
        accepted(cut, limit)


@given(st.text(max_size=600), st.integers(1, 400))
@settings(max_examples=500, deadline=None)
def test_T12_any_text_is_shortened_between_graphemes(text, limit):
    kept = shortened(text, limit)
    assert units(kept) <= limit
    assert graphemes(text)[: len(graphemes(kept))] == graphemes(kept)
    if len(kept) < len(text):
        following = graphemes(text)[len(graphemes(kept))]
        assert units(kept) + units(following) > limit


@given(st.text(max_size=250))
@settings(max_examples=500, deadline=None)
def test_X5_any_text_is_read_as_it_was_written(text):
    line = plain(text, len(text))
    shown = quoted(text, 2000).text
    assert shown.strip("\u2068\u2069") == line
    assert not live(accepted(Text(quoted(text, 2000)), MESSAGE)) or not line


@pytest.mark.parametrize("prompt", EVIL)
def test_X5_a_prompt_is_dead_text_on_every_card(prompt):
    for text, most in cards(prompt)[:4]:
        assert not live(accepted(text, most))
        assert (plain(prompt, 40)[:20] in str(text)) or not plain(prompt, 40)


def test_X5_a_plain_prompt_is_bold_and_one_with_a_mention_is_code():
    assert quoted("a red fox") == bold("a red fox")
    assert quoted("a 3.5 cm fox, 16 of them") == bold("a 3.5 cm fox, 16 of them")
    assert quoted("a fox for @anna") == code("a fox for @anna")


def test_T12_a_long_prompt_is_cut_between_graphemes():
    family = "👩‍👩‍👧‍👦"
    shown = quoted(family * 40).text
    assert units(shown) <= PROMPT
    assert shown == family * ((PROMPT - 1) // units(family)) + "…"


def test_T12_units_are_those_of_utf_16():
    assert [units(text) for text in ("a", "é", "🦊", "👩‍👧", "\ud83e")] == [1, 1, 2, 5, 1]
    assert Text(bold("🦊"), code("x")).entities()[1].offset == 2


def test_X13_text_from_right_to_left_turns_nothing_beside_it():
    for prompt in ("تفاحة حمراء", "a fox שועל", "\U00010900"):
        shown = quoted(prompt).text
        assert (shown[0], shown[-1]) == ("\u2068", "\u2069")
    turned = quoted("a \u202efox\u2066 \u200f").text
    assert not {unicodedata.bidirectional(sign) for sign in turned} & {"RLO", "LRI", "R"}


def test_X1_ten_thousand_marks_on_one_letter_are_one_sign():
    assert quoted("a" + "\u0301" * 10_000).text == "…"
    assert str(Text("x" * 10_000).cut(MESSAGE)).endswith("…")


def test_a_moment_counts_down_on_the_readers_device():
    text = phrases.ready("about 20–40 s", 1_800_000_000)
    assert str(text) == "ready in about 20–40 s"
    (entity,) = text.entities()
    assert entity.type == "date_time"
    assert (entity.unix_time, entity.date_time_format) == (datetime.fromtimestamp(1_800_000_000, UTC), "r")
    assert entity.to_dict()["unix_time"] == 1_800_000_000
    assert (entity.offset, entity.length) == (6, len("in about 20–40 s"))
    with words.language("de"):
        german = phrases.ready("etwa 20–40 s", 1_800_000_000)
    assert accepted(german, MESSAGE)[0]["type"] == "date_time"


def test_X5_a_sentence_keeps_our_commands_and_nobody_elses():
    told = dead("There is no command /ban; /help shows what there is. Ask @bert at example.com #now", commands=True)
    assert str(told) == "There is no command /ban; /help shows what there is. Ask @bert at example.com #now"
    found = accepted(told, MESSAGE)
    assert [entity["type"] for entity in live(found)] == ["bot_command"]
    looks = [(piece.text, piece.kind) for piece in told.pieces if piece.kind]
    assert looks == [("/ban;", "code"), ("@bert", "code"), ("example.com #now", "code")]


@given(st.text(max_size=300))
@settings(max_examples=500, deadline=None)
def test_X5_any_sentence_stays_what_it_is(sentence):
    assert str(dead(sentence)) == str(dead(sentence, "italic")) == str(Text(sentence))


def test_T11_many_live_words_do_not_exhaust_the_looks_of_a_message():
    told = dead(" ".join(f"@p{n}" for n in range(300)))
    assert len(told.entities()) == 1
    assert not live(accepted(told, MESSAGE))


def test_X5_no_command_is_alive_in_what_only_quotes():
    assert not live(accepted(dead("left out: /help /imagine"), MESSAGE))


def test_X5_a_refusal_does_not_wake_what_it_quotes():
    error = Invalid("{written} cannot be read.", written="steps:@anna")
    assert not live(accepted(dead(words.refusal(error)), MESSAGE))


def test_a_seed_is_no_telephone_number_and_a_tap_copies_it():
    line = card.finished(ASKED, Done((IMAGE,), 1713430227, 12.0))
    assert ("1713430227", "code") in [(piece.text, piece.kind) for piece in line.pieces]
    assert str(line).endswith("768×512 · 30 steps · Euler · seed 1713430227 · 12 s")


def test_a_recipe_is_a_block_that_asks_for_the_same():
    pieces = card.recipe(Generate(prompt="a fox @anna", steps=4), None).pieces
    assert block("a fox @anna steps:4") in pieces


@given(st.text(st.characters(codec=None), max_size=200))
@settings(max_examples=300, deadline=None)
def test_T11_what_telegram_leaves_out_is_never_sent(text):
    shown = Text("🦊", bold(text), code("x"))
    assert str(shown).encode()
    assert "\r" not in str(shown)
    accepted(shown, MESSAGE)


def test_texts_are_added_and_joined():
    text = Text("a", bold("b")) + "c"
    assert text == Text("a", bold("b"), "c")
    assert hash(text) == hash(Text("a", bold("b"), "c"))
    assert str(Text.lines(["a", "", Text(), Text("b")])) == "a\nb"
    assert not Text("", bold(""))
    assert Text("x", when("now", 1.0)).cut(2).pieces[-1].text == "…"


async def test_T11_X5_telegram_takes_fuzzed_cards_over_http_and_finds_nothing_in_them(api, anna):
    dice = random.Random(5)
    async with client(api) as bot:
        for n in range(150):
            prompt = EVIL[n] if n < len(EVIL) else fuzzed(dice)
            for text, _ in cards(prompt)[:4]:
                try:
                    await bot.send_message(anna.id, str(text), entities=text.entities())
                except telegram.error.BadRequest as error:
                    raise AssertionError(f"{prompt!r}: {error}") from None
    for message in anna.chat.told:
        assert not live(message.entities), message
    assert len(anna.chat.told) == 600


def test_pieces_stand_where_a_sentence_names_them_and_unknown_names_stay():
    text = filled("Take {look}, {look} or {other}.", look=link("this one", "https://t.me/x?start=y"))
    assert str(text) == "Take this one, this one or {other}."
    first, second = text.entities()
    assert (first.type, first.offset, first.length, first.url) == ("text_link", 5, 8, "https://t.me/x?start=y")
    assert second.offset == 15
