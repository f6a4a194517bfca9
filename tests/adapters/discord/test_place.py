"""Every kind of place works or is refused up front."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest
from staged import stage

from realbot.adapters.discord import place
from realbot.jobs import User


@pytest.fixture
async def here(tmp_path):
    async with stage(tmp_path) as here:
        yield here


async def finished(here, asked):
    assert asked.response is not None and not asked.ephemeral
    await here.paint()
    assert len(here.message(asked).attachments) == 1


async def test_who_asks_in_the_wrong_channel_is_told_the_right_ones(here):
    other = here.server.create_text_channel("other")
    await here.bench.studio.rule(f"discord:{here.server.id}", User("discord", "1"), allowed=[str(other.id)])
    asked = await here.anna.slash(here.channel, "imagine", prompt="a fox")
    assert asked.ephemeral and asked.response.content.endswith(f" <#{other.id}>")


async def test_DC17_a_direct_message(here):
    user = here.env.create_user("clara")
    here.server.add_member(user)
    asked = await user.slash("imagine", prompt="a fox")
    origin = here.job().origin
    assert origin.server == "" and origin.place == str(user.dm_channel.id) and not origin.private
    await finished(here, asked)
    assert here.message(asked).embeds[0].description == "**a fox**"


async def test_DC17_a_thread(here):
    said = await here.bert.send(here.channel, "here")
    message = await here.bot.get_channel(here.channel.id).fetch_message(said.id)
    await message.create_thread(name="foxes")
    (thread,) = here.channel.threads
    asked = await here.anna.slash(thread, "imagine", prompt="a fox")
    origin = here.job().origin
    assert origin.place == origin.thread == str(thread.id) and origin.parent == str(here.channel.id)
    await finished(here, asked)


async def test_DC17_the_text_of_a_voice_channel(here):
    voice = here.server.create_voice_channel("talk")
    await finished(here, await here.anna.slash(voice, "imagine", prompt="a fox"))


async def test_DC17_a_place_where_the_bot_may_not_attach_files_is_refused_with_what_is_missing(here):
    deny = discord.PermissionOverwrite(attach_files=False, embed_links=False)
    mute = here.server.create_text_channel("mute", overwrites={here.server.default_role: deny})
    asked = await here.anna.slash(mute, "imagine", prompt="a fox")
    assert asked.ephemeral and "Attach Files" in asked.response.content and "Embed Links" in asked.response.content
    assert not here.bench.studio.pending("discord")
    asked = await here.anna.slash(mute, "imagine", prompt="a fox", private=True)
    assert asked.response.embeds


# What simcord does not play


def interaction(**facts: Any) -> Any:
    """An interaction as far as its place is concerned."""
    usual: dict[str, Any] = {
        "guild_id": 1,
        "channel_id": 2,
        "channel": None,
        "app_permissions": discord.Permissions.all(),
        "permissions": discord.Permissions.none(),
        "context": discord.app_commands.AppCommandContext(guild=True),
        "locale": discord.Locale.german,
        "user": SimpleNamespace(id=5, display_name="anna", roles=[SimpleNamespace(id=9)]),
        "client": SimpleNamespace(application=None),
        "is_user_integration": lambda: False,
        "is_guild_integration": lambda: True,
    }
    return SimpleNamespace(**{**usual, **facts})


def kind(cls: type, **facts: Any) -> Any:
    """A channel of that class without a connection."""
    channel = cls.__new__(cls)
    for name, value in facts.items():
        setattr(channel, name, value)
    return channel


def test_DC17_a_forum_itself_is_refused():
    assert "cannot be shown here" in place.obstacle(interaction(channel=kind(discord.ForumChannel)))
    assert "cannot be shown here" in place.obstacle(interaction(channel_id=None))


def test_DC17_a_group_conversation_and_a_borrowed_server_have_the_token_only():
    group = interaction(guild_id=None, context=discord.app_commands.AppCommandContext(private_channel=True))
    assert place.borrowed(group) and place.passing(group) and place.obstacle(group) == ""
    guest = interaction(
        is_user_integration=lambda: True,
        is_guild_integration=lambda: False,
        app_permissions=discord.Permissions.none(),
    )
    assert place.borrowed(guest) and place.obstacle(guest) == ""
    direct = interaction(guild_id=None, context=discord.app_commands.AppCommandContext(dm_channel=True))
    assert not place.borrowed(direct) and place.obstacle(direct) == ""
    both = interaction(is_user_integration=lambda: True)
    assert not place.borrowed(both) and place.passing(both, private=True)


@pytest.mark.parametrize(
    ("locked", "manages", "works"), [(False, False, True), (True, True, True), (True, False, False)]
)
def test_DC17_a_locked_thread_needs_a_permission(locked, manages, works):
    allowed = discord.Permissions.all()
    allowed.update(manage_threads=manages)
    thread = kind(discord.Thread, locked=locked)
    assert (place.obstacle(interaction(channel=thread, app_permissions=allowed)) == "") is works


@pytest.mark.parametrize("missing", ["view_channel", "send_messages", "embed_links", "attach_files"])
def test_DC17_what_the_bot_may_not_is_named(missing):
    allowed = discord.Permissions.all()
    allowed.update(**{missing: False})
    name = missing.replace("_", " ").title()
    assert name in place.obstacle(interaction(app_permissions=allowed))


def test_a_user_and_an_origin_are_what_discord_said():
    where = interaction()
    assert place.user(where).key == "discord:5" and place.user(where).roles == {"9"}
    origin = place.origin(where, private=True)
    assert (origin.platform, origin.place, origin.server, origin.locale) == ("discord", "2", "1", "de")
    assert origin.private and origin.server_key == "discord:1"


@pytest.mark.parametrize("marked", [True, False])
def test_an_age_restricted_place_is_known_in_its_threads_too(marked):
    channel = kind(discord.TextChannel, nsfw=marked)
    assert place.adult(channel) is marked
    guild = SimpleNamespace(get_channel=lambda _: channel)
    assert place.adult(kind(discord.Thread, guild=guild, parent_id=2)) is marked


@pytest.mark.parametrize(
    ("powers", "facts", "administers"),
    [
        ({"manage_guild": True}, {}, True),
        ({"administrator": True}, {}, True),
        ({"manage_messages": True}, {}, False),
        ({"manage_guild": True}, {"guild_id": None}, False),
        ({"manage_guild": True}, {"is_user_integration": lambda: True, "is_guild_integration": lambda: False}, False),
    ],
)
def test_administrators_are_those_who_manage_a_server_that_took_realbot_in(powers, facts, administers):
    facts = {"context": SimpleNamespace(private_channel=False), **facts}
    where = interaction(permissions=discord.Permissions(**powers), **facts)
    assert ("administrators" in place.user(where).roles) is administers


def test_owners_are_the_owner_of_the_application_or_those_of_its_team_who_may_change_something():
    def member(id: int, state: discord.TeamMembershipState, role: discord.TeamMemberRole) -> Any:
        return SimpleNamespace(id=id, membership_state=state, role=role)

    alone = SimpleNamespace(team=None, owner=SimpleNamespace(id=5))
    state, role = discord.TeamMembershipState, discord.TeamMemberRole
    members = [
        member(5, state.accepted, role.developer),
        member(6, state.invited, role.admin),
        member(7, state.accepted, role.read_only),
    ]
    team = SimpleNamespace(team=SimpleNamespace(members=members), owner=SimpleNamespace(id=8))
    for application, owners in ((None, []), (alone, [5]), (team, [5])):
        client: Any = SimpleNamespace(application=application)
        assert [id for id in (5, 6, 7, 8) if place.owns(client, id)] == owners
    assert "owners" in place.user(interaction(client=SimpleNamespace(application=alone))).roles


def test_P5_a_moderator_is_one_of_that_server():
    keeper = discord.Permissions(manage_messages=True)
    assert place.moderator_of(interaction(permissions=keeper)) == "1"
    assert place.moderator_of(interaction()) == ""
    assert place.moderator_of(interaction(guild_id=None, permissions=keeper)) == ""
