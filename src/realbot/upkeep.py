"""What is done now and then while realbot runs: old pictures go, copies are made and looked at, the disk gets room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from . import backups, database, host
from .backups import Made
from .config import Settings
from .errors import ConfigError
from .health import Part, State
from .phrases import Phrase
from .rows import DAY
from .sealed import Seal
from .store import Store

log = logging.getLogger(__name__)

#: Seconds between two looks at what is due.
TICK = 10.0
#: Seconds between two looks for what is too old, for what can be made again, and at every copy.
RETENTION, TIDY, REVIEW = 3600.0, 60.0, DAY
#: Seconds between two times at which memory is handed back.
TRIM = 600.0
#: Seconds after the start before a copy is made, so that a short command makes none, and after a copy that failed.
REST, RETRY = 60.0, 600.0
#: Days for which it is remembered who was deleted, when no copy is older.
MOURNING = 90
#: Seconds that the clock may be past the last thing that realbot remembers, or else it is believed only after so many
#: seconds: many a machine starts with a wrong one, and what it deletes is gone.
AHEAD, TRUSTED = 7 * DAY, 3600.0


class Upkeep:
    """Run it beside the studio. `settings` is asked each time, so that changes hold at once."""

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._settings, self._clock, self._monotonic = store, settings, clock, monotonic
        #: Unix time in seconds of the latest copy that is sound; None when there is none.
        self.last_backup: float | None = None
        #: Copies that are of no use, and why.
        self.damaged: dict[Path, str] = {}
        self._trouble = ""
        self._left = ""
        self._begun = monotonic()
        self._done: dict[str, float] = {}
        #: The last time that an earlier life remembered, once it was looked up, and whether the clock was doubted.
        self._newest: float | None = None
        self._looked = False
        self._doubted = False
        self._stopping = threading.Event()
        # What is no key is refused at the start, and not when the first copy is due.
        Seal(settings().backup.recipients)

    @property
    def folder(self) -> Path:
        """Where the copies are."""
        return self._settings().backup.folder or self._store.folder / "backups"

    async def run(self) -> None:
        """Do what is due until cancelled."""
        with contextlib.suppress(OSError):
            copies = await asyncio.to_thread(backups.found, self.folder)
            self.last_backup = next((one.at for one in copies if one.identity == self._identity), None)
        try:
            while True:
                for work in (self.tidy, self.retain, self.review, self.back_up, self.trim):
                    try:
                        await work()
                    except (ConfigError, OSError) as error:
                        log.warning("%s", error)
                    except Exception:
                        log.exception("%s failed; it is tried again", work.__name__)
                await asyncio.sleep(TICK)
        finally:
            self._stopping.set()

    async def tidy(self) -> None:
        """With little room on the disk, delete what can be made again."""
        if self._store.space.tight and self._due("tidy", TIDY):
            gone = await asyncio.to_thread(self._store.space.tidy, time.time())
            if gone:
                log.warning("the disk has little room left: %d MB that can be made again are deleted", gone >> 20)

    async def retain(self) -> None:
        """Delete what is older than the settings keep, and see to it that nothing of it is left."""
        if not self._due("retain", RETENTION) or await self._doubtful():
            return
        days = self._settings().privacy.history_days
        now = self._clock()
        before = now - days * DAY if days else 0.0
        await self._store.expire(before)
        await self._store.bans.lapse()
        await asyncio.to_thread(self._store.unpacked)
        await asyncio.to_thread(self._store.space.sweep, time.time())
        await asyncio.to_thread(database.tidy, self._store.folder, time.time())
        left = await self._store.older(before)
        self._left = ", ".join(f"{count} {name}" for name, count in left.items())
        if left:
            log.error("older than it may be is still: %s", self._left)
        await self._rotate()
        copies = await asyncio.to_thread(backups.found, self.folder)
        oldest = min((one.at for one in copies), default=now)
        await asyncio.to_thread(self._store.tombstones.rotate, min(oldest, now - MOURNING * DAY))

    async def review(self) -> None:
        """Look at every copy, and name those that are of no use."""
        if not self._rested or not self._due("review", REVIEW):
            return
        known, damaged, latest = self.damaged, {}, None
        for one in await asyncio.to_thread(backups.found, self.folder):
            problem = await asyncio.to_thread(backups.damage, one.path)
            if problem:
                damaged[one.path] = problem
                if one.path not in known:
                    log.error("the copy %s is of no use: %s", one.path, problem)
            elif one.identity == self._identity:
                latest = max(one.at, latest or one.at)
        self.damaged, self.last_backup = damaged, latest

    async def back_up(self) -> Made | None:
        """Make a copy when the last one is old enough, and delete those that are not kept any more."""
        rules = self._settings().backup
        now = self._clock()
        if not rules.hours or not self._rested:
            return None
        # One from a time that is still to come was made when the clock was wrong, and nobody waits until then.
        if self.last_backup is not None and 0 <= now - self.last_backup < rules.hours * 3600:
            return None
        if not self._due("backup", RETRY):
            return None
        try:
            made = await asyncio.to_thread(self._make, now)
        except (ConfigError, OSError) as error:
            self._trouble = str(error)
            log.error("no copy could be made, and the older ones stay: %s", error, extra={"event": "backup_failed"})
            return None
        self._trouble, self.last_backup = "", made.backup.at
        told = ("%s is a copy of %d MB, made and tried in %.1f s", made.backup.path, made.size >> 20, made.seconds)
        log.info(*told, extra={"event": "backup", "seconds": round(made.seconds, 3)})
        if made.lost:
            log.error("%d pictures or styles are missing or damaged, such as %s", len(made.lost), made.lost[0])
        await self._rotate()
        return made

    async def trim(self) -> None:
        """Hand memory back that was needed for a moment: exports, long histories, copies."""
        if self._due("trim", TRIM):
            await asyncio.to_thread(host.trim)

    def check(self) -> Part:
        """How the copies are, and whether anything is kept for too long."""
        hours = self._settings().backup.hours
        if self._left:
            return Part("upkeep", "poor", Phrase("Older than it may be is still: {left}.", left=self._left))
        if not hours:
            return Part("upkeep", "well", Phrase("No copies are made."))
        if self._trouble:
            return Part("upkeep", "poor", Phrase("The last copy failed: {reason}", reason=self._trouble))
        if self.damaged:
            path = next(iter(self.damaged))
            return Part("upkeep", "poor", Phrase("The copy {name} is of no use.", name=path.name))
        if self.last_backup is None:
            state: State = "poor" if self._monotonic() - self._begun > REST + RETRY else "well"
            return Part("upkeep", state, Phrase("There is no copy yet."))
        age = (self._clock() - self.last_backup) / 3600
        state = "well" if age <= 2 * hours else "poor"
        return Part("upkeep", state, Phrase("The last copy is {hours:.1f} h old.", hours=max(age, 0.0)))

    @property
    def _rested(self) -> bool:
        return self._monotonic() - self._begun >= REST

    @property
    def _identity(self) -> str:
        return self._store.tombstones.identity[:8]

    async def _doubtful(self) -> bool:
        """Whether the clock may be wrong, so that nothing may be deleted for its age."""
        now, last = self._clock(), await self._store.newest()
        if not self._looked:
            self._looked, self._newest = True, last
        early = self._newest is not None and now - self._newest > AHEAD
        early = early and self._monotonic() - self._begun < TRUSTED
        late = last is not None and now < last
        if (early or late) and not self._doubted:
            how = "long after" if early else "before"
            log.warning("the clock is %s the last request; nothing is deleted for its age until that is certain", how)
        self._doubted = early or late
        return self._doubted

    async def _rotate(self) -> None:
        """Delete copies that are not kept any more, unless new ones cannot be made or the clock may be wrong."""
        if not self._trouble and not await self._doubtful():
            keep, useless = self._settings().backup.keep, frozenset(self.damaged)
            await asyncio.to_thread(backups.rotate, self.folder, keep, self._clock(), self._identity, useless)

    def _make(self, now: float) -> Made:
        rules = self._settings().backup
        folder = self.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return backups.make(
            self._store.folder,
            folder,
            Seal(rules.recipients),
            pictures=rules.pictures,
            now=now,
            progress=self._go_on,
        )

    def _go_on(self, _what: str, _done: int, _all: int) -> None:
        """Called between the steps of a copy: realbot does not wait for it when it stops."""
        if self._stopping.is_set():
            raise database.fault("realbot stops")

    def _due(self, work: str, seconds: float) -> bool:
        """Whether it was not done for so long; it is done now."""
        now = self._monotonic()
        if now - self._done.get(work, float("-inf")) < seconds:
            return False
        self._done[work] = now
        return True
