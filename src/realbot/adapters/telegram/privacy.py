"""/privacy: everything that is kept of a person, handed to them or deleted for good. In the private chat only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telegram import ReplyParameters

from realbot.adapters import sentences
from realbot.adapters.telegram import sayings
from realbot.adapters.telegram.files import DOCUMENT, REST
from realbot.adapters.telegram.limiter import Patience
from realbot.adapters.telegram.links import alone, aside
from realbot.adapters.telegram.screens import Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold
from realbot.adapters.volumes import Volumes, plan, volume
from realbot.errors import Invalid

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked

#: Bytes of one file of an export.
FILE = DOCUMENT - REST
#: So much takes its time.
UPLOAD = Patience(tries=3, each=300.0, seconds=900.0, wait=60.0)
#: Days for which a question such as "really?" can be answered: ten minutes.
QUESTION = 600 / 86_400


def register(front: Front) -> None:
    privacy = Privacy(front)
    front.command("privacy", privacy.privacy)
    front.screens.add("privacy", privacy.draw)


class Privacy:
    """The command and its screens."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def privacy(self, asked: Asked) -> None:
        """What is kept, or what is asked for after the command: export or delete. Raises Invalid."""
        said = asked.text.casefold()
        if not asked.private:
            await aside(self._front, asked, "privacy")
        elif said == "export":
            await self._export(Viewer(asked.bot, asked.user, asked.origin, asked.private))
        elif said in ("", "delete"):
            await self._front.screens.open(asked, "privacy", **({"ask": True} if said else {}))
        else:
            raise Invalid(sayings.privacy_how())

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """What is kept; a copy of it; whether it shall be deleted; that it is."""
        alone(viewer)
        if state.get("erase"):
            return Screen(Text(sentences.erased(await self._studio.erase(viewer.user))))
        if state.get("ask"):
            yes = to(sentences.erase_yes(), "privacy", style="danger", uses=1, erase=True)
            no = to(sentences.erase_no(), "privacy", keep=True)
            return Screen(sayings.erase_question(), [[replace(yes, days=QUESTION)], [no]])
        if state.get("export"):
            await self._export(viewer)
        rows = [
            [to(f"📦 {sayings.export()}", "privacy", export=True)],
            [to(f"🗑 {sayings.erase()}", "privacy", style="danger", ask=True)],
        ]
        text = Text.lines([bold(sayings.privacy_title()), sayings.privacy_text()])
        return Screen(text, rows, note=sentences.erase_kept() if state.get("keep") else "")

    async def _export(self, viewer: Viewer) -> None:
        """Send everything as files that open by themselves. Raises Down and the errors of Telegram."""
        archive = await self._studio.export(viewer.user)
        try:
            volumes = await asyncio.to_thread(plan, archive, FILE)
            for number in range(1, len(volumes.files) + 1):
                await self._send(viewer, archive, volumes, number)
        finally:
            await asyncio.to_thread(archive.unlink, missing_ok=True)

    @staticmethod
    async def _send(viewer: Viewer, archive: Path, volumes: Volumes, number: int) -> None:
        files = len(volumes.files)
        data = await asyncio.to_thread(volume, archive, volumes.files[number - 1])
        await viewer.bot.send_document(
            int(viewer.origin.place),
            data,
            filename=f"realbot-{number}-of-{files}.zip" if files > 1 else "realbot.zip",
            caption="\n".join([sentences.export_file(number, files), *_missing(volumes, number)]),
            disable_content_type_detection=True,
            reply_parameters=ReplyParameters(int(viewer.origin.message), allow_sending_without_reply=True),
            rate_limit_args=UPLOAD,
        )


def _missing(volumes: Volumes, number: int) -> Iterator[str]:
    if volumes.large and number == len(volumes.files):
        yield sentences.export_large(volumes.large)
