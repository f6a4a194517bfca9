"""Withheld and veiled pictures on Discord: the card, the question to moderators, and what they decide."""

from __future__ import annotations

import asyncio

import pytest
from easel import easel
from fronts import finished, house, shows, soon
from loopback_faults import Status
from loopback_people import Unable, admin

from judges import Judge
from realbot.jobs import User
from studios import rig

ON = {"sections": {"safety": {"checker": "judge"}}}


async def painted(actor, channel, atelier, prompt: str = "a cat", **options):
    asked = await actor.slash(channel, "imagine", prompt=prompt, steps=4, **options)
    await soon(atelier.pool.working)
    atelier.pool.finish()
    return asked


async def names(boss, channel, office):
    """Let moderators be asked in that channel."""
    command = boss._command(channel, "realbot moderators", {"channel": office})
    return await boss.ask(channel, 2, command)


def spoilered(message) -> list[bool]:
    return [attachment.name.startswith("SPOILER_") for attachment in message.attachments]


@pytest.mark.parametrize(("score", "adult", "shown"), [
    (0.1, False, [False]), (0.6, False, [True]), (0.6, True, [False]), (0.95, True, [True]),
])  # fmt: skip
async def test_a_suspect_picture_is_behind_a_spoiler_as_its_channel_is(
    score, adult, shown, discord, server, anna, tmp_path
):
    channel = server.channel(nsfw=adult)
    async with house(tmp_path, discord, haste=10, classifier=Judge(score), **ON) as atelier:
        asked = await painted(anna, channel, atelier)
        await soon(lambda: finished(asked.message))
        assert spoilered(asked.message) == shown
        assert not any(embed.get("image") for embed in asked.message.embeds), "an embed would show it plainly"


async def test_a_withheld_picture_can_be_appealed_and_released_and_kept_back_again(
    discord, server, anna, bert, tmp_path
):
    channel, office = server.channel(), server.channel("moderators")
    boss = admin(discord.person("boss"))
    boss.person.powers |= {"manage_guild", "manage_messages"}
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON) as atelier:
        told = await names(boss, channel, office)
        assert f"<#{office.id}>" in told.text
        asked = await painted(anna, channel, atelier)
        await shows(asked.message, "withheld")
        assert not asked.message.attachments
        assert "did not count" in asked.message.text
        with pytest.raises(Unable):
            await bert.press(asked.message, "Original")
        refused = await bert.press(asked.message, "Ask a moderator")
        assert refused.private
        assert not office.messages
        await anna.press(asked.message, "Ask a moderator")
        await soon(lambda: office.messages, "nobody was asked")
        (question,) = office.messages.values()
        assert spoilered(question) == [True]
        assert "95%" in question.text
        assert "a cat" not in question.text, "the words are not the moderators' business"
        assert anna.mention in question.text
        assert channel.id in question.text
        assert "asked to have a look" in asked.message.text
        assert "Ask a moderator" not in asked.message.labels
        answer = await bert.press(question, "Release")
        assert answer.private
        assert "Moderators" in answer.text
        await asyncio.sleep(0.05)
        assert not asked.message.attachments
        await boss.press(question, "Release")
        await soon(lambda: finished(asked.message), "it is not shown")
        assert spoilered(asked.message) == [True]
        await shows(question, f"Released by {boss.mention}")
        assert question.labels == ["Keep back"]
        assert spoilered(question) == [True]
        await boss.press(question, "Keep back")
        await soon(lambda: not asked.message.attachments, "it is still shown")
        await shows(asked.message, "stays withheld")
        assert "Ask a moderator" not in asked.message.labels
        assert question.labels == ["Release"]
        log = [one.change for one in await atelier.studio.audit(f"discord:{server.id}")]
        assert [next(iter(change)) for change in log] == ["upheld", "released", "moderators"]


async def test_P12_what_is_deleted_is_deleted_where_moderators_were_asked_too(discord, server, anna, tmp_path):
    channel, office = server.channel(), server.channel("moderators")
    boss = admin(discord.person("boss"))
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON) as atelier:
        await names(boss, channel, office)
        for number in range(2):
            asked = await painted(anna, channel, atelier, f"a cat {number}")
            await shows(asked.message, "withheld")
            await anna.press(asked.message, "Ask a moderator")
            await soon(lambda: office.messages, "nobody was asked")
            if number:
                await atelier.studio.erase(User("discord", anna.id))
            else:
                (entry,) = await atelier.studio.history(User("discord", anna.id), 1)
                await atelier.studio.forget(User("discord", anna.id), entry.id)
            await soon(lambda: not office.messages, "the picture is still there")
        asked = await painted(anna, channel, atelier, "a dog")
        await shows(asked.message, "withheld")
        await anna.press(asked.message, "Ask a moderator")
        await soon(lambda: office.messages, "nobody was asked")
    async with rig(tmp_path, classifier=Judge(0.95), clock=discord.clock, **ON) as r:
        await r.studio.erase(User("discord", anna.id))
    assert office.messages, "nobody could take it away"
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON):
        await soon(lambda: not office.messages, "the picture is still there after the next start")


