"""A real browser, and somebody in front of it."""

from __future__ import annotations

import asyncio
import shutil
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Person:
    """Somebody with a browser window; what went wrong in it is remembered."""

    def __init__(self, browser, url: str, size: dict[str, int]) -> None:
        self.browser, self.url, self.size = browser, url, size
        self.foreign: list[str] = []
        self.errors: list[str] = []

    async def __aenter__(self) -> Person:
        self.context = await self.browser.new_context(viewport=self.size, accept_downloads=True)
        self.page = await self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        await self.page.goto(self.url)
        await self.see("Describe a picture")
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        await self.context.close()
        if kind is None:
            assert not self.foreign
            assert not self.errors

    def _asked(self, request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    async def see(self, text: str) -> None:
        await self.page.locator("#stage").get_by_text(text).first.wait_for()

    async def imagine(self, text: str) -> None:
        await self.page.locator("#prompt textarea").fill(text)
        await self.page.get_by_role("button", name="Imagine", exact=True).click()

    async def press(self, name: str) -> None:
        await self.page.locator("#stage").get_by_role("button", name=name).click()


async def until_async(count, expected: int, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while await count() != expected:
            await asyncio.sleep(0.05)
