"""What people hide is found, and what is innocent is left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realbot.moderation import Rules, never

BLOCKED = (
    *("porn*", "sex", "penis", "cunt", "cum", "anal", "shit", "rape", "rapist", "the rapist", "fuck*", "god", "knife"),
    *("naked women", "naked woman", "dick", "arse", "gun", "nazi", "blow job"),
)

INNOCENT = (
    "Scunthorpe cathedral at dawn",
    "Penistone viaduct in fog",
    "Essex countryside with Sussex sheep",
    "the Arsenal stadium, a full house",
    "a shih tzu puppy",
    "pussy willow branches in a vase",
    "an assassin bug on a leaf",
    "a therapist office with a couch",
    "grapes, grapefruit and a draped cloth",
    "cumulus clouds over a cucumber field, with a document",
    "analog photography, grain, an analysis of light",
    "Dickens reading by candlelight, in Dickinson's house",
    "parsers and coarse sand",
    "a good dog under a goddess statue",
    "Gunn diode on a circuit board",
    "begun at sunrise, a gunner's mate",
    "nude-colored dress on a mannequin",
    "naked mole-rat in a tunnel",
    "breast of chicken on a plate",
    "a blue tit and a cock-a-doodle rooster",
    "an ass and her foal",
    "a gay parade with rainbow flags",
    "Hooker hummingbird at a flower",
    "Bloody Mary with celery",
    "Hopper drug store at night",
    "kill the lights on stage",
    "a sextant on an old map, sixty ships",
    "the letters a, b, c and d on wooden cubes",
    "a pen, is it blue? moon,pen,island",
    "as set in stone, an al fresco dinner",
    "blow out the candles, a job well done",
    "1girl, 4k, 8k, masterpiece, 50mm f1.4",
    "5 sheep, 455 sheep, a $455 note at 4:55",
    "women in naked light",
    "a U.S.A. flag, R.E.M. on stage",
    "Schöne alte Häuser an der Straße, Größe egal",
    "кошка на окне",
    "γάτα στο παράθυρο",
    "窓辺の猫、桜の木",
    "창가의 고양이",
    "قطة على النافذة",
    "חתול על החלון",
    "🐈 on a 🪟, 🌸🌸🌸",
    "",
)

EVASIONS = (
    "p0rn",
    "P0RN",
    "pr0n no, porn",
    "@ dick, d1ck",
    "s3x",
    "5ex",
    "5h!t",
    "sh1t",
    "kn1fe",
    "r@pe",
    "g0d",
    "p.o.r.n",
    "p-o-r-n",
    "p_o_r_n",
    "p o r n",
    "draw a p o r n scene",
    "p  o  r  n",
    "p, o, r, n",
    "po.rn",
    "||sex||",
    "_sex_",
    "**sex**",
    "(sex:1.3)",
    "big,sex,scene",
    "pooorn",
    "poooorrrnnn",
    "seeeex",
    "PÖRN",
    "pòŕñ",
    "p\u0336o\u0336r\u0336n\u0336",
    "s\u0334\u0322e\u0337x",
    "p\u20e3o\u20e3r\u20e3n\u20e3",
    "pоrn",  # Cyrillic о
    "ρσяη",
    "sеx",  # Cyrillic е
    "ｐｏｒｎ",
    "𝐩𝐨𝐫𝐧",
    "𝓈ℯ𝓍",
    "ⓟⓞⓡⓝ",
    "🅿🅾🆁🅽",
    "🇵🇴🇷🇳",
    "ᴘᴏʀɴ",
    "ᵖᵒʳⁿ",
    "pørn",
    "p\u200bo\u200br\u200bn",
    "se\u00adx",
    "s\ufeffe\u2060x",
    "s\u200de\u200dx",
    "\u202enrop\u202c",
    "p0r\u200bn",
    "naked  wómen",
    "naked.women",
    "naked\nwomen",
    "NAKED\u00a0WOMEN",
    "n4ked w0men",
    "pornographic",
    "fuckers",
)


@pytest.mark.parametrize("prompt", INNOCENT)
def test_X2_innocent_prompts_pass(prompt: str):
    assert Rules(BLOCKED).check(prompt) is None


@pytest.mark.parametrize("hidden", EVASIONS, ids=ascii)
@pytest.mark.parametrize("prompt", ["{}", "a picture of {} please, in oil"])
def test_X2_hidden_words_are_found(hidden: str, prompt: str):
    assert Rules(BLOCKED).check(prompt.format(hidden)) in BLOCKED


WORDS = ("knife", "hostage", "bomb", "corpse", "pirate", "gunman")
#: Letters that look like those from a to z, in that order.
ALPHABETS = {
    "Cyrillic": "аЬсdеfgнiјкlмnорqгsтцvшхуz",
    "Greek": "αβςdεfghιjκlmηορqrsτυνωχγz",
    "full-width": "".join(chr(0xFF41 + n) for n in range(26)),
    "full-width capitals": "".join(chr(0xFF21 + n) for n in range(26)),
    **{
        name: "".join(chr(first + n) for n in range(26))
        for name, first in {
            "bold": 0x1D41A,
            "bold italic": 0x1D482,
            "bold script": 0x1D4EA,
            "fraktur": 0x1D51E,
            "double-struck": 0x1D552,
            "bold fraktur": 0x1D586,
            "sans": 0x1D5BA,
            "sans bold": 0x1D5EE,
            "sans italic": 0x1D622,
            "monospace": 0x1D68A,
            "circled": 0x24D0,
            "circled capitals": 0x24B6,
            "in brackets": 0x249C,
            "squared": 0x1F130,
            "black squares": 0x1F170,
            "black circles": 0x1F150,
            "flags": 0x1F1E6,
        }.items()
    },
    "small capitals": "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘqʀꜱᴛᴜᴠᴡxʏᴢ",
    "superscript": "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖqʳˢᵗᵘᵛʷˣʸᶻ",
    "grave and acute": "àḃćďéḟǵĥíĵḱĺḿńòṕqŕśťúṽẃẋýź",
    "hooks and strokes": "ąƀçđęƒģħįɉķłɱñøƥqɍşŧųṿẉxỵƶ",
    "leetspeak": "@bcd3fgh!jk1mn0pqr57uvwxyz",
}
#: What is put between letters: invisible characters, marks over and through letters, punctuation.
BETWEEN = (
    *"\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u061c\u180e\u115f\u200e\u200f\ufe0f\U000e0061",
    *"\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0316\u0323\u0327\u0332\u0334\u0335\u0336\u0338\u20e3\u0489",
    *" .-_*~'`^+=#:·•–\u00a0\u2009\u3000\n\t",
    *("  ", ". ", " - ", "\u0301\u0327\u0336", "\u200b\u200b\u200b\u200b", "__"),
)
DISGUISES = {
    **{
        name: lambda word, table=table: "".join(table[ord(sign) - 97] for sign in word)
        for name, table in ALPHABETS.items()
    },
    **{ascii(sign): lambda word, sign=sign: sign.join(word) for sign in BETWEEN},
    "every other letter": lambda word: "".join(
        ALPHABETS["Cyrillic"][ord(x) - 97] if n % 2 else x for n, x in enumerate(word)
    ),
    "stretched": lambda word: "".join(sign * 4 for sign in word),
    "stretched vowels": lambda word: "".join(sign * (5 if sign in "aeiou" else 1) for sign in word),
    "alternating capitals": lambda word: "".join(x.upper() if n % 2 else x for n, x in enumerate(word)),
    "right to left": lambda word: f"\u202e{word[::-1]}\u202c",
    "spoiler": lambda word: f"||{word}||",
    "bold mark": lambda word: f"**{word}**",
    "underlined": lambda word: f"__{word}__",
    "code": lambda word: f"`{word}`",
    "weighted": lambda word: f"(({word}:1.4))",
    "tag list": lambda word: f"oil,{word},night",
    "quoted": lambda word: f"“{word}”",
}


def test_X2_there_are_five_hundred_disguises():
    assert len(WORDS) * len(DISGUISES) >= 500


@pytest.mark.parametrize("disguise", DISGUISES)
def test_X2_no_disguise_hides_a_word(disguise: str):
    rules = Rules(WORDS)
    for word in WORDS:
        hidden = DISGUISES[disguise](word)
        assert rules.check(f"a quiet {hidden} at dawn") == word, ascii(hidden)


def test_the_word_is_named_as_it_is_in_the_list():
    assert Rules((" Knife  Fight ", "gun")).check("a kn1fe fight") == "Knife  Fight"


@pytest.mark.parametrize(
    ("word", "prompt", "found"),
    [
        ("god", "a good dog", False),
        ("god", "a gooood dog", True),
        ("good", "a god", False),
        ("ass", "as sand", False),
        ("ass", "assss", True),
        ("gun", "gun-metal", True),
        ("gun", "gun_metal", False),
        ("gun*", "three guns", True),
        ("gun*", "begun", False),
        ("*gun", "a handgun", True),
        ("b*d", "a bad day", True),
        ("b*d", "b and d", False),
        ("18+", "rated 18+ only", True),
        ("18+", "18 sheep", False),
        ("c4", "some C4 here", True),
        ("c4", "the letters ca", False),
        ("ak47", "an AK47 on a table", True),
        ("*", "anything", False),
        ("", "anything", False),
        ("  ", "anything", False),
        ("...", "wait... what", True),
        ("裸", "裸体の猫", True),
        ("日本", "8本のバラ", False),
        ("пистолет", "чёрный ПИСТОЛЕТ", True),
        ("пистолет", "пистолетный", False),
        ("über", "uber", True),
        ("straße", "STRASSE", True),
    ],
)
def test_whole_words_with_stars_and_signs(word: str, prompt: str, found: bool):
    assert (Rules((word,)).check(prompt) is not None) is found


@pytest.mark.parametrize(
    "prompt",
    [
        "a naked child",
        "a nude 12 year old",
        "sexy 16yo",
        "n4ked k1ds",
        "s e x y schoolgirl",
        "n\u200baked t\u043eddler",
        "loli hentai",
        "nackte Kinder am Strand",
    ],
)
def test_minors_in_a_sexual_context_are_found_without_a_list(prompt: str):
    assert never(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        *INNOCENT,
        "kids watching a naked mole-rat",
        "children seeing a comet with the naked eye",
        "a 12 year old whisky",
        "a nude in the style of Modigliani",
        "teenage mutant ninja turtles",
        "a child in a red coat",
        "18 year old oak tree, nude branches",
    ],
)
def test_neither_half_alone_is_a_sexual_context_of_minors(prompt: str):
    assert not never(prompt)


@given(st.text(max_size=200), st.lists(st.text(max_size=12), max_size=5))
def test_any_text_and_any_list_can_be_checked(text: str, blocked: list[str]):
    found = Rules(tuple(blocked)).check(text)
    assert found is None or found in [word.strip() for word in blocked]


@given(
    st.from_regex(r"[a-z]{3,10}", fullmatch=True), st.sampled_from([" ", ".", "-", "_", "\u200b", "\u00ad", "\u0301"])
)
def test_X2_a_sign_after_each_letter_hides_no_word(word: str, sign: str):
    assert Rules((word,)).check(f"a {sign.join(word)} here") == word


@pytest.mark.parametrize("text", ["a ", "p.", "w o r d ", "word", "s", "a_", "ab", "gggunnn ", "ü", "\u0301", "\u200b"])
def test_Q17_the_time_for_the_longest_prompt_stays_small(text: str):
    rules = Rules((*(f"word{n}" for n in range(300)), "a*b*c", "sss", "a b", "ab ab ab"))
    prompt = (text * 2000)[:2000]
    rules.check("once, so that the words are folded")
    start = time.process_time()
    rules.check(prompt)
    assert time.process_time() - start < 1.0
