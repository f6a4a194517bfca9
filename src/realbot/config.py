"""Settings: `realbot.toml`, the environment over it (REALBOT_LIMITS__PER_DAY=20), secrets from either or from files.

This is the only module that reads the environment. Whatever is wrong becomes one ConfigError that names the key.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_origin

from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from .errors import ConfigError
from .grammar import nearest
from .remedies import Source, keys, quoted
from .rulebook import Access, Backup, Cache, Limits, Log, Moderation, Monitor, Privacy, Queue, Safety, Storage, Training
from .sections import (
    Discord,
    Engine,
    Model,
    Paths,
    Reference,
    Section,
    Telegram,
    Upscale,
    Web,
    allowed,
    members,
    secrets,
)

PREFIX = "REALBOT_"
#: Variables that are no settings: the file's path, and what Kubernetes sets for a service named "realbot".
OTHERS = re.compile(r"REALBOT_(CONFIG|SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP)\w*)?)")
PLACE = re.compile(r"(discord|telegram|web|cli):\S+")
MASK = "********"


class Override(Section):
    """What one server or chat changes: any keys of these sections."""

    queue: dict[str, Any] = Field(default_factory=dict)
    cache: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, Any] = Field(default_factory=dict)
    moderation: dict[str, Any] = Field(default_factory=dict)
    safety: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)


class Settings(BaseSettings):
    """The whole configuration, checked. Build it with `Settings.load`."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        enable_decoding=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    paths: Paths = Field(default_factory=Paths)
    """Where files are."""
    model: Model = Field(default_factory=Model)
    """What paints."""
    engine: Engine = Field(default_factory=Engine)
    """How it paints."""
    upscale: Upscale = Field(default_factory=Upscale)
    """How pictures are enlarged."""
    reference: Reference = Field(default_factory=Reference)
    """How the look of a reference picture is taken."""
    discord: Discord | None = None
    """Discord front-end; off when this section is left out."""
    telegram: Telegram | None = None
    """Telegram front-end; off when this section is left out."""
    web: Web | None = None
    """Web page; off when this section is left out and Discord or Telegram is on."""
    queue: Queue = Field(default_factory=Queue)
    """The line."""
    cache: Cache = Field(default_factory=Cache)
    """Answers from history."""
    limits: Limits = Field(default_factory=Limits)
    """What one request and one person may ask for."""
    access: Access = Field(default_factory=Access)
    """Who may ask."""
    moderation: Moderation = Field(default_factory=Moderation)
    """What may not be asked for."""
    safety: Safety = Field(default_factory=Safety)
    """What a picture must not show."""
    training: Training = Field(default_factory=Training)
    """Who may train styles on pictures of their own, and how much."""
    privacy: Privacy = Field(default_factory=Privacy)
    """What is kept and told."""
    storage: Storage = Field(default_factory=Storage)
    """Room on the disk."""
    backup: Backup = Field(default_factory=Backup)
    """Copies of what is remembered."""
    monitor: Monitor | None = None
    """Health and metrics for other programs; off when this section is left out."""
    log: Log = Field(default_factory=Log)
    """What is written down of what happens."""
    override: dict[str, Override] = Field(default_factory=dict)
    """Other values of [queue], [cache], [limits], [moderation], [safety] and [training] for a server, chat or role."""

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _cautions: tuple[str, ...] = PrivateAttr(default=())
    _places: dict[str, Settings] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only `load` reads the environment, so that a test or a tool can hand in another one."""
        return (init_settings,)

    @classmethod
    def load(cls, path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the file (`path`, else REALBOT_CONFIG, else ./realbot.toml if there is one) and the environment.

        Raises ConfigError: one line with the key, where it stands, what is wrong and what is allowed.
        """
        chosen = path or (Path(environ["REALBOT_CONFIG"]) if environ.get("REALBOT_CONFIG") else None)
        file = chosen or Path("realbot.toml")
        present = chosen is not None or file.exists()
        source = Source(file.name, _text(file) if present else "", PREFIX)
        tree = _over(source, _variables(environ))
        if not any(name in tree for name in ("discord", "telegram", "web")):
            tree["web"] = {}
        try:
            settings = cls(**tree)
        except ValidationError as error:
            raise source.explained(error, cls) from None
        settings._origins.update({key: source.origins.get(key, "default") for key, _, _ in _leaves(settings)})
        settings._places.update({place: settings._at(place, source) for place in settings.override})
        settings._cautions = (*_readable(settings, file if present else None), *_exposed(settings))
        return settings

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each key's value came from: "default", the file's name, or "environment"."""
        return self._origins

    @property
    def cautions(self) -> tuple[str, ...]:
        """What is allowed but unwise, one sentence each, for the log and `realbot doctor`."""
        return self._cautions

    def for_place(self, *places: str) -> Settings:
        """These settings as they hold in a server or chat, "discord:GUILD" or "telegram:CHAT".

        Of several places, such as a server and a channel in it, the last that has a value decides.
        """
        own = [place for place in places if place in self._places]
        if len(own) < 2:
            return self._places[own[0]] if own else self
        changed: dict[str, Section] = {}
        for name in {name for place in own for name in self.override[place].model_fields_set}:
            section: Section = getattr(self, name)
            tables = [getattr(self.override[place], name) for place in own]
            with contextlib.suppress(ValidationError):
                values = {key: value for table in tables for key, value in table.items()}
                changed[name] = type(section)(**{**section.model_dump(), **values})
        return self._places[own[-1]].model_copy(update=changed)

    def secrets(self) -> tuple[str, ...]:
        """Every secret's value, for the log to strike out."""
        return tuple(value.get_secret_value() for _, _, value in _leaves(self) if isinstance(value, SecretStr))

    def _at(self, place: str, source: Source) -> Settings:
        prefix = f"override.{quoted(place)}"
        if not PLACE.fullmatch(place):
            message = f'{prefix}{source.at(prefix)} must name a place, such as [override."discord:1234".limits].'
            raise ConfigError(message, key=prefix)
        changed: dict[str, Section] = {}
        for name in sorted(self.override[place].model_fields_set):
            section: Section = getattr(self, name)
            try:
                changed[name] = type(section)(**{**section.model_dump(), **getattr(self.override[place], name)})
            except ValidationError as error:
                raise source.explained(error, type(section), f"{prefix}.{name}") from None
        copy = self.model_copy(update=changed)
        copy._places = {}
        copy._origins = {key: source.origins.get(f"{prefix}.{key}", origin) for key, origin in self._origins.items()}
        return copy


