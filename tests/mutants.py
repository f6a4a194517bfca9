"""Pictures of every kind that are taken, broken in the ways that strangers and accidents break them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

#: Format, mode and options of a file.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "png": ("PNG", "RGB", {}),
    "png clear": ("PNG", "RGBA", {}),
    "png grey": ("PNG", "L", {}),
    "png grey clear": ("PNG", "LA", {}),
    "png palette": ("PNG", "P", {"transparency": 3}),
    "png bits": ("PNG", "1", {}),
    "png deep": ("PNG", "I;16", {}),
    "jpeg": ("JPEG", "RGB", {"quality": 60}),
    "jpeg progressive": ("JPEG", "RGB", {"quality": 60, "progressive": True}),
    "jpeg grey": ("JPEG", "L", {"quality": 60}),
    "jpeg print": ("JPEG", "CMYK", {"quality": 60}),
    "webp": ("WEBP", "RGB", {"quality": 60}),
    "webp clear": ("WEBP", "RGBA", {"quality": 60}),
    "webp lossless": ("WEBP", "RGB", {"lossless": True}),
}


def whole(kind: str, size: tuple[int, int] = (96, 64)) -> bytes:
    """A sound file, with EXIF where the format has it."""
    form, mode, options = KINDS[kind]
    width, height = size
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 256
    picture = Image.fromarray(np.stack([ramp, ramp[::-1], ramp[:, ::-1]], 2).astype(np.uint8))
    if mode == "I;16":
        picture = Image.fromarray((ramp * 257).astype(np.uint16))
    else:
        picture = picture.convert("L").convert(mode) if mode in ("LA", "L", "1") else picture.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    picture.save(out, form, exif=exif, **options)
    return out.getvalue()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with one to four things wrong in it."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found))
        match rng.randrange(8):
            case 0:
                found[at] = rng.randrange(256)
            case 1:
                found[at] ^= 1 << rng.randrange(8)
            case 2:
                found = found[: max(at, 12)]
            case 3:
                found[at:at] = rng.randbytes(rng.randint(1, 64))
            case 4:
                found[at : at + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\xff\xff"]
                )
            case 5:
                end = at + rng.randint(1, 200)
                found[at:at] = found[at:end]
            case 6:
                del found[at : at + rng.randint(1, 40)]
            case _:
                found = _resized(found, rng)
    return bytes(found)


def _resized(data: bytearray, rng: random.Random) -> bytearray:
    """With other sides in its header, and a checksum that agrees."""
    side = lambda: rng.choice([0, 1, 17, 255, 1000, 5000, 16_384, 65_535, 2**31 - 1])  # noqa: E731
    if data.startswith(b"\x89PNG") and len(data) > 33:
        data[16:24] = struct.pack(">II", side(), side())
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    elif data.startswith(b"\xff\xd8"):
        for marker in (b"\xff\xc0", b"\xff\xc2"):
            at = data.find(marker)
            if 0 < at < len(data) - 9:
                data[at + 5 : at + 9] = struct.pack(">HH", side() & 0xFFFF, side() & 0xFFFF)
    elif len(data) > 30:
        data[24:30] = rng.randbytes(6)
    return data
