"""What a button stands for: a random id in the store, of which the message that carries it tells nothing."""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass

from .errors import TooSoon
from .phrases import Phrase

#: Bytes of chance in an id: 96 bits, 16 characters.
CHANCE = 12
#: Unknown ids that one person may send in `WINDOW` seconds.
GUESSES = 20
WINDOW = 60.0
_STOP = Phrase("Too many buttons that do not exist; please wait a minute.")
#: People whose wrong guesses are remembered.
PEOPLE = 10_000
#: Seconds for which an expired id is still known as such.
LATE = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Asking:
    """A button to be made. `uses=0`: any number of presses; `place=""`: wherever it is pressed."""

    verb: str
    job_id: str = ""
    owner: str = ""  #: key of the only person who may press it; empty: anybody
    index: int = 0  #: which of the job's pictures
    detail: str = ""
    place: str = ""
    uses: int = 0
    days: float = 30.0


@dataclass(frozen=True, slots=True)
class Action:
    """A button that was made. `expires` is a Unix time in seconds."""

    verb: str
    job_id: str
    owner: str
    index: int
    detail: str
    place: str
    expires: float


def fresh() -> str:
    """A new id, which nobody can guess."""
    return secrets.token_urlsafe(CHANCE)


class Guard:
    """Whoever guesses `most` times in `window` seconds is not listened to for a while, and is told `stop`."""

    def __init__(self, most: int = GUESSES, window: float = WINDOW, stop: Phrase = _STOP) -> None:
        self._most, self._window, self._stop = most, window, stop
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, user_key: str, now: float) -> None:
        """Raise TooSoon for a person with too many wrong guesses of late."""
        times = self._wrong.get(user_key)
        if times is not None and len(times) >= self._most and now - times[0] < self._window:
            raise TooSoon(self._stop, wait=self._window - (now - times[0]))

    def miss(self, user_key: str, now: float) -> None:
        """A guess was wrong."""
        self._wrong.setdefault(user_key, deque(maxlen=self._most)).append(now)
        self._wrong.move_to_end(user_key)
        while len(self._wrong) > PEOPLE:
            self._wrong.popitem(last=False)
