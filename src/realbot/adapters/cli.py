"""The terminal: `imagine` and `more` with a progress bar, and tables of the history and of the styles."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from realbot import grammar
from realbot.adapters import allowances, final, finds, follow, verdicts, words
from realbot.adapters.buttons import AROUND, FACTORS, sequel
from realbot.errors import Blocked, Invalid, Refused
from realbot.jobs import (
    Cancelled,
    Done,
    Failed,
    Generate,
    ImageId,
    Job,
    Origin,
    Request,
    Running,
    Status,
    User,
    Waiting,
    is_final,
)

if TYPE_CHECKING:
    from realbot.studio import Studio

USER = User("cli", "local")
#: Exit codes.
DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
#: What can be made of a picture.
VERBS = ("again", "subtle", "strong", *FACTORS, *AROUND)
#: Seconds an interrupted engine gets to stop before the terminal is given back.
PATIENCE = 10.0


class Bar:
    """The card of the terminal: a bar and how far the job is, gone when it is over. A pipe gets neither."""

    pace = 0.1

    def __init__(self, console: Console, job: Job) -> None:
        self._job = job
        self._progress = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            auto_refresh=False,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task("", total=None)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    async def show(self, status: Status) -> None:
        match status:
            case Running(step, steps):
                self._progress.update(self._task, total=max(steps, 1), completed=step)
            case Waiting():
                self._progress.update(self._task, total=None)
            case _:
                return
        self._progress.update(self._task, description=words.say(status, self._job))
        self._progress.refresh()


async def imagine(
    studio: Studio,
    text: str,
    out: Path | None,
    *,
    console: Console,
    source: Path | None = None,
    mask: Path | None = None,
    region: str | None = None,
    strength: float | None = None,
    look: Path | None = None,
    look_weight: float | None = None,
) -> int:
    """Paint what `text` asks for, save it and print where, its seed and its recipe; returns the exit code.

    `source` is the file of a picture to start from, `mask` or `region` the part of it that is painted anew, `look` the
    file of a reference picture, and `look_weight` how much of its look is taken. Without `out` a new file in the
    current folder is named after the prompt; several pictures are numbered. Interrupting cancels the job.
    """

    async def asked() -> Request:
        preset = studio.preset()
        request = grammar.parse(text, area=preset.width * preset.height)
        request = await _begun(studio, request, source, mask, region)
        if strength is not None:
            request = replace(request, strength=strength)
        if look is not None:
            request = replace(request, reference=await _brought(studio, look))
        if look_weight is not None:
            request = replace(request, reference_weight=look_weight)
        return request

    return await _painted(studio, asked, out, console)


async def more(  # noqa: PLR0917 - what, of which picture, where to
    studio: Studio, verb: str, line: int, number: int, out: Path | None, console: Console
) -> int:
    """Make more of a picture: what the buttons of a card do, named by `VERBS`. Prints and returns as `imagine`.

    `line` is the picture's in the history and `number` which of several it is, both from 1.
    """

    async def asked() -> Request:
        if verb not in VERBS:
            near = grammar.nearest(verb, VERBS)
            raise Invalid("There is no {verb}; there are {names}.",
                          verb=verb[:60], names=", ".join(VERBS), word=verb[:100], nearest=near)  # fmt: skip
        entries = await studio.history(USER, line)
        if len(entries) < line:
            raise Invalid("The history has {count} lines.", count=len(entries))
        return await sequel(studio, USER, verb, entries[line - 1].id, index=number - 1, origin=Origin("cli"))

    return await _painted(studio, asked, out, console)


async def _painted(studio: Studio, asked: Callable[[], Awaitable[Request]], out: Path | None, console: Console) -> int:
    await _settle(studio)
    try:
        request = await asked()
        quote = await studio.budget.quote(USER, request, Origin("cli"))
        for line in [] if quote is None else allowances.quote(quote):
            console.print(Text(line, style="dim"))
        job = await studio.submit(USER, request if quote is None else quote.request, Origin("cli"))
    except Refused as error:
        console.print(Text(words.refusal(error), style="red"))
        return REFUSED
    try:
        with Bar(console, job) as bar:
            status = await follow(job, bar)
    except asyncio.CancelledError:
        return await _interrupted(studio, job, console)
    if isinstance(status, Done):
        return await _deliver(studio, job, status, out, console)
    await studio.delivered(job.id)
    failed = isinstance(status, Failed)
    console.print(Text(words.say(status), style="red" if failed else ""))
    return FAILED if failed else INTERRUPTED


async def _begun(
    studio: Studio, request: Generate, source: Path | None, mask: Path | None, region: str | None
) -> Generate:
    """The request with what it begins with, and which part of that is painted. Raises Refused."""
    if source is not None:
        request = replace(request, source=await _brought(studio, source))
    if region is not None:
        request = replace(request, region=region, mask=None)
    if mask is not None:
        if request.source is None:
            raise Invalid("A mask is a part of a picture; give the picture with --source.", word="mask")
        part = await studio.mask(USER, request.source, await _read(mask), Origin("cli"))
        request = replace(request, mask=part, region=None)
    return request


async def _brought(studio: Studio, path: Path) -> ImageId:
    """A picture's file, kept. Raises Invalid when it cannot be read or is no picture."""
    return await studio.upload(USER, await _read(path), Origin("cli"))


