"""Every sentence a person reads, whichever front-end shows it, in the language of `with language("de"):`.

Sentences are wrapped in `_()` where they are said, or in `N_()` where they are only written down.
"""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import replace

from realbot import grammar
from realbot.adapters.languages import N_, Phrasebook, _, language, ngettext, pgettext, phrase
from realbot.adapters.times import duration, eta, ordinal, wait
from realbot.errors import OverQuota, Refused, TooSoon
from realbot.jobs import (
    Cancelled,
    Done,
    Failed,
    Generate,
    Job,
    Request,
    Running,
    Status,
    Train,
    Upscale,
    Waiting,
)

#: What other modules take from here besides the sentences.
__all__ = ["N_", "_", "duration", "eta", "language", "ngettext", "ordinal", "pgettext", "phrase", "wait"]

SCHEDULERS = {
    "euler": "Euler",
    "euler-a": "Euler a",
    "dpm++2m": "DPM++ 2M",
    "dpm++2m-karras": "DPM++ 2M Karras",
    "unipc": "UniPC",
    "ddim": "DDIM",
}

APOLOGIES = Phrasebook(
    {
        "OutOfMemory": N_("Sorry, this picture did not fit into the memory of the device. A smaller size will work."),
        "EngineLost": N_("Sorry, the engine stopped while it painted this picture. Please try again."),
        "StyleBroken": N_("Sorry, a style of this picture cannot be used. Please try again without it."),
        "ModelMissing": N_(
            "Sorry, the model cannot be loaded at the moment. Whoever runs this bot finds out why in its log."
        ),
        "Quarantined": N_(
            "Sorry, this picture stopped the engine twice and was put aside. Please change something about it."
        ),
    }
)

#: Short texts of buttons, fields and headings.
LABELS = Phrasebook(
    {
        "prompt": N_("Prompt"),
        "imagine": N_("Imagine"),
        "negative": N_("Negative prompt"),
        "styles": N_("Styles"),
        "weight": N_("Weight"),
        "shape": N_("Shape"),
        "width": N_("Width"),
        "height": N_("Height"),
        "steps": N_("Steps"),
        "guidance": N_("Guidance"),
        "true_cfg": N_("True CFG"),
        "scheduler": N_("Scheduler"),
        "seed": N_("Seed"),
        "lock": N_("Keep this seed"),
        "count": N_("Pictures"),
        "settings": N_("Settings"),
        "gallery": N_("Your pictures"),
        "search": N_("Search your prompts"),
        "more": N_("Show more"),
        "cancel": N_("Cancel"),
        "again": N_("Again"),
        "fresh": N_("Paint a fresh one"),
        "retry": N_("Try again"),
        "reuse": N_("Reuse"),
        "download": N_("Download"),
        "copy": N_("Copy recipe"),
        "favourite": N_("Favourite"),
        "delete": N_("Delete"),
        "close": N_("Close"),
        "password": N_("Password"),
        "enter": N_("Enter"),
        "admin": N_("How it goes"),
        "cached": N_("From your history"),
        "automatic": N_("automatic"),
    }
)

#: Sentences without values: `words.GONE` is "GONE" in the language that is spoken at that moment.
TEXTS = Phrasebook(
    {
        "APOLOGY": N_("Sorry, this picture could not be painted. Please try again."),
        "PLACEHOLDER": N_(
            "A red apple on a blue background\n\nWhole lines work too: a frog steps:20 style:ink:0.8 --ar 16:9"
        ),
        "NEGATIVE_HINT": N_("What to keep out; doubles the time of a step"),
        "SEED_HINT": N_("random"),
        "WELCOME": N_("Describe a picture, and it is painted here."),
        "TRY_ONE": N_("Or start with one of these:"),
        "NOTHING_YET": N_("Your pictures will be kept here."),
        "NOTHING_FOUND": N_("None of your prompts holds these words."),
        "NO_STYLES": N_("No styles are installed."),
        "COPIED": N_("Copied."),
        "REALLY_DELETE": N_("Delete this picture for good?"),
        "NEEDS_COOKIES": N_("This page needs cookies to know which pictures are yours. Please allow them and reload."),
        "OFFLINE": N_("The connection is lost, trying again."),
        "TERMINAL_CLOSED": N_("the terminal was closed"),
        "NOT_WRITTEN": N_("the file could not be written"),
        "GONE": N_("This picture is not there any more."),
        "LOGIN": N_("This page asks for a password."),
        "WRONG_PASSWORD": N_("That is not the password."),
    }
)
EXAMPLES = (
    "a red apple on a blue background",
    "a green frog on a yellow background",
    "a gold crown on a purple background",
    "a penguin on an orange background",
)


