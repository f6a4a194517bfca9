"""Text, entities and keyboards: what Telegram refuses of them, and what it makes of plain text by itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from botapi_calls import Refusal

MOST_TEXT, MOST_CAPTION, MOST_ENTITIES = 4096, 1024, 100
ROW, BUTTONS = 8, 100

#: What becomes an entity on its own, in this order; a later one never lies in an earlier one.
LIVE = (
    ("url", r"https?://[^\s<>\"]+|\b[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:com|org|net|de|io|me|ru|info|ai)\b(?:/\S*)?"),
    ("email", r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("bot_command", r"(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?![\w/])"),
    ("mention", r"(?<!\w)@[A-Za-z]\w{2,31}\b"),
    ("hashtag", r"(?<!\w)#(?=\w*[^\W\d])\w{1,256}(?:@\w{3,32})?"),
    ("cashtag", r"(?<!\w)\$[A-Z][A-Z0-9]{0,7}\b"),
    ("phone_number", r"(?<![\w+])\+?\d{1,3}[ -]?\(?\d{2,4}\)?[ -]?\d{3,4}[ -]?\d{2,4}(?!\w)"),
)  # fmt: skip
CLOSED = ("code", "pre", "text_link", "text_mention", "date_time", "custom_emoji")


def units(text: str) -> int:
    """How many UTF-16 units a text has."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def detected(text: str, given: list[dict[str, Any]] = ()) -> list[dict[str, Any]]:  # type: ignore[assignment]
    """The entities that Telegram finds in a text, outside of those where it does not look."""
    taken = [(e["offset"], e["offset"] + e["length"]) for e in given if e["type"] in CLOSED]
    found = []
    for kind, pattern in LIVE:
        for match in re.finditer(pattern, text, re.IGNORECASE if kind == "url" else 0):
            start = units(text[: match.start()])
            end = start + units(match[0])
            if all(end <= low or start >= high for low, high in taken):
                taken.append((start, end))
                found.append({"type": kind, "offset": start, "length": end - start})
    return sorted([*given, *found], key=lambda entity: (entity["offset"], -entity["length"]))


