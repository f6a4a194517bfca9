"""/help: one page."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import lessonwords, sentences, words
from realbot.adapters.discord import marked, panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.studio import Studio

COMMANDS = ("queue", "history", "quota", "styles", "settings", "privacy")


class Guide:
    """The command."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def commands(self) -> list[app_commands.Command[Any, ..., Any]]:
        command = app_commands.Command[Any, ..., Any](
            name=locale_str("help"),
            description=locale_str("How to ask for pictures, on one page"),
            callback=self.help,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        return [command]

    async def help(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            embed = discord.Embed(
                title=sentences.help_title(), description=marked.help_start(words.EXAMPLES[0]), colour=panels.COLOUR
            )
            embed.add_field(name=sentences.help_options(), value=marked.help_options_text(), inline=False)
            on_card = f"{sentences.help_buttons_text()}\n{marked.help_menus()}"
            embed.add_field(name=sentences.help_buttons(), value=on_card, inline=False)
            user, origin = place.user(interaction), place.origin(interaction)
            about = {name: sentences.help_command(name) for name in COMMANDS}
            if self._studio.may_train(user, origin):
                about["train"] = lessonwords.help_line()
            listed = "\n".join(f"`/{sentences.command(name)}` {text}" for name, text in about.items())
            embed.add_field(name=sentences.help_commands(), value=listed, inline=False)
            limits = self._studio.limits(user, origin)
            embed.set_footer(text=sentences.help_limits(limits.max_steps, limits.max_side, limits.max_count))
            await panels.show(interaction, embeds=[embed])
