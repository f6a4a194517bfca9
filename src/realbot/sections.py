"""Every setting: its name, type, default, range and a one-line description.

`config` reads them, `deploy/realbot.toml` is generated from them; nothing else describes a setting.
"""

from __future__ import annotations

import json
import re
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from .phrases import Phrase


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise PydanticCustomError("home", "nobody has that home folder") from None


UserPath = Annotated[Path, AfterValidator(_expanded)]
Url = r"^https?://[^\s/?#]+[^\s?#]*$"


class Section(BaseModel):
    """A table of the configuration. A key that is not listed is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: Any) -> Any:
        """`true` is not the number 1, and a list from the environment is written with commas or as JSON."""
        kinds = members(cls.model_fields[info.field_name])
        if isinstance(value, bool) and bool not in kinds:
            raise PydanticCustomError("kind", "not a truth value")
        if isinstance(value, str) and SecretStr in kinds:
            return value.strip()
        if isinstance(value, str) and any(get_origin(kind) is tuple for kind in kinds):
            return listed(value)
        return value


def listed(text: str) -> Any:
    """A list that is written as a text: "one, two" or ["one", "two"]; a text that is neither stays as it is."""
    if not text.lstrip().startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return tuple(json.loads(text))
    except (ValueError, RecursionError):
        return text


class Secretive(Section):
    """A section with one secret that may also stand in a file of its own."""

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for name in secrets(cls):
            path = data.get(f"{name}_file")
            if path in (None, ""):
                continue
            if data.get(name) is not None:
                raise PydanticCustomError("both", "set {a} or {b}, not both", {"a": name, "b": f"{name}_file"})
            data = {**data, name: _secret(name, path)}
        return data


def _secret(name: str, path: Any) -> str:
    context = {"key": f"{name}_file"}
    if not isinstance(path, str | Path):
        raise PydanticCustomError("secret_file", "is not a path", context)
    try:
        text = Path(path).expanduser().read_bytes()[:4096].decode().strip()
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "is not text"
        told = {**context, "path": str(path), "reason": reason}
        raise PydanticCustomError("secret_file", "{path}: {reason}", told) from None
    if not text:
        raise PydanticCustomError("secret_file", "{path}: the file is empty", {**context, "path": str(path)})
    return text


class Paths(Section):
    data: UserPath = Path("data")
    """Folder of the database and the pictures; one running realbot for each."""
    styles: UserPath | None = Field(None, json_schema_extra={"default": "data/styles"})
    """Folder of LoRA styles (*.safetensors) beside the bundled ones; "styles" in the data folder by default."""

    @model_validator(mode="before")
    @classmethod
    def _beside(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("styles") is None and isinstance(data.get("data", ""), str | Path):
            return {**data, "styles": Path(data.get("data", "data")) / "styles"}
        return data


class Model(Section):
    name: str = Field("mini", min_length=1)
    """Model preset: mini (bundled), flux-dev, flux-schnell, flux-kontext, sdxl, sd15 or sd35."""
    path: str | None = Field(None, json_schema_extra={"default": "/models/FLUX.1-dev"})
    """Folder, single .safetensors file or hub name to load the preset's weights from instead of its usual source."""
    revision: str | None = Field(None, json_schema_extra={"default": "main"})
    """Revision of a model from the hub."""
    download: bool = False
    """Fetch a model that is not on this machine from the hub when the engine starts."""
    base: str | None = Field(None, json_schema_extra={"default": "/models/FLUX.1-dev"})
    """Folder or hub name that lends a single file what it lacks, such as text encoders."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights; auto takes bfloat16 on a GPU that has it and float32 on a CPU."""
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$",
        json_schema_extra={"allowed": "auto, cpu, mps, cuda or cuda:N"},
    )
    """Where to paint; auto takes the first GPU, else the CPU."""


