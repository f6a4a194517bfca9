"""The promise, kept by the pool with the real engine and a model too small to paint anything sensible."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engine.contract import EngineContract, Listener, Make, opened
from realbot.engine import RunKey, Work
from realbot.engine.child import ChildPool
from realbot.engine.models import preset, resolve
from realbot.jobs import Generate, StyleUse, to_json

_jobs = count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Listener]:
    from engine.tiny import saved

    folder = tmp_path_factory.mktemp("worker")
    settings: dict[str, Any] = {
        "model": {"name": "mini", "path": str(saved("flux", folder / "model")), "device": "cpu"},
        "engine": {"threads": 1},
        "spool": str(folder / "spool"),
    }
    argv = [sys.executable, "-m", "realbot.engine.worker", "--settings", json.dumps(settings)]
    async with opened(ChildPool(argv, spool=folder / "spool", environ=os.environ)) as told:
        yield told


@pytest.mark.asyncio(loop_scope="module")
class TestWorker(EngineContract):
    """All of it with one engine process, which only the tests about restarts replace."""

    @pytest.fixture
    def work(self, tmp_path: Path) -> Make:
        serial = next(_jobs)

        def make(job: str, attempt: int = 1, *, long: bool = False, **fields: Any) -> Work:
            styles = tuple(StyleUse(**use) for use in fields.pop("styles", ()))
            fields = {"width": 64, "height": 64, "seed": 1, "steps": 500 if long else 4, **fields}
            request, _ = resolve(Generate(prompt="a cat", styles=styles, **fields), preset("mini"))
            files = {use.name: {"path": str(tmp_path / use.name), "sha256": "0" * 64} for use in styles}
            return Work(RunKey(f"{job}-{serial}", attempt), to_json(request), files)

        return make


async def test_G12_the_engine_leaves_when_its_input_ends(tmp_path: Path) -> None:
    settings = json.dumps({"model": {"name": "mini", "path": str(tmp_path)}, "spool": str(tmp_path / "spool")})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realbot.engine.worker", "--settings", settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.close()
    async with asyncio.timeout(5):
        await process.wait()
