"""Other languages: whole, current, with every value in its place, and spoken by the task that was asked in them."""

from __future__ import annotations

import ast
import asyncio
import re
import string
import sys
from pathlib import Path

import pytest

from realbot import policy
from realbot.adapters import languages, words
from realbot.errors import Blocked, Invalid, OverQuota, Refused, TooSoon
from realbot.grammar import parse
from realbot.jobs import Done, Eta, Failed, Generate, Running, StyleUse, Waiting
from realbot.phrases import Phrase, listed
from realbot.rulebook import Limits
from realbot.spending import DAY, Charge, Usage

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "recipes"))

import messages  # noqa: E402

OTHERS = [code for code in languages.languages() if code != languages.ENGLISH]
NOBODY = Usage()


def fields(text: str) -> list[tuple[str, str, str]]:
    return sorted(
        (name, spec or "", conversion or "")
        for _, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    )


def test_there_is_german():
    assert "de" in OTHERS


@pytest.mark.parametrize("code", OTHERS)
def test_a_catalogue_holds_everything_that_is_said(code):
    assert not messages.missing(messages.catalogue(code))


@pytest.mark.parametrize("code", OTHERS)
def test_the_files_are_those_that_make_messages_writes(code):
    folder = languages.FOLDER / code / "LC_MESSAGES"
    text, compiled = messages.written(messages.catalogue(code))
    assert (folder / "realbot.po").read_bytes() == text, "run `make messages`"
    assert (folder / "realbot.mo").read_bytes() == compiled, "run `make messages`"


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_values_and_the_marks_of_the_sentence(code):
    for message in messages.catalogue(code):
        asked = message.id if isinstance(message.id, tuple) else (message.id,)
        given = message.string if isinstance(message.string, tuple) else (message.string,)
        if not message.id:
            continue
        assert fields(given[-1]) == fields(asked[-1])
        assert all(set(fields(form)) <= set(fields(asked[-1])) for form in given), asked
        for mark in ("`", "**", "\n", "⭐", "✏️", "·", "×"):
            assert given[-1].count(mark) == asked[-1].count(mark), asked
        if message.context is None:
            assert given[-1] == given[-1].strip()
            assert all((form[-1] in ".?:…") == (asked[-1][-1] in ".?:…") for form in given), asked


def test_nothing_is_translated_before_it_is_said():
    """A call of `_` that runs when a module is imported would be English for good."""
    early = []
    for path in (ROOT / "src" / "realbot" / "adapters").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for body in (function.body if isinstance(function.body, list) else [function.body])
            for node in ast.walk(body)
        }
        early += [
            f"{path.name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("_", "ngettext", "pgettext")
            and id(node) not in inside
        ]
    assert not early


def test_every_name_that_is_taken_from_words_is_there():
    lacking = []
    for path in (ROOT / "src" / "realbot").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if not re.search(r"import .*\bwords\b", source):
            continue
        lacking += [
            f"{path.name}: words.{node.attr}"
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "words"
            and not hasattr(words, node.attr)
        ]
    assert not lacking
    with pytest.raises(AttributeError, match="SHOUT"):
        _ = words.SHOUT


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("de", "de"),
        ("de-DE", "de"),
        ("de_AT", "de"),
        ("DE", "de"),
        ("en-US", "en"),
        ("en-GB", "en"),
        ("xx", "en"),
        ("", "en"),
        (None, "en"),
        ("../de", "en"),
        ("de\x00", "en"),
    ],
)
def test_platforms_codes_find_their_language(code, language):
    assert languages.closest(code) == language
    with words.language(code) as spoken:
        assert spoken == language == languages.spoken()
    assert languages.spoken() == "en"


async def test_each_task_speaks_its_own_language():
    async def person(code: str) -> list[str]:
        said = []
        with words.language(code):
            for _ in range(5):
                await asyncio.sleep(0)
                said.append(words.GONE)
        return said

    german, english = await asyncio.gather(person("de"), person("en-US"))
    assert set(german) == {"Dieses Bild gibt es nicht mehr."}
    assert set(english) == {"This picture is not there any more."}
    assert english[0] == words.GONE


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Waiting(1), "Als Nächstes dran"),
        (Waiting(3, Eta(21, 38)), "an 3. Stelle · etwa 20–40 s"),
        (Running(3, 12, Eta(4, 6)), "Schritt 3 von 12 · noch etwa 4–6 s"),
        (Done(("a",), 7, 3.24), "Fertig in 3,2 s · Seed 7"),
        (Done(("a", "b"), 7, 200), "2 Bilder in 3 min 20 s · Seed 7"),
    ],
)
def test_how_far_a_job_is_in_german(status, text):
    with words.language("de"):
        assert words.say(status) == text


