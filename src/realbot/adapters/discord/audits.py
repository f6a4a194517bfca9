"""/realbot audit: who changed what in a server, for its administrators; everywhere, for the bot's owners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import banwords, deeds, sentences
from realbot.adapters.deeds import Deed
from realbot.adapters.discord import markup, panels, place
from realbot.adapters.discord.bans import where
from realbot.adapters.discord.panels import Interaction
from realbot.audit import Change
from realbot.places import EVERYWHERE
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

#: Changes on a page at most.
PAGE = 10


def register(front: Front) -> None:
    """Add the command to those of administrators, which are there already."""
    audits, group = Audits(front.studio), front.tree.get_command("realbot")
    assert isinstance(group, app_commands.Group)
    group.add_command(audits.command())
    panels.attach(front.client, audits.handlers())


class Audits:
    """The command and its pages."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def command(self) -> app_commands.Command[Any, ..., Any]:
        return app_commands.Command(
            name=locale_str("audit"),
            description=locale_str("Who changed what here within a year"),
            callback=self.audit,
        )

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"audit": self.press}

    @app_commands.rename(everywhere=locale_str("everywhere"))
    @app_commands.describe(everywhere=locale_str("In every server; for owners of the bot"))
    async def audit(self, interaction: Interaction, everywhere: bool = False) -> None:
        async with panels.speaking(interaction):
            await self._show(interaction, None, everywhere=everywhere)

    async def press(self, interaction: Interaction, _verb: str, arguments: tuple[str, ...], _chosen: list[str]) -> None:
        """Turn a page. Raises NotYours."""
        scope, before = (*arguments, "", "")[:2]
        seq = int(before) if before.isdecimal() and len(before) < 16 else None
        await self._show(interaction, seq or None, everywhere=scope == "all")

    async def _show(self, interaction: Interaction, before: int | None, *, everywhere: bool) -> None:
        key = where(interaction, everywhere=everywhere)
        within = () if key is None else _within(interaction)
        changes = await self._studio.audit(key or "", PAGE + 1, before, within=within)
        scope = "all" if everywhere else "here"
        shown: list[Change] = []
        lines: list[str] = []
        for change in changes[:PAGE]:
            more = [*lines, *_lines(interaction, change, key)]
            if shown and len(panels.fitting(more)) < len(more):
                break
            shown, lines = [*shown, change], more
        embed = discord.Embed(
            title=deeds.title(everywhere=everywhere),
            description="\n".join(panels.fitting(lines)) or deeds.nothing(),
            colour=panels.COLOUR,
        )
        older = shown[-1].seq if len(changes) > len(shown) else 0
        controls = [
            panels.button(deeds.latest(), "audit", "latest", scope, 0, emoji="⏮️", disabled=before is None),
            panels.button(sentences.older(), "audit", "older", scope, older, emoji="▶️", disabled=not older),
        ]
        view = panels.panel(controls) if older or before is not None else None
        await panels.show(interaction, embeds=[embed], view=view)


def _within(interaction: Interaction) -> list[str]:
    """The keys of the channels and roles of the server, for which something can be settled too."""
    guild = interaction.guild
    if guild is None:
        return []
    channels = [f"{place.PLATFORM}:{one.id}" for one in (*guild.channels, *guild.threads)]
    return [*channels, *(f"{place.PLATFORM}:role:{role.id}" for role in guild.roles)]


def _lines(interaction: Interaction, change: Change, key: str | None) -> list[str]:
    """What a change did, a sentence a line, and when and where."""
    after = [f"<t:{int(change.at)}:R>"]
    if change.place != key:
        after.append(deeds.place(_place(interaction, change.place)))
    return [f"• {_sentence(deed, change)} · {' · '.join(after)}" for deed in deeds.deeds(change)]


def _sentence(deed: Deed, change: Change) -> str:
    said = {name: f"**{markup.escaped(value, 200)}**" for name, value in deed.values.items()}
    if "name" in said:
        said["name"] = f"`{deed.values['name'].replace('`', '')[:64]}`"
    if "reason" in said:
        said["reason"] = markup.escaped(deed.values["reason"], 200)
    channels = ", ".join(f"<#{one}>" for one in deed.channels)
    said |= {"who": _who(change), "whom": _whom(*deed.whom), "channels": channels}
    return deed.template.format_map({**said, "moment": f"<t:{int(deed.until)}:f>"})


def _who(change: Change) -> str:
    platform, _sign, number = change.by.partition(":")
    if platform == place.PLATFORM:
        return f"<@{number}>"
    return deeds.nameless(change.by) or markup.escaped(change.name or change.by, 64)


def _whom(key: str, name: str) -> str:
    platform, _sign, number = key.partition(":")
    if platform == place.PLATFORM:
        return f"<@{number}>"
    return markup.escaped(name or (key if number else ""), 64) or banwords.somebody()


def _place(interaction: Interaction, key: str) -> str:
    """The name of a place as somebody of this server, or an owner of the bot, knows it; empty for everywhere."""
    if key == EVERYWHERE:
        return ""
    platform, _sign, number = key.partition(":")
    if platform != place.PLATFORM:
        return markup.escaped(key, 64)
    if number.startswith("role:"):
        return f"<@&{number.removeprefix('role:')}>"
    server = interaction.client.get_guild(int(number)) if number.isdecimal() else None
    return f"<#{number}>" if server is None else f"**{markup.escaped(server.name, 64)}**"
