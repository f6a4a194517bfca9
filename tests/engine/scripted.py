"""An engine process whose faults are on request: `python tests/engine/scripted.py --settings JSON`.

It speaks the real frames and writes real PNG files, one colour a seed. The word `fault:NAME` in a prompt chooses what
goes wrong, `fault:NAME@1` only in attempt 1; the setting `start` chooses what goes wrong before the first run:
never, slow, die, garbage, protocol. With `starts` the fault at start happens only in the first so many processes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import re
import resource
import signal
import struct
import sys
import threading
import time
import uuid
import zlib
from pathlib import Path
from typing import Any, NoReturn

from realbot.engine import (
    PROTOCOL,
    Cancelled,
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
from realbot.engine.frames import (
    Cancel,
    Close,
    Open,
    Release,
    Run,
    decode_command,
    encode_fact,
    read_frame,
    write_frame,
)

#: What a prompt may ask for; `ok` is no fault.
FAULTS = frozenset(
    {"ok", "slow", "slowing", "hang", "segv", "exit", "memory", "model", "assert", "nan", "black", "size", "flood"}
    | {"garbage", "oversize", "cut", "print", "foreign", "late", "deaf", "missing", "outside", "giant"}
)


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """A PNG file of one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(colour) * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def colour_of(seed: int) -> tuple[int, int, int]:
    """The colour of a seed's picture, never black."""
    red, green, blue = hashlib.sha256(str(seed).encode()).digest()[:3]
    return red | 1, green, blue


