"""The generation parameters of a picture as the text that image tools write into PNG files and read from them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .jobs import Generate

#: What the tools call the schedulers.
SAMPLERS = {
    "euler": "Euler",
    "euler-a": "Euler a",
    "dpm++2m": "DPM++ 2M",
    "dpm++2m-karras": "DPM++ 2M Karras",
    "ddim": "DDIM",
    "unipc": "UniPC",
}

_PNG = b"\x89PNG\r\n\x1a\n"
#: Bytes of a text that are read, and chunks before the picture among which it is looked for.
_LONGEST, _CHUNKS = 1 << 16, 100


def parameters(
    request: Generate,
    seed: int,
    model: str,
    version: str,
    *,
    styles: Mapping[str, str] | None = None,
    distilled: bool = False,
) -> str:
    """The text of the `parameters` chunk: prompt, negative prompt, one line of settings.

    `request` is resolved, `seed` is that of this one picture, `styles` maps style names to the sha256 of their files,
    `distilled` says that the model takes guidance as an input, which the tools keep apart from true CFG.
    """
    hashes = styles or {}
    distilled = distilled or (request.true_cfg or 1) > 1
    prompt = " ".join([request.prompt, *(f"<lora:{use.name}:{use.weight:g}>" for use in request.styles)])
    fields: dict[str, str | None] = {
        "Steps": _number(request.steps),
        "Sampler": SAMPLERS.get(request.scheduler or "", request.scheduler),
        "CFG scale": _number((request.true_cfg or 1) if distilled else request.guidance),
        "Distilled CFG Scale": _number(request.guidance) if distilled else None,
        "Seed": str(seed),
        "Size": f"{request.width}x{request.height}" if request.width and request.height else None,
        "Model": model,
        "Denoising strength": _number(request.strength),
        "Lora hashes": ", ".join(
            f"{use.name}: {hashes[use.name][:10]}" for use in request.styles if use.name in hashes
        ),
        "Version": f"realbot {version}",
    }
    settings = ", ".join(f"{name}: {_value(value)}" for name, value in fields.items() if value)
    negative = [f"Negative prompt: {request.negative}"] if request.negative else []
    return "\n".join([prompt, *negative, settings])


def told(data: bytes) -> str:
    """The text of the `parameters` chunk of a PNG file, empty where there is none."""
    at = len(_PNG)
    for _ in range(_CHUNKS if data.startswith(_PNG) else 0):
        if (head := data[at : at + 8])[4:] in (b"", b"IDAT", b"IEND"):
            break
        length = int.from_bytes(head[:4], "big")
        name, _, text = data[at + 8 : at + 8 + min(length, _LONGEST)].partition(b"\0")
        if name == b"parameters" and head[4:] == b"tEXt":
            return text.decode("latin-1")
        if name == b"parameters" and head[4:] == b"iTXt" and text.startswith(b"\0\0"):
            return text[2:].split(b"\0", 2)[-1].decode("utf-8", "replace")
        at += 12 + length
    return ""


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _value(text: str) -> str:
    """In quotes where the readers of this format would split it."""
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:\n"') else text
