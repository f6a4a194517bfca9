"""What moderators are asked about withheld pictures in Telegram, what they decide, and in which chats they are asked.

Who is a moderator is looked up at each press. The picture is behind a spoiler, and the words that asked for it are not
shown.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from telegram import MessageEntity
from telegram.error import BadRequest, TelegramError

from realbot.adapters import sentences, verdicts
from realbot.adapters.files import Picture
from realbot.adapters.inquiries import Inquiries
from realbot.adapters.outbox import Down
from realbot.adapters.plain import plain
from realbot.adapters.telegram import place, wire
from realbot.adapters.telegram.files import media, send, shown
from realbot.adapters.telegram.keyboard import Key, Rows, keyboard
from realbot.adapters.telegram.limiter import USUAL
from realbot.adapters.telegram.links import way
from realbot.adapters.telegram.rules import Here
from realbot.adapters.telegram.screens import Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, code, dead, filled, quoted, small
from realbot.adapters.telegram.trainers import called
from realbot.entries import Entry
from realbot.errors import Blocked, Invalid
from realbot.jobs import Job, Origin, User

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.press import Press
    from realbot.adapters.telegram.wire import Bot

log = logging.getLogger(__name__)

APPEAL, RELEASE, UPHOLD = "appeal", "release", "uphold"


def register(front: Front) -> None:
    """Let moderators of a front-end be asked."""
    cases = Cases(front)
    front.studio.safety.windows[place.PLATFORM] = cases
    front.presses.add(APPEAL, cases.appeal)
    front.presses.add(RELEASE, cases.decide)
    front.presses.add(UPHOLD, cases.decide)


class Cases(Inquiries):
    """One for a front-end; the window through which the studio shows what became of a picture."""

    def __init__(self, front: Front) -> None:
        super().__init__(front.studio, place.PLATFORM, front.clock)
        self._front = front

    def reaches(self, origin: Origin) -> bool:
        """Whether there is somebody who can be asked about a picture from there."""
        return bool(self._chats(origin))

    async def redraw(self, job: Job) -> None:
        """The picture of a job is shown now, or not any more."""
        await self._front.courier.redraw(job)

    async def retract(self, place: str, message: str) -> None:
        """Delete a question whose picture is deleted."""
        await self._front.courier.delivery.remove([(place, one) for one in message.split()])

    async def alarm(self, *, down: bool) -> None:
        """Tell moderators that pictures cannot be checked, or can be again."""
        for chat in self._studio.safety.moderated(place.PLATFORM):
            now = await self._front.moves.now(chat)
            try:
                await self._front.bot.send_message(int(now), verdicts.alarm(down=down), rate_limit_args=USUAL)
            except (TelegramError, Down) as error:
                log.info("chat %s was not told: %s", chat, error)

    async def appeal(self, press: Press, update_id: int) -> str:
        """Ask moderators about a picture of whoever pressed. Raises Refused."""
        entry = await self._studio.entry(press.user, press.action.job_id)
        await self._studio.safety.appeal(press.user, entry.id)
        card = await self._front.courier.cards.closed(entry.id, press.user, entry.request)
        await self._change(press, card.text, card.rows, press.user)
        return verdicts.asked()

    async def decide(self, press: Press, update_id: int) -> str:
        """Show a picture, or keep it back. Raises Blocked for everyone who is no moderator of its group."""
        entry = await self._studio.shown(press.action)
        if not await self._moderates(press.user, entry):
            raise Blocked(verdicts.moderators_only())
        release = press.action.verb == RELEASE
        await self._studio.safety.decide(press.user, entry.id, release=release)
        said = verdicts.decided(plain(press.user.name, 64) or press.user.id, released=release)
        await self._change(press, await self._told(entry, said), self._rows(entry, release=not release), press.user)
        return said

    async def _change(self, press: Press, text: Text, rows: Rows, user: User) -> None:
        """Change the text and the buttons of the message that was pressed."""
        markup = await keyboard(self._studio, rows, user, str(press.chat.id))
        given: dict[str, Any] = {"reply_markup": markup, **press.where}
        photo = getattr(press.message, "photo", None) or getattr(press.message, "document", None)
        try:
            if photo:
                await self._front.bot.edit_message_caption(caption=str(text), caption_entities=text.entities(), **given)
            else:
                await self._front.bot.edit_message_text(str(text), entities=text.entities(), **given)
        except BadRequest as error:
            if not wire.unchanged(error):
                raise

    async def _moderates(self, user: User, entry: Entry) -> bool:
        """Whether this person may decide about a picture: an administrator of its group, or an owner of the bot."""
        if int(user.id) in self._front.settings.owners:
            return True
        group = entry.origin.server if entry.origin.platform == place.PLATFORM else ""
        return bool(group) and await self._front.rights.administrates(await self._front.moves.now(group), user.id)

    def _chats(self, origin: Origin) -> list[str]:
        named = self._studio.safety.moderators(origin) if origin.platform == place.PLATFORM else ()
        return list(named) or [str(owner) for owner in self._front.settings.owners]

    async def _consulted(self, job: Job) -> bool:
        """Ask in the first chat that takes it; whether one did. Raises Down."""
        entry = await self._studio.safety.entry(job.id)
        owners = [str(owner) for owner in self._front.settings.owners]
        for named in dict.fromkeys([*self._chats(job.origin), *owners]):
            chat = await self._front.moves.now(named)
            try:
                message = await self._asked(entry, chat)
            except TelegramError as error:
                log.warning("moderators cannot be asked about job %s in %s: %s", job.id, chat, error)
                continue
            await self._studio.safety.asked(job.id, place.PLATFORM, chat, message)
            return True
        return False

    async def _asked(self, entry: Entry, chat: str) -> str:
        """Show the question in a chat; the numbers of its messages, of which pictures of an album are some."""
        paths = await self._studio.safety.files(entry)
        pictures = [Picture(path, f"picture-{n + 1}.png", "", spoiler=True) for n, path in enumerate(paths)]
        photos = [await shown(picture) for picture in pictures]
        rows, text = self._rows(entry), await self._told(entry, "")
        markup = await keyboard(self._studio, rows, User(place.PLATFORM, chat), chat)
        bot = self._front.bot
        if len(photos) == 1:
            told = [await send(bot, photos[0], text, chat_id=int(chat), reply_markup=markup, rate_limit_args=USUAL)]
        else:
            album = [media(photo) for photo in photos]
            told = [*await bot.send_media_group(int(chat), media=album, rate_limit_args=USUAL)]
            about: dict[str, Any] = {"entities": text.entities(), "reply_markup": markup, "rate_limit_args": USUAL}
            try:
                told.append(await bot.send_message(int(chat), str(text), **about))
            except (TelegramError, Down):
                # Without its question nobody could decide about it, and another chat is asked.
                await self.retract(chat, " ".join(str(one.message_id) for one in told))
                raise
        return " ".join(str(one.message_id) for one in told)

    async def _told(self, entry: Entry, said: str) -> Text:
        score = await self._studio.safety.score(entry)
        group = entry.origin.server if entry.origin.platform == place.PLATFORM else ""
        where = await self._title(group) if group else ""
        about = [dead(one, MessageEntity.ITALIC) for one in (where, said) if one]
        return Text.lines([bold(verdicts.question()), verdicts.found(score), await self._person(entry), *about])

    async def _person(self, entry: Entry) -> Text:
        """Who asked, with the number by which they can be banned."""
        platform, _sign, number = entry.owner.partition(":")
        if platform != place.PLATFORM or not number:
            return Text()
        origin = await self._front.moves.origin(entry.origin)
        here = Here(entry.origin.server_key, origin) if origin.server else Here()
        name = await called(self._front.bot, here, number)
        return Text(filled(sentences.asker("{user}"), user=quoted(name, 64)), " · ", code(number))

    async def _title(self, number: str) -> str:
        return await titled(self._front.bot, await self._front.moves.now(number))

    @staticmethod
    def _rows(entry: Entry, *, release: bool | None = None) -> Rows:
        """Both answers; once one was given, the other."""
        keys = {
            True: Key(verdicts.release(), RELEASE, entry.id, open=True, style="success", days=60.0),
            False: Key(verdicts.uphold(), UPHOLD, entry.id, open=True, style="danger", days=60.0),
        }
        return [list(keys.values()) if release is None else [keys[release]]]


async def draw(front: Front, here: Here, viewer: Viewer, state: dict[str, Any]) -> Screen:
    """Where moderators are asked, after a chat was allowed or denied. The caller has checked who asks. Raises Refused.

    Only an administrator of a chat can let its members be shown what others asked for.
    """
    rules = await front.studio.place(here.key)
    for verb in {"allow", "deny"} & set(state):
        number = str(state[verb]).strip()
        if number in ("", "here") and here.origin is not None:
            number = here.origin.place
        if not number.removeprefix("-").isdecimal():
            raise Invalid(verdicts.chat_number())
        owner = int(viewer.user.id) in front.settings.owners
        if verb == "allow" and not owner and not await front.rights.administrates(number, viewer.user.id):
            raise Blocked(verdicts.foreign_chat())
        others = [one for one in rules.moderators if one != number]
        named = [*others, number] if verb == "allow" else others
        rules = await front.studio.rule(here.key, viewer.user, moderators=named)
    own = filled(verdicts.own_number(), number=code(here.origin.place)) if here.origin is not None else ""
    title, hint = bold(verdicts.moderators_title()), small(verdicts.chat_number())
    if not here.everywhere and not viewer.private:
        # What other chats are called is nothing for everybody here.
        changed = {verdicts.chosen(allowed=verb == "allow") for verb in {"allow", "deny"} & set(state)}
        text = Text.lines([title, *changed, own, hint])
        return Screen(text, [[way(front, "moderators", here, verdicts.where())], [here.back()]])
    names = {number: await titled(viewer.bot, await front.moves.now(number)) for number in rules.moderators}
    rows = [[to(f"✖ {name}", "realbot", at="moderators", deny=number, **here.about)] for number, name in names.items()]
    told = dead(verdicts.moderators(", ".join(names.values())))
    back = [[here.back()]] if here.everywhere else []
    return Screen(Text.lines([title, told, own, hint]), [*rows, *back])


async def titled(bot: Bot, number: str) -> str:
    """The name of a chat, its number where Telegram does not tell."""
    with suppress(TelegramError, Down):
        return plain((await bot.get_chat(int(number))).effective_name or "", 64) or number
    return number
