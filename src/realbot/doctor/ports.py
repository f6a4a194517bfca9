"""What realbot listens on, whether it answers there, and whether the clock is right."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime

import httpx

from realbot.config import Settings
from realbot.findings import Finding, good, unwise, wrong

#: Seconds that an answer may take.
PATIENCE = 5.0
#: Seconds by which the clock may be wrong before it is unwise, and before signatures and tokens fail.
SLOW, WRONG = 20.0, 240.0
RESTART = "Look into the log, and restart realbot."


async def page(settings: Settings, *, runs: bool) -> AsyncIterator[Finding]:
    """The web page's address. `runs` tells whether realbot itself may have it."""
    web = settings.web
    if web is None:
        return
    state = listening(web.host, web.port)
    if state == "free":
        yield good("web page", f"{web.host}:{web.port} is free for it.")
    elif state == "taken" and runs:
        answer = await _asked(f"{_url(web.host, web.port)}/")
        if answer is not None and answer.status_code in (200, 401):
            yield good("web page", f"It answers on {web.host}:{web.port}.")
        else:
            yield wrong("web page", f"It does not answer on {web.host}:{web.port}.", RESTART)
    elif state == "taken":
        yield _taken("web page", "web.port", web.host, web.port)
    else:
        yield _unusable("web page", "web", web.host, web.port, state)


async def monitor(settings: Settings, *, runs: bool) -> AsyncIterator[Finding]:
    """The monitor's address and, of a realbot that runs, what it says of itself."""
    section = settings.monitor
    if section is None:
        return
    state = listening(section.host, section.port)
    if state == "free":
        if runs:
            yield wrong(
                "monitor",
                f"Nothing listens on {section.host}:{section.port}.",
                RESTART,
            )
        else:
            yield good("monitor", f"{section.host}:{section.port} is free for it.")
    elif state == "taken" and runs:
        answer = await _asked(f"{_url(section.host, section.port)}/readyz", 2 * PATIENCE)
        for finding in _ready(answer, f"{section.host}:{section.port}"):
            yield finding
    elif state == "taken":
        yield _taken("monitor", "monitor.port", section.host, section.port)
    else:
        yield _unusable("monitor", "monitor", section.host, section.port, state)


async def webhook(settings: Settings, *, runs: bool) -> AsyncIterator[Finding]:
    """The address that Telegram's updates come to by way of a proxy."""
    section = settings.telegram
    if section is None or section.webhook_url is None:
        return
    host, port = section.webhook_host, section.webhook_port
    state = listening(host, port)
    if state == "free" and runs:
        yield wrong("Telegram webhook", f"Nothing listens on {host}:{port}.", RESTART)
    elif state == "free":
        yield good("Telegram webhook", f"{host}:{port} is free for it.")
    elif state == "taken" and runs:
        yield good("Telegram webhook", f"realbot listens on {host}:{port}.")
    elif state == "taken":
        yield _taken("Telegram webhook", "telegram.webhook_port", host, port)
    else:
        yield wrong(
            "Telegram webhook",
            f"{host}:{port} cannot be listened on: {state}.",
            "Set telegram.webhook_host to an address of this machine.",
        )


async def clock(url: str) -> AsyncIterator[Finding]:
    """This machine's clock against that of a platform. Nothing is told when the platform does not answer."""
    sent = time.time()
    answer = await _asked(url)
    if answer is None:
        return
    with contextlib.suppress(KeyError, ValueError, TypeError):
        theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
        # Their time is in whole seconds, of some moment between asking and hearing.
        off = (sent + time.time()) / 2 - theirs - 0.5
        slack = (time.time() - sent) / 2 + 0.5
        if abs(off) - slack > SLOW:
            told = f"It is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}."
            make = wrong if abs(off) > WRONG else unwise
            yield make("clock", told, "Turn on the time service: timedatectl set-ntp true.")
        else:
            yield good("clock", "As that of the platforms.")


def listening(host: str, port: int) -> str:
    """ "free", "taken", or why the address cannot be listened on."""
    if port == 0:
        return "free"
    try:
        family, kind, proto, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(where)
    except OSError as error:
        return "taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return "free"


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


async def _asked(url: str, seconds: float = PATIENCE) -> httpx.Response | None:
    try:
        async with asyncio.timeout(seconds), httpx.AsyncClient(timeout=seconds) as client:
            return await client.get(url)
    except (httpx.HTTPError, OSError, TimeoutError):
        return None


def _ready(answer: httpx.Response | None, where: str) -> Iterator[Finding]:
    """One finding for each part that is not well, which is how a running realbot tells of settings it did not take."""
    if answer is None:
        yield wrong("monitor", f"It does not answer on {where}.", RESTART)
        return
    try:
        parts = [(str(one["part"]), str(one["state"]), str(one["says"])) for one in answer.json()["parts"]]
    except (ValueError, KeyError, TypeError):
        yield wrong(
            "monitor", f"What answers on {where} is not realbot.", "Stop it, or set monitor.port to another port."
        )
        return
    ill = [one for one in parts if one[1] != "well"]
    for name, state, says in ill:
        make = unwise if state == "poor" else wrong
        yield make(f"running: {name}", says, RESTART if state == "stuck" else "Look into the log of the last minutes.")
    if not ill:
        yield good("monitor", f"The realbot that runs says on {where} that all is well.")


def _taken(part: str, key: str, host: str, port: int) -> Finding:
    return wrong(part, f"Another program has {host}:{port}.", f"Stop it, or set {key} to another port.")


def _unusable(part: str, section: str, host: str, port: int, why: str) -> Finding:
    return wrong(
        part,
        f"{host}:{port} cannot be listened on: {why}.",
        f"Set {section}.host and {section}.port to an address of this machine.",
    )
