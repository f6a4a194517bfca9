"""Every way of asking: /imagine and /look, plain words, a picture with a caption, an answer to a picture."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from telegram import Chat, Message, Update
from telegram.ext import MessageHandler, filters

from realbot import grammar
from realbot.adapters.telegram import phrases
from realbot.adapters.telegram.asked import Asked
from realbot.adapters.telegram.brought import Brought, Start, picture
from realbot.adapters.telegram.commands import called
from realbot.adapters.telegram.masking import Masking
from realbot.adapters.telegram.whose import Whose
from realbot.errors import Invalid
from realbot.jobs import Generate, Origin, User

if TYPE_CHECKING:
    from realbot.adapters.telegram import Call, Front

#: Sides are multiples of this, in pixels.
MULTIPLE = 16
COMMAND = re.compile(r"/(?P<name>\w+)(?:@(?P<bot>\w+))?(?:\s+|$)")


class Imagine:
    """Options are checked by the studio, so that every way of asking has the same limits."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio, self._looks = front, front.studio, front.looks
        self._brought, self._masking = Brought(front), Masking(front.studio)
        calls = (("imagine", self.asked), ("look", self.look), ("whose", Whose(front).whose))
        self._calls: dict[str, Call] = {name: call for word, call in calls for name in called(word)}

    async def asked(self, asked: Asked) -> None:
        """Paint what follows the command, or what a picture's caption says. Raises Refused."""
        await self._paint(asked, look=False)

    async def look(self, asked: Asked) -> None:
        """Paint it in the look of the message's picture, or of the one that it answers. Raises Refused."""
        await self._paint(asked, look=True)

    async def _paint(self, asked: Asked, *, look: bool) -> None:
        preset = self._studio.preset()
        base = await self._looks.answered(asked.user, asked.message) or Generate(prompt="")
        said = grammar.parse(asked.text, base, area=preset.width * preset.height, multiple=MULTIPLE)
        look = said.reference is None and (look or said.reference_weight is not None)
        start = await self._brought.start(asked, look=look)
        if look and start.reference is None:
            raise Invalid(phrases.lookless())
        if not asked.text:
            if start.reference is not None and start.source is None:
                await self._looks.ask(asked.user, asked.origin, start.reference)
                return
            raise Invalid(phrases.wordless() if start.source is None else phrases.captionless())
        request = await self._request(asked, said, start)
        if request.mask is not None:
            await self._masking.offer(asked, request)
            return

        async def wish(user: User, origin: Origin) -> Generate:
            return request

        await self._front.intake.take(asked.user, asked.origin, asked.update_id, wish)

    async def message(self, update: Update, context: object = None) -> None:
        """A message without a command of ours at its beginning."""
        message = update.message
        if message is None or message.via_bot is not None or message.forward_origin is not None:
            return
        if not self._front.albums.speaker(message):
            return
        words = (message.text or message.caption or "").strip()
        command = COMMAND.match(words)
        if command is not None:
            await self._commanded(update, command, words)
        elif self._meant(message, words) or await self._looks.concerns(message):
            await self._front.ask(update, self._plain)

    async def _commanded(self, update: Update, command: re.Match[str], words: str) -> None:
        """A command in a caption, which the library does not look at, or one that there is not."""
        message, ours = update.message, (command["bot"] or "").casefold() == (self._front.me.username or "").casefold()
        assert message is not None
        if command["bot"] and not ours:
            return
        call = self._calls.get(command["name"].casefold())
        if message.caption and call is not None:
            await self._front.ask(update, call, command=True)
        elif message.chat.type == Chat.PRIVATE or ours:
            await self._front.ask(update, self._unknown)

    def _meant(self, message: Message, words: str) -> bool:
        """Whether this is for us: everything in private, answers to our pictures and mentions in groups."""
        if message.chat.type == Chat.PRIVATE:
            return True
        answered = message.reply_to_message
        ours = answered is not None and self._brought.ours(answered)
        if words and answered is not None and ours and (picture(answered) or picture(message)):
            return True
        return self._name.search(words) is not None

    @property
    def _name(self) -> re.Pattern[str]:
        """The bot's own name in a text."""
        return re.compile(rf"(?<!\w)@{re.escape(self._front.me.username or '')}\b", re.IGNORECASE)

    async def _plain(self, asked: Asked) -> None:
        """Words without a command; our own name is no part of them."""
        words = self._name.sub(" ", asked.text).strip()
        command, call = COMMAND.match(words), self._calls["imagine"]
        if command is not None and command["name"].casefold() in self._calls:
            words, call = words[command.end() :], self._calls[command["name"].casefold()]
        await call(Asked(asked.bot, asked.message, asked.user, asked.origin, words, asked.update_id))

    async def _unknown(self, asked: Asked) -> None:
        name = COMMAND.match(asked.text)
        raise Invalid(phrases.unknown_command(name["name"] if name else ""))

    async def _request(self, asked: Asked, said: Generate, start: Start) -> Generate:
        """What is asked for, of these pictures; a region in words has become a mask."""
        source, mask = said.source or start.source, said.mask or (None if said.region else start.mask)
        request = replace(said, source=source, mask=mask, reference=said.reference or start.reference)
        if source is None and (request.strength is not None or request.region is not None):
            raise Invalid(phrases.sourceless() if request.reference is None else phrases.look_alone())
        if source is not None and request.region is not None:
            made = await self._studio.mask_of_region(asked.user, source, request.region, asked.origin)
            request = replace(request, mask=made, region=None)
        return await self._studio.defaulted(asked.user, request, asked.origin)


def register(front: Front) -> None:
    """Add the commands, and what does without them; last of all, because it takes what no command is for."""
    imagine = Imagine(front)
    front.command("imagine", imagine.asked)
    front.command("look", imagine.look)
    kinds = filters.UpdateType.MESSAGE & (filters.TEXT | filters.CAPTION | filters.ATTACHMENT)
    front.app.add_handler(MessageHandler(kinds, imagine.message))
