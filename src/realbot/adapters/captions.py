"""What stands on a card and its buttons, in the language that `words` speaks at the moment."""

from __future__ import annotations

from realbot.adapters import words
from realbot.adapters.words import _, ngettext
from realbot.jobs import Generate, Request

CELLS = 12


def button(verb: str) -> str:
    """The label of a button; at most 80 characters."""
    return {
        "cancel": _("Cancel"),
        "again": _("Again"),
        "fresh": _("Paint a fresh one"),
        "subtle": _("Vary a little"),
        "strong": _("Vary a lot"),
        "upscale2": "×2",
        "upscale4": "×4",
        "around": _("More around it"),
        "zoom": _("Zoom out ×1.5"),
        "zoom2": _("Zoom out ×2"),
        "left": _("← Left"),
        "right": _("Right →"),
        "up": _("↑ Up"),
        "down": _("↓ Down"),
        "remix": _("Remix"),
        "recipe": _("Recipe"),
        "retry": _("Try again"),
        "download": _("Original"),
        "confirm": _("Delete"),
        "masked": _("Paint"),
        "drop": _("No"),
    }[verb]


def choice(verb: str, number: int) -> str:
    """A line of the menu of several pictures."""
    return {
        "subtle": _("Picture {number}: vary a little"),
        "strong": _("Picture {number}: vary a lot"),
        "upscale2": _("Picture {number}: enlarge ×2"),
        "upscale4": _("Picture {number}: enlarge ×4"),
        "around": _("Picture {number}: more around it"),
        "download": _("Picture {number}: original file"),
    }[verb].format(number=number)


def pick() -> str:
    return _("Choose a picture…")


def bar(step: int, steps: int) -> str:
    """A progress bar of twelve cells."""
    full = round(CELLS * min(max(step / steps, 0.0), 1.0)) if steps else 0
    return "▰" * full + "▱" * (CELLS - full)


def line(request: Request, seed: int | None, seconds: float = 0.0) -> str:
    """The recipe in one line: what one wants to know of a picture, and no more."""
    parts: list[str] = []
    if isinstance(request, Generate):
        if request.width and request.height and not request.mask:
            # Of a part that is painted anew it is only what the model sees.
            parts.append(f"{request.width}×{request.height}")
        if request.steps is not None:
            parts.append(_("{steps} steps").format(steps=request.steps))
        if request.scheduler:
            parts.append(words.scheduler(request.scheduler))
        parts += [f"{use.name} {words.number(use.weight)}" for use in request.styles]
        if request.mask or request.region:
            parts.append(_("partly painted anew"))
        elif request.source:
            parts.append(_("from a picture"))
        if request.reference:
            parts.append(looking(request))
        if seed is not None:
            parts.append(_("seed {seed}").format(seed=seed))
    if seconds:
        parts.append(words.duration(seconds))
    return " · ".join(parts)


def looking(request: Generate) -> str:
    """That the look of another picture was taken, and how much of it."""
    if request.reference_weight is None:
        return _("look of a picture")
    return _("look of a picture {weight}").format(weight=words.number(request.reference_weight))


def preview(alt: str) -> str:
    """What a screen reader says for a picture that is not finished."""
    return _("Preview: {alt}").format(alt=alt)


def paused() -> str:
    return _("Waiting: pictures are paused here until a moderator resumes them.")


def from_history() -> str:
    return _("From your history: the same was asked before.")


def undelivered(number: int) -> str:
    """What could not be brought to a person and waits in the history."""
    return ngettext(
        "A picture of yours could not be delivered. It is in your /history.",
        "{number} pictures of yours could not be delivered. They are in your /history.",
        number,
    ).format(number=number)


def clash() -> str:
    return _("Give a size or an aspect, not both.")


def weightless() -> str:
    return _("A weight needs a style: choose one, or leave the weight out.")


def sourceless() -> str:
    return _("A strength needs a picture: attach one as source, or leave the strength out.")


def not_loaded() -> str:
    return _("The attached picture could not be read from Discord; please attach it again.")


def too_large(size: int, most: int) -> str:
    """`size` and `most` in bytes."""
    return _("The attached file has {size} MB; at most {most} MB are read.").format(
        size=f"{size / 1e6:.1f}", most=f"{most / 1e6:.0f}"
    )


def nowhere() -> str:
    return _("Pictures cannot be shown here. Please ask in a text channel, a thread or a direct message.")


def lacking(permissions: str) -> str:
    return _("I may not post here. Whoever runs this server has to allow me: {permissions}.").format(
        permissions=permissions
    )


def not_yours() -> str:
    return _("Only the person who asked for this picture can do that. With Remix you can make your own.")


def gone() -> str:
    return _("This picture is not there any more.")


def elsewhere() -> str:
    return _("This button belongs to another place.")


def too_late() -> str:
    return _("It was already finished.")


def smaller() -> str:
    return _("The original is too large for this place; this is the best copy that fits.")


def no_prompt() -> str:
    return _("This picture was not painted from words.")


def once_more() -> str:
    return _("That took too long; please press it once more.")


def deleted() -> str:
    return _("Deleted.")


def really() -> str:
    return _("Delete this picture for good?")


def no_picture() -> str:
    return _("This message has no picture.")


def unknown_picture() -> str:
    return _("This picture was not painted here, or it has been deleted.")


def remix_title() -> str:
    return _("Remix")


def remix_prompt() -> str:
    return _("Prompt and options")


def source_title() -> str:
    return _("Paint from this picture")


def source_strength() -> str:
    return _("Strength: 0 keeps the picture, 1 ignores it")


def source_picture() -> str:
    return _("Which picture")


def numbered(number: int) -> str:
    return _("Picture {number}").format(number=number)


def trouble() -> str:
    return _("Sorry, that did not work. Please try again in a minute.")
