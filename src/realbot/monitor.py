"""`/healthz`, `/readyz` and `/metrics`, served from a thread of their own: an event loop that stands still is told of.

Nothing here names a person or holds a secret, so it asks for no password; it listens on this machine alone unless the
settings say otherwise.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from . import __version__
from .errors import ConfigError
from .health import Part, worst
from .metrics import Metrics
from .phrases import Phrase
from .rulebook import Monitor as Section

log = logging.getLogger(__name__)

#: Seconds that the event loop gets to answer, fewer than whoever asks usually waits, and that a slow reader gets.
PATIENCE, SLOW = 3.0, 10.0
#: Requests at a time.
MOST = 16
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Monitor:
    """`async with Monitor(metrics, section).serving(): ...`; `url` is where it is."""

    def __init__(self, metrics: Metrics, section: Section, *, patience: float = PATIENCE) -> None:
        self._metrics, self._section, self._patience = metrics, section, patience
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last: list[Part] = []
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve while the block runs. Raises ConfigError when its address cannot be listened on."""
        self._loop = asyncio.get_running_loop()
        server = _listening(self._section, self)
        host = f"[{self._section.host}]" if ":" in self._section.host else self._section.host
        self.url = f"http://{host}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="monitor", daemon=True)
        thread.start()
        log.info("health and metrics are on %s", self.url)
        try:
            yield
        finally:
            self._loop = None
            await asyncio.to_thread(server.shutdown)
            server.server_close()

    def parts(self) -> list[Part]:
        """How everything is. Called in any other thread than the event loop's, which may stand still."""
        return self._ask(self._metrics.look)

    def text(self) -> bytes:
        """The metrics, as fresh as the event loop has them."""
        self._ask(self._metrics.sample)
        return self._metrics.text()

    def _ask(self, look: Callable[[], Coroutine[Any, Any, list[Part]]]) -> list[Part]:
        loop = self._loop
        if loop is None:
            return [Part("loop", "unready", Phrase("realbot stops."))]
        asked = asyncio.run_coroutine_threadsafe(look(), loop)
        try:
            self._last = asked.result(self._patience)
        except TimeoutError:
            asked.cancel()
            told = Phrase("The event loop has not answered for {seconds:.0f} s.", seconds=self._patience)
            rest = [part for part in self._last if part.name != "loop"]
            parts = [Part("loop", "stuck", told), *rest]
            self._metrics.show(parts)
            return parts
        return self._last


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MOST
    monitor: Monitor
    _turns: threading.BoundedSemaphore

    def process_request(self, request: Any, client_address: Any) -> None:
        # Who opens many connections and says nothing keeps nobody else out for long.
        if not self._turns.acquire(timeout=1.0):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._turns.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request to the monitor failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "realbot", ""
    timeout = SLOW

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        left_out = parse_qs(query).get("exclude", [])
        match path:
            case "/metrics":
                self._answer(200, self.server.monitor.text(), TEXT)
            case "/healthz":
                self._tell(lambda part: part.live, left_out)
            case "/readyz":
                self._tell(lambda part: part.ready, left_out)
            case _:
                self._answer(404, b"/healthz, /readyz and /metrics are here.\n", TEXT)

    do_HEAD = do_GET

    def _tell(self, good: Callable[[Part], bool], left_out: list[str]) -> None:
        """Tell of all parts; those that are left out do not decide, so that one platform takes no other with it."""
        parts = self.server.monitor.parts()
        well = all(good(part) for part in parts if part.name not in left_out)
        told = {
            "state": worst(parts),
            "version": __version__,
            "parts": [{"part": part.name, "state": part.state, "says": str(part.says)} for part in parts],
        }
        self._answer(200 if well else 503, json.dumps(told, indent=1).encode() + b"\n", "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A look every few seconds is nothing to write down."""


def _listening(section: Section, monitor: Monitor) -> _Server:
    try:
        family = socket.getaddrinfo(section.host, section.port, type=socket.SOCK_STREAM)[0][0]
        kind = type("_Server", (_Server,), {"address_family": family})
        server: _Server = kind((section.host, section.port), _Handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                "monitor.port {port} on {host} is in use by another program; choose another port.",
                key="monitor.port",
                port=section.port,
                host=section.host,
            ) from None
        raise ConfigError(
            "monitor.host: it is not possible to listen on {host}, port {port}: {reason}.",
            key="monitor.host",
            host=section.host,
            port=section.port,
            reason=error.strerror or str(error),
        ) from None
    server.monitor, server._turns = monitor, threading.BoundedSemaphore(MOST)
    return server
