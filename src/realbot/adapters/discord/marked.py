"""What only Discord's messages say, or with its own markup in it, in the language that `words` speaks at the moment."""

from __future__ import annotations

from realbot.adapters.words import _


def ready(moment: int) -> str:
    """When a picture will be there; the reader's own device counts down."""
    return _("ready {when}").format(when=f"<t:{moment}:R>")


def asker(user: str) -> str:
    """Who asked, as a mention that notifies nobody."""
    return _("for {user}").format(user=f"<@{user}>")


def late() -> str:
    """For places where an answer can be changed for a quarter of an hour only."""
    return _("This may take longer than an answer here lives. If it does, the picture comes by direct message.")


def ping(user: str) -> str:
    return _("{user}, your picture is ready.").format(user=f"<@{user}>")


def history_title(first: int, last: int, search: str, favourites: bool) -> str:
    what = _("Your favourites") if favourites else _("Your pictures")
    title = f"**{what}**"
    if last >= first:
        title += f" · {first}–{last}" if last > first else f" · {first}"
    return f"{title} · “{search}”" if search else title


def opened(created: float) -> str:
    return _("Painted {when}.").format(when=f"<t:{int(created)}:f>")


def erase_question() -> str:
    return _(
        "**Delete everything that is kept of you?**\nYour pictures, history, favourites and settings will be gone for "
        "good, and what is being painted for you is cancelled. Cards in channels stay where they are; delete those "
        "yourself. `/privacy export` gives you a copy first."
    )


def help_start(example: str) -> str:
    return _("`/imagine prompt:{example}` – a card shows your place, the time, and then the picture.").format(
        example=example
    )


def help_options_text() -> str:
    return _(
        "As fields of the command, or inside the prompt: `steps:30` `style:ink:0.8` `--ar 16:9` `--no text` `seed:7` "
        "`count:4`. Without a seed, asking the same again shows the picture you have."
    )


def help_menus() -> str:
    return _("Long-press or right-click a picture, then *Apps*: its recipe, or paint from it.")


def limit(name: str, value: str, span: str, *, own: bool) -> str:
    """One limit: its value in force, whether it was settled here, and what it may be."""
    text = f"`{name}` **{value}** · {span}"
    return f"{text} · ✏️" if own else text


def changed(name: str, value: str, span: str, place: str) -> str:
    return _("`{name}` is now **{value}** {place}. It may be {span}.").format(
        name=name, value=value, span=span, place=place
    )


def shown(name: str, value: str, span: str, place: str) -> str:
    return _("`{name}` is **{value}** {place}. It may be {span}.").format(
        name=name, value=value, span=span, place=place
    )
