"""What the buttons of cards and screens do, and who may press them.

The store knows what a button stands for, whose it is and where it belongs; nothing in its data is believed.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from telegram import CallbackQuery, Chat, Message, ReplyParameters, Update
from telegram.error import TelegramError

from realbot.actions import Action
from realbot.adapters import buttons, captions, lessonwords, verdicts, words
from realbot.adapters.outbox import Down
from realbot.adapters.telegram import controls, masking, phrases, place, traincard, tweaks, wire
from realbot.adapters.telegram.card import recipe
from realbot.adapters.telegram.courier import done_of
from realbot.adapters.telegram.delivery import Spot
from realbot.adapters.telegram.files import original
from realbot.adapters.telegram.keyboard import SCREEN, Rows, keyboard
from realbot.adapters.telegram.press import Answer, Press
from realbot.adapters.telegram.screens import Viewer
from realbot.adapters.telegram.text import MESSAGE
from realbot.entries import Entry
from realbot.errors import Blocked, Invalid, NotYours, Refused
from realbot.jobs import SEEDS, Generate, Origin, Request, Train, User

if TYPE_CHECKING:
    from realbot.studio import Studio

    from .courier import Courier
    from .intake import Intake
    from .looks import Looks
    from .place import Moves, Rights
    from .screens import Screens
    from .wire import Bot

log = logging.getLogger(__name__)

#: What makes a new picture of one.
SEQUELS = frozenset({"again", "subtle", "strong", *buttons.FACTORS, *buttons.AROUND})
#: What moderators may press too.
MODERATED = buttons.DESTRUCTIVE | {"card"}


#: Does what a button is for, with the number of the update; what to tell of it.
Call = Callable[[Press, int], Awaitable[str]]


class Presses:
    """One for all cards and screens of a front-end."""

    def __init__(  # noqa: PLR0917 - what buttons can do
        self,
        studio: Studio,
        bot: Bot,
        intake: Intake,
        courier: Courier,
        screens: Screens,
        rights: Rights,
        moves: Moves,
        looks: Looks,
    ) -> None:
        self._studio, self._bot, self._intake, self._courier = studio, bot, intake, courier
        self._screens, self._rights, self._moves, self._looks = screens, rights, moves, looks
        self._calls: dict[str, Call] = {}

    def add(self, verb: str, call: Call) -> None:
        """Let buttons with this verb call something of another module."""
        self._calls[verb] = call

    async def press(self, update: Update, context: object = None) -> None:
        """Answer one press, in the language of whoever pressed."""
        query = update.callback_query
        if query is None:
            return
        answer = Answer(query)
        try:
            note, alert = await self._press(update, query)
            await answer.give(note, alert=alert)
        except NotYours:
            await answer.give(await self._not_yours(query), alert=True)
        except Refused as error:
            await answer.give(words.refusal(error), alert=True)
        except (TelegramError, Down) as error:
            log.warning("a press was not carried out: %s", error)
            await answer.give(captions.trouble(), alert=True)
        except Exception:
            log.exception("a press was not carried out")
            await answer.give(captions.trouble(), alert=True)
        finally:
            await answer.close()

    async def _not_yours(self, query: CallbackQuery) -> str:
        """What somebody is told whose button this is not."""
        with suppress(Refused):
            action = await self._studio.acted(buttons.action_id(query.data or "") or "", press=False)
            if action.verb in self._calls or isinstance((await self._studio.shown(action)).request, Train):
                return lessonwords.not_yours()
        return phrases.not_yours()

    async def _press(self, update: Update, query: CallbackQuery) -> tuple[str, bool]:
        """What to tell whoever pressed, and whether in a box."""
        action_id = buttons.action_id(query.data or "")
        if query.message is None or action_id is None:
            log.warning("a button that is none of ours was pressed")
            raise Invalid(captions.gone())
        origin = await self._moves.origin(place.pressed(query))
        user = await self._rights.known(place.user(query.from_user), origin, self._studio)
        press = Press(query, user, origin, action_id)
        press.action = await self._acted(press)
        if press.action.verb == SCREEN:
            await self._studio.acted(action_id, user)  # The press that counts, where a button has only one.
            private = press.chat.type == Chat.PRIVATE
            screen = await self._screens.press(
                Viewer(self._bot, user, press.origin, private), press.message, press.action
            )
            return screen.note, screen.alert
        return await self._calls.get(press.action.verb, self._card)(press, update.update_id), False

    async def _acted(self, press: Press) -> Action:
        """What the button stands for. Raises NotYours, and Refused for one of another place."""
        chat = str(press.chat.id)
        try:
            action = await self._studio.acted(press.action_id, press.user, press=False)
        except NotYours:
            moderated = await self._rights.moderator_of(chat, press.user.id)
            if not moderated:
                raise
            action = await self._studio.acted(press.action_id, press.user, moderator_of=moderated, press=False)
            if action.verb not in MODERATED:
                # A moderator keeps order, and does not use what belongs to others.
                raise
        if action.place and await self._moves.now(action.place) != await self._moves.now(chat):
            raise Refused(captions.elsewhere())
        return action

    async def _card(self, press: Press, update_id: int) -> str:
        """Do what a button of a card is for; what to tell of it."""
        action = press.action
        match action.verb:
            case verb if verb in SEQUELS:

                async def sequel(user: User, origin: Origin) -> Request:
                    return await buttons.sequel(
                        self._studio, user, verb, action.job_id, index=action.index, origin=origin
                    )

                await self._intake.take(press.user, press.origin, update_id, sequel)
            case tweaks.PAINT:
                await self._intake.take(press.user, press.origin, update_id, self._chosen(action))
            case tweaks.WORDS:
                await self._looks.ask_about(press.user, press.origin, action)
            case "cancel":
                return await self._cancel(press)
            case "confirm":
                return await self._delete(press)
            case "favourite":
                return await self._favourite(press)
            case "recipe":
                await self._recipe(press)
            case "download":
                return await self._download(press)
            case masking.YES:

                async def masked(user: User, _: Origin) -> Request:
                    return masking.wanted(action.detail)

                await self._intake.take(press.user, press.origin, update_id, masked, once=press.action_id)
                # What is told once is agreed to once.
                await self._studio.acted(press.action_id, press.user)
                await self._courier.delivery.remove([press.spot])
            case masking.NO:
                await self._courier.delivery.remove([press.spot])
            case "show":
                entry = await self._studio.entry(press.user, action.job_id)
                await self._courier.send_kept(Viewer(self._bot, press.user, press.origin, private=False), entry)
                await self._courier.delivery.remove([press.spot])
            case _:
                return await self._menu(press)
        return ""

    async def _menu(self, press: Press) -> str:
        """Other buttons below the same card; what to tell of them."""
        action, note = press.action, ""
        entry = await self._studio.shown(action)
        rows: Rows
        match action.verb:
            case tweaks.MENU:
                rows = await self._tweak(press, entry)
            case "picture":
                rows = controls.picked(entry.id, action.index)
            case "around":
                rows = controls.around(entry.id, action.index, several=len(entry.images) > 1)
            case "delete":
                rows = controls.deleting(entry.id)
                note = lessonwords.really(entry.request.style) if isinstance(entry.request, Train) else ""
            case "card":
                rows = self._usual(press, entry)
            case _:
                raise Invalid(captions.gone())
        await self._offer(press, rows, press.user if action.verb == "delete" else _owner(entry))
        return note

    async def _tweak(self, press: Press, entry: Entry) -> Rows:
        if not isinstance(entry.request, Generate):
            raise Invalid(captions.no_prompt())
        preset, limits = self._studio.preset(), self._studio.limits(press.user, press.origin)
        styles = self._studio.styles(press.origin, press.user)
        try:
            usual, detail, several = (preset.width, preset.height), press.action.detail, len(entry.images) > 1
            lent = tweaks.chosen(detail).own is not None
            offers = await self._looks.offers(press.user, press.origin, entry.id) if lent else []
            return tweaks.menu(entry.id, entry.request, detail, styles, usual, limits, offers, several=several)
        except (KeyError, TypeError, ValueError):
            raise Invalid(captions.gone()) from None

    def _chosen(self, action: Action) -> Any:
        """The request that was put together in the menus, or read in a recipe."""

        async def wish(user: User, origin: Origin) -> Request:
            entry = await self._studio.shown(action)
            if not isinstance(entry.request, Generate):
                raise Invalid(captions.no_prompt())
            if not action.detail:
                await self._passed_on(user, entry.request)
                return entry.request
            try:
                draft = tweaks.chosen(action.detail)
                if draft.own is not None:
                    return await self._looks.chosen(user, origin, action, draft)
            except (KeyError, TypeError, ValueError):
                raise Invalid(captions.gone()) from None
            return draft.over(entry.request, secrets.randbelow(SEEDS))

        return wish

    async def _passed_on(self, user: User, request: Generate) -> None:
        """Raise Invalid when a recipe begins with pictures that this person may not use."""
        try:
            for image in (request.source, request.mask, request.reference):
                if image is not None:
                    await self._studio.source(user, image)
        except NotYours:
            raise Invalid(phrases.not_passed_on()) from None

    async def _cancel(self, press: Press) -> str:
        moderated = "" if self._studio.owns(press.user, press.action.owner) else await self._moderated(press)
        stopped = await self._studio.cancel(press.user, press.action.job_id, moderated)
        origin = (await self._studio.shown(press.action)).origin
        if press.spot not in Spot.load(await self._studio.cards(press.action.job_id)).messages(origin.place):
            # A card that arrived without our knowing would wait for ever.
            await self._courier.delivery.remove([press.spot])
        return "" if stopped else captions.too_late()

    async def _delete(self, press: Press) -> str:
        """Delete the job, then the messages that showed it."""
        moderated = await self._moderated(press)
        # Of several presses at once only one goes on.
        await self._studio.acted(press.action_id, press.user, moderator_of=moderated)
        entry = await self._studio.shown(press.action)
        cards = await self._studio.cards(entry.id)
        if (style := traincard.of(self._studio, press.user, entry.id)) is not None:
            await self._studio.discard(press.user, style.name)
        await self._studio.forget(press.user, entry.id, moderated)
        messages = dict.fromkeys([press.spot, *map(tuple, cards.get("copies", []))])
        if entry.origin.platform == place.PLATFORM:
            messages |= dict.fromkeys(Spot.load(cards).messages(entry.origin.place))
        await self._courier.delivery.remove(messages)
        return captions.deleted()

    async def _favourite(self, press: Press) -> str:
        entry = await self._studio.entry(press.user, press.action.job_id)
        on = press.action.detail == "on"
        await self._studio.favourite(press.user, entry.id, on)
        await self._offer(press, self._usual(press, entry, favourite=on))
        return ""

    async def _recipe(self, press: Press) -> None:
        """How a picture was made, to read, to copy, to share and to paint."""
        entry = await self._studio.shown(press.action)
        link = ""
        if self._studio.owns(press.user, entry.owner) and isinstance(entry.request, Generate):
            code = await self._studio.action("recipe", entry.id)
            link = f"https://t.me/{self._bot.username}?start=r_{code}"
        text = recipe(entry.request, done_of(entry) if entry.images else None).cut(MESSAGE)
        markup = await keyboard(
            self._studio, controls.recipe(entry.request, link, entry.id), press.user, str(press.chat.id)
        )
        await self._bot.send_message(
            text=str(text), entities=text.entities(), reply_markup=markup, **self._below(press)
        )

    async def _download(self, press: Press) -> str:
        """The file as it was painted, or the largest copy of it that Telegram takes."""
        entry = await self._studio.shown(press.action)
        done = done_of(entry)
        if press.action.index >= len(done.images):
            raise Invalid(captions.gone())
        here = None if press.chat.type == Chat.PRIVATE else press.origin
        if await self._studio.safety.veil(entry.id, done.images, here) != "pass" and here is not None:
            raise Blocked(verdicts.original())
        picture = await self._courier.cards.picture(_owner(entry), entry.request, done, press.action.index)
        sized, whole = await original(picture)
        await self._bot.send_document(
            document=sized.data,
            filename=sized.name,
            caption=None if whole else captions.smaller(),
            disable_content_type_detection=True,
            **self._below(press),
        )
        return ""

    def _usual(self, press: Press, entry: Entry, *, favourite: bool | None = None) -> Rows:
        """The buttons that the card of a finished job has."""
        star = entry.favourite if favourite is None else favourite
        return self._courier.cards.rows(
            _owner(entry), entry.id, entry.request, done_of(entry), press.origin.server_key, favourite=star
        )

    async def _offer(self, press: Press, rows: Rows, user: User | None = None) -> None:
        """Put other buttons below the message."""
        markup = await keyboard(self._studio, rows, user or press.user, str(press.chat.id))
        try:
            await self._bot.edit_message_reply_markup(reply_markup=markup, **press.where)
        except TelegramError as error:
            if not wire.unchanged(error):
                raise

    async def _moderated(self, press: Press) -> str:
        return await self._rights.moderator_of(str(press.chat.id), press.user.id)

    @staticmethod
    def _below(press: Press) -> dict[str, Any]:
        where: dict[str, Any] = {
            "chat_id": press.chat.id,
            "reply_parameters": ReplyParameters(press.message_id, allow_sending_without_reply=True),
        }
        if press.origin.thread:
            where["message_thread_id"] = int(press.origin.thread)
        return where


def _owner(entry: Entry) -> User:
    platform, _, number = entry.owner.partition(":")
    return User(platform, number)


def actions(message: Message) -> list[str]:
    """The ids of all buttons of a message."""
    rows = message.reply_markup.inline_keyboard if message.reply_markup else ()
    found = [buttons.action_id(key.callback_data) for row in rows for key in row if isinstance(key.callback_data, str)]
    return [one for one in found if one]
