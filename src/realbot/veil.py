"""What becomes of a picture where it is to be shown: nothing, a spoiler, or it is withheld. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

from .jobs import Origin
from .rulebook import Safety

Veil: TypeAlias = Literal["pass", "spoiler", "withhold"]
Kind: TypeAlias = Literal["open", "adult", "private"]
#: From loose to strict.
VEILS: tuple[Veil, ...] = ("pass", "spoiler", "withhold")


def kind(origin: Origin | None, *, adult: bool | None = None) -> Kind:
    """Who may see what is shown in a place: everyone, adults, or one person alone; without a place, them alone.

    `adult` tells whether it is for adults now; as it was when it was asked for, where nobody knows.
    """
    if origin is None or origin.private or not (origin.server or origin.shared):
        return "private"
    return "adult" if (origin.adult if adult is None else adult) else "open"


def veil(score: float | None, kind: Kind, rules: Safety) -> Veil:
    """What becomes of a picture with this score there. None, which nobody knows, counts as unsafe."""
    suspects, unsafes = _rules(kind, rules)
    if score is None or score >= rules.unsafe:
        return unsafes
    return suspects if score >= rules.suspect else "pass"


def released(score: float | None, kind: Kind, rules: Safety) -> Veil:
    """What becomes of a picture that a moderator let through: at most a spoiler."""
    return min(veil(score, kind, rules), "spoiler", key=VEILS.index)


def veils(kind: Kind, rules: Safety) -> bool:
    """Whether any picture could be veiled there, so that none is shown before it was looked at."""
    return _rules(kind, rules) != ("pass", "pass")


def _rules(kind: Kind, rules: Safety) -> tuple[Veil, Veil]:
    match kind:
        case "open":
            return rules.suspects, rules.unsafes
        case "adult":
            return rules.adult_suspects, rules.adult_unsafes
        case "private":
            return rules.private_suspects, rules.private_unsafes
