"""A result reaches its person once: late, after a restart, without the card, the channel, or the token."""

from __future__ import annotations

import asyncio
import io
import random

import pytest
from easel import easel
from fronts import arrives, cards, finished, house, shows, soon
from loopback_faults import Limited, Status
from loopback_world import Channel
from PIL import Image

MINUTE, HOUR = 60.0, 3600.0


def messages(home) -> list:
    """Every message that the bot has anywhere."""
    return [m for c in home.channels.values() for m in c.messages.values() if m.author is home.bot]


async def asks(actor, channel: Channel, pool, prompt: str = "a red apple", **options):
    """A request whose picture is being painted."""
    asked = await actor.slash(channel, "imagine", prompt=prompt, steps=2, **options)
    await soon(pool.working, f"nothing is painted: {asked.text}")
    return asked


@pytest.mark.parametrize("late", [16 * MINUTE, 2 * HOUR, 25 * HOUR], ids=["16min", "2h", "25h"])
async def test_R2_DC4_a_result_that_comes_late_is_on_its_card(late, front, atelier, discord, channel, anna):
    asked = await asks(anna, channel, atelier.pool)
    discord.clock.advance(late)
    atelier.pool.finish()
    await arrives(asked.message)
    assert len(cards([channel], "a red apple")) == 1
    # The token of the interaction is dead by now and was not missed.
    assert not [call for call in discord.calls if call.status == 401]


@pytest.mark.parametrize("late", [16 * MINUTE, 2 * HOUR, 25 * HOUR], ids=["16min", "2h", "25h"])
async def test_R2_a_restart_in_between_changes_nothing(late, discord, channel, anna, tmp_path):
    async with house(tmp_path, discord) as atelier:
        asked = await asks(anna, channel, atelier.pool)
    discord.clock.advance(late)
    async with house(tmp_path, discord, haste=10) as atelier:
        await soon(atelier.pool.working)
        atelier.pool.finish()
        await arrives(asked.message)
    assert len(cards([channel], "a red apple")) == 1


async def test_D2_a_death_right_after_the_answer_leaves_no_second_card(discord, channel, anna, tmp_path, monkeypatch):
    async with house(tmp_path, discord) as atelier:
        place_card = atelier.studio.place_card

        async def dead(job, message, extra=None):
            if not message:
                await place_card(job, message, extra or {})

        monkeypatch.setattr(atelier.studio, "place_card", dead)
        asked = await asks(anna, channel, atelier.pool)
        assert asked.message is not None
    async with house(tmp_path, discord, haste=10) as atelier:
        await soon(atelier.pool.working)
        atelier.pool.finish()
        await arrives(asked.message)
        await soon(lambda: not atelier.studio.pending("discord"))
    assert [m for m in channel.messages.values() if m.author is discord.bot] == [asked.message]


async def test_R2_a_card_that_may_not_be_edited_any_more_gets_a_successor(front, atelier, discord, channel, anna):
    discord.old_edits = 0
    asked = await asks(anna, channel, atelier.pool)
    discord.clock.advance(2 * HOUR)
    atelier.pool.finish()
    await soon(lambda: cards([channel], "a red apple"))
    (card,) = cards([channel], "a red apple")
    assert card is not asked.message
    assert card.nonce


async def test_R2_R4_a_deleted_card_gets_a_successor(front, atelier, discord, channel, anna):
    asked = await asks(anna, channel, atelier.pool)
    discord.delete(asked.message)
    atelier.pool.finish()
    await soon(lambda: cards([channel], "a red apple"))
    assert len(cards([channel], "a red apple")) == 1


async def test_R2_a_long_wait_ends_with_one_ping(front, atelier, discord, channel, anna):
    asked = await asks(anna, channel, atelier.pool)
    discord.clock.advance(16 * MINUTE)
    atelier.pool.finish()
    await arrives(asked.message)
    await soon(lambda: any(m.pings for m in channel.messages.values()), "nobody was told")
    assert [m.pings for m in channel.messages.values() if m.pings] == [{anna.id}]


async def test_R3_a_private_answer_is_delivered_privately_while_its_token_lives(
    front, atelier, discord, channel, anna, bert
):
    asked = await asks(anna, channel, atelier.pool, private=True)
    assert asked.private
    atelier.pool.finish()
    await arrives(asked.message)
    assert not anna.dm.messages
    assert not [m for m in bert.sees(channel) if "red apple" in m.text]


async def test_R3_a_private_answer_after_its_token_comes_by_direct_message(
    front, atelier, discord, channel, anna, bert
):
    await asks(anna, channel, atelier.pool, private=True)
    discord.clock.advance(16 * MINUTE)
    atelier.pool.finish()
    await soon(lambda: cards([anna.dm], "a red apple"), "no direct message")
    assert len(cards(discord.channels.values(), "a red apple")) == 1
    assert not [m for m in bert.sees(channel) if "red apple" in m.text]


async def test_R3_where_only_the_person_installed_the_bot(front, atelier, discord, anna, bert):
    abroad = discord.guild("abroad", joined=False).channel()
    anna.person.installed = True
    asked = await asks(anna, abroad, atelier.pool, "a blue cup")
    atelier.pool.finish()
    await arrives(asked.message)
    late = await asks(anna, abroad, atelier.pool, "a green cup")
    discord.clock.advance(16 * MINUTE)
    atelier.pool.finish()
    await soon(lambda: cards([anna.dm], "a green cup"), "no direct message")
    assert not finished(late.message)


async def lost_channel(discord, channel, thread):
    discord.close(channel)


async def locked_thread(discord, channel, thread):
    discord.archive(thread, locked=True)


