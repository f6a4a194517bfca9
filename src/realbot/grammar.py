"""`a cat steps:30 style:ink:0.8 --ar 16:9` -> Generate, and back.

A known key or flag is an option, an unknown `key:value` is prompt text, an unknown `--flag` is refused by name.
Options stand anywhere and in any order; the last of two counts. The time is linear in the length of the text.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import Invalid
from .jobs import Generate, StyleUse
from .options import IMAGE, NAMES, OPTIONS, Option, decimal, filled
from .phrases import Phrase

QUOTES = '"“”„‟'
QUOTED = re.compile(rf"[{QUOTES}]((?:[^{QUOTES}\\]|\\.)*+)[{QUOTES}]", re.S)
#: What may be an option; `gap` is the blank that some phones put after the long dash they make of two short ones.
MARK = re.compile(
    r"""(?<!\S)(?:(?P<dash>--|[—–](?P<gap>[ ]?))(?P<flag>[A-Za-z][\w-]*+)|(?P<key>[A-Za-z][\w-]*+):(?=\S))
        |<lora:(?P<lora>[^<>:\n]{1,200}+)(?::(?P<weight>[^<>:\n]{0,40}+))?>""",
    re.X,
)
STYLE = re.compile(rf"(?:{QUOTED.pattern}|(?P<name>[^\s:,{QUOTES}]++))(?::(?P<weight>[^\s,]*+))?", re.S)
SEPARATOR = re.compile(r"\s*+[=:]?\s*+")
WORD = re.compile(r"\S*+")
START = re.compile(rf"\s*(?:/imagine(?:@\w+)?(?=\s|$)\s*)?(?:prompt:\s*+(?![{QUOTES}]))?", re.I)
BOX = re.compile(r"[\d.,]+%")
BARE = re.compile(r"[A-Za-z0-9](?:[\w./+-]*\w)?", re.A)


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that was probably meant, or an empty text."""
    by_fold = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word[:100].casefold(), by_fold, 1, 0.6)
    return by_fold[found[0]] if found else ""


