"""What settings name beside the data and the model: further files, the checker of pictures, the log's file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from realbot.classifier import Classifier
from realbot.config import Settings
from realbot.errors import ConfigError
from realbot.findings import Finding, good, refused, wrong


def files(settings: Settings) -> Iterator[Finding]:
    """Whatever is named and is not there, or cannot be written."""
    for key, path in (
        ("upscale.model", settings.upscale.model),
        ("reference.model", settings.reference.model),
        ("reference.encoder", settings.reference.encoder),
    ):
        if path is not None and not path.exists():
            yield wrong(key, f"There is nothing at {path}.", f"Put the file there, or leave {key} out.")
    for key, folder in (
        ("backup.folder", settings.backup.folder),
        ("log.file", settings.log.file.parent if settings.log.file else None),
    ):
        if folder is not None and not os.access(_there(folder), os.W_OK):
            yield wrong(key, f"{folder} cannot be written.", f"Give it to the user that runs realbot, or set {key}.")


async def checker(settings: Settings) -> list[Finding]:
    """Whether pictures can be checked, where the settings want it."""
    chosen = settings.safety.checker
    if chosen == "off":
        return []
    classifier, begun = Classifier(chosen), time.monotonic()
    try:
        await classifier.open()
        return [good("picture checker", f"{classifier.name} loaded in {time.monotonic() - begun:.1f} s.")]
    except ConfigError as error:
        return [refused("picture checker", error)]
    finally:
        await classifier.close()


def _there(path: Path) -> Path:
    """The path or the nearest folder above it that exists."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
