"""/queue: a person's own requests with their places and times, and of others how many there are, never what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from realbot.adapters import lessonwords, sentences, words
from realbot.adapters.clock import Clock
from realbot.adapters.discord import marked, markup, panels, place
from realbot.adapters.discord.panels import Interaction
from realbot.jobs import Job, Running, User, Waiting
from realbot.studio import Studio

#: Own requests that are listed, and that a menu offers.
SHOWN = 20


class Line:
    """The command and its panel."""

    def __init__(self, studio: Studio, clock: Clock) -> None:
        self._studio, self._clock = studio, clock

    def commands(self) -> list[app_commands.Command[Any, ..., Any]]:
        return [
            app_commands.Command(
                name=locale_str("queue"),
                description=locale_str("Your requests: their places in line and when they will be ready"),
                callback=self.queue,
                allowed_installs=panels.ANY_INSTALL,
                allowed_contexts=panels.ANYWHERE,
            )
        ]

    def handlers(self) -> Mapping[str, panels.Handler]:
        return {"queue": self.press}

    async def queue(self, interaction: Interaction) -> None:
        async with panels.speaking(interaction):
            embed, view = await self._page(place.user(interaction))
            await panels.show(interaction, embeds=[embed], view=view)

    async def press(self, interaction: Interaction, verb: str, _arguments: tuple[str, ...], chosen: list[str]) -> None:
        """Look again, or give one of the requests up first. Raises NotYours."""
        user = place.user(interaction)
        if verb == "cancel" and chosen:
            await self._studio.cancel(user, chosen[0])
        embed, view = await self._page(user)
        await panels.show(interaction, embeds=[embed], view=view)

    async def _page(self, user: User) -> tuple[discord.Embed, discord.ui.View]:
        own = self._studio.waiting(user)
        own.sort(key=lambda job: (not isinstance(job.status, Running), getattr(job.status, "position", 0)))
        lines = panels.fitting([await self._told(job) for job in own[:SHOWN]])
        if len(own) > len(lines):
            lines.append(sentences.and_more(len(own) - len(lines)))
        embed = discord.Embed(
            title=sentences.queue_title(), description="\n".join(lines) or sentences.queue_empty(), colour=panels.COLOUR
        )
        waiting, running = self._studio.line()
        mine = sum(isinstance(job.status, Running) for job in own)
        others = max(waiting - (len(own) - mine), 0), max(running - mine, 0)
        embed.set_footer(text=" · ".join(filter(None, (sentences.others(*others), self._engine()))))
        controls: list[panels.PanelButton | panels.PanelMenu] = []
        if own:
            options = [
                discord.SelectOption(label=markup.plain(words.subject(job.request), 100) or "–", value=job.id)
                for job in own[:SHOWN]
            ]
            controls.append(panels.menu(sentences.queue_cancel(), "queue", "cancel", options=options))
        controls.append(panels.button(sentences.refresh(), "queue", "look", emoji="🔄"))
        return embed, panels.panel(controls)

    async def _told(self, job: Job) -> str:
        """One request on one line: what, how far, when, and a link to its card."""
        status = job.status
        parts = [markup.escaped(words.subject(job.request), 80)]
        if isinstance(status, Waiting | Running):
            until = status.until if isinstance(status, Waiting) else None
            parts.append(
                words.say(replace(status, eta=None), job)
                if until is None
                else lessonwords.waiting(f"<t:{round(until / 60) * 60}:t>")
            )
            if status.eta is not None:
                parts.append(marked.ready(int(self._clock.now() + status.eta.high)))
        message = await self._studio.card(job.id)
        if message and not job.origin.private:
            where = job.origin.server or "@me"
            parts.append(f"[{sentences.card()}](https://discord.com/channels/{where}/{job.origin.place}/{message})")
        return "- " + " · ".join(parts)

    def _engine(self) -> str:
        state = self._studio.engine()
        return "" if state.up else words.engine(state.up, state.loading, state.device, state.reason)
