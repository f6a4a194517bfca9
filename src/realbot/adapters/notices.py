"""What is said about settings: a person's own, and those of a server's administrators."""

from __future__ import annotations

from collections.abc import Mapping

from realbot.adapters import words
from realbot.adapters.languages import N_, Phrasebook
from realbot.adapters.words import _, ngettext

# A person's own defaults


def title() -> str:
    return _("Your defaults")


def intro() -> str:
    return _("They hold wherever you ask for pictures; what you say in a request goes before them.")


def automatic(value: str) -> str:
    """The model's own value."""
    return _("automatic ({value})").format(value=value) if value else _("automatic")


def size() -> str:
    return _("Size")


def none() -> str:
    return _("none")


def private() -> str:
    return _("Private cards")


def ping() -> str:
    return _("Ping after a long wait")


def yes() -> str:
    return _("yes")


def no() -> str:
    return _("no")


def ranges(steps: int, guidance: float, low: int, high: int) -> str:
    return _("Steps 1–{steps} · guidance 0–{guidance} · sides {low}–{high} pixels").format(
        steps=steps, guidance=words.number(guidance), low=low, high=high
    )


def no_style() -> str:
    return _("No style")


def more_styles() -> str:
    return _("More styles…")


def choose_style() -> str:
    return _("Style…")


def usual_shape() -> str:
    return _("The model's own size")


def choose_shape() -> str:
    return _("Shape…")


def usual_scheduler() -> str:
    return _("The model's own scheduler")


def choose_scheduler() -> str:
    return _("Scheduler…")


def numbers() -> str:
    return _("Type them…")


def reset() -> str:
    return _("Back to automatic")


def negative_hint() -> str:
    return _("What to keep out of every picture")


# A server's administrators


def not_allowed() -> str:
    return _("Only those who may manage this server can do that.")


def servers_only() -> str:
    return _("This can be done in a server only.")


def foreign_channel() -> str:
    return _("That channel is not one of this server.")


def where(channel: str) -> str:
    """`channel` is a mention, or empty for the whole server."""
    return _("in {channel}").format(channel=channel) if channel else _("in this server")


def limits_title(channel: str) -> str:
    return _("Limits in {channel}").format(channel=channel) if channel else _("Limits of this server")


def limits_hint() -> str:
    return _("✏️ was settled here. A server can only be stricter than whoever runs the bot.")


#: Headings of limits that belong together.
GROUPS = Phrasebook(
    {
        "quota": N_("How much in an hour, a day and a month"),
        "line": N_("The line"),
        "picture": N_("One picture"),
        "safety": N_("What is not shown"),
        "cache": N_("Pictures from before"),
        "training": N_("Training of styles"),
    }
)


def no_limit(name: str) -> str:
    return _("There is no limit {name}.").format(name=name)


def from_now_on() -> str:
    """What is said of a limit that was changed."""
    return _("It holds for what is asked from now on; what waits already stays as it is.")


def limits_role(role: str) -> str:
    return _("Limits of {role}").format(role=role)


def role_hint() -> str:
    return _("✏️ was settled for this role and holds in place of the server's own; of several roles the loosest.")


def roles_with_limits(roles: str) -> str:
    """`roles` are mentions."""
    return _("Roles with limits of their own: {roles}").format(roles=roles)


def for_role(role: str) -> str:
    return _("for {role}").format(role=role)


def not_for_roles() -> str:
    return _("This cannot be settled for a role.")


def channel_or_role() -> str:
    return _("Choose a channel or a role, not both.")


def number(value: float) -> str:
    """4194304 and 0.75, as they are typed."""
    return str(int(value)) if value == int(value) else words.number(value)


def span(low: float, high: float) -> str:
    return _("{low} to {high}").format(low=number(low), high=number(high))


def span_quota(high: float) -> str:
    return _("0 (no limit) to {high}").format(high=number(high))


