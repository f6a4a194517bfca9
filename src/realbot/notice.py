"""What systemd is told of this process, as datagrams: that it is ready, how it is, and that it lives.

It lives while no part is stuck; one that is makes the watchdog start realbot anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from .health import Health, worst

log = logging.getLogger(__name__)

#: Seconds between two looks when there is no watchdog.
USUAL = 30.0


class Notice:
    """Tells the service manager that `environ` names; nothing where it names none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the NUL of an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        micros = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        #: Seconds within which a sign of life is due; 0 for none.
        self.watchdog = int(micros) / 1e6 if micros.isdigit() and ours else 0.0
        self._ready = False

    def tell(self, *lines: str) -> None:
        """Send these lines; it neither waits nor fails."""
        if not self._address.startswith(("/", "\0")):
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.setblocking(False)
            door.connect(self._address)
            door.send("\n".join(lines).encode())

    def ready(self) -> None:
        """People can ask."""
        self._ready = True
        self.tell("READY=1", "STATUS=ready")

    def stopping(self) -> None:
        """Nothing more is taken."""
        self.tell("STOPPING=1", "STATUS=stopping")

    @asynccontextmanager
    async def reloading(self) -> AsyncIterator[None]:
        """Settings are read anew while the block runs; before people can ask this is a part of the start."""
        if not self._ready:
            yield
            return
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reading the settings")
        try:
            yield
        finally:
            self.ready()

    @asynccontextmanager
    async def living(self, health: Health) -> AsyncIterator[None]:
        """Give signs of life while the block runs and no part is stuck."""
        task = asyncio.create_task(self._live(health), name="signs of life")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _live(self, health: Health) -> None:
        if not self._address:
            return
        # Half of the time is usual; a third leaves room for a check that takes seconds.
        pause = self.watchdog / 3 or USUAL
        stuck: set[str] = set()
        while True:
            parts = await health.parts()
            now = {part.name for part in parts if not part.live}
            if now - stuck:
                told = "; ".join(f"{part.name}: {part.says}" for part in parts if not part.live)
                log.critical("no more signs of life for the service manager: %s", told)
            stuck = now
            status = next((str(part.says) for part in parts if part.state == worst(parts)), "")
            self.tell(*([] if stuck else ["WATCHDOG=1"]), f"STATUS={worst(parts)}: {status}")
            await asyncio.sleep(pause)
