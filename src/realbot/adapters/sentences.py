"""What the panels say: line, history, styles, settings, privacy, help. In the language that `words` speaks now."""

from __future__ import annotations

from realbot.adapters import words
from realbot.adapters.words import _, ngettext, pgettext

# Everywhere


def sorry() -> str:
    return _("Sorry, that did not work. Please try again in a minute.")


def refresh() -> str:
    return _("Refresh")


def back() -> str:
    return _("Back")


def onward() -> str:
    return _("Onward")


def asker(user: str) -> str:
    """Who asked; `user` is a mention or a name, escaped already."""
    return _("for {user}").format(user=user)


# The line


def queue_title() -> str:
    return _("Your requests")


def queue_empty() -> str:
    return _("Nothing of yours is waiting.")


def queue_cancel() -> str:
    return _("Cancel one of them…")


def and_more(number: int) -> str:
    return ngettext("…and {number} more", "…and {number} more", number).format(number=number)


def card() -> str:
    return _("card")


def others(waiting: int, running: int) -> str:
    """How many requests of other people there are."""
    if not waiting and not running:
        return _("Nobody else is waiting.")
    return _("Of others: {line}.").format(line=words.line(waiting, running))


# History


def history_empty(*, searching: bool, favourites: bool) -> str:
    if searching:
        return _("None of your prompts holds these words.")
    if favourites:
        return _("No favourites yet: press ⭐ on a picture's card.")
    return _("Your pictures will be kept here. Paint the first with /imagine.")


def history_open() -> str:
    return _("Open a picture…")


def newer() -> str:
    return _("Newer")


def older() -> str:
    return _("Older")


def everything() -> str:
    return _("Show all")


def only_favourites() -> str:
    return _("Favourites")


def search_title() -> str:
    return _("Search")


def search_label() -> str:
    return _("Words of the prompt")


def search_clear() -> str:
    return _("End the search")


def pictures(number: int) -> str:
    return ngettext("{number} picture", "{number} pictures", number).format(number=number)


def seed(number: int) -> str:
    return _("seed {number}").format(number=number)


def state(name: str) -> str:
    """What became of a picture, where that is worth a word."""
    return {"kept": _("could not be delivered"), "produced": _("on its way")}.get(name, "")


# Styles


def styles_title(number: int) -> str:
    return ngettext("{number} style", "{number} styles", number).format(number=number)


def styles_none() -> str:
    return _("There are no styles here.")


def styles_hint(name: str) -> str:
    return _("Use one as an option of /imagine, or write style:{name} or style:{name}:0.8 into the prompt.").format(
        name=name
    )


def style_look() -> str:
    return _("Look at a style…")


def style_use() -> str:
    return _("How to use it")


def style_trigger() -> str:
    return _("Words that bring it out")


def style_model() -> str:
    return _("Made for")


def style_sample(prompt: str) -> str:
    return _("Your picture: {prompt}").format(prompt=prompt)


def style_no_sample() -> str:
    return _("Paint something in this style, and your picture is shown here.")


def all_styles() -> str:
    return _("All styles")


def no_such_style(name: str, nearest: str) -> str:
    if nearest:
        return _("There is no style {name} here; did you mean {nearest}?").format(name=name, nearest=nearest)
    return _("There is no style {name} here; /styles shows which there are.").format(name=name)


# Privacy


def export_file(number: int, files: int) -> str:
    if files == 1:
        return _("Everything that is kept of you.")
    return _("Everything that is kept of you, file {number} of {files}.").format(number=number, files=files)


def export_name() -> str:
    return _("A ZIP file of your pictures and data")


def export_more(number: int, files: int) -> str:
    return _("More follow: ask again with from:{number} for the rest, up to {files}.").format(
        number=number, files=files
    )


def export_ended(files: int) -> str:
    return ngettext(
        "The export has {files} file; there is nothing after it.",
        "The export has {files} files; there is nothing after them.",
        files,
    ).format(files=files)


def export_large(number: int) -> str:
    return ngettext(
        "{number} picture is too large to be sent here; open it with /history.",
        "{number} pictures are too large to be sent here; open them with /history.",
        number,
    ).format(number=number)


def erase_yes() -> str:
    return _("Delete everything")


def erase_no() -> str:
    return _("Keep it")


def erase_kept() -> str:
    return _("Nothing was deleted.")


def erased(number: int) -> str:
    return ngettext(
        "Deleted: {number} request with its pictures, and your settings.",
        "Deleted: {number} requests with their pictures, and your settings.",
        number,
    ).format(number=number)


# Linked accounts


def account(key: str) -> str:
    """One of a person's other accounts, by its key, such as "discord:123"."""
    platform, _sign, number = key.partition(":")
    return f"{platform.capitalize()} · {number}"


def link_title() -> str:
    return _("Linked accounts")


def link_none() -> str:
    return _("This account is linked with no other one.")


def link_code() -> str:
    return _("A code that links one more:")


def link_how() -> str:
    """With the gaps {discord} and {telegram} for the commands."""
    return _(
        "Enter it with your other account within ten minutes: on Discord as {discord}, on Telegram in a private chat "
        "with me as {telegram}."
    )


def link_what() -> str:
    return _(
        "Linked accounts are one person: they share history, favourites, styles, defaults and limits, and either can "
        "delete everything. Enter a code only when you have made it yourself."
    )


def link_more() -> str:
    return _("Link one more")


def link_leave() -> str:
    return _("Unlink this account")


def link_stay() -> str:
    return _("Stay linked")


def link_question() -> str:
    return _("Unlink this account? Each account keeps the pictures that were asked for with it, and the defaults.")


def link_left() -> str:
    return _("Unlinked: this account is on its own again.")


# Help


def help_title() -> str:
    return _("Pictures from words")


def help_options() -> str:
    return _("Options")


def help_buttons() -> str:
    return _("On a card")


def help_buttons_text() -> str:
    return _("Again, vary, enlarge, remix the prompt, recipe, original file, ⭐ favourite, delete. They keep working.")


def help_commands() -> str:
    return _("Commands")


def command(name: str) -> str:
    """A command's name as this person sees it."""
    return pgettext("command", name)


def help_command(name: str) -> str:
    """What a command is for, in a few words."""
    return {
        "queue": _("your requests and when they are ready"),
        "history": _("your pictures: search, favourites, open"),
        "quota": _("what you may still ask for"),
        "styles": _("all styles, with your own pictures in them"),
        "settings": _("your own defaults"),
        "privacy": _("get or delete what is kept of you"),
    }[name]


def help_limits(steps: int, side: int, count: int) -> str:
    return _("Here: up to {steps} steps, {side} pixels a side, {count} pictures at once.").format(
        steps=steps, side=side, count=count
    )
