"""What the buttons and menus of a card do, and who may press them.

The store knows what a button stands for, whose it is and where it belongs; nothing in its id is believed.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import discord

from realbot.actions import Action, Asking
from realbot.adapters import buttons, captions, lessonwords, words
from realbot.adapters.discord import controls, files, marked, masking, place, recipes, traincard, traindraft
from realbot.adapters.discord.answer import NOBODY, PATIENCE, Answer
from realbot.adapters.discord.card import Cards
from realbot.adapters.discord.delivery import Spot
from realbot.adapters.discord.intake import Intake, Wish
from realbot.adapters.discord.payload import Payload
from realbot.adapters.discord.remix import Remix
from realbot.adapters.discord.trained import Trained
from realbot.adapters.outbox import Down
from realbot.entries import Entry
from realbot.errors import Invalid, NotYours, Refused
from realbot.jobs import Done, Origin, Request, User
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

log = logging.getLogger(__name__)

Interaction: TypeAlias = discord.Interaction[Any]
#: Does what a button is for.
Call: TypeAlias = Callable[[Interaction, User, Action], Awaitable[None]]


class Presses:
    """One for all cards of a front-end."""

    def __init__(self, studio: Studio, intake: Intake, cards: Cards, *, patience: float = PATIENCE) -> None:
        self._studio, self._intake, self._cards, self._patience = studio, intake, cards, patience
        self._trained = Trained(studio, cards)
        self._calls: dict[str, Call] = {}
        #: Questions that are being answered.
        self._agreed: set[str] = set()

    def add(self, verbs: Iterable[str], call: Call) -> None:
        """Let buttons with these verbs call something of another module."""
        self._calls |= dict.fromkeys(verbs, call)

    async def press(self, interaction: Interaction, action_id: str, value: str) -> None:
        """Answer one press, in the language of whoever pressed."""
        with words.language(interaction.locale.value):
            answer = Answer(interaction, private=True, patience=self._patience)
            try:
                await self._press(interaction, answer, action_id, value)
            except NotYours:
                await answer.refuse(await self._not_yours(action_id))
            except Refused as error:
                await answer.refuse(marked.refusal(error))
            except (discord.HTTPException, Down) as error:
                log.warning("a press was not answered: %s", error)
            except Exception:
                log.exception("a press was not answered")
                await answer.refuse(captions.trouble())

    async def _not_yours(self, action_id: str) -> str:
        with contextlib.suppress(Refused):
            if (await self._studio.acted(action_id, press=False)).verb in traincard.VERBS:
                return lessonwords.not_yours()
        return captions.not_yours()

    async def _press(self, interaction: Interaction, answer: Answer, action_id: str, value: str) -> None:
        user = place.user(interaction)
        action = await answer.during(
            self._studio.acted(action_id, user, moderator_of=place.moderator_of(interaction), press=False)
        )
        if interaction.response.is_done():
            # Looking it up took so long that it was announced; what the button does needs an answer of its own.
            await answer.refuse(captions.once_more())
            return
        if not action.owner and action.detail != user.id and action.place not in ("", str(interaction.channel_id)):
            # What everybody may do with a card, they may do where they see it; its owner also where it was sent them.
            raise Refused(captions.elsewhere())
        if action.verb in buttons.DESTRUCTIVE:
            await self._end(interaction, user, action, action_id)
        elif action.owner and not self._studio.owns(user, action.owner):
            # A moderator keeps order, and does not use what belongs to others.
            raise NotYours
        elif action.verb == controls.PICK:
            entry = await self._studio.shown(action)
            picked = controls.chosen(value, len(entry.images))
            if picked is None:
                raise Invalid(captions.gone())
            await self._use(interaction, user, action, action_id, *picked)
        else:
            await self._use(interaction, user, action, action_id, action.verb, action.index)

    async def _use(  # noqa: PLR0917
        self, interaction: Interaction, user: User, action: Action, action_id: str, verb: str, index: int
    ) -> None:
        """What does no harm."""
        match verb:
            case "again" | "subtle" | "strong" | "upscale2" | "upscale4":
                await self._intake.take(interaction, self._wish(action, verb, index), private=_hidden(interaction))
            case "zoom" | "zoom2" | "left" | "right" | "up" | "down":
                await self._intake.take(
                    interaction, self._wish(action, verb, index), private=bool(action.detail) or None
                )
            case controls.AROUND:
                await self._around(interaction, user, action, index)
            case masking.YES | traindraft.START:
                await self._agree(interaction, user, action, action_id)
            case "share" | "unshare" | "metrics" | "weights":
                await self._trained.use(interaction, user, action, verb)
            case masking.NO:
                await interaction.response.defer()
                await interaction.delete_original_response()
            case "remix":
                entry = await self._studio.shown(action)
                own = self._studio.owns(user, entry.owner)
                await interaction.response.send_modal(Remix(self._intake, self._studio, entry.request, own=own))
            case "recipe":
                await reply(interaction, recipes.card(await self._studio.shown(action)))
            case "download":
                await self._download(interaction, action, index)
            case "favourite":
                await self._favourite(interaction, user, action)
            case verb if verb in self._calls:
                await self._calls[verb](interaction, user, action)
            case _:
                raise Invalid(captions.gone())

    async def _end(self, interaction: Interaction, user: User, action: Action, action_id: str) -> None:
        """What the owner and the server's moderators may do."""
        match action.verb:
            case "cancel":
                await self._cancel(interaction, user, action)
            case "delete":
                await self._ask_delete(interaction, user, action)
            case _:
                await interaction.response.defer()
                # The press that counts: of several at once only one goes on.
                await self._studio.acted(action_id, user, moderator_of=place.moderator_of(interaction))
                await self._delete(interaction, user, action)

    def _wish(self, action: Action, verb: str, index: int) -> Wish:
        """The request of a button that makes a new picture of an old one."""

        async def wish(user: User, origin: Origin) -> Request:
            return await buttons.sequel(self._studio, user, verb, action.job_id, index=index, origin=origin)

        return wish

    async def _around(self, interaction: Interaction, user: User, action: Action, index: int) -> None:
        """Offer privately to continue a picture; what follows from a private card stays private."""
        entry = await self._studio.entry(user, action.job_id)
        if index >= len(entry.images):
            raise Invalid(captions.gone())
        detail = "private" if _hidden(interaction) else ""
        offered = controls.around()
        asked = [Asking(one.verb, entry.id, user.key, index, detail) for one in offered]
        view = controls.view(offered, await self._studio.actions(asked))
        number = index + 1 if len(entry.images) > 1 else 0
        await reply(interaction, Payload(marked.around(number), view=view))

    async def _agree(self, interaction: Interaction, user: User, action: Action, action_id: str) -> None:
        """Take what was asked about, once, however often it is pressed; a request that is refused can be repeated."""
        if action_id in self._agreed:
            await interaction.response.defer()
            return

        async def wish(user: User, origin: Origin) -> Request:
            asked = self._intake.drafts if action.verb == traindraft.START else self._intake.masking
            return await asked.agreed(interaction.client, action, user, origin)

        self._agreed.add(action_id)
        try:
            private = masking.private(action)
            if await self._intake.take(interaction, wish, private=private, once=action_id) is None:
                return
            await self._studio.acted(action_id, user)
            if action.verb == traindraft.START:
                self._intake.drafts.drop(self._intake.drafts.of(user, action)[0])
        finally:
            self._agreed.discard(action_id)
        if interaction.message is not None:
            await self._intake.masking.remove(interaction.client, action, interaction.message)

    async def _cancel(self, interaction: Interaction, user: User, action: Action) -> None:
        """Give a job up. The card is changed by the courier as soon as the job has stopped."""
        await interaction.response.defer()
        stopped = await self._studio.cancel(user, action.job_id, place.moderator_of(interaction))
        if not stopped:
            await interaction.followup.send(captions.too_late(), ephemeral=True, allowed_mentions=NOBODY)

    async def _ask_delete(self, interaction: Interaction, user: User, action: Action) -> None:
        """Deleting is for good, so it is asked for once more, privately."""
        question = self._trained.question(user, await self._studio.shown(action))
        confirm = await self._studio.action("confirm", action.job_id, user, uses=1, days=1 / 24)
        offered = [controls.Control("confirm", style=discord.ButtonStyle.danger)]
        await interaction.response.send_message(
            question, view=controls.view(offered, [confirm]), ephemeral=True, allowed_mentions=NOBODY
        )

    async def _delete(self, interaction: Interaction, user: User, action: Action) -> None:
        """Delete the job, then the message that showed it."""
        entry = await self._studio.shown(action)
        spot = Spot.load(await self._studio.cards(entry.id))
        said = await self._trained.discard(user, entry)
        await self._studio.forget(user, entry.id, place.moderator_of(interaction))
        await interaction.edit_original_response(content=said, view=None, allowed_mentions=NOBODY)
        if not spot.message:
            return
        client = interaction.client
        with contextlib.suppress(discord.HTTPException):
            if spot.token:
                hook = discord.Webhook.partial(client.application_id or 0, spot.token, client=client)
                await hook.delete_message(int(spot.message))
            else:
                where = client.get_partial_messageable(int(spot.channel or entry.origin.place))
                await where.get_partial_message(int(spot.message)).delete()

    async def _favourite(self, interaction: Interaction, user: User, action: Action) -> None:
        """Turn the star on or off; the card shows it."""
        entry = await self._studio.entry(user, action.job_id)
        done = _done(entry)
        await self._studio.favourite(user, entry.id, not entry.favourite)
        # A card that was opened from the history is bound to no place.
        origin = entry.origin if action.place else None
        payload = await self._cards.kept(
            user, entry.id, entry.request, done, favourite=not entry.favourite, images=False, origin=origin
        )
        await interaction.response.edit_message(embeds=list(payload.embeds), view=payload.view, allowed_mentions=NOBODY)

    async def _download(self, interaction: Interaction, action: Action, index: int) -> None:
        """The file as it was painted, or the largest copy of it that fits."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        entry = await self._studio.shown(action)
        if index >= len(entry.images):
            raise Invalid(captions.gone())
        owner = User(place.PLATFORM, entry.owner.partition(":")[2])
        picture = await self._cards.picture(owner, entry.request, _done(entry), index)
        if await self._studio.safety.veil(entry.id, entry.images, entry.origin) != "pass":
            picture = replace(picture, spoiler=True)
        (sized,) = await files.fitted([picture], interaction.filesize_limit or files.LIMIT)
        note = "" if sized.name == picture.name else captions.smaller()
        await interaction.edit_original_response(
            content=note or None, attachments=[files.attached(sized)], allowed_mentions=NOBODY
        )


async def reply(interaction: Interaction, payload: Payload) -> None:
    """Answer privately, at once or after a deferral."""
    sized = await files.fitted(payload.images or (), interaction.filesize_limit or files.LIMIT)
    made = [files.attached(one) for one in sized]
    shown: dict[str, Any] = {"embeds": list(payload.embeds), "allowed_mentions": NOBODY}
    if payload.content:
        shown["content"] = payload.content
    if payload.view is not None:
        payload.view.stop()
        shown["view"] = payload.view
    if interaction.response.is_done():
        await interaction.followup.send(**shown, files=made, ephemeral=True)
    else:
        await interaction.response.send_message(**shown, files=made, ephemeral=True)


def _done(entry: Entry) -> Done:
    if not entry.images:
        raise Invalid(captions.gone())
    return Done(entry.images, entry.seed, entry.seconds, entry.cached, entry.notes)


def _hidden(interaction: Interaction) -> bool | None:
    """What follows from a private card is private too."""
    message = interaction.message
    return True if message is not None and message.flags.ephemeral else None


def register(front: Front) -> None:
    """Let the cards of a front-end answer."""
    controls.listen(front.client, front.presses.press)
