"""/whose, and the recipe of a message that is no card: was a picture painted here? Of one's own the card follows.

Discord has room for five menus of a message, and they are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import finds
from realbot.adapters.discord import panels, place
from realbot.adapters.discord.brought import Pictures
from realbot.adapters.discord.card import Cards
from realbot.adapters.discord.files import LIMIT, attached, fitted, renamed
from realbot.adapters.discord.panels import Interaction
from realbot.entries import Entry
from realbot.jobs import Done
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front


class Whose:
    """One for a front-end."""

    def __init__(self, studio: Studio, cards: Cards) -> None:
        self._studio, self._cards = studio, cards

    def command(self) -> app_commands.Command[Any, ..., Any]:
        return app_commands.Command(
            name=locale_str("whose"),
            description=locale_str("Whether a picture was painted here, and when"),
            callback=self.whose,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )

    @app_commands.rename(picture=locale_str("picture"))
    @app_commands.describe(picture=locale_str("A PNG, JPEG or WebP file"))
    async def whose(self, interaction: discord.Interaction[Any], picture: discord.Attachment) -> None:
        await self.tell(interaction, [picture])

    async def tell(self, interaction: Interaction, found: Sequence[discord.Attachment]) -> None:
        """Tell privately of the first of these pictures that was painted here."""
        async with panels.speaking(interaction):
            await panels.announce(interaction, beside=True)
            user, origin = place.user(interaction), place.origin(interaction)
            self._studio.gate.admit(user, origin)
            brought = Pictures(self._studio, interaction.client, user, origin)
            answer = None
            for attachment in found:
                answer = await self._studio.finder.whose(user, await brought.file(attachment), origin)
                if answer is not None:
                    break
            if answer is None or answer.entry is None:
                await panels.show(interaction, finds.whose(answer))
            else:
                await self._show(interaction, finds.whose(answer), answer.entry)

    async def _show(self, interaction: Interaction, said: str, entry: Entry) -> None:
        user, server = place.user(interaction), place.origin(interaction).server_key
        done = Done(entry.images, entry.seed, entry.seconds, entry.cached, entry.notes)
        card = await self._cards.kept(user, entry.id, entry.request, done, favourite=entry.favourite, server=server)
        shown = card.images or ()
        files = [attached(one) for one in await fitted(shown, interaction.filesize_limit or LIMIT)]
        embeds = renamed(card.embeds, shown, files)
        await panels.show(interaction, said, embeds=embeds, files=files, view=card.view)


def register(front: Front) -> None:
    front.tree.add_command(Whose(front.studio, front.cards).command())
