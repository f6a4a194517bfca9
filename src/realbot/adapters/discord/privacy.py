"""/privacy: everything that is kept of a person, handed to them or deleted for good."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import sentences
from realbot.adapters.discord import marked, panels, place
from realbot.adapters.discord.files import LIMIT, TOTAL
from realbot.adapters.discord.panels import NOBODY, Interaction
from realbot.adapters.volumes import Volumes, plan, volume
from realbot.errors import NotYours
from realbot.studio import Studio

#: Bytes that the rest of an upload may take.
SPARE = 64 * 2**10
#: Files of one export: answers to a command can be sent for a quarter of an hour only, and few by one that a person
#: brought along.
VOLUMES, BORROWED = 40, 5


class Privacy(app_commands.Group):
    """The commands and their panel."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(
            name=locale_str("privacy"),
            description=locale_str("What is kept of you: get it, or delete it"),
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        self._studio = studio

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"privacy": self.press}

    @app_commands.command(
        name=locale_str("export"), description=locale_str("All your pictures, requests and settings as ZIP files")
    )
    @app_commands.rename(first=locale_str("from"))
    @app_commands.describe(first=locale_str("Number of the first file, when an earlier export had more than were sent"))
    async def export(self, interaction: Interaction, first: app_commands.Range[int, 1, 100_000] = 1) -> None:
        async with panels.speaking(interaction):
            await panels.announce(interaction)
            archive = await self._studio.export(place.user(interaction))
            try:
                await self._send(interaction, archive, first)
            finally:
                await asyncio.to_thread(archive.unlink, missing_ok=True)

    @app_commands.command(
        name=locale_str("delete"), description=locale_str("Delete your pictures, requests and settings for good")
    )
    async def delete(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            user = place.user(interaction)
            question = await self._studio.action("erase", user=user, uses=1, days=panels.QUESTION)
            view = panels.panel(
                [
                    panels.button(
                        sentences.erase_yes(), "privacy", "erase", question, style=discord.ButtonStyle.danger
                    ),
                    panels.button(sentences.erase_no(), "privacy", "keep"),
                ]
            )
            await panels.show(interaction, marked.erase_question(), view=view)

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], _chosen: list[str]) -> None:
        """The answer to whether everything of the presser shall be deleted. Raises Refused."""
        if verb != "erase":
            await panels.show(interaction, sentences.erase_kept())
            return
        user = place.user(interaction)
        question = await self._studio.acted(arguments[0] if arguments else "", user)
        if question.verb != "erase":
            raise NotYours
        await panels.announce(interaction)
        erased = await self._studio.erase(user)
        await panels.show(interaction, sentences.erased(erased))

    async def _send(self, interaction: Interaction, archive: Path, first: int) -> None:
        limit = allowed(interaction) - SPARE
        volumes = await asyncio.to_thread(plan, archive, limit)
        most = BORROWED if place.borrowed(interaction) else VOLUMES
        last = min(first - 1 + most, len(volumes.files))
        for number in range(first, last + 1):
            data = await asyncio.to_thread(volume, archive, volumes.files[number - 1])
            name = f"realbot-{number}-of-{len(volumes.files)}.zip" if len(volumes.files) > 1 else "realbot.zip"
            text = sentences.export_file(number, len(volumes.files))
            if number == last:
                text = "\n".join(filter(None, (text, *self._missing(volumes, last))))
            file = discord.File(io.BytesIO(data), name, description=sentences.export_name())
            await interaction.followup.send(text, file=file, ephemeral=True, allowed_mentions=NOBODY)
        if first > last:
            await interaction.followup.send(
                sentences.export_ended(len(volumes.files)), ephemeral=True, allowed_mentions=NOBODY
            )

    @staticmethod
    def _missing(volumes: Volumes, last: int) -> Iterator[str]:
        if last < len(volumes.files):
            yield sentences.export_more(last + 1, len(volumes.files))
        if volumes.large:
            yield sentences.export_large(volumes.large)


def allowed(interaction: Interaction) -> int:
    """Bytes that one file may have here."""
    return min(interaction.filesize_limit or LIMIT, TOTAL)
