"""/imagine: the prompt, its options, and what is offered while they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import app_commands
from discord.app_commands import Choice, Range, locale_str

from realbot.adapters import words
from realbot.adapters.discord import options, place
from realbot.adapters.discord.brought import Masked, Pictures
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.options import Options
from realbot.jobs import SEEDS, Generate, Origin, User
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

Interaction: TypeAlias = discord.Interaction[Any]

INSTALLS = app_commands.AppInstallationType(guild=True, user=True)
CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)


class Imagine:
    """The command. Options are checked by the studio, so that every way of asking has the same limits."""

    def __init__(self, studio: Studio, intake: Intake) -> None:
        self._studio, self._intake = studio, intake

    def command(self) -> app_commands.Command[Any, ..., Any]:
        command: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name=locale_str("imagine"),
            description=locale_str("Paint a picture from your words"),
            callback=self.imagine,
            allowed_installs=INSTALLS,
            allowed_contexts=CONTEXTS,
        )
        for name, offer in {
            "style": self.styles,
            "size": self.sizes,
            "aspect": self.aspects,
            "scheduler": self.schedulers,
            "region": self.regions,
        }.items():
            command.autocomplete(name)(offer)
        return command

    @app_commands.rename(
        prompt=locale_str("prompt"),
        style=locale_str("style"),
        weight=locale_str("weight"),
        size=locale_str("size"),
        aspect=locale_str("aspect"),
        steps=locale_str("steps"),
        guidance=locale_str("guidance"),
        seed=locale_str("seed"),
        scheduler=locale_str("scheduler"),
        negative=locale_str("negative"),
        count=locale_str("count"),
        source=locale_str("source"),
        strength=locale_str("strength"),
        mask=locale_str("mask"),
        region=locale_str("region"),
        look=locale_str("look"),
        look_weight=locale_str("look_weight"),
        private=locale_str("private"),
    )
    @app_commands.describe(
        prompt=locale_str("What to paint; options work here too: a fox steps:30 style:ink --ar 16:9"),
        style=locale_str("A style, or several with commas"),
        weight=locale_str("How strong the style is: 1 as it was made, 0.5 half"),
        size=locale_str("Width x height in pixels, such as 768x512"),
        aspect=locale_str("Shape, such as 16:9"),
        steps=locale_str("More steps: finer and slower"),
        guidance=locale_str("How closely the words are followed"),
        seed=locale_str("The same number paints the same picture again"),
        scheduler=locale_str("How the steps are spaced"),
        negative=locale_str("What to keep out"),
        count=locale_str("How many pictures"),
        source=locale_str("A picture to start from; what is transparent in it is painted"),
        strength=locale_str("With a source: 0 keeps it, 1 ignores it"),
        mask=locale_str("With a source: a picture that is white where it is painted anew"),
        region=locale_str("With a source: the part that is painted anew, such as left or 10,10,60,80%"),
        look=locale_str("A picture whose look is taken: its colours and its manner"),
        look_weight=locale_str("With a look: how much of it, from 0 to 1"),
        private=locale_str("Only you see it"),
    )
    async def imagine(
        self,
        interaction: Interaction,
        *,
        prompt: str,
        style: str | None = None,
        weight: Range[float, -10, 10] | None = None,
        size: str | None = None,
        aspect: str | None = None,
        steps: Range[int, 1, 1000] | None = None,
        guidance: Range[float, 0, 100] | None = None,
        seed: Range[int, 0, SEEDS - 1] | None = None,
        scheduler: str | None = None,
        negative: str | None = None,
        count: Range[int, 1, 4] | None = None,
        source: discord.Attachment | None = None,
        strength: Range[float, 0, 1] | None = None,
        mask: discord.Attachment | None = None,
        region: str | None = None,
        look: discord.Attachment | None = None,
        look_weight: Range[float, 0, 1] | None = None,
        private: bool | None = None,
    ) -> None:
        chosen = Options(
            steps=steps,
            guidance=guidance,
            style=style,
            weight=weight,
            size=size,
            aspect=aspect,
            seed=seed,
            scheduler=scheduler,
            negative=negative,
            count=count,
            strength=strength,
            region=region,
            look_weight=look_weight,
        )

        async def wish(user: User, origin: Origin) -> Generate | Masked:
            chosen.check(source=source is not None, mask=mask is not None, look=look is not None)
            pictures = Pictures(self._studio, interaction.client, user, origin)
            start, part = None, None
            if source is not None and (mask is not None or region):
                start = await pictures.plain(source)
            elif source is not None:
                start, part = await pictures.cut(source)
            if start is not None and mask is not None:
                part = await pictures.light(start, mask)
            taken = None if look is None else await pictures.plain(look)
            request = chosen.request(prompt, self._studio.preset(), start, mask=part, look=taken)
            return pictures.masked(await self._studio.defaulted(user, request, origin))

        await self._intake.take(interaction, wish, private=private, asks=mask is not None or bool(region))

    async def styles(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        """Every style that may be used there, however many there are."""
        allowed = self._studio.styles(place.origin(interaction), place.user(interaction))
        known = [(style.name, style.title or style.description) for style in allowed]
        return [Choice(name=shown, value=value) for shown, value in options.styles(typed, known)]

    async def sizes(self, _: Interaction, typed: str) -> list[Choice[str]]:
        found = options.sizes(typed, self._studio.preset())
        return [Choice(name=size.replace("x", " × "), value=size) for size in found]

    async def aspects(self, _: Interaction, typed: str) -> list[Choice[str]]:
        return [Choice(name=shape, value=shape) for shape in options.aspects(typed)]

    async def regions(self, _: Interaction, typed: str) -> list[Choice[str]]:
        return [Choice(name=part, value=part) for part in options.parts(typed)]

    async def schedulers(self, _: Interaction, typed: str) -> list[Choice[str]]:
        known = [(name, words.scheduler(name)) for name in self._studio.schedulers()]
        return [Choice(name=about, value=name) for name, about in options.ranked(typed, known)[: options.CHOICES]]


def register(front: Front) -> None:
    """Add the command to a front-end."""
    front.tree.add_command(Imagine(front.studio, front.intake).command())