async def test_X14_an_unsafe_picture_comes_alone_behind_a_spoiler_when_its_channel_was_opened(
    discord, server, anna, tmp_path
):
    channel = server.channel(nsfw=True)
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON) as atelier:
        asked = await anna.slash(channel, "imagine", prompt="a cat", steps=4)
        await soon(atelier.pool.working)
        discord.mark(channel, nsfw=False)
        atelier.pool.finish()
        await soon(lambda: anna.dm.messages, "no direct message")
        (alone,) = anna.dm.messages.values()
        await soon(lambda: finished(alone))
        assert spoilered(alone) == [True]
        await shows(asked.message, "not age-restricted any more")
        assert not asked.message.attachments


async def test_the_file_itself_is_behind_a_spoiler_too(discord, server, anna, bert, tmp_path):
    channel = server.channel()
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.6), **ON) as atelier:
        asked = await painted(anna, channel, atelier)
        await soon(lambda: finished(asked.message))
        told = await bert.press(asked.message, "Original")
        await soon(lambda: told.message.attachments)
        assert spoilered(told.message) == [True]


async def test_without_a_channel_the_owner_of_the_bot_is_asked(discord, server, anna, tmp_path):
    channel = server.channel()
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON) as atelier:
        asked = await painted(anna, channel, atelier)
        await shows(asked.message, "withheld")
        await anna.press(asked.message, "Ask a moderator")
        inbox = discord.dm(discord.owner)
        await soon(lambda: inbox.messages, "the owner was not asked")
        (question,) = inbox.messages.values()
        assert spoilered(question) == [True]


async def test_a_restart_and_an_outage_between_the_appeal_and_the_decision(discord, server, anna, tmp_path):
    channel, office = server.channel(), server.channel("moderators")
    boss = admin(discord.person("boss"))
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON) as atelier:
        await names(boss, channel, office)
        asked = await painted(anna, channel, atelier)
        await shows(asked.message, "withheld")
        discord.fault("POST", f"/channels/{office.id}/messages", Status(status=503), times=-1)
        await anna.press(asked.message, "Ask a moderator")
        await shows(asked.message, "asked to have a look")
    discord.faults.rules.clear()
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON) as atelier:
        await soon(lambda: office.messages, "nobody is asked after the restart")
        (question,) = office.messages.values()
        (job,) = await atelier.studio.safety.pending("discord")
        await atelier.studio.safety._cases.decide(job.id, "released", "discord:1")
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON):
        await soon(lambda: finished(asked.message), "what was decided is not shown after a kill")
        assert spoilered(asked.message) == [True]
        assert len(office.messages) == 1
        await boss.press(question, "Keep back")
        await soon(lambda: not asked.message.attachments, "it is still shown")


async def test_X15_what_cannot_be_checked_comes_when_it_can(discord, server, anna, tmp_path):
    channel, office = server.channel(), server.channel("moderators")
    boss, judge = admin(discord.person("boss")), Judge(0.1)
    async with house(tmp_path, discord, haste=20, classifier=judge, **ON) as atelier:
        await names(boss, channel, office)
        atelier.studio.safety._first = 0.3
        judge.away = True
        asked = await painted(anna, channel, atelier)
        await shows(asked.message, "cannot be checked")
        assert not asked.message.attachments
        async with asyncio.timeout(10):
            while "not connected" in (told := await boss.slash(channel, "realbot stats")).text:
                await asyncio.sleep(0.05)
        assert "cannot be checked" in told.text
        await soon(lambda: any("cannot be checked" in message.text for message in office.messages.values()))
        judge.away = False
        await soon(lambda: finished(asked.message), "it never comes")
        assert spoilered(asked.message) == [False]
        await soon(lambda: any("again" in message.text for message in office.messages.values()))


async def test_no_preview_is_shown_where_a_picture_could_be_veiled(discord, server, anna, tmp_path):
    channel = server.channel()
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.1), pool=easel(tmp_path), **ON) as atelier:
        await anna.slash(channel, "imagine", prompt="a cat", steps=4)
        await soon(atelier.pool.working)
        assert not atelier.pool.works[-1].preview


async def test_the_history_shows_that_a_picture_is_withheld(discord, server, anna, tmp_path):
    channel = server.channel()
    async with house(tmp_path, discord, haste=20, classifier=Judge(0.95), **ON) as atelier:
        asked = await painted(anna, channel, atelier)
        await shows(asked.message, "withheld")
        told = await anna.slash(channel, "history")
        await shows(told.message, "a cat")
        assert "withheld" in told.message.text
        (entry,) = await atelier.studio.history(User("discord", anna.id), 1)
        opened = await anna.choose(told.message, [entry.id])
        await shows(opened.message, "is withheld")
        assert not opened.message.attachments
