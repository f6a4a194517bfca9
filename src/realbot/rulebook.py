"""The sections that say what may be asked for and what is kept. A server, a chat or a role can have other values."""

from __future__ import annotations

import re
import time
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from .addresses import RANKS, hinted, named
from .grammar import nearest
from .lexicon import compiled, sides
from .sections import Section, UserPath, listed


def _named(field: str, keys: tuple[str, ...], others: tuple[str, ...]) -> None:
    """Refuse what names nobody: a misspelt name on a list would hold for nobody, and nobody would notice."""
    for key in keys:
        if key not in others and not named(key):
            near = nearest(key, others)
            hint = f'must name a person, a place or a role; did you mean "{near}"' if near else ""
            told = {"key": field, "name": key[:80], "hint": hint or hinted(key, "a person, a place or a role")}
            raise PydanticCustomError("name", '"{name}" {hint}', told)


class Queue(Section):
    order: Literal["fifo", "round_robin"] = "fifo"
    """fifo paints in the order of arrival, round_robin serves people in turn."""
    waiting_total: int = Field(200, ge=1, le=100_000)
    """Requests that may wait at a time, of all people together."""


class Cache(Section):
    enabled: bool = True
    """Answer a request that was painted before from history, at once and labelled."""
    scope: Literal["user", "server", "everyone"] = "user"
    """Whose earlier pictures may answer: the same person's, those of everyone in the same server, or everyone's."""


class Limits(Section):
    waiting_per_user: int = Field(5, ge=1, le=1000)
    """Requests one person may have waiting at a time."""
    waiting_per_server: int = Field(0, ge=0, le=100_000)
    """Requests that may wait at a time in one server or group; 0 sets no limit."""
    running_per_user: int = Field(0, ge=0, le=1000)
    """Requests of one person that are painted at a time, on several engines; 0 sets no limit."""
    running_per_server: int = Field(0, ge=0, le=1000)
    """Requests of one server or group that are painted at a time; 0 sets no limit."""
    per_hour: int = Field(0, ge=0, le=1_000_000)
    """Pictures a person may ask for in 60 minutes; 0 sets no limit."""
    per_day: int = Field(0, ge=0, le=1_000_000)
    """Pictures a person may ask for in 24 hours; 0 sets no limit."""
    per_month: int = Field(0, ge=0, le=10_000_000)
    """Pictures a person may ask for in 30 days; 0 sets no limit."""
    seconds_per_hour: float = Field(0.0, ge=0, le=3600)
    """Seconds of the engine that pictures of a person may take in 60 minutes; 0 sets no limit."""
    seconds_per_day: float = Field(0.0, ge=0, le=86_400)
    """Seconds of the engine that pictures of a person may take in 24 hours; 0 sets no limit."""
    seconds_per_month: float = Field(0.0, ge=0, le=2_592_000)
    """Seconds of the engine that pictures of a person may take in 30 days; 0 sets no limit."""
    quote_seconds: float = Field(0.0, ge=0, le=86_400)
    """Seconds of painting from which a person is told first what it costs, and asked; 0 never asks."""
    cooldown: float = Field(0.0, ge=0, le=86_400)
    """Seconds between two requests of one person."""
    max_steps: int = Field(100, ge=1, le=1000)
    """Most steps of one picture."""
    min_side: int = Field(64, ge=16, le=16_384)
    """Smallest width and height, in pixels."""
    max_side: int = Field(2048, ge=16, le=16_384)
    """Largest width and height, in pixels."""
    max_pixels: int = Field(4_194_304, ge=256, le=268_435_456)
    """Largest width times height."""
    max_count: int = Field(4, ge=1, le=16)
    """Most pictures of one request."""
    max_guidance: float = Field(30.0, ge=0, le=100)
    """Largest guidance."""
    max_prompt: int = Field(2000, ge=1, le=20_000)
    """Most characters of a prompt."""
    max_styles: int = Field(5, ge=0, le=20)
    """Most styles of one picture."""
    styles: tuple[str, ...] = ()
    """The only styles that may be used; any when empty."""
    max_weight: float = Field(2.0, ge=0, le=10)
    """Largest weight of a style, either sign."""
    max_upload_mb: int = Field(16, ge=1, le=256)
    """Largest file of a picture that people bring, in MB."""
    max_upload_pixels: int = Field(40_000_000, ge=65_536, le=268_435_456)
    """Largest width times height of a picture that people bring."""

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        if self.min_side > self.max_side:
            raise PydanticCustomError(
                "order",
                "min_side {low} is larger than max_side {high}",
                {"key": "min_side", "low": self.min_side, "high": self.max_side},
            )
        if self.min_side**2 > self.max_pixels:
            raise PydanticCustomError(
                "order",
                "max_pixels {most} is less than min_side × min_side",
                {"key": "max_pixels", "most": self.max_pixels},
            )
        return self


