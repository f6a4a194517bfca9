"""What only Discord's messages say, or with its own markup in it, in the language that `words` speaks at the moment."""

from __future__ import annotations

from realbot.adapters import sentences, words
from realbot.adapters.discord.markup import escaped
from realbot.adapters.languages import N_, Phrasebook
from realbot.adapters.words import _
from realbot.errors import Blocked, Refused

#: The reason that is kept with a picture which the rules of its place keep from being shown.
FORBIDDEN = "not allowed there any more"
#: Why a picture could not be brought to its person, by what stands in the reason that is kept with it.
REASONS = Phrasebook(
    {
        "10003": N_("the channel is not there any more"),
        "50001": N_("the channel is closed to this bot"),
        "50013": N_("this bot may not send pictures there"),
        "50083": N_("the thread is closed"),
        "50007": N_("you take no direct messages from this bot"),
        FORBIDDEN: N_("it is not allowed there any more"),
    }
)


#: Channels that are named to whoever asked in the wrong one.
CHANNELS = 20


def refusal(error: Refused) -> str:
    """Why something is not done, shown as it is written, and in which channels it would be."""
    text = escaped(words.refusal(error), 1400)
    elsewhere = error.places if isinstance(error, Blocked) else ()
    return " ".join((text, *(f"<#{channel}>" for channel in elsewhere[:CHANNELS])))


def ready(moment: int) -> str:
    """When a picture will be there; the reader's own device counts down."""
    return _("ready {when}").format(when=f"<t:{moment}:R>")


def asker(user: str) -> str:
    """Who asked, as a mention that notifies nobody."""
    return sentences.asker(f"<@{user}>")


def late() -> str:
    """For places where an answer can be changed for a quarter of an hour only."""
    return _("This may take longer than an answer here lives. If it does, the picture comes by direct message.")


def withheld() -> str:
    """Instead of a picture for adults, in a channel that is open to everyone by now."""
    return _(
        "This channel is not age-restricted any more, so the picture is not shown here. "
        "It comes by direct message and is in `/history`."
    )


def unwelcome() -> str:
    """Instead of a picture that the rules of the place do not allow any more."""
    return _("Pictures like this one are not allowed here any more, so it is not shown. It is in `/history`.")


def undelivered(detail: str) -> str:
    """Why a picture is in the history only, from the reason that is kept with it; empty for one that says little."""
    told = [REASONS[sign] for sign in REASONS if sign in detail]
    return _("could not be delivered: {reasons}").format(reasons=", ".join(told)) if told else ""


def unconnected() -> str:
    return _("not connected to Discord")


def away() -> str:
    return _("Discord does not answer, so results wait")


def stalled(seconds: float) -> str:
    """What kept everybody waiting for an answer lately."""
    return _("the bot stood still for {seconds:.1f} s").format(seconds=seconds)


def ping(user: str) -> str:
    return _("{user}, your picture is ready.").format(user=f"<@{user}>")


def ping_style(user: str) -> str:
    return _("{user}, your style is trained.").format(user=f"<@{user}>")


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
        "good, and what is being painted for you is cancelled; the bot's own safety copies are gone within a month and "
        "bring nothing back. Cards in channels stay where they are; delete those yourself. `/privacy export` gives you "
        "a copy first."
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
    return _(
        "Long-press or right-click a picture, then *Apps*: its recipe, paint from it, or take its look. Draw on a "
        "copy, answer the picture with it, and *Paint where I drew* changes that part only."
    )


def maskless() -> str:
    return _("A mask or a region is a part of a picture: attach one as source, or leave it out.")


def masked_twice() -> str:
    return _("Give a mask or a region, not both.")


def lookless() -> str:
    return _("A weight of the look needs a look: attach a picture as look, or leave the weight out.")


def masked() -> str:
    """What is asked below a picture with a tinted part."""
    return _("The tinted part is painted anew, the rest stays as it is. Right?")


def tinted(subject: str) -> str:
    """What a screen reader says for that picture."""
    return _("The picture, tinted where this is painted: {subject}").format(subject=subject)


def around(number: int) -> str:
    """Above the buttons that continue a picture; `number` is 0 where there is only one."""
    if number:
        return _("Picture {number} stays as it is, and what is around it is painted.").format(number=number)
    return _("The picture stays as it is, and what is around it is painted.")


def look_title() -> str:
    return _("Take the look of this picture")


def look_weight() -> str:
    return _("How much of the look, from 0 to 1")


def drawn_title() -> str:
    return _("Paint where I drew")


def undrawn() -> str:
    """When there is no telling which picture was drawn on."""
    return _(
        "Draw on a copy of a picture from here, send it as an answer to that picture, and then use this on your answer."
    )


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
