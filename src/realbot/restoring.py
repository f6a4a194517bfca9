"""A copy put in the place of the database: tried first, what was there moved aside, and what is missing named."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import backups, database, sealed
from .backups import Progress, silent
from .errors import ConfigError
from .pictures import Pictures, copy, sync
from .tombstones import Tombstones

#: What the table of bans is like.
_COLUMNS = "SELECT name FROM pragma_table_info('bans') ORDER BY cid"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back. Times are Unix times in seconds."""

    at: float  #: when the copy was made; what came later is not in it
    rows: dict[str, int]  #: of each table
    replaced: Path | None  #: where the database that was there lies now; None when there was none
    lost: int | None  #: jobs that the copy does not have; None when nothing tells
    waiting: int  #: jobs that waited when the copy was made, and are painted again
    unopened: int  #: messages that were not handled when the copy was made, and are handled again
    bans: int  #: bans that were taken over from the database that was there, with what was lifted since
    deletions: int  #: people, jobs and styles that were deleted since, and are again before anything is taken
    strange: int  #: deletions from another database, which cannot be repeated in this one
    taken: int  #: pictures and styles that came from beside the copy
    missing: tuple[tuple[str, str], ...]  #: pictures that are nowhere, each with a job that needs it; styles without


def restore(
    folder: Path, source: Path, identities: Sequence[Any] = (), progress: Progress = silent, now: float | None = None
) -> Restored:
    """Put a copy in the place of the database. Raises ConfigError and changes nothing when it cannot be used.

    Refuses while realbot runs on the folder.
    """
    if not source.is_file():
        raise ConfigError(f"There is no file {source}.")
    database.prepare(folder)
    held = database.lock(folder)
    try:
        with _tried(folder, source, identities, progress) as part:
            told = _told(folder, part)
            bans = _banned(folder / database.NAME, part)
            replaced = _aside(folder, time.time() if now is None else now)
            part.replace(folder / database.NAME)
            sync(folder)
            # Without a database and its ledger a start would make an empty one, to which no picture belongs.
            database.Ledger(folder).path.unlink(missing_ok=True)
            sync(folder)
        taken, missing = complete(folder, source.parent, identities, progress)
    except (OSError, sqlite3.Error) as error:
        raise database.fault(
            f"The copy {source} cannot be put back ({error}): choose another one or free some space."
        ) from error
    finally:
        held.release()
    return Restored(**told, bans=bans, replaced=replaced, taken=taken, missing=tuple(missing))


@contextlib.contextmanager
def _tried(folder: Path, source: Path, identities: Sequence[Any], progress: Progress) -> Iterator[Path]:
    """The copy, decrypted and found to be what a realbot can start with, in a folder of its own."""
    room = folder / f".restore-{os.getpid()}"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(mode=0o700)
    try:
        part = room / database.NAME
        progress("database", 0, 1)
        if problem := backups.altered(source):
            raise ConfigError(f"The copy {source} cannot be used ({problem}): choose another one.")
        if source.suffix == sealed.SUFFIX:
            if not identities:
                raise ConfigError(f"The copy {source} is encrypted: name the file of its key with --identity.")
            sealed.opened(source, part, identities)
        else:
            copy(source, part)
        if problem := backups.problem(part):
            raise ConfigError(f"The copy {source} cannot be used ({problem}): choose another one.")
        progress("database", 1, 1)
        for suffix in ("-wal", "-shm"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)
        sync(part)
        yield part
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _told(folder: Path, part: Path) -> dict[str, Any]:
    """What whoever restores should know of the copy, and of what is there."""
    with database.reading(part) as db:
        rows = database.counts(db)
        at = _copied(db)
        (waiting,) = db.execute("SELECT count(*) FROM jobs WHERE state IN ('accepted', 'running')").fetchone()
        unopened = 0
        if "inbox" in rows:
            (unopened,) = db.execute("SELECT count(*) FROM inbox WHERE opened IS NULL").fetchone()
        known = db.execute("SELECT value FROM meta WHERE name = 'fact tombstone'").fetchone()
        stones = Tombstones(folder, database.identity(db)[0], b"")
    return {
        "at": at,
        "rows": rows,
        "lost": _newer(folder / database.NAME, at),
        "waiting": waiting,
        "unopened": unopened,
        "deletions": len({(one.kind, one.hash) for one in stones.after(int(known[0]) if known else 0)}),
        "strange": stones.strange(),
    }


