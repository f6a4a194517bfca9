"""Takes requests of every command, button and menu: commit, then acknowledge, then follow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import discord

from realbot.adapters import captions, words
from realbot.adapters.discord import marked, place, quoting
from realbot.adapters.discord.answer import PATIENCE, Answer
from realbot.adapters.discord.brought import Masked
from realbot.adapters.discord.courier import Courier
from realbot.adapters.discord.masking import Masking
from realbot.adapters.discord.payload import Payload
from realbot.adapters.discord.traindraft import Drafts
from realbot.errors import ConfigError, Refused
from realbot.jobs import Job, Origin, Request, User
from realbot.studio import Studio

log = logging.getLogger(__name__)

Interaction: TypeAlias = discord.Interaction[Any]
#: Makes the request once somebody waits for it; raises Refused.
Wish: TypeAlias = Callable[[User, Origin], Awaitable[Request | Masked]]


class Intake:
    """One for all commands of a front-end. `patience`: seconds after which an answer is announced."""

    def __init__(self, studio: Studio, courier: Courier, *, patience: float = PATIENCE) -> None:
        self._studio, self._courier, self._patience = studio, courier, patience
        self.masking = Masking(studio)
        self.drafts = Drafts(studio)

    async def take(
        self, interaction: Interaction, wish: Wish, *, private: bool | None = None, asks: bool = False, once: str = ""
    ) -> Job | None:
        """Take a request and answer with its card, or privately: with why not, or which part of a picture it paints.

        `private=None`: as the person likes. `asks`: it is known beforehand that the answer is such a question. What was
        taken `once` under this name is not taken again.
        """
        with words.language(interaction.locale.value):
            user = place.user(interaction)
            hidden = await self._hidden(user) if private is None else private
            answer = Answer(interaction, private=hidden or asks, patience=self._patience)
            if sentence := place.obstacle(interaction, private=hidden):
                await answer.refuse(sentence)
                return None
            try:
                job = await answer.during(self._submit(interaction, user, wish, hidden, once))
                if isinstance(job, Payload):
                    await answer.show(job)
                    return None
            except Refused as error:
                await answer.refuse(marked.refusal(error))
                return None
            except Exception:
                log.exception("a request was not taken")
                await answer.refuse(captions.trouble())
                return None
            await self._courier.acknowledge(interaction, job, private=hidden)
            return job

    async def _submit(
        self, interaction: Interaction, user: User, wish: Wish, private: bool, once: str
    ) -> Job | Payload:
        """The job, or what is asked before there is one."""
        origin = place.origin(interaction, private=private)
        self._studio.gate.admit(user, origin)
        request = await wish(user, origin)
        if isinstance(request, Masked):
            return await self.masking.question(user, request, origin, interaction.token)
        quote = None if once else await self._studio.budget.quote(user, request, origin)
        if quote is not None:
            return await quoting.question(self._studio, user, quote, origin, interaction.token)
        return await self._studio.submit(user, request, origin, dedup=once or str(interaction.id))

    async def _hidden(self, user: User) -> bool:
        """Whether this person wants cards that nobody else sees; while that cannot be found out in time, they do."""
        try:
            async with asyncio.timeout(self._patience / 2):
                return (await self._studio.preferences(user)).private
        except (TimeoutError, ConfigError):
            return True
