"""/imagine: the prompt, its options, and what is offered while they are typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import app_commands
from discord.app_commands import Choice, Range, locale_str

from realbot.adapters import captions, words
from realbot.adapters.discord import options, place
from realbot.adapters.discord.intake import Intake
from realbot.adapters.discord.options import Options
from realbot.errors import Invalid
from realbot.jobs import SEEDS, Generate, ImageId, Origin, User
from realbot.studio import Studio

if TYPE_CHECKING:
    from realbot.adapters.discord import Front

Interaction: TypeAlias = discord.Interaction[Any]
#: Gives the bytes of an attachment.
Reader: TypeAlias = Callable[[discord.Attachment], Awaitable[bytes]]

#: Bytes of an attached picture that are fetched; what is in them is checked by the studio.
LARGEST = 25 * 2**20
INSTALLS = app_commands.AppInstallationType(guild=True, user=True)
CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)


async def fetched(studio: Studio, user: User, origin: Origin, attachment: discord.Attachment) -> ImageId:
    """The id of an attached picture. Raises Invalid in one sentence when it is none, too large or out of reach."""
    if attachment.size > LARGEST:
        raise Invalid(captions.too_large(attachment.size, LARGEST))
    try:
        data = await attachment.read()
    except (discord.HTTPException, OSError):
        raise Invalid(captions.not_loaded()) from None
    return await studio.upload(user, data, origin)


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
        source=locale_str("A picture to start from"),
        strength=locale_str("With a source: 0 keeps it, 1 ignores it"),
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
        )

        async def wish(user: User, origin: Origin) -> Generate:
            start = None if source is None else await fetched(self._studio, user, origin, source)
            request = chosen.request(prompt, self._studio.preset(), start)
            return await self._studio.defaulted(user, request, origin)

        await self._intake.take(interaction, wish, private=private)

    async def styles(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        """Every style that may be used there, however many there are."""
        allowed = self._studio.styles(place.origin(interaction))
        known = [(style.name, style.title or style.description) for style in allowed]
        return [Choice(name=shown, value=value) for shown, value in options.styles(typed, known)]

    async def sizes(self, _: Interaction, typed: str) -> list[Choice[str]]:
        found = options.sizes(typed, self._studio.preset())
        return [Choice(name=size.replace("x", " × "), value=size) for size in found]

    async def aspects(self, _: Interaction, typed: str) -> list[Choice[str]]:
        return [Choice(name=shape, value=shape) for shape in options.aspects(typed)]

    async def schedulers(self, _: Interaction, typed: str) -> list[Choice[str]]:
        known = [(name, words.scheduler(name)) for name in self._studio.schedulers()]
        return [Choice(name=about, value=name) for name, about in options.ranked(typed, known)[: options.CHOICES]]


def register(front: Front) -> None:
    """Add the command to a front-end."""
    front.tree.add_command(Imagine(front.studio, front.intake).command())