def environment() -> dict[str, str]:
    """This process's environment, for the programs it starts."""
    return dict(os.environ)


def show(settings: Settings) -> list[tuple[str, str, str]]:
    """Every key with its value as TOML (secrets masked, nothing for a value that is left out) and its origin."""
    return [
        (key, MASK if isinstance(value, SecretStr) else _toml(value), settings.origins.get(key, "default"))
        for key, _, value in _leaves(settings)
    ]


def template() -> str:
    """The text of `deploy/realbot.toml`: every setting, its default and one comment."""
    lines = [
        "# realbot: every setting with its default. A line that is commented out shows an example.",
        "# The environment goes over this file: REALBOT_LIMITS__PER_DAY=20, REALBOT_DISCORD__TOKEN_FILE=/run/secrets/…",
    ]
    for name, field in Settings.model_fields.items():
        section = _section(name)
        if section is None:
            lines += ["", *_comment(field), '# [override."discord:1234".limits]', "# per_day = 20"]
            continue
        off = "# " if field.default is None and name != "web" else ""
        lines += ["", *_comment(field), f"{off}[{name}]"]
        for key, entry in section.model_fields.items():
            example = _example(key, entry)
            dark = off or ("# " if entry.default in (None, PydanticUndefined) else "")
            lines += ["", *_comment(entry), f"{dark}{key} = {example}"]
    return "\n".join(lines) + "\n"


