"""The styles that people have trained: whose they are, who else may use them, and where their files lie."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from . import rows
from .errors import ConfigError, Invalid, NotYours
from .jobs import User
from .people import People
from .pictures import copy, sync
from .places import EVERYWHERE
from .styles import Style
from .tombstones import Tombstones
from .writer import Writer

#: What stays of a training that is over.
KEPT = ("metrics.csv", "chart.png")


@dataclass(frozen=True, slots=True)
class Trained:
    """A style of a person's own. `made` is the Unix time in seconds at which its training was asked for."""

    name: str
    job: str
    owner: str  #: key of the person
    made: float
    sha256: str  #: of its file; empty until it is trained
    shared: frozenset[str] = frozenset()  #: keys of servers, "*" for everywhere


class Wardrobe:
    """Who may wear what is in memory and in the store; asking never waits."""

    def __init__(
        self, folder: Path, writer: Writer, people: People, clock: Callable[[], float], tombstones: Tombstones
    ) -> None:
        #: Where the files of finished styles lie. What is there and in no row is nobody's, and nobody may use it.
        self.folder = folder / "trained"
        self._school = folder / "school"
        self._writer, self._people, self._clock, self._tombstones = writer, people, clock, tombstones
        self._styles: dict[str, Trained] = {}

    async def open(self) -> None:
        """Read whose is what, and delete what is left of trainings that nobody goes on with."""
        await self._read()
        waiting = await self._writer.run(
            lambda db: rows.rows(db, "SELECT id FROM jobs WHERE state IN ('accepted', 'running')"), write=False
        )
        wanted = {row["id"] for row in waiting} | {style.job for style in self._styles.values()}
        await asyncio.to_thread(self._tidy, wanted)

    def get(self, name: str) -> Trained | None:
        """What is known of a trained style, also while its name is only reserved."""
        return self._styles.get(name)

    def of(self, user_key: str) -> list[Trained]:
        """The finished styles of a person, of all linked accounts, by name."""
        mine = (one for one in self._styles.values() if one.sha256 and self._people.same(one.owner, user_key))
        return sorted(mine, key=lambda one: one.name)

    def visible(self, style: Style, user_key: str, server: str) -> bool:
        """Whether a person (empty: anybody) may use a style in a server; what nobody trained here is everybody's."""
        if style.path.parent.absolute() != self.folder.absolute():
            return True
        found = self._styles.get(style.name)
        if found is None:
            return False
        mine = bool(user_key) and self._people.same(found.owner, user_key)
        return mine or EVERYWHERE in found.shared or bool(server and server in found.shared)

    def somewhere(self, style: Style, user_key: str) -> bool:
        """Whether there is a place in which a person may use a style."""
        found = self._styles.get(style.name)
        return self.visible(style, user_key, "") or bool(found and found.shared)

    def lesson(self, job: str) -> Path:
        """Where a training keeps what going on needs, and afterwards its table and chart."""
        return self._school / job

    async def reserve(self, db: aiosqlite.Connection, name: str, job: str, user_key: str) -> None:
        """Part of a verb: this name belongs to that training. Raises Invalid when it is taken."""
        await db.execute(
            "DELETE FROM trained WHERE name = ? AND sha256 = '' AND job NOT IN"
            " (SELECT id FROM jobs WHERE state IN ('accepted', 'running'))",
            (name,),
        )
        made = await rows.count(
            db,
            "INSERT INTO trained (name, job, user_key, made) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (name, job, user_key, self._clock()),
        )
        if not made:
            raise taken(name)

    async def reread(self) -> None:
        """Take notice of what another verb of the store has changed."""
        await self._read()

    async def hang(self, job: str, name: str, path: Path, sha256: str) -> bool:
        """Keep the file of a style whose training is over; False when it is not what the engine wrote.

        Raises ConfigError when the disk does not take it.
        """
        try:
            if not await asyncio.to_thread(_copied, path, self.folder / f"{name}.safetensors", sha256):
                return False
        except OSError as error:
            raise ConfigError(f"A style could not be kept: {error.strerror}.", key="paths.data") from error

        async def work(db: aiosqlite.Connection) -> bool:
            return await rows.count(db, "UPDATE trained SET sha256 = ? WHERE name = ? AND job = ?",
                                    (sha256, name, job)) > 0  # fmt: skip

        done = await self._writer.run(work)
        await self._read()
        return done

    async def share(self, user: User, name: str, place: str, on: bool) -> Trained:
        """Let everybody in a place ("*": everywhere) use a style, or no longer. Raises NotYours."""
        self._mine(user, name)
        sql = ("INSERT OR IGNORE INTO shared (name, place) VALUES (?, ?)" if on else
               "DELETE FROM shared WHERE name = ? AND place = ?")  # fmt: skip
        await self._writer.run(lambda db: rows.count(db, sql, (name, place)))
        await self._read()
        return self._styles[name]

    async def discard(self, user: User, name: str) -> None:
        """Delete a style and its file for good. Raises NotYours."""
        found = self._mine(user, name)
        await self._tombstones.bury(
            self._writer,
            [("style", f"{name} {found.job}")],
            self._clock(),
            lambda db: rows.count(db, "DELETE FROM trained WHERE name = ?", (name,)),
        )
        await self.gone([(name, found.job)])

    async def lose(self, names: Sequence[str]) -> None:
        """The files of these styles are lost."""

        async def work(db: aiosqlite.Connection) -> None:
            await db.executemany("DELETE FROM trained WHERE name = ?", [(name,) for name in names])

        await self._writer.run(work)
        await self._read()

    async def gone(self, styles: Sequence[tuple[str, str]]) -> None:
        """Delete the files of styles, by name and job, that are in no row any more."""
        for name, job in styles:
            await asyncio.to_thread(self.file(name).unlink, missing_ok=True)
            await self.leave(job, kept=False)
        await self._read()

    async def leave(self, job: str, *, kept: bool) -> None:
        """A training is over: of its folder stay table and chart, or nothing."""
        await asyncio.to_thread(_left, self.lesson(job), kept=kept)

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _mine(self, user: User, name: str) -> Trained:
        found = self._styles.get(name)
        if found is None or not found.sha256 or not self._people.same(found.owner, user.key):
            raise NotYours
        return found

    async def _read(self) -> None:
        async def work(db: aiosqlite.Connection) -> tuple[list[aiosqlite.Row], list[aiosqlite.Row]]:
            return (
                await rows.rows(db, "SELECT name, job, user_key AS owner, made, sha256 FROM trained"),
                await rows.rows(db, "SELECT name, place FROM shared"),
            )

        styles, shares = await self._writer.run(work, write=False)
        places: dict[str, set[str]] = {}
        for row in shares:
            places.setdefault(row["name"], set()).add(row["place"])
        self._styles = {
            row["name"]: Trained(**dict(row), shared=frozenset(places.get(row["name"], ()))) for row in styles
        }

    def _tidy(self, wanted: set[str]) -> None:
        if self._school.is_dir():
            for folder in self._school.iterdir():
                if folder.name not in wanted:
                    shutil.rmtree(folder, ignore_errors=True)


def taken(name: str) -> Invalid:
    """The refusal of a name that a style has already."""
    return Invalid("There is a style {style} already; take another name.", style=name, word=name)


def _copied(source: Path, target: Path, sha256: str) -> bool:
    """Put a file in its place in one step, on the disk; False when it is not the one with this hash."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    part = target.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        found = copy(source, part)
    except FileNotFoundError:
        return False
    if found != sha256:
        part.unlink()
        return False
    part.replace(target)
    sync(target.parent)
    return True


def _left(folder: Path, *, kept: bool) -> None:
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in KEPT and not path.name.startswith("samples-"):
            path.unlink(missing_ok=True)
