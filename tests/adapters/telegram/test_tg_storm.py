"""Outages and bad weather: a thousand deliveries of which none is lost and none is doubled."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections import Counter
from dataclasses import dataclass

import pytest
from botapi import BotApi
from botapi_faults import Close, Error, Limited, Malformed, Reset, Stall, Status, Torn
from botapi_people import Actor
from botapi_world import Chat, Message
from tg_fronts import House, house
from tg_scenes import Hurried, calm, jobs, settled, shown, soon

from realbot.jobs import Done, Job

HOUR = 3600.0
HASTE = 20.0


async def test_R7_an_outage_of_six_hours_is_drained_oldest_first_and_in_the_limits(tmp_path):
    async with BotApi(limits=True, clock=Hurried(HASTE)) as api:
        people = [api.person(f"p{n}") for n in range(24)]
        group = api.supergroup("foxes", *people)
        async with house(tmp_path, api, hand=True, haste=HASTE) as home:
            wanted = [(who, who.chat) for who in people] + [(who, group) for who in people[:6]]
            for n, (who, chat) in enumerate(wanted):
                who.write(chat, f"/imagine picture {n}. steps:1")
            await soon(lambda: len(jobs(home)) == 30, "not everything is taken")
            chats = [group, *(who.chat for who in people)]
            await soon(lambda: sum(len(chat.told) for chat in chats) == 30, "not every card is there")
            outage = api.fault("*", Status(status=502), -1)
            for _ in range(30):
                await soon(home.easel.working, "nothing is painted")
                home.easel.finish()
                await asyncio.sleep(0.01)
            await soon(lambda: all(isinstance(job.status, Done) for job in jobs(home)), "not everything is painted")
            api.clock.advance(6 * HOUR)
            before = len([call for call in api.calls if call.files])
            await calm(2.0)
            # One look now and then, however much waits.
            assert len([call for call in api.calls if call.files]) - before < 40
            assert home.front.courier.down
            outage.times = 0
            began = len(api.calls)
            await settled(home, 60)
            await soon(lambda: home.front.health == "", "it is not well again", 30)
        order = [call.params["media"]["caption"] for call in api.calls[began:] if call.files and call.ok]
        numbers = [int(words.split("picture ")[1].split(".")[0]) for words in order]
        taken = {int(job.request.prompt.split()[1][:-1]): place for place, job in enumerate(jobs(home))}
        places = [taken[number] for number in numbers]
        # Those of one chat come one after the other, and no chat waits for another's turn.
        private = [place for place, number in zip(places, numbers, strict=True) if number < 24]
        assert all(abs(place - sorted(private)[n]) <= 8 for n, place in enumerate(private)), private
        together = [place for place, number in zip(places, numbers, strict=True) if number >= 24]
        assert together == sorted(together)
        assert all(len(shown(api, f"picture {n}.")) == 1 for n in range(30))
        assert not api.refused


@dataclass(frozen=True)
class Wish:
    number: int
    who: Actor
    chat: Chat
    count: int

    @property
    def words(self) -> str:
        return f"picture {self.number}."


def weather(seed: int, haste: float):
    """A fault for a fifth of all requests, half of them after they were carried out."""
    dice = random.Random(seed)
    kinds = [
        Reset(), Reset(after=True), Close(), Close(after=True), Torn(after=True), Status(status=502), Limited(2),
        Status(after=True, status=502), Status(status=503), Status(after=True, status=504), Malformed(after=True),
        Error(500, "Internal Server Error"), Error(500, "Internal Server Error", after=True), Stall(20 / haste),
        Stall(20 / haste, after=True),
    ]  # fmt: skip
    return lambda call: dice.choice(kinds) if dice.random() < 0.2 else None


def asks_to_show(chat: Chat, words: str) -> list[Message]:
    return [message for message in chat.told if words in message.words and "Show them" in message.labels]


async def wished(home: House, wishes: list[Wish]) -> None:
    """A person of one chat asks for one thing after the other."""
    for wish in wishes:
        count = f"count:{wish.count} " if wish.count > 1 else ""
        wish.who.write(wish.chat, f"/imagine {wish.words} {count}steps:1 seed:{wish.number * 10} size:64x64")
        for _ in range(60):
            if shown(wish.chat, wish.words) or any(wish.words in message.words for message in wish.chat.told[-6:]):
                break
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_thousand_faulted_deliveries_lose_and_double_nothing(tmp_path):
    began = time.process_time()
    async with BotApi(checked=False, clock=Hurried(HASTE)) as api:
        people = [api.person(f"p{n}") for n in range(50)]
        chats = [who.chat if n < 34 else api.supergroup(f"g{n}", who) for n, who in enumerate(people)]
        wishes = [Wish(n, people[n % 50], chats[n % 50], 2 if n % 10 == 0 else 1) for n in range(1000)]
        async with house(tmp_path, api, haste=HASTE) as home:
            api.faults.draw = weather(1, HASTE)
            await asyncio.gather(*(wished(home, wishes[n::50]) for n in range(50)))
            await soon(lambda: not api.updates.waiting, "not everything is heard", 200)
            await settled(home, 200)
            struck, asked = sum(call.fault is not None for call in api.calls), len(api.calls)
            api.faults.clear()
            known = {job.request.prompt: job for job in jobs(home)}
            assert sorted(known) == sorted(wish.words for wish in wishes)
            kept = {wish for wish in wishes if await home.bench.state(known[wish.words]) == "kept"}
            # Each who has something in the history that was not shown is told so when they come again.
            for who in {wish.who for wish in kept}:
                chat = next(wish.chat for wish in kept if wish.who is who)
                who.write(chat, "/imagine one more steps:1")
            await soon(lambda: all(told(wish.chat) for wish in kept), "somebody was not told")
            await settled(home)
    pictures = Counter(picture.sent for chat in api.chats.values() for picture in chat.pictures)
    assert pictures.most_common(1)[0][1] == 1, "a picture was shown twice"
    lost = [
        wish
        for wish in wishes
        if wish not in kept and not shown(wish.chat, wish.words) and not arrived(wish, known[wish.words], api)
    ]
    assert lost == []
    misled = [wish for wish in wishes if any(m.chat is not wish.chat for m in shown(api, wish.words))]
    assert misled == []
    assert struck > asked * 0.15
    assert len(home.easel.works) <= 1000 + len(kept)
    # Of our own; other programs may keep the machine busy.
    assert time.process_time() - began < 120
    print(f"\n{struck} of {asked} requests faulted; {len(kept)} kept and told")


def told(chat: Chat) -> bool:
    return any("could not be delivered" in message.words for message in chat.told)


def arrived(wish: Wish, job: Job, api: BotApi) -> bool:
    """Whether an album is in its chat, or somebody is asked whether the pictures are."""
    if wish.count == 1:
        return bool(asks_to_show(wish.chat, wish.words))
    sent = {picture.sent for picture in wish.chat.pictures}
    return len(sent & album(job, api)) == wish.count or bool(asks_to_show(wish.chat, wish.words))


def album(job: Job, api: BotApi) -> set[bytes]:
    found = {picture.sent for chat in api.chats.values() for picture in chat.pictures}
    return {data for data in found if hashlib.sha256(data).hexdigest() in job.status.images}
