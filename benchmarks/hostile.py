"""What do broken pictures of strangers cost? Mutated files through the door that uploads take, and large sound ones.

Expected: nothing but a picture or one sentence comes back, no decoder takes more than 512 MB or 2 seconds of a
processor, and this process goes on.

    python benchmarks/hostile.py [--files 10000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from realbot.decoder import packed
from realbot.errors import Invalid
from realbot.jobs import User
from realbot.rulebook import Limits
from realbot.store import Store
from realbot.uploads import _CHILD, Uploads

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import mutants

MB, SECONDS = 512, 2.0


@dataclass
class Cost:
    memory: float = 0.0
    cpu: float = 0.0
    codes: collections.Counter[int] = field(default_factory=collections.Counter)


def decoded(file: Path, out: Path, pixels: int) -> tuple[float, float, int]:
    """MB, seconds of a processor and the exit code of the decoder on this file; it starts from a small process."""
    code = "import os, sys, subprocess\n" \
        "p = subprocess.Popen(sys.argv[3:], stdin=open(sys.argv[1], 'rb'), stdout=open(sys.argv[2], 'wb')," \
        " stderr=subprocess.DEVNULL, env={})\n" \
        "_, status, used = os.wait4(p.pid, 0)\n" \
        "print(used.ru_maxrss / 1024, used.ru_utime + used.ru_stime, os.waitstatus_to_exitcode(status))"  # fmt: skip
    task = [sys.executable, "-I", "-c", _CHILD, "plain", json.dumps({"pixels": pixels})]
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(file), str(out), *task], capture_output=True, text=True, check=True
    )
    memory, cpu, status = done.stdout.split()
    return float(memory), float(cpu), int(status)


def large(folder: Path) -> Cost:
    """Files with as many pixels as may be sent."""
    cost = Cost()
    for kind in mutants.KINDS:
        file = folder / "large"
        size = (7000, 4000) if kind.startswith("webp") else (8000, 5000)
        file.write_bytes(packed([mutants.whole(kind, size)]))
        memory, cpu, code = decoded(file, folder / "out", Limits().max_upload_pixels)
        cost.memory, cost.cpu = max(cost.memory, memory), max(cost.cpu, cpu)
        cost.codes[code] += 1
    return cost


def costs(folder: Path, files: list[bytes]) -> Cost:
    cost = Cost()

    def one(numbered: tuple[int, bytes]) -> tuple[float, float, int]:
        number, data = numbered
        file, out = folder / f"in-{number}", folder / f"out-{number}"
        file.write_bytes(packed([data]))
        try:
            return decoded(file, out, Limits().max_upload_pixels)
        finally:
            file.unlink()
            out.unlink(missing_ok=True)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for memory, cpu, code in pool.map(one, enumerate(files)):
            cost.memory, cost.cpu = max(cost.memory, memory), max(cost.cpu, cpu)
            cost.codes[code] += 1
    return cost


async def doors(folder: Path, files: list[bytes]) -> collections.Counter[str]:
    """What becomes of the files as uploads; anything but a picture or a refusal ends this program."""
    found: collections.Counter[str] = collections.Counter()
    async with Store.open(folder / "data") as store:
        uploads = Uploads(store)

        async def bring(part: list[bytes]) -> None:
            for data in part:
                try:
                    image = await uploads.take(User("web", "anna"), data, Limits())
                except Invalid as error:
                    found["refused"] += 1
                    assert "\n" not in str(error)
                else:
                    found["taken"] += 1
                    with Image.open(await store.picture(image)) as picture:
                        assert (picture.format, picture.mode) == ("PNG", "RGB")

        await asyncio.gather(bring(files[::2]), bring(files[1::2]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    sound = [mutants.whole(kind) for kind in mutants.KINDS]
    files = [mutants.mutated(sound[n % len(sound)], rng) for n in range(arguments.files)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        most = large(folder)
        print(f"{'largest files that are taken':42} {most.memory:6.0f} MB {most.cpu:6.2f} s   {dict(most.codes)}")
        found = asyncio.run(doors(folder, files))
        print(f"{f'{len(files)} mutated files as uploads':42} {dict(found)}, and this process goes on")
        sample = costs(folder, files[:: max(1, len(files) // 1000)])
        of = sum(sample.codes.values())
        print(f"{f'the decoder on {of} of them':42} {sample.memory:6.0f} MB {sample.cpu:6.2f} s   {dict(sample.codes)}")
        print(f"{'at most':42} {MB:6} MB {SECONDS:6.2f} s")
        if max(most.memory, sample.memory) > MB or max(most.cpu, sample.cpu) > SECONDS:
            raise SystemExit("too much")


if __name__ == "__main__":
    main()
