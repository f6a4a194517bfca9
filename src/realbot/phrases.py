"""A text with gaps that still knows its template and its values, so that it can be translated where it is shown."""

from __future__ import annotations

from typing import Self


class Phrase(str):
    """`Phrase("from {low} to {high}", low=1, high=4)` is the text "from 1 to 4"; without values nothing is filled in.

    Values that are phrases are translated with it. The template is the first argument, literally, so that
    `make messages` finds it.
    """

    __slots__ = ("many", "number", "template", "values")

    template: str
    values: dict[str, object]
    many: str  #: the template for another number of things than one; empty where it does not matter
    number: int

    def __new__(cls, template: str, /, **values: object) -> Self:
        phrase = super().__new__(cls, template.format_map(values) if values else template)
        phrase.template, phrase.values = template, values
        phrase.many, phrase.number = "", 1
        return phrase


def counted(one: str, many: str, number: int, /, **values: object) -> Phrase:
    """A text in the form for `number` things; both templates are written literally, as those of `Phrase` are."""
    phrase = Phrase(one if number == 1 else many, **values)
    phrase.template, phrase.many, phrase.number = one, many, number
    return phrase


def listed(names: tuple[str, ...] | list[str], /) -> Phrase:
    """ "a", "a and b", "a, b and c"; empty for none."""
    if len(names) < 2:
        only = "".join(names)
        return Phrase(only)
    return Phrase("{most} and {last}", most=", ".join(names[:-1]), last=names[-1])
