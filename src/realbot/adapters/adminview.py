"""The parts of the page of whoever runs this bot as data, in the reader's language; its script draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from realbot.adapters import adminwords as said
from realbot.adapters import changes, words
from realbot.health import Part, worst
from realbot.listing import shown
from realbot.overview import EngineView, Failure, Sample, Turn, thinned
from realbot.phrases import Phrase
from realbot.reload import Outcome

if TYPE_CHECKING:
    from realbot.studio import Studio
    from realbot.tally import Stats

#: Requests of the line that are listed, points of a chart, and failures.
LISTED, POINTS, FAILED = 12, 180, 12
#: What the axis of a chart reaches at least, so that halves of it are whole.
LEAST = {"queue": 2.0}
#: Rules that are the same for everybody have no place here, and lists of words are told by their number.
WORDS = frozenset({"blocked", "patterns", "together", "stripped", "adult_words", "allowed", "denied", "exempt"})


def view(studio: Studio, parts: Sequence[Part], stats: Stats) -> dict[str, Any]:
    """Everything that is shown but the charts, by the part of the page."""
    overview = studio.overview
    waiting, running = studio.line()
    paused, state = overview.paused(), worst(parts)
    return {
        "state": {"name": state, "says": said.state(state, paused=paused), "paused": paused},
        "numbers": {
            "waiting": said.count(waiting),
            "painting": said.count(running),
            "today": said.count(stats.today),
            "wait": said.nothing() if stats.wait is None else words.duration(stats.wait),
        },
        "engines": [engine(one) for one in overview.engines()],
        "line": line(overview.turns(LISTED), waiting + running),
        "parts": [{"name": said.part(one.name), "state": one.state, "says": sentence(one.says)} for one in parts],
        "failures": [failure(one) for one in list(overview.failures)[: -FAILED - 1 : -1]],
        "rules": rules(studio),
    }


def engine(one: EngineView) -> dict[str, Any]:
    """One engine: its state, what it is, and how far it is."""
    about = [one.device, ", ".join(one.models), said.memory(one.memory_mb), said.restarts(one.restarts)]
    return {
        "name": one.name,
        "state": one.status,
        "says": " · ".join(filter(None, [said.ENGINES[one.status], one.reason])),
        "about": [text for text in about if text],
        "step": said.step(one.step, one.steps) if one.status == "painting" else "",
        "share": one.step / one.steps if one.steps else 0.0,
    }


def line(turns: Sequence[Turn], total: int) -> dict[str, Any]:
    """Who is painted and who waits, without saying who."""
    rows = [
        {
            "position": words.ordinal(turn.position) if turn.position else "",
            "what": f"{said.KINDS[turn.kind]} · {said.part(turn.platform)}",
            "age": said.age(turn.age),
            "due": said.step(turn.step, turn.steps) or said.due(turn.eta, paused=turn.paused),
            "share": turn.step / turn.steps if turn.steps else 0.0,
        }
        for turn in turns
    ]
    return {"rows": rows, "more": said.more(total - len(rows)) if total > len(rows) else ""}


def charts(every: Iterable[Sample]) -> list[dict[str, Any]]:
    """The last hours as series of points, with what stands at the axis."""
    samples = thinned(list(every), POINTS)
    return [
        chart("queue", [(one.at, float(one.waiting)) for one in samples], said.count),
        chart("wait", [(one.at, one.wait) for one in samples], words.duration),
        chart("pictures", [(one.at, one.pictures) for one in samples], said.rate),
        chart("step", [(one.at, one.step) for one in samples], said.span),
    ]


def chart(name: str, points: Sequence[tuple[float, float | None]], told: Callable[[float], str]) -> dict[str, Any]:
    """One series: its points, the top of its axis, and each value in words."""
    values = [value for _, value in points if value is not None]
    top = nice(max([*values, LEAST.get(name, 0.0)]))
    return {
        "name": name,
        "title": said.TEXTS[f"chart_{name}"],
        "latest": told(values[-1]) if values else said.nothing(),
        "top": top,
        "marks": [told(top), told(top / 2), "0"],
        "points": [
            [round(at, 1), None if value is None else round(value, 4), "" if value is None else told(value)]
            for at, value in points
        ],
    }


def nice(value: float) -> float:
    """The next round number."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(unit * step for step in (1, 2, 4, 6, 8, 10) if value <= unit * step * (1 + 1e-9))


def failure(one: Failure) -> dict[str, Any]:
    error = one.error if one.job else said.engine_ended(one.error)
    return {"at": one.at, "job": one.job[:8], "error": error, "detail": one.detail}


def rules(studio: Studio) -> list[list[str]]:
    """What holds everywhere and is not the default."""
    found = []
    for name, section in studio.settled().items():
        for key, field in type(section).model_fields.items():
            value = getattr(section, key)
            if value != field.default:
                told = said.count(len(value)) if key in WORDS and isinstance(value, tuple) else shown(value)
                found.append([f"{name}.{key}", told])
    return found


def sentence(text: str) -> str:
    """What a part says, in the language that is spoken."""
    return words.phrase(text) if isinstance(text, Phrase) else text


def reread(outcome: Outcome) -> str:
    """What came of reading the settings anew, in one paragraph."""
    if outcome.trouble:
        return f"{changes.refused()}: {outcome.trouble}"
    told = [f"{one.key}: {changes.value(one.old)} → {changes.value(one.new)}" for one in outcome.changes]
    parts = [f"{changes.done()}.", "; ".join(told) or changes.nothing()]
    return " ".join([*parts, changes.pending(outcome.pending)] if outcome.pending else parts)
