"""Settings: `realbot.toml`, the environment over it (REALBOT_LIMITS__PER_DAY=20), secrets from either or from files.

This is the only module that reads the environment. Whatever is wrong becomes one ConfigError that names the key.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from .addresses import ROLE, hinted, named
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
    members,
    secrets,
)

log = logging.getLogger(__name__)

PREFIX = "REALBOT_"
#: What takes effect while realbot runs, sections and single keys; everything else does so after a restart.
LIVE = frozenset(
    {"queue", "cache", "limits", "access", "moderation", "safety", "training", "privacy", "storage", "backup", "log"}
    | {"override", "engine.previews", "discord.removed", "telegram.owners", "telegram.backlog_minutes"}
)
#: What does not although its section does: it is loaded once, at the start.
LATE = frozenset({"safety.checker"})
#: Variables that are no settings: the file's path, and what Kubernetes sets for a service named "realbot".
OTHERS = re.compile(r"REALBOT_(CONFIG|SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP)\w*)?)")


class Override(Section):
    """What one server, chat or role changes: any keys of these sections."""

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
    #: What `load` was called with.
    _loaded: tuple[Path | None, Mapping[str, str]] | None = PrivateAttr(default=None)

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
        settings._origins = {key: source.origin(key) for key, _, _ in leaves(settings)}
        for place in settings.override:
            settings._origins.update(settings._checked(place, source))
        settings._cautions = (*_readable(settings, file if present else None), *_exposed(settings))
        settings._loaded = (path, environ)
        return settings

    def again(self) -> Settings:
        """What the same file and environment say now. Raises ConfigError as `load`."""
        for file in self.files:
            if file.exists() and not file.is_file():
                # A pipe is empty by now, or never ends.
                message = f"{file} is no ordinary file, so it can be read only once: start realbot anew instead."
                raise ConfigError(message, key=file.name)
        return self if self._loaded is None else type(self).load(*self._loaded)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that these settings come from: the configuration, be it there or not, and those of secrets."""
        if self._loaded is None:
            return ()
        path, environ = self._loaded
        named = [getattr(section, f"{key}_file") for _, section in _secretive(self) for key in secrets(type(section))]
        return (path or Path(environ.get("REALBOT_CONFIG") or "realbot.toml"), *filter(None, named))

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each key's value came from: "default", "realbot.toml, line 12", or "environment".

        What an override has follows, `override."discord:1".limits.per_day`.
        """
        return self._origins

    @property
    def cautions(self) -> tuple[str, ...]:
        """What is allowed but unwise, one sentence each, for the log and `realbot doctor`."""
        return self._cautions

    def for_place(self, *keys: str) -> Settings:
        """These settings as they hold in a server or chat, "discord:GUILD" or "telegram:CHAT", and for roles.

        Of several places, such as a server and a channel in it, the last that has a value decides. Roles go over
        places, "discord:role:789" or "telegram:role:administrators"; of several, the last in the file decides.
        """
        roles = [key for key in self.override if key in keys and ROLE.fullmatch(key)]
        own = [*(key for key in keys if key in self.override and key not in roles), *roles]
        if not own:
            return self
        changed: dict[str, Section] = {}
        origins = dict(self._origins)
        for place in own:
            for name in self.override[place].model_fields_set:
                section: Section = changed.get(name) or getattr(self, name)
                table = getattr(self.override[place], name)
                try:
                    changed[name] = type(section)(**{**section.model_dump(), **table})
                except ValidationError as error:
                    # Each goes with the settings, but not with the other.
                    log.warning("[%s] is left out: %s", _table(place, name), error.errors()[0]["msg"])
                    continue
                origins |= {f"{name}.{key}": f"{place}, {self._origin(place, name, key)}" for key in table}
        copy = self.model_copy(update={**changed, "override": {}})
        copy._origins = origins
        return copy

    def secrets(self) -> tuple[str, ...]:
        """Every secret's value, for the log to strike out."""
        return tuple(value.get_secret_value() for _, _, value in leaves(self) if isinstance(value, SecretStr))

    def _origin(self, place: str, name: str, key: str) -> str:
        return self._origins.get(f"{_table(place, name)}.{quoted(key)}", "default")

    def _checked(self, place: str, source: Source) -> dict[str, str]:
        """Where the values of an override came from. Raises ConfigError for what is none."""
        prefix = f"override.{quoted(place)}"
        if not named(place):
            hint = hinted(place)
            message = f"{prefix}{source.at(prefix)} {hint}{'?' if 'did you mean' in hint else '.'}"
            raise ConfigError(message, key=prefix)
        origins: dict[str, str] = {}
        for name in sorted(self.override[place].model_fields_set):
            section: Section = getattr(self, name)
            table = getattr(self.override[place], name)
            try:
                type(section)(**{**section.model_dump(), **table})
            except ValidationError as error:
                raise source.explained(error, type(section), _table(place, name)) from None
            if name == "safety" and table.get("checker", "off") not in ("off", self.safety.checker):
                key = f"{prefix}.safety.checker"
                allowed = f'off or that of [safety], "{self.safety.checker}", because one checker is loaded for all'
                raise ConfigError(f'{key}{source.at(key)} is "{table["checker"]}", it must be {allowed}.', key=key)
            keyed = [f"{_table(place, name)}.{quoted(key)}" for key in table]
            origins |= {key: source.origin(key) for key in keyed}
        return origins


