"""`realbot run` as a process of its own, with the bundled model, pointed at a loopback Discord."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO

from loopback import Loopback

SOURCE = Path(__file__).parents[3] / "src"


class Process:
    """`async with Process(folder, discord) as realbot: ...`; what it logs is in `log()`."""

    def __init__(self, folder: Path, home: Loopback, **environ: str) -> None:
        self.folder, self.home = folder, home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REALBOT_")}
        self.environ = kept | {
            "PYTHONPATH": str(SOURCE),
            "REALBOT_DISCORD__API_BASE": home.api_base,
            "REALBOT_DISCORD__GATEWAY": home.gateway_url,
            "REALBOT_DISCORD__TOKEN": home.token,
            "REALBOT_ENGINE__THREADS": "1",
            **environ,
        }
        self.process: asyncio.subprocess.Process | None = None
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Process:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.kill()
        if self._file is not None:
            self._file.close()

    async def start(self, *, ready: bool = True) -> None:
        """Start it, once more after its end, and wait until people can use its commands."""
        self._file = self._file or (self.folder / "log").open("ab")
        connected = len(self.home.gateway.identified)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error::ResourceWarning", "-m", "realbot", "run",
            cwd=self.folder, env=self.environ, stdout=self._file, stderr=self._file,
        )  # fmt: skip
        if not ready:
            return
        async with asyncio.timeout(90):
            while len(self.home.gateway.identified) == connected or self.home.gateway.session is None:
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.02)
            await self.home.ready()

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
