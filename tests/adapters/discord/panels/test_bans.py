"""/realbot ban, unban, bans and audit in a simulated Discord: administrators for their server, owners everywhere."""

from __future__ import annotations

import discord
import pytest
from simcord import SetupError
from simulated import control, offered, said, user

from realbot.errors import Blocked
from realbot.jobs import Cancelled, Generate, Origin, User
from studios import until

COMMANDS = ("ban", "unban", "bans", "audit")


async def call(world, caller, command, channel=None, **options):
    """One of the commands; bert is the one that it is about."""
    if command in ("ban", "unban"):
        options.setdefault("person", world.bert)
    return await caller.slash(channel or world.channel, f"realbot {command}", **options)


async def refused(world, person, guild=None) -> str:
    """Why a request of this person is not taken in a server."""
    with pytest.raises(Blocked) as caught:
        origin = Origin("discord", place="5", server=str((guild or world.guild).id))
        await world.rig.studio.submit(user(person), Generate(prompt="a frog", steps=4), origin)
    return str(caught.value)


def banned(world, guild=None):
    return [ban.subject for ban in world.rig.studio.gate.bans(f"discord:{(guild or world.guild).id}")]


def owning(world, person) -> None:
    """Make somebody the owner of the bot."""
    application = world.env.bot.application
    assert application is not None
    application.owner.id = person.id


# Who may


