"""What stands on the page of whoever runs this bot."""

from __future__ import annotations

from realbot.adapters import words
from realbot.adapters.languages import N_, Phrasebook, pgettext
from realbot.adapters.words import _, ngettext
from realbot.jobs import Eta

TEXTS = Phrasebook(
    {
        "title": N_("How it goes"),
        "to_page": N_("The page"),
        "leave": N_("Log out"),
        "pause": N_("Pause"),
        "resume": N_("Go on"),
        "clear": N_("Clear the line"),
        "reload": N_("Read the settings anew"),
        "restart": N_("Start anew"),
        "waiting": N_("Waiting"),
        "painting": N_("Painting"),
        "today": N_("Pictures in 24 hours"),
        "wait": N_("Mean wait, 30 days"),
        "engines": N_("Engines"),
        "line": N_("The line"),
        "parts": N_("Parts"),
        "failures": N_("What failed"),
        "rules": N_("Rules in force"),
        "chart_queue": N_("Requests that wait"),
        "chart_wait": N_("Wait until painting begins"),
        "chart_pictures": N_("Pictures a minute"),
        "chart_step": N_("One step"),
        "hours": N_("the last six hours, or since the start"),
        "empty_line": N_("Nobody waits."),
        "no_failures": N_("Nothing failed since the start."),
        "no_engines": N_("No engine has told anything yet."),
        "all_default": N_("Every rule is at its default."),
        "gathering": N_("The first numbers come within a minute."),
        "really_clear": N_("Cancel everything that waits? Everybody who waits is told so. What is painted goes on."),
        "really_restart": N_("Start the engine anew? What it paints begins again."),
        "yes": N_("Yes"),
        "cancel": N_("Cancel"),
        "offline": N_("The connection is lost, trying again."),
        "now": N_("now"),
        "login": N_("This page is for whoever runs this bot."),
        "lapsed": N_("Please log in again."),
    }
)
STATES = Phrasebook(
    {
        "well": N_("All is well"),
        "poor": N_("Something deserves a look"),
        "unready": N_("Requests cannot be taken or painted"),
        "stuck": N_("Something is stuck"),
    }
)
ENGINES = Phrasebook(
    {
        "painting": N_("paints"),
        "idle": N_("is ready"),
        "loading": N_("loads its model"),
        "down": N_("is down"),
    }
)
KINDS = Phrasebook({"generate": N_("picture"), "upscale": N_("enlargement"), "train": N_("training")})
PARTS = Phrasebook(
    {
        "loop": N_("Event loop"),
        "store": N_("Database"),
        "engine": N_("Engine"),
        "disk": N_("Disk"),
        "upkeep": N_("Copies"),
        "settings": N_("Settings"),
        "web": N_("Web page"),
        "discord": "Discord",
        "telegram": "Telegram",
    }
)


def texts() -> dict[str, str]:
    """All of them, for the page's own script."""
    return {name: TEXTS[name] for name in TEXTS.data}


def part(name: str) -> str:
    return PARTS.get(name, name)


def state(name: str, *, paused: bool) -> str:
    """The whole in a few words."""
    return _("Painting is paused") if paused and name == "well" else STATES[name]


def memory(megabytes: int) -> str:
    """Of a device."""
    return _("{number} GB of memory").format(number=_decimal(megabytes / 1024, 0)) if megabytes else ""


def restarts(number: int) -> str:
    return ngettext("{number} restart", "{number} restarts", number).format(number=number) if number else ""


def step(done: int, of: int) -> str:
    return _("Step {step} of {steps}").format(step=done, steps=of) if of else ""


def age(seconds: float) -> str:
    """How long ago, in steps of five seconds and after the first minute in whole minutes."""
    if seconds < 60:
        return _("{number} s").format(number=max(int(seconds // 5 * 5), 1))
    return words.duration(seconds // 60 * 60)


def due(eta: Eta | None, *, paused: bool) -> str:
    return _("paused") if paused else words.eta(eta)


def more(number: int) -> str:
    return ngettext("… and {number} more.", "… and {number} more.", number).format(number=number)


def count(number: float) -> str:
    return f"{number:.0f}"


def rate(number: float) -> str:
    return _decimal(number, 0 if number >= 10 else 1)


def span(seconds: float) -> str:
    """A short time: "35 ms", "2.4 s"."""
    return _("{number} ms").format(number=f"{seconds * 1000:.0f}") if seconds < 1 else words.duration(seconds)


def cleared(number: int) -> str:
    return ngettext("{number} request was cancelled.", "{number} requests were cancelled.", number).format(
        number=number
    )


def done(action: str) -> str:
    """What was done at the press of a button."""
    return {
        "pause": _("Painting is paused. What is asked for waits."),
        "resume": _("Painting goes on."),
        "restart": _("The engine starts anew."),
    }[action]


def engine_ended(reason: str) -> str:
    return _("The engine ended: {reason}").format(reason=reason)


def nothing() -> str:
    """A number that nobody knows yet."""
    return "–"


def _decimal(number: float, places: int) -> str:
    return f"{number:.{places}f}".replace(".", pgettext("decimal point", "."))
