"""What is asked about a picture of a message before it is painted from: the words, and what else there is to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import discord
from discord.ui import Label, Modal, Select, TextInput

from realbot import grammar
from realbot.adapters import captions
from realbot.adapters.discord.brought import Masked, Pictures
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.options import MULTIPLE
from realbot.adapters.discord.remix import LONGEST, OPEN
from realbot.jobs import Generate, Origin, User
from realbot.studio import Studio

Interaction: TypeAlias = discord.Interaction[Any]
#: Makes the request without its words, of the chosen picture and the number, empty where none was given.
Begin: TypeAlias = Callable[[User, Pictures, discord.Attachment, str], Awaitable[Generate]]


class Dialog(Modal):
    """`number` is the label of a number that is asked for, and its usual value.

    `asks`: the answer is the question which part is painted.
    """

    def __init__(
        self,
        intake: Intake,
        studio: Studio,
        found: Sequence[discord.Attachment],
        begin: Begin,
        *,
        title: str,
        number: tuple[str, str] | None = None,
        asks: bool = False,
    ) -> None:
        super().__init__(title=title, timeout=OPEN)
        self._intake, self._studio, self._found, self._begin, self._asks = intake, studio, found, begin, asks
        self.prompt: TextInput[Dialog] = TextInput(style=discord.TextStyle.paragraph, max_length=LONGEST)
        self.number: TextInput[Dialog] = TextInput(default=number[1] if number else None, max_length=10, required=False)
        self.which: Select[Dialog] = Select(
            options=[
                discord.SelectOption(label=captions.numbered(n + 1), value=str(n), default=n == 0)
                for n in range(len(found))
            ]
        )
        self.add_item(Label(text=captions.remix_prompt(), component=self.prompt))
        if number:
            self.add_item(Label(text=number[0], component=self.number))
        if len(found) > 1:
            self.add_item(Label(text=captions.source_picture(), component=self.which))

    async def on_submit(self, interaction: Interaction) -> None:
        chosen = self._found[int(self.which.values[0]) if self.which.values else 0]

        async def wish(user: User, origin: Origin) -> Generate | Masked:
            pictures = Pictures(self._studio, interaction.client, user, origin)
            base = await self._begin(user, pictures, chosen, self.number.value.strip())
            preset = self._studio.preset()
            request = grammar.parse(self.prompt.value, base, area=preset.width * preset.height, multiple=MULTIPLE)
            return pictures.masked(await self._studio.defaulted(user, request, origin))

        await self._intake.take(interaction, wish, asks=self._asks)
