"""What `realbot doctor` finds: one line for each thing it looked at, and one sentence on how to mend what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .errors import RealbotError

Verdict: TypeAlias = Literal["good", "unwise", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`unwise` things work and should be otherwise; `wrong` ones do not work."""

    part: str  #: what was looked at, in two or three words
    verdict: Verdict
    said: str
    remedy: str = ""  #: empty for what is good


def good(part: str, said: str) -> Finding:
    return Finding(part, "good", said)


def unwise(part: str, said: str, remedy: str) -> Finding:
    return Finding(part, "unwise", said, remedy)


def wrong(part: str, said: str, remedy: str) -> Finding:
    return Finding(part, "wrong", said, remedy)


def refused(part: str, error: RealbotError, remedy: str = "") -> Finding:
    """What keeps realbot from starting; its own sentence ends with the remedy unless another is given."""
    said = str(error)
    if not remedy:
        cut = max(said.rfind(": "), said.rfind("; "))
        said, remedy = (said[:cut], said[cut + 2 :]) if cut > 0 else (said, said)
    return wrong(part, _ended(said), _ended(f"{remedy[:1].upper()}{remedy[1:]}"))


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(("?", "!")) else f"{sentence.rstrip('.')}."
