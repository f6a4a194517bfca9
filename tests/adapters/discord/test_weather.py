"""Whatever Discord does, a request is answered in time, painted once and shown once, and nothing else is disturbed."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from easel import easel
from fronts import arrives, cards, finished, front_task, house, serving, soon
from loopback_faults import Close, Error, Limited, Reset, Stall, Status

from studios import rig

BOT = "/channels/*/messages/*"
CALLBACK = "/interactions/*/callback"


async def paints(actor, channel, pool, prompt: str = "a red apple"):
    """A whole request: asked, painted, shown."""
    asked = await actor.slash(channel, "imagine", prompt=prompt, steps=1)
    await soon(pool.working, f"nothing is painted: {asked.text}")
    pool.finish()
    await arrives(asked.message)
    return asked


async def test_an_acknowledgement_shows_the_place_in_line_and_the_result_the_picture(
    front, atelier, discord, channel, anna
):
    asked = await paints(anna, channel, atelier.pool)
    assert asked.waited is not None
    assert asked.waited < 1.0
    assert len(asked.message.pictures) == 1
    assert asked.message.attachments[0].description
    assert "Again" in asked.message.labels


async def test_DC1_a_disk_that_stalls_defers_the_answer_in_time(front, atelier, discord, channel, anna, monkeypatch):
    put = atelier.store.put

    async def slow(*arguments, **options):
        await asyncio.sleep(2.4)
        return await put(*arguments, **options)

    monkeypatch.setattr(atelier.store, "put", slow)
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    assert asked.deferred_first
    assert asked.waited is not None
    assert 1.0 < asked.waited < 2.5
    await soon(lambda: not asked.message.loading, "the card does not follow the deferral")
    await soon(atelier.pool.working)
    atelier.pool.finish()
    await arrives(asked.message)
    assert len(cards([channel], "a red apple")) == 1


async def test_DC2_an_interaction_that_expired_still_gets_its_picture_in_the_channel(
    front, atelier, discord, channel, anna
):
    discord.fault("POST", CALLBACK, Error(code=10062))
    anna.patience = 0.5
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    assert asked.answer is None
    await soon(atelier.pool.working)
    atelier.pool.finish()
    await soon(lambda: cards([channel], "a red apple"), "no picture in the channel")
    assert len(cards([channel], "a red apple")) == 1


async def test_DC3_another_program_with_the_token_gets_the_interaction(front, atelier, discord, channel, anna):
    discord.fault("POST", CALLBACK, Error(code=40060))
    anna.patience = 0.5
    await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    await asyncio.sleep(0.2)
    # What the other one does is its own affair; here is no second card.
    assert not [m for m in channel.messages.values() if "red apple" in m.text]


DELIVERY = [
    Reset(), Reset(after=True), Close(), Close(after=True), Status(status=503), Status(after=True, status=503),
    Status(after=True, status=502), Status(after=True, status=504),
]  # fmt: skip


@pytest.mark.parametrize("fault", DELIVERY, ids=lambda fault: str(fault).replace(" ", ""))
async def test_DC5_DC6_a_result_survives_every_fault_once(fault, front, atelier, discord, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    await soon(atelier.pool.working)
    rule = discord.fault("*", BOT, fault, times=2, when=lambda call: bool(call.files))
    atelier.pool.finish()
    await arrives(asked.message)
    await soon(lambda: rule.struck == 2 and not atelier.studio.pending("discord"))
    assert len(cards(discord.channels.values(), "a red apple")) == 1


@pytest.mark.parametrize("fault", DELIVERY, ids=lambda fault: str(fault).replace(" ", ""))
async def test_DC5_DC6_a_new_message_survives_every_fault_once(fault, front, atelier, discord, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    await soon(atelier.pool.working)
    discord.delete(asked.message)
    rule = discord.fault("POST", "/channels/*/messages", fault, times=2)
    atelier.pool.finish()
    await soon(lambda: rule.struck == 2 and not atelier.studio.pending("discord"))
    assert len(cards(discord.channels.values(), "a red apple")) == 1


@pytest.mark.parametrize("fault", DELIVERY, ids=lambda fault: str(fault).replace(" ", ""))
async def test_DC5_DC6_an_acknowledgement_survives_every_fault_once(fault, front, atelier, discord, channel, anna):
    rule = discord.fault("POST", CALLBACK, fault)
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    assert rule.struck == 1
    assert asked.answer is not None
    await soon(atelier.pool.working)
    atelier.pool.finish()
    await arrives(asked.message)
    assert len(cards(discord.channels.values(), "a red apple")) == 1
    assert len([m for m in channel.messages.values() if "red apple" in m.text]) == 1


async def test_DC5_a_stalled_progress_does_not_hold_up_the_result(front, atelier, discord, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=4)
    await soon(atelier.pool.working)
    rule = discord.fault("PATCH", BOT, Stall(seconds=30.0))
    atelier.pool.step(1)
    await soon(lambda: rule.struck)
    began = time.monotonic()
    atelier.pool.finish()
    await arrives(asked.message)
    assert time.monotonic() - began < 5


async def test_Q13_a_card_that_cannot_be_changed_is_left_alone_and_the_job_goes_on(
    front, atelier, discord, channel, anna
):
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=9)
    await soon(atelier.pool.working)
    gone = discord.fault("PATCH", BOT, Error(code=10008), times=-1)
    for step in range(1, 9):
        atelier.pool.step(step)
        await asyncio.sleep(0.3)
    assert gone.struck == 1
    gone.times = 0
    atelier.pool.finish()
    await arrives(asked.message)


async def test_Q12_two_hundred_wait_and_discord_refuses_nothing(discord, server, anna, tmp_path):
    places = [server.channel(f"c{n}") for n in range(8)]
    discord.rest.buckets.enforced = True
    # Time passes ten times faster, for the limits too.
    discord.rest.buckets.seconds = 0.5
    async with house(tmp_path, discord, haste=10) as atelier:
        asked = [await anna.slash(places[n % 8], "imagine", prompt=f"picture {n}.", steps=4) for n in range(200)]
        for _ in range(12):
            await soon(atelier.pool.working)
            for step in (1, 2, 3):
                atelier.pool.step(step)
                await asyncio.sleep(0.05)
            atelier.pool.finish()
        await soon(lambda: sum(finished(one.message) for one in asked) == 12)
        assert not [call for call in discord.calls if call.status == 429]
        told = [call for call in discord.calls if call.method == "PATCH"]
        assert any("in line" in one.message.text and one.message.edits for one in asked)
        for place in places:
            # The changes of one channel lie apart; a result may come right after one.
            times = [call.at for call in told if f"/channels/{place.id}/" in call.path and not call.files]
            assert all(later - earlier > 0.2 for earlier, later in pairwise(times))


async def test_DC8_a_thousand_refusals_pause_what_is_not_essential(front, atelier, discord, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=9)
    await soon(atelier.pool.working)
    gate = front.client.gate
    for _ in range(1000):
        gate._refusals.append(gate._clock.monotonic())
    before = asked.message.edits
    atelier.pool.step(3)
    await asyncio.sleep(0.6)
    assert asked.message.edits == before
    atelier.pool.finish()
    await arrives(asked.message)


async def test_DC9_a_revoked_token_ends_discord_and_leaves_the_studio(front, atelier, discord, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    assert asked.message is not None
    identified = len(discord.gateway.identified)
    await discord.revoke()
    await soon(front_task[front].done, "the front-end goes on")
    await asyncio.sleep(0.3)
    assert len(discord.gateway.identified) - identified <= 1
    done = await atelier.ask("a blue cup")
    atelier.pool.finish()
    await soon(lambda: atelier.pool.jobs[-1] == done.id)
    front_task[front].exception()


@pytest.mark.parametrize("code", [4004, 4014])
async def test_DC9_DC10_a_connection_that_is_refused_for_good_is_not_tried_again(code, atelier, discord):
    discord.gateway.closed_for = code
    async with serving(atelier, discord, haste=20, ready=False) as front:
        task = front_task[front]
        await soon(task.done, "it goes on")
        task.exception()


async def test_DC11_a_silent_gateway_is_left_and_found_again(atelier, discord, channel, anna):
    discord.gateway.interval = 0.3
    async with serving(atelier, discord) as front:
        front.client.ws._keep_alive.heartbeat_timeout = 1.0
        discord.gateway.dead = set(discord.gateway.sockets)
        await soon(lambda: not discord.gateway.dead, "it stays", 10)
        await soon(lambda: discord.gateway.session is not None and discord.gateway.resumed, "it does not come back", 20)
        await paints(anna, channel, atelier.pool)


@pytest.mark.parametrize("trouble", ["drop", "op7", "op9 resumable", "op9", "4000", "4009", "1001"])
async def test_DC11_broken_sessions_come_back_without_double_commands(trouble, front, atelier, discord, channel, anna):
    synced = len(discord.called("PUT", "/commands"))
    gateway, socket = discord.gateway, discord.gateway.session.socket
    match trouble:
        case "drop":
            await gateway.drop()
        case "op7":
            await gateway.ask_to_reconnect()
        case "op9 resumable":
            await gateway.invalidate(resumable=True)
        case "op9":
            await gateway.invalidate(resumable=False)
        case code:
            await gateway.drop(int(code))
    await soon(
        lambda: gateway.session is not None and gateway.session.socket is not socket, "it does not come back", 30
    )
    await paints(anna, channel, atelier.pool)
    assert len(atelier.pool.works) == 1
    assert len(discord.called("PUT", "/commands")) == synced


async def test_DC12_an_interaction_that_is_told_twice_is_one_request(front, atelier, discord, channel, anna):
    asked = await paints(anna, channel, atelier.pool)
    await discord.gateway.replay(5)
    discord.gateway.repeat = 20
    await discord.gateway.drop()
    await soon(lambda: discord.gateway.resumed and discord.gateway.session is not None)
    await asyncio.sleep(0.3)
    assert len(atelier.pool.works) == 1
    assert len(discord.called("POST", "/callback")) == 1
    assert [m for m in channel.messages.values() if m.author is discord.bot] == [asked.message]


async def test_DC12_R1_a_restart_knows_a_repeated_interaction_too(discord, channel, anna, tmp_path):
    async with house(tmp_path, discord):
        asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
        event = anna.form(asked)
    async with house(tmp_path, discord, haste=10) as atelier:
        discord.gateway.dispatch("INTERACTION_CREATE", event)
        await soon(atelier.pool.working)
        atelier.pool.finish()
        await arrives(asked.message)
        await asyncio.sleep(0.2)
        assert len(atelier.pool.works) == 1
    assert len(cards([channel], "a red apple")) == 1


async def test_DC13_many_readys_start_things_once(front, atelier, discord, channel, anna):
    synced = len(discord.called("PUT", "/commands"))
    await discord.gateway.greet(20)
    await paints(anna, channel, atelier.pool)
    assert len(discord.called("PUT", "/commands")) == synced
    assert len(atelier.pool.works) == 1


async def test_DC14_restarts_do_not_make_the_commands_again(discord, tmp_path):
    for _ in range(6):
        async with house(tmp_path, discord):
            pass
    assert len(discord.called("PUT", "/commands")) == 1
    assert discord.creates == len(discord.commands[None])


async def test_DC15_buttons_of_an_earlier_life_work(discord, channel, anna, tmp_path):
    async with house(tmp_path, discord, haste=10) as atelier:
        asked = await paints(anna, channel, atelier.pool)
    discord.clock.advance(3600)
    async with house(tmp_path, discord, haste=10):
        pressed = await anna.press(asked.message, "Recipe")
        assert "a red apple" in pressed.text


async def test_DC19_a_server_that_threw_the_bot_out_keeps_nobody_waiting(
    front, atelier, discord, server, channel, anna
):
    asked = [await anna.slash(channel, "imagine", prompt=f"picture {n}", steps=1) for n in range(3)]
    assert all(one.answer is not None for one in asked)
    discord.remove(server.guild)
    await soon(lambda: not atelier.studio.pending("discord"), "jobs of the server are still there")
    done = await atelier.ask("for somebody else")
    await soon(lambda: atelier.pool.jobs[-1] == done.id)


async def test_DC20_an_outage_of_a_server_is_no_removal(front, atelier, discord, server, channel, anna):
    asked = await anna.slash(channel, "imagine", prompt="a red apple", steps=1)
    await soon(atelier.pool.working)
    discord.outage(server.guild)
    await asyncio.sleep(0.3)
    assert len(atelier.studio.pending("discord")) == 1
    discord.recover(server.guild)
    atelier.pool.finish()
    await arrives(asked.message)


def drawn(seed: int):
    """A fault for a fifth of all requests, before or after they are served."""
    import random

    dice = random.Random(seed)
    kinds = [
        Reset(), Reset(after=True), Close(after=True), Status(status=502), Status(after=True, status=502),
        Status(after=True, status=503), Status(status=503), Stall(seconds=0.05), Limited(0.05),
    ]  # fmt: skip

    def draw(call):
        return dice.choice(kinds) if dice.random() < 0.2 and not call.path.startswith("/applications") else None

    return draw


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_R1_C5_a_thousand_faulted_deliveries_lose_nothing_and_double_nothing(discord, server, tmp_path):
    wanted = 1000
    places = [server.channel(f"c{n}") for n in range(20)]
    people = [discord.person(f"p{n}") for n in range(40)]
    discord.checked = False
    pool = easel(tmp_path, hand=False)
    async with rig(tmp_path, pool=pool, clock=discord.clock) as bench, serving(bench, discord, haste=60, pace=150.0):
        discord.faults.draw = drawn(1)
        limit = asyncio.Semaphore(25)

        async def one(n: int) -> bool:
            """Whether the person saw that the request was taken."""
            async with limit:
                actor, place = people[n % len(people)], places[n % len(places)]
                asked = await actor.slash(place, "imagine", prompt=f"picture {n}.", steps=1, size="64x64", seed=n)
                for _ in range(100):
                    if asked.message is None or finished(asked.message):
                        break
                    await asyncio.sleep(0.05)
                return asked.answer is not None

        taken = await asyncio.gather(*(one(n) for n in range(wanted)))
        await soon(lambda: not bench.studio.pending("discord"), "something is still on its way", 240)
    accepted = [n for n, seen in enumerate(taken) if seen]
    assert len(accepted) >= wanted * 0.95
    everywhere = list(discord.channels.values())
    shown = {n: len(cards(everywhere, f"picture {n}.")) for n in range(wanted)}
    assert [n for n in accepted if shown[n] == 0] == []
    assert [n for n, count in shown.items() if count > 1] == []
    assert len(pool.works) == len(set(pool.jobs))