@pytest.mark.parametrize("command", COMMANDS)
async def test_P5_members_neither_see_the_commands_nor_use_them(world, command):
    assert f"realbot {command}" in world.admin.available_commands(world.channel)
    with pytest.raises(SetupError):
        await call(world, world.anna, command)
    (root,) = [one for one in await world.env.bot.tree.fetch_commands() if one.name == "realbot"]
    world.guild.set_command_permissions(root, {world.anna: True})
    await call(world, world.admin, "ban", person=world.anna)
    for everywhere, says in ((False, "manage this server"), (True, "owners of this bot")):
        answer = await call(world, world.anna, command, everywhere=everywhere)
        assert answer.ephemeral
        assert says in said(answer)
        assert str(world.bert.id) not in said(answer)
    assert banned(world) == [f"discord:{world.anna.id}"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_P5_an_administrator_of_another_server_does_nothing_here_nor_everywhere(world, command):
    other = world.env.create_guild()
    elsewhere = other.create_text_channel("elsewhere")
    role = other.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    mallory = other.add_member(world.env.create_user("mallory"), roles=[role])
    eve = world.env.create_user("eve")
    here, there = world.guild.add_member(eve), other.add_member(eve)
    await call(world, world.admin, "ban", person=here, reason="canary")
    about = {"person": there} if command in ("ban", "unban") else {}
    assert "canary" not in said(await call(world, mallory, command, elsewhere, **about))
    assert banned(world) == [f"discord:{eve.id}"]
    assert "owners of this bot" in said(await call(world, mallory, command, elsewhere, everywhere=True, **about))


async def test_P5_buttons_are_checked_like_the_commands(world):
    asked = await call(world, world.admin, "ban")
    undo = control(asked.response, "pb:bans:undo")
    panel = await world.anna.slash(world.channel, "queue")
    message = world.env.backend.get_message(world.channel.id, panel.response.id)
    button = next(one for row in message.components for one in row["components"] if one.get("label") == "Refresh")
    for forged in (undo, undo.replace(":here:", ":all:"), "pb:audit:older:all:9", "pb:audit:older:here:9"):
        button["custom_id"] = forged
        answer = said(await world.anna.click(panel.response, custom_id=forged))
        assert "manage this server" in answer or "owners of this bot" in answer
    assert banned(world) == [f"discord:{world.bert.id}"]


async def test_P5_in_a_direct_message_there_is_nothing_to_command(world):
    carl = world.env.create_user("carl")
    for command in COMMANDS:
        with pytest.raises(SetupError):
            await carl.slash(f"realbot {command}")


# Bans


async def test_a_ban_says_for_how_long_and_why_and_holds_at_once(world):
    answer = await call(world, world.admin, "ban", duration="3 days", reason="too many *frogs*")
    assert answer.ephemeral
    assert f"<@{world.bert.id}> is banned here until <t:" in said(answer)
    assert "too many \\*frogs\\*" in said(answer)
    assert "(too many *frogs*); ask the administrators here" in await refused(world, world.bert)
    other = world.env.create_guild()
    await world.rig.studio.submit(
        user(world.bert), Generate(prompt="x", steps=4), Origin("discord", place="9", server=str(other.id))
    )
    undone = await world.admin.click(answer.response, custom_id=control(answer.response, "pb:bans:undo"))
    assert f"<@{world.bert.id}> is not banned here any more." in said(undone)
    await world.ask(world.bert, "a frog")


async def test_what_a_banned_person_has_waiting_is_cancelled_and_told(world):
    running = await world.ask(world.bert, "a frog")
    await until(world.rig.pool.working)
    waiting = await world.ask(world.bert, "another frog")
    own = await world.ask(world.anna, "a cat")
    answer = await call(world, world.admin, "ban")
    assert "2 requests of theirs were cancelled." in said(answer)
    for job in (running, waiting):
        assert isinstance(world.rig.studio.job(user(world.bert), job).status, Cancelled)
    assert not isinstance(world.rig.studio.job(user(world.anna), own).status, Cancelled)


async def test_bans_are_listed_in_pages_and_lifted_there_also_after_a_restart(world):
    assert "Nobody is banned here." in said(await call(world, world.admin, "bans"))
    people = [world.guild.add_member(world.env.create_user(f"p{n}")) for n in range(10)]
    for person in people:
        await call(world, world.admin, "ban", person=person, reason=f"reason {person.name}")
    shown = await call(world, world.admin, "bans")
    assert "Banned here · 10" in said(shown)
    assert "reason p9" in said(shown)
    assert "reason p1" not in said(shown)
    await world.restart()
    turned = await world.admin.click(shown.response, custom_id=control(shown.response, "pb:bans:older"))
    assert "reason p1" in said(turned)
    menu = control(turned.response, "pm:bans:lift")
    assert f"discord:{people[0].id}" in offered(turned.response, "pm:bans:lift")
    lifted = await world.admin.select(turned.response, [f"discord:{people[0].id}"], custom_id=menu)
    assert f"<@{people[0].id}> is not banned here any more." in said(lifted)
    assert "Banned here · 9" in said(lifted)


async def test_somebody_who_had_everything_deleted_is_listed_without_a_name_and_can_be_let_in(world):
    await call(world, world.admin, "ban")
    await world.rig.studio.erase(user(world.bert))
    shown = await call(world, world.admin, "bans")
    assert "somebody who had everything deleted" in said(shown)
    assert str(world.bert.id) not in said(shown)
    (subject,) = offered(shown.response, "pm:bans:lift")
    await world.admin.select(shown.response, [subject], custom_id=control(shown.response, "pm:bans:lift"))
    assert banned(world) == []
    await call(world, world.admin, "ban")
    await world.rig.studio.erase(user(world.bert))
    assert "is not banned here any more" in said(await call(world, world.admin, "unban"))


async def test_owners_ban_everywhere_and_are_banned_by_nobody(world):
    owning(world, world.anna)
    assert "An owner of this bot cannot be banned." in said(await call(world, world.admin, "ban", person=world.anna))
    assert "You cannot ban yourself." in said(await call(world, world.admin, "ban", person=world.admin))
    owning(world, world.admin)
    answer = await call(world, world.admin, "ban", everywhere=True)
    assert "is banned everywhere for good." in said(answer)
    other = world.env.create_guild()
    assert "from this bot for good" in await refused(world, world.bert, other)
    assert "Banned everywhere · 1" in said(await call(world, world.admin, "bans", everywhere=True))
    assert "Nobody is banned here." in said(await call(world, world.admin, "bans"))
    assert "There is no such ban here" in said(await call(world, world.admin, "unban"))
    assert "not banned everywhere any more" in said(await call(world, world.admin, "unban", everywhere=True))


@pytest.mark.parametrize("typed", ["3 frogs", "0h", "-1 day", "1s"])
async def test_what_is_no_duration_is_refused_and_nobody_is_banned(world, typed):
    answer = await call(world, world.admin, "ban", duration=typed)
    assert "for good" in said(answer)
    assert banned(world) == []


async def test_durations_are_offered_while_they_are_typed(world):
    offers = await world.admin.autocomplete(world.channel, "realbot ban", "duration", "")
    assert [choice["value"] for choice in offers] == ["1 hour", "1 day", "1 week", "30 days", "for good"]
    offers = await world.admin.autocomplete(world.channel, "realbot ban", "duration", "2 d")
    assert offers[0]["value"] == "2 d"


async def test_eight_bans_with_long_reasons_fit_one_message(world):
    gate, key = world.rig.studio.gate, f"discord:{world.guild.id}"
    for number in range(8):
        await gate.ban(User("discord", f"{10**18 + number}"), key, user(world.admin), seconds=600, reason="*_" * 150)
    (embed,) = (await call(world, world.admin, "bans")).response.embeds
    assert len(embed.description.split("\u2003")) == 9
    assert 3000 < len(embed.description) <= 4096


# The audit log


async def test_the_audit_log_is_read_as_sentences_with_who_and_when(world):
    admin = world.admin
    assert "Nothing was changed within a year." in said(await call(world, admin, "audit"))
    other = world.guild.create_text_channel("other")
    await admin.slash(world.channel, "realbot limits", name="max_steps", value="30")
    await admin.slash(world.channel, "realbot limits", name="max_steps", value="10", channel=other)
    await admin.slash(world.channel, "realbot limits", name="max_steps", value="reset")
    await admin.slash(world.channel, "realbot channels", action="allow", channel=world.channel)
    await admin.slash(world.channel, "realbot styles", action="deny", style="ink")
    await admin.slash(world.channel, "realbot pause")
    await admin.slash(world.channel, "realbot resume")
    await call(world, admin, "ban", reason="*frogs*")
    await call(world, admin, "unban")
    text = said(await call(world, admin, "audit"))
    who, whom = f"<@{admin.id}>", f"<@{world.bert.id}>"
    lines = [line for line in text.splitlines() if line.startswith("•")]
    assert [line.rpartition(" · <t:")[0] for line in lines] == [
        f"• {who} lifted the ban of {whom}",
        f"• {who} banned {whom} for good: \\*frogs\\*",
        f"• {who} let the painting go on",
        f"• {who} paused the painting",
        f"• {who} allowed these styles only: **glow**",
        f"• {who} allowed pictures in <#{world.channel.id}> only",
        f"• {who} took `max_steps` back to what it is for everybody",
        f"• {who} set `max_steps` to **10**",
        f"• {who} set `max_steps` to **30**",
    ]
    assert lines[-2].endswith(f":R> · in <#{other.id}>")
    assert lines[-1].endswith(":R>")
    assert "{" not in text


async def test_the_audit_log_has_pages_and_owners_see_that_of_every_server(world):
    other = world.env.create_guild()
    elsewhere = other.create_text_channel("elsewhere")
    role = other.create_role("Admins", permissions=discord.Permissions(manage_guild=True))
    mallory = other.add_member(world.env.create_user("mallory"), roles=[role])
    await mallory.slash(elsewhere, "realbot pause")
    for steps in range(1, 13):
        await world.admin.slash(world.channel, "realbot limits", name="max_steps", value=str(steps))
    first = await call(world, world.admin, "audit")
    assert "**12**" in said(first)
    assert "**2**" not in said(first)
    second = await world.admin.click(first.response, custom_id=control(first.response, "pb:audit:older"))
    assert "**2**" in said(second)
    assert "paused" not in said(second)
    latest = await world.admin.click(second.response, custom_id=control(second.response, "pb:audit:latest"))
    assert "**12**" in said(latest)
    owning(world, world.admin)
    everything = await call(world, world.admin, "audit", everywhere=True)
    older = await world.admin.click(everything.response, custom_id=control(everything.response, "pb:audit:older"))
    assert f"<@{mallory.id}> paused the painting" in said(older)


async def test_a_page_of_the_audit_log_ends_where_the_room_does_and_nothing_is_left_out(world):
    for _ in range(12):
        await call(world, world.admin, "ban", reason=f"{'*' * 190} canary")
    shown = await call(world, world.admin, "audit")
    count = said(shown).count("canary")
    assert 1 < count < 10
    while count < 12:
        shown = await world.admin.click(shown.response, custom_id=control(shown.response, "pb:audit:older"))
        assert "canary" in said(shown)
        count += said(shown).count("canary")
    assert count == 12
