"""What tests of pools share: the scripted engine's command, and the processes that are alive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from realbot.engine.child import ChildPool
from realbot.engine.watch import Patience

SCRIPTED = Path(__file__).with_name("scripted.py")
PATIENT = Patience(pauses=(0.0, 0.01), steps=0.02)

MakePool = Callable[..., ChildPool]


def children(script: str = "") -> list[psutil.Process]:
    """The living processes below this one, or those of them with this in their command line."""
    alive = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE and script in " ".join(process.cmdline()):
                alive.append(process)
    return alive