class Scripted:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.spool = Path(settings["spool"])
        self.boot = uuid.uuid4().hex
        self.facts = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.lock = threading.Lock()
        self.works: queue.Queue[Work | None] = queue.Queue()
        self.answers: dict[RunKey, Fact] = {}
        self.known: set[RunKey] = set()
        self.cancelled: set[RunKey] = set()
        self.broken = False
        self.deaf = False

    def tell(self, fact: Fact) -> None:
        with self.lock:
            if hasattr(fact, "key"):
                self.answers[fact.key] = fact
            write_frame(self.facts, encode_fact(fact))

    def spill(self, data: bytes) -> None:
        with self.lock:
            self.facts.write(data)
            self.facts.flush()

    def main(self) -> None:
        self.spool.mkdir(parents=True, exist_ok=True)
        if listed := self.settings.get("record"):
            files = [file for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
            descriptors = {file.name: str(file.readlink()) for file in files}
            Path(listed).write_text(
                json.dumps({"environ": dict(os.environ), "descriptors": descriptors, "pid": os.getpid()})
            )
        threading.Thread(target=self.listen, daemon=True).start()
        self.start()
        while (work := self.works.get()) is not None:
            self.tell(Started(work.key))
            self.paint(work)
        os._exit(0)

    def start(self) -> None:
        fault = self.settings.get("start", "ok")
        if (most := self.settings.get("starts")) is not None:
            counter = self.spool.parent / "starts"
            count = int(counter.read_text()) + 1 if counter.exists() else 1
            counter.write_text(str(count))
            if count > most:
                fault = "ok"
        up = EngineUp("scripted", self.boot, PROTOCOL, "", ("scripted",), 0, device="cpu, scripted")
        match fault:
            case "die":
                print("the driver is gone", file=sys.stderr, flush=True)
                os._exit(4)
            case "garbage":
                self.spill(b"Loading checkpoint shards: 100%\n" * 100)
            case "protocol":
                up = EngineUp("scripted", self.boot, PROTOCOL + 7, "", (), 0)
            case "never":
                threading.Event().wait()
            case "slow":
                self.tell(up)
                time.sleep(self.settings.get("start_seconds", 1.0))
        self.tell(
            EngineUp(
                up.engine,
                up.boot,
                up.protocol,
                self.settings.get("fingerprint", "scripted-1"),
                up.bases,
                0,
                device=up.device,
            )
        )

    def listen(self) -> None:
        stdin = os.fdopen(0, "rb")
        while (data := read_frame(stdin)) is not None:
            if self.deaf:
                continue
            match decode_command(data):
                case Open():
                    pass
                case Run(work=work):
                    if work.key in self.known:
                        if (last := self.answers.get(work.key)) is not None:
                            self.tell(last)
                    else:
                        self.known.add(work.key)
                        self.works.put(work)
                case Cancel(key):
                    self.cancelled.add(key)
                case Release(key):
                    self.forget(key)
                case Close():
                    self.works.put(None)
        os._exit(0)

    def forget(self, key: RunKey) -> None:
        self.answers.pop(key, None)
        self.known.discard(key)
        for path in self.spool.glob(f"{key}-*"):
            path.unlink(missing_ok=True)

    def fault(self, work: Work) -> str:
        found = re.search(r"fault:(\w+)(?:@(\d+))?", str(work.request.get("prompt", "")))
        if found is None or (found[2] and int(found[2]) != work.key.attempt):
            return "ok"
        assert found[1] in FAULTS, found[1]
        return found[1]

    def paint(self, work: Work) -> None:
        request, key, fault = work.request, work.key, self.fault(work)
        if self.broken:
            self.tell(Failed(key, "engine", "The device is in an undefined state.", engine_ok=False))
            return
        for use in request.get("styles") or ():
            if not Path(work.styles.get(use["name"], {}).get("path", "?")).is_file():
                self.tell(Failed(key, "style", f"The style {use['name']} is broken."))
                return
        steps = request.get("steps") or 4
        pause = self.settings.get("step", 0.005) * (20 if fault == "slow" else 1)
        began = time.monotonic()
        for n in range(1, steps + 1):
            if key in self.cancelled and fault != "deaf":
                self.tell(Cancelled(key, n - 1))
                return
            if time.monotonic() - began > work.budget:
                self.tell(Failed(key, "deadline", "This picture took too long."))
                return
            time.sleep(pause * (n if fault == "slowing" else 1))
            self.tell(Step(key, n, steps))
            if n == min(2, steps) and self.trip(fault, key):
                return
        if key in self.cancelled and fault != "deaf":
            self.tell(Cancelled(key, steps))
            return
        self.finish(work, fault, time.monotonic() - began)

    def trip(self, fault: str, key: RunKey) -> bool:
        """Go wrong in the middle of a run; whether the run is over."""
        match fault:
            case "hang":
                self.hang()
            case "segv":
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                print("out of ideas", file=sys.stderr, flush=True)
                os._exit(3)
            case "memory":
                self.tell(Failed(key, "out_of_memory", "The picture does not fit into memory."))
            case "model":
                self.tell(Failed(key, "model", "The model cannot be loaded."))
            case "nan":
                self.tell(Failed(key, "engine", "The picture is not a number."))
            case "assert":
                self.broken = True
                self.tell(Failed(key, "engine", "CUDA error: device-side assert triggered", engine_ok=False))
            case "flood":
                for n in range(10_000):
                    self.tell(Step(key, n % 100, 100))
                return False
            case "print":
                print("a library says hello")
                os.write(1, b"and so does its C++ part\n")
                return False
            case "foreign":
                self.tell(Produced(RunKey("nobody", 1), (), "image/png", 1.0))
                return False
            case "garbage":
                self.spill(b"Segmentation fault (core dumped)\n" * 10)
            case "oversize":
                self.spill((100_000_000).to_bytes(4, "big") + b"x" * 100_000)
            case "cut":
                self.spill((5000).to_bytes(4, "big") + b'{"fact":')
                os._exit(0)
            case _:
                return False
        return True

    def hang(self) -> NoReturn:
        """As a hung kernel does: the process is there, obeys no command, and SIGTERM does not help."""
        self.deaf = True
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            threading.Event().wait()

    def finish(self, work: Work, fault: str, seconds: float) -> None:
        request, key = work.request, work.key
        width, height, seed = request.get("width") or 64, request.get("height") or 64, request.get("seed") or 0
        if fault == "size":
            width += 8
        if fault == "late":
            self.tell(Failed(key, "engine", "The engine gave up."))
            time.sleep(0.2)
        pictures = []
        for i in range(request.get("count") or 1):
            folder = self.spool.parent if fault == "outside" else self.spool
            path = folder / f"{key}-{i}.png"
            data = png(width, height, (0, 0, 0) if fault == "black" else colour_of(seed + i))
            if fault != "missing":
                self.write(path, data)
            size, digest = len(data), hashlib.sha256(data)
            if fault == "giant":
                os.truncate(path, size := 200_000_000)
                digest = hashlib.sha256()
                with path.open("rb") as file:
                    while part := file.read(1 << 20):
                        digest.update(part)
            pictures.append(Picture(str(path), digest.hexdigest(), size, seed + i))
        self.tell(Produced(key, tuple(pictures), "image/png", seconds, {"denoise": seconds}))

    def write(self, path: Path, data: bytes) -> None:
        partial = path.with_suffix(".part")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", required=True, type=json.loads)
    Scripted(parser.parse_args().settings).main()
