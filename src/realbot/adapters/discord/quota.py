"""/quota: what a person may still ask for, and when more comes back; /realbot quota: of somebody else, handed back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from realbot.adapters import allowances, sentences
from realbot.adapters.discord import markup, panels, place
from realbot.adapters.discord.card import BAD, GOOD
from realbot.adapters.discord.panels import Interaction
from realbot.errors import Invalid
from realbot.jobs import User
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front
    from realbot.budget import Purse

ACTIONS = [Choice(name=locale_str("show"), value="show"), Choice(name=locale_str("reset"), value="reset")]


class Quota:
    """Both commands and the panel."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def own(self) -> app_commands.Command[Any, ..., Any]:
        return app_commands.Command(
            name=locale_str("quota"),
            description=locale_str("What you may still ask for, and when more comes back"),
            callback=self.show,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )

    def others(self) -> app_commands.Command[Any, ..., Any]:
        return app_commands.Command(
            name=locale_str("quota"),
            description=locale_str("What somebody may still ask for here; hands it back"),
            callback=self.of,
        )

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"quota": self.press}

    async def show(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            await self._own(interaction)

    async def press(self, interaction: Interaction, _verb: str, _given: tuple[str, ...], _chosen: list[str]) -> None:
        """Look again."""
        await self._own(interaction)

    @app_commands.rename(person=locale_str("person"), action=locale_str("action"))
    @app_commands.describe(
        person=locale_str("Whose; of somebody who is not here any more by their number"),
        action=locale_str("reset: what they have asked for so far does not count here any more"),
    )
    @app_commands.choices(action=ACTIONS)
    async def of(self, interaction: Interaction, person: discord.User, action: str = "show") -> None:
        async with panels.speaking(interaction):
            by, server = place.user(interaction), place.administered(interaction)
            if person.bot:
                raise Invalid(allowances.whom())
            roles = {str(role.id) for role in person.roles} if isinstance(person, discord.Member) else set()
            if place.owns(interaction.client, person.id):
                roles.add("owners")
            whom = User(place.PLATFORM, str(person.id), person.display_name, frozenset(roles))
            note = ""
            if action == "reset":
                # Whose bot it is hands back what counts everywhere.
                everywhere = "owners" in by.roles
                await self._studio.budget.reset(whom, by, None if everywhere else server)
                note = allowances.handed_back(person.mention, everywhere=everywhere)
            purse = await self._studio.budget.purse(whom, place.origin(interaction))
            name = markup.escaped(person.display_name, 64) or str(person.id)
            await panels.show(interaction, note or None, embeds=[card(purse, name)])

    async def _own(self, interaction: Interaction) -> None:
        user, origin = place.user(interaction), place.origin(interaction)
        purse = await self._studio.budget.purse(user, origin)
        view = panels.panel([panels.button(sentences.refresh(), "quota", "look", emoji="🔄")])
        await panels.show(interaction, embeds=[card(purse)], view=view)


def card(purse: Purse, name: str = "") -> discord.Embed:
    """Each limit in force with what is used of it, what is left, and when it comes back.

    `name` is whose it is, escaped already, where somebody else reads it.
    """
    own = not name
    title = allowances.title() if own else allowances.title_of(name)
    spent = any(one.left < 1 for one in purse.allowances) and not purse.exempt
    embed = discord.Embed(title=title, colour=BAD if spent else GOOD)
    told = [allowances.exempt(own=own)] if purse.exempt else []
    if not purse.allowances:
        told.append(allowances.unlimited(own=own))
    if purse.rested is not None:
        told.append(allowances.rested(_when(purse.rested), own=own))
    embed.description = "\n".join(told) or None
    for one in purse.allowances:
        back = allowances.back(one).format(when=_when(one.frees), whole=_when(one.whole))
        lines = [f"`{allowances.bar(one)}`", allowances.used(one), back]
        embed.add_field(name=allowances.name(one.quota), value="\n".join(filter(None, lines)), inline=False)
    embed.set_footer(text=allowances.waiting(purse, own=own))
    return embed


def _when(moment: float | None) -> str:
    return "" if moment is None else f"<t:{int(moment)}:R>"


def register(front: Front) -> None:
    quota = Quota(front.studio)
    front.tree.add_command(quota.own())
    panels.attach(front.client, quota.handlers())