class Training(Section):
    roles: tuple[str, ...] = ("owners", "administrators")
    """Who may train styles: everyone, owners, administrators (and whom they name in their place), or discord:123."""
    hours: str = Field(
        "",
        pattern=r"^$|^([01]?\d|2[0-3])-([01]?\d|2[0-4])$",
        json_schema_extra={"allowed": "hours such as 22-6, or empty"},
    )
    """Hours of the day in which styles are trained, such as 22-6; at any time while no picture waits when empty."""
    max_pictures: int = Field(100, ge=4, le=500)
    """Most pictures of one training."""
    max_steps: int = Field(3000, ge=1, le=100_000)
    """Most steps of one training."""
    per_day: int = Field(3, ge=0, le=1000)
    """Trainings a person may begin in 24 hours; 0 sets no limit."""
    per_person: int = Field(10, ge=0, le=1000)
    """Trained styles a person may have at a time; 0 sets no limit."""

    @model_validator(mode="after")
    def _known(self) -> Training:
        _named("roles", self.roles, ("everyone", *RANKS))
        return self

    def open(self, now: float) -> bool:
        """Whether styles are trained at a Unix time."""
        return self.opens(now) <= now

    def opens(self, now: float) -> float:
        """The Unix time, now or later, from which styles are trained."""
        if not self.hours:
            return now
        begin, end = (int(part) for part in self.hours.split("-"))
        here = time.localtime(now)
        hour = here.tm_hour + here.tm_min / 60 + here.tm_sec / 3600
        if (hour - begin) % 24 < ((end - begin) % 24 or 24):
            return now
        return now + (begin - hour) % 24 * 3600


class Access(Section):
    allowed: tuple[str, ...] = ()
    """Who may ask: people (discord:123), servers, groups or channels (telegram:-100456), roles (discord:role:789) and
    the web page (web:page); everyone when empty. The bot's owners always may."""
    denied: tuple[str, ...] = ()
    """Who may not ask, in the same form; this goes over allowed."""
    exempt: tuple[str, ...] = ()
    """Whom cooldown, quotas and the number of waiting requests do not hold for, in the same form, or owners."""

    @model_validator(mode="after")
    def _known(self) -> Access:
        for name in ("allowed", "denied", "exempt"):
            _named(name, getattr(self, name), ("owners",) if name == "exempt" else ())
        return self


