"""Every sentence a person reads, whichever front-end shows it."""

from __future__ import annotations

import math
import re
import time
import unicodedata
from dataclasses import replace

from realbot import grammar
from realbot.errors import OverQuota, Refused, TooSoon
from realbot.jobs import (
    Cancelled,
    Done,
    Eta,
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

SCHEDULERS = {
    "euler": "Euler",
    "euler-a": "Euler a",
    "dpm++2m": "DPM++ 2M",
    "dpm++2m-karras": "DPM++ 2M Karras",
    "unipc": "UniPC",
    "ddim": "DDIM",
}

APOLOGIES = {
    "OutOfMemory": "Sorry, this picture did not fit into the memory of the device. A smaller size will work.",
    "EngineLost": "Sorry, the engine stopped while it painted this picture. Please try again.",
    "StyleBroken": "Sorry, a style of this picture cannot be used. Please try again without it.",
    "ModelMissing": "Sorry, the model cannot be loaded at the moment. Whoever runs this bot finds out why in its log.",
    "Quarantined": "Sorry, this picture stopped the engine twice and was put aside. Please change something about it.",
}
APOLOGY = "Sorry, this picture could not be painted. Please try again."

#: Short texts of buttons, fields and headings.
LABELS = {
    "prompt": "Prompt",
    "imagine": "Imagine",
    "negative": "Negative prompt",
    "styles": "Styles",
    "weight": "Weight",
    "shape": "Shape",
    "width": "Width",
    "height": "Height",
    "steps": "Steps",
    "guidance": "Guidance",
    "true_cfg": "True CFG",
    "scheduler": "Scheduler",
    "seed": "Seed",
    "lock": "Keep this seed",
    "count": "Pictures",
    "settings": "Settings",
    "gallery": "Your pictures",
    "search": "Search your prompts",
    "more": "Show more",
    "cancel": "Cancel",
    "again": "Again",
    "fresh": "Paint a fresh one",
    "retry": "Try again",
    "reuse": "Reuse",
    "download": "Download",
    "copy": "Copy recipe",
    "favourite": "Favourite",
    "delete": "Delete",
    "close": "Close",
    "password": "Password",
    "enter": "Enter",
    "cached": "From your history",
    "automatic": "automatic",
}

PLACEHOLDER = "A red apple on a blue background\n\nWhole lines work too: a frog steps:20 style:ink:0.8 --ar 16:9"
NEGATIVE_HINT = "What to keep out; doubles the time of a step"
SEED_HINT = "random"
WELCOME = "Describe a picture, and it is painted here."
TRY_ONE = "Or start with one of these:"
NOTHING_YET = "Your pictures will be kept here."
NOTHING_FOUND = "None of your prompts holds these words."
NO_STYLES = "No styles are installed."
COPIED = "Copied."
REALLY_DELETE = "Delete this picture for good?"
NEEDS_COOKIES = "This page needs cookies to know which pictures are yours. Please allow them and reload."
OFFLINE = "The connection is lost, trying again."
TERMINAL_CLOSED = "the terminal was closed"
NOT_WRITTEN = "the file could not be written"
GONE = "This picture is not there any more."
LOGIN = "This page asks for a password."
WRONG_PASSWORD = "That is not the password."  # noqa: S105
EXAMPLES = (
    "a red apple on a blue background",
    "a green frog on a yellow background",
    "a gold crown on a purple background",
    "a penguin on an orange background",
)


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""
    if n % 100 in (11, 12, 13):
        return f"{n}th"
    return f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th') }"


def duration(seconds: float) -> str:
    """A measured time: "0.8 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def eta(value: Eta | None) -> str:
    """A time still to come, in round numbers: "about 20–40 s", "about 2–3 min"; empty when nothing is known."""
    if value is None or not (math.isfinite(value.low) and math.isfinite(value.high)):
        return ""
    low, high = max(0.0, min(value.low, value.high)), max(0.0, value.high)
    if high < 2:
        return "a moment"
    unit, size, grain = _scale(high)
    first = max(math.floor(low / grain), 1) * grain // size
    last = math.ceil(high / grain) * grain // size
    return f"about {last} {unit}" if first >= last else f"about {first}–{last} {unit}"


def wait(seconds: float) -> str:
    """How long to wait at most, in round numbers: "about 10 s"."""
    unit, size, grain = _scale(seconds)
    return f"about {max(math.ceil(seconds / grain), 1) * grain // size} {unit}"


def _scale(seconds: float) -> tuple[str, int, int]:
    """The unit that a time is told in, its seconds, and the seconds it is rounded to."""
    if seconds <= 20:
        return "s", 1, 1
    if seconds <= 90:
        return "s", 1, 5
    return ("min", 60, 60) if seconds <= 5400 else ("h", 3600, 3600)


def say(status: Status, job: Job | None = None) -> str:
    """How far a job is, in one line."""
    match status:
        case Waiting(position, expected):
            place = "Next in line" if position <= 1 else f"{ordinal(position)} in line"
            return " · ".join(filter(None, (place, eta(expected))))
        case Running(step, steps, expected):
            if step <= 0:
                return " · ".join(filter(None, ("Starting", eta(expected))))
            if steps and step >= steps:
                return "Finishing"
            rest = eta(expected)
            return " · ".join(filter(None, (f"Step {step} of {steps}", f"{rest} left" if rest else "")))
        case Done(images, seed, seconds, cached):
            if cached:
                return f"From your history, the same request painted earlier · seed {seed}"
            amount = "Done" if len(images) == 1 else f"{len(images)} pictures"
            return f"{amount} in {duration(seconds)} · seed {seed}"
        case Failed(error, detail):
            return failure(error, detail)
        case Cancelled():
            return "Cancelled."
    raise TypeError(f"not a status: {status!r}")


def failure(error: str, detail: str = "") -> str:
    """An apology for what whoever runs the bot must mend, with the detail where a person may read it."""
    apology = APOLOGIES.get(error, APOLOGY)
    if not detail or detail in apology:
        return apology
    return f"{apology} ({detail.rstrip('.')}.)"


def refusal(error: Refused, now: float | None = None) -> str:
    """Why a request is not taken and what helps, as the error says it; `now` is a Unix time."""
    text = str(error).strip() or str(type(error).__doc__)
    nearest = getattr(error, "nearest", "")
    if nearest and nearest not in text:
        text = f"{text.rstrip('.')}. Did you mean {nearest}?"
    seconds = 0.0
    if isinstance(error, TooSoon):
        seconds = error.wait
    elif isinstance(error, OverQuota) and error.resets:
        seconds = error.resets - (time.time() if now is None else now)
    if seconds > 0 and not re.search(r"\d", text):
        text = f"{text.rstrip('.')}. Try again in {wait(seconds)}."
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
            ("Size", f"{request.width} × {request.height}" if request.width and request.height else ""),
            (LABELS["steps"], "" if request.steps is None else str(request.steps)),
            (LABELS["guidance"], "" if request.guidance is None else number(request.guidance)),
            (LABELS["true_cfg"], number(request.true_cfg) if request.true_cfg and request.true_cfg > 1 else ""),
            (LABELS["scheduler"], scheduler(request.scheduler) if request.scheduler else ""),
            (LABELS["seed"], "" if request.seed is None else str(request.seed)),
            ("Model", request.model or ""),
        ]
    if done is not None:
        pairs.append(("Painted in", duration(done.seconds)))
    return [(label, value) for label, value in pairs if value]


def card(request: Request, done: Done) -> str:
    """The recipe card as text, one fact a line, the line to ask again last."""
    lines = [f"{label}: {value}" for label, value in facts(request, done)]
    return "\n".join([subject(request), *lines, recipe(request)])


def notes(done: Done) -> list[str]:
    """What the model did differently from what was asked, a sentence each."""
    sentences = []
    for kind, detail in done.notes:
        match kind:
            case "prompt_cut":
                sentences.append(f"The prompt was longer than the model reads; these words were left out: {detail}.")
            case "scheduler":
                sentences.append(f"{scheduler(detail)} is the same as Euler on this model, so Euler painted it.")
            case "negative":
                sentences.append("This model has no negative prompt, so it was left out.")
            case _:
                sentences.append(f"{kind.replace('_', ' ').capitalize()}: {detail}.")
    return sentences


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
            return f"Picture enlarged ×{factor}"
        case Train(style=style):
            return f"Style {style}"
    raise TypeError(f"not a request: {request!r}")


def alt(request: Request) -> str:
    """What a screen reader says for the picture."""
    if isinstance(request, Generate) and request.styles:
        return f"{request.prompt}, in the style {', '.join(use.name for use in request.styles)}"
    return subject(request)


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
        return "The model is loading."
    return f"The engine is not running: {reason.rstrip('.')}." if reason else "The engine is not running."


def line(waiting: int, running: int) -> str:
    """How busy the line is."""
    if not waiting and not running:
        return "nobody is waiting"
    parts = [f"{running} being painted" if running else "", f"{waiting} waiting" if waiting else ""]
    return ", ".join(filter(None, parts))


def saved(path: str) -> str:
    return f"Saved as {path}"


def port_taken(host: str, port: int) -> str:
    return f"web.port {port} on {host} is in use by another program; choose another port or stop that program."


def port_closed(port: int) -> str:
    return f"web.port {port} may not be used by this account; choose one from 1024 up."


def host_unusable(host: str, reason: str) -> str:
    return f"web.host {host!r} cannot be listened on ({reason}); 127.0.0.1 is this machine only, 0.0.0.0 every network."


def cannot_write(path: str, reason: str) -> str:
    return f"The picture cannot be saved as {path}: {reason}. It is kept in the history."
