"""Telegram under load and under fire: `realbot run` with the bundled model on a loopback Bot API with flood control.

chats   so many chats, a third of them groups, ask within a minute while the engine paints: seconds from the message to
        its card against a bare python-telegram-bot that answers at once, and how many requests Telegram refused (429)
faults  so many deliveries while every fifth request to Telegram is reset, cut, limited or answered with an error, half
        of them after they were carried out: how many pictures never came, untold, and how many came twice

    python benchmarks/chats.py [--chats 200] [--deliveries 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("tests/adapters/telegram", "tests/adapters", "tests", "src")]

from botapi import BotApi  # noqa: E402
from botapi_calls import Call  # noqa: E402
from botapi_faults import Close, Error, Fault, Limited, Reset, Stall, Status  # noqa: E402
from botapi_people import Actor  # noqa: E402
from botapi_world import Chat, Message  # noqa: E402
from tg_running import Process  # noqa: E402

#: Seconds within which everybody asks.
MINUTE = 60.0
BARE = """
import sys
from telegram.ext import Application, CommandHandler
base, token = sys.argv[1:]

async def imagine(update, context):
    await update.message.reply_text(update.message.text)

app = Application.builder().token(token).base_url(f"{base}/bot").concurrent_updates(True).build()
app.add_handler(CommandHandler("imagine", imagine))
app.run_polling()
"""
LIMITS = {"REALBOT_QUEUE__WAITING_TOTAL": "5000", "REALBOT_LIMITS__WAITING_PER_USER": "100"}


def rooms(api: BotApi, count: int) -> list[tuple[Actor, Chat]]:
    """One person for each chat; every third is a group."""
    people = [api.person(f"p{n}") for n in range(count)]
    return [(one, api.supergroup(f"g{n}", one) if n % 3 == 0 else one.chat) for n, one in enumerate(people)]


async def asked(one: Actor, chat: Chat, text: str, pause: float) -> float:
    """The seconds until the bot answers."""
    await asyncio.sleep(pause)
    one.patience = 120.0
    began = time.perf_counter()
    await one.ask(chat, f"/imagine {text}")
    return time.perf_counter() - began


async def crowd(there: list[tuple[Actor, Chat]], words: str, within: float) -> list[float]:
    asking = [
        asked(one, chat, f"{words} {n}. steps:1 seed:{n} size:64x64", within * n / len(there))
        for n, (one, chat) in enumerate(there)
    ]
    return list(await asyncio.gather(*asking))


def finished(chat: Chat, words: str) -> list[Message]:
    """The messages that show a finished picture under these words."""
    return [m for m in chat.told if m.picture is not None and words in m.words and "seed" in m.words]


def offered(chat: Chat, words: str) -> bool:
    """Whether somebody is asked if the picture of these words is there, with a button that shows it."""
    return any(words in m.words and "Show them" in m.labels for m in chat.told)


async def shown(there: list[tuple[Actor, Chat]], words: list[str], seconds: float) -> bool:
    """Whether everybody has a picture in time."""
    try:
        async with asyncio.timeout(seconds):
            while not all(finished(there[n % len(there)][1], one) for n, one in enumerate(words)):
                await asyncio.sleep(0.2)
    except TimeoutError:
        return False
    return True


async def bare(count: int) -> list[float]:
    """The seconds of a bot that does nothing but answer."""
    async with BotApi(checked=False) as api:
        process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", BARE, api.base, api.token)
        try:
            while not api.called("getUpdates"):
                await asyncio.sleep(0.05)
            return await crowd(rooms(api, count), "bare", 10.0)
        finally:
            process.kill()
            await process.wait()


async def load(count: int, folder: Path) -> bool:
    base = await bare(count)
    async with BotApi(checked=False, limits=True) as api, Process(folder, api, **LIMITS):
        there = rooms(api, count)
        waited = await crowd(there, "nominal", MINUTE)
        every = await shown(there, [f"nominal {n}." for n in range(count)], 300)
        # Everybody at the same moment: what is sent is spread over more seconds, and still nothing is refused.
        rush = await crowd(there, "rush", 0.0)
        every = await shown(there, [f"rush {n}." for n in range(count)], 300) and every
        refused = len(api.refused)
    print(f"{count} chats, engine painting: seconds to the card")
    print(f"{'':22} {'median':>8} {'p99':>8} {'max':>8}")
    for name, values in (("bare bot", base), ("within a minute", waited), ("at the same moment", rush)):
        p99 = statistics.quantiles(values, n=100)[-1]
        print(f"{name:22} {statistics.median(values):8.3f} {p99:8.3f} {max(values):8.3f}")
    print(f"all pictures came: {every}; refused (429): {refused}")
    return every and not refused


def dice(seed: int) -> Callable[[Call], Fault | None]:
    """Every fifth request goes wrong, half of those after they were carried out."""
    thrown = random.Random(seed)
    kinds: list[Fault] = [
        Reset(), Reset(after=True), Close(), Close(after=True), Status(status=502), Status(after=True, status=502),
        Error(500, "Internal Server Error"), Error(500, "Internal Server Error", after=True), Stall(seconds=0.5),
        Limited(1),
    ]  # fmt: skip

    def struck(call: Call) -> Fault | None:
        return thrown.choice(kinds) if call.method != "getUpdates" and thrown.random() < 0.2 else None

    return struck


async def fire(deliveries: int, folder: Path) -> bool:
    """Deliveries under faults."""
    async with BotApi(checked=False) as api, Process(folder, api, **LIMITS) as realbot:
        there, began = rooms(api, 100), time.perf_counter()
        api.faults.draw = dice(1)
        for n in range(deliveries):
            one, chat = there[n % len(there)]
            one.write(chat, f"/imagine fire {n}. steps:1 seed:{n} size:64x64")
            await asyncio.sleep(0.02)
        words = [f"fire {n}." for n in range(deliveries)]
        await settled(realbot, deliveries, 120 + deliveries / 4)
        api.faults.draw = None
        struck, calls = sum(call.fault is not None for call in api.calls), len(api.calls)
        times = [len(finished(there[n % len(there)][1], one)) for n, one in enumerate(words)]
        kept = await told(realbot)
    absent = {n for n, number in enumerate(times) if number == 0}
    doubted = {n for n in absent if offered(there[n % len(there)][1], words[n])}
    lost, doubled = len(absent - kept - doubted), sum(number > 1 for number in times)
    seconds = time.perf_counter() - began
    print(f"\n{deliveries} deliveries, {struck} of {calls} requests faulted, {seconds:.0f} s")
    print(f"{'shown':>8} {'shown on request':>17} {'in the history':>15} {'lost':>8} {'doubled':>8}")
    print(f"{deliveries - len(absent):8} {len(doubted):17} {len(absent & kept):15} {lost:8} {doubled:8}")
    return lost == doubled == 0


async def settled(realbot: Process, deliveries: int, seconds: float) -> None:
    """Wait until every request has come to its end, as realbot sees it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while rows(realbot, "SELECT count(*) FROM jobs WHERE shown = 1")[0][0] < deliveries:
                await asyncio.sleep(1)


async def told(realbot: Process) -> set[int]:
    """The seeds of pictures that are in the history with the reason why they may not have been seen."""
    await realbot.stop()
    return {
        int(seed) for (seed,) in rows(realbot, "SELECT json_extract(request, '$.seed') FROM jobs WHERE state = 'kept'")
    }


def rows(realbot: Process, question: str) -> list[tuple[int, ...]]:
    with contextlib.closing(sqlite3.connect(realbot.folder / "data" / "realbot.db")) as db:
        return db.execute(question).fetchall()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--deliveries", type=int, default=1000)
    asked_for = parser.parse_args()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        good = asyncio.run(load(asked_for.chats, Path(one)))
        good = asyncio.run(fire(asked_for.deliveries, Path(two))) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