def either(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return names[0]
    return _("{names} or {last}").format(names=", ".join(names[:-1]), last=names[-1])


def value_missing() -> str:
    return _("Say which limit the value is for.")


def take_back() -> str:
    return _("reset: as whoever runs the bot has it")


def channels_any() -> str:
    return _("Pictures can be asked for in every channel.")


def channels_only(channels: str) -> str:
    return _("Pictures can be asked for in {channels} only.").format(channels=channels)


def channels_not(channels: str) -> str:
    return _("Not in {channels}.").format(channels=channels)


def channel_missing() -> str:
    return _("Say which channel.")


def styles_any(number: int) -> str:
    return ngettext("The one style may be used here.", "All {number} styles may be used here.", number).format(
        number=number
    )


def styles_only(names: str) -> str:
    return _("Only these styles may be used here: {names}.").format(names=names)


def style_missing() -> str:
    return _("Say which style.")


def last_style() -> str:
    return _("This is the only style left; to allow every style again, choose reset.")


def words_title() -> str:
    return _("Words that are not painted here")


def words_lists() -> dict[str, tuple[str, str]]:
    """The lists of rules for prompts by their setting: what each is called, and how it is written."""
    one = _("one word or phrase a line")
    return {
        "blocked": (_("Never"), one),
        "adult_words": (_("In age-restricted channels only"), one),
        "stripped": (_("Left out without a word"), one),
        "together": (_("Not together"), _("knife, gun + school, church")),
        "patterns": (_("Regular expressions"), _("one a line; case and look-alikes do not matter")),
    }


def words_changed(numbers: Mapping[str, int]) -> str:
    """How long the lists are now."""
    text = _("Words never painted here: {blocked}. In age-restricted channels only: {adult}.").format(
        blocked=numbers["blocked"], adult=numbers["adult_words"]
    )
    more = [name for name in ("stripped", "together", "patterns") if numbers.get(name)]
    return " ".join([text, *(f"{words_lists()[name][0]}: {numbers[name]}." for name in more)])


def words_avoided() -> str:
    return _("What every picture avoids")


def words_avoid(text: str) -> str:
    if not text:
        return _("Pictures avoid only what people ask for.")
    return _("What every picture here avoids, where the model looks at a negative prompt: {text}").format(text=text)


def words_inherited(number: int) -> str:
    return ngettext(
        "{number} more is blocked by whoever runs this bot.",
        "{number} more are blocked by whoever runs this bot.",
        number,
    ).format(number=number)


def paused(waiting: int) -> str:
    return _("Paused: what is asked for here is taken and waits. Waiting now: {number}.").format(number=waiting)


def resumed(waiting: int) -> str:
    return _("Resumed. Waiting now: {number}.").format(number=waiting)


def clear_question(waiting: int) -> str:
    return _(
        "Cancel everything that waits in this server? Not finished yet: {number}. What is being painted goes on."
    ).format(number=waiting)


def clear_nothing() -> str:
    return _("No request of this server is waiting.")


def clear_yes() -> str:
    return _("Cancel them")


def clear_no() -> str:
    return _("Let them wait")


def cleared(number: int) -> str:
    return ngettext("Cancelled: {number} request.", "Cancelled: {number} requests.", number).format(number=number)


def kept() -> str:
    return _("Nothing was cancelled.")


def stats_title() -> str:
    return _("This server")


def stats() -> tuple[str, ...]:
    """Names of the numbers: pictures today and in a month, people, waiting, mean wait, and so on."""
    return (
        _("Pictures in 24 hours"),
        _("Pictures in 30 days"),
        _("People in 30 days"),
        _("Waiting"),
        _("Mean wait"),
        _("Times that were right"),
        _("Most used styles"),
        _("State"),
        _("Health"),
    )


def running() -> str:
    return _("open")


def held() -> str:
    return _("paused")


def well() -> str:
    return _("all is well")


def unknown() -> str:
    return _("not known yet")
