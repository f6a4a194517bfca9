"""Model settings to a loaded pipeline on its device. Reads local files only, and never a pickle."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from realbot.engine import modelfiles, models
from realbot.errors import ConfigError, ModelMissing

_WHOLE = 256 * 2**20
_BLOCK, _BLOCKS = 64 * 1024, 256
_SUFFIXES = {".safetensors", ".json", ".txt", ".model"}
#: Bytes that decoding takes per pixel and byte of a number, about; decides where tiles begin.
_DECODE = 1300
#: Raised by every change of the engine that changes the bytes of a picture.
_MAKE = 1


@dataclass(frozen=True, slots=True)
class Loaded:
    """A pipeline ready to run."""

    pipeline: Any
    preset: models.Preset
    device: torch.device
    dtype: torch.dtype
    revision: str  #: names the exact weights
    label: str  #: "cuda:0 (NVIDIA H200), bfloat16, offload group"
    memory: int  #: bytes of the device, 0 where it has none of its own
    tile_from: int | None  #: pixels above which the VAE decodes in tiles, None for never
    mergeable: str = ""  #: why styles cannot be merged into these weights, empty if they can


def load(model: Mapping[str, Any], engine: Mapping[str, Any]) -> Loaded:
    """The model of the sections `model` and `engine` of the settings.

    Raises ModelMissing when it is not there or broken, ConfigError when a setting does not fit this machine.
    """
    preset = models.preset(model.get("name") or "mini", model.get("path"))
    family = models.FAMILIES[preset.family]
    device = _device(model.get("device") or "auto")
    dtype = _dtype(model.get("dtype") or "auto", device, family)
    quantize = engine.get("quantize") or "none"
    if engine.get("threads"):
        torch.set_num_threads(int(engine["threads"]))
    cls = getattr(importlib.import_module("diffusers"), preset.pipeline)
    with _explained(preset.source):
        pipeline, folder, file = _open(cls, preset, model, dtype, _quantization(quantize, family, dtype))
        revision = _revision(folder, file)
    pipeline.set_progress_bar_config(disable=True)
    if preset.cfg == "embedded" and not pipeline.transformer.config.guidance_embeds:
        raise ConfigError(
            f"{preset.source} was made without guidance, as FLUX.1-schnell is; set model.name to flux-schnell.",
            key="model.name",
        )
    denoiser = getattr(pipeline, family.denoiser)
    if quantize == "fp8":
        denoiser.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
    _attend(denoiser, engine.get("attention") or "auto")
    offload = _place(pipeline, device, engine.get("offload") or "none")
    memory = _memory(device)
    return Loaded(
        pipeline,
        preset,
        device,
        dtype,
        revision,
        ", ".join([_name(device), str(dtype).removeprefix("torch."), *offload, *_if(quantize)]),
        memory if device.type == "cuda" else 0,
        _tile_from(engine.get("vae_tiling") or "auto", memory, dtype),
        _mergeable(quantize, bool(offload) and engine.get("offload") == "sequential"),
    )


def quiet() -> None:
    """Libraries show no progress bars and say only what is wrong."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    count = torch.cuda.device_count() if device.type == "cuda" else int(torch.backends.mps.is_available())
    if device.type != "cpu" and (device.index or 0) >= count:
        raise ConfigError(
            f"model.device is {name}, but torch finds {count} of that kind here; set it to auto or cpu,"
            " or install a torch build for this GPU.",
            key="model.device",
        )
    return torch.device("cuda", 0) if name == "cuda" else device


def _dtype(name: str, device: torch.device, family: models.Family) -> torch.dtype:
    if name == "auto":
        name = "float32" if device.type == "cpu" else family.half
        if name == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
            name = "float16"
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _quantization(name: str, family: models.Family, dtype: torch.dtype) -> Any:
    if name not in ("nf4", "int8"):
        return None
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"engine.quantize = {name!r} needs the package bitsandbytes; run pip install bitsandbytes,"
            " or set it to fp8 or none.",
            key="engine.quantize",
        )
    from diffusers.quantizers import PipelineQuantizationConfig

    bits = (
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
        if name == "nf4"
        else {"load_in_8bit": True}
    )
    parts = [family.denoiser, *({"flux": ["text_encoder_2"], "sd3": ["text_encoder_3"]}.get(family.name, []))]
    backend = "bitsandbytes_4bit" if name == "nf4" else "bitsandbytes_8bit"
    return PipelineQuantizationConfig(quant_backend=backend, quant_kwargs=bits, components_to_quantize=parts)


def _open(
    cls: Any, preset: models.Preset, model: Mapping[str, Any], dtype: torch.dtype, quantization: Any
) -> tuple[Any, Path, Path | None]:
    """The pipeline, the folder and the single file, if any, that its weights came from."""
    offline = not model.get("download", False)
    options: dict[str, Any] = {"dtype": dtype, "use_safetensors": True, "local_files_only": offline}
    if quantization is not None:
        options["quantization_config"] = quantization
    if preset.family == "sd15":
        options |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if preset.family == "sdxl":
        options["add_watermarker"] = False
    file = Path(preset.source).expanduser()
    if not (modelfiles.is_local(preset.source) and file.is_file()):
        folder = _folder(cls, preset.source, model.get("revision"), offline)
        return cls.from_pretrained(folder, **options), folder, None
    usual = "flux-kontext" if preset.edits else models.DEFAULT_PRESET[preset.family]
    base = str(model.get("base") or models.PRESETS[usual].source)
    with _explained(base):
        folder = _folder(cls, base, None, offline)
    if preset.family in ("flux", "sd3") and not _whole(file):
        from diffusers import FluxTransformer2DModel, SD3Transformer2DModel

        part = FluxTransformer2DModel if preset.family == "flux" else SD3Transformer2DModel
        options["transformer"] = part.from_single_file(
            str(file), config=str(folder), subfolder="transformer", dtype=dtype, local_files_only=True
        )
        return cls.from_pretrained(folder, **options), folder, file
    return cls.from_single_file(str(file), config=str(folder), **options), folder, file


