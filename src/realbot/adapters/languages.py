"""The languages people are spoken to in: gettext catalogues in `locale/`, and which of them the task at hand speaks.

`_("…")` marks a sentence and translates it; `N_("…")` only marks one that is translated later. `make messages` brings
the catalogues up to date; a language is added by a folder `locale/xx` and that command.
"""

from __future__ import annotations

import gettext as catalogues
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from realbot.phrases import Phrase

FOLDER = Path(__file__).resolve().parents[1] / "locale"
DOMAIN = "realbot"
#: What the sentences in the code are written in.
ENGLISH = "en"

_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


@cache
def languages() -> tuple[str, ...]:
    """The codes of all languages, such as "de" or "pt_BR"."""
    found = (path.parents[1].name for path in FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return tuple(sorted({ENGLISH, *found}))


def closest(code: str | None) -> str:
    """The language for a code as platforms write it ("de", "pt-BR", "de_AT"); English when there is none."""
    name = (code or "").replace("-", "_")
    known = {language.casefold(): language for language in languages()}
    return known.get(name.casefold()) or known.get(name.partition("_")[0].casefold(), ENGLISH)


def spoken() -> str:
    """The language that is spoken at the moment."""
    return _spoken.get()


@contextmanager
def language(code: str | None) -> Iterator[str]:
    """Speak this language within the block, in this task only; unknown codes and None are English."""
    token = _spoken.set(closest(code))
    try:
        yield _spoken.get()
    finally:
        _spoken.reset(token)


@cache
def _catalogue(name: str) -> catalogues.NullTranslations:
    return catalogues.translation(DOMAIN, FOLDER, [name], fallback=name == ENGLISH)


def gettext(text: str) -> str:
    """`text` in the language that is spoken, or itself."""
    # The empty text is where a catalogue keeps its own description.
    return _catalogue(_spoken.get()).gettext(text) if text else text


def ngettext(one: str, many: str, number: int) -> str:
    """The form for `number` things."""
    return _catalogue(_spoken.get()).ngettext(one, many, number)


def pgettext(context: str, text: str) -> str:
    """`text` where it could mean several things; `context` says which and is not shown."""
    return _catalogue(_spoken.get()).pgettext(context, text)


def phrase(said: Phrase) -> str:
    """A text with its values filled in, both translated."""
    template = ngettext(said.template, said.many, said.number) if said.many else gettext(said.template)
    if not said.values:
        return template
    values = {name: phrase(value) if isinstance(value, Phrase) else value for name, value in said.values.items()}
    return template.format_map(values)


def N_(text: str) -> str:
    """Marks `text` for the catalogues and leaves it as it is."""
    return text


class Phrasebook(UserDict[str, str]):
    """Texts by name, each in the language that is spoken when it is looked up."""

    def __getitem__(self, name: str) -> str:
        return gettext(super().__getitem__(name))


_ = gettext
