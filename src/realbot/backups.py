"""Copies of the database, and if wanted of pictures and styles: made while realbot runs, and tried before they count.

A copy counts once it was opened again from where it lies, passed the checks of a start, and had every row. Calls block
on the disk: use `asyncio.to_thread`.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Container, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from . import database, sealed
from .errors import ConfigError
from .pictures import Pictures, copy, sync
from .sealed import Seal

#: Names begin with the database's own, so that two of them never push out each other's copies.
_NAME = re.compile(r"realbot-([0-9a-f]{8})-(\d{8}-\d{6})\.db(\.age)?")
_TIME = "%Y%m%d-%H%M%S"
#: Days of which one copy each is kept, and days after which a copy goes that is not the latest.
DAYS, OLDEST = 7, 30
DAY = 86_400.0
#: What is done, how much of it, and how much there is.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _all: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy by its name. `at` is the Unix time in seconds at which it was made."""

    path: Path
    identity: str  #: the first signs of the database's
    at: float

    @property
    def sealed(self) -> bool:
        return self.path.suffix == sealed.SUFFIX


@dataclass(frozen=True, slots=True)
class Made:
    """A copy that was just made. `rows` is how many each table has."""

    backup: Backup
    size: int  #: bytes of the database's copy
    seconds: float
    rows: dict[str, int]
    files: int = 0  #: pictures and styles that were copied
    lost: tuple[str, ...] = ()  #: names of pictures and styles that are missing or damaged


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database at rest refers to."""

    images: dict[str, str]  #: ids of pictures, and of one job each that needs it
    styles: tuple[str, ...]
    given_up: frozenset[str] = frozenset()  #: pictures that are known to be lost


def found(folder: Path) -> list[Backup]:
    """The copies in a folder, the latest first."""
    backups = []
    for path in folder.glob("realbot-*.db*") if folder.is_dir() else ():
        if match := _NAME.fullmatch(path.name):
            with contextlib.suppress(ValueError):
                at = time.strptime(match[2] + " UTC", _TIME + " %Z")
                backups.append(Backup(path, match[1], _seconds(at)))
    return sorted(backups, key=lambda one: (one.at, one.path.name), reverse=True)


def make(
    folder: Path,
    target: Path,
    seal: Seal,
    *,
    pictures: bool = False,
    now: float | None = None,
    progress: Progress = silent,
) -> Made:
    """Copy the database into the folder `target`, or to that file, and try the copy. Raises ConfigError.

    With `pictures` those the copy refers to, and trained styles, lie beside it. What it does not need is deleted there.
    """
    began, at = time.monotonic(), time.time() if now is None else now
    if not (folder / database.NAME).exists():
        raise database.fault(f"There is no database in {folder} that could be copied: set paths.data.")
    with _room(folder, target) as room:
        plain = room / database.NAME
        rows = database.backup(folder, plain, lambda done, pages: progress("database", done, pages))
        identity = _stamped(plain, at)
        path = target
        if target.is_dir():
            path = target / f"realbot-{identity}-{time.strftime(_TIME, time.gmtime(at))}.db"
        if seal and path.suffix != sealed.SUFFIX:
            path = path.with_name(path.name + sealed.SUFFIX)
        _kept(plain, path, seal, room)
        into = path.parent / files_of(identity)
        wanted = _wanted(folder, into, contents(plain), seal)
        if pictures:
            files, lost = _mirrored(folder, wanted, seal, progress)
            _cleared(into, wanted)
        else:
            files, lost = 0, []
            # What was copied before stays, sealed or not, but for what people have deleted since.
            bare = {one.with_name(one.name.removesuffix(sealed.SUFFIX)) for one in wanted}
            _cleared(into, bare | {one.with_name(one.name + sealed.SUFFIX) for one in bare})
    size = path.stat().st_size
    return Made(Backup(path, identity, at), size, time.monotonic() - began, rows, files, tuple(lost))


def damage(backup: Path) -> str:
    """What is wrong with a copy, as far as it can be told without its key; empty for a sound one."""
    try:
        if found := altered(backup):
            return found
        if backup.suffix == sealed.SUFFIX:
            return "" if _note(backup).exists() else "nothing tells what it was like when it was made"
        with tempfile.TemporaryDirectory() as room:
            # It is opened elsewhere, so that nothing is left beside it.
            return problem(Path(shutil.copyfile(backup, Path(room) / database.NAME)))
    except OSError as error:
        return str(error.strerror)


def altered(backup: Path) -> str:
    """Whether a copy is another one than was made, where its checksum lies beside it; empty when it is not."""
    try:
        noted = _note(backup).read_text(encoding="ascii", errors="replace").split()[:1]
    except FileNotFoundError:
        return ""
    return "" if noted == [_digest(backup)] else "it is not as it was when it was made"


def problem(path: Path) -> str:
    """Why no realbot can start with this database; empty when one can. Every index is compared with its table."""
    try:
        with database.reading(path) as db:
            (program,) = db.execute("PRAGMA application_id").fetchone()
            (schema,) = db.execute("PRAGMA user_version").fetchone()
            if program != database.APPLICATION:
                return "it is no database of realbot"
            if schema > max(database.steps()):
                return f"it is of a newer realbot, schema {schema}"
            database.identity(db)
            found = database.damage(db)
    except sqlite3.Error as error:
        found = str(error)
    return f"it is damaged: {found}" if found else ""


def rotate(folder: Path, keep: int, now: float, identity: str, damaged: Container[Path] = frozenset()) -> list[Path]:
    """Delete the copies of a database that are not kept any more; they are returned. Damaged ones take no one's place.

    The latest `keep` stay and one of each of the last days. What is older than a month goes: what people deleted must
    not live on.
    """
    copies = [one for one in found(folder) if one.identity == identity]
    mine = [one for one in copies if one.path not in damaged]
    days: dict[int, Backup] = {}
    for one in mine:
        if now // DAY - one.at // DAY < DAYS:
            days.setdefault(int(one.at // DAY), one)
    kept = {one.path for one in (*mine[:keep], *days.values()) if now - one.at < OLDEST * DAY}
    gone = [one.path for one in mine[1:] if one.path not in kept]
    gone += [one.path for one in copies if one.path in damaged and now - one.at >= OLDEST * DAY]
    for path in gone:
        path.unlink(missing_ok=True)
        _note(path).unlink(missing_ok=True)
    return gone


def contents(path: Path) -> Contents:
    """What a database refers to. Raises ConfigError."""
    try:
        with database.reading(path) as db:
            images = db.execute("SELECT image, min(jobs.id) FROM pictures JOIN jobs ON jobs.seq = job GROUP BY image")
            styles: tuple[str, ...] = ()
            if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'trained'").fetchone():
                found = db.execute("SELECT name FROM trained WHERE sha256 <> '' ORDER BY name")
                styles = tuple(name for (name,) in found)
            lost = db.execute("SELECT value FROM meta WHERE name = 'fact lost'").fetchone()
            return Contents(dict(images), styles, frozenset(json.loads(lost[0])) if lost else frozenset())
    except sqlite3.Error as error:
        raise ConfigError(f"The database {path} cannot be read ({error}).", key="paths.data") from error


def file(folder: Path, image: str) -> Path:
    """Where a picture lies in the data folder, and without its ending's addition in a folder of copies."""
    return folder / "pictures" / image[:2] / f"{image}.png"


