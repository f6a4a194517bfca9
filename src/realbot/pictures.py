"""Picture files by the sha256 of their bytes: complete, synced and verified, or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path

from .errors import ConfigError, Invalid
from .jobs import ImageId

_ID = re.compile(r"[0-9a-f]{64}")
#: Marks a file that is still being written.
_PART = ".part-"
_CHUNK = 1 << 20


class Pictures:
    """`pictures/ab/<sha256>.png` below the data folder. Calls block on the disk: use `asyncio.to_thread`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise self._fault(error) from error

    def path(self, image: ImageId) -> Path:
        """Where the file of this picture is or would be. Raises Invalid for what is not an id."""
        if not _ID.fullmatch(image):
            raise Invalid("{id!r} is not the id of a picture.", id=image[:80], word=image[:80])
        return self.folder / image[:2] / f"{image}.png"

    def adopt(self, source: Path) -> ImageId:
        """Copy a file in and return its id. Raises ConfigError when the disk does not take it; nothing is left then."""
        try:
            return self._adopt(source)
        except OSError as error:
            if error.filename is not None and Path(error.filename) == source:
                raise
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"Pictures cannot be saved in {self.folder} ({error.strerror}): free some space or mend its disk.",
            key="paths.data",
        )

    def _adopt(self, source: Path) -> ImageId:
        part = self.folder / f"{_PART}{secrets.token_hex(8)}"
        try:
            digest = copy(source, part)
            target = self.path(digest)
            if self.intact(digest):
                return digest
            if not target.parent.is_dir():
                target.parent.mkdir(mode=0o700, exist_ok=True)
                sync(self.folder)
            part.replace(target)
            sync(target.parent)
        finally:
            part.unlink(missing_ok=True)
        return digest

    def intact(self, image: ImageId) -> bool:
        """Whether the file is there and its bytes are the ones it was named for."""
        path = self.path(image)
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError:
            return False
        return digest.hexdigest() == image

    def drop(self, *images: ImageId) -> None:
        """Delete these files if they are there."""
        for image in images:
            self.path(image).unlink(missing_ok=True)

    def sweep(self, known: Collection[ImageId]) -> int:
        """Delete half-written files and files nobody refers to; return how many. Nothing may be in flight."""
        gone = 0
        for path in self._files():
            if path.name.startswith(_PART) or path.stem not in known:
                with contextlib.suppress(OSError):
                    path.unlink()
                    gone += 1
        return gone

    def _files(self) -> Iterator[Path]:
        for entry in list(self.folder.iterdir()):
            if entry.is_dir() and len(entry.name) == 2:
                yield from (path for path in list(entry.iterdir()) if _ID.fullmatch(path.stem))
            elif entry.name.startswith(_PART):
                yield entry


def copy(source: Path, target: Path) -> str:
    """Copy to a new file that only its owner reads, sync it, and return the sha256 of its bytes."""
    digest = hashlib.sha256()
    with source.open("rb") as reader:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as writer:
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
                writer.write(chunk)
            writer.flush()
            os.fsync(writer.fileno())
    return digest.hexdigest()


def sync(path: Path) -> None:
    """A file, or the names in a folder, are on the disk when this returns."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
