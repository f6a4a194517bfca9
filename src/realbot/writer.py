"""The one task that owns the database connection.

Verbs wait in line, run whole, and are acknowledged only after their commit. Verbs that wait together share one
fsync; each stays its own savepoint, so a verb that fails takes nothing of its neighbours with it. They run in the
connection's thread, where a verb waits for nothing but its own statements.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

import aiosqlite

from .database import UNREACHABLE
from .errors import ConfigError, QueueFull

T = TypeVar("T")
Work: TypeAlias = Callable[[aiosqlite.Connection], Awaitable[T]]

#: Verbs that share one commit at most.
GROUP = 64
#: Seconds SQLite itself waits for another program's lock before the writer looks round.
BUSY_WAIT = 0.1
#: Seconds an acceptance waits for another program's lock on the database; platforms give three to answer.
PATIENCE = 1.5


async def finish(task: asyncio.Future[T]) -> T | None:
    """Wait until `task` is done although the caller is cancelled, and only then be cancelled."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return None if task.cancelled() else task.result()


class Connection(aiosqlite.Connection):
    """A connection to which a whole verb can be handed over: the way to its thread and back is longer than a statement.

    `async with Connection(path) as db: ...`
    """

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: sqlite3.connect(path, isolation_level=None, timeout=BUSY_WAIT), iter_chunk_size=64)

    async def run(self, work: Work[T]) -> T:
        """Run `work`, which waits for nothing but this connection, in the connection's thread."""
        value: T = await self._execute(_run, self, work)
        return value

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is self._thread:
            return fn(*args, **kwargs)
        return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self


def _run(db: Connection, work: Work[T]) -> T:
    """The value of `work`, whose every statement is done as soon as it is asked for."""
    steps = work(db).__await__()
    try:
        next(steps)
    except StopIteration as done:
        value: T = done.value
        return value
    steps.close()
    raise RuntimeError("a verb of the store waits for something that is not the database")


@dataclass(slots=True, eq=False)
class _Item:
    work: Work[Any]
    future: asyncio.Future[Any]
    deadline: float | None  #: loop time after which the verb is refused if it has not begun


#: A verb, what it gave, and why it failed.
_Outcome: TypeAlias = tuple[_Item, Any, Exception | None]


class Writer:
    """Runs verbs one after the other. `committed` is called with the number of commits after each one."""

    def __init__(self, db: Connection, commits: int, committed: Callable[[int], None], folder: Path) -> None:
        self._db = db
        self._commits = commits
        self._committed = committed
        self._folder = folder
        #: Called with the seconds of each commit.
        self.timed: Callable[[float], None] = lambda _: None
        self._reads: deque[_Item] = deque()
        self._writes: deque[_Item] = deque()
        self._batch: list[_Item] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._serve(), name="store writer")

    async def run(self, work: Work[T], *, write: bool = True, patience: float | None = None) -> T:
        """Run `work` as one transaction and return its value once it is on disk.

        A caller that is cancelled does not interrupt it. `work` may be run twice, its first run rolled back.
        With `patience` in seconds it is refused with QueueFull when another program holds the database that long,
        and a full disk is a QueueFull too; without, it waits, and a full disk is a ConfigError.
        """
        if self._closing or self._task.done():
            raise RuntimeError("the store is closed")
        loop = asyncio.get_running_loop()
        deadline = None if patience is None else loop.time() + patience
        item = _Item(work, loop.create_future(), deadline)
        (self._writes if write else self._reads).append(item)
        self._wake.set()
        try:
            return await asyncio.shield(item.future)
        except sqlite3.DatabaseError as error:
            raise self._plain(error, refuse=patience is not None) from error

    async def close(self) -> None:
        """Finish what waits, then stop. The connection stays open."""
        self._closing = True
        self._wake.set()
        await finish(self._task)

    def _plain(self, error: sqlite3.DatabaseError, *, refuse: bool) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return ConfigError(
                f"The database in {self._folder} is damaged: stop, and put back a copy made by `realbot backup`.",
                key="paths.data",
            )
        if code not in UNREACHABLE:
            return error
        if refuse:
            return QueueFull("The bot's disk is full or read-only, so nothing can be accepted; please try again later.")
        return ConfigError(
            f"The data folder {self._folder} cannot be written ({error}): free some space or mend its disk.",
            key="paths.data",
        )

    async def _serve(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._reads or self._writes:
                    await self._read()
                    while self._writes and len(self._batch) < GROUP:
                        self._batch.append(self._writes.popleft())
                    await self._write(self._batch)
                    self._batch = []
                if self._closing:
                    return
        finally:
            for item in (*self._batch, *self._reads, *self._writes):
                item.future.cancel()

    async def _read(self) -> None:
        """Answer what only reads; it sees committed rows, because no transaction is open between batches."""
        while self._reads:
            item = self._reads[0]
            try:
                value = await self._db.run(item.work)
            except Exception as error:
                _settle(item, error=error)
            else:
                _settle(item, value)
            self._reads.popleft()

    async def _begin(self, batch: list[_Item]) -> None:
        """Take the write lock, however long another program holds it; what has lost patience leaves the batch."""
        loop = asyncio.get_running_loop()
        while batch:
            try:
                await self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            else:
                return
            await self._read()
            for item in [i for i in (*batch, *self._writes) if i.deadline is not None and i.deadline < loop.time()]:
                (batch if item in batch else self._writes).remove(item)
                _settle(item, error=QueueFull("The bot is busy, please try again in a moment."))

    async def _write(self, batch: list[_Item]) -> None:
        try:
            await self._begin(batch)
            if not batch:
                return
            begun = time.perf_counter()
            outcomes = await self._db.run(lambda db: self._together(db, batch))
            if any(failure is None for _, _, failure in outcomes):
                self.timed(time.perf_counter() - begun)
                self._commits += 1
                self._committed(self._commits)
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                await self._db.rollback()
            if len(batch) > 1:
                for item in batch:
                    await self._write([item])
            else:
                _settle(batch[0], error=error)
            return
        for item, value, failure in outcomes:
            _settle(item, value, failure)

    async def _together(self, db: aiosqlite.Connection, batch: list[_Item]) -> list[_Outcome]:
        """Run the verbs and commit what did not fail."""
        outcomes = [(item, *await self._attempt(item)) for item in batch]
        if all(failure is not None for _, _, failure in outcomes):
            await db.execute("ROLLBACK")
        else:
            await db.execute("UPDATE meta SET value = ? WHERE name = 'commits'", (str(self._commits + 1),))
            await db.execute("COMMIT")
        return outcomes

    async def _attempt(self, item: _Item) -> tuple[Any, Exception | None]:
        await self._db.execute("SAVEPOINT verb")
        try:
            value = _run(self._db, item.work)
        except sqlite3.OperationalError:
            raise  # a full disk may have ended the whole transaction: each verb of the batch is tried alone
        except Exception as error:
            await self._db.execute("ROLLBACK TO verb")
            await self._db.execute("RELEASE verb")
            return None, error
        await self._db.execute("RELEASE verb")
        return value, None


def _settle(item: _Item, value: Any = None, error: Exception | None = None) -> None:
    if item.future.done():
        return
    if error is None:
        item.future.set_result(value)
    else:
        item.future.set_exception(error)
