"""A Telegram on this machine and people in it."""

from __future__ import annotations

import pytest
from botapi import BotApi
from botapi_clients import client


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
