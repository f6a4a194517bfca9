"""A painter with a tiny model of one family, and what it said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine import tiny
from realbot.engine import Fact, Produced, RunKey, Work, loading
from realbot.engine.painter import Painter
from realbot.jobs import Generate, to_json

SIDE = 64
loading.quiet()


class Easel:
    """A painter and what it said."""

    def __init__(self, family: str, folder: Path, **engine: Any) -> None:
        self.family, self.folder = family, folder
        loaded = loading.load({"name": tiny.PRESETS[family], "path": str(folder)}, engine)
        loaded = replace(loaded, preset=replace(loaded.preset, min_side=SIDE))
        self.spool = folder / "spool"
        self.spool.mkdir(exist_ok=True)
        self.painter = Painter(loaded, self.spool, engine)
        self.pipe = loaded.pipeline
        self.facts: list[Fact] = []
        self.runs = 0

    def work(self, *, files: dict[str, str] | None = None, **request: Any) -> Work:
        self.runs += 1
        asked = Generate(**{"prompt": "a cat", "seed": 1, "steps": 3, "width": SIDE, "height": SIDE} | request)
        return Work(RunKey(f"job{self.runs}", 1), to_json(asked), files=files or {})

    def paint(
        self,
        work: Work | None = None,
        *,
        tell: Callable[[Fact], None] | None = None,
        cancelled: threading.Event | None = None,
        **request: Any,
    ) -> Fact:
        self.facts = []
        hear = tell or self.facts.append
        return self.painter.paint(work or self.work(**request), cancelled or threading.Event(), hear)

    def hashes(self, **request: Any) -> list[str]:
        answer = self.paint(**request)
        assert isinstance(answer, Produced), answer
        return [picture.sha256 for picture in answer.pictures]

    def pixels(self, **request: Any) -> np.ndarray[Any, Any]:
        answer = self.paint(**request)
        assert isinstance(answer, Produced), answer
        return np.asarray(Image.open(answer.pictures[0].path))
