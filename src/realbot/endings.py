"""Every way in which a job ends: painted, answered from before, cancelled, failed, condemned.

Each is committed before anybody hears of it, and a write that the disk does not take is repeated until it does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from .engine import EnginePool, Produced, RunKey
from .errors import ConfigError
from .eta import Timings
from .jobs import Cancelled, Done, Failed, ImageId, Status, Train, count_of, key_of, seed_of
from .queue import Line
from .safety import Safety
from .store import Row, Store
from .tickets import Run, Ticket

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Failed.kind -> the name of the class in `errors`; others are an EngineError.
ERRORS = {
    "out_of_memory": "OutOfMemory",
    "bad_request": "Invalid",
    "style": "StyleBroken",
    "model": "ModelMissing",
}


@dataclass(slots=True)
class Endings:
    """`finish` shows a job's end to whoever watches it; `room` is called when the disk takes writes again."""

    store: Store
    pool: EnginePool
    line: Line
    timings: Timings
    safety: Safety
    finish: Callable[[Ticket, Status], None]
    room: Callable[[], None]
    monotonic: Callable[[], float] = time.monotonic
    patience: float = 2.0  #: seconds before a write that the disk did not take is repeated
    tickets: dict[str, Ticket] = field(default_factory=dict)
    #: What the disk did not take yet, and why.
    _stuck: dict[object, str] = field(default_factory=dict)

    @property
    def full(self) -> str:
        """Why nothing can be written at the moment; empty when it can."""
        return next(iter(self._stuck.values()), "")

    async def insist(self, verb: Callable[[], Awaitable[T]]) -> T:
        """Do it until the disk takes it."""
        stuck = object()
        while True:
            try:
                value = await verb()
            except ConfigError as error:
                if not self._stuck:
                    log.error("%s Trying again every %g seconds.", error, self.patience)
                self._stuck[stuck] = str(error)
                await asyncio.sleep(self.patience)
            else:
                if self._stuck.pop(stuck, None) and not self._stuck:
                    log.info("The data folder can be written again.")
                    self.room()
                return value

    async def begin(self, key: RunKey) -> bool:
        """An attempt begins; False when the job is in no state for it."""
        start = self.store.start

        async def verb() -> bool:
            again = await start(key.job, key.attempt)
            return again or (await self.store.requeue(key.job) and await start(key.job, key.attempt))

        return await self.insist(verb)

    async def paint(self, run: Run, fact: Produced) -> bool:
        """Take an engine's pictures; False when they cannot be used and the job must be painted again."""
        ticket = run.ticket
        images, usable = await self._adopted(fact, count_of(ticket.request))
        if isinstance(ticket.request, Train):
            usable = usable and not ticket.ended and await self._hung(ticket.request, run, fact)
        if not usable or not self._claim(ticket):
            await self.store.disown(images)
            return usable or ticket.ended
        notes = (*ticket.notes, *(note for note in fact.notes if note not in ticket.notes))
        await self.insist(lambda: self.safety.look(images))
        # A training never answers another one.
        key = None if ticket.idle else key_of(ticket.request, run.fingerprint)
        kept = await self.insist(
            lambda: self.store.produce(
                ticket.id, images, fact.seconds, fact.stages, run.fingerprint, key, notes=notes, attempt=run.key.attempt
            )
        )
        done = Done(tuple(images), seed_of(ticket.request) or 0, fact.seconds, notes=notes)
        await self._judge(ticket, done.images)
        # Its owner may have deleted the job meanwhile.
        self._end(ticket, done if kept else Cancelled())
        await self._learn(ticket, fact)
        if ticket.question:
            await self._share(ticket)
        return True

    async def _hung(self, request: Train, run: Run, fact: Produced) -> bool:
        """Keep the style that was trained; False when it cannot be used."""
        file = fact.weights
        if file is None:
            return False
        wardrobe = self.store.wardrobe
        return await self.insist(lambda: wardrobe.hang(run.ticket.id, request.style, Path(file.path), file.sha256))

    async def _adopted(self, fact: Produced, count: int) -> tuple[list[ImageId], bool]:
        """The pictures that are in the store now, and whether they are what was asked for."""
        images: list[ImageId] = []
        for picture in fact.pictures:
            path = Path(picture.path)
            try:
                images.append(await self.insist(lambda path=path: self.store.adopt(path)))  # type: ignore[misc]
            except OSError as error:
                log.warning("a picture of %s is not there: %s", fact.key, error)
                return images, False
            if images[-1] != picture.sha256:
                log.warning("a picture of %s is not what the engine wrote", fact.key)
                return images, False
        if len(images) != count:
            log.warning("%s has %d pictures instead of %d", fact.key, len(images), count)
        return images, len(images) == count

    async def answer(self, ticket: Ticket, row: Row) -> bool:
        """Give a job the pictures of an earlier answer; False when it has ended in another way."""
        if not self._claim(ticket):
            return False
        kept = await self.insist(
            lambda: self.store.produce(
                ticket.id, row.images, row.seconds, {}, row.fingerprint, row.key, notes=row.notes, cached=True
            )
        )
        done = Done(row.images, row.seed or 0, row.seconds, cached=True, notes=row.notes)
        await self._judge(ticket, row.images)
        self._end(ticket, done if kept else Cancelled())
        return True

    async def cancel(self, ticket: Ticket, why: str = "") -> bool:
        """Give it up, for a reason that its person is told; False when it has ended in another way."""
        if not self._claim(ticket):
            return False
        try:
            await self.store.cancel(ticket.id, why)
        except BaseException:
            ticket.ended = False
            if ticket.run is None:
                self.line.put_back(ticket.place)
            raise
        self._end(ticket, Cancelled(why))
        return True

    async def fail(self, ticket: Ticket, error: str, detail: str) -> None:
        """It cannot be painted; `error` names a class in `errors`."""
        if self._claim(ticket):
            await self.insist(lambda: self.store.fail(ticket.id, error, detail))
            self._end(ticket, Failed(error, detail))

    async def condemn(self, ticket: Ticket) -> None:
        """It takes its engines with it, so it is never tried again."""
        if self._claim(ticket):
            await self.insist(lambda: self.store.quarantine(ticket.id, ""))
            self._end(ticket, Failed("Quarantined"))

    async def _judge(self, ticket: Ticket, images: Iterable[ImageId]) -> None:
        """What is to be withheld is, before anybody hears that it is painted."""
        try:
            await self.insist(lambda: self.safety.judge(ticket.job, images))
        except Exception:
            # It is judged anew before it is shown, and its person would have to wait for good.
            log.exception("what becomes of the pictures of %s could not be decided yet", ticket.id)

    def _claim(self, ticket: Ticket) -> bool:
        if ticket.ended:
            return False
        ticket.ended = True
        self.line.drop(ticket.id)
        return True

    def _end(self, ticket: Ticket, status: Status) -> None:
        self.tickets.pop(ticket.id, None)
        self.finish(ticket, status)

    async def _share(self, ticket: Ticket) -> None:
        row = None
        for other in [one for one in self.tickets.values() if one.question == ticket.question and one.run is None]:
            row = row or await self.store.row(ticket.id)
            if row is not None:
                await self.answer(other, row)

    async def _learn(self, ticket: Ticket, fact: Produced) -> None:
        features = ticket.features
        self.timings.record(features, fact.stages, fact.seconds)
        try:
            await self.store.record(features.data(), {**fact.stages, "seconds": fact.seconds})
            if ticket.promised is not None and ticket.accepted is not None:
                # No range is shown below a second.
                took = max(self.monotonic() - ticket.accepted, 1.0)
                self.timings.score(ticket.promised, took)
                await self.store.score(ticket.promised.low, ticket.promised.high, took, ticket.job.origin.server_key)
        except ConfigError as error:
            log.warning("what this picture taught is not kept: %s", error)
