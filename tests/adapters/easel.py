"""An engine in the test's process whose pictures are real ones: a disc on the background that the prompt names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from pools import InProcessPool
from realbot.engine import Picture, Produced, Step

COLOURS = ("blue", "yellow", "purple", "orange", "green", "white")


class Easel(InProcessPool):
    """Steps come with previews, and finished pictures are PNG files of the size that was asked for."""

    def step(self, n: int, name: str = "one") -> None:
        one = self.engines[name]
        assert one.work is not None
        path = self.spool / f"{one.work.key}-preview-{n}.jpg"
        draw(one.work.request, one.work.request["seed"]).resize((48, 48)).save(path)
        self.tell(one, Step(one.work.key, n, one.work.request["steps"], str(path)))

    def finish(self, name: str = "one", *, seconds: float = 1.0, count: int | None = None, spoil: bool = False) -> None:
        one = self.engines[name]
        work = one.work
        assert work is not None
        if work.request["verb"] != "generate":
            super().finish(name, seconds=seconds, count=count, spoil=spoil)
            return
        pictures = []
        for index in range(work.request["count"]):
            seed = work.request["seed"] + index
            path = self.spool / f"{work.key}-{index}.png"
            draw(work.request, seed).save(path)
            data = path.read_bytes()
            pictures.append(Picture(str(path), hashlib.sha256(data).hexdigest(), len(data), seed))
        self.produced.append(work.key)
        self.end(one, Produced(work.key, tuple(pictures), "image/png", seconds, {"denoise": seconds}))


def draw(request: Any, seed: int) -> Image.Image:
    """The background is the last colour of the prompt, the disc's colour follows from the seed."""
    named = [word for word in request["prompt"].split() if word in COLOURS]
    width, height = request["width"], request["height"]
    picture = Image.new("RGB", (width, height), named[-1] if named else "teal")
    red, green, blue = hashlib.sha256(str(seed).encode()).digest()[:3]
    box = (width * 0.2, height * 0.2, width * 0.8, height * 0.8)
    ImageDraw.Draw(picture).ellipse(box, fill=(red, green, blue))
    return picture


def easel(folder: Path, **options: Any) -> Easel:
    """One that moves at the test's command unless `hand=False`."""
    return Easel(folder / "spool", **{"hand": True, **options})
