"""What do broken LoRA files of strangers cost? Mutated files of every dialect, through the registry and the engine.

Expected: the registry refuses most of them and the engine what is left and does not fit, each in one sentence; neither
process ends, no file costs either more than 512 MB or 2 seconds of a processor, and after each file the engine paints
the same bytes as before.

    python benchmarks/hostile_styles.py [--files 5000] [--seed 1]
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "engine"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import mutant_styles
from realbot.styles import Styles, slug

MB, SECONDS = 512, 2.0
#: What a tenth of the files is called.
NAMES = ("con", "x..y", "\u202egnp", "A B", "x" * 90, "a.b", "é")


@dataclass
class Cost:
    memory: float = 0.0
    cpu: float = 0.0
    said: collections.Counter[str] = field(default_factory=collections.Counter)

    def take(self, memory: float, cpu: float, said: str) -> None:
        self.memory, self.cpu = max(self.memory, memory), max(self.cpu, cpu)
        self.said[said] += 1


class Atelier:
    """The engine's side: tiny models of two families, which paint with a file and then without it."""

    def __init__(self, folder: Path) -> None:
        from engine import tiny
        from engine.canvas import Easel

        self.easels = {name: Easel(name, tiny.saved(name, folder / name), **ENGINE) for name in ("flux", "sdxl")}
        self.bare = {name: easel.hashes(**ASKED) for name, easel in self.easels.items()}

    def sound(self, folder: Path) -> None:
        """A good file of each dialect, FAMILY-DIALECT.safetensors."""
        import lorafiles
        import torch

        net, unet = self.easels["flux"].pipe.transformer, self.easels["sdxl"].pipe.unet
        own = {"transformer": net}
        settings = json.dumps({"transformer.r": 4, "transformer.lora_alpha": 2, "transformer.alpha_pattern": {}})
        lorafiles.write(folder / "flux-diffusers.safetensors", lorafiles.random_tensors(own, layers=None))
        for kind in (torch.float16, torch.bfloat16, torch.float64):
            name = f"flux-{str(kind)[6:]}.safetensors"
            lorafiles.write(folder / name, lorafiles.random_tensors(own, dtype=kind, alpha=2.0))
        trained = {"lora_adapter_metadata": settings, "realbot.title": "Ink"}
        lorafiles.write(folder / "flux-trained.safetensors", lorafiles.random_tensors(own), trained)
        lorafiles.write(folder / "flux-xlabs.safetensors", lorafiles.xlabs_tensors(net))
        lorafiles.write(folder / "flux-kohya.safetensors", lorafiles.kohya_tensors(net))
        lorafiles.write(folder / "sdxl-diffusers.safetensors", lorafiles.random_tensors({"unet": unet}))
        lorafiles.write(folder / "sdxl-kohya.safetensors", lorafiles.unet_kohya_tensors(unet))

    def paint(self, family: str, path: Path, sha256: str) -> dict[str, Any]:
        """How a picture in this style ends, what it costs, and whether the one after it is as it ever was."""
        from realbot.engine import Produced, Work
        from realbot.jobs import StyleUse

        easel = self.easels[family]
        asked = easel.work(styles=(StyleUse("mutant"),), **ASKED)
        work = Work(asked.key, asked.request, {"mutant": {"path": str(path), "sha256": sha256}})
        before, began = _resident(fresh=True), time.process_time()
        answer = easel.painter.paint(work, threading.Event(), lambda _: None)
        cpu, memory = time.process_time() - began, _resident(peak=True) - before
        said = ("painted", "") if isinstance(answer, Produced) else (answer.kind, answer.detail)
        easel.painter.loras._resident.clear()
        same = easel.hashes(**ASKED) == self.bare[family]
        return {"kind": said[0], "detail": said[1], "cpu": cpu, "memory": memory, "same": same}


ASKED = {"steps": 1, "guidance": 1.0}
ENGINE = {"style_memory_mb": 256, "previews": False}


