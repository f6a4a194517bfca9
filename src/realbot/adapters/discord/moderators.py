"""/realbot moderators: the channel in which moderators are asked about withheld pictures."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import notices, verdicts
from realbot.adapters.discord import panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.words import _
from realbot.errors import Invalid, NotYours
from realbot.studio import Studio


class Moderators:
    """The command."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def command(self) -> app_commands.Command[Any, ..., Any]:
        return app_commands.Command(
            name=locale_str("moderators"),
            description=locale_str("Where moderators are asked about pictures that are withheld"),
            callback=self.moderators,
        )

    @app_commands.rename(action=locale_str("action"), channel=locale_str("channel"))
    @app_commands.describe(
        action=locale_str("allow: ask in this channel; deny: not there any more; reset: ask the owners of the bot"),
        channel=locale_str("A channel that only moderators see"),
    )
    @app_commands.choices(action=panels.ACTIONS)
    async def moderators(
        self, interaction: Interaction, action: str = "", channel: discord.TextChannel | None = None
    ) -> None:
        async with panels.speaking(interaction):
            key = place.administered(interaction)
            action = action or ("allow" if channel is not None else "show")
            rules = await self._studio.place(key)
            if action in ("allow", "deny") and channel is None:
                raise Invalid(notices.channel_missing())
            if action == "allow" and channel is not None:
                missing = _missing(interaction, channel)
                if missing:
                    raise Invalid(verdicts.lacking(missing))
            if action != "show":
                chosen = [] if channel is None else [str(channel.id)]
                kept = [one for one in rules.moderators if action != "reset" and one not in chosen]
                changed = kept + (chosen if action == "allow" else [])
                rules = await self._studio.rule(key, place.user(interaction), moderators=changed)
            await panels.tell(interaction, verdicts.moderators(", ".join(f"<#{one}>" for one in rules.moderators)))


def _missing(interaction: Interaction, channel: discord.TextChannel) -> str:
    """What this bot lacks in a channel to ask there."""
    if interaction.guild is None or channel.guild.id != interaction.guild_id:
        raise NotYours(notices.foreign_channel())
    allowed = channel.permissions_for(interaction.guild.me)
    needed = {
        _("View Channel"): allowed.view_channel,
        _("Send Messages"): allowed.send_messages,
        _("Embed Links"): allowed.embed_links,
        _("Attach Files"): allowed.attach_files,
    }
    return ", ".join(name for name, granted in needed.items() if not granted)
