"""/realbot ban, unban and bans: in a server for its administrators, everywhere for the bot's owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from realbot.adapters import banwords, sentences, words
from realbot.adapters.discord import markup, panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.bans import Ban
from realbot.errors import NotYours
from realbot.jobs import User
from realbot.spans import span
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

#: Bans on a page; a menu has 25 lines at most.
PAGE = 8
#: Characters of one of them, without the signs between its parts: all of them fit one embed.
ROOM = 4096 // PAGE - 12


def register(front: Front) -> None:
    """Add the commands to those of administrators, which are there already."""
    bans, group = Bans(front.studio), front.tree.get_command("realbot")
    assert isinstance(group, app_commands.Group)
    for command in bans.commands():
        group.add_command(command)
    panels.attach(front.client, bans.handlers())


class Bans:
    """The commands and the panel."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def commands(self) -> list[app_commands.Command[Any, ..., Any]]:
        ban = app_commands.Command[Any, ..., Any](
            name=locale_str("ban"),
            description=locale_str("Let a person ask for nothing here; what they have waiting is cancelled"),
            callback=self.ban,
        )
        ban.autocomplete("duration")(self._spans)
        unban = app_commands.Command[Any, ..., Any](
            name=locale_str("unban"), description=locale_str("Let a person ask again"), callback=self.unban
        )
        every = app_commands.Command[Any, ..., Any](
            name=locale_str("bans"), description=locale_str("Who is banned, until when and why"), callback=self.bans
        )
        return [ban, unban, every]

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"bans": self.press}

    @app_commands.rename(
        person=locale_str("person"),
        duration=locale_str("duration"),
        reason=locale_str("reason"),
        everywhere=locale_str("everywhere"),
    )
    @app_commands.describe(
        person=locale_str("Who; somebody who is not here any more by their number"),
        duration=locale_str("For how long, such as 2h or 3 days; for good when left out"),
        reason=locale_str("Why; they are told"),
        everywhere=locale_str("In every server; for owners of the bot"),
    )
    async def ban(
        self,
        interaction: Interaction,
        person: discord.User,
        duration: app_commands.Range[str, 0, 40] = "",
        reason: app_commands.Range[str, 0, 300] = "",
        everywhere: bool = False,
    ) -> None:
        async with panels.speaking(interaction):
            key, by = where(interaction, everywhere=everywhere), place.user(interaction)
            ban, ended = await self._studio.gate.ban(
                _user(interaction, person), key, by, seconds=span(duration), reason=reason
            )
            told = banwords.done(everywhere=key is None, good=ban.until is None)
            lines = [told.format(whom=f"<@{person.id}>", when=_moment(ban))]
            if ban.reason:
                lines.append(f"> {markup.escaped(ban.reason)}")
            if ended:
                lines.append(banwords.ended(ended))
            scope = _scope(everywhere=key is None)
            view = panels.panel(
                [
                    panels.button(banwords.lift_it(), "bans", "undo", scope, ban.subject, emoji="↩️"),
                    panels.button(banwords.every(), "bans", "page", scope, 0),
                ]
            )
            await panels.show(interaction, embeds=[_embed("", lines)], view=view)

    async def _spans(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        with words.language(interaction.locale.value):
            offered = [Choice(name=banwords.span(one), value=one) for one in banwords.SPANS]
        own = [Choice(name=typed[:40], value=typed[:40])] if typed.strip() else []
        return own + [one for one in offered if typed.casefold() in one.name.casefold() or own]

    @app_commands.rename(person=locale_str("person"), everywhere=locale_str("everywhere"))
    @app_commands.describe(
        person=locale_str("Who may ask again"), everywhere=locale_str("In every server; for owners of the bot")
    )
    async def unban(self, interaction: Interaction, person: discord.User, everywhere: bool = False) -> None:
        async with panels.speaking(interaction):
            key = where(interaction, everywhere=everywhere)
            await self._studio.gate.lift(_user(interaction, person).key, key, place.user(interaction))
            await panels.tell(interaction, banwords.lifted(everywhere=key is None).format(whom=f"<@{person.id}>"))

    @app_commands.rename(everywhere=locale_str("everywhere"))
    @app_commands.describe(everywhere=locale_str("In every server; for owners of the bot"))
    async def bans(self, interaction: Interaction, everywhere: bool = False) -> None:
        async with panels.speaking(interaction):
            await self._show(interaction, where(interaction, everywhere=everywhere), 0)

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], chosen: list[str]) -> None:
        """Turn a page, or lift a ban and show what is left. Raises NotYours, and Invalid for one that is gone."""
        scope, value = (*arguments, "", "")[:2]
        key, note = where(interaction, everywhere=scope == "all"), ""
        # What stands between colons in an id has lost its own.
        subject = (chosen[0] if chosen else value).replace(" ", ":") if verb in ("lift", "undo") else ""
        if subject:
            lifted = await self._studio.gate.lift(subject, key, place.user(interaction))
            note = banwords.lifted(everywhere=key is None).format(whom=_mention(lifted))
        await self._show(interaction, key, int(value) if not subject and value.isdecimal() else 0, note)

    async def _show(self, interaction: Interaction, key: str | None, page: int, note: str = "") -> None:
        bans, scope = self._studio.gate.bans(key), _scope(everywhere=key is None)
        last = max(0, -(-len(bans) // PAGE) - 1)
        page = min(page, last)
        here = bans[page * PAGE : (page + 1) * PAGE]
        title = banwords.title(everywhere=key is None)
        embed = _embed(f"{title} · {len(bans)}" if bans else "", [*map(_line, here)])
        if not bans:
            embed.description = banwords.nobody(everywhere=key is None)
        if last:
            embed.set_footer(text=f"{page + 1}/{last + 1}")
        controls: list[panels.PanelButton | panels.PanelMenu] = []
        if here:
            options = [
                discord.SelectOption(label=_called(ban), value=ban.subject, description=markup.plain(ban.reason, 100))
                for ban in here
            ]
            controls.append(panels.menu(banwords.lift(), "bans", "lift", scope, options=options, row=0))
        if last:
            turns = ((sentences.newer(), "newer", page - 1, "◀️"), (sentences.older(), "older", page + 1, "▶️"))
            for label, verb, to, emoji in turns:
                disabled = not 0 <= to <= last
                controls.append(
                    panels.button(label, "bans", verb, scope, max(to, 0), emoji=emoji, disabled=disabled, row=1)
                )
        await panels.show(interaction, note or None, embeds=[embed], view=panels.panel(controls) if controls else None)


def where(interaction: Interaction, *, everywhere: bool) -> str | None:
    """The key of the server in which an administrator of it stands; None for an owner of the bot who means everywhere.

    Raises NotYours for anybody else.
    """
    if everywhere:
        if not place.owns(interaction.client, interaction.user.id):
            raise NotYours(banwords.owners_only())
        return None
    return place.administered(interaction)


def _user(interaction: Interaction, person: discord.User | discord.Member) -> User:
    """Somebody who is named, with what they are to the bot."""
    roles = frozenset({"owners"} if place.owns(interaction.client, person.id) else ())
    return User(place.PLATFORM, str(person.id), person.display_name, roles)


def _scope(*, everywhere: bool) -> str:
    return "all" if everywhere else "here"


def _embed(title: str, lines: Sequence[str]) -> discord.Embed:
    return discord.Embed(title=title or None, description="\n".join(lines), colour=panels.COLOUR)


def _line(ban: Ban) -> str:
    """A ban in two lines: whom it holds for, until when and why; then by whom."""
    told = [f"**{_mention(ban)}**", _until(ban)]
    by = banwords.by().format(who=_author(ban.author), when=f"<t:{int(ban.at)}:R>")
    reason = [_reason(ban.reason, ROOM - len("".join((*told, by))))] if ban.reason else []
    return f"• {' · '.join([*told, *reason])}\n\u2003{by}"


def _reason(text: str, room: int) -> str:
    """Why somebody is banned, in as many characters as there is room for: each may take two to be shown as it is."""
    shown = markup.escaped(text, 200)
    return shown if len(shown) <= room else markup.escaped(text, room // 2 - 1)


def _until(ban: Ban) -> str:
    return banwords.good() if ban.until is None else banwords.until().format(when=_moment(ban))


def _moment(ban: Ban) -> str:
    """When it is over, in the reader's own time."""
    return f"<t:{int(ban.until or 0)}:f>"


def _mention(ban: Ban) -> str:
    platform, _sign, number = ban.subject.partition(":")
    if platform == place.PLATFORM:
        return f"<@{number}>"
    return markup.escaped(ban.name, 64) or (markup.escaped(ban.subject, 64) if number else banwords.somebody())


def _called(ban: Ban) -> str:
    number = ban.subject.partition(":")[2]
    return markup.plain(ban.name, 80) or (ban.subject if number else banwords.somebody())[:100]


def _author(key: str) -> str:
    platform, _sign, number = key.partition(":")
    return f"<@{number}>" if platform == place.PLATFORM else markup.escaped(key, 64) or "–"
