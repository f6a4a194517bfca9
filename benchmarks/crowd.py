"""Discord under load and under fire: `realbot run` with the bundled model on a loopback Discord with its limits.

crowd   so many people send /imagine at the same moment while the engine paints: seconds from the event at the gateway
        to the acknowledgement, against a bare discord.py bot that answers at once and keeps nothing
faults  so many deliveries while every fifth request to Discord is reset, cut, limited or answered with an error, half
        of them after they were carried out: how many pictures never came, and how many came twice

    python benchmarks/crowd.py [--people 200] [--deliveries 1000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("tests/adapters/discord", "tests/adapters", "src")]

from loopback import Loopback  # noqa: E402
from loopback_faults import Close, Fault, Limited, Reset, Stall, Status  # noqa: E402
from loopback_http import Call  # noqa: E402
from loopback_people import Actor  # noqa: E402
from loopback_world import Channel, Interaction  # noqa: E402
from running import Process  # noqa: E402

#: What is promised of the acknowledgement, in seconds: of 99 in 100, and of every one.
P99, MOST = 1.0, 2.5
#: People in one channel.
TOGETHER = 10
BARE = """
import discord, sys, yarl
api, gateway, token = sys.argv[1:]
discord.http.Route.BASE = api
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
client = discord.Client(intents=discord.Intents(guilds=True))
tree = discord.app_commands.CommandTree(client)

@tree.command(description="Paint")
async def imagine(interaction: discord.Interaction, prompt: str, steps: int = 1, seed: int = 0, size: str = "") -> None:
    await interaction.response.send_message(prompt)

@client.event
async def setup_hook() -> None:
    await tree.sync()

client.run(token, log_handler=None)
"""


async def crowd(home: Loopback, people: list[Actor], places: list[Channel], prompt: str) -> list[Interaction]:
    """Everybody asks at the same moment."""
    asking = [
        person.slash(places[n % len(places)], "imagine", prompt=f"{prompt} {n}.", steps=1, seed=n, size="64x64")
        for n, person in enumerate(people)
    ]
    return list(await asyncio.gather(*asking))


async def bare(home: Loopback, people: list[Actor], places: list[Channel], rounds: int) -> list[float]:
    """The seconds of a bot that does nothing but answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", BARE, home.api_base, home.gateway_url, home.token
    )
    waited: list[float] = []
    try:
        await home.ready()
        for n in range(rounds + 1):
            asked = await crowd(home, people, places, f"bare {n}")
            if n:
                waited += [one.waited or float("inf") for one in asked]
    finally:
        process.kill()
        await process.wait()
        home.commands.clear()
    return waited


def finished(home: Loopback, words: str) -> int:
    """How many pictures stand under these words."""
    return sum(
        words in message.text and any(not a.name.startswith("preview") for a in message.attachments)
        for channel in home.channels.values()
        for message in channel.messages.values()
    )


async def all_shown(home: Loopback, asked: list[Interaction], seconds: float) -> None:
    """Wait until nobody waits for a picture any more, or give up."""
    async with asyncio.timeout(seconds):
        while not all(one.message is not None and shows_a_picture(one) for one in asked if one.answer is not None):
            await asyncio.sleep(0.2)


def shows_a_picture(asked: Interaction) -> bool:
    prompt = next(option["value"] for option in asked.data["options"] if option["name"] == "prompt")
    messages = [message for message in asked.channel.messages.values() if prompt in message.text]
    return any(not a.name.startswith("preview") for message in messages for a in message.attachments)


def dice(seed: int) -> object:
    """Every fifth request goes wrong, half of those after they were carried out."""
    thrown = random.Random(seed)
    kinds: list[Fault] = [
        Reset(), Reset(after=True), Close(), Close(after=True), Status(status=502), Status(after=True, status=502),
        Status(status=503), Status(after=True, status=503), Stall(seconds=0.5), Limited(0.3),
    ]  # fmt: skip
    return lambda call: thrown.choice(kinds) if thrown.random() < 0.2 else None


async def measure(count: int, deliveries: int, rounds: int, folder: Path) -> bool:
    async with Loopback(checked=False) as home:
        server = home.guild()
        places = [server.channel(f"c{n}") for n in range(max(1, count // TOGETHER))]
        people = [home.person(f"p{n}") for n in range(count)]
        home.rest.buckets.enforced = True
        base = await bare(home, people, places, rounds)
        limits = {"REALBOT_QUEUE__WAITING_TOTAL": "5000", "REALBOT_LIMITS__WAITING_PER_USER": "100"}
        async with Process(folder, home, **limits):
            waited: list[float] = []
            for n in range(rounds):
                busy = await people[0].slash(places[0], "imagine", prompt=f"busy {n}.", steps=100)
                await asyncio.sleep(0.3)
                asked = await crowd(home, people, places, f"round {n}")
                waited += [one.waited or float("inf") for one in asked]
                await all_shown(home, [busy, *asked], 600)
            limited = sum(call.status == 429 for call in home.calls)
            good = table(count, rounds, base, waited, limited)
            return await fire(home, people, places, deliveries) and good


def table(count: int, rounds: int, base: list[float], waited: list[float], limited: int) -> bool:
    print(f"{count} people at once, {rounds} times, engine painting: seconds to the acknowledgement")
    print(f"{'':8} {'median':>8} {'p99':>8} {'max':>8} {'ratio of p99':>13}")
    reference = statistics.quantiles(base, n=100)[-1]
    for name, values in (("bare", base), ("realbot", waited)):
        p99 = statistics.quantiles(values, n=100)[-1]
        print(f"{name:8} {statistics.median(values):8.3f} {p99:8.3f} {max(values):8.3f} {p99 / reference:13.2f}")
    print(f"promised: p99 {P99}, max {MOST}; answers of 429: {limited}")
    return statistics.quantiles(waited, n=100)[-1] <= P99 and max(waited) <= MOST


async def fire(home: Loopback, people: list[Actor], places: list[Channel], deliveries: int) -> bool:
    """Deliveries under faults."""
    home.rest.buckets.enforced = False
    home.faults.draw = dice(1)  # type: ignore[assignment]
    before, began = len(home.calls), time.perf_counter()
    limit = asyncio.Semaphore(20)

    async def one(n: int) -> Interaction:
        async with limit:
            person, place = people[n % len(people)], places[n % len(places)]
            return await person.slash(place, "imagine", prompt=f"fire {n}.", steps=1, seed=n, size="64x64")

    asked = list(await asyncio.gather(*(one(n) for n in range(deliveries))))
    try:
        await all_shown(home, asked, 60 + deliveries)
    except TimeoutError:
        print("some pictures did not come in time")
    await asyncio.sleep(5)
    home.faults.draw = None
    calls: list[Call] = home.calls[before:]
    shown = [finished(home, f"fire {n}.") for n in range(deliveries)]
    confirmed = [n for n, one in enumerate(asked) if one.answer is not None]
    lost, doubled = sum(shown[n] == 0 for n in confirmed), sum(times > 1 for times in shown)
    struck = sum(call.fault is not None for call in calls)
    print(f"\n{deliveries} deliveries, {struck} of {len(calls)} requests faulted, {time.perf_counter() - began:.0f} s")
    print(f"{'confirmed':>10} {'lost':>8} {'doubled':>8}")
    print(f"{len(confirmed):10} {lost:8} {doubled:8}")
    return lost == doubled == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--deliveries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        good = asyncio.run(measure(told.people, told.deliveries, told.rounds, Path(name)))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