def _section(name: str) -> type[Section] | None:
    kinds = members(Settings.model_fields[name])
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def _comment(field: FieldInfo) -> list[str]:
    told = (field.description or "").replace("\n", " ")
    ranged = any(kind in (int, float) or get_origin(kind) is Literal for kind in members(field))
    text = f"{told.removesuffix('.')} ({allowed(field)})." if ranged else told
    return textwrap.wrap(text, 118, initial_indent="# ", subsequent_indent="# ")


def _example(key: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return _toml(extra["default"])
    return _toml("…" if field.default in (None, PydanticUndefined) else field.default)


def _toml(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool() | int() | float():
            return json.dumps(value)
        case tuple() | list():
            return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(str(value), ensure_ascii=False)


def _leaves(settings: Settings) -> Iterator[tuple[str, FieldInfo, Any]]:
    """Every setting of the sections that are on: key, field, value."""
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, Section):
            for key, field in type(section).model_fields.items():
                yield f"{name}.{key}", field, getattr(section, key)


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = f"The configuration file {file} cannot be read: {error.strerror}. Name another with --config."
    except UnicodeDecodeError as error:
        message = f"The configuration file {file} is not UTF-8 text (byte {error.start})."
    raise ConfigError(message, key=file.name)


def _variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """The variables under the prefix as a tree. An empty one counts as not set."""
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    sections = [name for name in Settings.model_fields if name != "override"]
    for name in ours:
        section, _, key = name.removeprefix(PREFIX).lower().partition("__")
        if not OTHERS.fullmatch(name) and (section not in sections or not key):
            near = nearest(section, sections)
            hint = (
                f"did you mean {PREFIX}{near.upper()}__{key.upper() or 'KEY'}" if near else f"{PREFIX}SECTION__KEY is"
            )
            hint += "?" if near else f" the form, the sections are {', '.join(sections)}."
            raise ConfigError(f"{name} is not a setting: {hint}", key=name)
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in ours.items()}
    return source()


def _over(source: Source, environment: dict[str, Any]) -> dict[str, Any]:
    """The environment over the file. A secret from one place hides the same secret's other form from the file."""
    tree = dict(source.tree)
    for name, values in environment.items():
        below, section = tree.get(name, {}), _section(name)
        if not isinstance(below, dict) or section is None:
            continue
        forms = [{key, f"{key}_file"} for key in secrets(section)]
        hidden = {form for pair in forms if pair & values.keys() for form in pair}
        tree[name] = {**{key: value for key, value in below.items() if key not in hidden}, **values}
        source.origins.update(dict.fromkeys(keys({name: values}), "environment"))
    return tree


def _readable(settings: Settings, file: Path | None) -> Iterator[str]:
    """A warning for each file with a secret that other users can read; ConfigError when the settings are strict."""
    for name in ("discord", "telegram", "web"):
        section = getattr(settings, name)
        for key in secrets(type(section)) if section is not None else ():
            named: Path | None = getattr(section, f"{key}_file")
            written = file if settings.origins.get(f"{name}.{key}") not in ("default", "environment") else None
            path = named or written
            if path is None or not _others_read(path):
                continue
            message = f"{name}.{key}: other users can read {path}; run: chmod 600 {path}"
            if settings.privacy.strict_secrets:
                raise ConfigError(f"{message} (privacy.strict_secrets is on).", key=f"{name}.{key}")
            yield message


def _others_read(path: Path) -> bool:
    return os.name == "posix" and path.exists() and bool(path.stat().st_mode & stat.S_IROTH)


def _exposed(settings: Settings) -> Iterator[str]:
    web = settings.web
    if web is not None and web.password is None and web.host not in ("127.0.0.1", "::1", "localhost"):
        yield f"web.host is {web.host} and web.password is not set: everyone on the network can use the page."
