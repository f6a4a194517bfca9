"""Words that a prompt must not contain, found however they are written: spaced, accented, with look-alikes, with
digits for letters, stretched or with invisible characters between. Letters are compared by their looks, and words as
whole words, so that innocent ones are left alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import decancer_py

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
#: Digits and signs that stand for letters; 1 and ! are read twice, as i and as l.
LEET = str.maketrans("0134578@$!|", "oleastbasll")
LEET_I = str.maketrans("0134578@$!|", "oieastbasii")
TOKEN, LETTER = re.compile(r"\S+"), re.compile(r"[^\W\d_]|[@$]")
#: Scripts that put no blanks between words.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
LONG_RUN = re.compile(r"(.)\1{3,}", re.S)
STRETCHED = re.compile(r"(.)\1\1", re.S)
GAPS = re.compile(r"[\W_]+")
#: Between the letters of a word without a blank, as in p-i.g; and with one after each letter, as in p i g.
TIGHT, WIDE = r"(?:[^\w\s,;/|]{1,2}|_{1,2})?", r"[\W_]{1,3}"
#: A letter or digit beside the word, also across an underscore, makes it a part of another word.
BEFORE, AFTER = r"(?<![^\W_])(?<![^\W_]_)", r"(?![^\W_])(?!_[^\W_])"

_MINORS = (
    *("child", "children", "kid", "kids", "toddler", "toddlers", "infant", "infants", "minors", "underage"),
    *("preteen", "preteens", "teen", "teens", "teenage", "teenager", "teenagers", "schoolgirl", "schoolgirls"),
    *("schoolboy", "schoolboys", "little girl", "little girls", "little boy", "little boys", "young girl", "young boy"),
    *("loli", "lolis", "lolita", "lolicon", "shota", "shotacon", "jailbait", "kinder", "minderjährig*"),
)
_INNOCENT = re.compile(r"(?<!\w)naked (?:eyes?|mole)(?!\w)", re.I)
_AGES = re.compile(r"(?<![\w.])(?:[1-9]|1[0-7])[\s-]*(?:years?[\s-]*old|y/?o|jahre?[\s-]*alt|jährige?[rsn]?)(?!\w)")
_SEXUAL = (
    *("nude", "nudes", "nudity", "naked", "topless", "undressed", "porn*", "sex", "sexy", "sexual*", "sexualised"),
    *("erotic*", "erotisch*", "nsfw", "hentai", "rule34", "orgasm*", "masturbat*", "genital*", "nackt*"),
    *("penis", "vagina", "lingerie", "fetish", "bondage", "blowjob", "seductive*"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Words and phrases that are not allowed; a `*` in one stands for up to 16 letters."""

    blocked: tuple[str, ...] = ()

    def check(self, text: str) -> str | None:
        """The first of the blocked words that a person could read in `text`, as it is in the list."""
        if not self.blocked:
            return None
        near = [
            (number, one, reading)
            for reading in readings(text)
            for number, one in _sought(self.blocked, reading.plain)
            if one.bare in reading.bare
        ]
        near.sort(key=lambda one: one[0])
        return next(
            (self.blocked[number].strip() for number, one, reading in near if one.stands_in(reading.text)), None
        )


_MINOR_RULES, _SEXUAL_RULES = Rules(_MINORS), Rules(_SEXUAL)


def never(text: str) -> bool:
    """Whether `text` puts minors into a sexual context, which no setting allows."""
    if _SEXUAL_RULES.check(_INNOCENT.sub("", text)) is None:
        return False
    return _AGES.search(text.casefold()) is not None or _MINOR_RULES.check(text) is not None


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a text: `plain` as its letters are, else as they look."""

    text: str
    bare: str  #: its letters and digits alone, none twice in a row
    plain: bool = False


@lru_cache(maxsize=4)
def readings(text: str) -> tuple[Reading, ...]:
    """Every way a person might read `text`; for matching only."""
    # A soft hyphen is a place where a word may be broken, not the end of one.
    text = LONG_RUN.sub(r"\1\1\1", text.encode("utf-8", "ignore").decode().replace("\u00ad", ""))
    plain = _plain(text)
    # Both orders: a right-to-left override is understood by the first, blanks without width by the second. Letters
    # that the table of look-alikes takes for others (ó for p) are read without their accents as well.
    looks = dict.fromkeys((INVISIBLE.sub("", _look(text)), _look(INVISIBLE.sub("", text)), _unaccented(plain)))
    looks |= dict.fromkeys(_unleet(look, table) for look in tuple(looks) for table in (LEET, LEET_I))
    return (Reading(plain, _bare(plain), True), *(Reading(look, _bare(look)) for look in looks))


@dataclass(frozen=True, slots=True)
class Sought:
    """A blocked word, folded like the reading it is looked for in."""

    folded: str
    bare: str  #: what must be among the letters of the text, so that most texts need no pattern

    def stands_in(self, text: str) -> bool:
        return next(self.spans(text), None) is not None

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it begins and ends in a text that is folded as it is."""
        for pattern in _patterns(self.folded):
            for match in pattern.finditer(text):
                # One letter more or less is another word (god, good); three in a row are stretched.
                found = GAPS.sub("", match[0])
                if "*" in self.folded or found == GAPS.sub("", self.folded) or STRETCHED.search(found):
                    yield match.span()


