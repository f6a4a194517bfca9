"""`make messages`: brings src/realbot/locale up to date with the sentences in the code, and compiles it.

What is new in the code appears in each `realbot.po` without a translation, and is told. For another language, make its
folder first: mkdir -p src/realbot/locale/fr
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "realbot"
LOCALE = PACKAGE / "locale"
DOMAIN = "realbot"
#: Which arguments of a call are sentences: those of gettext, and of the errors that are told to people.
SENTENCE = dict.fromkeys(
    (
        *("_", "N_", "gettext", "locale_str", "Phrase"),
        *("Refused", "Invalid", "Blocked", "TooSoon", "OverQuota", "QueueFull", "NotYours"),
    ),
    0,
) | {"Failed": 2}
#: Names of commands and options have a context of their own: they may be other words in a sentence.
COMMAND = "command"
NAME = re.compile(r"[-_a-z0-9]{1,32}")


@cache
def sentences() -> Catalog:
    """Everything in the code that a person may read."""
    found = Catalog(project=DOMAIN, charset="utf-8", fuzzy=False)
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE.parents[1]).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, text, context in sorted(_said(tree), key=lambda said: said[0]):
            found.add(text, locations=[(place, line)], context=context)
        if path.name == "errors.py":
            for node in tree.body:
                # What an error says when nothing else is said.
                if isinstance(node, ast.ClassDef):
                    found.add(str(ast.get_docstring(node)), locations=[(place, node.lineno)])
    return found


def _said(tree: ast.Module) -> Iterator[tuple[int, str | tuple[str, str], str | None]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else "" for arg in node.args]
        if name in ("ngettext", "counted") and all(texts[:2]):
            yield node.lineno, (texts[0], texts[1]), None
        elif name == "pgettext" and all(texts[:2]):
            yield node.lineno, texts[1], texts[0]
        elif name in SENTENCE and (text := "".join(texts[SENTENCE[name] : SENTENCE[name] + 1])):
            yield node.lineno, text, COMMAND if name == "locale_str" and NAME.fullmatch(text) else None


def catalogue(language: str) -> Catalog:
    """The catalogue of a language with what is in the code now, and no more."""
    path = LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    if path.exists():
        with path.open("rb") as file:
            known = read_po(file, locale=language)
    else:
        known = Catalog(locale=language, project=DOMAIN, charset="utf-8", fuzzy=False)
        known.creation_date = known.revision_date = datetime.now(UTC)
    known.update(sentences(), no_fuzzy_matching=True, update_creation_date=False)
    known.obsolete.clear()
    return known


def written(known: Catalog) -> tuple[bytes, bytes]:
    """The files of a catalogue: `.po` to edit, `.mo` to run with."""
    text, compiled = io.BytesIO(), io.BytesIO()
    write_po(text, known, width=120, sort_by_file=True, include_lineno=False)
    write_mo(compiled, known)
    return text.getvalue(), compiled.getvalue()


def missing(known: Catalog) -> list[str]:
    """What has no translation yet."""
    return [str(message.id) for message in known if message.id and not all(_forms(message.string))]


def _forms(string: str | tuple[str, ...]) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)


def main() -> int:
    for folder in sorted(path for path in LOCALE.iterdir() if path.is_dir()):
        known = catalogue(folder.name)
        folder = folder / "LC_MESSAGES"
        folder.mkdir(exist_ok=True)
        for ending, content in zip(("po", "mo"), written(known), strict=True):
            (folder / f"{DOMAIN}.{ending}").write_bytes(content)
        lacking = missing(known)
        print(f"{folder.parent.name}: {len(known)} messages, {len(lacking)} without a translation")
        for text in lacking:
            print(f"  {text!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
