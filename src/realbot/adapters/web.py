"""The web page: Gradio's form on our own event loop beside our own routes, behind a door that knows its visitors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from realbot.adapters import cards, words
from realbot.adapters.adminpage import AdminPage, absent
from realbot.adapters.door import Door
from realbot.adapters.routes import Routes
from realbot.adapters.sources import HERE, MASKS, UPLOADS, Sources
from realbot.adapters.visitors import Visitors
from realbot.errors import ConfigError
from realbot.jobs import User

if TYPE_CHECKING:
    from realbot.rulebook import Limits
    from realbot.studio import Studio

log = logging.getLogger(__name__)

#: Seconds that open connections get when the page stops.
GRACE = 1
#: Where Gradio would describe its inner workings to anybody, and take files that no field of ours asks for.
CLOSED = ("/openapi.json", "/gradio_api/openapi.json", "/gradio_api/upload", "/upload")
#: Gradio asks no other host for anything and keeps its files in our folder.
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}


class Server(uvicorn.Server):
    """uvicorn that leaves the signal handlers to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Page:
    """The web front-end. `folder` holds Gradio's temporary files."""

    platform = "web"

    def __init__(
        self, studio: Studio, *, host: str, port: int, password: str | None, folder: Path, admin: str | None = None
    ) -> None:
        """`admin` is the password of the page for whoever runs this bot; without one there is none."""
        self._studio, self._host, self._port, self._admin = studio, host, port, admin
        self._password, self._folder = password, folder
        #: Address of the page, once it is served.
        self.url = ""
        self.limited = 0

    async def serve(self, *, ready: asyncio.Event | None = None) -> None:
        """Serve the page until cancelled. Raises ConfigError when its address cannot be listened on."""
        stopping = asyncio.Event()
        with listen(self._host, self._port) as door:
            async with Visitors(self._studio) as visitors:
                admin = AdminPage(self._studio, self._admin, stopping) if self._admin else None
                routes = Routes(self._studio, visitors, stopping, admin.knows if admin else lambda _: False)
                app = await asyncio.to_thread(asyncio.run, self._build(routes, admin.table() if admin else absent()))
                config = uvicorn.Config(
                    app, log_config=None, access_log=False, lifespan="on", ws="none", timeout_graceful_shutdown=GRACE
                )
                server = Server(config)
                task = asyncio.create_task(server.serve(sockets=[door]), name="web page")
                counting = asyncio.create_task(admin.overview.run(), name="overview") if admin else None
                try:
                    while not (server.started or task.done()):  # noqa: ASYNC110 - uvicorn has no event for it
                        await asyncio.sleep(0.02)
                    self.url = address(self._host, door.getsockname()[1])
                    log.info("the page is on %s", self.url)
                    if ready is not None and not task.done():
                        ready.set()
                    await asyncio.shield(task)
                finally:
                    self.url = ""
                    stopping.set()
                    server.should_exit = True
                    await asyncio.wait([task])
                    if counting is not None:
                        counting.cancel()
                        await asyncio.gather(counting, return_exceptions=True)
                if not server.started:
                    raise RuntimeError("the page did not start; the lines above this in the log say why")

    @property
    def health(self) -> str:
        """What is not as it should be, in a few words; empty when all is well."""
        return "" if self.url else words.not_served()

    @property
    def away(self) -> bool:
        """Whether people cannot ask there at the moment."""
        return not self.url

    def pulse(self) -> float:
        """The page turns in the event loop, which is watched itself."""
        return 0.0

    async def _build(self, routes: Routes, admin: list[BaseRoute]) -> Door:
        """The application.

        Built on a thread, because importing Gradio takes seconds, and in a loop of that thread's own, because Gradio
        opens loops that nobody closes when it finds none.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.update(QUIET, GRADIO_TEMP_DIR=str(self._folder))
        page = importlib.import_module("realbot.adapters.page")
        demo = page.build(self._studio, routes, self._limits)
        table = [*admin, *routes.table(), *Sources(self._studio).table()]
        return Door(
            mounted(demo, table),
            self._password,
            roomy=(UPLOADS, MASKS),
            most=lambda: self._limits().max_upload_mb,
        )

    def _limits(self) -> Limits:
        return self._studio.limits(User("web", "anyone"), HERE)


async def serve(
    studio: Studio, host: str, port: int, password: str | None, folder: Path, *, ready: asyncio.Event | None = None
) -> None:
    """Serve the page until cancelled; `folder` holds Gradio's temporary files. Raises ConfigError for a taken port."""
    await Page(studio, host=host, port=port, password=password, folder=folder).serve(ready=ready)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address. Raises ConfigError naming web.port or web.host."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, where = found[0]
        door = socket.socket(family, kind, proto)
        try:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(where)
            door.listen(128)
        except OSError:
            door.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(words.port_taken(host, port), key="web.port") from None
        if error.errno == errno.EACCES:
            raise ConfigError(words.port_closed(port), key="web.port") from None
        raise ConfigError(words.host_unusable(host, error.strerror or str(error)), key="web.host") from None
    door.setblocking(False)
    return door


def address(host: str, port: int) -> str:
    """The page's address as this machine's browser takes it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in shown and not shown.startswith('[') else shown}:{port}"


def mounted(demo: Any, routes: list[BaseRoute]) -> FastAPI:
    """Gradio's page beside our own routes."""
    gradio = importlib.import_module("gradio")
    page = importlib.import_module("realbot.adapters.page")
    # Mounting leaves this false, and then Gradio hands out any file of the machine that a posted path names.
    demo.has_launched = True
    closed = [Route(path, _nothing, methods=["GET", "POST"]) for path in CLOSED]
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, routes=[*routes, *closed])
    served: FastAPI = gradio.mount_gradio_app(
        app,
        demo,
        path="/",
        theme=page.theme(),
        css=cards.file("page.css") + cards.file("pictures.css"),
        run_history=False,
        footer_links=[],
        max_file_size="10mb",
        show_error=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        enable_monitoring=False,
    )
    return served


async def _nothing(_: Request) -> Response:
    return Response(status_code=404)
