"""Settings that change while realbot runs: read anew, checked whole, and in force at once; else the old ones stay.

Who waits keeps their place: new rules hold for new requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from .config import LATE, LIVE, Settings
from .engine.models import preset
from .errors import RealbotError
from .listing import shown
from .remedies import quoted
from .sections import Section

log = logging.getLogger(__name__)

#: Seconds between two looks at the files.
SWEEP = 2.0
#: Seconds between two looks at files that are perhaps still being written, and how many looks there are at most.
REST, LOOKS = 0.05, 20

#: Takes over new settings: the old ones and the new ones. Called in the event loop; it neither waits nor fails.
Listener: TypeAlias = Callable[[Settings, Settings], None]


@dataclass(frozen=True, slots=True)
class Change:
    """One setting. The values are TOML, secrets masked; empty: none."""

    key: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of reading the settings anew."""

    changes: tuple[Change, ...] = ()  #: what holds from now on
    pending: tuple[str, ...] = ()  #: settings that take effect after a restart
    trouble: str = ""  #: why everything stays as it was, in one sentence


class Reload:
    """The settings in force, and the way to others."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.listeners: list[Listener] = []
        #: Is open while settings are read.
        self.around: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext
        #: Why the settings as they are written now are not in force; empty when they are.
        self.trouble = ""
        #: Settings that are written otherwise than they are in force, until realbot is started anew.
        self.pending: tuple[str, ...] = ()
        self._unread = False
        self._seen = _look(settings.files)
        self._changing = asyncio.Lock()

    async def now(self) -> Outcome:
        """Read the file and the environment anew. What is wrong with them changes nothing and is told."""
        async with self._changing, self.around():
            self._seen = await self._rested()
            try:
                fresh = await asyncio.to_thread(self._read)
            except RealbotError as error:
                return self._refused(str(error), unread=True)
            except Exception:
                log.exception("the settings could not be read")
                return self._refused("The settings could not be read; the log has the reason.")
            old = self.settings
            merged, pending = _merged(old, fresh)
            changes = tuple(_changes(old, merged))
            if not self._spread(merged):
                return self._refused("The new settings could not be taken over; the log has the reason.")
            self.trouble, self.pending, self._unread = "", pending, False
            for caution in merged.cautions:
                if caution not in old.cautions:
                    log.warning("%s", caution)
            # Their values may name people, as in access.denied.
            told = ", ".join(one.key for one in changes)
            log.info("the settings were read anew: %s", told or "nothing has changed", extra={"event": "reloaded"})
            if pending:
                log.info("these settings take effect after a restart: %s", ", ".join(pending))
            return Outcome(changes, pending)

    async def watch(self, asked: asyncio.Event, pause: float = SWEEP) -> None:
        """Read the settings anew when it is `asked`, and when a file that they come from changes; until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await asked.wait()
            wanted = asked.is_set()
            asked.clear()
            if wanted or await asyncio.to_thread(_look, self.settings.files) != self._seen or await self._mended():
                await self.now()

    async def _mended(self) -> bool:
        """Whether what was wrong is so no more: it may lie in a file that is not known yet, that of a new secret."""
        if self._unread:
            with contextlib.suppress(Exception):
                await asyncio.to_thread(self._read)
                return True
        return False

    def _read(self) -> Settings:
        fresh = self.settings.again()
        if fresh.model != self.settings.model:
            preset(fresh.model.name, fresh.model.path)
        return fresh

    async def _rested(self) -> dict[Path, object]:
        """The files once nobody writes them, or after a second."""
        look = await asyncio.to_thread(_look, self.settings.files)
        for _ in range(LOOKS):
            await asyncio.sleep(REST)
            before, look = look, await asyncio.to_thread(_look, self.settings.files)
            if look == before:
                break
        return look

    def _refused(self, trouble: str, *, unread: bool = False) -> Outcome:
        if trouble != self.trouble:
            log.error("the settings stay as they were: %s", trouble)
        self.trouble, self._unread = trouble, unread
        return Outcome(trouble=trouble)

    def _spread(self, settings: Settings) -> bool:
        """Hand the settings to everyone, or to nobody when somebody cannot take them."""
        old, self.settings = self.settings, settings
        for number, listener in enumerate(self.listeners):
            try:
                listener(old, settings)
            except Exception:
                log.exception("new settings were not taken over")
                self.settings = old
                for told in self.listeners[:number]:
                    told(settings, old)
                return False
        return True


def _look(files: tuple[Path, ...]) -> dict[Path, object]:
    """What tells one state of the files from another; a link that leads elsewhere now is another file."""
    return {file: _state(file) for file in files}


def _state(file: Path) -> object:
    try:
        found = file.stat()
    except OSError as error:
        return error.errno
    if not stat.S_ISREG(found.st_mode):
        return stat.S_IFMT(found.st_mode)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _merged(old: Settings, new: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The new settings with what cannot change while realbot runs as it was, and the keys of that."""
    kept: dict[str, Any] = {}
    pending: list[str] = []
    for name in type(new).model_fields:
        was, now = getattr(old, name), getattr(new, name)
        if was == now or name == "override":
            continue
        if not (isinstance(was, Section) and isinstance(now, Section)):
            kept[name] = was
            pending.append(name)
            continue
        other = [key for key in type(now).model_fields if getattr(was, key) != getattr(now, key)]
        late = [key for key in other if f"{name}.{key}" in LATE or not {name, f"{name}.{key}"} & LIVE]
        kept[name] = now.model_copy(update={key: getattr(was, key) for key in late})
        pending += [f"{name}.{key}" for key in late]
    return new.model_copy(update=kept), tuple(pending)


def _changes(old: Settings, new: Settings) -> Iterator[Change]:
    before, after = dict(_values(old)), dict(_values(new))
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key, ""), after.get(key, "")
        if was != now:
            yield Change(key, was, now)


def _values(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every setting and every value of an override as TOML, secrets masked."""
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, Section):
            yield from ((f"{name}.{key}", shown(getattr(section, key))) for key in type(section).model_fields)
    for place, override in settings.override.items():
        for name in override.model_fields_set:
            for key, value in getattr(override, name).items():
                yield f"override.{quoted(place)}.{name}.{quoted(key)}", shown(value)
