"""Shows jobs in Discord: results before progress, one change of a channel at a time, and nothing lost in an outage."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import discord

from realbot.adapters import captions, follow, words
from realbot.adapters.clock import Clock
from realbot.adapters.lanes import Lanes
from realbot.adapters.outbox import Down, Outbox
from realbot.errors import Refused
from realbot.jobs import Cancelled, Done, Job, Running, Showing, Status, Train, User, Waiting, is_final

from . import marked, place
from .card import withheld
from .delivery import NOBODY, Delivery, Post, Spot, Undeliverable
from .payload import Payload
from .wire import ANSWER, PROGRESS, RESULT, trying

if TYPE_CHECKING:
    from realbot.studio import Studio

log = logging.getLogger(__name__)

#: Draws the card of a job in a status, its picture as it may be shown there.
Render: TypeAlias = Callable[[Job, Status, Showing], Awaitable[Payload]]
#: Seconds between two changes of one channel's cards; results do not wait for it.
PACE = 2.5
#: Seconds that an answer waits until it is noted how to find it again.
NOTING = 0.3
#: Seconds after which a waiting card is left alone: Discord limits edits of messages older than an hour.
OLD = 50 * 60.0
#: Seconds between two changes of an older one, of a training, which may take hours.
SLOW = 10 * 60.0
#: Seconds after which a person is told once that the wait is over.
LONG = 5 * 60.0
#: Seconds for which an interaction's token is used, and from which wait on one is told that it will not do.
TOKEN, SHORT = 14.5 * 60.0, 12 * 60.0
#: Latest pictures among which undelivered ones are looked for.
LATEST = 20
#: Discord's codes: this interaction is unknown (answered too late), and was answered already.
TOO_LATE, ANSWERED = 10062, 40060


class Courier:
    """`render` draws cards; `answers` tells how often an answer to an interaction went out.

    `rival` is called when another program, which was here first, answers with our token.
    """

    def __init__(
        self,
        studio: Studio,
        client: discord.Client,
        render: Render,
        *,
        clock: Clock | None = None,
        pace: float = PACE,
        jitter: Callable[[], float] = random.random,
        answers: Callable[[int], int] = lambda _: 0,
    ) -> None:
        self.rival: Callable[[], None] = lambda: None
        self._studio, self._client, self._render, self._answers = studio, client, render, answers
        self._clock = clock or Clock()
        self._delivery = Delivery(client, self._clock)
        self._outbox = Outbox(self._deliver, self._clock, jitter)
        self._lanes = Lanes(self._progress, self._outbox.busy, self._clock, pace)
        self._pace = pace
        #: Jobs to be followed, in a task beside the commands that ask for it, whose own work ends with their answer.
        self._asked: asyncio.Queue[Job] = asyncio.Queue()
        self._known: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        #: Where the cards of the jobs are that are followed now; a job may be deleted while its card is there.
        self._spots: dict[str, Spot] = {}
        #: Cards that show a progress no more, because Discord refused to change them.
        self._still: set[str] = set()
        #: When the old cards were changed last.
        self._changed: dict[str, float] = {}
        self._born, self._acknowledged, self._rivalled = self._clock.now(), False, False
        #: People who were told since the start what could not be delivered to them.
        self._reminded: set[str] = set()
        self._closed = False

    @property
    def down(self) -> bool:
        """Whether Discord is away and results wait."""
        return self._outbox.down

    def open(self) -> None:
        """Follow jobs from now on, first those of an earlier life on the cards that they had."""
        for job in self._studio.pending("discord"):
            self.follow(job)
        self._spawn(self._start())

    async def close(self, grace: float) -> None:
        """Give results that are on their way `grace` seconds; what is left is delivered at the next start."""
        await self._lanes.close()
        await self._outbox.close(grace)
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def acknowledge(self, interaction: discord.Interaction[Any], job: Job, *, private: bool = False) -> None:
        """Make the card the answer to the interaction, or to its deferral, and follow the job on it.

        Whatever Discord makes of it, the job goes on: a card that cannot be shown is replaced by a message later.
        """
        hidden = private or job.origin.private
        passing = place.passing(interaction, private=hidden)
        try:
            if not await self._acknowledge(interaction, job, passing=passing, private=hidden):
                return
        except Exception:
            log.exception("job %s has no card yet", job.id)
        self.follow(job)
        eta = job.status.eta if isinstance(job.status, Waiting | Running) else None
        if passing and eta is not None and eta.high > SHORT:
            self._spawn(self._tell(interaction, marked.late()))
        elif job.user.key not in self._reminded:
            self._spawn(self._remind(interaction, job.user))

    async def redraw(self, job: Job) -> None:
        """Show the end of a job anew, on the card that it has."""
        while job.id in self._known:
            await self._clock.sleep(0.05)
        await self._studio.safety.reopen(job.id)
        self.follow(job)

    def follow(self, job: Job) -> None:
        """Show the job on its card until its person has seen the end of it. Once for each job."""
        if job.id not in self._known:
            self._known.add(job.id)
            self._asked.put_nowait(job)

    async def _acknowledge(
        self, interaction: discord.Interaction[Any], job: Job, *, passing: bool, private: bool
    ) -> bool:
        """Show the card and note where; whether the job is ours to follow."""
        token, until = interaction.token, interaction.created_at.timestamp() + TOKEN
        spot = Spot(token=token, until=until) if passing else Spot()
        await self._foresee(job, replace(spot, answer=token, until=until))
        try:
            with trying(ANSWER):
                spot = replace(spot, message=await self._answer(interaction, job, private=private))
            self._acknowledged = True
        except Down as error:
            log.warning("job %s: the answer may not have arrived: %s", job.id, error)
            spot = replace(spot, answer=token, until=until)
        except discord.HTTPException as error:
            if error.code == ANSWERED and self._answers(interaction.id) <= 1 and job.created >= self._born:
                await self._give_way(job)
                return False
            log.warning("job %s was not acknowledged: %s", job.id, error)
            if error.code != TOO_LATE:
                spot = replace(spot, answer=token, until=until)
            elif not passing and not is_final(job.status):
                spot = replace(spot, message=await self._begin(job))
        await self._place(job, spot)
        return True

    async def _foresee(self, job: Job, spot: Spot) -> None:
        """Note how the answer can be found, should this process die before its message is noted.

        The answer does not wait long for it.
        """
        task = asyncio.create_task(self._place(job, spot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=NOTING)
        if task.done() and (error := task.exception()) is not None:
            log.warning("job %s: where its card will be is not noted: %s", job.id, error)

    async def _answer(self, interaction: discord.Interaction[Any], job: Job, *, private: bool) -> str:
        """Show the card; the id of its message."""
        if interaction.response.is_done():
            if is_final(job.status):
                return str((await interaction.original_response()).id)
            payload = await self._render(job, job.status, "here")
            return str((await interaction.edit_original_response(**payload.plain())).id)
        if is_final(job.status):
            # Uploading could take longer than an answer may; the picture comes with the first edit.
            await interaction.response.defer(ephemeral=private, thinking=True)
            return str((await interaction.original_response()).id)
        payload = await self._render(job, job.status, "here")
        answer = await interaction.response.send_message(**payload.plain(), ephemeral=private)
        return str(answer.message_id or (await interaction.original_response()).id)

    async def _begin(self, job: Job) -> str:
        """Show the card as a message of its own, because the interaction was answered too late; its id."""
        where = self._client.get_partial_messageable(int(job.origin.place))
        try:
            with trying(ANSWER):
                return await self._delivery.send(Post(job, await self._render(job, job.status, "here"), "card"), where)
        except (discord.HTTPException, Down) as error:
            log.warning("job %s has no card until its end: %s", job.id, error)
            return ""

    async def _give_way(self, job: Job) -> None:
        """Another program answered first, with the same token: the picture is its business."""
        await self._studio.cancel(job.user, job.id)
        await self._studio.delivered(job.id)
        if not self._rivalled:
            self._rivalled = True
            log.critical("another program answers with this bot's token; stop one of them")
        if not self._acknowledged:
            # Whoever was never first came later.
            self.rival()

    async def _start(self) -> None:
        while True:
            self._spawn(self._follow(await self._asked.get()))

    async def _follow(self, job: Job) -> None:
        try:
            await follow(job, _Shown(self, job, self._pace))
        except Exception:
            log.exception("job %s cannot be shown", job.id)
        finally:
            self._still.discard(job.id)
            self._changed.pop(job.id, None)
            self._known.discard(job.id)
            self._spots.pop(job.id, None)

    async def show(self, job: Job, status: Status) -> None:
        """Show a status: progress soon, unless something newer comes first; an end before this returns."""
        if is_final(status):
            await self._lanes.drop(job)
            await self._outbox.put(job)
        elif job.id not in self._still:
            self._lanes.put(job, status)

    async def _progress(self, job: Job, status: Status) -> bool:
        """Change a card that is not final; whether Discord was asked."""
        try:
            with trying(PROGRESS):
                spot, now = await self._spot(job), self._clock.now()
                if not spot.message or (spot.token and now > spot.until):
                    return False
                if now - spot.posted > OLD:
                    if not isinstance(job.request, Train) or now - self._changed.get(job.id, 0.0) < SLOW:
                        return False
                    self._changed[job.id] = now
                payload = await self._render(job, status, "here")
                if payload.images and await self._showing(job) != "here":
                    payload = replace(payload, images=())
                await self._delivery.edit(Post(job, payload), spot)
        except Down as error:
            log.debug("job %s: %s", job.id, error)
        except discord.HTTPException as error:
            log.info("the card of job %s is not changed until its end: %s", job.id, error)
            self._still.add(job.id)
        return True

    async def _deliver(self, job: Job) -> None:
        """Bring the end of a job to its person. Raises Down when Discord is away."""
        with trying(RESULT):
            spot = await self._spot(job)

        async def note(known: Spot) -> None:
            await self._place(job, known)

        if not spot.how:
            await self._studio.delivering(job.id)
            try:
                with trying(RESULT):
                    showing = await self._showing(job)
                    if showing in ("directly", "nowhere"):
                        await self._withhold(job, spot, marked.withheld if showing == "directly" else marked.unwelcome)
                    if showing == "nowhere":
                        raise Undeliverable(marked.FORBIDDEN)
                    payload = await self._render(job, job.status, showing)
                    spot = await self._delivery.deliver(Post(job, payload), spot, note, directly=showing == "directly")
            except (Undeliverable, Refused) as error:
                if isinstance(job.status, Cancelled):
                    await self._studio.delivered(job.id)
                    return
                log.warning("job %s stays in the history: %s", job.id, error)
                await self._studio.kept(job.id, str(error)[:500])
                self._reminded.discard(job.user.key)
                return
            await note(spot)
            if showing == "withheld":
                await self._studio.delivered(job.id)
                return
        await self._ping(job, spot)
        await self._studio.delivered(job.id)

    async def _showing(self, job: Job) -> Showing:
        """Where the picture may be shown now. Discord is asked of the place only when it matters."""
        showing = await self._studio.showing(job, adult=False, settle=False)
        if not isinstance(job.status, Done | Running):
            return "here"
        if showing == "here" and not (job.origin.adult and self._studio.safety.active):
            return "here"
        return await self._studio.showing(job, adult=await place.adults_only(self._client, job.origin))

    async def _withhold(self, job: Job, spot: Spot, why: Callable[[], str]) -> None:
        """Say on the card that the picture is not shown there, where the card can be changed."""
        if not spot.message or (spot.token and self._clock.now() >= spot.until):
            return
        with words.language(job.origin.locale):
            post = Post(job, withheld(why()))
        try:
            await self._delivery.edit(post, spot)
        except discord.HTTPException as error:
            log.info("the card of job %s does not say that it is not shown: %s", job.id, error)

    async def _ping(self, job: Job, spot: Spot) -> None:
        """Tell a person once that a long wait is over; an edit makes no sound."""
        late = isinstance(job.status, Done) and self._clock.now() - job.created > LONG
        if not late or spot.how != "edit" or spot.pinged or spot.token or job.origin.private:
            return
        if not (await self._studio.preferences(job.user)).ping:
            return
        await self._place(job, replace(spot, pinged=True))
        person = discord.AllowedMentions(
            everyone=False, roles=False, users=[discord.Object(int(job.user.id))], replied_user=False
        )
        with words.language(job.origin.locale):
            ping = marked.ping_style if isinstance(job.request, Train) else marked.ping
            post = Post(job, Payload(ping(job.user.id)), "ping", person)
        where = self._client.get_partial_messageable(int(spot.channel or job.origin.place))
        try:
            with trying(RESULT):
                card = where.get_partial_message(int(spot.message))
                await self._delivery.send(post, where, card.to_reference(fail_if_not_exists=False))
        except (discord.HTTPException, Down) as error:
            log.info("job %s was not announced: %s", job.id, error)

    async def _spot(self, job: Job) -> Spot:
        """Where the card is. Raises Down when that has to be asked of Discord and it is away."""
        spot = self._spots.get(job.id) or Spot.load(await self._studio.cards(job.id))
        if spot.answer and not spot.message:
            if self._clock.now() < spot.until:
                spot = replace(spot, message=await self._delivery.answered(spot.answer))
            spot = replace(spot, answer="")
            await self._place(job, spot)
        elif job.id in self._known:
            self._spots[job.id] = spot
        return spot

    async def _place(self, job: Job, spot: Spot) -> None:
        if spot.message and not spot.posted:
            spot = replace(spot, posted=self._clock.now())
        self._spots[job.id] = spot
        await self._studio.place_card(job.id, spot.message, spot.data())

    async def _remind(self, interaction: discord.Interaction[Any], user: User) -> None:
        """Tell a person once what could not be brought to them and is in their history."""
        self._reminded.add(user.key)
        kept = [entry.id for entry in await self._studio.history(user, LATEST) if entry.state == "kept"]
        new = [job_id for job_id in kept if not (await self._studio.cards(job_id)).get("told")]
        if new and await self._tell(interaction, captions.undelivered(len(new))):
            for job_id in new:
                await self._studio.place_card(job_id, "", {"told": True})

    async def _tell(self, interaction: discord.Interaction[Any], text: str) -> bool:
        try:
            await interaction.followup.send(text, ephemeral=True, allowed_mentions=NOBODY)
        except (discord.HTTPException, Down) as error:
            log.info("a remark was not shown: %s", error)
            return False
        return True

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        if self._closed:
            # Discord is still heard while the rest stops, but the store is about to close.
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a remark or a card failed", exc_info=error)


class _Shown:
    """A job's card as `adapters.follow` changes it."""

    def __init__(self, courier: Courier, job: Job, pace: float) -> None:
        self.pace = pace
        self._courier, self._job = courier, job

    async def show(self, status: Status) -> None:
        await self._courier.show(self._job, status)
