"""The dialog in which a picture's prompt and options are edited, for a picture of one's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import discord
from discord.ui import Label, Modal, TextInput

from realbot import grammar
from realbot.adapters import captions, words
from realbot.adapters.discord.brought import Masked, Pictures
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.options import MULTIPLE
from realbot.errors import Invalid
from realbot.jobs import Generate, Origin, Request, User
from realbot.studio import Studio

Interaction: TypeAlias = discord.Interaction[Any]

#: Characters of a text field, and seconds for which a dialog is listened to.
LONGEST, OPEN = 4000, 3600.0


class Remix(Modal):
    """`request` fills the field; without its seed, so that the new picture is a new one.

    The pictures that it began with belong to whoever gave them: when the request is one's own they are begun with
    again, and the same part is painted anew; they are not passed on.
    """

    def __init__(self, intake: Intake, studio: Studio, request: Request, *, own: bool) -> None:
        super().__init__(title=captions.remix_title(), timeout=OPEN)
        if not isinstance(request, Generate):
            raise Invalid(captions.no_prompt())
        self._intake, self._studio = intake, studio
        begun = ("source", "mask", "region", "reference", "reference_weight")
        self._base = Generate(prompt="", **{name: getattr(request, name) for name in begun if own})
        self._part = (self._base.source, self._base.mask, self._base.region)
        strength = None if self._base.source is None else request.strength
        nothing: dict[str, Any] = dict.fromkeys(begun)
        bare = replace(request, seed=None, strength=strength, **nothing)
        self.prompt: TextInput[Remix] = TextInput(
            style=discord.TextStyle.paragraph, default=words.recipe(bare)[:LONGEST], max_length=LONGEST
        )
        self.add_item(Label(text=captions.remix_prompt(), component=self.prompt))

    async def on_submit(self, interaction: Interaction) -> None:
        async def wish(user: User, origin: Origin) -> Generate | Masked:
            preset = self._studio.preset()
            text, area = self.prompt.value, preset.width * preset.height
            request = grammar.parse(text, self._base, area=area, multiple=MULTIPLE)
            if (request.source, request.mask, request.region) == self._part:
                # It was agreed to before.
                return request
            return Pictures(self._studio, interaction.client, user, origin).masked(request)

        message = interaction.message
        hidden = True if message is not None and message.flags.ephemeral else None
        await self._intake.take(interaction, wish, private=hidden)
