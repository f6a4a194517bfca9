"""`realbot run` as a process of its own, with the bundled model."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Self

SOURCE = Path(__file__).parents[2] / "src"


class Program:
    """`async with Program(folder, REALBOT_…="…") as realbot: ...`; what it logs is in `log()`."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REALBOT_")}
        self.environ = kept | {"PYTHONPATH": str(SOURCE), "REALBOT_ENGINE__THREADS": "1", **environ}
        self.process: asyncio.subprocess.Process | None = None
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.kill()
        if self._file is not None:
            self._file.close()

    async def start(self, *, ready: bool = True) -> None:
        """Start it, once more after its end, and wait until people can use it."""
        self._file = self._file or (self.folder / "log").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error::ResourceWarning", "-m", "realbot", "run",
            cwd=self.folder, env=self.environ, stdout=self._file, stderr=self._file,
        )  # fmt: skip
        if ready:
            async with asyncio.timeout(90):
                await self.ready()

    async def ready(self) -> None:
        """Wait until people can use it; for a platform to say."""

    async def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), 30)
        return code, time.monotonic() - began

    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def alive(self, seconds: float = 0.02) -> None:
        """Sleep, unless it has ended by itself."""
        assert self.process is not None
        assert self.process.returncode is None, self.log()
        await asyncio.sleep(seconds)
