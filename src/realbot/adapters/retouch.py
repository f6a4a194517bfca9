"""What stands on the page around a picture to start from, its mask and a look, and in the menu of a finished one."""

from __future__ import annotations

from realbot.adapters.languages import N_, Phrasebook, _

TEXTS = Phrasebook(
    {
        "pictures": N_("Pictures to start from"),
        "source": N_("Start from a picture"),
        "source_hint": N_("all of it, or a part"),
        "reference": N_("Take a picture's look"),
        "reference_hint": N_("colours and manner"),
        "strength": N_("Strength"),
        "strength_hint": N_("0 keeps the picture, 1 ignores it"),
        "look_weight": N_("Weight of the look"),
        "mark": N_("Mark what changes"),
        "remark": N_("Change the mark"),
        "unmark": N_("Take the mark away"),
        "marked": N_("What is tinted is painted anew, the rest stays."),
        "remove_source": N_("Start without this picture"),
        "remove_reference": N_("Paint without this look"),
        "sending": N_("The picture is being sent…"),
        "title": N_("Paint over what is to change"),
        "surface": N_("The picture to paint on: arrow keys move the brush, Space puts it down and lifts it."),
        "tools": N_("Tools"),
        "brush": N_("Brush"),
        "eraser": N_("Eraser"),
        "box": N_("Box"),
        "size": N_("Brush size"),
        "undo": N_("Undo"),
        "invert": N_("Invert"),
        "clear": N_("Clear"),
        "part": N_("Choose a part…"),
        "take": N_("Use this"),
        "lost": N_("The connection was lost; please try again."),
        "more": N_("Make more of it"),
        "which": N_("Which picture"),
        "vary": N_("Vary"),
        "enlarge": N_("Enlarge"),
        "around": N_("More around it"),
        "use": N_("Use it"),
        "as_source": N_("Start from it"),
        "as_look": N_("Take its look"),
    }
)

#: The parts of a picture, by the words that a request has for them.
PARTS = Phrasebook(
    {
        "left": N_("Left half"),
        "right": N_("Right half"),
        "top": N_("Upper half"),
        "bottom": N_("Lower half"),
        "center": N_("Middle"),
        "top-left": N_("Upper left quarter"),
        "top-right": N_("Upper right quarter"),
        "bottom-left": N_("Lower left quarter"),
        "bottom-right": N_("Lower right quarter"),
        "background": N_("Background"),
        "foreground": N_("Foreground"),
    }
)


def texts() -> dict[str, str]:
    """All of them, for the page's own scripts."""
    return {name: TEXTS[name] for name in TEXTS.data}


def too_large(most: int) -> str:
    """`most` in MB."""
    return _("The picture is too large; at most {most} MB are allowed.").format(most=most)


def lapsed() -> str:
    return _("A picture that you brought was not used for an hour and is gone; please choose it again.")


def slow() -> str:
    return _("The picture took too long on its way; please try again, or make it smaller.")
