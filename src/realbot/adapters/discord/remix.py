"""The dialog in which a picture's prompt and options are edited, for a picture of one's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import discord
from discord.ui import Label, Modal, TextInput

from realbot import grammar
from realbot.adapters import captions, words
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.options import MULTIPLE
from realbot.errors import Invalid
from realbot.jobs import Generate, Origin, Request, User
from realbot.studio import Studio

Interaction: TypeAlias = discord.Interaction[Any]

#: Characters of a text field, and seconds for which a dialog is listened to.
LONGEST, OPEN = 4000, 3600.0


class Remix(Modal):
    """`request` fills the field; without its seed, so that the new picture is a new one."""

    def __init__(self, intake: Intake, studio: Studio, request: Request) -> None:
        super().__init__(title=captions.remix_title(), timeout=OPEN)
        if not isinstance(request, Generate):
            raise Invalid(captions.no_prompt())
        self._intake, self._studio = intake, studio
        # A picture that was started from belongs to whoever gave it, and is not passed on.
        begun = dict.fromkeys(("source", "mask", "region", "reference", "reference_weight", "strength"))
        bare = replace(request, seed=None, **begun)
        self.prompt: TextInput[Remix] = TextInput(
            style=discord.TextStyle.paragraph, default=words.recipe(bare)[:LONGEST], max_length=LONGEST
        )
        self.add_item(Label(text=captions.remix_prompt(), component=self.prompt))

    async def on_submit(self, interaction: Interaction) -> None:
        async def wish(user: User, origin: Origin) -> Request:
            preset = self._studio.preset()
            return grammar.parse(self.prompt.value, area=preset.width * preset.height, multiple=MULTIPLE)

        message = interaction.message
        hidden = True if message is not None and message.flags.ephemeral else None
        await self._intake.take(interaction, wish, private=hidden)
