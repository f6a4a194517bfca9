"""What a card shows, as data: the courier sends it, the tests read it, nothing here talks to Discord."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    def plain(self) -> dict[str, Any]:
        """Without files, as the first answer shows it."""
        if self.view is not None:
            self.view.stop()
        given: dict[str, Any] = {
            "content": self.content or None,
            "embeds": list(self.embeds),
            "allowed_mentions": discord.AllowedMentions.none(),
        }
        return given if self.view is None else {**given, "view": self.view}
