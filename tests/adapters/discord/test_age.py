"""Pictures for adults: refused in open channels, and not shown in one that was opened while they were painted."""

from __future__ import annotations

import asyncio

import pytest
from easel import easel
from fronts import arrives, cards, finished, house, shows, soon
from loopback_faults import Error, Status

from realbot.jobs import User

POLICIES = ("anywhere", "restricted", "never")


def rules(policy: str = "restricted") -> dict:
    return {"sections": {"moderation": {"adult": policy, "adult_words": ("gore",)}}}


async def asks(actor, channel, prompt: str = "gore", **options):
    return await actor.slash(channel, "imagine", prompt=prompt, steps=4, **options)


async def settles(atelier, actor, expected: str) -> str:
    """The reason that is kept with the latest picture of somebody, once it is in this state."""
    for _ in range(300):
        found = await atelier.studio.history(User("discord", actor.id), 1)
        if found and found[0].state == expected:
            return found[0].detail
        await asyncio.sleep(0.02)
    raise AssertionError(f"not {expected}: {found}")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("asked_adult", [True, False], ids=["asked among adults", "asked in the open"])
@pytest.mark.parametrize("shown_adult", [True, False], ids=["shown among adults", "shown in the open"])
async def test_X14_the_channel_counts_when_it_is_asked_and_when_it_is_shown(
    policy, asked_adult, shown_adult, discord, server, anna, tmp_path
):
    channel = server.channel(nsfw=asked_adult)
    async with house(tmp_path, discord, haste=10, **rules(policy)) as atelier:
        asked = await asks(anna, channel)
        if policy == "never" or (policy == "restricted" and not asked_adult):
            assert asked.private
            assert "gore" in asked.text
            assert not atelier.pool.jobs
            return
        await soon(atelier.pool.working)
        discord.mark(channel, nsfw=shown_adult)
        atelier.pool.finish()
        if policy == "anywhere" or shown_adult:
            await arrives(asked.message)
            assert not anna.dm.messages
            return
        await soon(lambda: cards([anna.dm], "gore"), "no direct message")
        await shows(asked.message, "not age-restricted any more")
        assert not finished(asked.message)
        assert "gore" not in asked.message.text
        assert not asked.message.buttons
        await settles(atelier, anna, "delivered")


@pytest.mark.parametrize("shown_adult", [True, False], ids=["shown among adults", "shown in the open"])
async def test_X14_what_is_forbidden_meanwhile_stays_in_the_history_with_the_reason(
    shown_adult, discord, server, anna, tmp_path
):
    channel = server.channel(nsfw=True)
    async with house(tmp_path, discord, haste=10, **rules()) as atelier:
        asked = await asks(anna, channel)
        await soon(atelier.pool.working)
        discord.mark(channel, nsfw=shown_adult)
        await atelier.studio.rule(f"discord:{server.id}", User("discord", "1"), moderation={"adult": "never"})
        atelier.pool.finish()
        assert await settles(atelier, anna, "kept") == "not allowed there any more"
        await shows(asked.message, "not allowed here any more")
        assert not cards(discord.channels.values(), "gore")
        told = await anna.slash(anna.dm, "history")
        await shows(told.message, "could not be delivered: it is not allowed there any more")


async def test_X14_a_restart_and_an_outage_do_not_make_it_forget_to_look(discord, server, anna, tmp_path):
    channel = server.channel(nsfw=True)
    async with house(tmp_path, discord, **rules()) as atelier:
        asked = await asks(anna, channel)
        await soon(atelier.pool.working)
    discord.mark(channel, nsfw=False)
    looks = discord.fault("GET", f"/channels/{channel.id}", Status(status=503), times=8)
    async with house(tmp_path, discord, haste=200, **rules()) as atelier:
        await soon(atelier.pool.working)
        atelier.pool.finish()
        await soon(lambda: cards([anna.dm], "gore"), "no direct message")
        assert looks.struck == 8
        assert not finished(asked.message)
        assert len(cards(discord.channels.values(), "gore")) == 1


async def test_X14_a_preview_disappears_with_the_mark_of_the_channel(discord, server, anna, tmp_path):
    channel = server.channel(nsfw=True)
    async with house(tmp_path, discord, haste=20, **rules()) as atelier:
        asked = await asks(anna, channel)
        await soon(atelier.pool.working)
        atelier.pool.step(1)
        await soon(lambda: asked.message.attachments, "no preview")
        discord.mark(channel, nsfw=False)
        atelier.pool.step(2)
        await soon(lambda: not asked.message.attachments, "the preview stays")
        atelier.pool.step(3)
        await shows(asked.message, "Step 3 of 4")
        assert not asked.message.attachments


async def test_X14_a_thread_is_as_old_as_its_channel(discord, server, anna, tmp_path):
    channel = server.channel(nsfw=True)
    thread = discord.thread(channel, "a talk")
    async with house(tmp_path, discord, haste=10, **rules()) as atelier:
        asked = await asks(anna, thread)
        await soon(atelier.pool.working)
        discord.mark(channel, nsfw=False)
        atelier.pool.finish()
        await soon(lambda: cards([anna.dm], "gore"), "no direct message")
        assert not finished(asked.message)


async def test_X14_where_nobody_may_look_the_mark_is_what_it_was(discord, server, anna, tmp_path):
    channel = server.channel(nsfw=True)
    async with house(tmp_path, discord, haste=10, **rules()) as atelier:
        asked = await asks(anna, channel)
        await soon(atelier.pool.working)
        discord.fault("GET", f"/channels/{channel.id}", Error(code=50001), times=-1)
        atelier.pool.finish()
        await arrives(asked.message)


async def test_X14_who_takes_no_direct_messages_finds_it_in_the_history(discord, server, anna, tmp_path):
    channel = server.channel(nsfw=True)
    anna.person.refuses_dms = True
    async with house(tmp_path, discord, haste=10, **rules()) as atelier:
        asked = await asks(anna, channel)
        await soon(atelier.pool.working)
        discord.mark(channel, nsfw=False)
        atelier.pool.finish()
        assert "50007" in await settles(atelier, anna, "kept")
        await shows(asked.message, "is in `/history`")
        assert not finished(asked.message)


async def test_X14_a_picture_for_adults_is_not_enlarged_in_the_open(discord, server, anna, tmp_path):
    channel = server.channel(nsfw=True)
    async with house(tmp_path, discord, haste=10, pool=easel(tmp_path, hand=False), **rules()):
        asked = await asks(anna, channel)
        await arrives(asked.message)
        discord.mark(channel, nsfw=False)
        large = await anna.press(asked.message, "×2")
        assert large.private
        await shows(large.message, "restricted channels only")


async def test_X14_of_other_pictures_discord_is_not_asked(discord, server, anna, tmp_path):
    channel = server.channel()
    async with house(tmp_path, discord, haste=10, pool=easel(tmp_path, hand=False), **rules()):
        asked = await asks(anna, channel, "a red apple")
        await arrives(asked.message)
        assert not [call for call in discord.calls if call.method == "GET" and call.path == f"/channels/{channel.id}"]