def __getattr__(name: str) -> str:
    try:
        return TEXTS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def say(status: Status, job: Job | None = None) -> str:
    """How far a job is, in one line."""
    match status:
        case Waiting(position, expected):
            place = _("Next in line") if position <= 1 else _("{ordinal} in line").format(ordinal=ordinal(position))
            return " · ".join(filter(None, (place, eta(expected))))
        case Running(step, steps, expected):
            if step <= 0:
                return " · ".join(filter(None, (_("Starting"), eta(expected))))
            if steps and step >= steps:
                return _("Finishing")
            parts = [_("Step {step} of {steps}").format(step=step, steps=steps)]
            if rest := eta(expected):
                parts.append(_("{time} left").format(time=rest))
            return " · ".join(parts)
        case Done(images, seed, seconds, cached):
            if job is not None and not isinstance(job.request, Generate):
                return _("Done in {time}").format(time=duration(seconds))
            if cached:
                return _("From your history, the same request painted earlier · seed {seed}").format(seed=seed)
            text = ngettext(
                "Done in {time} · seed {seed}", "{count} pictures in {time} · seed {seed}", max(len(images), 1)
            )
            return text.format(count=len(images), time=duration(seconds), seed=seed)
        case Failed(error, detail):
            return failure(error, detail)
        case Cancelled(detail):
            return f"{_('Cancelled.')} {_(detail)}" if detail else _("Cancelled.")
    raise TypeError(f"not a status: {status!r}")


def failure(error: str, detail: str = "") -> str:
    """An apology for what whoever runs the bot must mend, with the detail where a person may read it."""
    apology = APOLOGIES[error] if error in APOLOGIES else TEXTS["APOLOGY"]
    detail = _(detail)
    if not detail or detail in apology:
        return apology
    return f"{apology} ({detail.rstrip('.')}.)"


def refusal(error: Refused, now: float | None = None) -> str:
    """Why a request is not taken and what helps, as the error says it; `now` is a Unix time."""
    text = phrase(error.phrase).strip() or _(str(type(error).__doc__))
    nearest = getattr(error, "nearest", "")
    if nearest and nearest not in text:
        text = _("{refusal}. Did you mean {nearest}?").format(refusal=text.rstrip("."), nearest=nearest)
    seconds = 0.0
    if isinstance(error, TooSoon):
        seconds = error.wait
    elif isinstance(error, OverQuota) and error.resets:
        seconds = error.resets - (time.time() if now is None else now)
    # A cooldown tells the seconds itself.
    if seconds > 0 and (isinstance(error, OverQuota) or not re.search(r"\d", text)):
        text = _("{refusal}. Try again in {time}.").format(refusal=text.rstrip("."), time=wait(seconds))
    return text


def recipe(request: Request) -> str:
    """The line that asks for the same picture again."""
    match request:
        case Generate():
            # Off is what nobody writes.
            return grammar.write(replace(request, true_cfg=None) if request.true_cfg == 1 else request)
        case Upscale(source=source, factor=factor):
            return f"upscale:{factor} {source[:8]}"
        case Train(style=style, trigger=trigger, images=images, steps=steps, rank=rank):
            return f"train {style} trigger:{trigger} images:{len(images)} steps:{steps} rank:{rank}"
    raise TypeError(f"not a request: {request!r}")


def facts(request: Request, done: Done | None = None) -> list[tuple[str, str]]:
    """The recipe card: what the picture was made with, as pairs of label and value, in reading order."""
    pairs: list[tuple[str, str]] = []
    if isinstance(request, Generate):
        pairs += [
            (LABELS["negative"], request.negative),
            (LABELS["styles"], ", ".join(f"{use.name} {number(use.weight)}" for use in request.styles)),
            (_("Size"), f"{request.width} × {request.height}" if request.width and not request.mask else ""),
            (LABELS["steps"], "" if request.steps is None else str(request.steps)),
            (LABELS["guidance"], "" if request.guidance is None else number(request.guidance)),
            (LABELS["true_cfg"], number(request.true_cfg) if request.true_cfg and request.true_cfg > 1 else ""),
            (LABELS["scheduler"], scheduler(request.scheduler) if request.scheduler else ""),
            (LABELS["seed"], "" if request.seed is None else str(request.seed)),
            (_("Model"), request.model or ""),
            (_("Begun with"), _("another picture") if request.source else ""),
            (_("Strength"), number(request.strength) if request.source and request.strength is not None else ""),
            (_("Painted anew"), _("a part of it") if request.mask or request.region else ""),
            (_("Look"), _look(request)),
        ]
    if done is not None:
        pairs.append((_("Painted in"), duration(done.seconds)))
    return [(label, value) for label, value in pairs if value]


