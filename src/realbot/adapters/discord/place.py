"""Where an interaction happens and who stands behind it, and whether a picture can be shown there."""

from __future__ import annotations

from typing import Any, TypeAlias

import discord

from realbot.adapters import captions, notices
from realbot.adapters.outbox import Down
from realbot.adapters.words import _
from realbot.errors import NotYours
from realbot.jobs import Origin, User

Interaction: TypeAlias = discord.Interaction[Any]

PLATFORM = "discord"


def user(interaction: Interaction) -> User:
    """The person who pressed or typed, with the ids of their roles, and what they are to the server and to the bot."""
    person = interaction.user
    roles = {str(role.id) for role in getattr(person, "roles", ())}
    if administers(interaction):
        roles.add("administrators")
    if owns(interaction.client, person.id):
        roles.add("owners")
    return User(PLATFORM, str(person.id), person.display_name, frozenset(roles))


def administers(interaction: Interaction) -> bool:
    """Whether this person manages the server they stand in, which has taken realbot in."""
    if interaction.guild_id is None or borrowed(interaction):
        return False
    return interaction.permissions.manage_guild or interaction.permissions.administrator


def administered(interaction: Interaction) -> str:
    """The key of the server that this person manages and stands in.

    Raises NotYours for anybody else: Discord hides commands too, but a server can change from whom.
    """
    if interaction.guild_id is None:
        raise NotYours(notices.servers_only())
    if not administers(interaction):
        raise NotYours(notices.not_allowed())
    return f"{PLATFORM}:{interaction.guild_id}"


def owns(client: discord.Client, person_id: int) -> bool:
    """Whether this person, or a team in which they may change something, owns the application."""
    application = client.application
    if application is None:
        return False
    if application.team is None:
        return application.owner.id == person_id
    return any(
        member.id == person_id
        and member.membership_state is discord.TeamMembershipState.accepted
        and member.role is not discord.TeamMemberRole.read_only
        for member in application.team.members
    )


def origin(interaction: Interaction, *, private: bool = False) -> Origin:
    """Where the card will be. `place` is the channel or thread that it is in."""
    channel = interaction.channel
    thread = channel if isinstance(channel, discord.Thread) else None
    return Origin(
        PLATFORM,
        place=str(interaction.channel_id or ""),
        thread=str(thread.id) if thread else "",
        locale=interaction.locale.value,
        server=str(interaction.guild_id or ""),
        parent=str(thread.parent_id) if thread else "",
        adult=adult(channel),
        private=private,
        shared=bool(interaction.context.private_channel),
    )


def adult(channel: Any) -> bool:
    """Whether the channel, or the one that a thread belongs to, is marked as age-restricted."""
    if isinstance(channel, discord.Thread):
        channel = channel.parent
    return bool(getattr(channel, "nsfw", False))


async def adults_only(client: discord.Client, origin: Origin) -> bool:
    """Whether the place of a request is age-restricted by now; as it was then, where we may not look.

    Raises Down when Discord is away.
    """
    try:
        return adult(await client.fetch_channel(int(origin.parent or origin.place)))
    except (discord.Forbidden, discord.NotFound):
        return origin.adult
    except (discord.HTTPException, discord.RateLimited) as error:
        raise Down(str(error)) from error


def borrowed(interaction: Interaction) -> bool:
    """Whether realbot is here through the person's own installation, with nothing but the interaction's token."""
    if interaction.guild_id is None:
        return bool(interaction.context.private_channel)
    return interaction.is_user_integration() and not interaction.is_guild_integration()


def passing(interaction: Interaction, *, private: bool = False) -> bool:
    """Whether the answer cannot be changed any more once the interaction's token has expired."""
    return private or borrowed(interaction)


def moderator_of(interaction: Interaction) -> str:
    """The id of the server whose messages this person may delete, empty for none."""
    if interaction.guild_id is None or not interaction.permissions.manage_messages:
        return ""
    return str(interaction.guild_id)


def obstacle(interaction: Interaction, *, private: bool = False) -> str:
    """Why pictures cannot be shown here, as a sentence; empty when they can."""
    channel = interaction.channel
    if interaction.channel_id is None or isinstance(channel, discord.ForumChannel | discord.CategoryChannel):
        return captions.nowhere()
    if interaction.guild_id is None or passing(interaction, private=private):
        return ""
    allowed = interaction.app_permissions
    thread = isinstance(channel, discord.Thread)
    needed = {
        _("View Channel"): allowed.view_channel,
        _("Send Messages in Threads"): allowed.send_messages_in_threads or not thread,
        _("Send Messages"): allowed.send_messages or thread,
        _("Embed Links"): allowed.embed_links,
        _("Attach Files"): allowed.attach_files,
        _("Manage Threads"): allowed.manage_threads or not (isinstance(channel, discord.Thread) and channel.locked),
    }
    missing = [name for name, granted in needed.items() if not granted]
    return captions.lacking(", ".join(missing)) if missing else ""
