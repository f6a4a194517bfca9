"""A Discord on this machine, a server with a channel, people in it, and a realbot whose engine moves on command."""

from __future__ import annotations

import pytest
from easel import easel
from loopback import Loopback

from studios import lora, rig


@pytest.fixture
async def discord():
    """At the end nothing may have broken Discord's rules; a test that means to break them clears `complaints`."""
    async with Loopback() as discord:
        yield discord
        assert not discord.complaints


@pytest.fixture
def server(discord):
    return discord.guild()


@pytest.fixture
def channel(server):
    return server.channel()


@pytest.fixture
def anna(discord):
    return discord.person("anna")


@pytest.fixture
def bert(discord):
    return discord.person("bert")


@pytest.fixture
async def atelier(tmp_path, discord):
    """A studio that lives in the loopback's time."""
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink")
    lora(tmp_path / "styles" / "glow.safetensors", trigger="glow", fill=2)
    async with rig(tmp_path, pool=easel(tmp_path), clock=discord.clock) as atelier:
        yield atelier


@pytest.fixture
async def front(atelier, discord, channel):
    """The front-end in service, on a server with a channel."""
    from fronts import serving

    async with serving(atelier, discord, haste=10) as front:
        yield front
