"""The prompt rules of a place: what refuses a prompt, and which words are left out of it without a word about it.

They hold for what is to be painted. A negative prompt says what to avoid, so anything may be named there.
"""

from __future__ import annotations

import time
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex

from . import moderation
from .errors import Blocked
from .moderation import GAPS, Rules, readings
from .phrases import listed

#: Seconds that the patterns of a place may take for one prompt: whoever writes one may not know what it costs.
PATIENCE = 0.1
#: Characters of one pattern.
LONGEST = 500
#: How often words are cut out before a prompt that still has one is refused.
ROUNDS = 8
#: Letters with a sign or blank after each, as in p o r n.
SPACED = regex.compile(r"(?<![^\W_])(?:[^\W_][\W_]{1,3}){2,}[^\W_](?![^\W_])")
RUN = regex.compile(r"(.)\1{2,}", regex.DOTALL)
#: The two lists of words that must not stand in one prompt.
PLUS = regex.compile(r"\s\+\s")
LEAD, TRAIL = regex.compile(r"[\s,;.|/+&-]*+$"), regex.compile(r"[\s,;.|/+&-]*+")
WEIGHT = regex.compile(r"(?:\s*:\s*-?[\d.]+)?\s*(?=[)\]}])")
#: Signs that hold a word, such as brackets and marks of emphasis, and those that close them.
PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "„": "“", "«": "»", "‘": "’", **{sign: sign for sign in "\"'*_~|`"}}


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words and patterns that are not allowed, words that are not together, and words that are left out."""

    blocked: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    stripped: tuple[str, ...] = ()
    innocent: tuple[str, ...] = ()  #: phrases in which a word is not what it is alone

    def check(self, text: str) -> None:
        """Raise Blocked with what is not allowed in a prompt, whole, however it is written."""
        text = self._doubtful(text)
        word = Rules(self.blocked).check(text)
        if word is not None:
            raise Blocked("The word “{word}” is not allowed here; please describe the picture without it.", word=word)
        for rule in self.together:
            found = [Rules(side).check(text) for side in sides(rule)]
            if None not in found:
                raise Blocked(
                    "These words are not allowed together here: {words}. Please leave one of them out.",
                    words=listed([f"“{one}”" for one in found]),
                    word=found[0],
                )
        if self.patterns:
            self._match(text)

    def kept(self, text: str) -> str:
        """The prompt without the words that are left out, and without the blanks and commas that held them.

        Raises Blocked for one that stands there in a way in which it cannot be cut out.
        """
        rules = Rules(self.stripped)
        for _ in range(ROUNDS):
            word = rules.check(self._doubtful(text))
            if word is None:
                return text if any(unicodedata.category(sign)[0] not in "PZC" for sign in text) else ""
            shorter = self._without(text)
            if shorter == text:
                break
            text = shorter
        raise Blocked("The word “{word}” is not allowed here; please describe the picture without it.", word=word)

    def _doubtful(self, text: str) -> str:
        """The text without the phrases that are innocent as they are written."""
        harmless = _harmless(self.innocent)
        return harmless.sub(" , ", text) if harmless else text

    def _without(self, text: str) -> str:
        """The text without those of the words that are found in it letter by letter."""
        harmless = _harmless(self.innocent)
        spared = [found.span() for found in harmless.finditer(text)] if harmless else []
        spans = sorted({span for view in moderation.views(text) for word in self.stripped for span in view.spans(word)})
        spans = [(start, end) for start, end in spans if not any(low <= start and end <= high for low, high in spared)]
        for start, end in reversed(_joined(spans)):
            text = _cut(text, start, end)
        return text

    def _match(self, text: str) -> None:
        until = time.monotonic() + PATIENCE
        for pattern in self.patterns:
            for reading in _told(text):
                try:
                    found = compiled(pattern).search(reading, timeout=max(until - time.monotonic(), 0.001))
                except TimeoutError:
                    # A rule that cannot be decided must not let everything through.
                    raise Blocked("This prompt could not be checked in time; please say it more simply.") from None
                if found is not None and found[0].strip():
                    raise Blocked(
                        "“{word}” is not allowed here; please describe the picture without it.",
                        word=found[0].strip()[:60],
                    )
                if found is not None:
                    raise Blocked("This prompt is not allowed here; please describe the picture in other words.")


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """A pattern as `regex` takes it, without regard to case. Raises ValueError with what is wrong with it."""
    if len(pattern) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters")
    try:
        made = regex.compile(pattern, regex.IGNORECASE)
        everything = made.search("", timeout=PATIENCE) is not None
    except regex.error as error:
        raise ValueError(str(error)) from None
    except (RecursionError, OverflowError, MemoryError, KeyError, TimeoutError):
        raise ValueError("it is too complex") from None
    if everything:
        raise ValueError("it matches every prompt")
    return made


@lru_cache(maxsize=1024)
def sides(rule: str) -> tuple[tuple[str, ...], ...]:
    """The lists of words of which a prompt must not have one each. Raises ValueError for less than two lists."""
    found = tuple(tuple(word.strip() for word in side.split(",") if word.strip()) for side in PLUS.split(rule))
    if len(found) < 2 or not all(found):
        raise ValueError("two lists of words are needed, with a + between them")
    return found


@lru_cache(maxsize=128)
def _harmless(phrases: tuple[str, ...]) -> Any:
    """Any of the phrases, whole and in any case, with any blanks; None for no phrase."""
    written = [r"\s+".join(map(regex.escape, phrase.split())) for phrase in phrases if phrase.strip()]
    return regex.compile(rf"(?<!\w)(?:{'|'.join(written)})(?!\w)", regex.IGNORECASE) if written else None


@lru_cache(maxsize=4)
def _told(text: str) -> tuple[str, ...]:
    """Every way to read a prompt, also with letters that stand apart together and stretched ones short."""
    told: dict[str, None] = {}
    for reading in readings(text):
        # For a pattern an underscore is a letter, for a reader it is not.
        text = reading.text.replace("_", " ")
        close = SPACED.sub(lambda found: GAPS.sub("", found[0]), text)
        # The first letter may be a word of its own: a p o r n scene.
        apart = SPACED.sub(lambda found: f"{found[0][0]} {GAPS.sub('', found[0][1:])}", text)
        told |= dict.fromkeys((reading.text, *(form for one in (close, apart) for form in (one, _short(one)))))
    return tuple(told)


def _short(text: str) -> str:
    return str(RUN.sub(r"\1", text))


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _cut(text: str, start: int, end: int) -> str:
    """The text without a span, the brackets that hold nothing else, and one of the two gaps beside it."""
    before, after = text[:start], text[end:]
    while before and after:
        weight = WEIGHT.match(after)
        rest = after[weight.end() :] if weight else after
        inner = before.rstrip()
        if not inner or PAIRS.get(inner[-1]) != rest[:1]:
            break
        before, after = inner[:-1], rest[1:]
    lead, trail = LEAD.search(before)[0], TRAIL.match(after)[0]
    before, after = before[: len(before) - len(lead)], after[len(trail) :]
    if not before or not after:
        return before + after + ("." if not after and before and "." in trail else "")
    return before + next((gap for gap in (lead, trail) if gap.strip()), " " if lead or trail else "") + after
