"""The SQLite file at rest: opened by one process only, checked, migrated with a copy first, and backed up.

Nothing is written before every check has passed: a database that looks wrong is left exactly as it was found.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import ConfigError
from .pictures import sync

log = logging.getLogger(__name__)

NAME = "realbot.db"
#: "rbot" in the file's header, so that another program's database is not taken for ours.
APPLICATION = 0x72626F74
#: JSON functions and STRICT tables are built in from here on.
OLDEST_SQLITE = (3, 38, 0)
#: Before this version two writing connections could corrupt a write-ahead log; the lock allows only one.
SAFE_SQLITE = (3, 51, 3)
#: Up to this size every index is compared with its table at start; above, only the structure is checked.
FULL_CHECK = 64 << 20
#: File systems on which locks or shared memory do not hold between hosts.
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"})
#: SQLite's primary result codes for a file or disk that does not let itself be used.
UNREACHABLE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
#: Pages that are copied at a time; the database can be written in between.
PAGES = 1024
#: Seconds for which the copy made before an upgrade is kept.
KEPT = 30 * 86_400.0
_BACKUP = "put back a copy made by `realbot backup`"


def fault(message: str) -> ConfigError:
    """A ConfigError about the data folder."""
    return ConfigError(message, key="paths.data")


def steps() -> dict[int, str]:
    """The migrations of this program: number and SQL."""
    found = {}
    for entry in (resources.files(__package__) / "schema").iterdir():
        if match := re.fullmatch(r"(\d{4})_\w+\.sql", entry.name):
            found[int(match[1])] = entry.read_text(encoding="utf-8")
    return found


def lock(folder: Path) -> FileLock:
    """Take the folder for this process until `release` or its death. Raises ConfigError when another one has it."""
    taken = FileLock(folder / "realbot.lock", mode=0o600, thread_local=False)
    try:
        taken.acquire(blocking=False)
    except Timeout:
        raise fault(
            f"Another realbot runs on the data folder {folder}: stop it, or set paths.data to another folder."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise fault(f"The data folder {folder} cannot be locked ({error}): set paths.data to a local disk.") from error
    return taken


def prepare(folder: Path) -> None:
    """Make the folder if need be, and refuse what cannot be trusted with data. Raises ConfigError."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise fault(
            f"SQLite {sqlite3.sqlite_version} is too old: install a Python with SQLite "
            f"{'.'.join(map(str, OLDEST_SQLITE))} or newer."
        )
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        log.info("SQLite %s has the WAL-reset fault; one connection alone never meets it", sqlite3.sqlite_version)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise fault(
            f"The data folder {folder} cannot be written ({error.strerror}): mend its permissions or set paths.data."
        ) from error
    kind = filesystem(folder)
    if kind in NETWORK:
        raise fault(f"The data folder {folder} is on a network file system ({kind}): set paths.data to a local disk.")


