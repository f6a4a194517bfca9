"""What the owner of a trained style does with it from its card: share it, take its files, delete it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, TypeAlias

import discord

from realbot.actions import Action
from realbot.adapters import captions, lessonwords
from realbot.adapters.discord import files, place, traincard
from realbot.adapters.discord.answer import NOBODY
from realbot.adapters.discord.card import Cards
from realbot.entries import Entry
from realbot.errors import Invalid, NotYours
from realbot.jobs import Done, Train, User
from realbot.studio import Studio

Interaction: TypeAlias = discord.Interaction[Any]


class Trained:
    """One for all cards of a front-end. Every verb raises NotYours, and Invalid for a style that is deleted."""

    def __init__(self, studio: Studio, cards: Cards) -> None:
        self._studio, self._cards = studio, cards

    async def use(self, interaction: Interaction, user: User, action: Action, verb: str) -> None:
        """What does no harm."""
        entry = await self._studio.entry(user, action.job_id)
        request = entry.request
        if not isinstance(request, Train) or not self._there(user, entry):
            raise Invalid(lessonwords.gone())
        match verb:
            case "share" | "unshare":
                await self._share(interaction, user, action, entry, request)
            case "metrics":
                path = self._studio.metrics(user, request.style)
                await self._send(interaction, request, path, f"{request.style}.csv", lessonwords.metrics())
            case _:
                path = self._studio.weights(user, request.style)
                await self._send(interaction, request, path, path.name, lessonwords.weights())

    def question(self, user: User, entry: Entry) -> str:
        """What is asked before a card is deleted, with its style where that is the person's own."""
        request = entry.request
        if isinstance(request, Train) and self._there(user, entry):
            return lessonwords.really(request.style)
        return captions.really()

    async def discard(self, user: User, entry: Entry) -> str:
        """Delete the style of a card, where it is the person's own, and say so; a moderator deletes the card alone."""
        request = entry.request
        if not isinstance(request, Train) or not self._there(user, entry):
            return captions.deleted()
        with contextlib.suppress(NotYours):
            await self._studio.discard(user, request.style)
        return lessonwords.deleted(request.style)

    def _there(self, user: User, entry: Entry) -> bool:
        request = entry.request
        return isinstance(request, Train) and traincard.standing(self._studio, user, entry.id, request, "").there

    async def _share(self, interaction: Interaction, user: User, action: Action, entry: Entry, request: Train) -> None:
        """Share it with the server of the card, or no longer; the card shows it."""
        # A card that was opened from the history is bound to no place.
        origin = entry.origin if action.place else None
        where = origin or place.origin(interaction)
        await self._studio.share(user, request.style, where, action.verb == "share")
        done = Done(entry.images, entry.seed, entry.seconds, entry.cached, entry.notes)
        payload = await self._cards.kept(
            user, entry.id, request, done, favourite=False, images=False, origin=origin, server=where.server_key
        )
        await interaction.response.edit_message(embeds=list(payload.embeds), view=payload.view, allowed_mentions=NOBODY)

    @staticmethod
    async def _send(interaction: Interaction, request: Train, path: Path, name: str, alt: str) -> None:
        """Hand over a file privately, where it is not too large for that."""
        limit = min(interaction.filesize_limit or files.LIMIT, files.TOTAL)
        size = await asyncio.to_thread(lambda: path.stat().st_size if path.is_file() else None)
        if size is None:
            raise Invalid(lessonwords.gone())
        if size > limit:
            raise Invalid(lessonwords.too_large(request.style, size, limit))
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(
            attachments=[discord.File(path, name, description=alt)], allowed_mentions=NOBODY
        )
