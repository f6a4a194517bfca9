"""What Telegram says while pictures are gathered for a training, beside what all chat platforms do."""

from __future__ import annotations

from realbot.adapters.telegram.text import Text, code, filled
from realbot.adapters.words import _


def how() -> Text:
    """For whoever did not say what the style is called."""
    text = _(
        "Write {command} and what the style is called, then the words that bring it out, such as {example}. Then send "
        "the pictures. Put {steps} behind it for shorter or longer."
    )
    return filled(text, command=code("/train"), example=code("/train milo my dog Milo"), steps=code("steps:500"))


def send(*, private: bool) -> str:
    """How pictures are added to a set."""
    if private:
        return _("Send them here, one by one or as albums; what you write below a picture says what is on it.")
    return _(
        "Answer this message with them, one by one or as albums; what you write below a picture says what is on it."
    )


def kept() -> str:
    """For how long a set waits."""
    return _("They are kept for a day, also when I am restarted. /train with another name keeps them too.")


def full() -> str:
    return _("This is as much as one training takes.")


def looking(number: int) -> str:
    return _("I am looking at the pictures: {number}…").format(number=number)


def still_looking() -> str:
    return _("I am still looking at them.")


def anew() -> str:
    return _("That was a while ago, so I look at the pictures once more.")


def gone() -> str:
    return _("This set is not there any more. Please begin anew with /train.")


def not_loaded() -> str:
    return _("It could not be read from Telegram.")


def unsent(most: int) -> str:
    """`most` in bytes."""
    return _("Telegram lets me read at most {most} MB.").format(most=f"{most / 1e6:.0f}")


def photo(number: int) -> str:
    """What a picture without a name is called."""
    return _("picture {number}").format(number=number)


def ready() -> str:
    return _("Your style is ready.")


def sharing(name: str) -> Text:
    """In private, where there is nobody to share with."""
    text = _("In a group, {command} shares it with everybody there.")
    return filled(text, command=code(f"/styles {name}"))


def publish(*, on: bool) -> str:
    """For owners of the bot."""
    return _("Share with everybody") if on else _("Share with everybody no longer")


def published(style: str, *, on: bool) -> str:
    if on:
        return _("Everybody everywhere may use the style {style} now.").format(style=style)
    return _("The style {style} is not shared everywhere any more.").format(style=style)


def trainers() -> str:
    return _("Who trains")


def trainers_title(*, everywhere: bool) -> str:
    return _("Who may train styles everywhere") if everywhere else _("Who may train styles in this group")


def trainers_typed() -> Text:
    text = _(
        "Answer a message of somebody with {allow} or {deny}, or write their number behind it; /help tells everybody "
        "their number in our private chat."
    )
    return filled(text, allow=code("/realbot trainers allow"), deny=code("/realbot trainers deny"))
