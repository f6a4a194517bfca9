"""What a card shows, as data: the courier sends it, the tests read it, nothing here talks to Discord."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import discord


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that is shown above the card. `source` is its path, or the bytes of what may be gone in a moment."""

    source: Path | bytes
    name: str  #: ASCII and short; its ending may change with the format it is sent in
    alt: str  #: at most 1024 characters


@dataclass(frozen=True, slots=True)
class Payload:
    """One message. `images` replaces the files of the message; None leaves them as they are, () takes them away."""

    content: str = ""
    embeds: tuple[discord.Embed, ...] = ()
    view: discord.ui.View | None = None
    images: tuple[Picture, ...] | None = ()
    spoiler: bool = False
