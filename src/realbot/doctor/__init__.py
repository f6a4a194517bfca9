"""`realbot doctor`: looks at everything that keeps a bot from working, beside one that runs or before one can start.

It takes no lock, writes nothing but a probe, and every question to a platform has a short time limit.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from realbot import host
from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.findings import Finding, good, refused, unwise, wrong
from realbot.glimpse import remembered
from realbot.redaction import Redactor, printable

from . import copies, folder, model, named, ports, program

log = logging.getLogger(__name__)

Group: TypeAlias = Awaitable[Iterable[Finding]]


async def examine(
    settings: Settings | None,
    found: Iterable[Finding],
    *,
    channel: str = "",
    engine: bool = False,
    whole: bool = False,
) -> AsyncIterator[Finding]:
    """Look at everything, at several things at a time; findings come in the order of the list.

    `settings` and `found` are what `configuration` gave. `channel` is the id of a Discord channel, `engine` starts an
    engine and lets it paint, `whole` reads every byte of the model. Without settings most is left out.
    """
    redact = Redactor(settings.secrets() if settings else ())
    groups: list[tuple[str, Group]] = [("program", asyncio.to_thread(lambda: [*program.program()]))]
    if settings is not None:
        groups += _groups(settings, channel, engine=engine, whole=whole)
    tasks = [asyncio.create_task(_safe(name, group)) for name, group in groups]
    try:
        for finding in found:
            yield clean(finding, redact)
        for task in tasks:
            for finding in await task:
                yield clean(finding, redact)
        if settings is None:
            yield unwise(
                "the rest",
                "Data folder, model, platforms and ports are not looked at without a usable configuration.",
                "Mend the configuration and ask again.",
            )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def configuration(
    config: Path | None, environ: Mapping[str, str] | None = None
) -> tuple[Settings | None, list[Finding]]:
    """The settings, None where they cannot be used, and what there is to say of them."""
    try:
        settings = Settings.load(config) if environ is None else Settings.load(config, environ)
    except ConfigError as error:
        return None, [
            refused("configuration", error, "Correct it; realbot settings --template prints every key with its default")
        ]
    changed = sum(not origin.startswith("default") for origin in settings.origins.values())
    fronts = [name for name in ("discord", "telegram", "web") if getattr(settings, name) is not None]
    found = [good("configuration", f"{changed} settings differ from their defaults; {', '.join(fronts)} on.")]
    for caution in settings.cautions:
        said, _, remedy = caution.partition("; run: ")
        if remedy:
            found.append(unwise("secrets", f"{said}.", f"Run {remedy}."))
        else:
            found.append(unwise("configuration", said, "Set web.password, or web.host to 127.0.0.1."))
    return settings, found


def clean(finding: Finding, redact: Callable[[str], str]) -> Finding:
    """Without anything that is or looks like a secret, and without what would move a terminal's cursor."""
    said, remedy = printable(redact(finding.said)), printable(redact(finding.remedy))
    return replace(finding, said=said, remedy=remedy)


def _groups(settings: Settings, channel: str, *, engine: bool, whole: bool) -> list[tuple[str, Group]]:
    data = settings.paths.data
    surveyed = asyncio.create_task(asyncio.to_thread(program.torch))
    weighed = asyncio.create_task(asyncio.to_thread(model.model, settings, whole=whole))

    async def disk() -> Iterable[Finding]:
        return await asyncio.to_thread(
            lambda: [*folder.folder(settings), *copies.copies(settings), *named.files(settings)]
        )

    async def device() -> Iterable[Finding]:
        return [*program.device(await surveyed, settings.model.device)]

    async def weights() -> Iterable[Finding]:
        found, size = await weighed
        if last := await asyncio.to_thread(remembered, data, "fingerprint"):
            found = [*found, good("fingerprint", f"That of the last engine begins with {last[:12]}.")]
        return [*found, *model.memory(settings, size, await surveyed)]

    async def looks() -> Iterable[Finding]:
        from realbot import app

        return [*model.styles(await asyncio.to_thread(app.styles, settings))]

    async def painted() -> Iterable[Finding]:
        from realbot import app

        last = await asyncio.to_thread(remembered, data, "fingerprint")
        return [await model.engine(lambda spool: app.pool(settings, spool), settings, last)]

    async def listened() -> Iterable[Finding]:
        runs = await asyncio.to_thread(host.holder, data / "realbot.lock") is not None
        asked = (
            ports.page(settings, runs=runs),
            ports.monitor(settings, runs=runs),
            ports.webhook(settings, runs=runs),
        )
        return [finding for part in asked async for finding in part]

    groups: list[tuple[str, Group]] = [
        ("data folder", disk()),
        ("torch", device()),
        ("model", weights()),
        ("styles", looks()),
        ("picture checker", named.checker(settings)),
        ("ports", listened()),
    ]
    if settings.discord is not None:
        groups.append(("Discord", _discord(settings, channel)))
    if settings.telegram is not None:
        groups.append(("Telegram", _telegram(settings)))
    if settings.discord is not None or settings.telegram is not None:
        groups.append(("clock", _clock(settings)))
    if engine:
        groups.append(("engine", painted()))
    return groups


async def _discord(settings: Settings, channel: str) -> Iterable[Finding]:
    from realbot.adapters.discord.diagnosis import diagnosis

    assert settings.discord is not None
    return await diagnosis(settings.discord, channel, recall=partial(remembered, settings.paths.data))


async def _telegram(settings: Settings) -> Iterable[Finding]:
    from realbot.adapters.telegram.diagnosis import diagnosis

    assert settings.telegram is not None
    return await diagnosis(settings.telegram)


async def _clock(settings: Settings) -> Iterable[Finding]:
    platforms = [section.api_base for section in (settings.discord, settings.telegram) if section is not None]
    for url in platforms:
        if found := [finding async for finding in ports.clock(url)]:
            return found
    return []


async def _safe(name: str, group: Group) -> Iterable[Finding]:
    """A fault of the doctor's own is a finding too, and keeps nothing else from being looked at."""
    try:
        return await group
    except Exception as error:
        log.debug("%s could not be looked at", name, exc_info=True)
        return [wrong(name, f"It could not be looked at: {type(error).__name__}: {error}.", "Report this as a fault.")]
