"""Decodes one picture of a stranger's in a process of its own, with little memory and time: `python -I decoder.py`.

The file comes on stdin, a plain PNG without metadata leaves on stdout. Refused: exit code 1, the reason on stdout.
"""

from __future__ import annotations

import contextlib
import io
import resource
import sys
import warnings
from typing import Any

#: By content; the name of a file says nothing.
FORMATS = ("PNG", "JPEG", "WEBP")
#: Pixels of the longer side of what is kept, and of the shorter side of what is taken.
LARGEST, SMALLEST = 4096, 16
#: Modes in which pixels can be averaged.
_SMOOTH = ("L", "LA", "RGB", "RGBA", "CMYK")
#: Bytes of memory and seconds of a processor.
_MEMORY, _SECONDS = 2 * 2**30, 20


class Refusal(Exception):
    """The reason in one word, and numbers for the sentence."""


def plain(data: bytes, pixels: int) -> bytes:
    """The picture as RGB in a PNG file, upright, on white, at most LARGEST pixels wide and high.

    `pixels` is the most that its header may announce. Raises Refusal.
    """
    from PIL import Image, ImageOps

    try:
        picture: Any = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:
        raise Refusal("format") from error
    width, height = picture.size
    if width * height > pixels:
        raise Refusal(f"pixels {width} {height}")
    if min(width, height) < SMALLEST:
        raise Refusal(f"small {width} {height}")
    # The pictures beside the first one in a telephone's JPEG are no film.
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        raise Refusal("animated")
    try:
        if picture.mode in _SMOOTH:
            # Early, as everything after it takes time by the pixel.
            picture.thumbnail((LARGEST, LARGEST))
        picture.load()
        upright = _coloured(ImageOps.exif_transpose(picture))
        upright.thumbnail((LARGEST, LARGEST))
        if min(upright.size) < SMALLEST:
            raise Refusal(f"small {width} {height}")
        fresh = Image.new("RGB", upright.size)
        fresh.paste(upright)
        out = io.BytesIO()
        fresh.save(out, "PNG", compress_level=1)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal("broken") from error
    return out.getvalue()


def _coloured(picture: Any) -> Any:
    """In sRGB, 8 bits a channel, transparent parts on white."""
    from PIL import Image, ImageCms

    if picture.mode[0] in "IF":
        picture = picture.point(lambda value: value * (1 / 256)).convert("L")
    profile = picture.info.get("icc_profile")
    clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    if profile and not clear and picture.mode in ("RGB", "CMYK", "L"):
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if not clear:
        return picture.convert("RGB")
    seen = picture.convert("RGBA")
    ground = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(ground, seen).convert("RGB")


def main() -> None:
    # A limit that this system does not know leaves the others.
    for limit, value in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    warnings.simplefilter("ignore")
    from PIL import Image

    # The header is compared with our own limit.
    Image.MAX_IMAGE_PIXELS = None
    try:
        answer, code = plain(sys.stdin.buffer.read(), int(sys.argv[1])), 0
    except Refusal as refusal:
        answer, code = str(refusal).encode(), 1
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    raise SystemExit(code)


if __name__ == "__main__":
    main()
