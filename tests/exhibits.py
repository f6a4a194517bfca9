"""Finished pictures that look like photographs, in the history of whom a test says, and files made of them."""

from __future__ import annotations

import io
import time

from PIL import Image, PngImagePlugin

import stored
from realbot.jobs import Generate, User
from studios import Rig


def png(picture: Image.Image, text: str = "") -> bytes:
    """A PNG file, with what it says of itself."""
    info = PngImagePlugin.PngInfo()
    if text:
        info.add_text("parameters", text)
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def jpeg(picture: Image.Image, quality: int = 70) -> bytes:
    """A JPEG file."""
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


async def painted(
    r: Rig,
    picture: Image.Image,
    user: User,
    text: str = "",
    prompt: str = "a cat",
    seed: int = 7,
    now: float | None = None,
) -> str:
    """A job of this person whose picture is this one; its id."""
    request = Generate(prompt=prompt, seed=seed, width=picture.width, height=picture.height, steps=4)
    row = await stored.put(r.store, user, request, now=time.time() if now is None else now)
    image = await stored.picture(r.store, r.store.folder, png(picture, text))
    assert await r.store.produce(row.id, [image], 1.0, {}, "", None)
    assert await r.store.delivered(row.id)
    await r.studio.finder._tasks.close(5.0)
    return row.id
