"""Prompt rules: what is meant is found however it is written, what is innocent passes, and what is left out is gone."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innocents import BLOCKED, INNOCENT, INNOCENT_PHRASES, PATTERNS, STRIPPED, TOGETHER
from realbot.config import Settings
from realbot.engine.models import preset
from realbot.errors import Blocked, ConfigError, Invalid
from realbot.grammar import parse, write
from realbot.jobs import Generate, Origin, StyleUse, Upscale, User
from realbot.lexicon import PATIENCE, Lexicon
from studios import ANNA, HERE, lora, rig
from test_moderation import DISGUISES, WORDS

STRICT = Lexicon(BLOCKED, PATTERNS, TOGETHER, STRIPPED, INNOCENT_PHRASES)
ADMIN = User("discord", "1")
SERVER = Origin("discord", "5", server="7")


def test_X2_there_are_enough_innocent_prompts():
    assert len(set(INNOCENT)) >= 150


@pytest.mark.parametrize("prompt", INNOCENT)
def test_X2_strict_rules_leave_innocent_prompts_alone(prompt: str):
    STRICT.check(prompt)
    assert STRICT.kept(prompt) == prompt


@pytest.mark.parametrize("disguise", DISGUISES)
def test_X2_no_disguise_gets_past_a_pattern_or_a_pair(disguise: str):
    """Each of the 500 evasions, against a pattern, as one of a pair, and as a word that is left out."""
    for word in WORDS:
        hidden = f"a quiet {DISGUISES[disguise](word)} at dawn near a school"
        with pytest.raises(Blocked):
            Lexicon(patterns=(rf"(?<!\w){word}(?!\w)",)).check(hidden)
        with pytest.raises(Blocked, match="together"):
            Lexicon(together=(f"spoon, {word} + church, school",)).check(hidden)
        try:
            left = Lexicon(stripped=(word,)).kept(hidden)
        except Blocked:
            continue  # what cannot be cut out letter by letter is refused
        Lexicon(blocked=(word,)).check(left)
        assert left.startswith("a quiet") and left.endswith("near a school")


def test_X2_most_disguises_are_cut_out():
    cut = 0
    for disguise in DISGUISES.values():
        for word in WORDS:
            try:
                cut += Lexicon(stripped=(word,)).kept(f"a {disguise(word)} at dawn").endswith("at dawn")
            except Blocked:
                continue
    assert cut >= 0.95 * len(WORDS) * len(DISGUISES)


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("a cat, gore, on a mat", "a cat, on a mat"),
        ("a cat with (gore:1.3) on a mat", "a cat with on a mat"),
        ("((gore)), a cat", "a cat"),
        ("a cat. G0re. A mat", "a cat. A mat"),
        ("gore gore, gore; a cat", "a cat"),
        ("a cat, gore", "a cat"),
        ("**gore** cat", "cat"),
        ("a “gore” cat", "a cat"),
        ("a g\u200bo\u200bre cat", "a cat"),
        ("a g o r e cat", "a cat"),
        ("dark  red", ""),
        ("a dark\nred rose", "a rose"),
        ("a blood orange, blooded", "a blood orange"),
        ("猫血桜", "猫桜"),
        ("🐈 gore", "🐈"),
        ("(gore)", ""),
        ("category, allegory", "category, allegory"),
        ("a  cat ,  as it was  written", "a  cat ,  as it was  written"),
    ],
)
def test_what_is_left_out_takes_its_gap_along(prompt: str, left: str):
    assert Lexicon(stripped=("gore", "dark red", "blood*", "血"), innocent=("blood orange",)).kept(prompt) == left


@given(st.text(max_size=80), st.sampled_from(["gore", "g.o.r.e", "G0RE", "goooore"]), st.text(max_size=80))
def test_what_is_left_out_is_out_or_the_prompt_is_refused(before: str, word: str, after: str):
    rules = Lexicon(stripped=("gore",))
    try:
        left = rules.kept(f"{before} {word} {after}")
    except Blocked:
        return
    Lexicon(blocked=("gore",)).check(left)
    assert rules.kept(left) == left


@pytest.mark.parametrize(
    "pattern", [r"(?:\w+\s?)+\d$", r"(a|a)*b$", r"(x+x+)+y", r"((ab)*)*c$", r"(.*)*=", r"(?:a?){60}a{60}$"]
)
@pytest.mark.parametrize("letters", ["a", "x", "ab", "a ", "word "])
def test_Q17_a_pattern_that_never_ends_is_given_up(pattern: str, letters: str):
    prompt = (letters * 2000)[:1999] + "!"
    start = time.process_time()
    with contextlib.suppress(Blocked):
        Lexicon(patterns=(pattern,) * 3).check(prompt)
    assert time.process_time() - start < PATIENCE + 0.4


def test_Q17_what_could_not_be_checked_is_refused(monkeypatch: pytest.MonkeyPatch):
    class Slow:
        def search(self, text: str, timeout: float) -> None:
            raise TimeoutError

    monkeypatch.setattr("realbot.lexicon.compiled", lambda pattern: Slow())
    with pytest.raises(Blocked, match="could not be checked in time"):
        Lexicon(patterns=("x",)).check("a cat")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("patterns = ['(unclosed']", "(unclosed"),
        ("patterns = ['a*']", "every prompt"),
        ("patterns = ['ok', 'x{2,1}']", "x{2,1}"),
        (f"patterns = ['{'x' * 501}']", "longer than 500"),
        ("patterns = ['\\L<names>']", "names"),
        ("together = ['knife, gun']", "knife, gun"),
        ("together = ['knife + ']", "knife"),
        ("together = [' + school']", "school"),
    ],
)
def test_P11_a_rule_that_cannot_be_read_is_named_at_the_start(tmp_path: Path, text: str, key: str):
    path = tmp_path / "realbot.toml"
    path.write_text(f"[moderation]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        Settings.load(path, {})
    assert key in str(caught.value) and "moderation" in str(caught.value)


def test_rules_from_the_environment_stand_one_a_line(tmp_path: Path):
    told = {
        "REALBOT_MODERATION__PATTERNS": "x{2,3}\n\n^a, b$",
        "REALBOT_MODERATION__TOGETHER": "knife, gun + school",
    }
    rules = Settings.load(None, told).moderation
    assert (rules.patterns, rules.together) == (("x{2,3}", "^a, b$"), ("knife, gun + school",))


async def test_the_request_that_is_kept_is_the_one_without(tmp_path: Path):
    async with rig(tmp_path, sections={"moderation": {"stripped": ["gore", "8k"]}}) as r:
        job = await r.ask("a cat, gore, 8k", negative="gore")
        assert (job.request.prompt, job.request.negative) == ("a cat", "gore")
        await r.paint("a cat", negative="gore")
        assert r.pool.works[0].request["prompt"] == "a cat"
        assert len(r.pool.works) == 1, "the same picture is not painted twice"
        assert [one.request.prompt for one in await r.studio.history(ANNA)] == ["a cat", "a cat"]
        with pytest.raises(Invalid, match="empty"):
            await r.ask("8k, (gore)")


async def test_rules_hold_for_every_way_to_say_words(tmp_path: Path):
    rules = {"blocked": ["knife"], "together": ["gun + school"], "patterns": [r"\bfork(?:s|ed)\b"]}
    async with rig(tmp_path) as r:
        lora(tmp_path / "styles" / "sharp.safetensors", trigger="a knife")
        for prompt in ("a knife", "a gun in a school", "two forks"):
            await r.paint(prompt)
        made = await r.studio.history(ANNA)
        await r.paint("a cat", styles=(StyleUse("sharp"),))
        await r.studio.rule(None, ADMIN, moderation=rules)
        for entry in made:
            with pytest.raises(Blocked):
                await r.studio.submit(ANNA, entry.request, HERE)
            with pytest.raises(Blocked, match="was made with words"):
                await r.studio.submit(ANNA, Upscale(source=entry.images[0]), HERE)
            with pytest.raises(Blocked, match="was made with words"):
                await r.ask("a cat", source=entry.images[0])
        with pytest.raises(Blocked, match="knife"):
            await r.ask("a dog", styles=(StyleUse("sharp"),))
        await r.paint("a spoon", negative="knife, gun, school, forks")


async def test_a_place_adds_to_the_rules_and_takes_none_back(tmp_path: Path):
    base = {"stripped": ["gore"], "negative": "text", "together": ["gun + school"], "patterns": ["xx+"]}
    async with rig(tmp_path, sections={"moderation": base}) as r:
        own = {"stripped": ["mist"], "negative": "blur", "together": ["cat + dog"], "patterns": ["yy+"]}
        await r.studio.rule("discord:7", ADMIN, moderation=own)
        rules = r.studio.settled(SERVER)["moderation"]
        assert rules.stripped == ("gore", "mist") and rules.negative == "text, blur"
        assert rules.together == ("gun + school", "cat + dog") and rules.patterns == ("xx+", "yy+")
        job = await r.studio.submit(ANNA, Generate(prompt="a gore cat in mist"), SERVER)
        assert job.request.prompt == "a cat in"
        for name, value, told in (
            ("patterns", ["(a"], r"\(a"),
            ("together", ["gun"], "gun"),
            ("patterns", ["q*"], "every prompt"),
        ):
            with pytest.raises(Invalid, match=told):
                await r.studio.rule("discord:7", ADMIN, moderation={name: value})
        with pytest.raises(Invalid, match="no rule innocent"):
            await r.studio.rule("discord:7", ADMIN, moderation={"innocent": ["gore"]})


async def test_what_every_picture_avoids_is_painted_and_never_said(tmp_path: Path):
    model = preset("mini")
    async with rig(tmp_path, sections={"moderation": {"negative": "text, blur"}}) as r:
        plain = await r.ask("a cat")
        assert (plain.request.true_cfg, plain.request.avoid) == (1.0, ""), "nobody is made to pay for it"
        asked = await r.ask("a cat", negative="dog")
        assert asked.request.true_cfg == model.true_cfg > 1
        assert (asked.request.avoid, asked.request.negative) == ("text, blur", "dog")
        assert parse(write(asked.request)).negative == "dog" and "blur" not in write(asked.request)
        seed = asked.request.seed
        r.studio.configure(Settings(moderation={"negative": "fog"}))
        again = await r.ask("a cat", negative="dog", seed=seed, avoid="what somebody made up")
        assert again.request.avoid == "fog"
        assert len(await r.studio.history(ANNA, search="blur")) == 0
