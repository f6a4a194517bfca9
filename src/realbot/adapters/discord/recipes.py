"""How a picture was made, to be read and to be copied."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from realbot.adapters import captions, lessonwords, words
from realbot.adapters.discord.markup import block, escaped
from realbot.adapters.discord.payload import Payload, Picture
from realbot.entries import Entry
from realbot.jobs import Done, Train

COLOUR = 0x99A1AB
#: Facts in one embed.
MOST = 24


def card(entry: Entry) -> Payload:
    """The facts, and the line that asks for the same picture again: as a block to copy, else as a text file."""
    done = Done(entry.images, entry.seed, entry.seconds, entry.cached, entry.notes) if entry.images else None
    if isinstance(entry.request, Train):
        return Payload(embeds=(_made(lessonwords.facts(entry.request, done)),))
    line = words.recipe(entry.request)
    shown = block(f"/imagine prompt:{line}") or ""
    embed = _made(words.facts(entry.request, done), shown)
    images = () if shown else (Picture(line.encode(), "recipe.txt", captions.button("recipe")),)
    return Payload(embeds=(embed,), images=images)


def _made(facts: Sequence[tuple[str, str]], shown: str = "") -> discord.Embed:
    embed = discord.Embed(title=captions.button("recipe"), colour=COLOUR, description=shown or None)
    for label, value in facts[:MOST]:
        embed.add_field(name=label, value=escaped(value, 400), inline=len(value) <= 40)
    return embed
