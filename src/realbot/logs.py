"""What goes to standard error: plain lines for a person, JSON for a machine, and never a secret."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence

from pythonjsonlogger.json import JsonFormatter

#: Bot tokens as Telegram and Discord make them, wherever they appear, and interactions' tokens in addresses, where a
#: colon may be written as %3A.
TOKEN = re.compile(
    r"(?<!\d)\d{6,12}(?::|%3[Aa])[A-Za-z0-9_-]{30,50}|[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}"
    r"|(?<=/)[A-Za-z0-9_-]{100,}"
)
#: Libraries whose INFO lines hold addresses with tokens, or nothing of interest.
QUIET = ("httpx", "httpcore", "asyncio", "aiosqlite", "uvicorn", "gradio", "PIL", "filelock")


class Redacted(logging.Formatter):
    """Redacts what another formatter made, tracebacks and extra fields included, which a filter never sees."""

    def __init__(self, inner: logging.Formatter, secrets: Sequence[str]) -> None:
        super().__init__()
        self._inner, self._secrets = inner, tuple(s for s in secrets if s)

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        for secret in self._secrets:
            line = line.replace(secret, "[secret]")
        return TOKEN.sub("[secret]", line)


def configure(secrets: Sequence[str] = (), *, level: int = logging.INFO) -> None:
    """Send all logging to standard error; JSON unless that is a terminal."""
    inner: logging.Formatter
    if sys.stderr.isatty():
        inner = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    else:
        inner = JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler = logging.StreamHandler()
    handler.setFormatter(Redacted(inner, secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
