"""The page's cards as HTML: everything a person wrote is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

from realbot.adapters import captions, finds, retouch, verdicts, words
from realbot.adapters.buttons import FACTORS, PANS, ZOOMS
from realbot.adapters.words import _
from realbot.cases import Case
from realbot.jobs import Cancelled, Done, Failed, Generate, Job, Request, Running, Waiting
from realbot.veil import Veil

if TYPE_CHECKING:
    from realbot.entries import Entry


@dataclass(frozen=True, slots=True)
class Look:
    """How the pictures of a job may be seen, and for withheld ones why, and whether somebody can be asked."""

    veil: Veil = "pass"
    case: Case | None = None
    reached: bool = False


PLAIN = Look()


def button(action: str, job_id: str, label: str, kind: str = "", **data: str) -> str:
    extra = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
    return (
        f'<button type="button" class="act {kind}" data-act="{action}" data-job="{escape(job_id)}"{extra}>'
        f"{escape(label)}</button>"
    )


def picture(request: Request, image: str, *, index: int = 0, veiled: bool = False) -> str:
    """One picture that opens in full when it is pressed; a veiled one is seen only after a first press."""
    size = shape = ""
    # One that was painted in parts has the shape of its source, which only the picture itself tells.
    if isinstance(request, Generate) and request.width and request.height and not request.mask:
        size = f' width="{request.width}" height="{request.height}"'
        shape = f' style="--w:{request.width};--h:{request.height}"'
    name = f"{words.alt(request)}" + (f" ({index + 1})" if index else "")
    lift = f'<span class="lift">{escape(verdicts.lift())}</span>' if veiled else ""
    return (
        f'<a class="shot{" veiled" if veiled else ""}" data-key="{image}" href="picture/{image}" target="_blank"'
        f' rel="noopener"{shape}><img src="picture/{image}" alt="{escape(name)}"{size}>{lift}</a>'
    )


def menu(job_id: str, request: Request, images: Sequence[str]) -> str:
    """What can be made of a finished picture, of one of several after choosing it."""
    texts = retouch.TEXTS
    groups = [(texts["enlarge"], tuple(FACTORS))]
    if isinstance(request, Generate):
        groups = [(texts["vary"], ("subtle", "strong")), *groups, (texts["around"], (*ZOOMS, *PANS))]
    rows = "".join(
        group(label, "".join(button("make", job_id, captions.button(verb), verb=verb) for verb in verbs))
        for label, verbs in groups
    )
    rows += group(
        texts["use"],
        button("use", job_id, texts["as_source"], slot="source")
        + button("use", job_id, texts["as_look"], slot="reference"),
    )
    choices = "".join(
        f'<label><input type="radio" name="which" value="{image}" data-index="{index}"{"" if index else " checked"}'
        f' aria-label="{escape(captions.numbered(index + 1))}"><img src="thumb/{image}" alt=""></label>'
        for index, image in enumerate(images)
    )
    single = "" if len(images) > 1 else " hidden"
    return (
        f'<details class="menu" data-key="menu"><summary class="act">{escape(texts["more"])}</summary>'
        f'<form class="ways"><div class="which" role="radiogroup" aria-label="{escape(texts["which"])}"{single}>'
        f"{choices}</div>{rows}</form></details>"
    )


def group(label: str, buttons: str) -> str:
    """A line of a menu."""
    return (
        f'<div class="way" role="group" aria-label="{escape(label)}"><span aria-hidden="true">{escape(label)}</span>'
        f'<div class="acts">{buttons}</div></div>'
    )


def origins(request: Request) -> str:
    """The pictures that a request began with."""
    if not isinstance(request, Generate):
        return ""
    used = ((request.source, _("Begun with")), (request.reference, _("Look")))
    shown = "".join(
        f'<a href="picture/{image}" target="_blank" rel="noopener" title="{escape(label)}">'
        f'<img loading="lazy" src="thumb/{image}" alt="{escape(label)}"></a>'
        for image, label in used
        if image
    )
    return f'<div class="origins">{shown}</div>' if shown else ""


def facts(request: Request, done: Done | None) -> str:
    rows = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in words.facts(request, done)
    )
    return f'{origins(request)}<dl class="facts">{rows}</dl>'


def closed(job_id: str, request: Request, look: Look) -> str:
    """A finished job whose picture is withheld."""
    ask = button("appeal", job_id, verdicts.appeal()) if look.reached and verdicts.appealable(look.case) else ""
    return (
        f'<article class="card closed" data-key="{escape(job_id)}" data-phase="closed">'
        f'<div class="about" data-key="about"><h2>{escape(words.subject(request))}</h2>'
        f'<p class="says" role="status">{escape(verdicts.withheld(look.case, reached=look.reached))}</p>'
        f'<div class="acts">{ask}{button("forget", job_id, words.LABELS["delete"], "quiet")}</div></div></article>'
    )


def done(job_id: str, request: Request, status: Done, *, favourite: bool | None = None, look: Look = PLAIN) -> str:
    """A finished job: its pictures, its recipe and what can be done with it."""
    if look.veil == "withhold":
        return closed(job_id, request, look)
    veiled = look.veil == "spoiler"
    shots = "".join(picture(request, image, index=i, veiled=veiled) for i, image in enumerate(status.images))
    notes = "".join(f'<p class="note">{escape(sentence)}</p>' for sentence in words.notes(status))
    # An enlargement has no words and no seed: it is the same every time.
    fresh = again = reuse = recipe = ""
    if isinstance(request, Generate):
        fresh = button("fresh", job_id, words.LABELS["fresh"], "main") if status.cached else ""
        again = "" if status.cached else button("fresh", job_id, words.LABELS["again"])
        reuse = button("reuse", job_id, words.LABELS["reuse"])
        recipe = (
            f'<div class="recipe"><code>{escape(words.recipe(request))}</code>'
            f"{button('copy', job_id, words.LABELS['copy'], 'quiet')}</div>"
        )
    loads = "".join(
        f'<a class="act" href="picture/{image}?download" download="{escape(words.file_name(request, status.seed, i))}">'
        f"{escape(words.LABELS['download'])}{f' {i + 1}' if len(status.images) > 1 else ''}</a>"
        for i, image in enumerate(status.images)
    )
    star = ""
    if favourite is not None:
        star = button(
            "favourite", job_id, ("★ " if favourite else "☆ ") + words.LABELS["favourite"], on="" if favourite else "1"
        )
    badge = f'<span class="badge">{escape(words.LABELS["cached"])}</span>' if status.cached else ""
    return (
        f'<article class="card done{" veiled" if veiled else ""}" data-key="{escape(job_id)}" data-phase="done">'
        f'<div class="shots many{len(status.images)}" data-key="shots">{shots}</div>'
        f'<div class="about" data-key="about">{badge}<h2>{escape(words.subject(request))}</h2>'
        f'<p class="says" role="status">{escape(words.say(status))}</p>{notes}'
        f'<div class="acts">{fresh}{loads}{reuse}{again}{star}'
        f"{button('forget', job_id, words.LABELS['delete'], 'quiet')}</div>"
        f"{menu(job_id, request, status.images)}{facts(request, status)}"
        f"{recipe}</div></article>"
    )


def under_way(job: Job, *, engine: str = "") -> str:
    """A job that is waiting or being painted, large: the preview, the bar and the way out."""
    status = job.status
    request = job.request
    shape = ""
    if isinstance(request, Generate) and request.width and request.height:
        shape = f' style="--w:{request.width};--h:{request.height}"'
    inside = '<div class="dots"><i></i><i></i><i></i></div>'
    share, phase = 0.0, "waiting"
    if isinstance(status, Running):
        phase = "running"
        share = status.step / status.steps if status.steps else 0.0
        if status.preview:
            inside = f'<img class="preview" data-key="preview" src="preview/{escape(job.id)}?{status.step}" alt="">'
    busy = "" if isinstance(status, Running) else " idle"
    note = f'<p class="note">{escape(engine)}</p>' if engine else ""
    return (
        f'<article class="card {phase}" data-key="{escape(job.id)}" data-phase="{phase}">'
        f'<div class="frame"{shape}>{inside}</div>'
        f'<div class="about" data-key="about"><h2>{escape(words.subject(request))}</h2>'
        f'<div class="bar{busy}" role="progressbar" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{share * 100:.0f}">'
        f'<i style="width:{share * 100:.1f}%"></i></div>'
        f'<p class="says" role="status">{escape(words.say(status, job))}</p>{note}'
        f'<div class="acts">{button("cancel", job.id, words.LABELS["cancel"])}</div></div></article>'
    )


def row(job: Job) -> str:
    """A further job under way, in one line."""
    status = job.status
    share = status.step / status.steps * 100 if isinstance(status, Running) and status.steps else 0.0
    return (
        f'<li class="turn" data-key="{escape(job.id)}"><span class="what">{escape(words.subject(job.request))}</span>'
        f'<span class="says">{escape(words.say(status, job))}</span>'
        f"{button('cancel', job.id, words.LABELS['cancel'], 'quiet')}"
        f'<i class="done-so-far" style="width:{share:.1f}%"></i></li>'
    )


def over(job_id: str, request: Request, status: Failed | Cancelled) -> str:
    """A job that ended without a picture."""
    reuse = button("reuse", job_id, words.LABELS["reuse"]) if isinstance(request, Generate) else ""
    kind, role = ("failed", "alert") if isinstance(status, Failed) else ("cancelled", "status")
    return (
        f'<article class="card {kind}" data-key="{escape(job_id)}" data-phase="{kind}">'
        f'<div class="about" data-key="about"><h2>{escape(words.subject(request))}</h2>'
        f'<p class="says" role="{role}">{escape(words.say(status))}</p>'
        f'<div class="acts">{button("retry", job_id, words.LABELS["retry"], "main")}{reuse}</div></div></article>'
    )


def ended(job: Job, *, favourite: bool | None = None, look: Look = PLAIN) -> str:
    """The card of a job that is over, however it ended."""
    match job.status:
        case Done() as status:
            return done(job.id, job.request, status, favourite=favourite, look=look)
        case Failed() | Cancelled() as status:
            return over(job.id, job.request, status)
    return under_way(job)


def remembered(entry: Entry, look: Look = PLAIN) -> str:
    """The card of a picture in the history."""
    status = Done(entry.images, entry.seed, entry.seconds, entry.cached, entry.notes)
    return done(entry.id, entry.request, status, favourite=entry.favourite, look=look)


def welcome(engine: str = "") -> str:
    """What an empty page says."""
    chips = "".join(
        f'<button type="button" class="chip" data-act="example">{escape(text)}</button>' for text in words.EXAMPLES
    )
    note = f'<p class="note">{escape(engine)}</p>' if engine else ""
    return (
        '<div class="welcome" data-key="welcome"><div class="easel" aria-hidden="true"></div>'
        f"<h2>{escape(words.WELCOME)}</h2>{note}"
        f'<p class="says">{escape(words.TRY_ONE)}</p><div class="chips">{chips}</div></div>'
    )


def stage(active: Sequence[Job], latest: Job | None, entry: Entry | None, engine: str = "", look: Look = PLAIN) -> str:
    """The large part of the page: the job being painted, else the last one that ended, else a welcome.

    `entry` is the newest of the history, `engine` what is wrong with the engine, empty when nothing is, and `look` how
    the picture may be seen that is shown large.
    """
    if active:
        first = next((job for job in active if isinstance(job.status, Running)), active[0])
        rest = "".join(row(job) for job in active if job is not first)
        large = under_way(first, engine=engine if isinstance(first.status, Waiting) else "")
        return large + (f'<ul class="turns" data-key="turns">{rest}</ul>' if rest else "")
    if latest is not None:
        # The history may be a moment behind; what has just been painted is nobody's favourite yet.
        return ended(latest, favourite=entry is not None and entry.id == latest.id and entry.favourite, look=look)
    return welcome(engine) if entry is None else remembered(entry, look)


def gallery(
    entries: Sequence[Entry], *, more: bool, searching: bool, veils: Mapping[str, Veil] = MappingProxyType({})
) -> str:
    """A person's own pictures, newest first and each once; each opens its card. `veils` are by the ids of jobs."""
    tiles: dict[str, str] = {}
    for entry in entries:
        veil = veils.get(entry.id, "pass")
        kind = "tile veiled" if veil == "spoiler" else "tile"
        mark = ("★" if entry.favourite else "") + (finds.MEANT if entry.meant else "")
        star = f'<span class="star" aria-hidden="true">{mark}</span>' if mark else ""
        text = escape(f"{finds.MEANT} {words.alt(entry.request)}" if entry.meant else words.alt(entry.request))
        for image in entry.images:
            shown = f'<img loading="lazy" src="thumb/{image}" alt="{text}">'
            if veil == "withhold":
                shown = f'<span class="hidden">{escape(verdicts.hidden())}</span>'
            tiles.setdefault(
                image,
                f'<button type="button" class="{kind}" data-key="{image}" data-act="open" data-job="{escape(entry.id)}"'
                f' title="{text}">{shown}{star}</button>',
            )
    if not tiles:
        sentence = words.NOTHING_FOUND if searching else words.NOTHING_YET
        return f'<p class="nothing" data-key="nothing">{escape(sentence)}</p>'
    grid = f'<div class="grid" data-key="grid">{"".join(tiles.values())}</div>'
    show = f'<div class="acts" data-key="more">{button("more", "", words.LABELS["more"])}</div>'
    return grid + (show if more else "")


def login(*, wrong: bool = False) -> str:
    """The whole page that asks for the password; it needs nothing else from the server."""
    page = file("login.html")
    trouble = f'<p role="alert">{escape(words.WRONG_PASSWORD)}</p>' if wrong else ""
    texts = {"question": words.LOGIN, "label": words.LABELS["password"], "enter": words.LABELS["enter"]}
    for name, value in texts.items():
        page = page.replace(f"{{{{{name}}}}}", escape(value))
    return page.replace("{{trouble}}", trouble)


def administration() -> str:
    """The way to the page of whoever runs this bot, for a browser that is logged in there."""
    return f' · <a href="admin">{escape(words.LABELS["admin"])}</a>'


def text(line: str) -> str:
    """A line of plain text."""
    return escape(line)


def file(name: str) -> str:
    """A text file of the page that lies beside this module."""
    return resources.files("realbot.adapters").joinpath("look", name).read_text(encoding="utf-8")
