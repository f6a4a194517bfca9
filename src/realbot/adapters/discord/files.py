"""Pictures as files of a Discord message: measured before anything is sent, and small enough all together."""

from __future__ import annotations

import io
from collections.abc import Sequence

import discord

from realbot.adapters import files
from realbot.adapters.files import STEPS, Picture, Sized

__all__ = ["LIMIT", "STEPS", "TOTAL", "Picture", "Sized", "attached", "fitted", "renamed"]

#: Bytes of a file where nothing else is known, and of all files of one message.
LIMIT, TOTAL = 10 * 2**20, 25 * 2**20
#: Bytes that the rest of a message may take.
REST = 64 * 2**10


def attached(sized: Sized) -> discord.File:
    """A file for one message; discord.py reads each only once."""
    alt = sized.alt[:1024] or None
    return discord.File(io.BytesIO(sized.data), sized.name, spoiler=sized.spoiler, description=alt)


async def fitted(pictures: Sequence[Picture], limit: int = LIMIT, first: int = 0) -> list[Sized]:
    """The pictures, none larger than `limit` bytes and all together small enough for one message.

    `first` is the format to begin with, as its number. Raises OSError for a file that cannot be read.
    """
    share = (TOTAL - REST) // max(1, len(pictures))
    return await files.fitted(pictures, min(limit, share), first)


def renamed(
    embeds: Sequence[discord.Embed], pictures: Sequence[Picture], files: Sequence[discord.File]
) -> list[discord.Embed]:
    """Copies of the embeds that show the files under the names with which they are sent."""
    names = {f"attachment://{p.name}": f"attachment://{f.filename}" for p, f in zip(pictures, files, strict=True)}
    copies = [embed.copy() for embed in embeds]
    for embed in copies:
        if embed.image.url in names:
            embed.set_image(url=names[embed.image.url])
        if embed.thumbnail.url in names:
            embed.set_thumbnail(url=names[embed.thumbnail.url])
    return copies
