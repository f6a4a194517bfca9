"""Scores what pictures show, 0 harmless to 1, through a process that holds the classifier.

Neither torch nor onnxruntime comes into this process; one that hangs or crashes is killed, and the next picture starts
another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import ConfigError

log = logging.getLogger(__name__)

#: Seconds that loading a classifier may take, and one picture.
START, PATIENCE = 120.0, 20.0
#: The process finds realbot where this one has it, and nothing else that is not installed.
_CHILD = (
    f"import sys; sys.path.append({str(Path(__file__).parents[1])!r}); from realbot.engine.examiner import main; main()"
)
_REASONS = {
    "missing": "safety.checker is opennsfw, which is not installed; install it with: pip install 'realbot[safety]'",
    "folder": "safety.checker: {checker} is no folder with an image classifier (config.json and model.safetensors):"
    " {detail}",
    "labels": "safety.checker: which pictures are unsafe cannot be told from the labels in {checker}/config.json"
    " ({detail}); name them nsfw and sfw in id2label",
    "broken": "safety.checker: {checker} cannot be loaded: {detail}",
}


class Unchecked(Exception):
    """Nobody knows what a picture shows; the message says why."""


class Classifier:
    """`checker` is the setting; `command` starts another process than the usual one."""

    def __init__(
        self,
        checker: str,
        *,
        patience: float = PATIENCE,
        start: float = START,
        command: Sequence[str] = (sys.executable, "-I", "-c", _CHILD),
    ) -> None:
        self.checker, self.name = checker, ""
        self._patience, self._start, self._command = patience, start, (*command, checker)
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._exchange: asyncio.Task[dict[str, Any]] | None = None

    async def open(self) -> None:
        """Load it. Raises ConfigError in one sentence with the remedy when it is not installed or cannot be used."""
        async with self._turn:
            await self._opened()

    async def score(self, png: bytes) -> float:
        """The score of a PNG file; what cannot be read as a picture has the highest. Raises Unchecked.

        A caller that is cancelled leaves the process to the next one.
        """
        await self._turn.acquire()
        self._exchange = exchange = asyncio.create_task(self._exchanged(png), name="a picture is checked")
        exchange.add_done_callback(lambda _: self._turn.release())
        told = await asyncio.shield(exchange)
        if "score" not in told:
            log.warning("a picture could not be checked and counts as unsafe: %s", told.get("broken"))
            return 1.0
        score = float(told["score"])
        # What is no number is less than nothing, and would be shown.
        return 1.0 if math.isnan(score) else min(max(score, 0.0), 1.0)

    async def close(self) -> None:
        """End the process, whatever it is about."""
        if self._exchange is not None:
            self._exchange.cancel()
        async with self._turn:
            await self._end()

    async def _exchanged(self, png: bytes) -> dict[str, Any]:
        """What the process tells of a picture; one that does not is ended. Raises Unchecked."""
        try:
            process = self._process or await self._opened()
            async with asyncio.timeout(self._patience):
                assert process.stdin is not None
                process.stdin.write(len(png).to_bytes(4, "big") + png)
                await process.stdin.drain()
                return await self._told(process)
        except BaseException as error:
            await self._end()
            if isinstance(error, TimeoutError):
                raise Unchecked(f"no answer in {self._patience:g} seconds") from None
            if isinstance(error, ConfigError | OSError):
                raise Unchecked(str(error)) from None
            raise

    async def _opened(self) -> asyncio.subprocess.Process:
        await self._end()
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL, env={}, start_new_session=True
        )
        try:
            async with asyncio.timeout(self._start):
                told = await self._told(self._process)
        except (TimeoutError, Unchecked) as error:
            await self._end()
            told = {"unusable": "broken", "detail": str(error) or f"no answer in {self._start:g} seconds"}
        except BaseException:
            await self._end()
            raise
        if "name" not in told or self._process is None:
            await self._end()
            reason = _REASONS.get(str(told.get("unusable")), _REASONS["broken"])
            detail = told.get("detail", "")
            raise ConfigError(reason.format(checker=self.checker, detail=detail), key="safety.checker")
        self.name = str(told["name"])
        return self._process

    async def _told(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        """One line of the process. Raises Unchecked when it has ended."""
        assert process.stdout is not None
        line = await process.stdout.readline()
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            raise Unchecked("the classifier stopped") from None
        return told

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
