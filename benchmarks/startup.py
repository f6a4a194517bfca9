"""How long until the first picture, and what the parent process costs. Prints a table; ratios are within this run.

python benchmarks/startup.py
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

REALBOT = [sys.executable, "-m", "realbot"]
#: Megabytes that the parent may take without and with the web page.
BARE, PAGE = 150, 320


def timed(command: list[str], folder: Path, times: int = 3, **environ: str) -> float:
    """Seconds a command takes, the best of `times`."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=os.environ | environ, check=True, capture_output=True)
        best = min(best, time.perf_counter() - began)
    return best


def resident(process: psutil.Process) -> float:
    return process.memory_info().rss / 2**20


def peak(command: list[str], folder: Path, done: Callable[[psutil.Popen], bool], **environ: str) -> tuple[float, bool]:
    """Most megabytes the command itself took, its children apart, and whether it ever loaded torch."""
    most, torch = 0.0, False
    with psutil.Popen(
        command, cwd=folder, env=os.environ | environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not done(process):
            try:
                most = max(most, resident(process))
                torch = torch or any("libtorch" in m.path for m in process.memory_maps())
            except psutil.Error:
                break
            time.sleep(0.05)
        if process.poll() is None:
            time.sleep(1.0)
            most = max(most, resident(process))
            process.terminate()
            process.wait(20)
    return most, torch


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def answers(port: int) -> Callable[[psutil.Popen], bool]:
    def check(_: psutil.Popen) -> bool:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2).status == 200
        except OSError:
            return False

    return check


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = "a red apple on a blue background steps:8 seed:"
        nothing = timed([sys.executable, "-c", "pass"], folder)
        helped = timed([*REALBOT, "--help"], folder)
        libraries = timed([sys.executable, "-c", "import torch; from diffusers import FluxPipeline"], folder)
        cold = min(
            timed([*REALBOT, "imagine", f"{asked}{n}", "-o", "apple.png"], folder, 1, REALBOT_PATHS__DATA=f"cold{n}")
            for n in (1, 2, 3)
        )
        print(f"{'python':42} {nothing:7.2f} s")
        print(f"{'realbot --help':42} {helped:7.2f} s   (at most 0.5)")
        print(f"{'import torch and FluxPipeline':42} {libraries:7.2f} s")
        print(f"{'cold realbot imagine to a saved PNG':42} {cold:7.2f} s   {cold / libraries:.2f} x the import")
        took, torch = peak([*REALBOT, "imagine", f"{asked}7", "-o", "b.png"], folder, lambda _: False)
        print(f"{'parent, without the page':42} {took:7.0f} MB  (at most {BARE}) torch: {'yes' if torch else 'no'}")
        port = free_port()
        took, torch = peak(
            [*REALBOT, "run"], folder, answers(port), REALBOT_WEB__PORT=str(port), REALBOT_PATHS__DATA="page"
        )
        print(f"{'parent, with the page':42} {took:7.0f} MB  (at most {PAGE}) torch: {'yes' if torch else 'no'}")


if __name__ == "__main__":
    main()
