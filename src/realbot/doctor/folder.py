"""The data folder: room, rights, the database, a sample of the pictures, the copies. Nothing in it is changed."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from realbot import database, host
from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.findings import Finding, good, refused, unwise, wrong
from realbot.glimpse import glimpse

#: Pictures whose bytes are held against their names, and seconds after which that ends.
SAMPLE, READING = 48, 3.0
#: Files that the disk must still take.
INODES = 1000
MB = 2**20


def folder(settings: Settings) -> Iterator[Finding]:
    """Everything about the data folder, in the order in which it goes wrong."""
    data = settings.paths.data
    if not data.exists():
        yield from _unmade(data)
        return
    yield from place(data)
    yield from room(data, settings)
    yield from records(data)


def place(data: Path) -> Iterator[Finding]:
    """Where it lies, and who may do what there."""
    kind = database.filesystem(data)
    if kind in database.NETWORK:
        yield wrong(
            "data folder",
            f"{data} is on a network file system ({kind}), on which a database is damaged sooner or later.",
            "Set paths.data to a local disk, and move the folder there while realbot is stopped.",
        )
        return
    try:
        probe = data / f".doctor-{os.getpid()}"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        yield wrong(
            "data folder",
            f"{data} cannot be written: {error.strerror}.",
            f"Give it to the user that runs realbot (chown -R realbot {data}), or mount its disk writable.",
        )
        return
    open_to = data.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if os.name == "posix" and open_to:
        yield unwise("data folder", f"Other users of this machine can enter {data}.", f"Run chmod 700 {data}.")
        return
    pid = host.holder(data / "realbot.lock")
    runs = f"realbot runs on it (process {pid})" if pid else "no realbot runs on it"
    yield good("data folder", f"{data} on {kind or 'a local disk'}; {runs}.")


def room(data: Path, settings: Settings) -> Iterator[Finding]:
    """Whether the disk takes more."""
    disk = os.statvfs(data)
    free = disk.f_bavail * disk.f_frsize
    said, least = f"{shown(free)} are free", settings.storage.free_mb * MB
    if disk.f_files and disk.f_favail < INODES:
        yield wrong(
            "disk",
            f"Only {disk.f_favail} more files fit on the disk of {data}, however much space is free.",
            "Delete small files that are not needed, or move the data folder to another disk.",
        )
    elif free < least:
        yield wrong(
            "disk",
            f"{said}, less than storage.free_mb ({shown(least)}): no request is taken.",
            "Free some space, or shorten privacy.history_days.",
        )
    elif free < settings.storage.tidy_mb * MB:
        yield unwise(
            "disk",
            f"{said}, less than storage.tidy_mb ({shown(settings.storage.tidy_mb * MB)}).",
            f"Free some space before it is less than {shown(least)}: then no request is taken.",
        )
    else:
        yield good("disk", f"{said}.")


def records(data: Path) -> Iterator[Finding]:
    """The database, and whether pictures are what they were."""
    path = data / database.NAME
    try:
        # The ledger first: it never runs ahead of the database, which goes on meanwhile.
        seen = database.Ledger(data).read()
        have, newest = database.check(data, database.steps(), seen), max(database.steps())
        if have == 0:
            yield good("database", "It is made at the first start.")
            return
        look = glimpse(data, SAMPLE) if have == newest else None
    except ConfigError as error:
        yield refused("database", error)
        return
    except sqlite3.Error as error:
        yield wrong("database", f"{path} cannot be read: {error}.", "Put back a copy with realbot restore.")
        return
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield unwise("database", f"Other users of this machine can read {path}.", f"Run chmod 600 {path}.")
    elif look is None:
        yield good("database", f"Sound; schema {have}, brought to {newest} at the next start after a copy is made.")
    else:
        yield good("database", f"Sound; schema {have}, {look.jobs} requests, {shown(path.stat().st_size)}.")
    if look is not None:
        yield from pictures(data, look.images, look.pictures)


def pictures(data: Path, images: tuple[str, ...], total: int) -> Iterator[Finding]:
    """Whether the bytes of some pictures still have the hash that is their name."""
    begun, read, bad = time.monotonic(), 0, []
    for image in images:
        if time.monotonic() - begun > READING:
            break
        read += 1
        try:
            with (data / "pictures" / image[:2] / f"{image}.png").open("rb") as file:
                intact = hashlib.file_digest(file, "sha256").hexdigest() == image
        except OSError:
            intact = False
        if not intact:
            bad.append(image)
    if bad:
        yield wrong(
            "pictures",
            f"{len(bad)} of {read} that were looked at are gone or damaged, such as {bad[0][:12]}….",
            "Run realbot check to see which, mend the disk, and put the files back from a copy.",
        )
    elif total:
        yield good("pictures", f"{read} of {total} were read, and each is what it was.")


def shown(size: float) -> str:
    """A size in bytes as people write it: "512 MB", "1.4 TB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.1f} {unit}" if size < 9.95 and unit in ("MB", "GB") else f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def _unmade(data: Path) -> Iterator[Finding]:
    parent = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    if parent.is_dir() and os.access(parent, os.W_OK):
        yield good("data folder", f"{data} is made at the first start.")
    else:
        yield wrong(
            "data folder",
            f"{data} cannot be made in {parent}.",
            f"Make it for the user that runs realbot, or set paths.data: mkdir -p {data} && chmod 700 {data}.",
        )
