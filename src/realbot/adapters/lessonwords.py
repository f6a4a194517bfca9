"""What chat platforms say of trained styles: the set that is gathered, the plan, the card, and what follows from it.

In the language that `words` speaks at the moment, without markup; what a person wrote is escaped by whoever calls.
"""

from __future__ import annotations

from collections.abc import Mapping

from realbot.adapters import words
from realbot.adapters.languages import phrase
from realbot.adapters.words import _, ngettext
from realbot.jobs import Done, Eta, Failed, Train
from realbot.training import CONSENT, FEWEST


def button(verb: str) -> str:
    """The label of a button; at most 80 characters."""
    return {
        "train": _("Train"),
        "more": _("Add pictures"),
        "check": _("Check them"),
        "drop": _("Drop"),
        "share_server": _("Share with this server"),
        "unshare_server": _("Share with this server no longer"),
        "share_group": _("Share with this group"),
        "unshare_group": _("Share with this group no longer"),
        "metrics": _("Metrics"),
        "weights": _("Weights"),
        "delete": _("Delete"),
    }[verb]


# The set


def some_people() -> str:
    """For whoever may not train there, as the studio says it."""
    return _("Styles can be trained by some people only; the administrators here say by whom.")


def title(style: str) -> str:
    return _("Style {style}").format(style=style)


def so_far(number: int) -> str:
    """What was gathered, and whether it is enough."""
    said = ngettext("{number} picture so far", "{number} pictures so far", number).format(number=number)
    return said if number >= FEWEST else _("{said}; {least} are needed").format(said=said, least=FEWEST)


def how_many() -> str:
    """What makes a good set, for whoever gathers one."""
    return _("10 to 40 pictures of the same thing or in the same manner, each different, teach best.")


def dropped() -> str:
    return _("Dropped; nothing is trained.")


def upload() -> str:
    """The label of a field for files."""
    return _("Pictures, up to 10 at a time")


def name() -> str:
    """The label of a field for the style's name."""
    return _("Name of the style")


def name_hint() -> str:
    return _("Letters a-z, digits, - and _, such as my-cat")


def trigger_hint() -> str:
    return _("A word of its own teaches best, such as mycat")


def sheet(number: int) -> str:
    """What a screen reader says for the pictures that are learnt from, side by side."""
    return ngettext("{number} picture to learn from", "{number} pictures to learn from, side by side", number).format(
        number=number
    )


# The plan


def count(number: int) -> str:
    return ngettext("{count} picture to learn from.", "{count} pictures to learn from.", number).format(count=number)


def left_out(name: str, reason: str) -> str:
    """A picture that is not used; `reason` is a whole sentence."""
    return _("Left out: {name}. {reason}").format(name=name, reason=reason)


def alike(one: str, other: str) -> str:
    return _("{one} and {other} look nearly the same; different pictures teach more.").format(one=one, other=other)


def more(number: int) -> str:
    return _("… and {count} more.").format(count=number)


def trigger() -> str:
    return _("Words that bring it out")


def course() -> str:
    return _("Training")


def steps(number: int) -> str:
    return _("{steps} steps").format(steps=number)


def too_much(size: int, most: int) -> str:
    """`size` and `most` in bytes."""
    return _("The pictures have {size} MB together; at most {most} MB are taken.").format(
        size=f"{size / 1e6:.0f}", most=f"{most / 1e6:.0f}"
    )


def captions() -> str:
    return _("What is on them")


def time() -> str:
    return _("Time")


def cost(duration: Eta | None) -> str:
    """What a training takes; `duration` as the plan has it."""
    if duration is None:
        return _("Not known yet, as nothing was painted here so far. Pictures go first.")
    return _("{time} when nobody asks for a picture meanwhile; pictures go first.").format(time=words.eta(duration))


def consent() -> str:
    return phrase(CONSENT)


# The card


def waiting(when: str) -> str:
    """`when` is the time from which styles are trained."""
    return _("Waits until {when}: styles are trained at certain hours.").format(when=when)


def gave_way(step: int, steps: int) -> str:
    return _("Paused after step {step} of {steps}: pictures go first.").format(step=step, steps=steps)


