"""What a person with several accounts asks of the studio: to link them, and to take one out again."""

from __future__ import annotations

from .jobs import User
from .office import Office


class Accounts(Office):
    """The part of the studio that makes one person of several accounts, on any platforms.

    Linked accounts share everything: history, favourites, pictures, what waits, buttons, defaults, the answers from
    before, and one set of limits. A job is still delivered where it was asked for. Whoever was linked when a picture
    was asked for has it counted for these 24 hours, also after they part or have everything deleted.
    """

    async def link_code(self, user: User) -> str:
        """A code, such as "K7QM-4XPD", that links the account that enters it within ten minutes; for this person only.

        It can be used once, and a new one takes its place. Raises QueueFull when the disk is full.
        """
        return await self._store.people.code(user.key)

    async def link(self, user: User, code: str) -> list[str]:
        """Link this account, and those linked with it, with the account that made the code; keys of all the others.

        The defaults of whoever made the code hold for all. Raises Invalid, TooSoon after too many wrong codes, and
        QueueFull when the disk is full.
        """
        await self._whole(self._store.people.link(user.key, code))
        return await self.linked(user)

    async def linked(self, user: User) -> list[str]:
        """The keys of this person's other accounts."""
        return [key for key in self._store.people.accounts(user.key) if key != user.key]

    async def unlink(self, user: User) -> bool:
        """Take this account out; False when it was linked with none. Each account keeps the jobs it asked for.

        Raises QueueFull when the disk is full.
        """
        return await self._whole(self._unlink(user))

    async def _unlink(self, user: User) -> bool:
        theirs = self._tickets(user)
        done = await self._store.people.unlink(user.key)
        for ticket in theirs if done else ():
            # Asked as one person, it would still be answered by the other one's picture.
            ticket.question = ""
        return done
