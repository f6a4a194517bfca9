"""What is written down of what happens: plain lines for a person, JSON for a machine, and never a secret.

Lines have the fields time, level, logger and message, and where they apply job, platform, engine and others. Who asked
and what for is in none above the level debug; `alias` stands for a person where one must be told from another.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import logging.handlers
import os
import re
import secrets as chance
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

from .errors import ConfigError
from .redaction import Redactor, printable
from .rulebook import Log

log = logging.getLogger(__name__)

#: Libraries whose INFO lines hold addresses with tokens, or nothing of interest.
QUIET = ("httpx", "httpcore", "asyncio", "aiosqlite", "uvicorn", "gradio", "PIL", "filelock")
#: Fields that hold several lines; plain text shows them below the line.
BLOCKS = ("stack", "detail")
#: How a job's id looks, so that every line that names one can be found by it.
JOB = re.compile(r"\b[0-9a-f]{24}\b")
PLATFORM = re.compile(r"(?:realbot\.adapters\.)?(discord|telegram|web|cli)\b")
_KEY = chance.token_bytes(16)


def alias(person: str) -> str:
    """Stands for a person's key until realbot ends, and tells nothing of who it is."""
    return "~" + hashlib.blake2b(person.encode(), key=_KEY, digest_size=4).hexdigest()


class Labels(logging.Filter):
    """Gives a line the fields that follow from it: the job that it names and the platform that it comes from."""

    def filter(self, record: logging.LogRecord) -> bool:
        with contextlib.suppress(TypeError, ValueError):
            if not hasattr(record, "job") and (job := JOB.search(record.getMessage())) is not None:
                record.job = job[0]
        if not hasattr(record, "platform") and (platform := PLATFORM.match(record.name)) is not None:
            record.platform = platform[1]
        return True


class Redacted(logging.Formatter):
    """Redacts what another formatter made, tracebacks and extra fields included, which a filter never sees."""

    def __init__(self, inner: logging.Formatter, secrets: Sequence[str]) -> None:
        super().__init__()
        self._inner, self._redact = inner, Redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self._inner.format(record))


class Plain(logging.Formatter):
    """One line each, whatever stands in it; the lines of a traceback follow behind a bar."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        blocks = [str(block) for name in BLOCKS if (block := getattr(record, name, ""))]
        return "\n".join([printable(super().formatMessage(record)), *map(_barred, blocks)])

    def formatException(self, ei: object) -> str:
        return _barred(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:
        return _barred(super().formatStack(stack_info))


class Json(JsonFormatter):
    """One JSON object a line."""

    def __init__(self) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"}
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        # Of all control characters JSON leaves one as it is.
        return super().format(record).replace("\x7f", "\\u007f")


class Book(logging.handlers.RotatingFileHandler):
    """A file that only realbot's user reads and that a new one follows; one that takes nothing disturbs nobody."""

    _broken = False

    def _open(self) -> TextIOWrapper:
        number = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return TextIOWrapper(os.fdopen(number, "ab"), encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        broken, self._failed = self._broken, False
        super().emit(record)
        self._broken = self._failed
        if self._failed and not broken:
            log.error("the log file %s takes nothing: %s", self.baseFilename, self._why)
        elif broken and not self._failed:
            log.info("the log file %s takes lines again", self.baseFilename)

    def handleError(self, record: logging.LogRecord) -> None:
        self._failed, self._why = True, str(sys.exc_info()[1])
        # What the file did not take is not tried again with the next line.
        stream, self.stream = self.stream, None
        with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
            if stream is not None:
                os.dup2(nowhere.fileno(), stream.fileno())
                stream.close()


def configure(secrets: Sequence[str] = (), chosen: Log | None = None, *, level: int | None = None) -> None:
    """Send all logging to standard error and to the file of the settings; again, with other settings, at any time.

    Raises ConfigError when the file cannot be opened; what was there before goes on then.
    """
    chosen = chosen or Log()
    least = getattr(logging, chosen.level.upper()) if level is None else level
    inner: logging.Formatter = Plain() if _plain(chosen) else Json()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if chosen.file is not None:
        handlers.append(_book(chosen))
    for handler in handlers:
        handler.setFormatter(Redacted(inner, secrets))
        handler.addFilter(Labels())
    # A line that cannot be written is no reason to stop, nor one for a traceback of the library.
    logging.raiseExceptions = False
    logging.basicConfig(level=least, handlers=handlers, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    if least <= logging.DEBUG:
        log.warning("log.level is debug: what people write can be read in the log, so keep it from others")


def capture() -> None:
    """Warnings, and errors that nobody caught, go to the log as well: Python itself would write them out in full."""

    def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("realbot ends because of an error", exc_info=(kind, error, trace))

    def ignored(found: sys.UnraisableHookArgs) -> None:
        error = found.exc_value or found.exc_type()
        where = found.err_msg or f"an error in {type(found.object).__name__}"
        log.error("nobody could catch %s", where, exc_info=(type(error), error, found.exc_traceback))

    def thread(found: threading.ExceptHookArgs) -> None:
        error = found.exc_value or found.exc_type()
        log.error("a thread ends because of an error", exc_info=(type(error), error, found.exc_traceback))

    sys.excepthook, sys.unraisablehook, threading.excepthook = crashed, ignored, thread
    logging.captureWarnings(True)


def _plain(chosen: Log) -> bool:
    return chosen.format == "plain" or (chosen.format == "auto" and sys.stderr.isatty())


def _book(chosen: Log) -> Book:
    assert chosen.file is not None
    try:
        chosen.file.absolute().parent.mkdir(parents=True, exist_ok=True)
        return Book(chosen.file, maxBytes=chosen.file_mb << 20, backupCount=chosen.files - 1)
    except OSError as error:
        raise ConfigError(
            "log.file: {file} cannot be written: {reason}.",
            key="log.file",
            file=str(chosen.file),
            reason=error.strerror or str(error),
        ) from None


def _barred(text: str) -> str:
    """Lines that cannot be taken for lines of the log."""
    return "\n".join(f"  | {printable(line)}" for line in text.splitlines())
