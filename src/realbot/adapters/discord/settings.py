"""/settings: a person's own defaults, chosen from menus or typed into a form; each change is kept at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot import grammar
from realbot.adapters import notices, words
from realbot.adapters.discord import markup, panels, place
from realbot.adapters.discord.guide import Guide
from realbot.adapters.discord.panels import Interaction
from realbot.adapters.discord.privacy import Privacy
from realbot.errors import Invalid
from realbot.jobs import StyleUse, User
from realbot.preferences import Preferences
from realbot.studio import Studio
from realbot.styles import Style

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

#: Shapes that a menu offers, as width:height.
SHAPES = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))
#: Styles on a page of the menu, which also has lines for none and for the next page.
PAGE = 23
#: Values of menu lines that are no names.
NONE, NEXT = "-", "+"
#: What "everything as it was" sets.
PLAIN = {
    "steps": None,
    "guidance": None,
    "width": None,
    "height": None,
    "scheduler": None,
    "negative": "",
    "styles": (),
    "ping": True,
    "private": False,
}


def register(front: Front) -> None:
    wishes, privacy, guide = Wishes(front.studio), Privacy(front.studio), Guide(front.studio)
    for command in (*wishes.commands(), *guide.commands()):
        front.tree.add_command(command)
    front.tree.add_command(privacy)
    panels.attach(front.client, {**wishes.handlers(), **privacy.handlers()})


class Wishes:
    """The command and its panel."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def commands(self) -> list[app_commands.Command[Any, ..., Any]]:
        command = app_commands.Command[Any, ..., Any](
            name=locale_str("settings"),
            description=locale_str("Your own defaults: steps, guidance, size, style, scheduler, privacy, pings"),
            callback=self.settings,
            allowed_installs=panels.ANY_INSTALL,
            allowed_contexts=panels.ANYWHERE,
        )
        return [command]

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"settings": self.press}

    async def settings(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            embed, view = await self._page(interaction, 0)
            await panels.show(interaction, embeds=[embed], view=view)

    async def press(self, interaction: Interaction, verb: str, arguments: tuple[str, ...], chosen: list[str]) -> None:
        """Change one default of the presser. Raises Invalid."""
        user = place.user(interaction)
        page = int(arguments[0]) if arguments and arguments[0].isdecimal() and len(arguments[0]) < 6 else 0
        value = chosen[0] if chosen else ""
        match verb:
            case "form":
                await interaction.response.send_modal(Form(self, await self._studio.preferences(user), page))
                return
            case "style" if value == NEXT:
                page += 1
            case "style":
                await self._studio.prefer(user, styles=() if value == NONE else (StyleUse(value),))
            case "shape":
                width, height = (None, None) if value == NONE else self._size(value)
                await self._studio.prefer(user, width=width, height=height)
            case "scheduler":
                await self._studio.prefer(user, scheduler=None if value == NONE else value)
            case "private" | "ping":
                await self._studio.prefer(user, **{verb: arguments[-1] == "1"})
            case "reset":
                await self._studio.prefer(user, **PLAIN)
        await self.show(interaction, page)

    async def show(self, interaction: Interaction, page: int) -> None:
        """The panel as it is now, in the message that was pressed."""
        embed, view = await self._page(interaction, page)
        await panels.show(interaction, embeds=[embed], view=view)

    async def typed(self, user: User, form: Written) -> None:
        """Keep what was typed; an empty field is the model's default. Raises Invalid and changes nothing then."""
        wanted = grammar.parse(f"x {form.line()}".rstrip())
        await self._studio.prefer(
            user,
            steps=wanted.steps,
            guidance=wanted.guidance,
            width=wanted.width,
            height=wanted.height,
            styles=wanted.styles,
            negative=form.negative.strip(),
        )

    def _size(self, shape: str) -> tuple[int, int]:
        """Sides in a shape, with as many pixels as the model's usual picture. Raises Invalid."""
        width, _, height = shape.partition(":")
        if (width, height) not in {(str(a), str(b)) for a, b in SHAPES}:
            raise Invalid("{shape} is not a shape.", shape=shape[:20], word=shape[:20])
        model = self._studio.preset()
        return grammar.ratio(int(width), int(height), model.width * model.height)

    async def _page(self, interaction: Interaction, page: int) -> tuple[discord.Embed, discord.ui.View]:
        user = place.user(interaction)
        own = await self._studio.preferences(user)
        model, limits = self._studio.preset(), self._studio.limits(user, place.origin(interaction))
        automatic = notices.automatic
        embed = discord.Embed(title=notices.title(), description=notices.intro(), colour=panels.COLOUR)
        rows = [
            (words.LABELS["steps"], automatic(str(model.steps)) if own.steps is None else str(own.steps)),
            (
                words.LABELS["guidance"],
                automatic(words.number(model.guidance)) if own.guidance is None else words.number(own.guidance),
            ),
            (
                notices.size(),
                f"{own.width} × {own.height}"
                if own.width and own.height
                else automatic(f"{model.width} × {model.height}"),
            ),
            (words.LABELS["styles"], _styles(own.styles) or notices.none()),
            (words.LABELS["scheduler"], words.scheduler(own.scheduler) if own.scheduler else automatic("")),
            (words.LABELS["negative"], markup.escaped(own.negative, 300) or notices.none()),
            (notices.private(), notices.yes() if own.private else notices.no()),
            (notices.ping(), notices.yes() if own.ping else notices.no()),
        ]
        for name, value in rows:
            embed.add_field(name=name, value=value)
        embed.set_footer(text=notices.ranges(limits.max_steps, limits.max_guidance, limits.min_side, limits.max_side))
        styles = self._studio.styles(place.origin(interaction), user)
        return embed, panels.panel(self._controls(own, styles, page))

    def _controls(
        self, own: Preferences, styles: Sequence[Style], page: int
    ) -> list[panels.PanelButton | panels.PanelMenu]:
        pages = max(-(-len(styles) // PAGE), 1)
        page %= pages
        controls: list[panels.PanelButton | panels.PanelMenu] = []
        if styles:
            lines = [discord.SelectOption(label=notices.no_style(), value=NONE, default=not own.styles)]
            lines += [
                discord.SelectOption(
                    label=style.name,
                    value=style.name,
                    description=markup.plain(style.title, 100) or None,
                    default=[use.name for use in own.styles] == [style.name],
                )
                for style in styles[page * PAGE : (page + 1) * PAGE]
            ]
            if pages > 1:
                lines.append(discord.SelectOption(label=notices.more_styles(), value=NEXT, emoji="▶️"))
            controls.append(panels.menu(notices.choose_style(), "settings", "style", page, options=lines))
        shapes = [discord.SelectOption(label=notices.usual_shape(), value=NONE, default=not own.width)]
        for width, height in SHAPES:
            name = f"{width}:{height}"
            sides = self._size(name)
            shapes.append(
                discord.SelectOption(
                    label=name,
                    value=name,
                    description=f"{sides[0]} × {sides[1]}",
                    default=(own.width, own.height) == sides,
                )
            )
        controls.append(panels.menu(notices.choose_shape(), "settings", "shape", page, options=shapes))
        schedulers = [discord.SelectOption(label=notices.usual_scheduler(), value=NONE, default=not own.scheduler)]
        schedulers += [
            discord.SelectOption(label=words.scheduler(name), value=name, default=own.scheduler == name)
            for name in self._studio.schedulers()
        ]
        controls.append(panels.menu(notices.choose_scheduler(), "settings", "scheduler", page, options=schedulers))
        for verb, label, on in (("private", notices.private(), own.private), ("ping", notices.ping(), own.ping)):
            style = discord.ButtonStyle.success if on else discord.ButtonStyle.secondary
            controls.append(
                panels.button(label, "settings", verb, page, int(not on), style=style, emoji="✅" if on else "⬜")
            )
        controls.append(panels.button(notices.numbers(), "settings", "form", page, emoji="✏️"))
        controls.append(panels.button(notices.reset(), "settings", "reset", page, emoji="↩️"))
        return controls


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in the fields of the form."""

    steps: str
    guidance: str
    size: str
    styles: str
    negative: str

    def line(self) -> str:
        """The numbers and styles as one writes them into a prompt."""
        parts = [("steps", self.steps), ("guidance", self.guidance), ("size", self.size)]
        options = [f"{name}:{''.join(value.split())}" for name, value in parts if value.strip()]
        options += [f"style:{'-'.join(style.split())}" for style in self.styles.split(",") if style.strip()]
        return " ".join(options)


class Form(discord.ui.Modal):
    """The numbers, styles and negative prompt as text."""

    def __init__(self, wished: Wishes, own: Preferences, page: int) -> None:
        super().__init__(title=notices.title(), timeout=900)
        self._wishes, self._page = wished, page
        size = f"{own.width}x{own.height}" if own.width and own.height else ""
        self.steps = self._field(words.LABELS["steps"], "" if own.steps is None else str(own.steps), "30")
        guidance = "" if own.guidance is None else words.number(own.guidance)
        self.guidance = self._field(words.LABELS["guidance"], guidance, "3.5")
        self.size = self._field(notices.size(), size, "768x512")
        styles = ", ".join(f"{use.name}:{words.number(use.weight)}" for use in own.styles)
        self.styles = self._field(words.LABELS["styles"], styles, "ink:0.8, glow:0.3", 400)
        self.negative = self._field(words.LABELS["negative"], own.negative, notices.negative_hint(), 1000)

    def _field(self, label: str, value: str, example: str, most: int = 20) -> discord.ui.TextInput[Form]:
        field: discord.ui.TextInput[Form] = discord.ui.TextInput(
            default=value or None, placeholder=markup.plain(example, 100), required=False, max_length=most
        )
        self.add_item(discord.ui.Label(text=label[:45], component=field))
        return field

    async def on_submit(self, interaction: Interaction) -> None:
        fields = (self.steps, self.guidance, self.size, self.styles, self.negative)
        async with panels.speaking(interaction):
            await self._wishes.typed(place.user(interaction), Written(*(field.value for field in fields)))
            await self._wishes.show(interaction, self._page)


def _styles(uses: Sequence[StyleUse]) -> str:
    return ", ".join(f"{markup.escaped(use.name, 64)} {words.number(use.weight)}" for use in uses)
