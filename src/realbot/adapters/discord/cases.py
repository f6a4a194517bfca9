"""What moderators are asked about withheld pictures, and what they decide.

Who is a moderator is looked up at each press. The picture is behind a spoiler, and the words that asked for it are not
shown.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeAlias

import discord

from realbot.actions import Action, Asking
from realbot.adapters import verdicts, words
from realbot.adapters.discord import controls, marked, place
from realbot.adapters.discord.answer import NOBODY
from realbot.adapters.discord.card import QUIET, Cards
from realbot.adapters.discord.delivery import Delivery, Post
from realbot.adapters.discord.payload import Payload, Picture
from realbot.adapters.inquiries import Inquiries
from realbot.adapters.outbox import Down
from realbot.entries import Entry
from realbot.errors import Blocked
from realbot.jobs import Job, Origin, User

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.adapters.discord import Front
    from realbot.adapters.discord.courier import Courier
    from realbot.studio import Studio

log = logging.getLogger(__name__)

Interaction: TypeAlias = discord.Interaction[Any]
VERBS = frozenset({controls.APPEAL, controls.RELEASE, controls.UPHOLD})
#: Pictures of one question.
MOST = 10


def register(front: Front) -> None:
    """Let moderators of a front-end be asked."""
    cases = Cases(front.studio, front.client, front.courier, front.cards, front.clock)
    front.studio.safety.windows[place.PLATFORM] = cases
    front.presses.add(VERBS, cases.press)


class Cases(Inquiries):
    """One for a front-end; the window through which the studio shows what became of a picture."""

    def __init__(self, studio: Studio, client: discord.Client, courier: Courier, cards: Cards, clock: Clock) -> None:
        super().__init__(studio, place.PLATFORM, clock)
        self._client, self._courier, self._cards = client, courier, cards
        self._delivery = Delivery(client, clock)

    def reaches(self, origin: Origin) -> bool:
        """Whether there is somebody who can be asked about a picture from there."""
        own = origin.platform == place.PLATFORM and self._studio.safety.moderators(origin)
        return bool(own) or self._client.application is not None

    async def redraw(self, job: Job) -> None:
        """The picture of a job is shown now, or not any more."""
        await self._courier.redraw(job)

    async def retract(self, place: str, message: str) -> None:
        """Delete a question whose picture is deleted."""
        where = self._client.get_partial_messageable(int(place))
        try:
            await where.get_partial_message(int(message)).delete()
        except (discord.HTTPException, Down) as error:
            log.warning("a question to moderators about a deleted picture stays where it is: %s", error)

    async def alarm(self, *, down: bool) -> None:
        """Tell moderators that pictures cannot be checked, or can be again."""
        for channel in self._studio.safety.moderated(place.PLATFORM):
            with words.language(self._locale(channel)):
                text = verdicts.alarm(down=down)
            try:
                await self._client.get_partial_messageable(int(channel)).send(text, allowed_mentions=NOBODY)
            except (discord.HTTPException, Down) as error:
                log.info("channel %s was not told: %s", channel, error)

    async def press(self, interaction: Interaction, user: User, action: Action) -> None:
        """What the buttons of a withheld picture do. Raises Refused."""
        if action.verb == controls.APPEAL:
            await self._appeal(interaction, user, action)
            return
        entry = await self._studio.shown(action)
        if not self._moderates(interaction, entry):
            raise Blocked(verdicts.moderators_only())
        release = action.verb == controls.RELEASE
        await self._studio.safety.decide(user, entry.id, release=release)
        said = verdicts.decided(f"<@{user.id}>", released=release)
        payload = await self._question(entry, str(interaction.channel_id), said, release=not release)
        await interaction.response.edit_message(embeds=list(payload.embeds), view=payload.view, allowed_mentions=NOBODY)

    async def _appeal(self, interaction: Interaction, user: User, action: Action) -> None:
        entry = await self._studio.entry(user, action.job_id)
        await self._studio.safety.appeal(user, entry.id)
        closed = await self._cards.closed(entry.id, user, entry.request, place=action.place)
        await interaction.response.edit_message(embeds=list(closed.embeds), view=closed.view, allowed_mentions=NOBODY)

    def _moderates(self, interaction: Interaction, entry: Entry) -> bool:
        """Whether whoever pressed may decide about a picture: a moderator of its server, or an owner of the bot."""
        if place.owns(self._client, interaction.user.id):
            return True
        server = place.moderator_of(interaction)
        return bool(server) and entry.origin.server_key == f"{place.PLATFORM}:{server}"

    async def _consulted(self, job: Job) -> bool:
        """Ask in the first place that takes it; whether one did. Raises Down."""
        entry = await self._studio.safety.entry(job.id)
        channels = self._studio.safety.moderators(job.origin) if job.origin.platform == place.PLATFORM else ()
        wheres: list[Any] = [self._client.get_partial_messageable(int(channel)) for channel in channels]
        for where in [*wheres, None]:
            try:
                target = await self._owner() if where is None else where
                if target is None:
                    continue
                with words.language(self._locale(str(target.id))):
                    payload = await self._question(entry, str(target.id), "")
                message = await self._delivery.send(Post(job, payload, f"case {target.id}"), target)
            except discord.HTTPException as error:
                log.warning("moderators cannot be asked about job %s there: %s", job.id, error)
                continue
            await self._studio.safety.asked(job.id, place.PLATFORM, str(target.id), message)
            return True
        return False

    async def _question(self, entry: Entry, channel: str, said: str, *, release: bool | None = None) -> Payload:
        """What moderators see; once it is decided, with the button that decides otherwise."""
        score = await self._studio.safety.score(entry)
        where = f"<#{entry.origin.place}>" if entry.origin.platform == place.PLATFORM and entry.origin.server else ""
        person = entry.owner.partition(":")[2] if entry.origin.platform == place.PLATFORM else ""
        about = " · ".join(filter(None, (where, marked.asker(person) if person else "")))
        lines = [f"**{verdicts.question()}**", verdicts.found(score), f"-# {about}" if about else "", said]
        embed = discord.Embed(colour=QUIET, description="\n".join(filter(None, lines)))
        offered = [
            controls.Control(controls.RELEASE, said=verdicts.release(), style=discord.ButtonStyle.success),
            controls.Control(controls.UPHOLD, said=verdicts.uphold(), style=discord.ButtonStyle.danger),
        ]
        if release is not None:
            offered = [one for one in offered if (one.verb == controls.RELEASE) == release]
        asked = [Asking(one.verb, entry.id, place=channel, days=60.0) for one in offered]
        files = await self._studio.safety.files(entry)
        pictures = tuple(
            Picture(path, f"picture-{n + 1}.png", verdicts.spoiler(), spoiler=True)
            for n, path in enumerate(files[:MOST])
        )
        return Payload(embeds=(embed,), view=controls.view(offered, await self._studio.actions(asked)), images=pictures)

    async def _owner(self) -> discord.DMChannel | None:
        """Where the bot's owner is told something."""
        application = self._client.application
        if application is None:
            return None
        team = application.team
        owner = application.owner.id if team is None or team.owner_id is None else team.owner_id
        return await self._client.create_dm(discord.Object(owner))

    def _locale(self, channel: str) -> str:
        """The language of the server that a channel belongs to."""
        found: Any = self._client.get_channel(int(channel))
        guild = getattr(found, "guild", None)
        return guild.preferred_locale.value if guild is not None else "en"