async def archived_thread(discord, channel, thread):
    discord.archive(thread)


async def hidden(discord, channel, thread):
    channel.denied |= {"view_channel"}
    thread.denied |= {"view_channel"}


async def mute(discord, channel, thread):
    channel.denied |= {"send_messages", "attach_files"}


@pytest.mark.parametrize(
    ("trouble", "inside", "ends"),
    [
        (lost_channel, False, "dm"),
        (hidden, False, "dm"),
        (mute, False, "dm"),
        (locked_thread, True, "dm"),
        (archived_thread, True, "thread"),
    ],
    ids=["10003", "50001", "50013", "50083-locked", "50083-archived"],
)
async def test_R4_a_lost_place_is_replaced_by_the_next(trouble, inside, ends, front, atelier, discord, channel, anna):
    thread = discord.thread(channel, "a talk")
    await asks(anna, thread if inside else channel, atelier.pool)
    await trouble(discord, channel, thread)
    atelier.pool.finish()
    where = anna.dm if ends == "dm" else thread
    await soon(lambda: cards([where], "a red apple"), f"nothing in {where.name}")
    assert len(cards(discord.channels.values(), "a red apple")) == 1


async def test_R4_Q14_without_any_place_it_stays_in_the_history_with_the_reason(front, atelier, discord, channel, anna):
    anna.person.refuses_dms = True
    await asks(anna, channel, atelier.pool)
    job = atelier.pool.jobs[-1]
    discord.close(channel)
    atelier.pool.finish()

    async def state() -> str:
        row = await atelier.store.row(job)
        return "" if row is None else row.state

    for _ in range(200):
        if await state() == "kept":
            break
        await asyncio.sleep(0.02)
    assert await state() == "kept"
    told = await anna.slash(anna.dm, "history")
    await shows(told.message, "red apple")
    reasons = "the channel is not there any more, you take no direct messages from this bot"
    await shows(told.message, f"could not be delivered: {reasons}")


@pytest.mark.parametrize("fault", [Limited(0.2), Limited(0.2, scope="global"), Limited(0.3, scope="cloudflare")])
async def test_DC7_a_limit_is_honoured_and_the_result_comes(fault, front, atelier, discord, channel, anna):
    asked = await asks(anna, channel, atelier.pool)
    rule = discord.fault("PATCH", "/channels/*/messages/*", fault, when=lambda call: bool(call.files))
    atelier.pool.finish()
    await arrives(asked.message)
    assert rule.struck == 1
    struck = next(call for call in discord.calls if call.fault is fault)
    again = next(call for call in discord.calls if call.at > struck.at and call.files)
    pause = fault.seconds * 0.9
    assert again.at - struck.at >= pause
    if fault.scope != "user":
        others = [c for c in discord.calls if struck.at < c.at < struck.at + pause]
        assert not [call.name for call in others if not call.path.startswith("/interactions/")]


async def test_R5_R6_a_file_that_is_too_large_comes_in_another_format(
    front, atelier, discord, channel, anna, monkeypatch
):
    def noise(request, seed):
        size = (request["width"], request["height"])
        return Image.frombytes("RGB", size, random.Random(seed).randbytes(3 * size[0] * size[1]))

    monkeypatch.setattr("easel.draw", noise)
    asked = await asks(anna, channel, atelier.pool, "a red apple", size="256x256")
    discord.file_limit = 150_000
    atelier.pool.finish()
    await arrives(asked.message)
    (data,) = asked.message.pictures
    assert Image.open(io.BytesIO(data)).format == "WEBP"
    assert len([call for call in discord.calls if call.files]) == 2


async def test_R7_after_an_outage_results_come_oldest_first_and_within_the_limits(discord, server, anna, tmp_path):
    places = [server.channel(f"c{n}") for n in range(4)]
    pool = easel(tmp_path, hand=False)
    discord.rest.buckets.enforced = True
    discord.rest.buckets.seconds = 1.0
    async with house(tmp_path, discord, haste=20, pool=pool, sections={}):
        outage = discord.fault(
            "*", "*", Status(status=503), times=-1, when=lambda call: not call.path.startswith("/interactions/")
        )
        asked = [await anna.slash(places[n % 4], "imagine", prompt=f"picture {n}.", steps=1) for n in range(12)]
        await soon(lambda: len(pool.produced) == 12)
        discord.clock.advance(6 * HOUR)
        await asyncio.sleep(0.02)
        assert not any(finished(one.message) for one in asked)
        outage.times = 0
        await soon(lambda: all(finished(one.message) for one in asked), "not everything came", 60)
        for n in range(12):
            assert len(cards(discord.channels.values(), f"picture {n}.")) == 1
        for place in places:
            order = [m.edited for m in place.messages.values() if finished(m)]
            assert order == sorted(order)
        assert not [call for call in discord.calls if call.status == 429]


async def test_X3_nothing_a_person_writes_pings_or_renders(front, atelier, discord, channel, anna, bert):
    prompt = f"@everyone {bert.mention} <@&1> **bold** [link](https://example.com) ||spoiler|| `code` # head"
    asked = await asks(anna, channel, atelier.pool, prompt)
    atelier.pool.finish()
    await arrives(asked.message)
    assert not [m for m in messages(discord) if m.pings]
    for call in discord.calls:
        sent = call.json.get("data", call.json) if isinstance(call.json, dict) else {}
        if call.method in ("POST", "PATCH") and isinstance(sent, dict) and ({"content", "embeds"} & set(sent)):
            assert sent.get("allowed_mentions", {}).get("parse") == [], call.name
    await shows(asked.message, r"\*\*bold\*\*")
