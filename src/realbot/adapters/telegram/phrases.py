"""What stands on Telegram's cards and is answered to messages, in the language that `words` speaks at the moment."""

from __future__ import annotations

from realbot.adapters import words
from realbot.adapters.telegram.text import Text, code, filled, link, when
from realbot.adapters.words import _, ngettext


def ready(text: str, moment: float) -> Text:
    """When a picture will be there: `text` for clients that cannot count down to the moment."""
    before, _sign, after = _("ready {when}").partition("{when}")
    return Text(before, when(_("in {time}").format(time=text) if text else _("soon"), moment), after)


def ping() -> str:
    return _("Your picture is ready.")


def unconnected() -> str:
    """In the health of the bot, for administrators, as the next two are."""
    return _("not connected to Telegram")


def away() -> str:
    return _("Telegram does not answer, so results wait")


def deaf(*, rival: bool) -> str:
    """Why nothing is heard."""
    return _("another program listens") if rival else _("Telegram does not answer")


def anonymous() -> str:
    return _(
        "I cannot tell who you are while you write anonymously. Please write as yourself; administrators can turn "
        "off “Remain anonymous” in their rights."
    )


def belated(number: int, seconds: float) -> str:
    """For messages that nobody read when they were written."""
    return ngettext(
        "I was offline for a while and read your message only now, {time} later, so nothing was painted. Please send "
        "it again if you still want it.",
        "I was offline for a while and read your {number} messages only now, {time} later, so nothing was painted. "
        "Please send them again if you still want them.",
        number,
    ).format(number=number, time=words.duration(seconds))


def wordless() -> str:
    return _("Tell me what to paint after the command: /imagine a red apple on a blue background steps:20")


def unknown_command(name: str) -> str:
    return _("There is no command /{name}; /help shows what there is.").format(name=name)


def not_a_picture() -> str:
    return _("I can only start from pictures: PNG, JPEG or WebP, as a photo or a file.")


def too_large(size: int, most: int) -> str:
    """`size` and `most` in bytes; Telegram lets bots download no more."""
    return _("This file has {size} MB; Telegram lets me read at most {most} MB. Please send a smaller one.").format(
        size=f"{size / 1e6:.1f}", most=f"{most / 1e6:.0f}"
    )


def sourceless() -> str:
    return _("A strength needs a picture: send one with these words below it, or answer one with them.")


def crowded() -> str:
    return _(
        "I can begin with two pictures at most: the first is painted anew, and the second gives its look. Please send "
        "no more than that."
    )


def lookless() -> str:
    return _("Whose look? Send a picture with these words below it, or answer one with them.")


def look_alone() -> str:
    return _(
        "Of this picture only the look is taken, so strength and region have nothing to work on. Send two pictures: "
        "first the one to begin with, then the one whose look is taken."
    )


def look_question(url: str, example: str) -> Text:
    """Whoever answers it is understood by the address in it."""
    text = _(
        "What shall I paint in {look}? Answer this message with a few words, such as {example}. Beside them, {more} "
        "takes more of the look, {less} less."
    )
    shown = link(_("this look"), url)
    return filled(text, look=shown, example=code(example), more=code("look:0.8"), less=code("look:0.2"))


def not_loaded() -> str:
    return _("Your picture could not be read from Telegram; please send it again.")


def captionless() -> str:
    return _("What should I make of this picture? Send it with a caption, or answer it with a few words.")


def not_yours() -> str:
    return _("Only the person who asked for this picture can do that. With its recipe you can paint your own.")


def not_passed_on() -> str:
    return _("It began with somebody else's picture, which is not passed on. Send the words with a picture of yours.")


def uncertain(number: int) -> str:
    return ngettext(
        "Telegram did not tell whether your picture arrived. If it is not above, show it again.",
        "Telegram did not tell whether your {number} pictures arrived. If they are not above, show them again.",
        number,
    ).format(number=number)


def fact(label: str, value: str) -> str:
    return _("{label}: {value}").format(label=label, value=value)


def show_again() -> str:
    return _("Show them")


def change() -> str:
    return _("Change…")


def edit() -> str:
    return _("Edit the words")


def share() -> str:
    return _("Share")


def copy() -> str:
    return _("Copy")


def keep_it() -> str:
    return _("Keep it")


def masked() -> str:
    return _("The tinted part is painted anew, the rest stays as it is. Right?")


def leave_it() -> str:
    return _("No")


def back() -> str:
    return _("‹ Back")


def picture(number: int) -> str:
    return _("Picture {number}").format(number=number)


# The menus under "Change…"


def styles(names: str) -> str:
    return _("Style: {names}").format(names=names or _("none"))


def size(text: str) -> str:
    return _("Size: {size}").format(size=text)


def steps(number: int) -> str:
    return _("Steps: {number}").format(number=number)


def seed(*, locked: bool) -> str:
    return _("Seed: kept 🔒") if locked else _("Seed: a new one")


def paint() -> str:
    return _("▶ Paint")


def look(weight: str) -> str:
    return _("Look: {weight}").format(weight=weight or _("none"))


def no_look() -> str:
    return _("No look")


def use_look() -> str:
    return _("Use its look")


def say_what() -> str:
    return _("✏️ Say what to paint")


def no_style() -> str:
    return _("No style")


def usual_size() -> str:
    return _("The model's own size")


def pages(page: int, pages: int) -> str:
    return f"{page + 1}/{pages}"
