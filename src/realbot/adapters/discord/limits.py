"""/realbot limits: what requests may ask for in a server, in one of its channels, or with one of its roles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from realbot.adapters import notices, words
from realbot.adapters.bounds import BOUNDS, GROUPS, RESET, Bound, lent
from realbot.adapters.discord import marked, panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.errors import Invalid, NotYours
from realbot.grammar import nearest
from realbot.jobs import Origin, User
from realbot.places import PlaceRules
from realbot.studio import Studio

#: Roles that a server's table names.
NAMED = 20


class Anywhere(app_commands.Transformer):
    """A channel in which pictures may be asked for, as Discord hands it over."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        kinds = discord.ChannelType
        return [kinds.text, kinds.news, kinds.voice, kinds.stage_voice, kinds.forum]

    async def transform(self, interaction: Interaction, value: Any, /) -> app_commands.AppCommandChannel:
        chosen: app_commands.AppCommandChannel = value
        return chosen


Channel: TypeAlias = app_commands.Transform[app_commands.AppCommandChannel, Anywhere]


@dataclass(frozen=True, slots=True)
class Here:
    """What the limits are settled for: a server, or a channel or a role of it. `mention` is empty for the server."""

    server: str
    key: str
    mention: str = ""
    name: str = ""
    channel: str = ""
    role: str = ""

    @property
    def origin(self) -> Origin:
        return Origin(place.PLATFORM, place=self.channel, server=self.server.partition(":")[2])

    @property
    def user(self) -> User | None:
        """Somebody with this role."""
        return User(place.PLATFORM, "", roles=frozenset({self.role})) if self.role else None

    @property
    def where(self) -> str:
        return notices.for_role(self.mention) if self.role else notices.where(self.mention)