def fit(text: Any, entities: Any, parse_mode: Any, most: int, too_long: str) -> tuple[str, list[dict[str, Any]]]:
    """A text as Telegram shows it, with all its entities. Raises Refusal for what it does not take."""
    text = str(text or "").replace("\r", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal(400, "Bad Request: strings must be encoded in UTF-8") from None
    if parse_mode:
        text, entities = parsed(text, str(parse_mode))
    given = [dict(entity) for entity in entities or []]
    checked(text, given)
    text, given = trimmed(text, given)
    if units(text) > most:
        raise Refusal(400, f"Bad Request: {too_long}")
    return text, detected(text, given)[:MOST_ENTITIES]


def checked(text: str, entities: list[dict[str, Any]]) -> None:
    """Entities begin and end inside of the text and between characters."""
    starts, at = {0}, 0
    for sign in text:
        at += 2 if ord(sign) > 0xFFFF else 1
        starts.add(at)
    for entity in entities:
        try:
            offset, length, kind = int(entity["offset"]), int(entity["length"]), str(entity["type"])
        except (KeyError, TypeError, ValueError):
            raise Refusal(400, "Bad Request: can't parse MessageEntity: expected a number and a type") from None
        end = offset + length
        for name, value in (("offset", offset), ("length", length)):
            if value < 0:
                raise Refusal(400, f"Bad Request: receive an entity with incorrect {name} {value}")
        if offset > at:
            raise Refusal(400, f"Bad Request: entity begins after the end of the text at UTF-16 offset {offset}")
        whole = f"Bad Request: entity beginning at UTF-16 offset {offset} ends"
        if end > at:
            raise Refusal(400, f"{whole} after the end of the text at UTF-16 offset {end}")
        if offset not in starts:
            raise Refusal(400, f"Bad Request: entity begins in a middle of a UTF-16 symbol at byte offset {offset}")
        if end not in starts:
            raise Refusal(400, f"{whole} in a middle of a UTF-16 symbol at byte offset {end}")
        if kind == "date_time" and not isinstance(entity.get("unix_time"), int):
            raise Refusal(400, 'Bad Request: can\'t parse MessageEntity: field "unix_time" must be of type Number')


def trimmed(text: str, entities: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Without space around it; entities move along and those of space alone vanish."""
    kept = text.strip()
    ahead, size = units(text[: len(text) - len(text.lstrip())]), units(kept)
    moved = []
    for entity in entities:
        start = max(0, entity["offset"] - ahead)
        end = min(size, entity["offset"] + entity["length"] - ahead)
        if end > start:
            moved.append({**entity, "offset": start, "length": end - start})
    return kept, moved


def markup(given: Any) -> dict[str, Any] | None:
    """A keyboard as it is kept. Raises Refusal for one that Telegram does not take."""
    if not given:
        return None
    if not isinstance(given, dict):
        raise Refusal(400, "Bad Request: object expected as reply markup")
    if "inline_keyboard" not in given:
        return given
    rows = [[button(item) for item in row] for row in given["inline_keyboard"] if row]
    if any(len(row) > ROW for row in rows) or sum(map(len, rows)) > BUTTONS:
        raise Refusal(400, "Bad Request: REPLY_MARKUP_TOO_LONG")
    return {"inline_keyboard": rows} if rows else None


def button(item: dict[str, Any]) -> dict[str, Any]:
    if not str(item.get("text", "")).strip():
        raise Refusal(400, 'Bad Request: can\'t parse inline keyboard button: field "text" must be non-empty')
    kinds = set(item) - {"text", "style", "icon_custom_emoji_id"}
    if len(kinds) != 1:
        hint = "text buttons are unallowed in the inline keyboard"
        raise Refusal(400, f"Bad Request: can't parse inline keyboard button: {hint}")
    kind = kinds.pop()
    if kind == "callback_data" and not 1 <= len(str(item[kind]).encode()) <= 64:
        raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    if kind == "copy_text" and not 1 <= len(item[kind].get("text", "")) <= 256:
        raise Refusal(400, "Bad Request: BUTTON_COPY_TEXT_INVALID")
    if kind == "url" and not re.match(r"(https?|tg)://\S+$", str(item[kind])):
        raise Refusal(400, f"Bad Request: inline keyboard button URL '{item[kind]}' is invalid: URL host is empty")
    if item.get("style", "primary") not in ("danger", "success", "primary"):
        raise Refusal(400, "Bad Request: can't parse inline keyboard button: invalid button style specified")
    return item


def parsed(text: str, mode: str) -> tuple[str, list[dict[str, Any]]]:
    """What a marked-up text says; only HTML is understood here."""
    if mode.lower() != "html":
        raise Refusal(400, "Bad Request: unsupported parse_mode")
    marks = Marks(text)
    return "".join(marks.said), marks.entities


class Marks(HTMLParser):
    """Telegram's HTML."""

    KINDS = {  # noqa: RUF012
        "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "s": "strikethrough",
        "code": "code", "pre": "pre", "blockquote": "blockquote", "tg-spoiler": "spoiler", "a": "text_link",
    }  # fmt: skip

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self.entities: list[dict[str, Any]] = []
        self._open: list[tuple[str, dict[str, Any]]] = []
        self.feed(text)
        self.close()
        if self._open:
            start = f'can\'t find end tag corresponding to start tag "{self._open[-1][0]}"'
            raise Refusal(400, f"Bad Request: can't parse entities: {start}")

    @property
    def at(self) -> int:
        return units("".join(self.said))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.KINDS:
            wrong = f'unsupported start tag "{tag}" at byte offset {self.getpos()[1]}'
            raise Refusal(400, f"Bad Request: can't parse entities: {wrong}")
        entity: dict[str, Any] = {"type": self.KINDS[tag], "offset": self.at}
        if tag == "a":
            entity["url"] = dict(attrs).get("href") or ""
        self._open.append((tag, entity))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise Refusal(
                400, f"Bad Request: can't parse entities: unexpected end tag at byte offset {self.getpos()[1]}"
            )
        entity = self._open.pop()[1]
        self.entities.append({**entity, "length": self.at - entity["offset"]})

    def handle_data(self, data: str) -> None:
        self.said.append(data)
