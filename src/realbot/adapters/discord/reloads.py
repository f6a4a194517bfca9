"""/realbot reload: the owners of the bot have its settings read anew."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import changes
from realbot.adapters.discord import markup, panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.plain import plain
from realbot.errors import NotYours
from realbot.reload import Outcome
from realbot.studio import Studio

#: Characters of a key and of a value, and of all that has changed; an embed holds 4096.
KEY, VALUE, ROOM = 120, 80, 3800


class Reloads:
    """The command."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def command(self) -> app_commands.Command[Any, ..., Any]:
        return app_commands.Command(
            name=locale_str("reload"),
            description=locale_str("Read the settings of the bot anew; for its owners"),
            callback=self.reload,
        )

    async def reload(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            if not place.owns(interaction.client, interaction.user.id):
                raise NotYours(changes.owners())
            outcome = await self._studio.reread(place.user(interaction))
            await panels.show(interaction, embeds=[told(outcome, self._studio.line()[0])])


def told(outcome: Outcome, waiting: int) -> discord.Embed:
    """What has changed, what has not yet, or why nothing has."""
    if outcome.trouble:
        trouble = markup.escaped(outcome.trouble, 1000)
        return discord.Embed(title=changes.refused(), description=trouble, colour=panels.COLOUR)
    lines: list[str] = []
    for one in outcome.changes[: changes.LISTED]:
        line = f"`{plain(one.key, KEY)}` {_value(one.old)} → **{_value(one.new)}**"
        if sum(map(len, lines)) + len(line) > ROOM:
            break
        lines.append(line)
    if len(outcome.changes) > len(lines):
        lines.append(changes.more(len(outcome.changes) - len(lines)))
    embed = discord.Embed(title=changes.done(), description="\n".join(lines) or changes.nothing(), colour=panels.COLOUR)
    notes = [changes.waiting(waiting)] if waiting and outcome.changes else []
    if outcome.pending:
        notes.append(changes.pending(outcome.pending))
    if notes:
        embed.set_footer(text="\n".join(notes)[:2000])
    return embed


def _value(text: str) -> str:
    return markup.escaped(changes.value(text), VALUE)
