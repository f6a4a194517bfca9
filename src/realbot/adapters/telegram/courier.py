"""Shows jobs in Telegram: results before progress, one change of a chat at a time, and nothing lost in an outage."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telegram.error import TelegramError

from realbot.adapters import captions, follow, words
from realbot.adapters.lanes import Lanes
from realbot.adapters.outbox import Down, Outbox
from realbot.adapters.telegram import phrases, place, trainphrases
from realbot.adapters.telegram.acting import Acting
from realbot.adapters.telegram.asked import below
from realbot.adapters.telegram.card import Card, Cards, heading
from realbot.adapters.telegram.delivery import Delivery, Spot, Undeliverable, blank
from realbot.adapters.telegram.limiter import GROUP, PRIVATE, PROGRESS, USUAL
from realbot.adapters.telegram.text import Text
from realbot.entries import Entry
from realbot.errors import Invalid, NotYours
from realbot.jobs import Board, Done, Job, Running, Status, Train, is_final

if TYPE_CHECKING:
    from realbot.adapters.clock import Clock
    from realbot.adapters.telegram.place import Moves
    from realbot.adapters.telegram.screens import Viewer
    from realbot.studio import Studio

    from .wire import Bot

log = logging.getLogger(__name__)

#: Seconds after which a person is told once that the wait is over; a changed card makes no sound.
LONG = 2 * 60.0
#: Seconds between two changes of one chat's cards, beside what the limiter allows.
PACE = 0.2
#: How many times fewer changes the card of a training has, which takes long and leaves the chat to others.
LESSON = 4.0
#: Latest pictures among which undelivered ones are looked for.
LATEST = 50
#: Messages that showed a picture anew and are remembered, so that they can be deleted with it.
COPIES = 50


class Courier:
    """Follows jobs on their cards."""

    def __init__(
        self,
        studio: Studio,
        bot: Bot,
        *,
        clock: Clock,
        moves: Moves,
        inline: Callable[[], bool] = lambda: False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._studio, self._bot, self._clock = studio, bot, clock
        self.cards = Cards(studio, clock, inline)
        self.delivery = Delivery(studio, bot, clock, moves)
        self._outbox = Outbox(self._deliver, clock, jitter)
        self._lanes = Lanes(self._progress, self._outbox.busy, clock, PACE)
        self._known: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        #: Where the cards of the jobs are that are followed now.
        self._spots: dict[str, Spot] = {}
        #: What their cards show now, so that nothing is changed into itself.
        self._drawn: dict[str, Card] = {}
        #: Cards that show a progress no more, because Telegram refused to change them.
        self._still: set[str] = set()
        self._acting = Acting(bot, clock)
        #: People who were told since the start what could not be delivered to them.
        self._reminded: set[str] = set()

    @property
    def down(self) -> bool:
        """Whether Telegram is away and results wait."""
        return self._outbox.down

    def open(self) -> None:
        """Follow the jobs of an earlier life on the cards that they had."""
        for job in self._studio.pending(place.PLATFORM):
            self.follow(job)

    async def close(self, grace: float) -> None:
        """Give results that are on their way `grace` seconds; what is left is delivered at the next start."""
        await self._lanes.close()
        await self._acting.close()
        await self._outbox.close(grace)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def acknowledge(self, job: Job) -> None:
        """Show the card of a job, once, and follow the job on it.

        Whatever Telegram makes of it, the job goes on: without a card its end comes as a message of its own.
        """
        if job.id in self._known or await self._studio.cards(job.id):
            self.follow(job)
            return
        spot = Spot()
        if not is_final(job.status):
            # Noted before, so that a repeated update shows no second card.
            await self._place(job, spot)
            try:
                card = await self.cards.render(job, job.status)
                spot = await self.delivery.card(job, card)
                self._drawn[job.id] = card
            except (TelegramError, Down) as error:
                log.warning("job %s has no card until its end: %s", job.id, error)
            await self._place(job, spot)
        self.follow(job)
        if job.user.key not in self._reminded:
            self._spawn(self._remind(job))

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
            self._spawn(self._follow(job))

    async def show(self, job: Job, status: Status) -> None:
        """Show a status: progress soon, unless something newer comes first; an end before this returns."""
        if is_final(status):
            self._acting.end(job)
            await self._lanes.drop(job)
            await self._outbox.put(job)
            return
        if isinstance(status, Running) and not isinstance(job.request, Train):
            self._acting.begin(job)
        if job.id not in self._still:
            self._lanes.put(job, status)

    async def send_kept(self, viewer: Viewer, entry: Entry) -> None:
        """Send the card of a picture in the history. Raises Refused, Down and the errors of Telegram."""
        done = done_of(entry)
        group = viewer.origin.server_key
        here = None if viewer.private else viewer.origin
        card = await self.cards.kept(
            viewer.user, entry.id, entry.request, done, group, favourite=entry.favourite, origin=here
        )
        job = Job(entry.id, viewer.user, entry.request, viewer.origin, entry.created, Board(done))

        async def note(spot: Spot) -> None:
            """What is shown anew is no promise that a restart must keep."""

        try:
            spot = await self.delivery.deliver(job, card, Spot(), note)
        except Undeliverable as error:
            log.info("job %s was not shown again: %s", job.id, error)
            raise Invalid(captions.trouble()) from None
        copies = (await self._studio.cards(entry.id)).get("copies", [])
        copies = [*copies, *map(list, spot.messages(viewer.origin.place))][-COPIES:]
        photos = {"photos": list(spot.photos)} if spot.photos else {}
        await self._studio.place_card(entry.id, "", {"copies": copies, **photos})

    async def _follow(self, job: Job) -> None:
        try:
            await follow(job, _Shown(self, job))
        except Exception:
            log.exception("job %s cannot be shown", job.id)
        finally:
            self._acting.end(job)
            self._still.discard(job.id)
            self._known.discard(job.id)
            self._spots.pop(job.id, None)
            self._drawn.pop(job.id, None)

    async def _progress(self, job: Job, status: Status) -> bool:
        """Change a card that is not final; whether Telegram was asked."""
        try:
            spot = await self._spot(job)
            if not spot.message:
                return False
            card = await self.cards.render(job, status)
            if card == self._drawn.get(job.id):
                return False
            self._drawn.pop(job.id, None)
            changed = await self.delivery.edit(job, card, spot, PROGRESS)
            if changed.photo != spot.photo:
                await self._place(job, changed)
            self._spots[job.id], self._drawn[job.id] = changed, replace(card, pictures=None)
        except Down as error:
            log.debug("job %s: %s", job.id, error)
        except TelegramError as error:
            log.info("the card of job %s is not changed until its end: %s", job.id, error)
            self._still.add(job.id)
        return True

    async def _deliver(self, job: Job) -> None:
        """Bring the end of a job to its person. Raises Down when Telegram is away."""
        spot = await self._spot(job)

        async def note(known: Spot) -> None:
            await self._place(job, known)

        if not spot.how:
            await self._studio.delivering(job.id)
            try:
                done = isinstance(job.status, Done)
                showing = await self._studio.showing(job, adult=job.origin.adult) if done else "here"
                if showing in ("directly", "nowhere"):
                    raise Undeliverable("not allowed there any more")
                card = await self.cards.render(job, job.status, showing)
                if showing == "withheld":
                    spot, card = await self._taken(job, spot, card)
                spot = await self.delivery.deliver(job, card, spot, note)
            except NotYours:
                log.info("job %s was deleted meanwhile", job.id)
                return
            except Undeliverable as error:
                if isinstance(job.status, Done):
                    await self._keep(job, str(error))
                else:
                    log.info("nobody was told how job %s ended: %s", job.id, error)
                    await self._studio.delivered(job.id)
                return
            await note(spot)
            if showing == "withheld":
                await self._studio.delivered(job.id)
                return
        await self._ping(job, spot)
        await self._studio.delivered(job.id)

    async def _taken(self, job: Job, spot: Spot, card: Card) -> tuple[Spot, Card]:
        """Where the card of a withheld picture can be, and how it looks there: no picture that was shown stays."""
        albums = replace(spot, message="").messages(job.origin.place)
        copies = [tuple(one) for one in (await self._studio.cards(job.id)).get("copies", [])]
        await self.delivery.remove([*albums, *copies])
        await self._studio.place_card(job.id, "", {"copies": [], "photos": []})
        return replace(spot, album=(), shelf="", photos=()), replace(card, pictures=(blank(),) if spot.photo else ())

    async def _keep(self, job: Job, why: str) -> None:
        """A picture could not be brought to its person: the card says so, or else their next request does."""
        log.warning("job %s stays in the history: %s", job.id, why)
        self._reminded.discard(job.user.key)
        spot = await self._spot(job)
        if spot.message and await self._confess(job, spot):
            await self._studio.place_card(job.id, "", {"told": True})
        await self._studio.kept(job.id, why[:500])

    async def _confess(self, job: Job, spot: Spot) -> bool:
        """Say on the card that its picture is in the history only; whether it does."""
        with words.language(job.origin.locale):
            card = Card(Text.lines([heading(job.request), captions.undelivered(1)]))
        try:
            await self.delivery.edit(job, card, spot, USUAL)
        except (TelegramError, Down) as error:
            log.info("the card of job %s does not say so: %s", job.id, error)
            return False
        return True

    async def _ping(self, job: Job, spot: Spot) -> None:
        """Tell a person once that a long wait is over; a changed card makes no sound."""
        late = isinstance(job.status, Done) and self._clock.now() - job.created > LONG
        if not late or spot.how == "message" or spot.pinged or not (await self._studio.preferences(job.user)).ping:
            return
        await self._place(job, replace(spot, pinged=True))
        try:
            with words.language(job.origin.locale):
                ready = trainphrases.ready() if isinstance(job.request, Train) else phrases.ping()
                await self.delivery.ping(job, Text(ready))
        except (TelegramError, Down) as error:
            log.info("job %s was not announced: %s", job.id, error)

    async def _spot(self, job: Job) -> Spot:
        spot = self._spots.get(job.id)
        if spot is None:
            spot = Spot.load(await self._studio.cards(job.id))
            if job.id in self._known:
                self._spots[job.id] = spot
        return spot

    async def _place(self, job: Job, spot: Spot) -> None:
        self._spots[job.id] = spot
        await self._studio.place_card(job.id, spot.message, spot.data())

    async def _remind(self, job: Job) -> None:
        """Tell a person once what could not be brought to them and is in their history."""
        self._reminded.add(job.user.key)
        kept = [entry.id for entry in await self._studio.history(job.user, LATEST) if entry.state == "kept"]
        new = [job_id for job_id in kept if not (await self._studio.cards(job_id)).get("told")]
        if not new:
            return
        with words.language(job.origin.locale):
            text = captions.undelivered(len(new))
        try:
            await self._bot.send_message(text=text, rate_limit_args=USUAL, **below(job.origin))
        except (TelegramError, Down) as error:
            log.info("a remark was not shown: %s", error)
            self._reminded.discard(job.user.key)
            return
        for job_id in new:
            await self._studio.place_card(job_id, "", {"told": True})

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a remark or a card failed", exc_info=error)


class _Shown:
    """A job's card as `adapters.follow` changes it."""

    def __init__(self, courier: Courier, job: Job) -> None:
        pace = GROUP if job.origin.place.startswith("-") else PRIVATE
        self.pace = LESSON * pace if isinstance(job.request, Train) else pace
        self._courier, self._job = courier, job

    async def show(self, status: Status) -> None:
        await self._courier.show(self._job, status)


def done_of(entry: Entry) -> Done:
    """The end of a job that has pictures. Raises Invalid for one that has none."""
    if not entry.images:
        raise Invalid(captions.gone())
    return Done(entry.images, entry.seed, entry.seconds, entry.cached, entry.notes)