class Engine(Section):
    offload: Literal["none", "model", "group", "sequential"] = "none"
    """What moves to main memory while it is not in use: less GPU memory, slower."""
    quantize: Literal["none", "nf4", "int8", "fp8"] = "none"
    """Smaller weights: less GPU memory, slightly different pictures."""
    vae_tiling: Literal["auto", "on", "off"] = "auto"
    """Decode pictures in tiles; auto does so when the whole would not fit."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU threads of the engine; 0 leaves the choice to torch."""
    hang_seconds: float = Field(30.0, ge=1, le=3600)
    """Seconds without a step after which the engine is restarted; never less than five usual steps."""
    previews: bool = True
    """Show a rough picture while it is painted."""
    style_memory_mb: int = Field(2048, ge=16, le=1_048_576)
    """Main memory for styles that are kept ready, in MB."""
    embed_cache_mb: int = Field(256, ge=0, le=65_536)
    """Memory for encoded prompts, in MB; 0 keeps none."""
    attention: str = Field(
        "auto",
        pattern=r"^\w{1,40}$",
        json_schema_extra={"allowed": "auto or the name of a diffusers attention backend"},
    )
    """Attention implementation: auto, or the name of a diffusers backend such as native, flash or sage."""


class Upscale(Section):
    model: UserPath | None = Field(None, json_schema_extra={"default": "/models/4x-UltraSharp.safetensors"})
    """Upscaling model (.safetensors), for the package spandrel; else pyanime4k if installed, else resampling."""
    max_pixels: int = Field(67_108_864, ge=65_536, le=268_435_456)
    """Largest width times height of an enlarged picture."""


class Reference(Section):
    model: UserPath | None = Field(None, json_schema_extra={"default": "/models/FLUX.1-Redux-dev"})
    """Folder of FLUX.1 Redux, or an IP-Adapter (.safetensors) for SD 1.5 or SDXL; without it any model takes looks."""
    encoder: UserPath | None = Field(None, json_schema_extra={"default": "/models/IP-Adapter/image_encoder"})
    """Folder of the image encoder of an IP-Adapter; the folder image_encoder beside its file when left out."""


class Discord(Secretive):
    token: SecretStr = Field(min_length=1)
    """The bot's token; better as REALBOT_DISCORD__TOKEN or in a file."""
    token_file: UserPath | None = Field(None, json_schema_extra={"default": "/run/secrets/discord"})
    """File that holds the token, readable by realbot only."""
    api_base: str = Field("https://discord.com/api/v10", pattern=Url)
    """Address of Discord's HTTP API."""
    gateway: str | None = Field(
        None, pattern=r"^wss?://\S+$", json_schema_extra={"default": "wss://gateway.discord.gg"}
    )
    """Address of Discord's gateway; Discord's own when left out."""
    removed: Literal["cancel", "direct"] = "cancel"
    """When realbot is taken out of a server: cancel what waits there, or send it to its people by direct message."""


