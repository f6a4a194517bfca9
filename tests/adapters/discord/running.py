"""`realbot run` as a process of its own, with the bundled model, pointed at a loopback Discord."""

from __future__ import annotations

from pathlib import Path

from loopback import Loopback
from program import Program


class Process(Program):
    """`async with Process(folder, discord) as realbot: ...`; what it logs is in `log()`."""

    def __init__(self, folder: Path, home: Loopback, **environ: str) -> None:
        self.home = home
        super().__init__(folder, **{**address(home), **environ})

    async def start(self, *, ready: bool = True) -> None:
        self._connected = len(self.home.gateway.identified)
        await super().start(ready=ready)

    async def ready(self) -> None:
        while len(self.home.gateway.identified) == self._connected or self.home.gateway.session is None:
            await self.alive()
        await self.home.ready()


def address(home: Loopback) -> dict[str, str]:
    """The settings that lead to a loopback Discord."""
    return {
        "REALBOT_DISCORD__API_BASE": home.api_base,
        "REALBOT_DISCORD__GATEWAY": home.gateway_url,
        "REALBOT_DISCORD__TOKEN": home.token,
    }
