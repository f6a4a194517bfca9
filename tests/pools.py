"""Engines in the test's own process: they keep the promise of `EnginePool` and go wrong on request."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realbot.engine import (
    PROTOCOL,
    Cancelled,
    EngineDown,
    EngineUp,
    Fact,
    Failed,
    Picture,
    Produced,
    RunKey,
    Started,
    Step,
    Work,
)
from realbot.engine.models import denoised
from realbot.errors import EngineLost
from realbot.jobs import Generate, Train, Upscale, canonical, from_json


def steps(work: Work) -> int:
    """How many steps the work takes, as a real engine counts them."""
    match from_json(work.request):
        case Generate() as request:
            return max(denoised(request), 1)
        case Train(steps=count):
            return count
        case _:
            return 1


def drawn(work: Work, words: bytes) -> bytes:
    """A PNG file of the size that was asked for, in a colour and with a text chunk that follow from the words."""
    request = from_json(work.request)
    if isinstance(request, Upscale):
        head = Path(work.files[request.source]).read_bytes()[16:24]
        width, height = (side * request.factor for side in struct.unpack(">II", head))
    else:
        painted = isinstance(request, Generate)
        width, height = (request.width or 64, request.height or 64) if painted else (64, 64)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    line = b"\0" + hashlib.sha256(words).digest()[:3] * width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(line * height, 1)
    parts = {b"IHDR": header, b"tEXt": b"words\0" + words, b"IDAT": pixels, b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts.items())


def numbers(work: Work, n: int) -> dict[str, float]:
    """What is measured in a training."""
    if work.request["verb"] != "train":
        return {}
    return {"loss": 1 / n, "smoothed": 1 / n, "validation": 1 / n, "rate": 1e-3, "speed": 8.0, "left": steps(work) - n}


def lora(path: Path, *, fill: int = 1, trigger: str = "") -> None:
    """A small style file in the format that trainers write; `fill` makes another one of the same shape."""
    shapes = {"transformer.x_embedder.lora_A.weight": (2, 4), "transformer.x_embedder.lora_B.weight": (4, 2)}
    header: dict[str, Any] = {"__metadata__": {"realbot.trigger": trigger}}
    body = b""
    for name, shape in shapes.items():
        size = shape[0] * shape[1] * 4
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + size]}
        body += bytes([0, 0, fill, 0x3C]) * (size // 4)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


@dataclass
class Engine:
    name: str
    boot: str = ""
    up: bool = False
    work: Work | None = None
    task: asyncio.Task[None] | None = None
    cancelled: set[RunKey] = field(default_factory=set)
    last: dict[RunKey, Fact] = field(default_factory=dict)


class InProcessPool:
    """`pace` is the seconds of a step. With `hand=True` nothing moves until `step`, `finish`, `fail` or `crash`."""

    def __init__(
        self,
        spool: Path,
        *,
        names: tuple[str, ...] = ("one",),
        pace: float = 0.0,
        hand: bool = False,
        fingerprint: str = "in-process-1",
        bases: tuple[str, ...] = ("mini",),
        start: bool = True,
    ) -> None:
        self.spool, self.pace, self.hand, self.print, self.bases, self.start = (
            spool,
            pace,
            hand,
            fingerprint,
            bases,
            start,
        )
        self.engines = {name: Engine(name) for name in names}
        self.boots = itertools.count(1)
        self.queue: asyncio.Queue[Fact | None] = asyncio.Queue()
        self.works: list[Work] = []
        self.released: list[RunKey] = []
        self.produced: list[RunKey] = []
        self.restarts: list[tuple[str, str]] = []
        #: Prompts under which an engine dies, and how often it still does; -1 for always.
        self.poison: dict[str, int] = {}
        self.silent = False  #: a crash is not followed by a new start
        self.closed = False
        self.overdue = 0.0
        spool.mkdir(parents=True, exist_ok=True)

    @property
    def keys(self) -> list[RunKey]:
        return [work.key for work in self.works]

    @property
    def jobs(self) -> list[str]:
        return [work.key.job for work in self.works]

    async def open(self) -> None:
        if self.start:
            for name in self.engines:
                self.rise(name)

    async def facts(self) -> AsyncIterator[Fact]:
        while (fact := await self.queue.get()) is not None:
            yield fact

    async def run(self, engine: str, work: Work) -> None:
        one = self.engines[engine]
        if not one.up:
            raise EngineLost
        if work.key in one.last:
            self.queue.put_nowait(one.last[work.key])
            return
        assert one.work is None, f"{engine} still works on {one.work.key} and gets {work.key}"
        one.work = work
        self.works.append(work)
        self.tell(one, Started(work.key))
        if not self.hand:
            one.task = asyncio.create_task(self.paint(one, work))

    async def cancel(self, key: RunKey) -> None:
        for one in self.engines.values():
            one.cancelled.add(key)
            if self.hand and one.work is not None and one.work.key == key:
                self.end(one, Cancelled(key))

    async def release(self, key: RunKey) -> None:
        self.released.append(key)
        for one in self.engines.values():
            one.last.pop(key, None)
        for path in self.spool.glob(f"{key}-*"):
            path.unlink()

    async def restart(self, engine: str, reason: str) -> None:
        self.restarts.append((engine, reason))
        self.die(engine, "replaced")
        self.rise(engine)

    async def close(self, grace: float) -> None:
        self.closed = True
        tasks = [one.task for one in self.engines.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.queue.put_nowait(None)

    # At the test's command

    def rise(self, name: str, holding: tuple[RunKey, ...] = (), *, fingerprint: str | None = None) -> None:
        one = self.engines[name]
        one.up = True
        if not holding:
            one.boot = f"boot{next(self.boots)}"
        print_ = self.print if fingerprint is None else fingerprint
        self.queue.put_nowait(EngineUp(name, one.boot, PROTOCOL, print_, self.bases, 0, holding, "in process"))

    def die(self, name: str, reason: str = "crashed") -> None:
        """The engine process is gone, with whatever it held."""
        one = self.engines[name]
        one.up = False
        if one.task is not None and one.task is not asyncio.current_task():
            one.task.cancel()
        one.task, one.work = None, None
        one.last.clear()
        self.queue.put_nowait(EngineDown(name, one.boot, reason))

    def crash(self, name: str = "one", reason: str = "crashed") -> None:
        self.die(name, reason)
        if not self.silent:
            self.rise(name)

    def working(self, name: str = "one") -> RunKey | None:
        work = self.engines[name].work
        return None if work is None else work.key

    def step(self, n: int, name: str = "one") -> None:
        one = self.engines[name]
        assert one.work is not None
        self.tell(one, Step(one.work.key, n, steps(one.work), None, numbers(one.work, n)))

    def fail(self, kind: str, detail: str = "", *, ok: bool = True, name: str = "one") -> None:
        one = self.engines[name]
        assert one.work is not None
        self.end(one, Failed(one.work.key, kind, detail, ok))

    def finish(self, name: str = "one", *, seconds: float = 1.0, count: int | None = None, spoil: bool = False) -> None:
        """Produce the pictures: bytes that follow from the request, the styles and the engine, as a real one's do."""
        one = self.engines[name]
        work = one.work
        assert work is not None
        pictures = []
        for i in range(work.request.get("count", 1) if count is None else count):
            seed = work.request.get("seed", 0) + i
            styles = {name: use["sha256"] for name, use in work.styles.items()}
            data = drawn(work, canonical([{**work.request, "seed": seed, "count": 1}, styles, self.print]))
            path = self.spool / f"{work.key}-{i}.png"
            path.write_bytes(b"spoiled" if spoil else data)
            pictures.append(Picture(str(path), hashlib.sha256(data).hexdigest(), len(data), seed))
        self.produced.append(work.key)
        verb = work.request["verb"]
        notes = (("upscaled", "lanczos"),) if verb == "upscale" else ()
        stages = {{"upscale": "upscale", "train": "train"}.get(verb, "denoise"): seconds}
        weights = self.learnt(work, spoil=spoil) if verb == "train" else None
        self.end(one, Produced(work.key, tuple(pictures), "image/png", seconds, stages, notes, weights))

    def learnt(self, work: Work, *, spoil: bool = False) -> Picture:
        """A small style file, another one for each training."""
        path = self.spool / f"{work.key}-style.safetensors"
        lora(path, fill=hashlib.sha256(canonical(work.request)).digest()[0], trigger=work.request["trigger"])
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if spoil:
            path.write_bytes(b"spoiled")
        return Picture(str(path), sha256, path.stat().st_size, 0)

    async def paint(self, one: Engine, work: Work) -> None:
        of = steps(work)
        for n in range(1, of + 1):
            await asyncio.sleep(self.pace)
            if work.key in one.cancelled:
                self.end(one, Cancelled(work.key, n))
                return
            self.tell(one, Step(work.key, n, of, None, numbers(work, n)))
            if n == 1 and self.poison.get(work.request.get("prompt", ""), 0):
                self.poison[work.request["prompt"]] -= 1
                self.crash(one.name)
                return
        self.finish(one.name, seconds=max(self.pace * of, 0.001))

    def tell(self, one: Engine, fact: Fact) -> None:
        one.last[fact.key] = fact  # type: ignore[union-attr]
        self.queue.put_nowait(fact)

    def end(self, one: Engine, fact: Fact) -> None:
        one.work, one.task = None, None
        self.tell(one, fact)
