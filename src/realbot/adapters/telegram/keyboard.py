"""Buttons: what each is for, as data, and the keyboard that carries no more than their random ids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telegram import CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup

from realbot.actions import Asking
from realbot.adapters import buttons

if TYPE_CHECKING:
    from realbot.jobs import User
    from realbot.studio import Studio

#: Characters of a label, of a text that a button copies, and of one that it puts into the field for writing.
LABEL, COPY, SWITCH = 64, 256, 256
#: The verb of a button that shows a screen.
SCREEN = "screen"


@dataclass(frozen=True, slots=True)
class Key:
    """One button. It does one thing: its verb, or what `url`, `copy` or `switch` say, which ask nothing of us."""

    label: str
    verb: str = ""
    job_id: str = ""
    index: int = 0  #: which of the job's pictures, from 0
    detail: str = ""
    open: bool = False  #: anybody who sees it may press it
    style: str = ""  #: "primary", "success" or "danger"
    uses: int = 0
    days: float = 30.0
    url: str = ""
    copy: str = ""  #: at most `COPY` characters
    switch: str = ""  #: the start of a message in this chat, at most `SWITCH` characters


Rows = Sequence[Sequence[Key]]


def to(label: str, screen: str, /, *, style: str = "", uses: int = 0, **state: Any) -> Key:
    """A button that shows a screen in a state, which is JSON data."""
    detail = json.dumps({"to": screen, **state}, sort_keys=True, ensure_ascii=False)
    return Key(label, SCREEN, detail=detail, style=style, uses=uses, days=7.0)


async def keyboard(studio: Studio, rows: Rows, user: User, place: str) -> InlineKeyboardMarkup | None:
    """The keyboard for this person in this chat, None without buttons. Raises NotYours for a deleted job."""
    asking = [
        Asking(
            key.verb,
            key.job_id,
            "" if key.open else user.key,
            key.index,
            key.detail,
            place,
            key.uses,
            key.days,
        )
        for row in rows
        for key in row
        if key.verb
    ]
    ids = iter(await studio.actions(asking) if asking else ())
    made = [[_button(key, next(ids) if key.verb else "") for key in row] for row in rows if row]
    return InlineKeyboardMarkup(made) if made else None


def _button(key: Key, action: str) -> InlineKeyboardButton:
    given: dict[str, Any] = {"style": key.style} if key.style else {}
    if key.url:
        given["url"] = key.url
    elif key.copy:
        given["copy_text"] = CopyTextButton(key.copy)
    elif key.switch:
        given["switch_inline_query_current_chat"] = key.switch
    else:
        given["callback_data"] = buttons.custom_id(action)
    label = key.label if len(key.label) <= LABEL else f"{key.label[: LABEL - 1]}…"
    return InlineKeyboardButton(label, **given)
