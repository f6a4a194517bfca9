"""A text with gaps that still knows its template and its values, so that it can be translated where it is shown."""

from __future__ import annotations

from typing import Self


class Phrase(str):
    """`Phrase("from {low} to {high}", low=1, high=4)` is the text "from 1 to 4"; without values nothing is filled in.

    Values that are phrases are translated with it. The template is the first argument, literally, so that
    `make messages` finds it.
    """

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        phrase = super().__new__(cls, template.format_map(values) if values else template)
        phrase.template, phrase.values = template, values
        return phrase


def listed(names: tuple[str, ...] | list[str], /) -> Phrase:
    """ "a", "a and b", "a, b and c"; empty for none."""
    if len(names) < 2:
        only = "".join(names)
        return Phrase(only)
    return Phrase("{most} and {last}", most=", ".join(names[:-1]), last=names[-1])