def test_an_apology_in_german_explains_in_german():
    with words.language("de"):
        assert words.say(Failed("EngineLost")).startswith("Leider")
        assert "Die Maschine konnte" in words.say(Failed("engine", "The engine could not paint this picture."))


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (Generate(prompt="a cat", steps=0), "steps muss eine ganze Zahl von 1 bis 100 sein, nicht 0."),
        (Generate(prompt="a cat", guidance=99.5), "guidance muss von 0 bis 30 sein, nicht 99.5."),
        (Generate(prompt=" "), "Der Prompt ist leer; sag, was gemalt werden soll."),
        (
            Generate(prompt="a", negative="x" * 2001),
            "Der negative Prompt hat 2001 Zeichen; erlaubt sind höchstens 2000, also kürze ihn.",
        ),
        (
            Generate(prompt="a", styles=(StyleUse("ink", 9),)),
            "Das Gewicht des Stils ink muss von -2 bis 2 sein, nicht 9.",
        ),
    ],
)
def test_a_refusal_is_said_in_the_readers_language_and_logged_in_english(request_, text):
    with pytest.raises(Invalid) as caught, words.language("de"):
        policy.ranges(request_, Limits())
    with words.language("de"):
        assert words.refusal(caught.value) == text
    assert words.refusal(caught.value) == str(caught.value) != text


def test_hints_within_a_refusal_are_translated_too():
    with pytest.raises(Invalid) as caught:
        parse("a cat --stepz 3")
    assert str(caught.value) == "There is no option --stepz; did you mean --steps?"
    with words.language("de"):
        assert words.refusal(caught.value) == "Die Option --stepz gibt es nicht; meintest du --steps?"
    with pytest.raises(Invalid) as caught:
        parse("a cat seed:many")
    with words.language("de"):
        assert words.refusal(caught.value) == (
            "seed:many ist nicht lesbar: Erwartet wird eine ganze Zahl von 0 bis 4294967295, oder random, etwa seed:7."
        )


def test_waiting_is_told_in_german():
    with words.language("de"):
        assert words.refusal(TooSoon(wait=9.3)).endswith("Versuche es in etwa 10 s noch einmal.")
        assert "etwa 2 h" in words.refusal(OverQuota(resets=7200.0), now=0.0)
        assert words.refusal(Invalid("Hm.", nearest="ink")) == "Hm. Meintest du ink?"
    with pytest.raises(OverQuota) as caught:
        policy.quota(Generate(prompt="x", count=4), Limits(per_day=6), Usage(charges={DAY: (Charge(1.0, 5),)}), 1.0)
    with words.language("de"):
        assert "ist von deinen 6 Bildern noch 1 übrig" in words.refusal(caught.value)


@pytest.mark.parametrize("kind", [Refused, *Refused.__subclasses__()])
def test_every_kind_of_refusal_speaks_german(kind):
    with words.language("de"):
        german = words.refusal(kind())
    assert german != str(kind())


def test_what_people_write_is_never_a_template():
    error = Blocked("The word “{word}” is not allowed here.", word="{word!r} {0} %s")
    assert str(error) == "The word “{word!r} {0} %s” is not allowed here."
    assert str(Invalid("{curly} {0}")) == "{curly} {0}"
    with words.language("de"):
        assert words.refusal(Invalid("{curly} {0}")) == "{curly} {0}"


def test_a_phrase_is_a_text_that_knows_its_parts():
    phrase = Phrase("from {low} to {high:g}", low=1, high=2.50)
    assert phrase == "from 1 to 2.5"
    assert (phrase.template, phrase.values) == ("from {low} to {high:g}", {"low": 1, "high": 2.5})
    assert Phrase("{as} it is") == "{as} it is"
    assert str(Invalid(phrase)) == phrase
    assert Invalid(phrase).phrase is phrase
    assert [listed(names) for names in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == ["", "a", "a and b", "a, b and c"]
    with words.language("de"):
        assert words.phrase(listed(("a", "b", "c"))) == "a, b und c"


def test_a_new_language_begins_with_every_sentence_open():
    known = messages.catalogue("fr")
    assert len(messages.missing(known)) == len(known)
    text, _ = messages.written(known)
    assert b"Plural-Forms: nplurals=" in text
    assert "Next in line" in text.decode()
