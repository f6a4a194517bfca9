"""The first answer to an interaction, which Discord wants within three seconds.

Work that takes longer than a second and a half is announced, so that fifteen minutes are left for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, TypeAlias, TypeVar

import discord

from realbot.adapters.discord import files
from realbot.adapters.discord.payload import Payload
from realbot.adapters.discord.wire import ANSWER, trying
from realbot.adapters.outbox import Down

log = logging.getLogger(__name__)

Interaction: TypeAlias = discord.Interaction[Any]
T = TypeVar("T")

#: Seconds after which an answer is announced.
PATIENCE = 1.5
NOBODY = discord.AllowedMentions.none()


class Answer:
    """One interaction's answer. `private`: only the person who asked sees it."""

    def __init__(self, interaction: Interaction, *, private: bool = False, patience: float = PATIENCE) -> None:
        self._interaction, self._private, self._patience = interaction, private, patience
        self._announced = False

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result; the answer is announced while it is under way. Raises what the work raises.

        The work goes on when the announcement comes too late or does not arrive.
        """
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task}, timeout=self._patience)
            if not task.done() and not self._interaction.response.is_done():
                try:
                    await self._interaction.response.defer(ephemeral=self._private, thinking=True)
                    self._announced = True
                except (discord.HTTPException, Down) as error:
                    log.warning("an answer could not be announced: %s", error)
            return await task
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def refuse(self, sentence: str) -> None:
        """Answer privately with a sentence; where that is not possible, nothing is said."""
        await self.show(Payload(sentence))

    async def show(self, payload: Payload) -> None:
        """Answer privately, whatever was announced. Raises OSError for a picture that cannot be read."""
        interaction = self._interaction
        sized = await files.fitted(payload.images or (), interaction.filesize_limit or files.LIMIT)
        made = [files.attached(one) for one in sized]
        embeds = files.renamed(payload.embeds, payload.images or (), made)
        shown: dict[str, Any] = {"content": payload.content or None, "embeds": embeds, "allowed_mentions": NOBODY}
        if payload.view is not None:
            payload.view.stop()
            shown["view"] = payload.view
        with trying(ANSWER), contextlib.suppress(discord.HTTPException, Down):
            if made and not interaction.response.is_done():
                # Uploading could take longer than a first answer may.
                await interaction.response.defer(ephemeral=True, thinking=True)
                self._announced = self._private = True
            if not interaction.response.is_done():
                await interaction.response.send_message(**shown, files=made, ephemeral=True)
            elif self._announced and self._private:
                await interaction.edit_original_response(**shown, attachments=made)
            elif self._announced:
                # What was announced in public cannot become private: it is filled, so that a second answer is one of
                # its own, and taken away.
                await interaction.edit_original_response(content="…", allowed_mentions=NOBODY)
                await interaction.followup.send(**shown, files=made, ephemeral=True)
                await interaction.delete_original_response()
            else:
                await interaction.followup.send(**shown, files=made, ephemeral=True)
