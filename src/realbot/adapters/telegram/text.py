"""Text with entities, never with markup strings: what a person wrote becomes no mention, no link and no command."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

import regex
from telegram import MessageEntity

from realbot.adapters.plain import plain

#: UTF-16 units of a message's text, and of the caption of a picture.
MESSAGE, CAPTION = 4096, 1024
#: UTF-16 units of a prompt on a card; the recipe has it whole.
PROMPT = 280
#: What Telegram itself would turn into a mention, a command, a tag, an address, a moment or a telephone number.
LIVE = re.compile(r"[@＠/#＃$]|\w\.[^\W\d]|\d\.\d+\.\d|\d:\d|\d(?:[ ().-]{0,2}\d){4,}")
#: Commands that a tap sends from our own sentences.
COMMAND = re.compile(
    r"/(?:cancel|help|history|imagine|link|look|privacy|queue|quota|realbot|settings|styles|train|whose)[.,;:!?)]*"
)
#: Signs that Telegram leaves out of what it is sent, which would shift every look behind them.
UNSENT = dict.fromkeys([*range(0x09), *range(0x0B, 0x20), 0x7F, *range(0x2028, 0x202F), *range(0xD800, 0xE000)])
#: Where a piece of its own stands in a sentence.
NAMED = re.compile(r"(\{\w+\})")
GRAPHEMES = regex.compile(r"\X")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text in one look; `kind` is the type of its entity, empty for none."""

    text: str
    kind: str = ""
    moment: float = 0.0  #: Unix time in seconds, of a "date_time"
    url: str = ""  #: of a "text_link"


class Text:
    """A message under construction. Texts are added to each other and never changed."""

    __slots__ = ("pieces",)

    pieces: tuple[Piece, ...]

    def __init__(self, *parts: str | Piece | Text) -> None:
        pieces: list[Piece] = []
        for part in parts:
            if isinstance(part, Text):
                pieces += part.pieces
            elif part:
                pieces.append(Piece(part) if isinstance(part, str) else part)
        shown = (replace(piece, text=piece.text.translate(UNSENT)) for piece in pieces)
        self.pieces = tuple(piece for piece in shown if piece.text)

    def __add__(self, other: str | Piece | Text) -> Text:
        return Text(self, other)

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def __str__(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.pieces == other.pieces

    def __hash__(self) -> int:
        return hash(self.pieces)

    @classmethod
    def lines(cls, parts: Iterable[str | Piece | Text]) -> Self:
        """One below the other; empty ones are left out."""
        shown = [part if isinstance(part, Text) else Text(part) for part in parts]
        joined: list[str | Piece | Text] = []
        for part in filter(None, shown):
            joined += ["\n", part] if joined else [part]
        return cls(*joined)

    def cut(self, limit: int) -> Text:
        """At most `limit` UTF-16 units, ended by an ellipsis between two graphemes where it was longer."""
        if units(str(self)) <= limit:
            return self
        kept, left = [], limit - 1
        for piece in self.pieces:
            text = shortened(piece.text, left)
            left -= units(text)
            kept.append(replace(piece, text=text))
            if text != piece.text:
                break
        return Text(*kept, "…")

    def entities(self) -> list[MessageEntity]:
        """The looks, counted in UTF-16 units as Telegram does."""
        found, at = [], 0
        for piece in self.pieces:
            size = units(piece.text)
            if piece.kind == MessageEntity.DATE_TIME:
                when = datetime.fromtimestamp(piece.moment, UTC)
                found.append(MessageEntity(piece.kind, at, size, unix_time=when, date_time_format="r"))
            elif piece.url:
                found.append(MessageEntity(piece.kind, at, size, url=piece.url))
            elif piece.kind:
                found.append(MessageEntity(piece.kind, at, size))
            at += size
        return found


def filled(sentence: str, **pieces: str | Piece) -> Text:
    """A sentence of ours with pieces where it names them in braces."""
    return Text(*(pieces.get(part[1:-1], part) if part[:1] == "{" else part for part in NAMED.split(sentence)))


def units(text: str) -> int:
    """How many UTF-16 units a text has."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def shortened(text: str, limit: int) -> str:
    """The longest beginning of at most `limit` UTF-16 units that ends between two graphemes."""
    if units(text) <= limit:
        return text
    end = 0
    for found in GRAPHEMES.finditer(text):
        limit -= units(found[0])
        if limit < 0:
            break
        end = found.end()
    return text[:end]


def bold(text: str) -> Piece:
    return Piece(text, MessageEntity.BOLD)


def code(text: str) -> Piece:
    """Shown as it is; a tap copies it."""
    return Piece(text, MessageEntity.CODE)


def block(text: str) -> Piece:
    """A block of its own that is shown as it is; a tap copies it."""
    return Piece(text, MessageEntity.PRE)


def small(text: str) -> Piece:
    return Piece(text, MessageEntity.ITALIC)


def link(text: str, url: str) -> Piece:
    """A word that opens an address of ours."""
    return Piece(text, MessageEntity.TEXT_LINK, url=url)


def when(text: str, moment: float) -> Piece:
    """A moment that the reader's own device counts down to; `text` is what a client shows that cannot."""
    return Piece(text, MessageEntity.DATE_TIME, moment)


def quoted(text: str, limit: int = PROMPT) -> Piece:
    """What a person wrote, on one line: in bold, or as code where Telegram would make something of it."""
    line = plain(text, len(text))
    if units(line) > limit:
        line = f"{shortened(line, limit - 1).rstrip()}…"
    if any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in line):
        # Isolated, text from right to left does not turn what stands beside it.
        line = f"\u2068{line}\u2069"
    return code(line) if LIVE.search(line) else bold(line)


def dead(sentence: str, kind: str = "", *, commands: bool = False) -> Text:
    """A sentence of ours that may hold what a person wrote: words that Telegram would make something of are code.

    `kind` is the look of the rest. With `commands`, those of ours can be tapped.
    """
    touched = bytearray(len(sentence))
    for found in LIVE.finditer(sentence):
        touched[found.start() : found.end()] = b"1" * len(found[0])
    words = list(re.finditer(r"\s+|\S+", sentence))
    live = [any(touched[one.start() : one.end()]) and not (commands and COMMAND.fullmatch(one[0])) for one in words]
    for n in range(1, len(words) - 1):
        # What stands between two such words joins them: a message has no more than a hundred looks.
        live[n] = live[n] or (words[n][0].isspace() and live[n - 1] and live[n + 1])
    runs = itertools.groupby(zip(live, words, strict=True), key=lambda found: found[0])
    return Text(*(Piece("".join(one[0] for _, one in run), MessageEntity.CODE if on else kind) for on, run in runs))
