"""What Telegram's panels say beside what every front-end does, in the language that `words` speaks at the moment."""

from __future__ import annotations

from datetime import UTC, datetime

from realbot.adapters import lessonwords, sentences
from realbot.adapters.telegram.text import Piece, Text, bold, code, filled, when
from realbot.adapters.words import _

#: In the order of the menu; what is for groups' administrators has its own.
COMMANDS = (
    *("imagine", "look", "queue", "cancel", "history", "whose", "quota", "styles", "settings", "link", "privacy"),
    "help",
)


def moment(at: float) -> Piece:
    """A Unix time, which the reader's device tells in its own words where it can."""
    return when(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC", at)


def aside() -> str:
    return _("That is between you and me: please open our private chat.")


def private_chat() -> str:
    return _("Open the private chat")


# Commands


def command(name: str) -> str:
    """What a command is for, as the menu says it; at most 256 characters."""
    return {
        "imagine": _("paint a picture: /imagine a red apple"),
        "look": _("paint in the look of a picture: answer one with /look a red apple"),
        "queue": _("your requests and when they are ready"),
        "cancel": _("give up what you asked for"),
        "history": _("your pictures: search, favourites, open"),
        "whose": _("whether a picture was painted here: answer it with /whose"),
        "quota": _("what you may still ask for"),
        "styles": _("all styles, with your own pictures in them"),
        "settings": _("your own defaults"),
        "link": _("one history here and on Discord"),
        "privacy": _("get or delete what is kept of you"),
        "train": lessonwords.help_line(),
        "help": _("how to ask for pictures"),
        "realbot": _("limits, styles and pauses of this group"),
    }[name]


def about() -> str:
    """The line on the bot's profile; at most 120 characters."""
    return _("Paints what you describe: write a few words, or send a picture with a caption.")


# The line


def elsewhere(number: int) -> str:
    """Of the own requests that were made in other chats."""
    return _("Of yours in other chats: {number}; our private chat shows them.").format(number=number)


def cancel_which() -> str:
    return _("Which of them shall I give up?")


def cancel_all() -> str:
    return _("All of them")


def cancel_how() -> str:
    return _("/cancel gives up a request of yours, /cancel all every one; answer a card with /cancel to choose it.")


# History


def history_title(*, favourites: bool) -> str:
    return _("Your favourites") if favourites else _("Your pictures")


def history_hint() -> str:
    return _("/history and some words finds the pictures whose prompts hold them.")


def whose_how() -> str:
    return _("Answer a picture with /whose, or send one with /whose below it, and I tell whether it was painted here.")


# Styles


def styles_hint(name: str) -> str:
    return _("Write style:{name} or style:{name}:0.8 beside your words.").format(name=name)


# Settings


def settings_typed(example: str) -> str:
    return _("Or type it: /settings {example}").format(example=example)


def settings_ping() -> str:
    return _("A ping is on or off: /settings ping off")


def settings_unknown(text: str) -> str:
    return _(
        "There is no setting {text}. Write /settings steps 30, or several: /settings steps:30 style:ink; "
        "/settings reset goes back to automatic."
    ).format(text=f"“{text}”")


def settings_other(name: str) -> str:
    return _("{name} is part of each request and no default.").format(name=name)


# Privacy


def privacy_title() -> str:
    return _("What is kept of you")


def privacy_text() -> str:
    return _(
        "Your requests and pictures, favourites and defaults, where your cards are, and how much you asked for lately. "
        "Accounts that you linked with this one are part of it. Nobody else sees it, but for cards in groups."
    )


def privacy_how() -> str:
    return _("/privacy export sends you everything, /privacy delete deletes it after asking once more.")


def export() -> str:
    return _("Send me a copy")


def erase() -> str:
    return _("Delete everything…")


def erase_question() -> Text:
    return Text.lines(
        [
            bold(_("Delete everything that is kept of you?")),
            _(
                "Your pictures, history, favourites and settings will be gone for good, those of the accounts that you "
                "linked too, and what is being painted for you is cancelled; the bot's own safety copies are gone "
                "within a month and bring nothing back. Cards in chats stay where they are; delete those yourself. "
                "/privacy export gives you a copy first."
            ),
        ]
    )


# Linked accounts


def linked_aside() -> str:
    return _("The accounts are linked. Codes are for our private chat: whoever reads one could use it.")


def link_how(made: str) -> Text:
    before, _sign, after = sentences.link_how().partition("{discord}")
    between, _sign, end = after.partition("{telegram}")
    return Text(before, code(f"/link code:{made}"), between, code(f"/link {made}"), end)


def link_question() -> Text:
    return Text.lines(
        [
            bold(_("Link this account with the one that made this code?")),
            _(
                "They become one person: they share history, pictures, favourites, defaults and limits, and either "
                "can delete everything. If somebody else gave you the code, say no."
            ),
        ]
    )


def link_yes() -> str:
    return _("Yes, both are mine")


def link_no() -> str:
    return _("No")


# Help


def greeting(name: str) -> str:
    return _("Hello {name}!").format(name=name)


def start(*, private: bool) -> str:
    if private:
        return _(
            "Describe a picture, and I paint it. Or send me a picture with a caption, and I make something of it. "
            "Take one of these to begin with; /help tells the rest."
        )
    return _("I paint what you describe: /imagine a red apple on a blue background. /help tells the rest.")


def help_start(example: str) -> Text:
    before, _sign, after = _(
        "Write {example}; in our private chat the words alone are enough. A card shows your place, the time, and then "
        "the picture. A picture with a caption is painted anew, and so is one that you answer with a few words."
    ).partition("{example}")
    return Text(before, code(f"/imagine {example}"), after)


def help_groups(name: str) -> Text:
    before, _sign, after = _("In groups, write /imagine or call me by {name}.").partition("{name}")
    return Text(before, code(f"@{name}"), after)


def help_options_text() -> Text:
    before, _sign, after = _(
        "Beside your words: {options}. Without a seed, asking the same again shows the picture you have."
    ).partition("{options}")
    return Text(before, code("steps:30 style:ink:0.8 --ar 16:9 --no text seed:7 count:4"), after)


def help_pictures_title() -> str:
    return _("With pictures")


def help_pictures() -> Text:
    text = _(
        "/look takes the look of a picture for another one: write {look} below a picture, or answer any picture with "
        "it; {more} takes more of the look, {less} less. Of two pictures sent together, the first is painted anew in "
        "the look of the second; in groups, answer the first with the second and /look. What you draw over a "
        "picture, or name as in {region}, is the part that is painted anew."
    )
    more, less, region = code("look:0.8"), code("look:0.2"), code("region:left")
    return filled(text, look=code("/look a red apple"), more=more, less=less, region=region)


def help_buttons_text() -> str:
    return _(
        "Again, vary, enlarge, more around it, change style, look, size or steps, recipe, original file, ⭐ favourite, "
        "delete. They keep working."
    )


def number() -> str:
    return _("Your number, by which whoever runs this bot can make you an owner of it:")


def no_recipe() -> str:
    return _("This recipe is not there any more.")


def paint_this() -> str:
    return _("Nothing found. Paint something")


# Administrators of a group, and owners of the bot


def administrators_only() -> str:
    return _("Only administrators of this group can do that.")


def owners_only() -> str:
    return _("Write /realbot in a group that you administer. Here it is for the owners of this bot.")


def place_title(*, everywhere: bool) -> str:
    return _("Everywhere") if everywhere else _("This group")


def admin_how() -> str:
    return _(
        "After /realbot comes nothing, or limits, limits max_steps 20, limits max_steps reset, styles, styles allow "
        "ink, styles deny ink, styles reset, words, words block gore, words allow gore, words reset, trainers, "
        "trainers allow 123, trainers deny 123, moderators, moderators allow -100123, moderators deny -100123, quota "
        "123, quota 123 reset, ban, ban 123 3 days, unban 123, bans, audit, pause, resume, clear, stats or, for the "
        "bot's owners, reload."
    )


def quota_typed() -> str:
    return _("Answer a message of theirs with /realbot quota, or write their number or name: /realbot quota 123.")


def held_everywhere() -> str:
    return _("Paused everywhere by an owner of this bot.")


def pause() -> str:
    return _("Pause")


def resume() -> str:
    return _("Resume")


def limits() -> str:
    return _("Limits")


def vocabulary() -> str:
    return _("Words")


def numbers() -> str:
    return _("Numbers")


def again() -> str:
    return _("Count again")


def clear() -> str:
    return _("Cancel what waits…")


def clear_nothing() -> str:
    return _("Nothing is waiting.")


def clear_question(waiting: int, *, everywhere: bool) -> str:
    if everywhere:
        text = _(
            "Cancel everything that waits, of everyone and everywhere? Not finished yet: {number}. What is being "
            "painted goes on."
        )
    else:
        text = _(
            "Cancel everything that waits in this group? Not finished yet: {number}. What is being painted goes on."
        )
    return text.format(number=waiting)


def limits_title(*, everywhere: bool) -> str:
    return _("Limits everywhere") if everywhere else _("Limits of this group")


def limits_hint(*, everywhere: bool) -> str:
    if everywhere:
        return _("✏️ was settled here, over the settings of the bot, and can only be stricter.")
    return _("✏️ was settled here. A group can only be stricter than whoever runs the bot.")


def may_be(span: str) -> str:
    return _("It may be {span}.").format(span=span)


def limit_typed(name: str, value: str) -> str:
    return _("Or type it: /realbot limits {name} {value}").format(name=name, value=value)


def limit_changed(name: str, value: str) -> str:
    return _("{name} is now {value}.").format(name=name, value=value)


def take_back() -> str:
    return _("As the bot has it")


def styles_title(*, everywhere: bool) -> str:
    return _("Styles everywhere") if everywhere else _("Styles of this group")


def every_style() -> str:
    return _("Allow every style")


def words_typed() -> str:
    return _(
        "/realbot words block gore, dark red adds some, /realbot words allow gore takes one out.\n"
        "In place of block: strip 8k leaves it out, together cat + hat, adult nude, pattern gor+e, avoid blur."
    )


def no_words() -> str:
    return _("Allow all of them")


def word_missing() -> str:
    return _("Say which words.")


def word_unknown(word: str) -> str:
    return _("{word} is not among the words that were blocked here.").format(word=f"“{word}”")
