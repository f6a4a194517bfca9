"""/realbot moderators in a simulated Discord: where moderators are asked about withheld pictures."""

from __future__ import annotations

import discord
import pytest
from simcord import SetupError
from simulated import said

from realbot.jobs import Origin


def asked(world) -> tuple[str, ...]:
    """The channels where moderators of this server are asked."""
    where = Origin("discord", place=str(world.channel.id), server=str(world.guild.id))
    return world.rig.studio.safety.moderators(where)


async def test_a_channel_is_named_and_taken_back(world):
    office = world.guild.create_text_channel("moderators")

    async def settle(**options):
        return said(await world.admin.slash(world.channel, "realbot moderators", **options))

    assert "the owners of this bot are asked" in await settle()
    assert f"<#{office.id}>" in await settle(channel=office)
    assert asked(world) == (str(office.id),)
    assert f"<#{office.id}>" in await settle(action="show")
    assert f"<#{world.channel.id}>" in await settle(action="allow", channel=world.channel)
    assert asked(world) == (str(office.id), str(world.channel.id))
    assert f"<#{office.id}>" not in await settle(action="deny", channel=office)
    assert "the owners of this bot are asked" in await settle(action="reset")
    assert asked(world) == ()
    assert "channel" in (await settle(action="allow")).casefold()


async def test_a_channel_in_which_the_bot_may_not_write_is_refused(world):
    mute = discord.PermissionOverwrite(send_messages=False, attach_files=False)
    office = world.guild.create_text_channel("moderators", overwrites={world.guild.default_role: mute})
    told = said(await world.admin.slash(world.channel, "realbot moderators", channel=office))
    assert "Send Messages" in told
    assert "Attach Files" in told
    assert asked(world) == ()


async def test_only_administrators_settle_it(world):
    with pytest.raises(SetupError):
        await world.anna.slash(world.channel, "realbot moderators", channel=world.channel)
    (root,) = [one for one in await world.env.bot.tree.fetch_commands() if one.name == "realbot"]
    world.guild.set_command_permissions(root, {world.anna: True})
    answer = await world.anna.slash(world.channel, "realbot moderators", channel=world.channel)
    assert "manage this server" in said(answer)
    assert asked(world) == ()
