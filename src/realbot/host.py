"""What realbot runs on: as whom, whether in a container, which process holds a data folder, and whose memory it is."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

import psutil

#: Where container engines leave a mark.
MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/var/run/secrets/kubernetes.io"))


def root() -> bool:
    """Whether this process may do anything on this machine."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def contained(marks: tuple[Path, ...] = MARKS) -> bool:
    """Whether it is locked into a container, where root is not the machine's."""
    return any(mark.exists() for mark in marks)


def caution() -> str:
    """What is unwise about how this process was started, as a sentence; empty when nothing is."""
    if root() and not contained():
        return "realbot runs as root: whoever breaks into it has this whole machine; run it as a user of its own."
    return ""


def holder(lock: Path) -> int | None:
    """The process that has a lock file open, as far as the system tells; None for none.

    Looked up and not tried out: trying would keep a realbot from starting that does so at this moment.
    """
    with contextlib.suppress(OSError):
        wanted = lock.stat()
        for process in psutil.process_iter():
            if process.pid == os.getpid():
                continue
            with contextlib.suppress(psutil.Error, OSError):
                for file in process.open_files():
                    if Path(file.path).name == lock.name and os.path.samestat(Path(file.path).stat(), wanted):
                        return int(process.pid)
    return None


def trim() -> bool:
    """Hand memory that is free back to the system, which glibc keeps for good in the middle of its heaps.

    Whether there was any; never without glibc. It takes a few milliseconds, in which other threads go on.
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
