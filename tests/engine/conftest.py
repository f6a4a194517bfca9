"""Pools with the scripted engine and work for it; a small transformer and the styles merged into it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline
from networks import PLENTY, flux

from engine.contract import Make
from engine.pooled import PATIENT, SCRIPTED, MakePool, children
from realbot.engine import RunKey, Work
from realbot.engine.child import ChildPool
from realbot.engine.loras import Loras
from realbot.engine.watch import Patience


@pytest.fixture
async def nothing_leaks() -> AsyncIterator[None]:
    tasks, processes = asyncio.all_tasks(), children()
    yield
    assert [process for process in children() if process not in processes] == []
    assert {task.get_name() for task in asyncio.all_tasks() - tasks - {asyncio.current_task()}} == set()


@pytest.fixture
def make_pool(tmp_path: Path) -> MakePool:
    def make(patience: Patience = PATIENT, environ: dict[str, str] | None = None, **settings: Any) -> ChildPool:
        spool = tmp_path / "spool"
        argv = [sys.executable, str(SCRIPTED), "--settings", json.dumps({"spool": str(spool), **settings})]
        return ChildPool(argv, spool=spool, environ=os.environ if environ is None else environ, patience=patience)

    return make


@pytest.fixture
def pool(make_pool: MakePool) -> ChildPool:
    return make_pool()


@pytest.fixture
def work(tmp_path: Path) -> Make:
    def make(job: str, prompt: str = "a cat", attempt: int = 1, *, long: bool = False, **fields: Any) -> Work:
        request = {"verb": "generate", "prompt": prompt, "width": 64, "height": 64, "seed": 1}
        request |= {"steps": 400 if long else 4, **fields}
        styles = {use["name"]: {"path": str(tmp_path / use["name"]), "sha256": ""} for use in fields.get("styles", ())}
        return Work(RunKey(job, attempt), request, styles)

    return make


@pytest.fixture
def model() -> torch.nn.Module:
    return flux()


@pytest.fixture
def loras(model: torch.nn.Module) -> Loras:
    return Loras({"transformer": model}, FluxPipeline, PLENTY)
