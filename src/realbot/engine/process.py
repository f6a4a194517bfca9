"""One engine process as the bot sees it: spawned never forked, in a session of its own, without tokens or descriptors.

Its stdout is the protocol; its stderr goes to the log line by line, and the last lines are kept to explain its death.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from realbot.engine import FRAME_LIMIT

log = logging.getLogger(__name__)

_TETHER = Path(__file__).with_name("tether.py")
_LINE_LIMIT = 8192
#: Variables that an engine may see: where programs and models are, and how the device is used.
_ALLOWED = re.compile(
    r"PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|VIRTUAL_ENV|PYTHON\w+|LD_LIBRARY_PATH|XDG_CACHE_HOME|"
    r"HF_(HOME|HUB_CACHE|HUB_OFFLINE|ENDPOINT)|TRANSFORMERS_OFFLINE|(HTTPS?|NO)_PROXY|SSL_CERT_(FILE|DIR)|"
    r"(CUDA|NVIDIA|NCCL|PYTORCH|TORCH|HIP|ROCM|HSA|TRITON)_\w+|(OMP|MKL|OPENBLAS)_\w+",
    re.IGNORECASE,
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY", re.IGNORECASE)


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that an engine may see; tokens and the bot's own settings are not in it."""
    return {name: value for name, value in environ.items() if _ALLOWED.fullmatch(name) and not _SECRET.search(name)}


class Process(asyncio.SubprocessProtocol):
    """A running engine process. `exited` is done as soon as it is dead, whoever still holds its pipes."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.stdout = asyncio.StreamReader(limit=2 * FRAME_LIMIT)
        self.exited: asyncio.Future[None] = loop.create_future()
        self.last_lines: deque[str] = deque(maxlen=20)
        self._closed: asyncio.Future[None] = loop.create_future()
        self._line = b""
        self._transport: asyncio.SubprocessTransport

    @classmethod
    async def spawn(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Process:
        """Start `argv` with exactly this environment. Raises OSError."""
        _, process = await asyncio.get_running_loop().subprocess_exec(
            cls,
            *(sys.executable, "-IS", str(_TETHER), str(os.getpid()), *argv),
            env=dict(environ),
            start_new_session=True,
        )
        return process

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    def send(self, frame: bytes) -> None:
        """Write to its stdin without waiting; nothing happens when it is gone."""
        pipe = cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(0))
        if pipe is not None and not pipe.is_closing():
            pipe.write(frame)

    def kill(self) -> None:
        """SIGKILL to it and to every process it has started, also when it is dead already."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            # macOS says so of a group in which only zombies are left.
            log.debug("process group %d is gone", self.pid)

    async def end(self) -> None:
        """Close its pipes and wait, for a second at most, until the event loop has let go of them."""
        self._transport.close()
        if self.exited.done():
            await asyncio.wait({self._closed}, timeout=1.0)

    def ending(self) -> str:
        """How it ended, and its last lines on stderr: for the log, not for a chat."""
        code = self._transport.get_returncode()
        if code is None:
            how = f"process {self.pid} cannot be killed"
        elif code < 0:
            how = f"killed by {signal.Signals(-code).name}"
        else:
            how = f"exit code {code}"
        return "\n".join((how, *self.last_lines))[-2000:]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)
        pipe = self._transport.get_pipe_transport(1)
        assert pipe is not None
        # Lets the reader pause a pipe that is filled faster than it is read.
        self.stdout.set_transport(pipe)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self.stdout.feed_data(data)
            return
        *lines, self._line = re.split(rb"[\r\n]+", self._line + data)
        if len(self._line) > _LINE_LIMIT:
            lines.append(self._line)
            self._line = b""
        for line in lines:
            self._say(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self.stdout.feed_eof()
        elif fd == 2:
            self._say(self._line)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)

    def _say(self, line: bytes) -> None:
        if text := line.decode(errors="replace").strip()[:_LINE_LIMIT]:
            self.last_lines.append(text)
            log.info("engine: %s", text)