class Telegram(Secretive):
    token: SecretStr = Field(min_length=1)
    """The bot's token from BotFather; better as REALBOT_TELEGRAM__TOKEN or in a file."""
    token_file: UserPath | None = Field(None, json_schema_extra={"default": "/run/secrets/telegram"})
    """File that holds the token, readable by realbot only."""
    api_base: str = Field("https://api.telegram.org", pattern=Url)
    """Address of the Bot API; /bot<token> and /file/bot<token> are appended."""
    owners: tuple[int, ...] = ()
    """Numbers of the people who administer the bot everywhere; /help tells each person theirs."""
    backlog_minutes: float = Field(60.0, ge=1, le=1440)
    """Messages that lay at Telegram for longer than this are not painted any more; their senders are told."""
    webhook_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        json_schema_extra={
            "default": "https://example.org/telegram",
            "allowed": "an address that starts with https://",
        },
    )
    """Public address that Telegram sends updates to; realbot asks for them itself when left out."""
    webhook_host: str = Field("127.0.0.1", pattern=r"^\S+$")
    """Address to listen on for the webhook."""
    webhook_port: int = Field(8443, ge=0, le=65_535)
    """Port to listen on for the webhook; a proxy in front of it speaks HTTPS."""
    webhook_secret: SecretStr | None = Field(
        None, min_length=16, max_length=256, json_schema_extra={"allowed": "16 to 256 letters, digits, _ and -"}
    )
    """What Telegram shows to prove that an update comes from it; needed with webhook_url."""
    webhook_secret_file: UserPath | None = Field(None, json_schema_extra={"default": "/run/secrets/webhook"})
    """File that holds the webhook's secret, readable by realbot only."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.webhook_url is not None and self.webhook_secret is None:
            raise PydanticCustomError(
                "webhook",
                "a webhook needs a secret, so that only Telegram can send updates; make one with openssl rand -hex 32",
                {"key": "webhook_secret"},
            )
        secret = self.webhook_secret
        if secret is not None and not re.fullmatch(r"[\w-]+", secret.get_secret_value(), re.ASCII):
            raise PydanticCustomError("webhook", "may hold letters, digits, _ and - only", {"key": "webhook_secret"})
        return self


class Web(Secretive):
    host: str = Field("127.0.0.1", pattern=r"^\S+$")
    """Address to listen on; 127.0.0.1 serves this computer only."""
    port: int = Field(7860, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""
    password: SecretStr | None = Field(None, min_length=1)
    """Password for the page; none is asked for when left out."""
    password_file: UserPath | None = Field(None, json_schema_extra={"default": "/run/secrets/web"})
    """File that holds the password, readable by realbot only."""
    admin_password: SecretStr | None = Field(
        None, min_length=8, json_schema_extra={"allowed": "a text of at least 8 characters"}
    )
    """Password of the page for whoever runs this bot, at /admin; there is none when left out."""
    admin_password_file: UserPath | None = Field(None, json_schema_extra={"default": "/run/secrets/admin"})
    """File that holds that password, readable by realbot only."""


def secrets(section: type[BaseModel]) -> list[str]:
    """The names of the fields that must never be shown."""
    return [name for name, field in section.model_fields.items() if SecretStr in members(field)]


def members(field: FieldInfo) -> tuple[Any, ...]:
    """The types a field accepts, None among them where it may be left out."""
    kind = field.annotation
    if get_origin(kind) in (types.UnionType, Union):
        return get_args(kind)
    return (kind,)


def allowed(field: FieldInfo) -> str:
    """What a setting may be, in words: "a whole number from 1 to 100"."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    kind = next(kind for kind in members(field) if kind is not type(None))
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        *most, last = get_args(kind)
        return Phrase("{most} or {last}", most=", ".join(most), last=last)
    if get_origin(kind) is tuple:
        return "a list of whole numbers, [1, 2]" if int in get_args(kind) else 'a list of texts, ["one", "two"]'
    if kind in (int, float):
        return _range(field, whole=kind is int)
    if kind is bool:
        return Phrase("true or false")
    if kind is Path:
        return "a path"
    pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
    if pattern == Url:
        return "an address that starts with https:// or http://"
    return "an address that starts with wss:// or ws://" if pattern and "wss" in pattern else "a text that is not empty"


def _range(field: FieldInfo, *, whole: bool) -> str:
    least = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    most = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    if least is not None and most is not None:
        if whole:
            return Phrase("a whole number from {low} to {high}", low=least, high=most)
        return Phrase("a number from {low} to {high}", low=least, high=most)
    low = high = ""
    for rule in field.metadata:
        match rule:
            case Ge(ge):
                low = f" from {ge}"
            case Gt(gt):
                low = f" above {gt}"
            case Le(le):
                high = f" to {le}" if low.startswith(" from") else f" and at most {le}"
            case Lt(lt):
                high = f" below {lt}"
    return ("a whole number" if whole else "a number") + low + high
