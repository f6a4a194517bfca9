"""Builds everything from Settings, and knows the order of starting and stopping. Nothing else constructs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from realbot import host, logs
from realbot.classifier import Classifier
from realbot.config import Settings, environment
from realbot.engine import EnginePool
from realbot.engine.child import ChildPool
from realbot.engine.models import bundled, preset
from realbot.engine.watch import Patience
from realbot.errors import ConfigError
from realbot.notice import Notice
from realbot.store import Store
from realbot.studio import Studio
from realbot.styles import Styles

if TYPE_CHECKING:
    from realbot.adapters import Adapter
    from realbot.rulebook import Monitor as Section

log = logging.getLogger(__name__)

#: Seconds between two looks at the style folders.
SWEEP = 2.0
#: Seconds that a picture under way gets when realbot stops; a service manager waits ten for it and all the rest.
GRACE = 4.0
#: Seconds that a front-end waits at most until the one before it can be used.
START = 60.0
#: Front-ends that somebody else can turn away while realbot runs.
PLATFORMS = ("discord", "telegram")


@asynccontextmanager
async def built(settings: Settings) -> AsyncIterator[Studio]:
    """A studio on the data folder whose engine is not started: enough for history and styles.

    Raises ConfigError or ModelMissing in one sentence.
    """
    model = preset(settings.model.name, settings.model.path)
    async with Store.open(settings.paths.data) as store:
        looks = await asyncio.to_thread(styles, settings)
        for name, reason in looks.broken.items():
            log.warning("style %s is left out: %s", name, reason)
        checker = settings.safety.checker
        classifier = None if checker == "off" else Classifier(checker)
        studio = Studio(store, pool(settings), settings, looks, model=model, classifier=classifier)
        tasks = [
            asyncio.create_task(_watch(looks), name="style folders"),
            asyncio.create_task(studio.upkeep.run(), name="upkeep"),
        ]
        try:
            yield studio
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def opened(settings: Settings, grace: float = GRACE) -> AsyncIterator[Studio]:
    """A studio that takes requests; its engine is loading. Raises as `built`."""
    async with built(settings) as studio:
        await studio.open()
        try:
            yield studio
        finally:
            await studio.close(grace)


async def run(settings: Settings) -> None:
    """Serve every front-end that is configured, until SIGTERM or SIGINT, at once when it comes twice; SIGHUP reads the
    settings anew.

    One that Discord or Telegram turns away leaves the others alone. Raises its ConfigError when it was the last.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _halt, stop, number)
    if said := host.caution():
        log.warning("%s", said)
    anew = _anew(stop)
    notice = Notice(environment())
    async with contextlib.AsyncExitStack() as stack:
        studio = await stack.enter_async_context(opened(settings))
        fronts = {front: asyncio.Event() for front in _fronts(settings, studio)}
        await stack.enter_async_context(watched(settings, studio, fronts, notice))
        reading = asyncio.create_task(studio.reload.watch(anew), name="settings")
        tasks = set()
        before: asyncio.Event | None = None
        for front, ready in fronts.items():
            tasks.add(asyncio.create_task(_serve(front, ready, before), name=front.platform))
            before = ready
        waiter = asyncio.create_task(stop.wait())
        serving = set(tasks)
        try:
            while serving and not stop.is_set():
                ended, _ = await asyncio.wait({waiter, *serving}, return_when=asyncio.FIRST_COMPLETED)
                serving -= ended
                for task in ended & tasks:
                    failure = task.exception()
                    if not (isinstance(failure, ConfigError) and task.get_name() in PLATFORMS and serving):
                        task.result()
                    log.critical("%s is off, the rest goes on: %s", task.get_name(), failure)
                    studio.health.lost(task.get_name(), str(failure))
        finally:
            notice.stopping()
            for task in (waiter, reading, *serving):
                task.cancel()
            left = await asyncio.gather(waiter, reading, *serving, return_exceptions=True)
        for ending in left:
            if isinstance(ending, Exception):
                raise ending


@asynccontextmanager
async def watched(
    settings: Settings, studio: Studio, fronts: Mapping[Adapter, asyncio.Event], notice: Notice
) -> AsyncIterator[None]:
    """Look at every part, count, and tell other programs of it while the block runs. Raises ConfigError.

    Each front-end's event is set once people can ask there.
    """
    for front in fronts:
        studio.health.watch(front)
    studio.reload.listeners.append(_Relogged(settings))
    studio.reload.around = notice.reloading
    async with (
        studio.health.probe.watching(),
        _monitored(settings.monitor, studio),
        notice.living(studio.health),
    ):
        greeting = asyncio.create_task(_greet(notice, fronts.values()), name="greeting")
        try:
            yield
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)


