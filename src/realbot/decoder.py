"""Decodes pictures of strangers in a process of its own, with little memory and time: `task(arguments, files)`.

A task's arguments are JSON, its files come on stdin and leave on stdout, each after its length in eight bytes. What
leaves are plain PNGs without metadata. Refused: exit code 1, the reason on stdout.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import warnings
from collections.abc import Iterable
from typing import Any

#: By content; the name of a file says nothing.
FORMATS = ("PNG", "JPEG", "WEBP")
#: Pixels of the longer side of what is kept, and of the shorter side of what is taken.
LARGEST, SMALLEST = 4096, 16
#: Modes in which pixels can be averaged.
_SMOOTH = ("L", "LA", "RGB", "RGBA", "CMYK")
#: Bytes of memory and seconds of a processor.
_MEMORY, _SECONDS = 2**30, 20
#: Most pixels of a WebP picture, whose library takes 16 bytes for each; everything stays below 512 MB with it.
_WEBP = 28_000_000


class Refusal(Exception):
    """The reason in one word, and numbers for the sentence."""


def plain(data: bytes, pixels: int) -> bytes:
    """The picture as RGB in a PNG file, upright, on white, at most LARGEST pixels wide and high.

    `pixels` is the most that its header may announce. Raises Refusal.
    """
    picture, _ = taken(data, pixels)
    return png(picture)


def taken(data: bytes, pixels: int) -> tuple[Any, Any]:
    """The picture as `plain` has it, and as RGBA where parts of it are transparent, else the same again."""
    from PIL import Image, ImageOps

    try:
        picture: Any = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:
        raise Refusal("format") from error
    width, height = picture.size
    most = min(pixels, _WEBP) if picture.format == "WEBP" else pixels
    if width * height > most:
        raise Refusal(f"pixels {width} {height} {most}")
    if min(width, height) < SMALLEST:
        raise Refusal(f"small {width} {height}")
    # The pictures beside the first one in a telephone's JPEG are no film.
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        raise Refusal("animated")
    try:
        clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
        if picture.mode[0] in "IF":
            picture = picture.point(lambda value: value * (1 / 256)).convert("L")
        if clear and picture.mode != "RGBA":
            picture = picture.convert("RGBA")
        elif picture.mode not in _SMOOTH:
            picture = picture.convert("RGB")
        # Early, as everything after it takes time by the pixel.
        picture.thumbnail((LARGEST, LARGEST))
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        if min(picture.size) < SMALLEST:
            raise Refusal(f"small {width} {height}")
        return _coloured(picture), picture
    except Refusal:
        raise
    except Exception as error:
        raise Refusal("broken") from error


def png(picture: Any) -> bytes:
    """A PNG file with these pixels and nothing else."""
    from PIL import Image

    fresh = Image.new(picture.mode, picture.size)
    fresh.paste(picture)
    out = io.BytesIO()
    fresh.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _coloured(picture: Any) -> Any:
    """In sRGB, transparent parts on white."""
    from PIL import Image, ImageCms

    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    ground = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(ground, picture).convert("RGB")


def perform(task: str, given: dict[str, Any], files: list[bytes]) -> list[bytes]:
    """The files that a task makes of those it is given. Raises Refusal.

    Besides `plain` the first file is a source as it is kept. Numpy is loaded only for tasks with a mask.
    """
    if task == "plain":
        return [plain(files[0], given["pixels"])]
    from realbot import masks, strokes

    if task == "cut":
        picture, clear = taken(files[0], given["pixels"])
        mask = masks.by_alpha(clear)
        return [] if mask is None else [png(picture), png(mask)]
    source, _ = taken(files[0], LARGEST**2)
    match task:
        case "light":
            _, clear = taken(files[1], given["pixels"])
            return [png(masks.by_light(clear, source.size))]
        case "strokes":
            drawn, _ = taken(files[1], given["pixels"])
            return [png(strokes.by_strokes(source, drawn))]
        case "region":
            return [png(masks.by_region(source, given["region"]))]
        case "overlay":
            mask, _ = taken(files[1], LARGEST**2)
            return [png(masks.overlay(source, mask))]
        case "canvas":
            size, place = tuple(given["size"]), tuple(given["place"])
            return [png(masks.canvas(source, size, place)), png(masks.around(size, place))]
    raise Refusal("task")


def packed(files: Iterable[bytes]) -> bytes:
    """Files as they go through a pipe, each after its length."""
    return b"".join(len(file).to_bytes(8, "big") + file for file in files)


def unpacked(data: bytes) -> list[bytes]:
    """The inverse of `packed`. Raises ValueError for what is cut short."""
    files, at = [], 0
    while at < len(data):
        end = at + 8 + int.from_bytes(data[at : at + 8], "big")
        if end > len(data):
            raise ValueError(len(data))
        files.append(data[at + 8 : end])
        at = end
    return files


def main() -> None:
    # Each thread of a library for numbers would reserve memory of its own.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # A limit that this system does not know leaves the others.
    for limit, value in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CPU, _SECONDS), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    warnings.simplefilter("ignore")
    from PIL import Image

    # The header is compared with our own limit.
    Image.MAX_IMAGE_PIXELS = None
    try:
        files = unpacked(sys.stdin.buffer.read())
        answer, code = packed(perform(sys.argv[1], json.loads(sys.argv[2]), files)), 0
    except Refusal as refusal:
        answer, code = str(refusal).encode(), 1
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    raise SystemExit(code)