def _resident(*, peak: bool = False, fresh: bool = False) -> float:
    """MB of this process now, or at most since it was asked afresh."""
    if fresh:
        Path("/proc/self/clear_refs").write_text("5")
    key = "VmHWM:" if peak else "VmRSS:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def engine(folder: Path) -> None:
    """The engine's process: paths by lines, answers by lines."""
    atelier = Atelier(folder / "models")
    atelier.sound(folder / "sound")
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        print(json.dumps(atelier.paint(told["family"], Path(told["path"]), told["sha256"])), flush=True)


def registered(folder: Path, path: Path) -> tuple[str, float, float]:
    """What the registry says of a file, empty when it is taken; MB of Python's and seconds of the processor."""
    tracemalloc.reset_peak()
    held, began = tracemalloc.get_traced_memory()[0], time.process_time()
    styles = Styles([folder])
    cpu = time.process_time() - began
    memory = (tracemalloc.get_traced_memory()[1] - held) / 2**20
    if styles.names():
        assert styles.names() == [slug(path.stem)], styles.names()
        style = styles.all()[0]
        assert all(text.isprintable() and len(text) <= 300 for text in (style.title, style.trigger, style.description))
        return "", memory, cpu
    (why,) = styles.broken.values()
    return why, memory, cpu


def show(what: str, cost: Cost) -> None:
    print(f"{what:28} {cost.memory:6.0f} MB {cost.cpu:6.2f} s   {dict(cost.said.most_common(12))}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        engine(arguments.engine)
        return
    rng = random.Random(arguments.seed)
    registry, engines = Cost(), Cost()
    faults: list[str] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("models", "sound", "styles"):
            (folder / part).mkdir()
        command = [sys.executable, __file__, "--engine", str(folder)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline()
        sound = sorted((folder / "sound").iterdir())
        tracemalloc.start()
        for number in range(arguments.files):
            good = sound[number % len(sound)]
            first = number < len(sound)
            content = good.read_bytes() if first else mutant_styles.mutated(good.read_bytes(), rng)
            called = rng.choice(NAMES) if not first and rng.random() < 0.1 else "style"
            path = folder / "styles" / f"{called}.safetensors"
            path.write_bytes(content)
            if number == len(sound):
                with path.open("r+b") as file:
                    file.truncate(10 << 30)
            why, memory, cpu = registered(path.parent, path)
            registry.take(memory, cpu, why.split(";")[0] or "taken")
            told = {"family": good.name.split("-")[0], "path": str(path), "sha256": hashlib.sha256(content).hexdigest()}
            child.stdin.write(json.dumps(told) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
            if not line:
                faults.append(f"{number}: the engine ended with {child.wait()} at {good.name}")
                break
            answer = json.loads(line)
            engines.take(answer["memory"], answer["cpu"], answer["kind"])
            sentence = answer["detail"]
            plain = answer["kind"] == "painted" or (sentence.isprintable() and len(sentence) < 400)
            if first and (why or answer["kind"] != "painted"):
                faults.append(f"the sound file {good.name} is refused: {why} {sentence}")
            if answer["kind"] not in ("painted", "style") or not plain or not answer["same"] or "\n" in why:
                faults.append(f"{number} {good.name}: {why!r} {answer}")
            if max(memory, answer["memory"]) > MB or max(cpu, answer["cpu"]) > SECONDS:
                faults.append(f"{number} {good.name}: {memory:.0f} MB {cpu:.2f} s in the registry, {answer}")
            path.unlink()
        child.stdin.close()
        child.wait()
    print(f"{arguments.files} files of {len(sound)} dialects in {time.monotonic() - began:.0f} s")
    show("the registry", registry)
    show("the engine", engines)
    print(f"{'at most':28} {MB:6} MB {SECONDS:6.2f} s")
    if faults:
        raise SystemExit("\n".join([f"{len(faults)} faults", *faults[:20]]))


if __name__ == "__main__":
    main()
