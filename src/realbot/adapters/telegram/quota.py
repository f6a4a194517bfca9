"""/quota: what a person may still ask for, and when more comes back; administrators see and hand back that of others.

In a group it is what holds there, with the limits of the group. What somebody else has used is shown in the private
chat only, because in a group everybody reads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telegram import MessageEntity

from realbot.adapters import allowances, sentences
from realbot.adapters.plain import plain
from realbot.adapters.telegram import place, sayings
from realbot.adapters.telegram.bans import Bans
from realbot.adapters.telegram.links import way
from realbot.adapters.telegram.privacy import QUESTION
from realbot.adapters.telegram.screens import Screen, Viewer, to
from realbot.adapters.telegram.text import Piece, Text, bold, dead, filled, small
from realbot.adapters.telegram.trainers import called
from realbot.errors import Invalid
from realbot.jobs import Origin, User

if TYPE_CHECKING:
    from realbot.adapters.telegram import Front
    from realbot.adapters.telegram.asked import Asked
    from realbot.budget import Purse

    from .rules import Here


def register(front: Front) -> None:
    quota = Quota(front, Bans(front))
    front.command("quota", quota.show)
    front.screens.add("quota", quota.draw)


class Quota:
    """The command and its screen, and the screen of administrators."""

    def __init__(self, front: Front, bans: Bans) -> None:
        """`bans` know who is meant by what is said after a command."""
        self._front, self._studio, self._bans = front, front.studio, bans

    async def show(self, asked: Asked) -> None:
        await self._front.screens.open(asked, "quota")

    async def draw(self, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """What is left of each limit in force there."""
        user = await self._front.rights.known(viewer.user, viewer.origin, self._studio)
        purse = await self._studio.budget.purse(user, viewer.origin)
        return Screen(card(purse), [[to(f"🔄 {sentences.refresh()}", "quota")]])

    async def meant(self, asked: Asked, _verb: str, rest: str, here: Here) -> dict[str, Any]:
        """The state of the screen that a command asks for. Raises Invalid for a name that nobody has."""
        said = [word for word in rest.split() if word.casefold() != "reset"]
        number, _rest = await self._bans.whom(asked, " ".join(said), here)
        number = number or next(filter(str.isdecimal, said), "")
        return {"at": "quota", "whom": number, "reset": len(said) < len(rest.split())}

    async def others(self, here: Here, viewer: Viewer, state: dict[str, Any]) -> Screen:
        """The same of somebody else, after it was handed back. The caller has checked who asks. Raises Invalid."""
        number = str(state.get("whom", ""))
        if not number.isdecimal():
            raise Invalid(f"{allowances.whom()} {sayings.quota_typed()}")
        name = plain(await called(viewer.bot, here, number), 64)
        origin = here.origin or Origin(place.PLATFORM)
        whom = await self._front.rights.known(User(place.PLATFORM, number), origin, self._studio)
        note = ""
        if state.get("reset"):
            by = self._front.rights.owning(viewer.user)
            # Whose bot it is hands back what counts everywhere.
            everywhere = "owners" in by.roles
            await self._studio.budget.reset(whom, by, None if everywhere else here.key)
            note = allowances.handed_back(name, everywhere=everywhere)
        if not here.everywhere and not viewer.private:
            shown = way(self._front, "quota", here, allowances.title_of(name), number)
            return Screen(dead(note or sayings.aside()), [[shown]])
        purse = await self._studio.budget.purse(whom, origin)
        text = card(purse, name)
        give = replace(
            to(f"↩ {allowances.hand_back()}", "realbot", style="danger", uses=1, at="quota", whom=number, reset=True,
               **here.about),
            days=QUESTION,
        )  # fmt: skip
        return Screen(text, [[give], *([[here.back()]] if here.everywhere else [])], note=note)


def card(purse: Purse, name: str = "") -> Text:
    """Each limit in force with what is used of it, what is left, and when it comes back.

    `name` is whose it is, where somebody else reads it.
    """
    own = not name
    title = bold(allowances.title()) if own else dead(allowances.title_of(name), MessageEntity.BOLD)
    parts: list[str | Piece | Text] = [title]
    if purse.exempt:
        parts.append(allowances.exempt(own=own))
    if not purse.allowances:
        parts.append(allowances.unlimited(own=own))
    if purse.rested is not None:
        parts.append(filled(allowances.rested("{when}", own=own), when=sayings.moment(purse.rested)))
    for one in purse.allowances:
        parts += [Text("\n", bold(allowances.name(one.quota))), allowances.bar(one), allowances.used(one)]
        if one.frees is not None and one.whole is not None:
            moments = {"when": sayings.moment(one.frees), "whole": sayings.moment(one.whole)}
            parts.append(filled(allowances.back(one), **moments))
    parts.append(Text("\n", small(allowances.waiting(purse, own=own))))
    return Text.lines(parts)