class Limits:
    """The command."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def command(self) -> app_commands.Command[Any, ..., Any]:
        command: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name=locale_str("limits"),
            description=locale_str("What requests may ask for here; shows or changes it"),
            callback=self.limits,
        )
        command.autocomplete("name")(self._names)
        command.autocomplete("value")(self._values)
        return command

    @app_commands.rename(
        name=locale_str("name"), value=locale_str("value"), channel=locale_str("channel"), role=locale_str("role")
    )
    @app_commands.describe(
        name=locale_str("Which limit; leave it out to see them all"),
        value=locale_str("Its new value, or reset; leave it out to see the present one"),
        channel=locale_str("For this channel only"),
        role=locale_str("For everybody with this role, in place of the server's own"),
    )
    async def limits(
        self,
        interaction: Interaction,
        name: str = "",
        value: str = "",
        channel: Channel | None = None,
        role: discord.Role | None = None,
    ) -> None:
        async with panels.speaking(interaction):
            here = _here(interaction, channel, role)
            if not name and value:
                raise Invalid(notices.value_missing())
            if not name:
                await self._table(interaction, here)
                return
            bound = BOUNDS.get(name.strip().casefold())
            if bound is None:
                near = nearest(name, BOUNDS)
                raise Invalid(notices.no_limit(name[:40]), word=name[:100], nearest=near)
            if here.role and not lent(bound):
                raise Invalid(notices.not_for_roles())
            if value:
                await self._settle(here, place.user(interaction), bound, value)
            say = marked.changed if value else marked.shown
            now, span = self._bound(bound, here)
            told = [say(bound.label, now, span, here.where), notices.from_now_on() if value else ""]
            await panels.tell(interaction, " ".join(filter(None, told)))

    async def _settle(self, here: Here, by: User, bound: Bound, value: str) -> None:
        changes: dict[str, Any] = {bound.section: {bound.name: bound.read(value)}}
        if here.role:
            await self._studio.lend(here.key, here.server, by, **changes)
        else:
            await self._studio.rule(here.key, by, **changes)

    async def _names(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        """The limits whose names hold what was typed, those that begin with it first."""
        if not place.administers(interaction):
            return []
        sought = typed.strip().casefold()
        found = [bound for bounds in GROUPS.values() for bound in bounds if sought in bound.label]
        found.sort(key=lambda bound: not bound.label.startswith(sought))
        here = _typed(interaction)
        found = [bound for bound in found if not here.role or lent(bound)]
        return [
            Choice(name=f"{bound.label} · {self._bound(bound, here)[0]}"[:100], value=bound.label)
            for bound in found[:25]
        ]

    async def _values(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        bound = BOUNDS.get(getattr(interaction.namespace, "name", "") or "")
        if bound is None or not place.administers(interaction):
            return []
        here = _typed(interaction)
        if here.role and not lent(bound):
            return []
        with words.language(interaction.locale.value):
            now, span = self._bound(bound, here)
            offered = {now: f"{now} ({span})", RESET: notices.take_back()}
        if typed and typed not in offered:
            offered = {typed[:100]: typed, **offered}
        granted = self._studio.granted(here.origin, here.user)
        more = [one for one in bound.offered(granted[bound.section]) if one not in offered]
        offered |= {one: one for one in more if one.startswith(typed)}
        return [Choice(name=label[:100], value=value) for value, label in list(offered.items())[:25]]

    def _bound(self, bound: Bound, here: Here) -> tuple[str, str]:
        """The value in force and what it may be."""
        now = self._studio.settled(here.origin, here.user)[bound.section]
        return bound.shown(now), bound.span(self._studio.granted(here.origin, here.user)[bound.section])

    async def _table(self, interaction: Interaction, here: Here) -> None:
        rules = await self._studio.place(here.key)
        title = notices.limits_role(f"@{here.name}") if here.role else notices.limits_title(here.name)
        embed = discord.Embed(title=title[:256], colour=panels.COLOUR)
        for name, bounds in GROUPS.items():
            lines = [self._line(bound, here, rules) for bound in bounds if not here.role or lent(bound)]
            if lines:
                embed.add_field(name=notices.GROUPS[name], value="\n".join(lines)[:1024], inline=False)
        roles = self._studio.roles(here.server) if here.key == here.server else []
        if roles:
            mentions = ", ".join(f"<@&{one.key.rpartition(':')[2]}>" for one in roles[:NAMED])
            embed.description = notices.roles_with_limits(mentions)
        embed.set_footer(text=notices.role_hint() if here.role else notices.limits_hint())
        await panels.show(interaction, embeds=[embed])

    def _line(self, bound: Bound, here: Here, rules: PlaceRules) -> str:
        return marked.limit(bound.label, *self._bound(bound, here), own=bound.own(rules))


def _typed(interaction: Interaction) -> Here:
    """What an administrator is about to settle: while they type, Discord tells no more of a choice than its id."""
    here, guild, given = _here(interaction, None, None), interaction.guild, interaction.namespace
    channel, role = (str(getattr(getattr(given, name, None), "id", "")) for name in ("channel", "role"))
    if role and not channel:
        return replace(here, key=f"{place.PLATFORM}:role:{role}", role=role)
    # What holds in a channel of another server is nothing for people here.
    if channel and not role and guild is not None and guild.get_channel(int(channel)) is not None:
        return replace(here, key=f"{place.PLATFORM}:{channel}", channel=channel)
    return here


def _here(interaction: Interaction, channel: Channel | None, role: discord.Role | None) -> Here:
    """What an administrator settles. Raises NotYours for anybody else, and for a channel of another server."""
    server = place.administered(interaction)
    if channel is not None and role is not None:
        raise Invalid(notices.channel_or_role())
    if channel is not None:
        if channel.guild_id != interaction.guild_id:
            raise NotYours(notices.foreign_channel())
        number = str(channel.id)
        return Here(server, f"{place.PLATFORM}:{number}", f"<#{number}>", f"#{channel.name}", channel=number)
    if role is not None:
        number = str(role.id)
        return Here(server, f"{place.PLATFORM}:role:{number}", role.mention, role.name, role=number)
    return Here(server, server)