async def _read(path: Path) -> bytes:
    try:
        return await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Invalid("The picture {path} cannot be read: {reason}.", path=str(path), reason=reason) from None


async def _settle(studio: Studio) -> None:
    """End what a terminal that was closed left behind: its pictures stay in the history, its jobs are given up."""
    for job in studio.pending("cli"):
        await studio.cancel(job.user, job.id)
        if isinstance(job.status, Done):
            await studio.kept(job.id, words.TERMINAL_CLOSED)
        elif is_final(job.status):
            await studio.delivered(job.id)


async def _interrupted(studio: Studio, job: Job, console: Console) -> int:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    await studio.cancel(job.user, job.id)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await final(job)
            await studio.delivered(job.id)
    console.print(Text(words.say(Cancelled())))
    return INTERRUPTED


async def _deliver(studio: Studio, job: Job, done: Done, out: Path | None, console: Console) -> int:
    await studio.delivering(job.id)
    if await studio.safety.veil(job.id, done.images, job.origin) == "withhold":
        await studio.delivered(job.id)
        console.print(Text(verdicts.withheld(await studio.safety.case(job.id), reached=False), style="yellow"))
        return REFUSED
    code = DONE
    for index, image in enumerate(done.images):
        source = await studio.picture(job.user, image)
        target = destination(out, words.file_name(job.request, done.seed, index), index, len(done.images))
        try:
            await asyncio.to_thread(_copy, source, target)
        except OSError as error:
            console.print(Text(words.cannot_write(str(target), error.strerror or str(error)), style="red"))
            code = FAILED
        else:
            console.print(Text(words.saved(str(target))), soft_wrap=True)
    if code == DONE:
        await studio.delivered(job.id)
    else:
        await studio.kept(job.id, words.NOT_WRITTEN)
    console.print(Text(words.say(done, job)))
    for sentence in words.notes(done):
        console.print(Text(sentence, style="yellow"))
    console.print(Text(words.recipe(job.request), style="dim"), soft_wrap=True)
    return code


def destination(out: Path | None, name: str, index: int = 0, count: int = 1) -> Path:
    """Where picture `index` of `count` goes: into the folder `out`, or the file `out`, or a new file `name`."""
    if out is not None and not out.is_dir():
        out = out if out.suffix else out.with_suffix(".png")
        return out if count == 1 else out.with_stem(f"{out.stem}-{index + 1}")
    target = (out or Path()) / name
    number = 2
    while target.exists():
        target = target.with_name(f"{Path(name).stem}-{number}.png")
        number += 1
    return target


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


async def history(studio: Studio, *, console: Console, limit: int = 20, search: str = "") -> int:
    """A table of the pictures that were painted from this terminal, newest first."""
    entries = await studio.history(USER, limit, search=search)
    if not entries:
        console.print(Text(words.NOTHING_FOUND if search else words.NOTHING_YET))
        return DONE
    table = Table("When", "Recipe", "Seconds", "File", box=None, header_style="bold")
    for entry in entries:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created))
        for index, image in enumerate(entry.images):
            try:
                path = str(await studio.picture(USER, image))
            except Blocked:
                path = verdicts.hidden()
            recipe = f"{finds.MEANT} {words.recipe(entry.request)}" if entry.meant else words.recipe(entry.request)
            cells = (when, recipe, f"{entry.seconds:.1f}") if index == 0 else ("", "", "")
            table.add_row(*map(Text, cells), Text(path, overflow="fold"))
    console.print(table)
    return DONE


async def whose(studio: Studio, path: Path, *, console: Console) -> int:
    """Say whether a picture was painted here, and print the recipe of one's own."""
    try:
        found = await studio.finder.whose(USER, await _read(path), Origin("cli"))
    except Refused as error:
        console.print(Text(words.refusal(error), style="red"))
        return REFUSED
    console.print(Text(finds.whose(found)))
    if found is not None and found.entry is not None:
        console.print(Text(words.recipe(found.entry.request), style="dim"), soft_wrap=True)
    return DONE if found is not None else FAILED


async def styles(studio: Studio, *, console: Console) -> int:
    """A table of the styles that can be asked for, by name."""
    found = studio.styles()
    if not found:
        console.print(Text(words.NO_STYLES))
        return DONE
    table = Table("Style", "What it does", "Words that wake it", "For", box=None, header_style="bold")
    for style in found:
        table.add_row(
            *map(Text, (f"style:{style.name}", style.description or style.title, style.trigger, style.family))
        )
    console.print(table)
    return DONE