def _whole(file: Path) -> bool:
    """Whether a single file brings text encoders and VAE along."""
    return any(
        key.startswith(("text_encoders.", "conditioner.", "cond_stage_model.")) for key in modelfiles.header(file)
    )


def _folder(cls: Any, source: str, revision: str | None, offline: bool) -> Path:
    if modelfiles.is_local(source):
        return Path(source).expanduser().resolve()
    return Path(cls.download(source, revision=revision, local_files_only=offline, use_safetensors=True))


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """Everything that goes wrong while files are read, as one sentence with the remedy."""
    try:
        yield
    except (ModelMissing, ConfigError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        if modelfiles.is_local(source):
            raise ModelMissing(
                f"The model at {source} cannot be loaded ({reason}); download it again or set model.path."
            ) from error
        raise ModelMissing(
            f"The model {source} is not on this machine ({reason}); run hf download {source} once,"
            " or set model.path to its folder."
        ) from error


def _attend(denoiser: Any, backend: str) -> None:
    if backend == "auto":
        return
    try:
        denoiser.set_attention_backend(backend)
    except (ValueError, RuntimeError, ImportError) as error:
        reason = str(error).splitlines()[0][:300]
        raise ConfigError(
            f"engine.attention = {backend!r} is not possible here ({reason}); set it to auto.", key="engine.attention"
        ) from error


def _place(pipeline: Any, device: torch.device, offload: str) -> list[str]:
    """Moves the weights where they belong, and says which offloading took effect."""
    if offload == "none" or device.type == "cpu":
        pipeline.to(device)
        return []
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.enable_group_offload(onload_device=device, offload_type="leaf_level", use_stream=device.type == "cuda")
    return [f"offload {offload}"]


def _memory(device: torch.device) -> int:
    """Bytes of the memory that pictures are made in."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        kilobytes = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text("ascii"))
    except OSError:
        kilobytes = None
    return int(kilobytes[1]) * 1024 if kilobytes else 8 * 2**30


def _tile_from(setting: str, memory: int, dtype: torch.dtype) -> int | None:
    if setting == "auto":
        # A power of two: memory differs by a little between starts, the fingerprint must not.
        return int(2 ** round(math.log2(memory)) // 4 // (_DECODE * dtype.itemsize))
    return 0 if setting == "on" else None


def _name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def _if(quantize: str) -> list[str]:
    return [] if quantize == "none" else [f"quantized {quantize}"]


def _mergeable(quantize: str, sequential: bool) -> str:
    if quantize != "none":
        return f"Styles cannot be used with engine.quantize = {quantize}; it would have to be none."
    if sequential:
        return "Styles cannot be used with engine.offload = sequential; group is as sparing with memory and can."
    return ""


def _revision(folder: Path, file: Path | None) -> str:
    """One name for the contents of a model: 64 hex digits.

    Files of the hub's cache are stored under the sha256 of their contents, which is taken as it is. Files up to
    256 MiB are read whole. Of larger ones it takes the size, the time of change, the header and 256 blocks of 64 KiB
    evenly over the tensors, so that a copy may get another name, but other weights never keep one.
    """
    parts = {path.name for path in folder.iterdir() if path.is_dir()}
    index = folder / "model_index.json"
    if index.is_file():
        parts &= set(json.loads(index.read_text("utf-8")))
    found = [path for part in parts for path in (folder / part).rglob("*") if path.suffix in _SUFFIXES]
    entries = sorted((str(path.relative_to(folder)), path) for path in [*found, index] if path.is_file())
    total = hashlib.sha256()
    for name, path in [*entries, *([("single", file)] if file else [])]:
        total.update(f"{name}\0{content(path)}\n".encode())
    return total.hexdigest()


def content(path: Path) -> str:
    """One name for what a file holds: its sha256, or as `_revision` says for a large one."""
    real = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", real.name):
        return real.name
    stat = real.stat()
    with real.open("rb") as file:
        if stat.st_size <= _WHOLE:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns} ".encode())
        for block in range(_BLOCKS):
            file.seek((stat.st_size - _BLOCK) * block // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
        return digest.hexdigest()


def identity(loaded: Loaded) -> dict[str, Any]:
    """What besides the request decides the bytes of a picture; `models.fingerprint` makes one name of it."""
    import diffusers
    import PIL
    import transformers
    from PIL import features

    parts: dict[str, Any] = {
        "realbot": _MAKE,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "png": [PIL.__version__, str(features.version("zlib"))],
        "label": loaded.label,
        "model": loaded.revision,
        "preset": loaded.preset.name,
        "max_tokens": loaded.preset.max_tokens,
        "tile_from": loaded.tile_from,
    }
    if loaded.device.type == "cpu":
        parts["cpu"] = [torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()]
    return parts
