"""/realbot: what those who manage a server settle there. Each change holds at once and is answered with what is now.

Discord hides the commands from everyone else; who really is an administrator is checked again at every one, and the
server is always the one in which the command was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from realbot.adapters import notices, sentences, words
from realbot.adapters.bounds import RESET
from realbot.adapters.discord import markup, panels, place
from realbot.adapters.discord.limits import Channel, Limits
from realbot.adapters.discord.moderators import Moderators
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.discord.quota import Quota
from realbot.adapters.discord.reloads import Reloads
from realbot.adapters.discord.trainers import Trainers
from realbot.errors import Invalid, NotYours
from realbot.grammar import nearest
from realbot.rulebook import Moderation
from realbot.studio import Studio
from realbot.styles import slug

if TYPE_CHECKING:
    from realbot.adapters.discord import Front


#: Characters of a list of words.
WORDS = 4000
#: Characters that are told of what every picture avoids: with a backslash before each they fit into an answer.
AVOIDED = 900


def register(front: Front) -> None:
    admin = Admin(front.studio, lambda: front.health)
    admin.add_command(Limits(front.studio).command())
    admin.add_command(Quota(front.studio).others())
    admin.add_command(Trainers(front.studio).command())
    admin.add_command(Moderators(front.studio).command())
    admin.add_command(Reloads(front.studio).command())
    front.tree.add_command(admin)
    panels.attach(front.client, admin.handlers())


class Admin(app_commands.Group):
    """The commands of a server's administrators."""

    queue = app_commands.Group(
        name=locale_str("queue"), description=locale_str("The requests of this server that are waiting")
    )

    def __init__(self, studio: Studio, health: Callable[[], str]) -> None:
        super().__init__(
            name="realbot",
            description=locale_str("What holds in this server"),
            default_permissions=discord.Permissions(manage_guild=True),
            allowed_contexts=app_commands.AppCommandContext(guild=True),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        self._studio, self._health = studio, health

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"realbot": self.press}

    # Channels, styles, words

    @app_commands.command(
        name=locale_str("channels"), description=locale_str("In which channels pictures may be asked for")
    )
    @app_commands.rename(action=locale_str("action"), channel=locale_str("channel"))
    @app_commands.describe(
        action=locale_str("allow: only in channels that are allowed; deny: not there; reset: no rule for it"),
        channel=locale_str("Which channel; reset without one forgets all of them"),
    )
    @app_commands.choices(action=panels.ACTIONS)
    async def channels(
        self,
        interaction: Interaction,
        action: str = "show",
        channel: Channel | None = None,
    ) -> None:
        async with panels.speaking(interaction):
            key, user = place.administered(interaction), place.user(interaction)
            rules = await self._studio.place(key)
            chosen = _own(interaction, channel)
            if chosen is None and action in ("allow", "deny"):
                raise Invalid(notices.channel_missing())
            if action != "show":
                others = {"allowed": rules.allowed, "denied": rules.denied}
                kept = {
                    name: [one for one in ids if chosen is not None and one != chosen] for name, ids in others.items()
                }
                if action in ("allow", "deny"):
                    kept["allowed" if action == "allow" else "denied"].append(str(chosen))
                rules = await self._studio.rule(key, user, **kept)
            allowed, denied = (", ".join(f"<#{one}>" for one in ids) for ids in (rules.allowed, rules.denied))
            lines = [notices.channels_only(allowed) if allowed else notices.channels_any()]
            if denied:
                lines.append(notices.channels_not(denied))
            await panels.tell(interaction, " ".join(lines)[:2000])

    @app_commands.command(name=locale_str("styles"), description=locale_str("Which styles may be used in this server"))
    @app_commands.rename(action=locale_str("action"), style=locale_str("style"))
    @app_commands.describe(
        action=locale_str("allow: only styles that are allowed; deny: not this one; reset: every style"),
        style=locale_str("Which style"),
    )
    @app_commands.choices(action=panels.ACTIONS)
    async def styles(
        self,
        interaction: Interaction,
        action: str = "show",
        style: str = "",
    ) -> None:
        async with panels.speaking(interaction):
            key, user = place.administered(interaction), place.user(interaction)
            rules = await self._studio.place(key)
            every = [one.name for one in self._studio.styles()]
            if action == "reset":
                rules = await self._studio.rule(key, user, styles=())
            elif action != "show":
                if not style:
                    raise Invalid(notices.style_missing())
                name = _style(style, every)
                if action == "allow":
                    names = [*rules.styles, name]
                else:
                    names = [one for one in rules.styles or every if one != name]
                if not names:
                    raise Invalid(notices.last_style())
                rules = await self._studio.rule(key, user, styles=sorted(set(names)))
            listed = ", ".join(f"`{name}`" for name in rules.styles)
            text = notices.styles_only(listed) if rules.styles else notices.styles_any(len(every))
            await panels.tell(interaction, text[:2000])

    @styles.autocomplete("style")
    async def _styles(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        if not place.administers(interaction):
            return []
        sought = slug(typed)
        names = [style.name for style in self._studio.styles() if sought in style.name]
        return [
            Choice(name=name, value=name) for name in sorted(names, key=lambda one: not one.startswith(sought))[:25]
        ]

    @app_commands.command(name=locale_str("words"), description=locale_str("Words that must not be in a prompt here"))
    @app_commands.rename(avoid=locale_str("avoid"))
    @app_commands.describe(avoid=locale_str("What every picture here must avoid, or reset; else the lists are shown"))
    async def vocabulary(self, interaction: Interaction, avoid: app_commands.Range[str, 0, 1000] = "") -> None:
        async with panels.speaking(interaction):
            key, said = place.administered(interaction), " ".join(avoid.split())
            if said:
                negative = None if said.casefold() == RESET else said
                await self._studio.rule(key, place.user(interaction), moderation={"negative": negative})
                await panels.tell(interaction, notices.words_avoid(markup.escaped(negative or "", AVOIDED)))
                return
            rules = await self._studio.place(key)
            await interaction.response.send_modal(Words(self, rules.moderation))

    async def block(self, interaction: Interaction, lists: Mapping[str, list[str]]) -> None:
        """Keep the lists of words that were changed. Raises NotYours for somebody who is no administrator any more."""
        key = place.administered(interaction)
        known = (await self._studio.place(key)).moderation
        changed = {name: lines or None for name, lines in lists.items() if lines != list(known.get(name, ()))}
        if changed:
            await self._studio.rule(key, place.user(interaction), moderation=changed)
        base = self._studio.settled()["moderation"]
        inherited = len(base.blocked) if isinstance(base, Moderation) else 0
        text = notices.words_changed({name: len(lines) for name, lines in lists.items()})
        if inherited:
            text = f"{text} {notices.words_inherited(inherited)}"
        await panels.tell(interaction, text)

    # The line

    @app_commands.command(name=locale_str("pause"), description=locale_str("Let the requests of this server wait"))
    async def pause(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            key = place.administered(interaction)
            await self._studio.pause(key, place.user(interaction))
            await panels.tell(interaction, notices.paused((await self._studio.stats(key)).waiting))

    @app_commands.command(name=locale_str("resume"), description=locale_str("Paint the requests of this server again"))
    async def resume(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            key = place.administered(interaction)
            await self._studio.resume(key, place.user(interaction))
            await panels.tell(interaction, notices.resumed((await self._studio.stats(key)).waiting))

    @queue.command(name=locale_str("clear"), description=locale_str("Cancel every waiting request of this server"))
    async def clear(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            key, user = place.administered(interaction), place.user(interaction)
            waiting = (await self._studio.stats(key)).waiting
            if not waiting:
                await panels.tell(interaction, notices.clear_nothing())
                return
            question = await self._studio.action("clear", user=user, detail=key, uses=1, days=panels.QUESTION)
            view = panels.panel(
                [
                    panels.button(notices.clear_yes(), "realbot", "clear", question, style=discord.ButtonStyle.danger),
                    panels.button(notices.clear_no(), "realbot", "keep"),
                ]
            )
            await panels.show(interaction, notices.clear_question(waiting), view=view)

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], _chosen: list[str]) -> None:
        """The answer to whether the line of this server shall be cleared. Raises Refused."""
        text = notices.kept()
        if verb == "clear":
            user, server = place.user(interaction), place.administered(interaction)
            question = await self._studio.acted(arguments[0] if arguments else "", user)
            if (question.verb, question.detail) != ("clear", server):
                raise NotYours
            text = notices.cleared(await self._studio.clear(question.detail, user))
        await panels.show(interaction, text)

    @app_commands.command(
        name=locale_str("stats"), description=locale_str("How much is painted here, and how long it takes")
    )
    async def stats(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            key = place.administered(interaction)
            stats = await self._studio.stats(key)
            wait = notices.unknown() if stats.wait is None else words.duration(stats.wait)
            right = notices.unknown() if stats.accuracy is None else f"{stats.accuracy:.0%}"
            top = ", ".join(f"{markup.escaped(name, 64)} ({count})" for name, count in stats.styles[:5])
            state = notices.held() if stats.paused else notices.running()
            engine = self._studio.engine()
            trouble = "" if engine.up else words.engine(engine.up, engine.loading, engine.device, engine.reason)
            values = (
                str(stats.today),
                str(stats.month),
                str(stats.people),
                str(stats.waiting),
                wait,
                right,
                top,
                state,
                " · ".join(filter(None, (self._health(), trouble))) or notices.well(),
            )
            embed = discord.Embed(title=notices.stats_title(), colour=panels.COLOUR)
            for name, value in zip(notices.stats(), values, strict=True):
                embed.add_field(name=name, value=value or "–")
            await panels.show(interaction, embeds=[embed])


class Words(discord.ui.Modal):
    """The lists of rules of a server as text, one word, phrase or rule a line."""

    def __init__(self, admin: Admin, moderation: Mapping[str, Any]) -> None:
        super().__init__(title=notices.words_title()[:45], timeout=900)
        self._admin = admin
        self._fields = {
            name: self._field(label, hint, moderation.get(name, ()))
            for name, (label, hint) in notices.words_lists().items()
        }

    def _field(self, label: str, hint: str, known: Any) -> discord.ui.TextInput[Words]:
        field: discord.ui.TextInput[Words] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph,
            default="\n".join(known)[:WORDS] or None,
            required=False,
            max_length=WORDS,
        )
        self.add_item(discord.ui.Label(text=label[:45], description=hint[:100], component=field))
        return field

    async def on_submit(self, interaction: Interaction) -> None:
        lists = {
            name: [" ".join(line.split()) for line in field.value.splitlines() if line.strip()]
            for name, field in self._fields.items()
        }
        async with panels.speaking(interaction):
            await self._admin.block(interaction, lists)


def _own(interaction: Interaction, channel: Channel | None) -> str | None:
    """The channel's id. Raises NotYours for a channel of another server."""
    if channel is None:
        return None
    if channel.guild_id != interaction.guild_id:
        raise NotYours(notices.foreign_channel())
    return str(channel.id)


def _style(typed: str, names: list[str]) -> str:
    """The style's own name. Raises Invalid with the nearest one."""
    name = slug(typed)
    if name not in names:
        raise Invalid(sentences.no_such_style(typed[:60], near := nearest(name, names)), nearest=near)
    return name