def _monitored(section: Section | None, studio: Studio) -> AbstractAsyncContextManager[None]:
    """Count and serve the counts where the settings want that; the library for it is loaded only then."""
    if section is None:
        return contextlib.nullcontext()
    from realbot.metrics import Metrics
    from realbot.monitor import Monitor

    return Monitor(Metrics(studio), section).serving()


def _halt(stop: asyncio.Event, number: int) -> None:
    """Begin to stop; whoever asks twice does not want to wait, and nothing that was accepted needs the waiting."""
    if stop.is_set():
        log.warning("stopped at once; what was being painted is painted again after the next start")
        os._exit(128 + number)
    stop.set()


class _Relogged:
    """The log follows its settings, and hides new secrets as well as every old one."""

    def __init__(self, settings: Settings) -> None:
        self._hidden = dict.fromkeys(settings.secrets())

    def __call__(self, old: Settings, new: Settings) -> None:
        if (old.log, old.secrets()) != (new.log, new.secrets()):
            self._hidden |= dict.fromkeys(new.secrets())
            logs.configure(tuple(self._hidden), new.log)


async def _greet(notice: Notice, readies: Iterable[asyncio.Event]) -> None:
    """Tell the service manager once people can ask everywhere, or when they had time enough."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START):
            for ready in readies:
                await ready.wait()
    notice.ready()


def _anew(stop: asyncio.Event) -> asyncio.Event:
    """Set by SIGHUP, where there is such a thing; when it comes of a terminal that was closed, `stop` is instead."""
    anew = asyncio.Event()
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is not None:
        # nohup lets the terminal go.
        tied = _terminal() and signal.getsignal(hangup) is not signal.SIG_IGN

        def heard() -> None:
            (stop if tied and not _terminal() else anew).set()

        asyncio.get_running_loop().add_signal_handler(hangup, heard)
    return anew


def _terminal() -> bool:
    """Whether this process can be typed at."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def _serve(front: Adapter, ready: asyncio.Event, before: asyncio.Event | None) -> None:
    """Serve a front-end once the one before it can be used: loading a large library holds up everything else."""
    if before is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START):
                await before.wait()
    await front.serve(ready=ready)


def _fronts(settings: Settings, studio: Studio) -> Iterator[Adapter]:
    """The front-ends of the settings, those that load the most first. Their libraries are loaded only here."""
    if settings.web is not None:
        from realbot.adapters import web

        password, admin = settings.web.password, settings.web.admin_password
        yield web.Page(
            studio,
            host=settings.web.host,
            port=settings.web.port,
            password=password.get_secret_value() if password else None,
            folder=settings.paths.data / "web",
            admin=admin.get_secret_value() if admin else None,
        )
    if settings.discord is not None:
        from realbot.adapters import discord

        yield discord.Front(studio, settings.discord)
    if settings.telegram is not None:
        from realbot.adapters import telegram

        yield telegram.Front(studio, settings.telegram)


def styles(settings: Settings) -> Styles:
    """The styles of the settings' folder, and of realbot itself where they fit the model."""
    own = settings.paths.styles or settings.paths.data / "styles"
    fits = preset(settings.model.name, settings.model.path).source == str(bundled())
    bundle = [bundled().with_name("styles")] if fits else []
    return Styles([*bundle, own, settings.paths.data / "trained"])


def pool(settings: Settings, spool: Path | None = None) -> EnginePool:
    """The engine of the settings; `spool` is the folder for its pictures, in the data folder unless given."""
    spool = spool or settings.paths.data.absolute() / "spool"
    told = {
        "model": settings.model.model_dump(mode="json"),
        "engine": settings.engine.model_dump(mode="json"),
        "upscale": settings.upscale.model_dump(mode="json"),
        "reference": settings.reference.model_dump(mode="json"),
        "spool": str(spool),
    }
    argv = [sys.executable, "-m", "realbot.engine.worker", "--settings", json.dumps(told)]
    patience = Patience(hang=settings.engine.hang_seconds)
    return ChildPool(argv, spool=spool, environ=environment(), patience=patience)


async def _watch(looks: Styles) -> None:
    """Styles that are copied into the folder can be used without a restart."""
    while True:
        await asyncio.sleep(SWEEP)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(looks.sweep)
