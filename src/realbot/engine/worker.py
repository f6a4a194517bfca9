"""The engine process: `python -m realbot.engine.worker --settings JSON`. Commands on stdin, facts on stdout.

The event loop only reads and writes frames; one thread loads the model and paints, so a cancel is heard at any time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from realbot.engine import PROTOCOL, Cancelled, EngineUp, Fact, Failed, Produced, RunKey, Work, models
from realbot.engine.frames import (
    Cancel,
    Close,
    FrameError,
    Open,
    Release,
    Run,
    decode_command,
    encode_fact,
    next_frame,
    write_frame,
)
from realbot.errors import ConfigError, OutOfMemory, RealbotError

if TYPE_CHECKING:
    from realbot.engine.painter import Painter

log = logging.getLogger(__name__)

#: Seconds for the step under way once a closing engine has cancelled it.
_LAST_STEP = 2.0


@dataclass(slots=True, eq=False)
class _Run:
    work: Work
    cancelled: threading.Event = field(default_factory=threading.Event)
    last: Fact | None = None

    @property
    def ended(self) -> bool:
        return isinstance(self.last, Produced | Cancelled | Failed)


class Worker:
    """Runs in order, one at a time, and remembers each until it is released."""

    def __init__(self, settings: Mapping[str, Any], out: BinaryIO) -> None:
        self._settings, self._out = settings, out
        self._engine, self._boot = "local", str(settings.get("boot", ""))
        self._painter: Painter | None = None
        self._runs: dict[RunKey, _Run] = {}
        self._line: deque[_Run] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._opened = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "paint")
        self._loop = asyncio.get_running_loop()

    async def serve(self, reader: asyncio.StreamReader) -> int:
        """Until told to close or until the other side is gone; the exit code."""
        paint = asyncio.create_task(self._paint(), name="paint")
        listen = asyncio.create_task(self._listen(reader), name="listen")
        try:
            done, _ = await asyncio.wait((paint, listen), return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            paint.cancel()
            listen.cancel()

    async def _listen(self, reader: asyncio.StreamReader) -> int:
        while (frame := await next_frame(reader)) is not None:
            try:
                command = decode_command(frame)
            except FrameError as error:
                log.warning("a command is ignored: %s", error)
                continue
            match command:
                case Open(engine, boot):
                    self._engine, self._boot = engine, boot
                    self._opened.set()
                    self._tell_up()
                case Run(_, work):
                    self._take(work)
                case Cancel(key):
                    self._cancel(key)
                case Release(key):
                    self._release(key)
                case Close(grace):
                    await self._finish(grace)
                    return 0
        return 0

    async def _paint(self) -> int:
        try:
            painter = await self._loop.run_in_executor(self._thread, _load, self._settings)
        except RealbotError as error:
            log.error("%s", error)
            return 2 if isinstance(error, ConfigError) else 3
        self._painter = painter
        if self._opened.is_set():
            self._tell_up()
        while True:
            self._wake.clear()
            if not self._line:
                self._idle.set()
                await self._wake.wait()
                continue
            run = self._line.popleft()
            self._tell(
                await self._loop.run_in_executor(
                    self._thread, painter.paint, run.work, run.cancelled, self._tell_from_thread
                )
            )

    def _take(self, work: Work) -> None:
        known = self._runs.get(work.key)
        if known is not None:
            if known.last is not None:
                self._send(known.last)
            return
        run = self._runs[work.key] = _Run(work)
        if self._painter is not None and not self._idle.is_set():
            for style in work.styles.values():
                self._loop.run_in_executor(None, self._painter.loras.prefetch, style["path"], style["sha256"])
        self._line.append(run)
        self._idle.clear()
        self._wake.set()

    def _cancel(self, key: RunKey) -> None:
        run = self._runs.get(key)
        if run is None or run.ended:
            return
        run.cancelled.set()
        if run in self._line:
            self._line.remove(run)
            self._tell(Cancelled(key))

    def _release(self, key: RunKey) -> None:
        run = self._runs.get(key)
        if run is None or not run.ended:
            return
        del self._runs[key]
        if isinstance(run.last, Produced):
            for file in (*run.last.pictures, run.last.weights):
                if file is not None:
                    Path(file.path).unlink(missing_ok=True)

    async def _finish(self, grace: float) -> None:
        if self._painter is None:
            return
        while self._line:
            self._cancel(self._line[0].work.key)
        for seconds in (grace, _LAST_STEP):
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
                    return
            except TimeoutError:
                for run in self._runs.values():
                    run.cancelled.set()

    def _tell_from_thread(self, fact: Fact) -> None:
        self._loop.call_soon_threadsafe(self._tell, fact)

    def _tell(self, fact: Fact) -> None:
        if not isinstance(fact, EngineUp):
            run = self._runs.get(fact.key)  # type: ignore[union-attr]
            if run is not None:
                run.last = fact
        self._send(fact)

    def _tell_up(self) -> None:
        """Once when it is opened, and again with a fingerprint when the model is loaded."""
        up = EngineUp(self._engine, self._boot, PROTOCOL, "", (), 0, tuple(self._runs))
        if self._painter is not None:
            loaded = self._painter.loaded
            up = replace(
                up,
                fingerprint=self._painter.fingerprint,
                bases=(loaded.preset.name,),
                vram_mb=loaded.memory >> 20,
                device=loaded.label,
            )
        self._send(up)

    def _send(self, fact: Fact) -> None:
        write_frame(self._out, encode_fact(fact))


def _load(settings: Mapping[str, Any]) -> Painter:
    """In the painting thread: everything heavy is imported here, once a look at the model says that it is worth it."""
    model = settings["model"]
    models.preset(model.get("name") or "mini", model.get("path"))
    os.environ.setdefault("HF_HUB_OFFLINE", "0" if model.get("download") else "1")
    import torch

    from realbot.engine import loading
    from realbot.engine.painter import Painter

    loading.quiet()
    spool = Path(settings["spool"])
    spool.mkdir(parents=True, exist_ok=True)
    engine = settings.get("engine", {})
    try:
        return Painter(loading.load(model, engine), spool, engine, settings.get("upscale"), settings.get("reference"))
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            "The model does not fit into the memory of the device; set engine.offload = model or engine.quantize = nf4."
        ) from error


async def serve(settings: Mapping[str, Any], out: BinaryIO) -> int:
    """Serve stdin until its end; the exit code."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return await Worker(settings, out).serve(reader)


def main() -> None:
    parser = argparse.ArgumentParser(prog="realbot.engine.worker", description="The engine process of realbot.")
    parser.add_argument("--settings", required=True, help="JSON with model, engine, upscale, reference, spool and boot")
    settings = json.loads(parser.parse_args().settings)
    # What people asked for is nobody else's to read on this machine.
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # What any library prints must not end up between the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    code = asyncio.run(serve(settings, out))
    out.flush()
    sys.stderr.flush()
    # Without waiting for a step under way in the painting thread: nobody is there to see its result.
    os._exit(code)


if __name__ == "__main__":
    main()
