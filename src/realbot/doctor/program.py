"""The program itself: Python and libraries, SQLite, who runs it, and what torch finds."""

from __future__ import annotations

import json
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from realbot import database, host
from realbot.config import environment
from realbot.engine.process import clean
from realbot.findings import Finding, good, unwise, wrong

#: Seconds that torch gets to load.
LOADING = 90.0
#: Where the driver of an NVIDIA GPU shows itself.
DRIVER = Path("/proc/driver/nvidia/version")
SURVEY = (sys.executable, "-m", "realbot.engine.survey")
GB = 2**30


def program() -> Iterator[Finding]:
    """Everything that can be told at once."""
    yield from libraries(metadata.requires("realbot") or (), metadata.version)
    yield from sqlite()
    yield from rights()


def libraries(required: Sequence[str], version: Any) -> Iterator[Finding]:
    """Whether what the program was written for is installed; `version` looks a package up."""
    missing = []
    for line in required:
        try:
            need = Requirement(line)
            if need.marker is not None and not need.marker.evaluate({"extra": ""}):
                continue
            have = version(need.name)
            if not need.specifier.contains(have, prereleases=True):
                missing.append(f"{need.name} {have} instead of {need.specifier}")
        except metadata.PackageNotFoundError:
            missing.append(f"{need.name} is not installed")
        except InvalidRequirement:
            continue
    if missing:
        yield wrong("libraries", f"{'; '.join(missing)}.", "Run pip install --upgrade realbot in its environment.")
    else:
        yield good("libraries", f"realbot {version('realbot')} on Python {platform.python_version()}, all as needed.")


def sqlite() -> Iterator[Finding]:
    """The version that Python brings along."""
    have, safe = sqlite3.sqlite_version, ".".join(map(str, database.SAFE_SQLITE))
    if sqlite3.sqlite_version_info < database.OLDEST_SQLITE:
        oldest = ".".join(map(str, database.OLDEST_SQLITE))
        yield wrong("SQLite", f"{have} is too old.", f"Install a Python with SQLite {oldest} or newer.")
    elif sqlite3.sqlite_version_info < database.SAFE_SQLITE:
        yield unwise(
            "SQLite",
            f"{have} has the WAL-reset fault, which two writing programs can meet; realbot writes with one connection.",
            f"Let no other program write to the database, or install a Python with SQLite {safe} or newer.",
        )
    else:
        yield good("SQLite", f"{have}.")


def rights() -> Iterator[Finding]:
    """Who runs it."""
    if host.caution():
        yield unwise(
            "user",
            "This runs as root, so whoever breaks into realbot has the whole machine.",
            "Run it as a user of its own, as deploy/realbot.service does.",
        )
    else:
        yield good("user", "In a container." if host.contained() else "Not root.")


def torch(argv: Sequence[str] = SURVEY, seconds: float = LOADING) -> Mapping[str, Any]:
    """What the survey tells; only "error" where it cannot be made."""
    try:
        done = subprocess.run(argv, env=clean(environment()), capture_output=True, timeout=seconds, check=False)
        told: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"error": f"it did not load within {seconds:.0f} s"}
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return {"error": last[0][:200]}
    return told


def device(told: Mapping[str, Any], wanted: str, driver: Path = DRIVER) -> Iterator[Finding]:
    """Whether torch loads, and finds what `model.device` asks for."""
    if told.get("error"):
        yield wrong(
            "torch",
            f"It cannot be loaded: {told['error']}.",
            "Install it anew: pip install --force-reinstall torch, with the index for your GPU from pytorch.org.",
        )
        return
    if told.get("torchvision"):
        yield wrong(
            "torchvision",
            f"It does not fit torch {told['torch']}, and breaks other libraries: {told['torchvision']}.",
            "realbot does not need it: pip uninstall torchvision.",
        )
    devices, build = told["devices"], told.get("cuda") or "the CPU only"
    found = ", ".join(f"{one['name']} with {one['total'] / GB:.0f} GB" for one in devices)
    here = found or ("Apple GPU" if told.get("mps") else "no GPU")
    said = f"torch {told['torch']} for {f'CUDA {build}' if told.get('cuda') else build}, {here}"
    number = int(wanted.partition(":")[2] or 0)
    if told.get("device_error"):
        yield wrong(
            "torch",
            f"{said}: {told['device_error']}.",
            "Update the GPU's driver, or restart the machine after an update of it.",
        )
    elif wanted.startswith("cuda") and number >= len(devices):
        yield wrong(
            "torch",
            f"{said}, but model.device is {wanted}.",
            "Install a torch build for CUDA (see pytorch.org), or set model.device to auto.",
        )
    elif wanted == "mps" and not told.get("mps"):
        yield wrong("torch", f"{said}, but model.device is mps.", "Set model.device to auto.")
    elif not devices and wanted == "auto" and driver.exists():
        yield unwise(
            "torch",
            f"{said}, although this machine has an NVIDIA driver: pictures are painted slowly.",
            "Install a torch build for CUDA (see pytorch.org), or give the container the GPU (--gpus all).",
        )
    else:
        yield good("torch", f"{said}.")
