"""What the card of a job under way has said: when the picture will be ready, and how many rough ones it has shown."""

from __future__ import annotations

import math

from realbot.jobs import Eta, Running

#: Rough pictures that a card shows before the finished one.
PREVIEWS = 3


class Promise:
    """When a picture was said to be ready. It changes only when that was clearly wrong, so that a card can rest."""

    def __init__(self) -> None:
        self._moment: float | None = None

    def keep(self, eta: Eta | None, now: float) -> int | None:
        """The moment to show, as a Unix time; None while nothing can be said."""
        if eta is None or not math.isfinite(eta.high):
            return None if self._moment is None else round(self._moment)
        moment = now + max(eta.high, 0.0)
        slack = max(4.0, (moment - now) * 0.2)
        if self._moment is None or abs(moment - self._moment) > slack or self._moment < now:
            self._moment = moment
        return math.ceil(self._moment)


class Shown:
    """What the card of a job under way has said and shown so far."""

    def __init__(self) -> None:
        self.promise = Promise()
        self.previews = 0
        self.latest: Running | None = None  #: how far it was, for one that waits again

    def due(self, status: Running) -> bool:
        """Whether it is time for the next preview: after a quarter, a half and three quarters."""
        share = status.step / status.steps if status.steps else 0.0
        if status.preview is None or self.previews >= PREVIEWS or share < (self.previews + 1) / (PREVIEWS + 1):
            return False
        self.previews = max(self.previews + 1, int(share * (PREVIEWS + 1)))
        return True
