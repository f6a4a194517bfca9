"""Room on the disk of the data folder: with little left nothing is taken, and what can be made again goes first."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from .errors import QueueFull
from .rulebook import Storage

log = logging.getLogger(__name__)

#: Seconds for which a look at the disk holds.
FRESH = 1.0
#: Files that a disk must still take.
FILES = 100
_MB = 1 << 20
#: What can be made again, or is not needed any more: patterns, and the age in seconds from which nobody uses it.
SPARE = {
    "exports/*": 600.0,
    "web/**/*": 600.0,
    "spool/*#*": 86_400.0,
    ".copy-*": 3600.0,
    ".restore-*": 3600.0,
}
#: What never stays, however much room there is: it holds what people asked for.
PASSING = {"web/**/*": 86_400.0, "spool/*#*": 7 * 86_400.0, ".copy-*": 3600.0, ".restore-*": 3600.0}


class Space:
    """The disk of one data folder. Asking is cheap enough to be done with each request."""

    def __init__(self, folder: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        #: How much room there must be; until it is told, any is enough.
        self.rules = Storage(free_mb=0, tidy_mb=0)
        self._monotonic = monotonic
        self._looked = float("-inf")
        self._lack, self._free = "", float("inf")

    @property
    def lack(self) -> str:
        """Why nothing more should be put on this disk, in a few words for whoever runs the bot; empty when it may."""
        self._look()
        return self._lack

    @property
    def tight(self) -> bool:
        """Whether what can be made again should go."""
        self._look()
        return self._free < self.rules.tidy_mb * _MB

    def admit(self, full: str = "") -> None:
        """Raise QueueFull while the disk has no room for another request; `full` is why it took nothing just now."""
        if full:
            raise QueueFull("The disk of this bot is full, so nothing can be taken; please try again later.")
        if self.lack:
            raise QueueFull("The disk of this bot is nearly full, so nothing can be taken; please try again later.")

    def tidy(self, now: float) -> int:
        """Delete what can be made again, never a picture of the history; return how many bytes. Blocks on the disk."""
        gone = self._clear(SPARE, now)
        self._looked = float("-inf")
        return gone

    def sweep(self, now: float) -> None:
        """Delete what is left of work that is long over. Blocks on the disk."""
        self._clear(PASSING, now)

    def _clear(self, spare: Mapping[str, float], now: float) -> int:
        gone = 0
        for path, size in list(self._spare(spare, now)):
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                gone += size
        return gone

    def _spare(self, spare: Mapping[str, float], now: float) -> Iterator[tuple[Path, int]]:
        for pattern, age in spare.items():
            for path in self.folder.glob(pattern):
                with contextlib.suppress(OSError):
                    found = path.lstat()
                    if found.st_mtime < now - age and (path.is_file() or pattern.startswith(".")):
                        yield path, found.st_size

    def _look(self) -> None:
        if self._monotonic() - self._looked < FRESH:
            return
        self._looked = self._monotonic()
        before = self._lack
        try:
            disk = os.statvfs(self.folder)
        except OSError as error:
            self._lack, self._free = f"the data folder cannot be looked at ({error.strerror})", float("inf")
        else:
            self._free = disk.f_bavail * disk.f_frsize
            self._lack = self._found(disk)
        if self._lack and not before:
            log.error("nothing is taken any more: %s", self._lack)
        elif before and not self._lack:
            log.info("there is room on the disk again; requests are taken")

    def _found(self, disk: os.statvfs_result) -> str:
        if disk.f_flag & os.ST_RDONLY:
            return "its file system is read-only"
        if self._free < self.rules.free_mb * _MB:
            return f"{self._free / _MB:.0f} MB are free, and storage.free_mb is {self.rules.free_mb}"
        if disk.f_files and disk.f_favail < FILES and self.rules.free_mb:
            return f"its file system takes {disk.f_favail} more files only"
        return ""
