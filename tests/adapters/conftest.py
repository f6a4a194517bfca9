"""The page on a free port, and one visitor's tab on it."""

from __future__ import annotations

import pytest
from browsing import CHROMIUM, QUIET
from easel import easel
from visiting import Tab, served

from studios import lora, rig


@pytest.fixture
async def bench(tmp_path):
    (tmp_path / "styles").mkdir()
    lora(tmp_path / "styles" / "ink.safetensors", trigger="ink")
    lora(tmp_path / "styles" / "glow.safetensors", trigger="glow", fill=2)
    async with rig(tmp_path, pool=easel(tmp_path)) as bench:
        yield bench


@pytest.fixture
async def page(bench, tmp_path):
    async with served(bench, tmp_path) as page:
        yield page


@pytest.fixture
async def face(page, bench):
    async with Tab(page, bench) as tab:
        yield tab


@pytest.fixture
async def url(page):
    return page.url


@pytest.fixture
async def browser():
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    async with playwright.async_playwright() as tool:
        one = await tool.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield one
        await one.close()
