"""An archive as several ZIP files, each small enough to be sent and each opening by itself."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path


class Volumes:
    """Which members of an archive go into which file, and how many are too large for any."""

    def __init__(self) -> None:
        self.files: list[list[str]] = [[]]
        self.large = 0


def plan(archive: Path, limit: int) -> Volumes:
    """Fill files of at most `limit` bytes in the order of the archive, each of which opens by itself."""
    volumes, room = Volumes(), limit
    with zipfile.ZipFile(archive) as source:
        for member in source.infolist():
            # A name stands before the data and in the list at the end.
            size = member.compress_size + 2 * len(member.filename.encode()) + 256
            if size > limit:
                volumes.large += 1
                continue
            if size > room:
                volumes.files.append([])
                room = limit
            volumes.files[-1].append(member.filename)
            room -= size
    return volumes


def volume(archive: Path, names: list[str]) -> bytes:
    """A ZIP file of these members, packed as they were."""
    data = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(data, "w") as target:
        for name in names:
            member = source.getinfo(name)
            target.writestr(member, source.read(name), member.compress_type)
    return data.getvalue()
