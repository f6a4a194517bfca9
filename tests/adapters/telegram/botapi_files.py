"""Files as Telegram keeps them: photos recompressed in several sizes, documents byte for byte, both by their ids."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import itertools
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar

from botapi_calls import Refusal, Upload
from PIL import Image

MIB = 2**20
#: The longest side of each size of a photo, by Telegram's letters.
SIZES = (("s", 90), ("m", 320), ("x", 800), ("y", 1280))
MOST_PHOTO, MOST_DOCUMENT, MOST_DOWNLOAD = 10 * MIB, 50 * MIB, 20 * MIB


@dataclass(eq=False)
class File:
    """One thing that can be downloaded."""

    id: str
    unique: str
    path: str
    data: bytes

    def form(self) -> dict[str, Any]:
        return {"file_id": self.id, "file_unique_id": self.unique, "file_size": len(self.data)}


@dataclass(eq=False)
class Size:
    """A photo in one size."""

    width: int
    height: int
    file: File

    def form(self) -> dict[str, Any]:
        return {**self.file.form(), "width": self.width, "height": self.height}


@dataclass(eq=False)
class Photo:
    """A picture as a photo; `data` is what was uploaded."""

    kind: ClassVar[str] = "photo"
    data: bytes
    sizes: list[Size]

    @property
    def seen(self) -> bytes:
        return self.sizes[-1].file.data

    @property
    def files(self) -> list[File]:
        return [size.file for size in self.sizes]

    def form(self) -> dict[str, Any]:
        return {"photo": [size.form() for size in self.sizes]}


@dataclass(eq=False)
class Document:
    """A file that arrives as it was sent."""

    kind: ClassVar[str] = "document"
    file: File
    name: str
    mime: str
    thumbnail: Size | None = None

    @property
    def data(self) -> bytes:
        return self.file.data

    @property
    def seen(self) -> bytes | None:
        """The bytes, when it is a picture."""
        return self.data if self.mime.startswith("image/") else None

    @property
    def files(self) -> list[File]:
        return [self.file, *([self.thumbnail.file] if self.thumbnail is not None else [])]

    def form(self) -> dict[str, Any]:
        told = {**self.file.form(), "file_name": self.name, "mime_type": self.mime}
        if self.thumbnail is not None:
            told["thumbnail"] = self.thumbnail.form()
        return {"document": told}


@dataclass
class Files:
    """Every file there is."""

    by_id: dict[str, tuple[File, Photo | Document]] = field(default_factory=dict)
    by_path: dict[str, File] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=itertools.count)

    def photo(self, data: bytes) -> Photo:
        """Telegram's own copies of a picture. Raises Refusal for one that it does not take."""
        if not data:
            raise Refusal(400, "Bad Request: file must be non-empty")
        if len(data) > MOST_PHOTO:
            size = f"file of size {len(data)} bytes is too big for a photo"
            raise Refusal(400, f"Bad Request: {size}; the maximum size is {MOST_PHOTO} bytes")
        copies = recompressed(data)
        held = Photo(data, [])
        for width, height, copy in copies:
            held.sizes.append(Size(width, height, self._file("photos", ".jpg", copy)))
        self._keep(held)
        return held

    def document(self, name: str, data: bytes, mime: str) -> Document:
        """A file as it is. Raises Refusal for one that Telegram does not take."""
        if not data:
            raise Refusal(400, "Bad Request: file must be non-empty")
        if len(data) > MOST_DOCUMENT:
            raise Refusal(413, "Request Entity Too Large")
        held = Document(self._file("documents", PurePosixPath(name).suffix, data), name, mime)
        if mime.startswith("image/"):
            try:
                width, height, copy = recompressed(data)[:2][-1]
            except Refusal:
                pass
            else:
                held.thumbnail = Size(width, height, self._file("thumbnails", ".jpg", copy))
        self._keep(held)
        return held

    def given(self, given: str | Upload, kind: str) -> Photo | Document:
        """What a request names: an upload, or the file_id of something known."""
        if isinstance(given, Upload):
            return self.photo(given.data) if kind == "photo" else self.document(given.name, given.data, given.mime)
        if given.startswith(("http://", "https://")):
            raise Refusal(400, "Bad Request: failed to get HTTP URL content")
        if given not in self.by_id:
            raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        held = self.by_id[given][1]
        if held.kind != kind:
            raise Refusal(400, f"Bad Request: can't use file of type {held.kind.title()} as {kind.title()}")
        return held

    def _keep(self, held: Photo | Document) -> None:
        for file in held.files:
            self.by_id[file.id] = (file, held)
            self.by_path[file.path] = file

    def _file(self, folder: str, suffix: str, data: bytes) -> File:
        number = next(self._count)
        digest = hashlib.sha256(number.to_bytes(8, "big") + data).digest()
        unique = base64.urlsafe_b64encode(digest[:11]).decode().rstrip("=")
        ident = base64.urlsafe_b64encode(b"loopback" + number.to_bytes(8, "big") + digest[:26]).decode().rstrip("=")
        return File(ident, unique, f"{folder}/file_{number}{suffix}", data)


@functools.lru_cache(maxsize=256)
def recompressed(data: bytes) -> tuple[tuple[int, int, bytes], ...]:
    """Width, height and JPEG bytes of each size, the largest last. Raises Refusal for what is no fit picture."""
    try:
        picture = Image.open(io.BytesIO(data))
        width, height = picture.size
        if width + height > 10_000 or max(width, height) > 20 * min(width, height):
            raise Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED") from None
    if picture.mode in ("RGBA", "LA", "P"):
        seen = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    picture = picture.convert("RGB")
    found = []
    for number, (_, side) in enumerate(SIZES):
        copy = picture.copy()
        copy.thumbnail((side, side))
        written = io.BytesIO()
        copy.save(written, "JPEG", quality=87)
        found.append((*copy.size, written.getvalue()))
        if max(width, height) <= side or number + 1 == len(SIZES):
            break
    return tuple(found)
