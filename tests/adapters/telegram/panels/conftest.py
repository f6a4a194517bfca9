"""A Telegram with a group, a realbot with every panel, and an engine that moves on command."""

from __future__ import annotations

import asyncio

import pytest
import tg_fronts
from tg_panels import World

from realbot.adapters.telegram import commands
from studios import lora


@pytest.fixture
def sections():
    """Settings other than the usual ones."""
    return {}


@pytest.fixture
def root(api):
    """An owner of the bot."""
    return api.person("root")


@pytest.fixture
async def world(tmp_path, api, anna, bert, root, sections):
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink drawing")
    lora(tmp_path / "styles" / "glow.safetensors", trigger="glow", fill=2)
    carl = api.person("carl")
    group = api.supergroup("painters", carl, anna, bert)
    settings = {"owners": (root.id,)}
    async with tg_fronts.house(tmp_path, api, hand=True, sections=sections, telegram=settings) as home:
        while await home.studio.remembered(commands.NAME) is None:
            await asyncio.sleep(0.002)
        yield World(home, group, anna, bert, carl, root)
