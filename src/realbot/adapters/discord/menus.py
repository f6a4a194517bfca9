"""The menus of a message: how its picture was made, and painting from it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ui import Label, Modal, Select, TextInput

from realbot import grammar
from realbot.adapters import buttons, captions, words
from realbot.adapters.discord import marked, place, recipes
from realbot.adapters.discord.answer import Answer
from realbot.adapters.discord.imagine import CONTEXTS, INSTALLS, fetched
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.options import MULTIPLE
from realbot.adapters.discord.presses import reply
from realbot.adapters.discord.remix import LONGEST, OPEN
from realbot.entries import Entry
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Generate, Origin, Request, User
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

log = logging.getLogger(__name__)

Interaction: TypeAlias = discord.Interaction[Any]

#: How much of a source is repainted when nothing is said.
STRENGTH = "0.6"


class Menus:
    """One for a front-end."""

    def __init__(self, studio: Studio, intake: Intake) -> None:
        self._studio, self._intake = studio, intake

    def commands(self) -> list[app_commands.ContextMenu]:
        return [
            app_commands.ContextMenu(
                name=locale_str("Recipe"), callback=self.recipe, allowed_installs=INSTALLS, allowed_contexts=CONTEXTS
            ),
            app_commands.ContextMenu(
                name=locale_str("Use as source"),
                callback=self.source,
                allowed_installs=INSTALLS,
                allowed_contexts=CONTEXTS,
            ),
        ]

    async def recipe(self, interaction: Interaction, message: discord.Message) -> None:
        """Tell privately how the picture of a card was made."""
        with words.language(interaction.locale.value):
            try:
                entry = await self._entry(interaction, message)
                await reply(interaction, recipes.card(entry))
            except Refused as error:
                await Answer(interaction, private=True).refuse(marked.refusal(error))

    async def source(self, interaction: Interaction, message: discord.Message) -> None:
        """Ask what to paint from a picture of the message."""
        with words.language(interaction.locale.value):
            found = [one for one in message.attachments if (one.content_type or "").startswith("image/")]
            if not found:
                await Answer(interaction, private=True).refuse(captions.no_picture())
                return
            await interaction.response.send_modal(Source(self._intake, self._studio, found))

    async def _entry(self, interaction: Interaction, message: discord.Message) -> Entry:
        """The job of a card, by any of its buttons. Raises Invalid when the message is none of our cards."""
        me = interaction.client.user
        if me is not None and message.author.id == me.id:
            user = place.user(interaction)
            for action_id in ids(message.components):
                try:
                    return await self._studio.shown(await self._studio.acted(action_id, user, press=False))
                except NotYours:
                    continue
        raise Invalid(captions.unknown_picture())


class Source(Modal):
    """What to paint from a picture, and how much of it stays."""

    def __init__(self, intake: Intake, studio: Studio, found: list[discord.Attachment]) -> None:
        super().__init__(title=captions.source_title(), timeout=OPEN)
        self._intake, self._studio, self._found = intake, studio, found[:10]
        self.prompt: TextInput[Source] = TextInput(style=discord.TextStyle.paragraph, max_length=LONGEST)
        self.strength: TextInput[Source] = TextInput(default=STRENGTH, max_length=10, required=False)
        self.which: Select[Source] = Select(
            options=[
                discord.SelectOption(label=captions.numbered(n + 1), value=str(n), default=n == 0)
                for n in range(len(self._found))
            ]
        )
        self.add_item(Label(text=captions.remix_prompt(), component=self.prompt))
        self.add_item(Label(text=captions.source_strength(), component=self.strength))
        if len(self._found) > 1:
            self.add_item(Label(text=captions.source_picture(), component=self.which))

    async def on_submit(self, interaction: Interaction) -> None:
        number = int(self.which.values[0]) if self.which.values else 0

        async def wish(user: User, origin: Origin) -> Request:
            preset = self._studio.preset()
            strength = self.strength.value.strip() or STRENGTH
            start = await fetched(self._studio, user, origin, self._found[number])
            base = grammar.parse(f"--strength {strength}", Generate(prompt="", source=start))
            request = grammar.parse(self.prompt.value, base, area=preset.width * preset.height, multiple=MULTIPLE)
            return await self._studio.defaulted(user, request, origin)

        await self._intake.take(interaction, wish)


def ids(parts: Any) -> Iterator[str]:
    """The actions of all buttons and menus of a message."""
    for part in parts:
        custom_id = getattr(part, "custom_id", None)
        if custom_id and (action := buttons.action_id(custom_id)):
            yield action
        yield from ids(getattr(part, "children", ()))


def register(front: Front) -> None:
    """Add the menus to a front-end."""
    for command in Menus(front.studio, front.intake).commands():
        front.tree.add_command(command)
