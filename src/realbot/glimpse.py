"""A look at the database from outside: read-only, also while realbot runs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from .database import NAME, reading


@dataclass(frozen=True, slots=True)
class Glimpse:
    """`images` are some of the pictures, chosen by chance."""

    jobs: int = 0
    pictures: int = 0
    images: tuple[str, ...] = ()
    fingerprint: str = ""  #: of the last engine that was ready


def glimpse(folder: Path, sample: int) -> Glimpse:
    """What the database of a data folder holds, with `sample` pictures at most. Raises sqlite3.Error."""
    with reading(folder / NAME) as db:
        (jobs,) = db.execute("SELECT count(*) FROM jobs").fetchone()
        (pictures,) = db.execute("SELECT count(DISTINCT image) FROM pictures").fetchone()
        images = db.execute("SELECT DISTINCT image FROM pictures ORDER BY random() LIMIT ?", (sample,)).fetchall()
        return Glimpse(jobs, pictures, tuple(image for (image,) in images), _remembered(db, "fingerprint"))


def remembered(folder: Path, name: str) -> str:
    """A small fact that realbot keeps under a name, empty for none."""
    try:
        with reading(folder / NAME) as db:
            return _remembered(db, name)
    except sqlite3.Error:
        return ""


def _remembered(db: sqlite3.Connection, name: str) -> str:
    found = db.execute("SELECT value FROM meta WHERE name = 'fact ' || ?", (name,)).fetchone()
    return str(found[0]) if found else ""
