"""/styles: every style in pages, and a card for each with one of the person's own pictures in it, if there is one."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import sentences, words
from realbot.adapters.discord import markup, panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.discord.thumbs import small
from realbot.adapters.samples import samples
from realbot.errors import Invalid, Refused
from realbot.grammar import nearest
from realbot.jobs import Generate, User
from realbot.studio import Studio
from realbot.styles import Style, slug

#: Styles on a page, as many as a menu holds.
PAGE = 25
#: Longer side of the picture on a style's card, in pixels.
SIDE = 512


class Gallery:
    """The command and its panel."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def commands(self) -> list[app_commands.Command[Any, ..., Any]]:
        command = app_commands.Command[Any, ..., Any](
            name=locale_str("styles"),
            description=locale_str("The styles there are, and what each looks like"),
            callback=self.styles,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        command.autocomplete("style")(self.named)
        return [command]

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"styles": self.press}

    async def named(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Styles whose name or title holds what was typed, as many as Discord shows."""
        styles = self._offered(interaction)
        sought = typed.casefold().strip()
        found = [style for style in styles if sought in f"{style.name} {style.title}".casefold()]
        found.sort(key=lambda style: not style.name.startswith(slug(sought)))
        return [app_commands.Choice(name=markup.plain(_label(style), 100), value=style.name) for style in found[:25]]

    @app_commands.rename(style=locale_str("style"))
    @app_commands.describe(style=locale_str("The style to look at; leave it out to see them all"))
    async def styles(self, interaction: Interaction, style: app_commands.Range[str, 0, 100] = "") -> None:
        async with panels.speaking(interaction):
            await panels.announce(interaction)
            styles = self._offered(interaction)
            if not style:
                await self._list(interaction, styles, 0)
                return
            found = next((one for one in styles if one.name == slug(style)), None)
            if found is None:
                near = nearest(slug(style), [one.name for one in styles])
                raise Invalid(sentences.no_such_style(style[:60], near), nearest=near)
            await self._card(interaction, found, styles.index(found) // PAGE)

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], chosen: list[str]) -> None:
        """Turn the page, or look at one style."""
        await panels.announce(interaction)
        styles = self._offered(interaction)
        page = int(arguments[0]) if arguments and arguments[0].isdecimal() and len(arguments[0]) < 6 else 0
        found = next((one for one in styles if chosen and one.name == chosen[0]), None)
        if verb == "look" and found is not None:
            await self._card(interaction, found, page)
        else:
            await self._list(interaction, styles, page)

    def _offered(self, interaction: Interaction) -> list[Style]:
        """What whoever asks may use there."""
        return self._studio.styles(place.origin(interaction), place.user(interaction))

    async def _list(self, interaction: Interaction, styles: Sequence[Style], page: int) -> None:
        pages = max(-(-len(styles) // PAGE), 1)
        page = min(page, pages - 1)
        shown = styles[page * PAGE : (page + 1) * PAGE]
        names = [f"**{markup.escaped(style.name, 64)}**" for style in shown]
        lines = [f"{name}{_told(style)}" for name, style in zip(names, shown, strict=True)]
        if len(panels.fitting(lines)) < len(lines):
            lines = names
        embed = discord.Embed(
            title=sentences.styles_title(len(styles)),
            description="\n".join(lines) or sentences.styles_none(),
            colour=panels.COLOUR,
        )
        if shown:
            embed.set_footer(text=sentences.styles_hint(shown[0].name))
        controls: list[panels.PanelButton | panels.PanelMenu] = []
        if shown:
            options = [
                discord.SelectOption(
                    label=style.name, value=style.name, description=markup.plain(style.title or style.description, 100)
                )
                for style in shown
            ]
            controls.append(panels.menu(sentences.style_look(), "styles", "look", page, options=options))
        if pages > 1:
            embed.title = f"{embed.title} · {page + 1}/{pages}"
            controls.append(panels.button(sentences.back(), "styles", "back", page - 1, emoji="◀️", disabled=page == 0))
            controls.append(
                panels.button(sentences.onward(), "styles", "onward", page + 1, emoji="▶️", disabled=page == pages - 1)
            )
        view = panels.panel(controls) if controls else None
        await panels.show(interaction, embeds=[embed], view=view)

    async def _card(self, interaction: Interaction, style: Style, page: int) -> None:
        embed = discord.Embed(
            title=markup.plain(_label(style), 200),
            description=markup.escaped(style.description, 600) or None,
            colour=panels.COLOUR,
        )
        embed.add_field(name=sentences.style_use(), value=f"`/imagine` … `style:{style.name}:0.8`", inline=False)
        if style.trigger:
            embed.add_field(name=sentences.style_trigger(), value=markup.escaped(style.trigger, 200))
        made_for = style.base or style.family
        if made_for:
            embed.add_field(name=sentences.style_model(), value=markup.escaped(made_for, 64))
        files = []
        sample = await self._sample(place.user(interaction), style)
        if sample is not None:
            request, data = sample
            files.append(
                discord.File(io.BytesIO(data), "style.webp", description=markup.plain(words.alt(request), 1000))
            )
            embed.set_image(url="attachment://style.webp")
            embed.set_footer(text=sentences.style_sample(markup.plain(request.prompt, 200)))
        else:
            embed.set_footer(text=sentences.style_no_sample())
        view = panels.panel([panels.button(sentences.all_styles(), "styles", "list", page, emoji="◀️")])
        await panels.show(interaction, embeds=[embed], files=files, view=view)

    async def _sample(self, user: User, style: Style) -> tuple[Generate, bytes] | None:
        """The person's latest picture in this style, the strongest weight of it first, small."""
        for entry, request in await samples(self._studio, user, style):
            try:
                path = await self._studio.picture(user, entry.images[0])
            except Refused:
                continue
            data = await small(path, SIDE)
            if data is not None:
                return request, data
        return None


def _label(style: Style) -> str:
    return f"{style.name} · {style.title}" if style.title and style.title.casefold() != style.name else style.name


def _told(style: Style) -> str:
    text = style.title if style.title and style.title.casefold() != style.name else style.description
    return f" · {markup.escaped(text, 70)}" if text else ""
