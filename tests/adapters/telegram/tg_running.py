"""`realbot run` as a process of its own, with the bundled model, pointed at a loopback Bot API."""

from __future__ import annotations

from pathlib import Path

from botapi import BotApi
from program import Program


class Process(Program):
    """`async with Process(folder, api) as realbot: ...`; what it logs is in `log()`."""

    def __init__(self, folder: Path, api: BotApi, **environ: str) -> None:
        self.api = api
        super().__init__(folder, **{**address(api), **environ})

    async def start(self, *, ready: bool = True) -> None:
        self._polled = len(self.api.called("getUpdates")) + len(self.api.called("setWebhook"))
        await super().start(ready=ready)

    async def ready(self) -> None:
        while len(self.api.called("getUpdates")) + len(self.api.called("setWebhook")) == self._polled:
            await self.alive()


def address(api: BotApi) -> dict[str, str]:
    """The settings that lead to a loopback Bot API."""
    return {"REALBOT_TELEGRAM__API_BASE": api.base, "REALBOT_TELEGRAM__TOKEN": api.token}