def files_of(identity: str) -> str:
    """The name of the folder beside the copies of a database that has its pictures and styles."""
    return f"realbot-{identity}-files"


def _seconds(at: time.struct_time) -> float:
    return float(calendar.timegm(at))


@contextlib.contextmanager
def _room(folder: Path, target: Path) -> Iterator[Path]:
    """A folder for what is not finished, on the disk that holds the same anyway."""
    try:
        (target if target.suffix == "" else target.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=folder) as room:
            yield Path(room)
    except OSError as error:
        raise ConfigError(
            f"No copy could be made at {target} ({error.strerror}): free some space or choose another place.",
            key="backup.folder",
        ) from error


def _stamped(plain: Path, at: float) -> str:
    """Note in the copy of when it is, and return the first signs of the database's own name."""
    with closing(sqlite3.connect(plain)) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES ('fact copied', ?)", (str(at),))
        db.commit()
        name, _ = database.identity(db)
        # One file, with nothing beside it.
        db.execute("PRAGMA journal_mode = DELETE")
    return name[:8]


def _kept(plain: Path, path: Path, seal: Seal, room: Path) -> None:
    """Put the copy in its place once it was read from there and found to be what a realbot can start with."""
    part = path.with_name(path.name + ".part")
    drill = room / "drill"
    drill.mkdir(mode=0o700)
    try:
        part.unlink(missing_ok=True)
        if seal:
            key = seal.close(plain, part)
            sync(part)
            sealed.opened(part, drill / database.NAME, [key])
        else:
            copy(plain, part)
            shutil.copyfile(part, drill / database.NAME)
        if _digest(drill / database.NAME) != _digest(plain):
            raise ConfigError(f"The copy {path} does not read as it was written: mend its disk.", key="backup.folder")
        if found := problem(drill / database.NAME):
            raise ConfigError(f"The copy {path} would not be of use ({found}): nothing was replaced.")
        note = _note(path)
        note.unlink(missing_ok=True)
        note.touch(mode=0o600)
        note.write_text(f"{_digest(part)}  {path.name}\n", encoding="ascii")
        sync(note)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _wanted(folder: Path, into: Path, needed: Contents, seal: Seal) -> dict[Path, tuple[Path, str]]:
    """Where each picture and style is to lie, and where it lies now with the id of the picture."""
    wanted = {
        file(into, image).with_name(f"{image}.png{seal.suffix}"): (file(folder, image), image)
        for image in needed.images
    }
    for style in needed.styles:
        source = folder / "trained" / f"{style}.safetensors"
        wanted[into / "trained" / f"{source.name}{seal.suffix}"] = (source, "")
    return wanted


def _mirrored(
    folder: Path, wanted: dict[Path, tuple[Path, str]], seal: Seal, progress: Progress
) -> tuple[int, list[str]]:
    """Copy what is not there yet; how many files, and the names of those that are missing or damaged."""
    pictures, new, lost = Pictures(folder / "pictures"), 0, []
    for number, (target, (source, image)) in enumerate(sorted(wanted.items())):
        progress("pictures", number, len(wanted))
        if target.exists():
            continue
        if (image and not pictures.intact(image)) or not source.exists():
            lost.append(image or source.name)
            continue
        for above in (target.parent.parent.parent, target.parent.parent, target.parent):
            above.mkdir(mode=0o700, exist_ok=True)
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        if seal:
            seal.close(source, part)
            sync(part)
        else:
            copy(source, part)
        part.replace(target)
        new += 1
    return new, lost


def _cleared(into: Path, wanted: Container[Path]) -> None:
    """Delete copies of what the database does not have any more."""
    for path in (*(into / "pictures").rglob("*"), *(into / "trained").glob("*")):
        if path.is_file() and path not in wanted:
            path.unlink()


def _note(path: Path) -> Path:
    """The file beside a copy that `sha256sum --check` reads."""
    return path.with_name(path.name + ".sha256")


def _digest(path: Path) -> str:
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
