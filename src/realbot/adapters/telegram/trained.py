"""What people do with the styles that they trained: share them with a group, take their files, delete them.

The buttons stand on the card of the training and, for its owner, below the style in /styles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telegram import Chat
from telegram.error import TelegramError

from realbot.adapters import captions, lessonwords
from realbot.adapters.telegram import phrases, traincard, trainphrases, wire
from realbot.adapters.telegram.asked import below
from realbot.adapters.telegram.courier import done_of
from realbot.adapters.telegram.files import DOCUMENT
from realbot.adapters.telegram.keyboard import Key, keyboard
from realbot.adapters.telegram.limiter import USUAL
from realbot.adapters.telegram.screens import Viewer, to
from realbot.adapters.telegram.text import CAPTION
from realbot.errors import Invalid
from realbot.jobs import Origin, User
from realbot.places import EVERYWHERE
from realbot.wardrobe import Trained

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.press import Press
    from realbot.studio import Studio


def register(front: Front) -> None:
    tailor = Tailor(front)
    for verb in (traincard.SHARE, traincard.METRICS, traincard.WEIGHTS):
        front.presses.add(verb, tailor.press)


class Tailor:
    """The buttons of cards."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def press(self, press: Press, update_id: int) -> str:
        """Do what a button on the card of a training is for; what to tell of it. Raises Refused."""
        style = traincard.of(self._studio, press.user, press.action.job_id)
        if style is None:
            raise Invalid(lessonwords.gone())
        verb = press.action.verb
        if verb != traincard.SHARE:
            private = press.chat.type == Chat.PRIVATE
            await send(self._studio, Viewer(self._front.bot, press.user, press.origin, private), style, verb)
            return ""
        on = press.action.detail == "on"
        await self._studio.share(press.user, style.name, press.origin, on)
        await self._redraw(press)
        return lessonwords.shared(style.name, on=on)

    async def _redraw(self, press: Press) -> None:
        """Let the card say what holds by now."""
        entry, cards, group = await self._studio.shown(press.action), self._front.courier.cards, press.origin.server_key
        ended = done_of(entry)
        text = cards.finished(press.user, entry.id, entry.request, ended, group).cut(CAPTION)
        rows = cards.rows(press.user, entry.id, entry.request, ended, group, favourite=entry.favourite)
        markup = await keyboard(self._studio, rows, press.user, str(press.chat.id))
        try:
            await self._front.bot.edit_message_caption(
                caption=str(text), caption_entities=text.entities(), reply_markup=markup, **press.where
            )
        except TelegramError as error:
            if not wire.unchanged(error):
                raise


async def send(studio: Studio, viewer: Viewer, style: Trained, what: str) -> None:
    """Send the table of a training or the file of its style. Raises Refused, Down and the errors of Telegram."""
    metrics = what == traincard.METRICS
    path = (studio.metrics if metrics else studio.weights)(viewer.user, style.name)
    try:
        size = path.stat().st_size
    except OSError:
        raise Invalid(lessonwords.gone()) from None
    if size > DOCUMENT:
        raise Invalid(lessonwords.too_large(style.name, size, DOCUMENT))
    await viewer.bot.send_document(
        document=path,
        filename=f"{style.name}.csv" if metrics else f"{style.name}.safetensors",
        caption=lessonwords.metrics() if metrics else lessonwords.weights(),
        disable_content_type_detection=True,
        rate_limit_args=USUAL,
        **below(viewer.origin),
    )


def owned(studio: Studio, user: User, name: str) -> Trained | None:
    """The style of this name, when it is this person's own."""
    return next((one for one in studio.trained(user) if one.name == name), None)


def rows(style: Trained, origin: Origin, page: int, *, owner: bool, really: bool) -> list[list[Key]]:
    """The buttons below one's own style in /styles; `really` asks whether it is to be deleted.

    An `owner` of the bot can share it everywhere.
    """

    def key(label: str, what: str, **look: Any) -> Key:
        return to(label, "styles", name=style.name, page=page, own=what, **look)

    if really:
        yes = key(captions.button("confirm"), "discard", style="danger", uses=1)
        return [[yes, key(phrases.keep_it(), "")]]
    on = origin.server_key not in style.shared
    share = key(lessonwords.button("share_group" if on else "unshare_group"), "share" if on else "unshare")
    everywhere = EVERYWHERE in style.shared
    publish = key(trainphrases.publish(on=not everywhere), "unpublish" if everywhere else "publish")
    return [
        [share] if origin.server_key else [],
        [publish] if owner and not origin.server_key else [],
        [key(lessonwords.button(verb), verb) for verb in (traincard.METRICS, traincard.WEIGHTS)],
        [key(f"🗑 {lessonwords.button('delete')}", "delete", style="danger")],
    ]


async def done(studio: Studio, viewer: Viewer, style: Trained, what: str, *, owner: bool) -> str:
    """Do what one of these buttons is for; what to tell of it. Raises Refused."""
    match what:
        case "publish" | "unpublish" if owner:
            await studio.publish(viewer.user, style.name, what == "publish")
            return trainphrases.published(style.name, on=what == "publish")
        case "share" | "unshare":
            await studio.share(viewer.user, style.name, viewer.origin, what == "share")
            return lessonwords.shared(style.name, on=what == "share")
        case "discard":
            await studio.discard(viewer.user, style.name)
            return lessonwords.deleted(style.name)
        case traincard.METRICS | traincard.WEIGHTS:
            await send(studio, viewer, style, what)
    return ""
