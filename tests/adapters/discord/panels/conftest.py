"""The panels' bot in a simulated Discord; the engine moves on command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import specs
from easel import easel
from simulated import Bot, World, populated

from studios import lora, rig


@pytest.fixture
def sections():
    """Settings other than the usual ones."""
    return {}


@pytest.fixture
async def bench(tmp_path, sections):
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink drawing")
    lora(tmp_path / "styles" / "glow.safetensors", trigger="glow", fill=2)
    async with rig(tmp_path, pool=easel(tmp_path), sections=sections) as bench:
        yield bench


@pytest.fixture
def simcord_bot(bench):
    return Bot(bench.studio)


@pytest.fixture
def world(simcord_env, bench) -> Iterator[World]:
    """At the end, all that was sent is valid, is for one person's eyes, and notifies nobody."""
    yield populated(simcord_env, bench)
    for sent in simcord_env.http_requests:
        assert not specs.request(sent.method, sent.path, sent.json), (sent.method, sent.path, sent.json)
        body = sent.json if isinstance(sent.json, dict) else {}
        message = body.get("data", body)
        if body.get("type") in (4, 5):
            assert message["flags"] & 64, body
        if "content" in message or "embeds" in message:
            assert message["allowed_mentions"]["parse"] == [], body
