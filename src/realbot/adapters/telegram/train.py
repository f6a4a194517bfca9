"""/train: pictures are gathered in the chat, looked at before a minute is spent, and then learnt from."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telegram import Chat, Message, Update
from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop, MessageHandler, filters

from realbot.adapters import captions, lessonwords, words
from realbot.adapters.outbox import Down
from realbot.adapters.plain import plain
from realbot.adapters.telegram import phrases, place, trainphrases, trainplan, wire
from realbot.adapters.telegram.asked import Asked, below
from realbot.adapters.telegram.brought import picture
from realbot.adapters.telegram.commands import called
from realbot.adapters.telegram.keyboard import Key, Rows, keyboard
from realbot.adapters.telegram.limiter import USUAL
from realbot.adapters.telegram.text import Piece, Text, dead, quoted, small
from realbot.adapters.telegram.trainset import DAYS, ROOM, Aim, Gathering, Sent, Sets, renamed
from realbot.errors import Blocked, Invalid, NotYours, Refused
from realbot.jobs import Origin, Train, User
from realbot.training import FEWEST, course_of

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.press import Press

log = logging.getLogger(__name__)

#: Verbs of the buttons below a set.
CHECK, MORE, DROP, TRAIN = "lesson check", "lesson more", "lesson drop", "lesson train"
#: Options among the words that bring a style out.
OPTION = re.compile(r"(?<!\S)(?:--)?(?P<name>steps|rank)[:=](?P<value>\d{1,6})(?!\S)")
COMMAND = re.compile(r"/(?P<name>\w+)(?:@(?P<bot>\w+))?(?:\s|$)")
#: Seconds without a picture after which the next one is acknowledged below it, where it is seen.
AWHILE = 300.0


def register(front: Front) -> None:
    lessons = Lessons(front)
    front.command("train", lessons.train)
    for verb in (CHECK, MORE, DROP, TRAIN):
        front.presses.add(verb, lessons.press)
    # Before everything else: while pictures are gathered, none is what somebody wants painted.
    front.app.add_handler(MessageHandler(filters.UpdateType.MESSAGE & filters.ATTACHMENT, lessons.picture), group=-1)


class Lessons:
    """The command, the pictures that follow it, and the buttons below them."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio, self._bot = front, front.studio, front.bot
        self._sets = Sets(front.studio)
        self._names = called("train")

    async def train(self, asked: Asked) -> None:
        """Begin a set, give the open one another name, or show it again. Raises Refused."""
        user = await self._front.rights.titled(asked.user, asked.origin)
        self._studio.gate.admit(user, asked.origin)
        if not self._studio.may_train(user, asked.origin):
            raise Blocked(lessonwords.some_people())
        gathering = await self._sets.find(user, asked.origin.place)
        if asked.text:
            aim = self._aim(user, asked)
            if gathering is None:
                gathering = Gathering(asked.user, asked.origin, aim)
            else:
                gathering = renamed(gathering, aim, asked.origin)
            await self._sets.begin(gathering)
            for message in self._front.albums.together(asked.message):
                if (sent := _sent(message)) is not None:
                    # What stands below the picture is the command.
                    own = message.message_id == asked.message.message_id
                    await self._add(gathering, replace(sent, caption="") if own else sent)
        if gathering is None:
            await asked.reply(trainphrases.how())
            return
        await self._below(gathering)

    async def picture(self, update: Update, context: object = None) -> None:
        """Take a picture into the set that its sender gathers there."""
        message = update.message
        if message is None or message.via_bot is not None or place.anonymous(message) or message.from_user is None:
            return
        command = COMMAND.match((message.caption or "").strip())
        if command is not None:
            if not self._ours(command) or message.forward_origin is not None:
                return
            await self._front.ask(update, self.train, command=True)
            raise ApplicationHandlerStop
        sent = _sent(message)
        if sent is None:
            return
        gathering = await self._sets.find(place.user(message.from_user), str(message.chat.id))
        if gathering is None or not _belongs(gathering, message):
            return
        if sent.message not in gathering.pictures:
            await self._add(gathering, sent)
            self._freshen(gathering)
        raise ApplicationHandlerStop

    async def press(self, press: Press, update_id: int) -> str:
        """Do what a button below a set is for; what to tell of it. Raises Refused."""
        gathering = await self._sets.find(press.user, str(press.chat.id))
        verb = press.action.verb
        if gathering is None or (press.message_id != gathering.status and verb == TRAIN):
            raise Invalid(trainphrases.gone())
        if press.message_id != gathering.status:
            # One that arrived without our knowing serves as well.
            gathering.status = press.message_id
            await self._sets.note(gathering)
        if verb == DROP:
            await self._sets.close(gathering)
            await self._edit(gathering, Text.lines([_title(gathering.aim), lessonwords.dropped()]), [])
            return ""
        if verb == MORE:
            gathering.plan = None
            await self._show(gathering)
            return ""
        if verb == TRAIN and await self._learnt(gathering, update_id):
            return ""
        if gathering.looking:
            return trainphrases.still_looking()
        gathering.looking, gathering.plan = True, None
        await self._show(gathering)
        self._front.tasks.spawn(self._look(gathering))
        return trainphrases.anew() if verb == TRAIN else ""

    def _aim(self, user: User, asked: Asked) -> Aim:
        """What is to be trained. Raises Invalid."""
        told = {found["name"]: int(found["value"]) for found in OPTION.finditer(asked.text)}
        name, _, trigger = " ".join(OPTION.sub(" ", asked.text).split()).partition(" ")
        steps, rank = told.get("steps"), told.get("rank", 16)
        rules: Any = self._studio.settled(asked.origin)["training"]
        if steps is not None and not 1 <= steps <= rules.max_steps:
            raise Invalid("{name} must be a whole number from {low} to {high}, not {value}.", name="steps", low=1,
                          high=rules.max_steps, value=steps, word=str(steps))  # fmt: skip
        request = Train(style=name, trigger=trigger or name, images=(), steps=steps or 1, rank=rank)
        course = course_of(request, self._studio.preset().name)
        if course.style in {style.name for style in self._studio.styles(asked.origin, user)}:
            raise Invalid("There is a style {style} already; take another name.", style=course.style, word=name)
        return Aim(course.style, course.trigger, steps, rank)

    def _ours(self, command: re.Match[str]) -> bool:
        bot = (command["bot"] or "").casefold()
        return command["name"].casefold() in self._names and bot in ("", (self._front.me.username or "").casefold())

    async def _add(self, gathering: Gathering, sent: Sent) -> None:
        if not self._full(gathering, sent.size):
            await self._sets.add(gathering, sent)

    def _full(self, gathering: Gathering, more: int = 0) -> bool:
        rules: Any = self._studio.settled(gathering.origin)["training"]
        return len(gathering.pictures) >= rules.max_pictures or gathering.size + more > ROOM

    # What is found, and the training

    async def _look(self, gathering: Gathering) -> None:
        """Find out what is in a set, and let its message say so."""
        before, note, plan = len(gathering.pictures), "", None
        with words.language(gathering.origin.locale):
            try:
                user = await self._front.rights.titled(gathering.user, gathering.origin)
                plan = await trainplan.looked(self._studio, self._bot, user, gathering)
            except Refused as error:
                note = words.refusal(error)
            except (TelegramError, Down) as error:
                log.info("a set was not looked at: %s", error)
                note = captions.trouble()
            except Exception:
                log.exception("a set was not looked at")
                note = captions.trouble()
            gathering.looking = False
            if len(gathering.pictures) == before:
                gathering.plan = plan
            if self._sets.holds(gathering):
                await self._quietly(self._show(gathering, note))

    async def _learnt(self, gathering: Gathering, update_id: int) -> bool:
        """Hand the training in; False where its pictures have to be looked at anew. Raises Refused."""
        if gathering.plan is None:
            return False
        request = gathering.plan.request

        async def wish(user: User, origin: Origin) -> Train:
            return request

        try:
            await self._front.intake.take(gathering.user, gathering.origin, update_id, wish)
        except NotYours:
            # What was looked at is kept for an hour.
            return False
        await self._sets.close(gathering)
        await self._front.courier.delivery.remove([(gathering.origin.place, str(gathering.status))])
        return True

    # The message that tells of a set

    def _freshen(self, gathering: Gathering) -> None:
        """Let the message say soon how many there are; what comes meanwhile is told with it."""
        gathering.stale = True
        if not gathering.telling:
            gathering.telling = True
            self._front.tasks.spawn(self._tell(gathering))

    async def _tell(self, gathering: Gathering) -> None:
        with words.language(gathering.origin.locale):
            try:
                while gathering.stale and self._sets.holds(gathering):
                    gathering.stale = False
                    far = self._front.clock.now() - gathering.told > AWHILE
                    await self._quietly(self._below(gathering) if far else self._show(gathering))
            finally:
                gathering.telling = False

    async def _show(self, gathering: Gathering, note: str = "") -> None:
        await self._edit(gathering, *self._drawn(gathering, note))

    async def _below(self, gathering: Gathering) -> None:
        """Say it in a new message, in place of the one that there is."""
        before, said = gathering.status, self._drawn(gathering)
        await self._send(gathering, *said)
        if before:
            await self._front.courier.delivery.remove([(gathering.origin.place, str(before))])

    def _drawn(self, gathering: Gathering, note: str = "") -> tuple[Text, Rows]:
        """What there is to say of a set, and what can be done with it."""
        gathering.told = self._front.clock.now()
        drop = Key(lessonwords.button("drop"), DROP, days=DAYS)
        check = Key(lessonwords.button("check"), CHECK, style="primary", days=DAYS)
        number = len(gathering.pictures)
        if gathering.looking:
            return Text.lines([_title(gathering.aim), trainphrases.looking(number)]), [[drop, check]]
        if gathering.plan is not None:
            yes = Key(lessonwords.button("train"), TRAIN, style="primary", days=DAYS)
            return trainplan.told(gathering.plan), [[drop, Key(lessonwords.button("more"), MORE, days=DAYS)], [yes]]
        aim, private = gathering.aim, not gathering.origin.server
        lines: list[str | Piece | Text] = [
            _title(aim),
            dead(phrases.fact(lessonwords.trigger(), plain(aim.trigger, 80))),
            Text(lessonwords.so_far(number)),
            trainphrases.full() if self._full(gathering) else trainphrases.send(private=private),
            small(f"{lessonwords.how_many()} {trainphrases.kept()}"),
            dead(note),
        ]
        return Text.lines(lines), [[drop, check] if number >= FEWEST else [drop]]

    async def _send(self, gathering: Gathering, text: Text, rows: Rows) -> None:
        markup = await keyboard(self._studio, rows, gathering.user, gathering.origin.place)
        message = await self._bot.send_message(
            text=str(text), entities=text.entities(), reply_markup=markup, rate_limit_args=USUAL,
            **below(gathering.origin),
        )  # fmt: skip
        gathering.status = message.message_id
        await self._sets.note(gathering)

    async def _edit(self, gathering: Gathering, text: Text, rows: Rows) -> None:
        markup = await keyboard(self._studio, rows, gathering.user, gathering.origin.place)
        try:
            await self._bot.edit_message_text(
                text=str(text), entities=text.entities(), reply_markup=markup, rate_limit_args=USUAL,
                chat_id=int(gathering.origin.place), message_id=gathering.status,
            )  # fmt: skip
        except TelegramError as error:
            if wire.vanished(error):
                await self._send(gathering, text, rows)
            elif not wire.unchanged(error):
                raise

    @staticmethod
    async def _quietly(work: Awaitable[None]) -> None:
        try:
            await work
        except (TelegramError, Down) as error:
            log.info("a set does not tell what it has: %s", error)


def _title(aim: Aim) -> Text:
    return Text(quoted(lessonwords.title(aim.style), 120))


def _sent(message: Message) -> Sent | None:
    """The picture of a message."""
    found = picture(message)
    if found is None:
        return None
    return Sent(
        message.message_id,
        found.file_id,
        getattr(found, "file_name", None) or "",
        found.file_size or 0,
        (message.caption or "").strip(),
        message.media_group_id or "",
    )


def _belongs(gathering: Gathering, message: Message) -> bool:
    """Whether a picture is for the set: each one in private, in groups those that answer it, with their albums."""
    if message.media_group_id and any(sent.album == message.media_group_id for sent in gathering.pictures.values()):
        return True
    answered = message.reply_to_message
    if answered is not None:
        return answered.message_id in (gathering.status, int(gathering.origin.message or 0))
    return message.chat.type == Chat.PRIVATE
