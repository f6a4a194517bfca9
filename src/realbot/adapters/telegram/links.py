"""Addresses that open the private chat with realbot, and the way there from a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realbot.adapters.telegram import sayings
from realbot.adapters.telegram.keyboard import Key, keyboard
from realbot.adapters.telegram.screens import Viewer
from realbot.errors import Blocked

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

    from .rules import Here


def address(front: Front, start: str) -> str:
    """What leads to the private chat and does there what /start does with this word: at most 64 of A-Z a-z 0-9 _ -."""
    return f"https://t.me/{front.me.username}?start={start}"


def way(front: Front, screen: str, here: Here, label: str, *more: str) -> Key:
    """The way from a group to a screen about it, and about what is named after that, in the private chat."""
    return Key(label, url=address(front, "_".join([screen, (here.key or "").partition(":")[2], *more])))


async def aside(front: Front, asked: Asked, start: str, text: str = "") -> None:
    """Tell a group that this is something between two, with the way there."""
    way = [[Key(sayings.private_chat(), url=address(front, start))]]
    await asked.reply(text or sayings.aside(), await keyboard(front.studio, way, asked.user, asked.origin.place))


def alone(viewer: Viewer) -> None:
    """Raise Blocked where somebody else would see it."""
    if not viewer.private:
        raise Blocked(sayings.aside())
