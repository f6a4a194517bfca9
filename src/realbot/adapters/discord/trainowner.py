"""What the owner of a trained style does with it from its card in /styles, also when the training's card is gone."""

from __future__ import annotations

from typing import Final

import discord

from realbot.adapters import captions, lessonwords, sentences
from realbot.adapters.discord import panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.discord.trained import send
from realbot.errors import NotYours
from realbot.places import EVERYWHERE
from realbot.studio import Studio

#: The verbs of the buttons, those of the question included.
VERBS: Final = frozenset({"share", "unshare", "publish", "unpublish", "metrics", "weights", "remove", "removed"})
#: After which of them the style's card is shown again.
SHOWN: Final = frozenset({"share", "unshare", "publish", "unpublish"})


class Owner:
    """One for the gallery. Whose a style is, the studio says of whoever presses."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def controls(self, interaction: Interaction, name: str, page: int) -> list[panels.PanelButton | panels.PanelMenu]:
        """The buttons of a style that is the person's own, none for any other; `page` is the gallery's."""
        user, server = place.user(interaction), place.origin(interaction).server_key
        found = next((one for one in self._studio.trained(user) if one.name == name), None)
        if found is None:
            return []

        def button(label: str, verb: str) -> panels.PanelButton:
            return panels.button(label, "styles", verb, page, name, row=1)

        controls: list[panels.PanelButton | panels.PanelMenu] = []
        if server:
            verb = "unshare" if server in found.shared else "share"
            controls.append(button(lessonwords.button(f"{verb}_server"), verb))
        if "owners" in user.roles:
            verb = "unpublish" if EVERYWHERE in found.shared else "publish"
            controls.append(button(lessonwords.button(verb), verb))
        controls += [button(lessonwords.button(verb), verb) for verb in ("metrics", "weights")]
        return [*controls, button(lessonwords.button("delete"), "remove")]

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...]) -> bool:
        """Do it; whether the gallery is to be shown again. Raises Refused."""
        user, origin = place.user(interaction), place.origin(interaction)
        page, name, question = (*arguments, "", "", "")[:3]
        match verb:
            case "share" | "unshare":
                await self._studio.share(user, name, origin, verb == "share")
            case "publish" | "unpublish":
                if "owners" not in user.roles:
                    raise NotYours
                await self._studio.publish(user, name, verb == "publish")
            case "metrics":
                await send(interaction, name, self._studio.metrics(user, name), f"{name}.csv", lessonwords.metrics())
                return False
            case "weights":
                path = self._studio.weights(user, name)
                await send(interaction, name, path, path.name, lessonwords.weights())
                return False
            case "remove":
                self._studio.owned(user, name)
                asked = await self._studio.action("discard", user=user, detail=name, uses=1, days=panels.QUESTION)
                yes, danger = captions.button("confirm"), discord.ButtonStyle.danger
                controls = [
                    panels.button(yes, "styles", "removed", page, name, asked, style=danger),
                    panels.button(sentences.back(), "styles", "list", page),
                ]
                await panels.show(interaction, lessonwords.really(name), view=panels.panel(controls))
                return False
            case _:
                asked_of = await self._studio.acted(question, user)
                if (asked_of.verb, asked_of.detail) != ("discard", name):
                    raise NotYours
                await self._studio.discard(user, name)
        return True
