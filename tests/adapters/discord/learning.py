"""What tests of trainings need: pictures to learn from, and an engine that trains at the test's command."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from easel import Easel
from PIL import Image, ImageDraw

from pools import InProcessPool, numbers, steps
from realbot.engine import Step

#: Roles of people who may train: everybody.
OPEN = {"training": {"roles": ("everyone",)}}
COLOURS = ("crimson", "orange", "gold", "seagreen", "teal", "royalblue", "purple", "sienna", "olive", "hotpink")


def lesson(n: int, size: tuple[int, int] = (144, 144)) -> bytes:
    """A picture file unlike that of any other number."""
    ground, shape = COLOURS[n % 10], COLOURS[(3 * n + n // 10 + 4) % 10]
    picture = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(picture)
    x, y = (17 * n) % (size[0] // 2), (29 * n) % (size[1] // 2)
    box = (x, y, x + size[0] // 3 + n, y + size[1] // 2 - n)
    (draw.rectangle if n % 2 else draw.ellipse)(box, fill=shape)
    draw.line((0, (41 * n) % size[1], size[0], (23 * n) % size[1]), fill="white", width=3 + n % 7)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def set_of(count: int, first: int = 0) -> list[tuple[str, bytes]]:
    """Files with names that say what is on them."""
    return [(f"a_{COLOURS[n % 10]}_tile_{n}.png", lesson(n)) for n in range(first, first + count)]


def given(files: list[tuple[str, bytes]]) -> dict[str, Any]:
    """The options of /train."""
    return {f"picture{n}": file for n, file in enumerate(files, 1)}


class School(Easel):
    """Paints as an easel does, and trains."""

    def step(self, n: int, name: str = "one") -> None:
        one = self.engines[name]
        assert one.work is not None
        if one.work.request["verb"] != "train":
            super().step(n, name)
            return
        path = self.spool / f"{one.work.key}-preview-{n}.jpg"
        Image.new("RGB", (96, 64), "white").save(path)
        self.tell(one, Step(one.work.key, n, steps(one.work), str(path), numbers(one.work, n)))

    def finish(self, name: str = "one", **options: Any) -> None:
        one = self.engines[name]
        assert one.work is not None
        if one.work.request["verb"] == "train":
            InProcessPool.finish(self, name, **options)
        else:
            super().finish(name, **options)


def school(folder: Path) -> School:
    return School(folder / "spool", hand=True)