def proxy(address: str) -> str | None:
    """The proxy that the environment names for an address, as for other programs: HTTPS_PROXY, ALL_PROXY, NO_PROXY."""
    parts, known = urlsplit(address), urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(parts.hostname or "", known):  # type: ignore[attr-defined]
        return None
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
    return known.get(scheme) or known.get("all")


def environment() -> dict[str, str]:
    """This process's environment, for the programs it starts."""
    return dict(os.environ)


def leaves(settings: Settings) -> Iterator[tuple[str, FieldInfo, Any]]:
    """Every setting of the sections that are on: key, field, value."""
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, Section):
            for key, field in type(section).model_fields.items():
                yield f"{name}.{key}", field, getattr(section, key)


def section_of(name: str) -> type[Section] | None:
    """The type of a section, None for `override`, which has none of its own."""
    kinds = members(Settings.model_fields[name])
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)


def _table(place: str, name: str) -> str:
    return f"override.{quoted(place)}.{name}"


def _text(file: Path) -> str:
    data = b""
    try:
        data = file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        message = f"The configuration file {file} cannot be read: {error.strerror}. Name another with --config."
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"The configuration file {file} is not UTF-8 text (line {line})."
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
        below, section = tree.get(name, {}), section_of(name)
        if not isinstance(below, dict) or section is None:
            continue
        forms = [{key, f"{key}_file"} for key in secrets(section)]
        hidden = {form for pair in forms if pair & values.keys() for form in pair}
        tree[name] = {**{key: value for key, value in below.items() if key not in hidden}, **values}
        source.origins.update(dict.fromkeys(keys({name: values}), "environment"))
    return tree


def _readable(settings: Settings, file: Path | None) -> Iterator[str]:
    """A warning for each file with a secret that other users can read; ConfigError when the settings are strict."""
    for name, section in _secretive(settings):
        for key in secrets(type(section)):
            named: Path | None = getattr(section, f"{key}_file")
            written = file if settings.origins.get(f"{name}.{key}") not in ("default", "environment") else None
            path = named or written
            if path is None or not _others_read(path):
                continue
            message = f"{name}.{key}: other users can read {path}; run: chmod 600 {path}"
            if settings.privacy.strict_secrets:
                raise ConfigError(f"{message} (privacy.strict_secrets is on).", key=f"{name}.{key}")
            yield message


def _secretive(settings: Settings) -> Iterator[tuple[str, Section]]:
    """The sections that are on and have secrets."""
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, Section) and secrets(type(section)):
            yield name, section


def _others_read(path: Path) -> bool:
    return os.name == "posix" and path.exists() and bool(path.stat().st_mode & stat.S_IROTH)


def _exposed(settings: Settings) -> Iterator[str]:
    web = settings.web
    if web is not None and web.password is None and web.host not in ("127.0.0.1", "::1", "localhost"):
        yield f"web.host is {web.host} and web.password is not set: everyone on the network can use the page."
