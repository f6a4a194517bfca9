"""The card of a training: its place in the line, then its numbers and its chart, then the style and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from telegram import MessageEntity

from realbot.adapters import captions, lessonwords, words
from realbot.adapters.plain import plain
from realbot.adapters.telegram import phrases, sayings, trainphrases
from realbot.adapters.telegram.controls import starred
from realbot.adapters.telegram.keyboard import Key
from realbot.adapters.telegram.text import Text, code, dead, filled, quoted, small
from realbot.jobs import Cancelled, Done, Failed, Running, Status, Train, User, Waiting, is_final

if TYPE_CHECKING:
    from realbot.adapters.telegram.keyboard import Rows
    from realbot.studio import Studio
    from realbot.wardrobe import Trained

#: Captions of pictures that are told of.
CAPTIONS = 5
#: Verbs of the buttons below a trained style.
SHARE, METRICS, WEIGHTS = "share", "metrics", "weights"


def heading(request: Train) -> Text:
    return Text(quoted(lessonwords.title(request.style), 120))


def waiting(request: Train, status: Waiting, ready: Text, trouble: str, step: int) -> Text:
    """A card in the line; `step` is the last one before it gave way to pictures, 0 for none."""
    gave_way = lessonwords.gave_way(step, request.steps) if step else ""
    if status.paused:
        return Text.lines([heading(request), captions.paused(), gave_way, trouble])
    if status.until is not None:
        when = filled(lessonwords.waiting("{when}"), when=sayings.moment(status.until))
        return Text.lines([heading(request), lessonwords.line(request), gave_way, when, trouble])
    line = Text(words.say(Waiting(status.position)))
    return Text.lines(
        [heading(request), lessonwords.line(request), gave_way, Text(line, " · ", ready) if ready else line, trouble]
    )


def learning(request: Train, status: Running, ready: Text) -> Text:
    """A card of what is being learnt."""
    line = Text(words.say(Running(status.step, status.steps)))
    if ready and status.step < status.steps:
        line = Text(line, " · ", ready)
    numbers = lessonwords.numbers(status.numbers)
    pairs = [" · ".join(numbers[n : n + 2]) for n in range(0, len(numbers), 2)]
    return Text.lines([heading(request), captions.bar(status.step, status.steps), line, *pairs])


def finished(request: Train, done: Done, style: Trained | None, *, private: bool) -> Text:
    """What stands below the chart and the samples."""
    notes = [dead(plain(note, 400), MessageEntity.ITALIC) for note in words.notes(done)]
    line = dead(lessonwords.line(request, done.seconds))
    if style is None:
        return Text.lines([heading(request), small(lessonwords.gone()), line])
    told = [] if style.shared else [lessonwords.finished()]
    # A tap copies it; what it was taught with shows where the words that bring it out belong.
    example = plain((request.captions or (request.trigger,))[0], 100)
    use = Text(f"{lessonwords.usage()}: ", code(f"/imagine {example} style:{request.style}"))
    share = trainphrases.sharing(request.style) if private else ""
    return Text.lines([heading(request), *notes, *told, use, share, line])


def ended(request: Train, status: Failed | Cancelled) -> Text:
    """A card without a style."""
    said = lessonwords.failure(status) if isinstance(status, Failed) else words.say(status)
    return Text.lines([heading(request), dead(plain(said, 600))])


def controls(
    job_id: str, request: Train, status: Status, style: Trained | None, group: str, *, favourite: bool = False
) -> Rows:
    """What the card offers, row by row; `group` is the key of where it is shown, empty in private."""
    if not is_final(status):
        return [[Key(captions.button("cancel"), "cancel", job_id)]]
    if not isinstance(status, Done):
        return [[Key(captions.button("retry"), "again", job_id, style="primary")]]
    keep = [starred(job_id, favourite=favourite), Key("🗑", "delete", job_id, style="danger")]
    if style is None:
        return [keep]
    on = group not in style.shared
    label = lessonwords.button("share_group" if on else "unshare_group")
    share = Key(label, SHARE, job_id, detail="on" if on else "off", style="primary" if on else "")
    return [
        [share] if group else [],
        [Key(lessonwords.button(verb), verb, job_id) for verb in (METRICS, WEIGHTS)],
        [Key(captions.button("recipe"), "recipe", job_id), *keep],
    ]


def facts(request: Train, seconds: float = 0.0) -> list[Text]:
    """What a style is trained with, a line each."""
    said = list(dict.fromkeys(caption for caption in request.captions if caption != request.trigger))
    captions = "; ".join(plain(caption, 80) for caption in said[:CAPTIONS]) + ("…" if len(said) > CAPTIONS else "")
    pairs = [
        (lessonwords.trigger(), plain(request.trigger, 80)),
        (lessonwords.course(), lessonwords.line(request, seconds)),
        (lessonwords.captions(), captions),
    ]
    return [dead(phrases.fact(label, value)) for label, value in pairs if value]


def recipe(request: Train, done: Done | None) -> Text:
    """All that a style was trained with."""
    return Text.lines([heading(request), *facts(request, 0.0 if done is None else done.seconds)])


def of(studio: Studio, owner: User, job_id: str) -> Trained | None:
    """The style that came of a training, as long as its owner has it."""
    found: Sequence[Trained] = studio.trained(owner)
    return next((one for one in found if one.job == job_id), None)