def numbers(known: Mapping[str, float]) -> list[str]:
    """What is measured in a training, those of `Running.numbers` that are known, a few words each."""
    said = []
    loss = known.get("smoothed", known.get("loss"))
    if loss is not None:
        said.append(_("loss {loss}").format(loss=f"{loss:.4f}"))
    if (held := known.get("validation")) is not None:
        said.append(_("held-out pictures {loss}").format(loss=f"{held:.4f}"))
    if (rate := known.get("rate")) is not None:
        said.append(_("learning rate {rate}").format(rate=f"{rate:.1e}".replace("e-0", "e-")))
    if (speed := known.get("speed")) is not None:
        said.append(_("{speed} pictures/s").format(speed=f"{speed:.1f}"))
    return said


def line(request: Train, seconds: float = 0.0) -> str:
    """The training in one line."""
    pictures = ngettext("{number} picture", "{number} pictures", len(request.images)).format(number=len(request.images))
    parts = [pictures, steps(request.steps), _("rank {rank}").format(rank=request.rank)]
    return " · ".join([*parts, *([words.duration(seconds)] if seconds else [])])


def facts(request: Train, done: Done | None = None) -> list[tuple[str, str]]:
    """How a style was made, as pairs of label and value, in reading order."""
    pairs = [
        (trigger(), request.trigger),
        (words.LABELS["count"], str(len(request.images))),
        (words.LABELS["steps"], str(request.steps)),
        (_("Rank"), str(request.rank)),
        (_("Learning rate"), "" if request.rate is None else f"{request.rate:g}"),
        (_("Trained in"), "" if done is None else words.duration(done.seconds)),
    ]
    return [(label, value) for label, value in pairs if value]


def finished() -> str:
    return _("The style is trained. Until its owner shares it, nobody else can use it.")


def usage() -> str:
    return _("How to use it")


def alt(request: Train) -> str:
    """What a screen reader says for the chart and the samples."""
    return _("How the training of the style {style} went, as a chart, and samples painted with it").format(
        style=request.style
    )


def failure(status: Failed) -> str:
    """Why there is no style."""
    if status.error == "OutOfMemory":
        return _("Sorry, the training did not fit into the memory of the device.")
    if status.error in ("EngineLost", "Quarantined"):
        return _("Sorry, the training stopped the engine and was put aside.")
    said = _("Sorry, this style could not be trained.")
    detail = _(status.detail)
    return f"{said} ({detail.rstrip('.')}.)" if detail else said


# What follows


def not_yours() -> str:
    return _("Only the person whose style this is can do that.")


def gone() -> str:
    return _("This style is not there any more.")


def shared(style: str, *, on: bool) -> str:
    if on:
        return _("Everybody here may use the style {style} now.").format(style=style)
    return _("The style {style} is its owner's alone here again.").format(style=style)


def metrics() -> str:
    return _("Every step of the training, as a table")


def weights() -> str:
    return _("The style as a LoRA file, which other programs read too")


def too_large(style: str, size: int, most: int) -> str:
    """`size` and `most` in bytes."""
    return _(
        "The file has {size} MB, and at most {most} MB can be sent here. Whoever runs this bot finds it in the data "
        "folder as trained/{style}.safetensors."
    ).format(style=style, size=f"{size / 1e6:.1f}", most=f"{most / 1e6:.0f}")


def really(style: str) -> str:
    return _("Delete the style {style} for good? Pictures that were painted with it stay.").format(style=style)


def deleted(style: str) -> str:
    return _("The style {style} is deleted.").format(style=style)


# Help and administration


def help_line() -> str:
    return _("train a style on your own pictures")


def trainers(names: str, roles: tuple[str, ...]) -> str:
    """Who may train in a place: `names` were named there, `roles` by whoever runs the bot."""
    if "everyone" in roles:
        return _("Everybody may train styles here; whoever runs this bot settled that.")
    if "administrators" not in roles:
        return _("Whoever runs this bot settled who may train styles; it cannot be changed here.")
    if not names:
        return _("Administrators may train styles here, and nobody else.")
    return _("Besides administrators, these may train styles here: {names}.").format(names=names)


def whom() -> str:
    """For an administrator who named nobody."""
    return _("Say who.")
