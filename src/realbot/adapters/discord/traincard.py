"""The card of a training: how far it is while it waits and learns, and what can be done with the style it ends in."""

from __future__ import annotations

from dataclasses import dataclass

from discord import ButtonStyle

from realbot.adapters import captions, lessonwords, words
from realbot.adapters.discord import marked
from realbot.adapters.discord.controls import Control
from realbot.adapters.discord.markup import escaped
from realbot.jobs import Done, Running, Status, Train, User, Waiting, is_final
from realbot.studio import Studio

#: What only the owner of a style does with it.
VERBS = frozenset({"share", "unshare", "metrics", "weights"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What has become of a style."""

    there: bool = False
    shared: bool = False  #: with the server that the card stands in
    server: bool = False  #: whether it stands in one


def standing(studio: Studio, user: User, job_id: str, request: Train, server_key: str) -> Standing:
    """How things are with the style of a training; `server_key` is that of the card's server."""
    found = next((one for one in studio.trained(user) if (one.name, one.job) == (request.style, job_id)), None)
    if found is None:
        return Standing()
    return Standing(True, bool(server_key) and server_key in found.shared, bool(server_key))


def waiting(status: Waiting, before: Running | None, ready: int | None, trouble: str) -> list[str]:
    """The lines of a card in the line; `before` is how far it was when it gave way."""
    if status.paused:
        lines = [captions.paused()]
    elif status.until is not None:
        lines = [lessonwords.waiting(f"<t:{round(status.until / 60) * 60}:t>")]
    elif before is not None and before.step:
        lines = [captions.bar(before.step, before.steps), lessonwords.gave_way(before.step, before.steps)]
    else:
        lines = [" · ".join([words.say(Waiting(status.position)), *_when(status, ready)])]
    return [*lines, *([trouble] if trouble else [])]


def learning(status: Running, ready: int | None) -> list[str]:
    """The lines of a card on its way."""
    when = _when(status, ready) if status.step < status.steps else []
    lines = [
        captions.bar(status.step, status.steps),
        " · ".join([words.say(Running(status.step, status.steps)), *when]),
    ]
    measured = " · ".join(lessonwords.numbers(status.numbers))
    return [*lines, *([f"-# {measured}"] if measured else [])]


def finished(request: Train, known: Standing, asker: str) -> list[str]:
    """The lines of a card with its chart."""
    who = [f"-# {marked.asker(asker)}"] if asker else []
    if not known.there:
        return [lessonwords.gone(), *who]
    told = lessonwords.shared(escaped(request.style), on=True) if known.shared else lessonwords.finished()
    return [told, *who]


def fields(request: Train) -> list[tuple[str, str]]:
    """How the style is used, as pairs of heading and text."""
    return [
        (lessonwords.usage(), f"`/imagine` … `style:{request.style}`"),
        (lessonwords.trigger(), escaped(request.trigger)),
    ]


def footer(request: Train, done: Done) -> str:
    return lessonwords.line(request, done.seconds)


def controls(status: Status, known: Standing) -> list[Control]:
    """What the card offers, in reading order."""
    if not is_final(status):
        return [Control("cancel")]
    if not isinstance(status, Done):
        return [Control("again", label="retry")]
    remove = Control("delete", icon="🗑️")
    if not known.there:
        return [remove]
    share = Control(
        "unshare" if known.shared else "share",
        style=ButtonStyle.secondary if known.shared else ButtonStyle.primary,
        said=lessonwords.button("unshare_server" if known.shared else "share_server"),
    )
    files = [Control(verb, said=lessonwords.button(verb)) for verb in ("metrics", "weights")]
    return [*([share] if known.server else []), *files, remove]


def _when(status: Waiting | Running, ready: int | None) -> list[str]:
    """Nothing is promised any more for what cannot be told."""
    return [marked.ready(ready)] if ready and status.eta is not None else []
