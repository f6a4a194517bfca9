"""/realbot training: whom the administrators of a server let train styles there, beside themselves."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import lessonwords
from realbot.adapters.discord import panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.errors import Invalid
from realbot.rulebook import Training
from realbot.studio import Studio

#: Roles and people that an answer names.
NAMED = 60


class Trainers:
    """The command."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def command(self) -> app_commands.Command[Any, ..., Any]:
        return app_commands.Command(
            name=locale_str("training"),
            description=locale_str("Who may train styles in this server; its limits are under limits"),
            callback=self.training,
        )

    @app_commands.rename(action=locale_str("action"), role=locale_str("role"), person=locale_str("person"))
    @app_commands.describe(
        action=locale_str("allow: they may; deny: they may not any more; reset: administrators alone"),
        role=locale_str("Everybody with this role"),
        person=locale_str("This person"),
    )
    @app_commands.choices(action=panels.ACTIONS)
    async def training(
        self,
        interaction: Interaction,
        action: str = "show",
        role: discord.Role | None = None,
        person: discord.Member | None = None,
    ) -> None:
        async with panels.speaking(interaction):
            key, user = place.administered(interaction), place.user(interaction)
            rules = await self._studio.place(key)
            chosen = [str(one.id) for one in (role, person) if one is not None]
            if action in ("allow", "deny") and not chosen:
                raise Invalid(lessonwords.whom())
            if action != "show":
                kept = [one for one in rules.trainers if action != "reset" and one not in chosen]
                rules = await self._studio.rule(key, user, trainers=kept + (chosen if action == "allow" else []))
            everywhere = self._studio.settled(place.origin(interaction))["training"]
            roles = everywhere.roles if isinstance(everywhere, Training) else ()
            known = {str(one.id) for one in getattr(interaction.guild, "roles", ())}
            names = [f"<@&{one}>" if one in known else f"<@{one}>" for one in rules.trainers[:NAMED]]
            await panels.tell(interaction, lessonwords.trainers(", ".join(names), roles))
