"""/link: one person with several accounts, here and on Discord. Codes are shown and entered in the private chat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realbot.adapters import sentences, words
from realbot.adapters.telegram import sayings
from realbot.adapters.telegram.links import alone, aside
from realbot.adapters.telegram.privacy import QUESTION
from realbot.adapters.telegram.screens import Key, Screen, Viewer, to
from realbot.adapters.telegram.text import Text, bold, code, dead, small
from realbot.errors import Refused

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked


#: Characters of what may be a code.
CODE = 40


def register(front: Front) -> None:
    links = Links(front)
    front.command("link", links.link)
    front.screens.add("link", links.draw)


class Links:
    """The command and its screens."""

    def __init__(self, front: Front) -> None:
        self._front, self._studio = front, front.studio

    async def link(self, asked: Asked) -> None:
        """Show a code, or ask whether the one after the command is to be used. Raises Refused for a wrong one."""
        if not asked.private:
            # A code that others have read is used up here, before they can.
            if asked.text:
                await self._studio.link(asked.user, asked.text)
            await aside(self._front, asked, "link", sayings.linked_aside() if asked.text else "")
            return
        await self._front.screens.open(asked, "link", **({"code": asked.text[:CODE]} if asked.text else {}))

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """The linked accounts with a code for one more; whether one shall be linked or leave; that it has."""
        alone(viewer)
        if "code" in state:
            yes = to(sayings.link_yes(), "link", style="primary", uses=1, use=state["code"])
            rows = [[to(sayings.link_no(), "link", linked=True), replace(yes, days=QUESTION)]]
            return Screen(sayings.link_question(), rows)
        if "use" in state:
            try:
                await self._studio.link(viewer.user, str(state["use"]))
            except Refused as error:
                return Screen(dead(words.refusal(error)), [[to(sentences.link_title(), "link", linked=True)]])
            state = {"linked": True}
        if state.get("unlink"):
            text = sentences.link_left() if await self._studio.unlink(viewer.user) else sentences.link_none()
            return Screen(Text(text))
        keys = await self._studio.linked(viewer.user)
        if state.get("ask") and keys:
            yes = to(sentences.link_leave(), "link", style="danger", uses=1, unlink=True)
            question = Text(sentences.link_question())
            return Screen(question, [[replace(yes, days=QUESTION)], [to(sentences.link_stay(), "link", linked=True)]])
        accounts = Text.lines(f"• {sentences.account(key)}" for key in keys)
        own = Text.lines([bold(sentences.link_title()), accounts or sentences.link_none()])
        leave = [[to(f"✂ {sentences.link_leave()}", "link", ask=True)]] if keys else []
        if state.get("linked"):
            return Screen(own, [[to(sentences.link_more(), "link")], *leave])
        made = await self._studio.link_code(viewer.user)
        one_more = Text(sentences.link_code(), " ", code(made))
        shown = Text.lines([own, one_more, sayings.link_how(made), small(sentences.link_what())])
        return Screen(shown, [[Key(f"📋 {made}", copy=made)], *leave])
