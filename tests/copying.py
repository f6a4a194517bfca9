"""A data folder with a history, and copies of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from realbot import backups
from realbot.jobs import Generate
from realbot.sealed import Seal
from realbot.store import Store
from stored import ANN, BOB, NOW, paint

TIME = 1795615320.0


async def lived(folder: Path, tmp_path: Path) -> None:
    """A folder with pictures and a style."""
    async with Store.open(folder, lambda: NOW) as store:
        await paint(store, tmp_path, ANN, Generate(prompt="a canary", seed=1), content=b"first canary")
        await paint(store, tmp_path, BOB, content=b"second")
        await store._writer.run(lambda db: store.wardrobe.reserve(db, "ink", "job-ink", ANN.key))
        weights = tmp_path / "ink.safetensors"
        weights.write_bytes(b"weights")
        assert await store.wardrobe.hang("job-ink", "ink", weights, hashlib.sha256(b"weights").hexdigest())


def make(folder: Path, target: Path, *recipients: str, **options: object) -> backups.Made:
    target.mkdir(exist_ok=True)
    return backups.make(folder, target, Seal(recipients), **options)
