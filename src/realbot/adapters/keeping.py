"""The terminal while copies are made and put back: how far it is, what came of it, and what is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from realbot.adapters.languages import N_, Phrasebook, _, ngettext
from realbot.adapters.times import duration
from realbot.backups import Made
from realbot.backups import Progress as Told
from realbot.errors import Invalid
from realbot.jobs import User
from realbot.pictures import copy
from realbot.restoring import Restored

if TYPE_CHECKING:
    from realbot.studio import Studio

#: Exit codes.
DONE, LOST = 0, 1
#: Names that are told at most.
_TOLD = 8
WORK = Phrasebook(
    {"database": N_("Database"), "pictures": N_("Pictures and styles"), "copies": N_("Copies")},
)


@contextmanager
def bar(console: Console) -> Iterator[Told]:
    """A bar on a terminal that is gone when all is done; into a pipe goes nothing."""
    progress = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = progress.add_task("", total=None)

    def show(what: str, done: int, total: int) -> None:
        progress.update(task, total=max(total, 1), completed=done, description=WORK[what])

    with progress:
        yield show


def made(told: Made, console: Console) -> None:
    """Print what was copied and whether it is whole."""
    console.print(Text(_("Copied to {path}.").format(path=told.backup.path)), soft_wrap=True)
    said = _("{requests}, {size}; made and tried in {time}.")
    requests = ngettext("{count} request", "{count} requests", told.rows.get("jobs", 0))
    counted = requests.format(count=told.rows.get("jobs", 0))
    console.print(Text(said.format(requests=counted, size=_size(told.size), time=duration(told.seconds))))
    if told.files:
        files = ngettext(
            "{count} new picture or style beside it.", "{count} new pictures and styles beside it.", told.files
        )
        console.print(Text(files.format(count=told.files)))
    _lost(told.lost, console)
    if not told.backup.sealed:
        console.print(Text(_("It is not encrypted; backup.recipients would change that."), style="dim"))


def restored(told: Restored, console: Console) -> None:
    """Print what is there again and what is not."""
    when, jobs = _when(told.at), told.rows.get("jobs", 0)
    said = ngettext(
        "The database is as it was on {when}, with {count} request.",
        "The database is as it was on {when}, with {count} requests.",
        jobs,
    )
    console.print(Text(said.format(when=when, count=jobs)))
    since = time.strftime("%H:%M", time.localtime(told.at))
    if told.lost is None:
        said = _("What was asked for and changed since {time} is lost.").format(time=since)
        console.print(Text(said, style="yellow"))
    elif told.lost:
        said = ngettext(
            "Lost: {count} request since {time}, and what was changed.",
            "Lost: {count} requests since {time}, and what was changed.",
            told.lost,
        ).format(count=told.lost, time=since)
        console.print(Text(said, style="yellow"))
    for number, sentence in _again(told):
        if number:
            console.print(Text(sentence.format(count=number)))
    if told.strange:
        said = ngettext(
            "{count} deletion was made in another database and is not repeated: whose it was is not known here.",
            "{count} deletions were made in another database and are not repeated: whose they were is not known here.",
            told.strange,
        )
        console.print(Text(said.format(count=told.strange), style="yellow"))
    _lost([name for name, _job in told.missing], console)
    if told.replaced is not None:
        said = _("The database that was there is {path}; it is deleted after 30 days.")
        console.print(Text(said.format(path=told.replaced)), soft_wrap=True)


async def exported(studio: Studio, user: User, out: Path, console: Console) -> None:
    """Put a ZIP file with everything of a person where it is wanted."""
    await _known(studio, user)
    archive = await studio.export(user)
    try:
        target = await asyncio.to_thread(_saved, archive, out, f"realbot-{user.platform}-{user.id}.zip")
    except OSError as error:
        raise Invalid("{path} cannot be written: {reason}.", path=out, reason=error.strerror) from error
    finally:
        archive.unlink(missing_ok=True)
    console.print(Text(_("Saved as {path}.").format(path=target)), soft_wrap=True)


async def erased(studio: Studio, user: User, ask: Callable[[str], str], console: Console) -> int:
    """Delete everything of a person once their key was written a second time; returns the exit code."""
    await _known(studio, user)
    others = await studio.linked(user)
    whose = ", ".join([user.key, *others])
    question = _("Everything that is kept of {people} will be gone for good. Write {key} once more:")
    if (await asyncio.to_thread(ask, question.format(people=whose, key=user.key) + " ")).strip() != user.key:
        console.print(Text(_("Nothing is deleted.")))
        return LOST
    jobs = await studio.erase(user)
    said = ngettext(
        "Deleted: {count} request, and everything else.", "Deleted: {count} requests, and everything else.", jobs
    )
    console.print(Text(said.format(count=jobs)))
    return DONE


async def _known(studio: Studio, user: User) -> None:
    if not await studio.keeps(user):
        raise Invalid("Nothing is kept of {person}.", person=user.key, word=user.key)


def encoded(told: Made | Restored) -> tuple[str, int]:
    """The same as JSON, and the exit code."""
    code = LOST if (told.lost if isinstance(told, Made) else told.missing) else DONE
    return json.dumps(_plain(asdict(told)), indent=2), code


def _again(told: Restored) -> Iterator[tuple[int, str]]:
    """How many things happen again or were found, with a sentence for each kind."""
    yield (
        told.waiting,
        ngettext(
            "{count} request that waited then is painted now, be it for the second time.",
            "{count} requests that waited then are painted now, be it for the second time.",
            told.waiting,
        ),
    )
    yield (
        told.unopened,
        ngettext(
            "{count} message that was not handled then is handled now.",
            "{count} messages that were not handled then are handled now.",
            told.unopened,
        ),
    )
    yield (
        told.deletions,
        ngettext(
            "{count} deletion since then is made again when realbot starts, before anything is taken.",
            "{count} deletions since then are made again when realbot starts, before anything is taken.",
            told.deletions,
        ),
    )
    yield (
        told.bans,
        ngettext(
            "{count} ban is the one of the database that was there.",
            "{count} bans are those of the database that was there.",
            told.bans,
        ),
    )
    yield (
        told.taken,
        ngettext(
            "{count} picture or style came from beside the copy.",
            "{count} pictures and styles came from beside the copy.",
            told.taken,
        ),
    )


def _saved(archive: Path, out: Path, name: str) -> Path:
    """Copy a file into a folder or to a new file. Only whoever runs this reads it."""
    target = out / name if out.is_dir() else out
    copy(archive, target)
    return target


def _lost(names: list[str] | tuple[str, ...], console: Console) -> None:
    if not names:
        return
    said = ngettext(
        "{count} picture or style is missing or damaged:",
        "{count} pictures and styles are missing or damaged:",
        len(names),
    )
    console.print(Text(said.format(count=len(names)), style="red"))
    for name in names[:_TOLD]:
        console.print(Text(f"  {name}"), soft_wrap=True)
    if len(names) > _TOLD:
        console.print(Text(_("… and {count} more.").format(count=len(names) - _TOLD)))


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _size(size: int) -> str:
    return f"{size / 2**20:.1f} MB"


def _plain(value: Any) -> Any:
    """As JSON data."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value