def _banned(path: Path, part: Path) -> int:
    """Take over the bans of the database that is there, where it is the same one in a later state; how many."""
    if not path.exists():
        return 0
    try:
        with database.reading(path) as later, contextlib.closing(sqlite3.connect(part)) as db:
            if database.identity(later)[0] != database.identity(db)[0]:
                return 0
            if later.execute(_COLUMNS).fetchall() != db.execute(_COLUMNS).fetchall():
                return 0
            bans = later.execute("SELECT * FROM bans").fetchall()
            db.execute("DELETE FROM bans")
            for ban in bans:
                db.execute(f"INSERT INTO bans VALUES ({', '.join('?' * len(ban))})", ban)  # noqa: S608
            db.commit()
    except sqlite3.Error:
        # It is damaged, or one of the two knows no bans.
        return 0
    return len(bans)


def _copied(db: sqlite3.Connection) -> float:
    """When a copy was made: as it says itself, else when something last happened in it."""
    found = db.execute("SELECT value FROM meta WHERE name = 'fact copied'").fetchone()
    if found is not None:
        return float(found[0])
    (latest,) = db.execute("SELECT max(max(created, coalesce(finished, 0))) FROM jobs").fetchone()
    return float(latest or 0.0)


def _newer(path: Path, at: float) -> int | None:
    """How many jobs the database that is there has from after a time; None when it cannot be read."""
    try:
        with database.reading(path) as db:
            return int(db.execute("SELECT count(*) FROM jobs WHERE created > ?", (at,)).fetchone()[0])
    except (sqlite3.Error, OSError):
        return None


def _aside(folder: Path, now: float) -> Path | None:
    """Move the database that is there, and its log, out of the way."""
    path = folder / database.NAME
    target = folder / f"realbot-replaced-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}.db"
    moved = None
    for suffix in ("-wal", "-shm", ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            moved = old.replace(target.with_name(target.name + suffix))
            # Its age counts from now on.
            os.utime(moved)
    return target if moved is not None else None


def complete(
    folder: Path, copies: Path, identities: Sequence[Any] = (), progress: Progress = silent
) -> tuple[int, list[tuple[str, str]]]:
    """Fetch what the database needs and the folder lacks from beside the copies; how much, and what is nowhere.

    Of a picture that is nowhere one job is named that needs it. Nothing else may use the folder.
    """
    path = folder / database.NAME
    needed = backups.contents(path)
    with database.reading(path) as db:
        beside = copies / backups.files_of(database.identity(db)[0][:8])
    pictures = Pictures(folder / "pictures")
    taken, missing = 0, []
    for number, (image, job) in enumerate(needed.images.items()):
        progress("pictures", number, len(needed.images))
        if backups.file(folder, image).exists():
            continue
        with _fetched(folder, backups.file(beside, image), identities) as file:
            if file is not None and pictures.adopt(file) == image:
                taken += 1
            else:
                missing.append((image, job))
    for style in needed.styles:
        target = folder / "trained" / f"{style}.safetensors"
        if target.exists():
            continue
        with _fetched(folder, beside / "trained" / target.name, identities) as file:
            if file is None:
                missing.append((target.name, ""))
                continue
            target.parent.mkdir(mode=0o700, exist_ok=True)
            copy(file, target)
            taken += 1
    return taken, missing


@contextlib.contextmanager
def _fetched(folder: Path, source: Path, identities: Sequence[Any]) -> Iterator[Path | None]:
    """A file from beside the copy, decrypted; None when it is not there."""
    closed = source.with_name(source.name + sealed.SUFFIX)
    if source.is_file():
        yield source
        return
    if not (closed.is_file() and identities):
        yield None
        return
    plain = folder / f".restore-{os.getpid()}.part"
    try:
        sealed.opened(closed, plain, identities)
    except ConfigError:
        sound = False
    else:
        sound = True
    try:
        yield plain if sound else None
    finally:
        plain.unlink(missing_ok=True)
