"""Messages whose buttons turn them into another screen; what a screen shows is asked anew with each press."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from telegram import MaybeInaccessibleMessage, Message
from telegram.error import TelegramError

from realbot.actions import Action
from realbot.adapters.files import Picture
from realbot.adapters.telegram import wire
from realbot.adapters.telegram.asked import Asked, below
from realbot.adapters.telegram.files import media, send, shown
from realbot.adapters.telegram.keyboard import Key, Rows, keyboard, to
from realbot.adapters.telegram.text import MESSAGE, Text, dead
from realbot.errors import Invalid
from realbot.jobs import Origin, User

if TYPE_CHECKING:
    from realbot.studio import Studio

    from .wire import Bot

__all__ = ["Key", "Screen", "Screens", "Viewer", "to"]


@dataclass(frozen=True, slots=True)
class Screen:
    """What a message shows. `note` is told once, as a line that passes, or with `alert` until it is closed.

    After a command it stands above the rest.
    """

    text: Text
    rows: Rows = ()
    picture: Picture | None = None
    note: str = ""
    alert: bool = False


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a screen, and where. `bot` is for what a screen sends beside itself."""

    bot: Bot
    user: User
    origin: Origin
    private: bool  #: nobody else sees it


#: Draws a screen in a state, which is JSON data. Raises Refused in one sentence.
Draw = Callable[[Viewer, dict[str, Any]], Awaitable[Screen]]


class Screens:
    """All screens of a front-end by name."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._draws: dict[str, Draw] = {}

    def add(self, name: str, draw: Draw) -> None:
        """A screen that buttons made with `to(label, name, …)` show."""
        self._draws[name] = draw

    async def open(self, asked: Asked, name: str, /, **state: Any) -> None:
        """Answer a message with a screen. Raises Refused."""
        viewer = Viewer(asked.bot, asked.user, asked.origin, asked.private)
        screen = await self._draws[name](viewer, state)
        # Only a press has a line that passes.
        told = replace(screen, text=Text.lines([dead(screen.note), screen.text])) if screen.note else screen
        await self._send(viewer, told)

    async def press(self, viewer: Viewer, message: MaybeInaccessibleMessage, action: Action) -> Screen:
        """Turn the message into the screen that the pressed button stands for. Raises Refused."""
        state = json.loads(action.detail)
        draw = self._draws.get(state.pop("to", ""))
        if draw is None:
            raise Invalid("This button is not known any more; please ask anew.")
        screen = await draw(viewer, state)
        try:
            await self._edit(viewer, message, screen)
        except TelegramError as error:
            if wire.vanished(error):
                await self._send(viewer, screen)
            elif not wire.unchanged(error):
                raise
        return screen

    async def _send(self, viewer: Viewer, screen: Screen) -> None:
        markup = await keyboard(self._studio, screen.rows, viewer.user, viewer.origin.place)
        where = below(viewer.origin)
        if screen.picture is None:
            text = screen.text.cut(MESSAGE)
            await viewer.bot.send_message(text=str(text), entities=text.entities(), reply_markup=markup, **where)
            return
        await send(viewer.bot, await shown(screen.picture), screen.text, reply_markup=markup, **where)

    async def _edit(self, viewer: Viewer, message: MaybeInaccessibleMessage, screen: Screen) -> None:
        where: dict[str, Any] = {"chat_id": message.chat.id, "message_id": message.message_id}
        if screen.picture is None and isinstance(message, Message) and (message.photo or message.document):
            # A picture cannot be taken out of a message: the screen goes on in a new one.
            await self._send(viewer, screen)
            await viewer.bot.delete_message(**where)
            return
        markup = await keyboard(self._studio, screen.rows, viewer.user, viewer.origin.place)
        if screen.picture is None:
            text = screen.text.cut(MESSAGE)
            await viewer.bot.edit_message_text(text=str(text), entities=text.entities(), reply_markup=markup, **where)
            return
        picture = media(await shown(screen.picture), screen.text)
        await viewer.bot.edit_message_media(media=picture, reply_markup=markup, **where)
