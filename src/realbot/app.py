"""Builds everything from Settings, and knows the order of starting and stopping. Nothing else constructs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realbot.config import Settings, environment
from realbot.engine import EnginePool
from realbot.engine.child import ChildPool
from realbot.engine.models import bundled, preset
from realbot.engine.watch import Patience
from realbot.errors import ConfigError
from realbot.store import Store
from realbot.studio import Studio
from realbot.styles import Styles

log = logging.getLogger(__name__)

#: Seconds between two looks at the style folders.
SWEEP = 2.0
#: Seconds between two looks for pictures that are too old.
RETENTION = 3600.0
#: Seconds that a picture under way gets when realbot stops; a service manager waits for ten.
GRACE = 6.0


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
        tasks = [asyncio.create_task(_watch(looks), name="style folders")]
        if settings.privacy.history_days:
            tasks.append(asyncio.create_task(_forget(store, settings.privacy.history_days), name="retention"))
        try:
            yield Studio(store, _pool(settings), settings, looks, model=model)
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
    """Serve every front-end that is configured, until SIGTERM or SIGINT."""
    for name in ("discord", "telegram"):
        if getattr(settings, name) is not None:
            raise ConfigError(
                f"{name}.token is set, but this version has no {name.title()} front-end; remove the section [{name}].",
                key=f"{name}.token",
            )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(settings) as studio:
        fronts = []
        if settings.web is not None:
            from realbot.adapters import web

            password = settings.web.password
            fronts.append(
                web.serve(
                    studio,
                    settings.web.host,
                    settings.web.port,
                    password.get_secret_value() if password else None,
                    settings.paths.data / "web",
                )
            )
        tasks = [asyncio.create_task(front) for front in fronts]
        waiter = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiter, *tasks):
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, Exception):
                raise failure


def styles(settings: Settings) -> Styles:
    """The styles of the settings' folder, and of realbot itself where they fit the model."""
    own = settings.paths.styles or settings.paths.data / "styles"
    fits = preset(settings.model.name, settings.model.path).source == str(bundled())
    return Styles([bundled().with_name("styles"), own] if fits else [own])


def _pool(settings: Settings) -> EnginePool:
    spool = settings.paths.data.absolute() / "spool"
    told = {
        "model": settings.model.model_dump(mode="json"),
        "engine": settings.engine.model_dump(mode="json"),
        "spool": str(spool),
    }
    argv = [sys.executable, "-m", "realbot.engine.worker", "--settings", json.dumps(told)]
    patience = Patience(hang=settings.engine.hang_seconds)
    return ChildPool(argv, spool=spool, environ=environment(), patience=patience)


async def _forget(store: Store, days: int) -> None:
    """Delete what is older than the settings keep, at the start and every hour."""
    while True:
        try:
            await store.expire(time.time() - days * 86_400)
        except ConfigError as error:
            log.warning("old pictures are still there: %s", error)
        await asyncio.sleep(RETENTION)


async def _watch(looks: Styles) -> None:
    """Styles that are copied into the folder can be used without a restart."""
    while True:
        await asyncio.sleep(SWEEP)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(looks.sweep)
