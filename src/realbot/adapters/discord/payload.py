"""What a card shows, as data: the courier sends it, the tests read it, nothing here talks to Discord."""

from __future__ import annotations

from dataclasses import dataclass

import discord

from realbot.adapters.files import Picture

__all__ = ["Payload", "Picture"]


@dataclass(frozen=True, slots=True)
class Payload:
    """One message. `images` replaces the files of the message; None leaves them as they are, () takes them away."""

    content: str = ""
    embeds: tuple[discord.Embed, ...] = ()
    view: discord.ui.View | None = None
    images: tuple[Picture, ...] | None = ()