@dataclass(frozen=True, slots=True)
class View:
    """A reading made letter by letter, so that each of its letters has a place in the text that was written."""

    reading: Reading
    places: tuple[int, ...]
    length: int  #: of the text that was written

    def spans(self, word: str) -> Iterator[tuple[int, int]]:
        """Where a word stands in the text that was written, with the marks and invisible characters behind it."""
        for form in _forms(word, self.reading.plain):
            if form.bare in self.reading.bare:
                for start, end in form.spans(self.reading.text):
                    yield self.places[start], self.places[end] if end < len(self.places) else self.length


def views(text: str) -> Iterator[View]:
    """The ways to read a text in which each letter is where it was written."""
    for fold in (_plain, _bared, _looked):
        folded = [fold(sign) for sign in text]
        places = tuple(place for place, signs in enumerate(folded) for _ in signs)
        written = "".join(folded)
        for read in dict.fromkeys((written, _unleet(written, LEET), _unleet(written, LEET_I))):
            yield View(Reading(read, _bare(read), fold is _plain and read == written), places, len(text))


@lru_cache(maxsize=128)
def _sought(words: tuple[str, ...], plain: bool) -> tuple[tuple[int, Sought], ...]:
    """The forms of blocked words, with the number of each."""
    return tuple((number, one) for number, word in enumerate(words) for one in _forms(word, plain))


@lru_cache(maxsize=16384)
def _forms(word: str, plain: bool) -> tuple[Sought, ...]:
    """The forms of a blocked word, none for one that is only looked for as it is."""
    if plain:
        forms: tuple[str, ...] = (_plain(word),)
    elif UNSPACED.search(word):
        return ()
    else:
        visible = INVISIBLE.sub("", word)
        forms = tuple(dict.fromkeys((_look(visible), _unaccented(_plain(visible)))))
    return tuple(
        Sought(form, max(map(_bare, form.split("*")), key=len)) for form in forms if form.replace("*", "").strip()
    )


@lru_cache(maxsize=4096)
def _patterns(folded: str) -> tuple[re.Pattern[str], ...]:
    parts = folded.split()
    before, after = (_border(parts[0][0], BEFORE), _border(parts[-1][-1], AFTER))
    # With punctuation of its own (18+) the word is what it is; without, it may be cut up.
    cut = all(sign.isalnum() or sign == "*" for part in parts for sign in part)
    written = [r"[\W_]+".join(_run(part, TIGHT if cut else "") for part in parts)]
    spaced = folded.strip("* ")
    if cut and "*" not in spaced and len(spaced) > 2:
        written.append(r"[\W_]+".join(_run(part, WIDE) for part in spaced.split()))
    return tuple(re.compile(f"{before}{pattern}{after}") for pattern in written)


def _border(sign: str, rule: str) -> str:
    """What a word that begins or ends with `sign` asks of its neighbour."""
    return rule if (sign.isalnum() or sign == "*") and not UNSPACED.match(sign) else ""


def _run(part: str, gap: str) -> str:
    """A word as a pattern: each letter once or stretched, `gap` between letters."""
    return gap.join(r"\w{0,16}" if sign == "*" else f"{re.escape(sign)}+" for sign in part)


def _plain(text: str) -> str:
    """Compatible forms and cases made equal, invisible characters left out."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign) != "Cf")


def _unaccented(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if unicodedata.category(sign) != "Mn")


def _look(text: str) -> str:
    return str(decancer_py.parse(text)).casefold()


@lru_cache(maxsize=4096)
def _bared(sign: str) -> str:
    return "" if INVISIBLE.match(sign) else _unaccented(_plain(sign))


@lru_cache(maxsize=4096)
def _looked(sign: str) -> str:
    return "" if INVISIBLE.match(sign) or not sign.isprintable() else _look(sign)


def _unleet(text: str, table: dict[int, int]) -> str:
    # A number alone is a number.
    return TOKEN.sub(lambda token: token[0].translate(table) if LETTER.search(token[0]) else token[0], text)


def _bare(text: str) -> str:
    return "".join(sign for sign, _ in groupby(GAPS.sub("", text)))
