"""Whether everything that is kept is there and as it was: the database, each picture and style, each copy.

Looking changes nothing and can be done while realbot runs; mending needs the folder for itself.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import backups, database, restoring
from .backups import Progress, silent
from .findings import Finding, good, unwise, wrong
from .pictures import Pictures
from .store import Store

#: Seconds for which a file that no row names may be on its way into one.
FRESH = 3600.0
#: Names that are told of a kind.
TOLD = 3
_MEND = "Run realbot check --repair while realbot is stopped: what lies beside a copy is fetched, the rest given up."


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found. Pictures and styles by their names, files by their paths."""

    problem: str  #: with the database; empty for none
    pictures: int = 0
    damaged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    given_up: int = 0  #: pictures that are known to be lost
    orphans: tuple[Path, ...] = ()  #: files that no row names
    styles: int = 0
    broken: Mapping[str, str] | None = None  #: files of styles that cannot be used, and why
    lost: tuple[str, ...] = ()  #: trained styles without their file
    copies: int = 0
    useless: Mapping[Path, str] | None = None  #: copies that are of no use, and why


def inspect(
    folder: Path, copies: Path, broken: Mapping[str, str], progress: Progress = silent, now: float | None = None
) -> Inspected:
    """Look at everything. `broken` are files in the folders of styles that cannot be used."""
    useless = {}
    made = backups.found(copies)
    for number, one in enumerate(made):
        progress("copies", number, len(made))
        if found := backups.damage(one.path):
            useless[one.path] = found
    path = folder / database.NAME
    if not path.exists():
        return Inspected("there is none", broken=broken, copies=len(made), useless=useless)
    progress("database", 0, 1)
    problem = backups.problem(path)
    if problem:
        return Inspected(problem, broken=broken, copies=len(made), useless=useless)
    # Files first: what comes while this looks around is in a row before it is in a file, or younger than an hour.
    since = (time.time() if now is None else now) - FRESH
    files = {one.stem: one for one in (folder / "pictures").glob("??/*.png")}
    trained = {one.stem: one for one in (folder / "trained").glob("*.safetensors")}
    known = backups.contents(path)
    store = Pictures(folder / "pictures")
    damaged: list[str] = []
    missing: list[str] = []
    for number, image in enumerate(sorted(known.images)):
        progress("pictures", number, len(known.images))
        if not store.intact(image):
            (damaged if store.path(image).exists() else missing).append(image)
    lost = [image for image in missing if image in known.given_up]
    nobodys = [*_old(files, known.images, since), *_old(trained, known.styles, since)]
    return Inspected(
        "",
        len(known.images),
        tuple(damaged),
        tuple(image for image in missing if image not in known.given_up),
        len(lost),
        tuple(nobodys),
        len(known.styles),
        broken,
        tuple(name for name in known.styles if name not in trained),
        len(made),
        useless,
    )


async def findings(found: Inspected) -> AsyncIterator[Finding]:
    """The same in sentences, with what to do."""
    for finding in _findings(found):
        yield finding


def _findings(found: Inspected) -> Iterator[Finding]:
    if found.problem:
        yield wrong("database", f"It cannot be used: {found.problem}.", "Put back a copy with realbot restore FILE.")
    else:
        yield good("database", "It is whole, and every index agrees with its table.")
        yield from _pictures(found)
        yield from _styles(found)
    yield from _copies(found)


async def repair(
    folder: Path, copies: Path, found: Inspected, identities: Sequence[Any] = (), progress: Progress = silent
) -> int:
    """Fetch what is lost from beside the copies, give up the rest, and delete what nobody needs; how much was fetched.

    Raises ConfigError while realbot runs, and when the database cannot be used.
    """
    async with Store.open(folder) as store:
        pictures = Pictures(folder / "pictures")
        for image in found.damaged:
            pictures.drop(image)
        for path in found.orphans:
            path.unlink(missing_ok=True)
        taken, missing = restoring.complete(folder, copies, identities, progress)
        images = [name for name, job in missing if job]
        await store.mend(images, [Path(name).stem for name, job in missing if not job])
        return taken


def _pictures(found: Inspected) -> Iterator[Finding]:
    if found.damaged:
        yield wrong("pictures", f"{_count(found.damaged, 'is', 'are')} damaged: {_told(found.damaged)}.", _MEND)
    if found.missing:
        yield wrong("pictures", f"{_count(found.missing, 'has', 'have')} no file: {_told(found.missing)}.", _MEND)
    if found.given_up:
        yield unwise(
            "pictures",
            f"{found.given_up} are lost and given up; the history still tells of them.",
            "Another copy may have them.",
        )
    if not (found.damaged or found.missing or found.given_up):
        yield good("pictures", f"{found.pictures} looked at; each is as it was made.")
    if found.orphans:
        names = [path.name for path in found.orphans]
        yield unwise("files", f"{_count(names, 'belongs', 'belong')} to nothing: {_told(names)}.", _MEND)


def _styles(found: Inspected) -> Iterator[Finding]:
    for name, reason in (found.broken or {}).items():
        yield unwise("styles", f"{name} cannot be used: {reason}.", "Put a whole file in its place, or delete it.")
    if found.lost:
        yield wrong("trained styles", f"{_count(found.lost, 'has', 'have')} no file: {_told(found.lost)}.", _MEND)
    elif not found.broken:
        yield good("styles", f"All can be used; {found.styles} were trained here.")


def _copies(found: Inspected) -> Iterator[Finding]:
    for path, reason in (found.useless or {}).items():
        yield wrong("copies", f"{path} is of no use: {reason}.", "Delete it; realbot backup makes a new one.")
    if not found.copies:
        yield unwise("copies", "There is none.", "Run realbot backup, or set backup.hours.")
    elif not found.useless:
        yield good("copies", f"{found.copies} looked at; each is as it was made.")


def _old(files: Mapping[str, Path], known: Container[str], since: float) -> list[Path]:
    return [path for name, path in files.items() if name not in known and path.stat().st_mtime < since]


def _count(names: tuple[str, ...] | list[str], one: str, many: str) -> str:
    return f"{len(names)} {one if len(names) == 1 else many}"


def _told(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:TOLD]) + (" …" if len(names) > TOLD else "")