def ratio(width: float, height: float, pixels: int, multiple: int = 16) -> tuple[int, int]:
    """Sides in the ratio width:height that are multiples of `multiple`, with about as many pixels as `pixels`."""
    sides = (math.sqrt(pixels * width / height), math.sqrt(pixels * height / width))
    first, second = (max(1, round(side / multiple)) * multiple for side in sides)
    return first, second


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where an option stands: its first character, that of its value, and the match that found it."""

    option: Option
    start: int
    value: int
    match: re.Match[str]

    @property
    def typed(self) -> str:
        return self.match["flag"] or self.match["key"] or "lora"

    def refused(self, word: str) -> Invalid:
        name, flag = self.typed, self.match["flag"] is not None
        written = f"--{name} {word}".rstrip() if flag else f"{name}:{word}"
        shown = written if len(written) <= 60 else f"{written[:59]}…"
        example = f"--{name} {self.option.example}" if flag else f"{name}:{self.option.example}"
        near = nearest(word, self.option.words)
        if near:
            return Invalid(
                "{written} cannot be read; did you mean {meant}?",
                written=shown,
                meant=near,
                word=word[:100],
                nearest=near,
            )
        return Invalid(
            "{written} cannot be read: it takes {form}, such as {example}.",
            written=shown,
            form=self.option.form,
            example=example,
            word=word[:100],
        )


@dataclass(slots=True)
class _Draft:
    """What was read so far."""

    text: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    styles: dict[str, StyleUse] | None = None
    negative: list[str] | None = None

    def take(self, mark: _Mark, value: str) -> None:
        try:
            read = mark.option.read(value)
        except ValueError:
            raise mark.refused(value) from None
        match mark.option.names[0]:
            case "size":
                self.fields["width"], self.fields["height"] = read
            case "no":
                self.negative = self.negative or []
                self.negative.append(read)
            case "prompt":
                self.text.append(read)
            case "mask" | "region" as name:
                # One of the two says what is painted; the last that was written counts.
                self.fields |= {"mask": None, "region": None, name: read}
            case name:
                self.fields[name] = read

    def use(self, name: str, weight: str | None, mark: _Mark) -> None:
        self.styles = self.styles or {}
        try:
            style = StyleUse(filled(name), 1.0 if weight is None else decimal()(weight))
        except ValueError:
            raise mark.refused(name if weight is None else f"{name}:{weight}") from None
        if name in self.styles:
            raise Invalid(
                "The style {style} is given twice; write it once, with one weight.", style=name[:60], word=name[:100]
            )
        self.styles[name] = style

    def request(self, base: Generate | None, area: int, multiple: int) -> Generate:
        text = "".join(
            piece if n == 0 or piece.startswith((",", ".", ";", "!", "?")) else f" {piece}"
            for n, piece in enumerate(self.text)
        )
        changes = self.fields
        shape: tuple[float, float] | None = changes.pop("ar", None)
        if shape is not None:
            _shaped(changes, shape, base, area, multiple)
        if self.styles is not None:
            changes["styles"] = tuple(self.styles.values())
        if self.negative is not None:
            changes["negative"] = ", ".join(filter(None, self.negative))
        if base is None:
            return Generate(prompt=text, **changes)
        return replace(base, prompt=text or base.prompt, **changes)


def _shaped(
    changes: dict[str, Any], shape: tuple[float, float], base: Generate | None, area: int, multiple: int
) -> None:
    """Width and height from a ratio: beside one written side, else with as many pixels as there would be anyway."""
    width, height = changes.get("width"), changes.get("height")
    if width is None and height is None and base is not None:
        width, height = base.width, base.height
    if width is not None and height is not None:
        area = width * height
    elif width is not None:
        area = round(width * width * shape[1] / shape[0])
    elif height is not None:
        area = round(height * height * shape[0] / shape[1])
    changes["width"], changes["height"] = ratio(*shape, area, multiple)


def parse(text: str, base: Generate | None = None, *, area: int = 1024 * 1024, multiple: int = 16) -> Generate:
    """Read what a person typed; what they did not write stays as in `base`, else at its default.

    `area` in pixels and `multiple` give the size for a ratio when neither the text nor `base` names one.
    Raises Invalid with the word, the form it should have and the nearest name.
    """
    draft = _Draft()
    position = _end(START, text, 0)
    mark = _next(text, position)
    while mark is not None:
        if piece := text[position : mark.start].strip():
            draft.text.append(piece)
        following: _Mark | None = None
        if mark.match["lora"]:
            draft.use(mark.match["lora"].strip(), mark.match["weight"] or None, mark)
            position = mark.value
        elif mark.option.names[0] == "style":
            position = _read_styles(text, mark, draft)
        elif quoted := QUOTED.match(text, mark.value):
            draft.take(mark, _unquoted(quoted[1]))
            position = quoted.end()
        elif mark.match["flag"] and mark.option.names[0] == "no":
            following = _next(text, mark.value)
            position = following.start if following else len(text)
            if not (words := text[mark.value : position].strip().rstrip(",;").rstrip()):
                raise mark.refused("")
            draft.take(mark, words)
        else:
            word = _word_at(text, mark)
            draft.take(mark, word.rstrip(",;.") or word)
            position = mark.value + len(word)
        mark = following or _next(text, position)
    if piece := text[position:].strip():
        draft.text.append(piece)
    return draft.request(base, area, multiple)


def _next(text: str, position: int) -> _Mark | None:
    """The next option at or after `position`. Raises Invalid for an unknown `--flag`."""
    for match in MARK.finditer(text, position):
        if match["lora"]:
            return _Mark(NAMES["lora"], match.start(), match.end(), match)
        name = match["flag"] or match["key"]
        option = NAMES.get(name.casefold().replace("-", "_"))
        if option is None:
            if match["dash"] == "--":
                raise _unknown(name)
            continue
        value = match.end()
        if match["flag"]:
            value = _end(SEPARATOR, text, value)
        mark = _Mark(option, match.start(), value, match)
        if _meant(text, mark):
            return mark
    return None


def _meant(text: str, mark: _Mark) -> bool:
    """Whether a name with a mark is an option and not a part of a sentence."""
    name = mark.option.names[0]
    if name == "prompt":
        return QUOTED.match(text, mark.value) is not None
    if name in ("source", "mask", "reference"):
        return IMAGE.match(text, mark.value) is not None
    if mark.match["gap"]:
        try:
            mark.option.read(_word_at(text, mark).rstrip(",;."))
        except ValueError:
            return False
        return mark.option.numeric
    return True


def _unknown(name: str) -> Invalid:
    near = nearest(name.replace("-", "_"), NAMES)
    near = next((option.names[0] for option in OPTIONS if near and option.names[0].startswith(near)), near)
    options = ", ".join(option.names[0] for option in OPTIONS[:-1])
    known = (
        Phrase("did you mean {nearest}?", nearest=f"--{near}")
        if near
        else Phrase("the options are {names}.", names=options)
    )
    return Invalid(
        "There is no option {option}; {hint}",
        option=f"--{name[:60]}",
        hint=known,
        word=f"--{name}",
        nearest=f"--{near}" if near else "",
    )


def _word_at(text: str, mark: _Mark) -> str:
    """The word that is the value, empty when the next thing is another flag."""
    word = text[mark.value : _end(WORD, text, mark.value)]
    return "" if mark.match["flag"] and re.match("--|[—–]", word) else word


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position


def _unquoted(text: str) -> str:
    return re.sub(rf"\\([\\{QUOTES}])", r"\1", text)


def _quoted(text: str) -> str:
    escaped = re.sub(rf"([\\{QUOTES}])", r"\\\1", text)
    return f'"{escaped}"'


def _read_styles(text: str, mark: _Mark, draft: _Draft) -> int:
    """Read `ink:0.8,"ink wash"` and return where it ends. A bare `none` takes the styles of the base away."""
    word = _word_at(text, mark)
    if word.rstrip(",;.").casefold() == "none":
        draft.styles = {}
        return mark.value + len(word)
    end = mark.value
    while word and (item := STYLE.match(text, end)):
        name, weight = item["name"], item["weight"]
        bare, weight = name and name.rstrip(";."), weight and weight.rstrip(";.")
        draft.use(_unquoted(item[1]) if bare is None else bare, weight, mark)
        end = item.end()
        if text[end : end + 1] != "," or not STYLE.match(text, end + 1):
            break
        end += 1
    rest = text[end : _end(WORD, text, end)]
    if end == mark.value or rest.strip(",;."):
        raise mark.refused(word)
    return end + len(rest)


def write(request: Generate) -> str:
    """The recipe line of a request, as short as it can be: `parse(write(request)) == request`."""
    request = replace(request, avoid="")
    options = [f"{name}:{_value(value)}" for name, value in _values(request)]
    negative = request.negative
    lines = (
        [request.prompt, *options, f"--no {negative}" if negative else ""],
        [request.prompt, *options, f"negative:{_quoted(negative)}" if negative else ""],
        [f"prompt:{_quoted(request.prompt)}", *options, f"negative:{_quoted(negative)}" if negative else ""],
    )
    for line in (" ".join(filter(None, parts)) for parts in lines[:-1]):
        try:
            if parse(line) == request:
                return line
        except Invalid:
            continue
    return " ".join(filter(None, lines[-1]))


def _values(request: Generate) -> Iterable[tuple[str, Any]]:
    sized = request.width is not None and request.height is not None
    if sized:
        yield "size", f"{request.width}x{request.height}"
    for option in OPTIONS:
        name = option.names[0]
        if name == "style" and request.styles:
            yield name, request.styles
        elif name in Generate.__dataclass_fields__ and name != "prompt":
            value = getattr(request, name)
            if name == "mask" and request.region is not None:
                # It is made of the region, wherever that is read.
                continue
            if value is not None and not (sized and name in ("width", "height")) and (name, value) != ("count", 1):
                yield name, value


def _value(value: Any) -> str:
    match value:
        case str():
            return value if BARE.fullmatch(value) or BOX.fullmatch(value) else _quoted(value)
        case tuple():
            return ",".join(_style(use) for use in value)
    return repr(value)


def _style(use: StyleUse) -> str:
    name = use.name if BARE.fullmatch(use.name) and use.name.casefold() != "none" else _quoted(use.name)
    return name if use.weight == 1 else f"{name}:{use.weight!r}"
