"""Takes requests of every command, message and button: commit, then acknowledge, then follow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from realbot.jobs import Job, Origin, Request, Train, User

if TYPE_CHECKING:
    from realbot.studio import Studio

    from .courier import Courier
    from .place import Rights
    from .wire import Bot

#: Makes the request; raises Refused.
Wish = Callable[[User, Origin], Awaitable[Request]]


class Intake:
    """One for all commands of a front-end."""

    def __init__(self, studio: Studio, bot: Bot, courier: Courier, rights: Rights) -> None:
        self._studio, self._bot, self._courier, self._rights = studio, bot, courier, rights

    async def take(self, user: User, origin: Origin, update_id: int, wish: Wish) -> Job:
        """Take a request, and show its card. The same update gives the same job again. Raises Refused."""
        request = await wish(user, origin)
        if isinstance(request, Train):
            # Who may train depends on what they are there.
            user = await self._rights.titled(user, origin)
        job = await self._studio.submit(user, request, origin, dedup=f"{self._bot.id}:{update_id}")
        await self._courier.acknowledge(job)
        return job
