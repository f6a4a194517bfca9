"""A Telegram on this machine and people in it."""

from __future__ import annotations

import pytest
from botapi import BotApi
from botapi_clients import client


def pytest_configure(config: pytest.Config) -> None:
    # aiohttp warns of itself where a part of a body ends just behind what was read of it.
    config.addinivalue_line("filterwarnings", "ignore:unread_data:DeprecationWarning")


@pytest.fixture
async def api():
    """At the end nothing may have broken the Bot API's rules; a test that means to break them clears `complaints`."""
    async with BotApi() as api:
        yield api
        assert not api.complaints


@pytest.fixture
def anna(api):
    return api.person("anna")


@pytest.fixture
def bert(api):
    return api.person("bert")


@pytest.fixture
async def bot(api):
    """A bare client of the library."""
    async with client(api) as bot:
        yield bot
