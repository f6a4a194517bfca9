"""The menus of a message: how its picture was made, painting from it, and painting where something is drawn over it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import MessageReferenceType, app_commands
from discord.app_commands import locale_str

from realbot import grammar
from realbot.adapters import buttons, captions, words
from realbot.adapters.discord import marked, place, recipes
from realbot.adapters.discord.answer import Answer
from realbot.adapters.discord.brought import Pictures, pictures
from realbot.adapters.discord.delivery import Spot
from realbot.adapters.discord.dialogs import Begin, Dialog
from realbot.adapters.discord.imagine import CONTEXTS, INSTALLS
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.presses import reply
from realbot.adapters.discord.whose import Whose
from realbot.adapters.outbox import Down
from realbot.entries import Entry
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Generate, User
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

Interaction: TypeAlias = discord.Interaction[Any]

#: How much of a source is repainted when nothing is said.
STRENGTH = "0.6"
#: Latest own pictures among which the one that was drawn on is looked for before Discord is asked.
LATEST = 20


class Menus:
    """One for a front-end."""

    def __init__(self, studio: Studio, intake: Intake, whose: Whose) -> None:
        self._studio, self._intake, self._whose = studio, intake, whose

    def commands(self) -> list[app_commands.ContextMenu]:
        """Discord has room for five."""
        return [
            app_commands.ContextMenu(name=name, callback=callback, allowed_installs=INSTALLS, allowed_contexts=CONTEXTS)
            for name, callback in (
                (locale_str("Recipe"), self.recipe),
                (locale_str("Use as source"), self.source),
                (locale_str("Use its look"), self.look),
                (locale_str("Paint where I drew"), self.drawn),
            )
        ]

    async def recipe(self, interaction: Interaction, message: discord.Message) -> None:
        """Tell privately how the picture of a card was made, or whose another picture is."""
        with words.language(interaction.locale.value):
            try:
                entry = await self._entry(interaction, message)
                await reply(interaction, recipes.card(entry))
            except Refused as error:
                if isinstance(error, Invalid) and (found := pictures(message)):
                    await self._whose.tell(interaction, found)
                    return
                await Answer(interaction, private=True).refuse(marked.refusal(error))

    async def source(self, interaction: Interaction, message: discord.Message) -> None:
        """Ask what to paint from a picture of the message."""

        edits = self._studio.preset().edits

        async def begin(_: User, brought: Pictures, chosen: discord.Attachment, number: str) -> Generate:
            base = Generate(prompt="", source=await brought.plain(chosen))
            return base if edits else grammar.parse(f"--strength {number or STRENGTH}", base)

        with words.language(interaction.locale.value):
            number = None if edits else (captions.source_strength(), STRENGTH)
            await self._ask(interaction, message, begin, title=captions.source_title(), number=number)

    async def look(self, interaction: Interaction, message: discord.Message) -> None:
        """Ask what to paint with the look of a picture of the message."""

        async def begin(_: User, brought: Pictures, chosen: discord.Attachment, number: str) -> Generate:
            base = Generate(prompt="", reference=await brought.plain(chosen))
            return grammar.parse(f"--look_weight {number}", base) if number else base

        with words.language(interaction.locale.value):
            await self._ask(interaction, message, begin, title=marked.look_title(), number=(marked.look_weight(), ""))

    async def drawn(self, interaction: Interaction, message: discord.Message) -> None:
        """Ask what to paint where something is drawn over a picture of ours, in the copy that answers it."""

        async def begin(user: User, brought: Pictures, chosen: discord.Attachment, _: str) -> Generate:
            entry = await self._answered(interaction, user, message)
            source, mask = await brought.drawn(entry.id, len(entry.images), chosen)
            return Generate(prompt="", source=source, mask=mask)

        with words.language(interaction.locale.value):
            if pictures(message) and not answers(message):
                await Answer(interaction, private=True).refuse(marked.undrawn())
            else:
                await self._ask(interaction, message, begin, title=marked.drawn_title(), asks=True)

    async def _ask(self, interaction: Interaction, message: discord.Message, begin: Begin, **about: Any) -> None:
        found = pictures(message)
        if not found:
            await Answer(interaction, private=True).refuse(captions.no_picture())
            return
        await interaction.response.send_modal(Dialog(self._intake, self._studio, found, begin, **about))

    async def _answered(self, interaction: Interaction, user: User, message: discord.Message) -> Entry:
        """The job of the card that a message answers. Raises Invalid when it answers none."""
        number = answers(message)
        for entry in await self._studio.history(user, LATEST):
            if Spot.load(await self._studio.cards(entry.id)).message == str(number):
                return entry
        try:
            where = interaction.client.get_partial_messageable(message.channel.id)
            return await self._entry(interaction, await where.fetch_message(number))
        except (discord.HTTPException, Down, Invalid):
            raise Invalid(marked.undrawn()) from None

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


def answers(message: discord.Message) -> int:
    """The id of the message in the same place that this one answers, 0 for none."""
    reference = message.reference
    if reference is None or reference.type is not MessageReferenceType.reply:
        return 0
    return (reference.message_id or 0) if reference.channel_id == message.channel.id else 0


def ids(parts: Any) -> Iterator[str]:
    """The actions of all buttons and menus of a message."""
    for part in parts:
        custom_id = getattr(part, "custom_id", None)
        if custom_id and (action := buttons.action_id(custom_id)):
            yield action
        yield from ids(getattr(part, "children", ()))


def register(front: Front) -> None:
    """Add the menus to a front-end."""
    for command in Menus(front.studio, front.intake, Whose(front.studio, front.cards)).commands():
        front.tree.add_command(command)