def filesystem(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the file system that holds the folder, empty where the system does not tell."""
    best, kind = "", ""
    place = f"{folder.resolve()}/"
    with contextlib.suppress(OSError):
        for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            left, _, right = line.partition(" - ")
            fields = left.split()
            if len(fields) < 5 or not right:
                continue
            point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4]).rstrip("/") + "/"
            if place.startswith(point) and len(point) >= len(best):
                best, kind = point, right.split()[0]
    return kind


class Ledger:
    """How many commits the database has acknowledged, beside it and not synced.

    It never runs ahead of the database, not even after a power cut. So when the database knows fewer commits, its
    write-ahead log was deleted or exchanged, or the file is an older copy.
    """

    SIZE = 64

    def __init__(self, folder: Path) -> None:
        self.path = folder / "realbot.commits"
        self.commits = 0
        self._identity = ""
        self._handle = -1

    def read(self) -> tuple[str, int] | None:
        """Identity of the database and its commits, None when there is no legible entry."""
        try:
            identity, commits, check = self.path.read_text(encoding="ascii").split()
        except (OSError, ValueError):
            return None
        return (identity, int(commits)) if check == self._check(identity, commits) else None

    def open(self, identity: str, commits: int) -> None:
        """Begin to keep count for this database."""
        self._identity = identity
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        self.write(commits)

    def write(self, commits: int) -> None:
        """Note that so many commits are acknowledged."""
        self.commits = commits
        entry = f"{self._identity} {commits} {self._check(self._identity, str(commits))}\n"
        try:
            os.pwrite(self._handle, entry.rjust(self.SIZE).encode("ascii"), 0)
        except OSError as error:
            log.warning("%s could not be written: %s", self.path, error)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    @staticmethod
    def _check(identity: str, commits: str) -> str:
        return f"{zlib.crc32(f'{identity} {commits}'.encode()):08x}"


def check(folder: Path, known: Mapping[int, str], seen: tuple[str, int] | None) -> int:
    """Look at the database without changing a byte and return its schema number, 0 when it is still to be made.

    `seen` is what the ledger holds. Raises ConfigError for a damaged, foreign, rolled back or newer database.
    """
    path = folder / NAME
    try:
        if not path.exists() or path.stat().st_size == 0:
            return _made(folder, seen)
        with reading(path) as db:
            (have,) = db.execute("PRAGMA user_version").fetchone()
            (program,) = db.execute("PRAGMA application_id").fetchone()
            if have == 0 and db.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
                return _made(folder, seen)
            if program != APPLICATION:
                if seen is not None:
                    raise sqlite3.DatabaseError("its header is not ours")
                raise fault(f"The file {path} belongs to another program: set paths.data to another folder.")
            if have > max(known):
                raise fault(
                    f"The database {path} is of a newer realbot (schema {have}, this one knows {max(known)}): "
                    f"upgrade realbot, or {_BACKUP}."
                )
            problem = damage(db, path.stat().st_size)
            if problem:
                raise fault(f"The database {path} is damaged ({problem}): {_BACKUP}, or move it away to start anew.")
            found, commits = identity(db)
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise fault(f"Another program holds the database {path}: close it and start again.") from error
        if code in UNREACHABLE:
            raise fault(f"The database {path} cannot be read ({error}): mend its permissions or its disk.") from error
        raise fault(f"The database {path} is damaged ({error}): {_BACKUP}, or move it away to start anew.") from error
    if seen is not None and (seen[0] != found or seen[1] > commits):
        reason = (
            f"lacks the last {seen[1] - commits} changes it had confirmed"
            if seen[0] == found
            else "or its write-ahead log is not the one of this folder"
        )
        raise fault(f"The database {path} {reason}: {_BACKUP}, or delete {_ledger(folder)} to go on with what is left.")
    return int(have)


def _made(folder: Path, seen: tuple[str, int] | None) -> int:
    """Allow a database to be made where there never was one."""
    if seen is not None:
        raise fault(
            f"The database {folder / NAME} is gone or empty: {_BACKUP}, or delete {_ledger(folder)} to start anew."
        )
    return 0


def _ledger(folder: Path) -> Path:
    return Ledger(folder).path


def identity(db: sqlite3.Connection) -> tuple[str, int]:
    """The database's own random name and the number of its commits."""
    rows = dict(db.execute("SELECT name, value FROM meta WHERE name IN ('identity', 'commits')"))
    try:
        return str(rows["identity"]), int(rows["commits"])
    except (KeyError, ValueError) as error:
        raise sqlite3.DatabaseError("its identity is unreadable") from error


def pepper(db: sqlite3.Connection) -> bytes:
    """The key of the hashes that stand for people who had everything of theirs deleted."""
    try:
        return bytes.fromhex(db.execute("SELECT value FROM meta WHERE name = 'pepper'").fetchone()[0])
    except (TypeError, ValueError) as error:
        raise fault(f"The database is damaged (its key is unreadable): {_BACKUP}.") from error


def damage(db: sqlite3.Connection, size: int = 0) -> str:
    """The first thing wrong with the structure or the constraints, empty for a sound database."""
    found = db.execute("PRAGMA integrity_check(1)" if size < FULL_CHECK else "PRAGMA quick_check(1)").fetchone()[0]
    return "" if found == "ok" else str(found).splitlines()[-1]


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, nor fold the write-ahead log into the file when it closes."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as db:
        yield db


def settled(folder: Path) -> dict[str, dict[str, Any]]:
    """The rules of every place as JSON data, read beside a realbot that runs; none where there is no database.

    Raises ConfigError.
    """
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        with reading(path) as db:
            return {key: json.loads(rules) for key, rules in db.execute("SELECT key, rules FROM places")}
    except (sqlite3.Error, ValueError) as error:
        raise fault(f"The database {path} cannot be read ({error}).") from error


def migrate(folder: Path, have: int, known: Mapping[int, str]) -> None:
    """Bring the database to the newest schema, each step wholly or not at all, after copying what is there."""
    path = folder / NAME
    todo = sorted(number for number in known if number > have)
    if have and todo:
        backup(folder, folder / f"realbot-before-{todo[-1]:04}.db")
    path.touch(mode=0o600)
    path.chmod(0o600)
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=2)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # What a step drops or rewrites must not live on in free pages.
            db.execute("PRAGMA secure_delete = ON")
            for number in todo:
                db.executescript(
                    f"BEGIN IMMEDIATE;\n{known[number]}\nPRAGMA application_id = {APPLICATION};\n"
                    f"PRAGMA user_version = {number};\nCOMMIT;"
                )
    except sqlite3.Error as error:
        raise fault(
            f"The database {path} could not be brought to schema {todo[-1] if todo else have} ({error}); "
            "it is as it was before: free some space or ask for help."
        ) from error


def tidy(folder: Path, now: float) -> None:
    """Delete databases that an upgrade or a restoration left more than `KEPT` ago, with what was deleted since."""
    for copy in [*folder.glob("realbot-before-*.db"), *folder.glob("realbot-replaced-*.db*")]:
        with contextlib.suppress(OSError):
            if copy.stat().st_mtime < now - KEPT:
                copy.unlink()
                log.info("the old database %s is deleted", copy)


def backup(folder: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> dict[str, int]:
    """Copy the database, also while realbot runs, and check the copy before it gets its name; its rows by table.

    `progress` hears of the pages that are done and of all, and what it raises ends the copying. Raises ConfigError.
    """
    part = target.with_name(target.name + ".part")

    def step(_status: int, left: int, pages: int) -> None:
        if progress is not None:
            progress(pages - left, pages)

    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        with reading(folder / NAME) as source, contextlib.closing(sqlite3.connect(part)) as copy:
            # The rows that are counted and those that are copied are of one moment.
            source.execute("BEGIN")
            expected = counts(source)
            source.backup(copy, pages=PAGES, progress=step)
            source.rollback()
            if progress is not None:
                # The check is ended in the same way.
                copy.set_progress_handler(lambda: progress(1, 1), 1_000_000)
            problem = damage(copy)
            if not problem and counts(copy) != expected:
                problem = "it has not as many rows"
        if problem:
            raise fault(f"The copy {target} would be damaged ({problem}): nothing was replaced.")
        sync(part)
        part.replace(target)
        sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise fault(
            f"The database could not be copied to {target} ({error}): free some space or choose another place."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return expected


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has, counted by its rows and not by an index."""
    found = db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'words%'"
    )
    return {name: db.execute(f'SELECT count(*) FROM "{name}" NOT INDEXED').fetchone()[0] for (name,) in found}  # noqa: S608
