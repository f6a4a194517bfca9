"""Everything that can go wrong, sorted by who can fix it.

RealbotError
├── Refused        the person who asked can fix it: shown as it is
│   ├── Invalid · Blocked · TooSoon · OverQuota · QueueFull · NotYours
├── EngineError    whoever runs the bot: an apology to the person, the details in the log
│   ├── OutOfMemory · EngineLost · StyleBroken · ModelMissing
└── ConfigError    whoever starts the bot: one line that names the key, exit code 2

The docstring is the default message. Cancelling is a status, not an error. A message for a person is a template and
its values, `Invalid("steps must be from {low} to {high}.", low=1, high=100)`: `str(error)` is the English sentence,
`error.phrase` can be translated.
"""

from __future__ import annotations

from .phrases import Phrase


class RealbotError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None, /, **values: object) -> None:
        said = message or str(type(self).__doc__)
        self.phrase = said if isinstance(said, Phrase) and not values else Phrase(said, **values)
        super().__init__(str(self.phrase))


class Refused(RealbotError):
    """This request cannot be taken."""


class Invalid(Refused):
    """This request is not valid."""

    #: `word` is the offending word as typed, `nearest` what was probably meant.
    def __init__(self, message: str | None = None, /, *, word: str = "", nearest: str = "", **values: object) -> None:
        super().__init__(message, **values)
        self.word, self.nearest = word, nearest


class Blocked(Refused):
    """This request is not allowed here."""

    #: `places` are the ids of the channels where it would be, as far as that is the reason.
    def __init__(self, message: str | None = None, /, *, places: tuple[str, ...] = (), **values: object) -> None:
        super().__init__(message, **values)
        self.places = places


class TooSoon(Refused):
    """Please wait a moment before the next picture."""

    #: `wait` is in seconds.
    def __init__(self, message: str | None = None, /, *, wait: float = 0.0, **values: object) -> None:
        super().__init__(message, **values)
        self.wait = wait


class OverQuota(Refused):
    """Your pictures for today are used up."""

    #: `resets` is a Unix time in seconds, 0 when waiting does not help.
    def __init__(self, message: str | None = None, /, *, resets: float = 0.0, **values: object) -> None:
        super().__init__(message, **values)
        self.resets = resets


class QueueFull(Refused):
    """The line is full at the moment, please try again in a few minutes."""


class NotYours(Refused):
    """This belongs to someone else."""


class EngineError(RealbotError):
    """The engine could not paint this picture."""


class OutOfMemory(EngineError):
    """The picture did not fit into the memory of the device."""


class EngineLost(EngineError):
    """The engine stopped while it painted this picture."""


class StyleBroken(EngineError):
    """The style's file cannot be used."""


class ModelMissing(EngineError):
    """The model cannot be loaded."""


class ConfigError(RealbotError):
    """The configuration is not valid."""

    #: `key` is the setting's name, `section.key`.
    def __init__(self, message: str | None = None, /, *, key: str = "", **values: object) -> None:
        super().__init__(message, **values)
        self.key = key
