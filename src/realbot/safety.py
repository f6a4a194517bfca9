"""Looks at every picture before anybody sees it, and decides where it is shown, veiled or withheld.

A score belongs to a picture and never changes; what becomes of it is decided anew at each showing. What cannot be
checked counts as unsafe, and is looked at again until it is checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from .appeals import Appeals
from .cases import Case
from .classifier import Classifier, Unchecked
from .entries import Entry, revived
from .errors import Blocked, ConfigError, NotYours, QueueFull, Refused
from .house import House
from .jobs import Done, Generate, ImageId, Job, Origin, Request, Showing, Upscale, User
from .rows import inputs
from .rulebook import Safety as Rules
from .store import Store
from .veil import Kind, Veil, kind, released, veil, veils

log = logging.getLogger(__name__)

#: Seconds between two tries to check again: the first, and the longest.
FIRST, LONGEST = 1.0, 60.0
#: Times that the classifier breaks on a picture, and not on others in between, until that counts as unsafe.
TRIES = 3
#: Days for which a picture that is withheld is kept.
KEPT = 30
#: Seconds between two looks for those that are older.
TIDY = 3600.0


class Safety(Appeals):
    """One for a studio."""

    def __init__(
        self,
        store: Store,
        house: House,
        classifier: Classifier | None = None,
        *,
        clock: Callable[[], float] = time.time,
        first: float = FIRST,
    ) -> None:
        """Without a `classifier` nothing is checked and everything is shown."""
        super().__init__(store, house, clock)
        self.classifier = classifier
        #: Why pictures cannot be checked; empty while they can.
        self.down = ""
        self._first = first
        #: Pictures that were checked in this life, and of those that broke the classifier: how often that tells
        #: something of the picture, and how many others were checked by the last time.
        self._checked = 0
        self._broken: dict[ImageId, tuple[int, int]] = {}
        #: Whether moderators know that something is wrong.
        self._alarmed = False
        self._loops: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> bool:
        """Whether anything is checked at all."""
        return self.classifier is not None

    async def open(self) -> None:
        """Load the classifier, and go on with what an earlier life left. Raises ConfigError when there is none."""
        if self.classifier is not None:
            await self.classifier.open()
        self._loops.add(asyncio.create_task(self._tidy(), name="withheld pictures"))
        if await self._cases.unchecked():
            self._mend()

    async def close(self) -> None:
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._asides.close(1.0)
        if self.classifier is not None:
            await self.classifier.close()

    def previews(self, origin: Origin) -> bool:
        """Whether a picture that is not finished may be shown there: never where a finished one could be veiled."""
        rules = self._rules(origin)
        return rules is None or not veils(kind(origin), rules)

    async def admit(self, user: User, request: Request, origin: Origin) -> None:
        """Raise Blocked where a picture that a request begins with would be withheld, QueueFull where nobody knows."""
        for image in inputs(request):
            await self.hidden(user, image)
        rules = self._rules(origin, user)
        if rules is None or not isinstance(request, Generate | Upscale):
            return
        looks = request.reference if isinstance(request, Generate) else None
        for image in filter(None, (request.source, looks)):
            score = await self.look([image])
            if veil(score, kind(origin), rules) != "withhold":
                continue
            if score is None:
                raise QueueFull("Pictures cannot be checked at the moment; please try again in a few minutes.")
            raise Blocked("The picture that this begins with may not be used here.")

    async def look(self, images: Iterable[ImageId]) -> float | None:
        """The highest score of these pictures; None while it is not known of all. Raises nothing but ConfigError."""
        if self.classifier is None:
            return None
        try:
            return await self._highest(tuple(dict.fromkeys(images)), self.classifier.name)
        except ConfigError:
            raise
        except Unchecked as error:
            self._fail(str(error))
        except Exception as error:
            log.exception("a picture could not be checked")
            self._fail(str(error) or type(error).__name__)
        return None

    async def judge(self, job: Job, images: Iterable[ImageId], *, adult: bool | None = None) -> Veil:
        """What becomes of a job's pictures where they were asked for; what is withheld is noted and costs nothing.

        `adult` tells whether the place is for adults now.
        """
        return await self._judged(job, tuple(images), kind(job.origin, adult=adult), settle=True)

    async def showing(self, job: Job, where: Showing, *, adult: bool, settle: bool = True) -> Showing:
        """Where a job's pictures may be shown, of which its words say `where`, in a place that is for adults or not.

        What is withheld is noted, unless `settle` says that this is a question only.
        """
        if where == "nowhere" or not isinstance(job.status, Done):
            return where
        images = job.status.images
        if where == "directly":
            return "withheld" if await self._judged(job, images, "private", settle) == "withhold" else "directly"
        here = kind(job.origin, adult=adult)
        if here == "open" and job.origin.adult and await self._veil(job, images, here) == "withhold":
            # Whoever asked in a place for adults may see it, and gets it alone.
            then = await self._veil(job, images, "adult")
            if then != "withhold" and await self._judged(job, images, "private", settle) != "withhold":
                return "directly"
        found = await self._judged(job, images, here, settle)
        return {"pass": "here", "spoiler": "spoiler", "withhold": "withheld"}[found]  # type: ignore[return-value]

    async def veil(self, job_id: str, images: Iterable[ImageId], origin: Origin | None = None) -> Veil:
        """What becomes of a job's pictures where they are looked at again; without a place, by their owner alone."""
        case = await self._cases.of(job_id)
        if case is not None and case.open:
            return "withhold"
        return await self._policy(case, images, origin, None, kind(origin))

    async def case(self, job_id: str) -> Case | None:
        """The case of a job, None for one that was never withheld."""
        return await self._cases.of(job_id)

    async def closed(self, job_id: str) -> None:
        """Raise Blocked for a job whose pictures are withheld."""
        case = await self._cases.of(job_id)
        if case is not None and case.open:
            raise Blocked("This picture is withheld.")

    async def hidden(self, user: User, image: ImageId) -> None:
        """Raise Blocked for a picture that is withheld from this person."""
        if await self._cases.hides(user.key, image):
            raise Blocked("This picture is withheld.")

    async def score(self, entry: Entry) -> float | None:
        """What was found in the pictures of a job; None while nobody knows."""
        return await self.look(entry.images)

    async def files(self, entry: Entry) -> list[Path]:
        """The pictures of a job for whoever decides about them. Raises Invalid when one is lost."""
        return [await self._store.picture(image) for image in entry.images]

    # What is behind it

    def _rules(self, origin: Origin | None, user: User | None = None) -> Rules | None:
        """The rules of a place for a person, None where nothing is checked."""
        rules = self._house.settings(origin, user).safety
        return None if self.classifier is None or rules.checker == "off" else rules

    async def _judged(self, job: Job, images: tuple[ImageId, ...], here: Kind, settle: bool) -> Veil:
        found = await self._veil(job, images, here)
        case = await self._cases.of(job.id)
        if not settle:
            return found
        if found == "withhold" and (case is None or not case.decision):
            unsafe = await self.look(images) is not None
            await self._cases.withhold(job.id, "unsafe" if unsafe else "unchecked")
        elif found != "withhold" and case is not None and not case.decision:
            await self._cases.lift(job.id)
        return found

    async def _veil(self, job: Job, images: tuple[ImageId, ...], here: Kind) -> Veil:
        case = await self._cases.of(job.id)
        if case is not None and case.decision == "upheld":
            return "withhold"
        return await self._policy(case, images, job.origin, job.user, here)

    async def _policy(
        self, case: Case | None, images: Iterable[ImageId], origin: Origin | None, user: User | None, here: Kind
    ) -> Veil:
        rules = self._rules(origin, user)
        if rules is None:
            return "pass"
        score = await self.look(images)
        decided = released if case is not None and case.decision == "released" else veil
        return decided(score, here, rules)

    async def _highest(self, images: tuple[ImageId, ...], checker: str) -> float | None:
        known = await self._cases.scores(images, checker)
        for image in images:
            if image not in known:
                if self.down:
                    return None
                score = await self._check(image)
                if score is None:
                    return None
                known[image] = score
        return max(known.values(), default=0.0)

    async def _check(self, image: ImageId) -> float | None:
        """Look at one picture; one that is lost, or breaks the classifier, counts as unsafe in the end.

        None while others can be checked and this one cannot. Raises Unchecked.
        """
        assert self.classifier is not None
        try:
            path = await self._store.picture(image)
            data = await asyncio.to_thread(path.read_bytes)
        except Refused:
            # It is lost, which says nothing of the classifier and is never made up for.
            return 1.0
        except OSError as error:
            raise Unchecked(f"picture {image[:12]} cannot be read: {error}") from error
        try:
            score = await self.classifier.score(data)
        except Exception as error:
            times = self._breaks(image)
            if times == 1:
                raise
            if times < TRIES:
                self._mend()
                return None
            log.warning("picture %s breaks the classifier and counts as unsafe: %s", image[:12], error)
            score = 1.0
        else:
            self._checked += 1
            if self._alarmed:
                self._alarmed = False
                log.info("pictures can be checked again")
                self._tell(down=False)
        self._broken.pop(image, None)
        # On a full disk it is looked at once more the next time.
        with contextlib.suppress(ConfigError):
            await self._cases.score(image, self.classifier.name, score)
        return score

    def _breaks(self, image: ImageId) -> int:
        """A picture broke the classifier: how often it did while others did not."""
        times, checked = self._broken.get(image, (0, -1))
        if checked < self._checked:
            times += 1
        self._broken[image] = times, self._checked
        return times

    def _fail(self, reason: str) -> None:
        if not self._alarmed:
            self._alarmed = True
            log.error("pictures cannot be checked (%s); in open places they are withheld until they can", reason)
            self._tell(down=True)
        self.down = reason
        self._mend()

    def _mend(self) -> None:
        if not any(task.get_name() == "checking again" and not task.done() for task in self._loops):
            task = asyncio.create_task(self._again(), name="checking again")
            self._loops.add(task)
            task.add_done_callback(self._loops.discard)

    async def _again(self) -> None:
        """Check again what was not checked, until everything is."""
        pause = self._first
        failed: Counter[str] = Counter()
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST)
            try:
                if self.classifier is not None and self.down:
                    await self.classifier.open()
                    self.down = ""
                # One that breaks the classifier keeps none behind it waiting.
                for job_id in sorted(await self._cases.unchecked(), key=failed.__getitem__):
                    await self._recheck(job_id)
                    if self.down:
                        failed[job_id] += 1
                        break
                if not await self._cases.unchecked() and not self.down:
                    return
            except ConfigError as error:
                self.down = str(error)
            except Exception:
                log.exception("pictures could not be checked again")

    async def _recheck(self, job_id: str) -> None:
        """Decide about a job that was not checked, and show what comes of it; also where nothing is checked by now."""
        row = await self._store.row(job_id)
        if row is None:
            return
        job = revived(row)
        if self._rules(job.origin, job.user) is not None and await self.look(row.images) is None:
            return
        await self.judge(job, row.images)
        await self._cases.reopen(job_id)
        await self._redraw(job)

    async def _tidy(self) -> None:
        """Delete what has been withheld for too long."""
        while True:
            try:
                for job_id in await self._cases.lapsed(self._clock() - KEPT * 86_400.0):
                    await self._lapse(job_id)
            except Exception:
                log.exception("what has been withheld for too long could not be looked for")
            await asyncio.sleep(TIDY)

    async def _lapse(self, job_id: str) -> None:
        try:
            row = await self._store.row(job_id)
            if row is not None:
                async with self.retracting(job_id=job_id):
                    await self._store.forget(row.user, job_id)
        except NotYours:
            log.debug("%s was deleted meanwhile", job_id)
        except Exception:
            log.exception("%s has been withheld for too long and could not be deleted", job_id)
