"""/link: one person with several accounts, here and on Telegram. What it shows is seen by that person alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import sentences
from realbot.adapters.discord import panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.errors import NotYours
from realbot.jobs import User
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front


def register(front: Front) -> None:
    links = Links(front.studio)
    for command in links.commands():
        front.tree.add_command(command)
    panels.attach(front.client, links.handlers())


class Links:
    """The command and its panel."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def commands(self) -> list[app_commands.Command[Any, ..., Any]]:
        command = app_commands.Command[Any, ..., Any](
            name=locale_str("link"),
            description=locale_str("One history, with the same favourites and defaults, here and on Telegram"),
            callback=self.link,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        return [command]

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"link": self.press}

    @app_commands.rename(code=locale_str("code"))
    @app_commands.describe(code=locale_str("The code that your other account shows; leave it out to get one"))
    async def link(self, interaction: Interaction, code: app_commands.Range[str, 0, 40] = "") -> None:
        async with panels.speaking(interaction):
            user = place.user(interaction)
            if code:
                await self._studio.link(user, code)
            await self._show(interaction, user, made=not code)

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], _chosen: list[str]) -> None:
        """Show a new code; ask whether the presser's account shall leave, and take it out. Raises Refused."""
        user = place.user(interaction)
        match verb:
            case "leave":
                await self._ask(interaction, user)
            case "unlink":
                question = await self._studio.acted(arguments[0] if arguments else "", user)
                if question.verb != "unlink":
                    raise NotYours
                left = await self._studio.unlink(user)
                await panels.show(interaction, sentences.link_left() if left else sentences.link_none())
            case _:
                await self._show(interaction, user, made=verb == "code")

    async def _show(self, interaction: Interaction, user: User, *, made: bool) -> None:
        """The linked accounts, and with `made` a code for one more."""
        keys = await self._studio.linked(user)
        lines = [f"- {sentences.account(key)}" for key in keys] or [sentences.link_none()]
        embed = discord.Embed(title=sentences.link_title(), description="\n".join(lines), colour=panels.COLOUR)
        controls = []
        if made:
            code = await self._studio.link_code(user)
            how = sentences.link_how().format(discord=f"`/link code:{code}`", telegram=f"`/link {code}`")
            embed.add_field(name=sentences.link_code(), value=f"`{code}`\n{how}", inline=False)
            embed.set_footer(text=sentences.link_what())
        else:
            controls.append(panels.button(sentences.link_more(), "link", "code"))
        if keys:
            controls.append(panels.button(sentences.link_leave(), "link", "leave", emoji="✂️"))
        await panels.show(interaction, embeds=[embed], view=panels.panel(controls) if controls else None)

    async def _ask(self, interaction: Interaction, user: User) -> None:
        question = await self._studio.action("unlink", user=user, uses=1, days=panels.QUESTION)
        yes = panels.button(sentences.link_leave(), "link", "unlink", question, style=discord.ButtonStyle.danger)
        view = panels.panel([yes, panels.button(sentences.link_stay(), "link", "stay")])
        await panels.show(interaction, sentences.link_question(), view=view)
