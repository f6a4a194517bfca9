"""What was deleted for good, as keyed hashes beside the database, so that no older copy that is put back revives it.

One line each, appended and synced before the deletion is carried out. Nobody is named in them, and without the key,
which is in the database, they say nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import aiosqlite

from . import rows
from .errors import ConfigError
from .pictures import sync
from .writer import Work, Writer

T = TypeVar("T")

NAME = "realbot.tombstones"
#: Which of them a database has carried out.
_MARK = "fact tombstone"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One deletion. `at` is a Unix time in seconds."""

    number: int  #: grows by one
    identity: str  #: of the database, whose key the hash was made with
    kind: str  #: person, job or style
    hash: str
    at: float

    def line(self) -> str:
        told = f"{self.number} {self.identity} {self.kind} {self.hash} {self.at:.3f}"
        return f"{told} {zlib.crc32(told.encode()):08x}\n"


class Tombstones:
    """Those of one data folder. Calls block on the disk but for `bury`."""

    def __init__(self, folder: Path, identity: str, pepper: bytes) -> None:
        self.path = folder / NAME
        self.pepper = pepper
        self.identity = identity
        self._last: int | None = None
        self._burying = asyncio.Lock()
        #: Nothing is appended to a file that is about to be replaced.
        self._writing = threading.Lock()

    def hash(self, kind: str, name: str) -> str:
        """What stands for a person by their key, for a job by its id, or for a style."""
        return rows.alias(self.pepper, name if kind == "person" else f"{kind} {name}")

    async def bury(
        self,
        writer: Writer,
        marks: Sequence[tuple[str, str]],
        at: float,
        work: Work[T],
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Carry out a deletion so that it holds also when an older copy of the database is put back.

        `marks` are kinds and names; `work` ends what `first` may have begun in several verbs. One that the disk did not
        take after its tombstone is made up for at the next start, and until then later ones count as not carried out.
        Raises ConfigError when nothing can be written.
        """
        async with self._burying:
            known = await writer.run(applied, write=False)
            left = await asyncio.to_thread(self.after, known)
            number = await asyncio.to_thread(self._add, marks, at, known)
            if first is not None:
                await first()

            async def whole(db: aiosqlite.Connection) -> T:
                value = await work(db)
                if not left:
                    await apply(db, number)
                return value

            return await writer.run(whole)

    def read(self) -> list[Tombstone]:
        """All that are legible, the oldest first."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.path.read_text(encoding="ascii", errors="replace").splitlines(keepends=True):
                with contextlib.suppress(ValueError):
                    number, identity, kind, hashed, at, _ = line.split()
                    stone = Tombstone(int(number), identity, kind, hashed, float(at))
                    if stone.line() == line:
                        found.append(stone)
        return found

    def after(self, number: int) -> list[Tombstone]:
        """Those that a database which has carried out the ones up to `number` does not know."""
        return [stone for stone in self.read() if stone.identity == self.identity and stone.number > number]

    def strange(self) -> int:
        """How many belong to another database: whom they stand for cannot be told with this one's key."""
        return sum(stone.identity != self.identity for stone in self.read())

    def rotate(self, before: float) -> int:
        """Take out those from before a Unix time, when no copy is so old any more; return how many."""
        with self._writing:
            found = self.read()
            kept = [stone for stone in found if stone.at >= before]
            if len(kept) < len(found):
                part = self.path.with_suffix(".part")
                part.unlink(missing_ok=True)
                self._write(part, "".join(stone.line() for stone in kept))
                part.replace(self.path)
                sync(self.path.parent)
            return len(found) - len(kept)

    def _add(self, marks: Sequence[tuple[str, str]], at: float, known: int) -> int:
        """Append tombstones and return the number of the last one, when they are on the disk."""
        if self._last is None:
            self._last = max((stone.number for stone in self.read()), default=0)
        first = max(self._last, known) + 1
        stones = [
            Tombstone(first + n, self.identity, kind, self.hash(kind, name), at) for n, (kind, name) in enumerate(marks)
        ]
        try:
            with self._writing:
                self._write(self.path, ("\n" if _torn(self.path) else "") + "".join(stone.line() for stone in stones))
        except OSError as error:
            raise ConfigError(
                f"A deletion could not be noted in {self.path} ({error.strerror}): free some space or mend its disk.",
                key="paths.data",
            ) from error
        self._last = first + len(stones) - 1
        return self._last

    @staticmethod
    def _write(path: Path, text: str) -> None:
        fresh = not path.exists()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(text.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            sync(path.parent)


def _torn(path: Path) -> bool:
    """Whether its last line broke off."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False


async def applied(db: aiosqlite.Connection) -> int:
    """The number of the last tombstone that this database has carried out."""
    found = await rows.one(db, "SELECT value FROM meta WHERE name = ?", (_MARK,))
    return 0 if found is None else int(found["value"])


async def apply(db: aiosqlite.Connection, number: int) -> None:
    """Part of a verb: the tombstones up to this one are carried out."""
    await db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_MARK, str(number)))