def _look(request: Generate) -> str:
    if request.reference is None:
        return ""
    if request.reference_weight is None:
        return _("that of another picture")
    return _("that of another picture, weight {weight}").format(weight=number(request.reference_weight))


def card(request: Request, done: Done) -> str:
    """The recipe card as text, one fact a line, the line to ask again last."""
    lines = [_("{label}: {value}").format(label=label, value=value) for label, value in facts(request, done)]
    return "\n".join([subject(request), *lines, recipe(request)])


def notes(done: Done) -> list[str]:
    """What the model did differently from what was asked, a sentence each."""
    return [note(kind, detail) for kind, detail in done.notes]


def note(kind: str, detail: str) -> str:
    """One thing that the model did differently."""
    match kind:
        case "prompt_cut":
            text = _("The prompt was longer than the model reads; these words were left out: {detail}.")
        case "scheduler":
            detail = scheduler(detail)
            text = _("{detail} is the same as Euler on this model, so Euler painted it.")
        case "upscaled" if detail == "lanczos":
            text = _("Enlarged by resampling, as this bot has no upscaling model.")
        case "upscaled":
            text = _("Enlarged with {detail}.")
        case "negative":
            text = _("This model has no negative prompt, so it was left out.")
        case "true_cfg":
            text = _("Painted with true CFG {detail}, which this request needs.")
        case other:
            return f"{_(other.replace('_', ' ').capitalize())}: {detail}."
    return text.format(detail=detail)


def number(value: float) -> str:
    """3.0 is "3", 0.75 is "0.75"."""
    return f"{value:.6g}"


def scheduler(name: str) -> str:
    """A scheduler's usual name."""
    return SCHEDULERS.get(name, name)


def subject(request: Request) -> str:
    """What is painted, in the person's own words."""
    match request:
        case Generate(prompt=prompt):
            return prompt
        case Upscale(factor=factor):
            return _("Picture enlarged ×{factor}").format(factor=factor)
        case Train(style=style):
            return _("Style {style}").format(style=style)
    raise TypeError(f"not a request: {request!r}")


def alt(request: Request) -> str:
    """What a screen reader says for the picture."""
    text = subject(request)
    if not isinstance(request, Generate):
        return text
    if request.styles:
        styles = ", ".join(use.name for use in request.styles)
        text = _("{prompt}, in the style {styles}").format(prompt=text, styles=styles)
    if request.reference:
        text = _("{picture}, with the look of another picture").format(picture=text)
    if request.mask or request.region:
        text = _("{picture}, painted into another picture").format(picture=text)
    return text


def file_name(request: Request, seed: int, index: int = 0) -> str:
    """A name for the saved picture: the first words of the prompt and its seed, safe on every system."""
    plain = unicodedata.normalize("NFKD", subject(request)).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    stem = "-".join(words)[:48].strip("-") or "picture"
    return f"{stem}-{seed + index}.png"


def engine(up: bool, loading: bool, device: str = "", reason: str = "") -> str:
    """What the engine is doing, for a footer or a waiting card."""
    if up:
        return device
    if loading:
        return _("The model is loading.")
    if reason:
        return _("The engine is not running: {reason}.").format(reason=_(reason).rstrip("."))
    return _("The engine is not running.")


def line(waiting: int, running: int) -> str:
    """How busy the line is."""
    if not waiting and not running:
        return _("nobody is waiting")
    parts = [
        ngettext("{number} being painted", "{number} being painted", running).format(number=running) if running else "",
        ngettext("{number} waiting", "{number} waiting", waiting).format(number=waiting) if waiting else "",
    ]
    return ", ".join(filter(None, parts))


def saved(path: str) -> str:
    return _("Saved as {path}").format(path=path)


def not_served() -> str:
    return _("the page is not served")


def port_taken(host: str, port: int) -> str:
    return _(
        "web.port {port} on {host} is in use by another program; choose another port or stop that program."
    ).format(port=port, host=host)


def port_closed(port: int) -> str:
    return _("web.port {port} may not be used by this account; choose one from 1024 up.").format(port=port)


def host_unusable(host: str, reason: str) -> str:
    return _(
        "web.host {host!r} cannot be listened on ({reason}); 127.0.0.1 is this machine only, 0.0.0.0 every network."
    ).format(host=host, reason=reason)


def cannot_write(path: str, reason: str) -> str:
    return _("The picture cannot be saved as {path}: {reason}. It is kept in the history.").format(
        path=path, reason=reason
    )
