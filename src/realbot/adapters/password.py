"""A password that somebody types into the page. Guesses are answered one after the other, each after a second."""

from __future__ import annotations

import asyncio
import hmac

#: Seconds that a wrong password costs.
PENALTY = 1.0


class Password:
    """What is right, and the queue of those who are wrong."""

    def __init__(self, secret: str) -> None:
        self.key = secret.encode()
        self._guess = asyncio.Lock()

    async def opens(self, given: str) -> bool:
        """Whether this is it; a wrong one takes its time."""
        if hmac.compare_digest(given.encode(errors="surrogateescape"), self.key):
            return True
        async with self._guess:
            await asyncio.sleep(PENALTY)
        return False