class Moderation(Section):
    blocked: tuple[str, ...] = ()
    """Words that a prompt must not contain, however they are written; a * stands for any letters."""
    patterns: tuple[str, ...] = ()
    """Regular expressions that a prompt must not match; it is folded first, so that look-alikes are found too."""
    together: tuple[str, ...] = ()
    """Pairs of lists, "knife, gun + school, church": a prompt must not have a word of each."""
    stripped: tuple[str, ...] = ()
    """Words that are left out of a prompt without a word about it."""
    innocent: tuple[str, ...] = ()
    """Phrases that may stand in a prompt although a word in them may not, such as cock-a-doodle-doo."""
    negative: str = Field("", max_length=2000)
    """What every picture must avoid, put before its negative prompt; FLUX heeds it only where one is asked for."""
    adult: Literal["restricted", "never", "anywhere"] = "restricted"
    """Where prompts with adult_words are taken: in age-restricted channels only, nowhere, or anywhere."""
    adult_words: tuple[str, ...] = ()
    """Words that are for adults."""

    @field_validator("patterns", "together", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        """One a line from the environment, or JSON: a comma may be a part of it."""
        if not isinstance(value, str):
            return value
        found = listed(value) if value.lstrip().startswith("[") else value
        return tuple(filter(None, map(str.strip, value.splitlines()))) if isinstance(found, str) else found

    @model_validator(mode="after")
    def _read(self) -> Moderation:
        for pattern in self.patterns:
            try:
                compiled(pattern)
            except ValueError as error:
                raise PydanticCustomError(
                    "pattern",
                    "the pattern {pattern} in patterns cannot be used: {reason}",
                    {"key": "patterns", "pattern": pattern[:80], "reason": str(error)},
                ) from None
        for rule in self.together:
            try:
                sides(rule)
            except ValueError as error:
                raise PydanticCustomError(
                    "together",
                    "the rule {rule} in together cannot be used: {reason}",
                    {"key": "together", "rule": rule[:80], "reason": str(error)},
                ) from None
        return self


class Safety(Section):
    checker: str = Field("off", min_length=1)
    """What looks at each picture before anybody sees it: off, opennsfw (the extra safety), or a folder with an image
    classifier of transformers. What it cannot check counts as unsafe; an override can only switch it off."""
    suspect: float = Field(0.5, ge=0, le=1)
    """Score from which a picture is suspect."""
    unsafe: float = Field(0.8, ge=0, le=1)
    """Score from which a picture is unsafe."""
    suspects: Literal["pass", "spoiler", "withhold"] = "spoiler"
    """What becomes of suspect pictures in places that are open to everyone."""
    unsafes: Literal["pass", "spoiler", "withhold"] = "withhold"
    """What becomes of unsafe pictures in places that are open to everyone."""
    adult_suspects: Literal["pass", "spoiler", "withhold"] = "pass"
    """What becomes of suspect pictures in age-restricted channels."""
    adult_unsafes: Literal["pass", "spoiler", "withhold"] = "spoiler"
    """What becomes of unsafe pictures in age-restricted channels."""
    private_suspects: Literal["pass", "spoiler", "withhold"] = "pass"
    """What becomes of suspect pictures in private chats and on the web page."""
    private_unsafes: Literal["pass", "spoiler", "withhold"] = "spoiler"
    """What becomes of unsafe pictures in private chats and on the web page."""

    @model_validator(mode="after")
    def _ordered(self) -> Safety:
        if self.suspect > self.unsafe:
            raise PydanticCustomError(
                "order",
                "suspect {low} is larger than unsafe {high}",
                {"key": "suspect", "low": self.suspect, "high": self.unsafe},
            )
        return self


class Privacy(Section):
    png_parameters: bool = False
    """Write prompt, seed and settings into the PNG files, where other tools read them."""
    history_days: int = Field(30, ge=0, le=36_500)
    """Days a picture stays in history unless it is a favourite; 0 keeps it for good."""
    strict_secrets: bool = False
    """Refuse to start while other users of this computer can read a file that holds a secret; otherwise a warning."""


class Storage(Section):
    free_mb: int = Field(512, ge=0, le=1_048_576)
    """Free space in MB below which nothing is taken any more, until there is room again."""
    tidy_mb: int = Field(2048, ge=0, le=1_048_576)
    """Free space in MB below which what can be made again is deleted; never a picture of the history."""


class Backup(Section):
    hours: float = Field(1.0, ge=0, le=8760)
    """Hours between two copies of the database, each checked when it is made; 0 makes none."""
    keep: int = Field(24, ge=1, le=700)
    """Copies that are kept of the latest; beside them one of each of the last seven days, and none for over a month."""
    folder: UserPath | None = Field(None, json_schema_extra={"default": "/backup/realbot"})
    """Folder of the copies, better on another disk; "backups" in the data folder by default."""
    pictures: bool = False
    """Copy pictures and trained styles too, each once."""
    recipients: tuple[str, ...] = ()
    """Public keys of age (age1…) for which the copies are encrypted; only the private key opens them again."""

    @field_validator("recipients")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            if not re.fullmatch(r"age1[02-9ac-hj-np-z]{58}", key):
                told = {"key_told": key[:12]}
                raise PydanticCustomError("recipient", "{key_told}… is not a public key of age (age1…)", told)
        return value


class Monitor(Section):
    host: str = Field("127.0.0.1", pattern=r"^\S+$")
    """Address on which /healthz, /readyz and /metrics are served."""
    port: int = Field(9464, ge=0, le=65_535)
    """Port on which they are served; 0 takes a free one."""


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged at least; debug may hold what people wrote."""
    format: Literal["auto", "json", "plain"] = "auto"
    """One line each: JSON for machines or plain text; auto takes plain text on a terminal."""
    file: UserPath | None = Field(None, json_schema_extra={"default": "/var/log/realbot/realbot.log"})
    """File for the log beside standard error."""
    file_mb: int = Field(20, ge=1, le=10_240)
    """Size in MB at which a new file is begun."""
    files: int = Field(5, ge=2, le=100)
    """Files that are kept, the one that is written among them; the oldest is deleted."""
