"""Files of a training, each written whole or not at all: its state, and the style that comes of it. No pickles."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from realbot.engine.loading import Loaded
from realbot.errors import EngineError
from realbot.training import Course

#: What other tools call the model families.
_ARCHITECTURES = {
    "flux": ("flux-1-dev/lora", "flux1"),
    "sdxl": ("stable-diffusion-xl-v1-base/lora", "sdxl_base_v1-0"),
    "sd15": ("stable-diffusion-v1/lora", "sd_v1"),
    "sd3": ("stable-diffusion-3-medium/lora", "sd3"),
}


def keep(path: Path, data: bytes) -> None:
    """Put a file in its place in one step, on the disk. Raises EngineError when that cannot be done."""
    try:
        _keep(path, data)
    except OSError as error:
        raise EngineError(f"The file {path} cannot be written: {error.strerror}.") from error


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def save(path: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """A checkpoint: tensors, and JSON in the header."""
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    keep(path, safetensors.torch.save(whole, {"state": json.dumps(state)}))


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """What was saved. Raises EngineError when the file is damaged."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            return {name: file.get_tensor(name) for name in file.keys()}, dict(state)  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"The checkpoint {path} is damaged; delete it to train from the beginning.") from error


def export(
    path: Path, weights: Mapping[str, torch.Tensor], *, loaded: Loaded, course: Course, pictures: str, steps: int
) -> None:
    """An ordinary LoRA file in half precision that diffusers, ComfyUI and realbot read.

    alpha / rank is multiplied into B, so that no reader needs to know it. `pictures` is the hash of the set.
    """
    from realbot.engine import models

    denoiser = models.FAMILIES[loaded.preset.family].denoiser
    scale = course.alpha / course.rank
    layers = {}
    for name, weight in weights.items():
        whole = weight.detach().float().cpu() * (scale if name.endswith("lora_B") else 1.0)
        layers[f"{denoiser}.{name}.weight"] = whole.half().contiguous()
    architecture, base = _ARCHITECTURES[loaded.preset.family]
    about = {
        "format": "pt",
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.title": course.style,
        "modelspec.trigger_phrase": course.trigger,
        "ss_base_model_version": base,
        "ss_output_name": course.style,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(course.rank),
        "ss_network_alpha": str(course.rank),
        "ss_learning_rate": f"{course.rate:g}",
        "ss_steps": str(steps),
        "ss_seed": str(course.seed),
        "realbot.model": loaded.preset.name,
        "realbot.revision": loaded.revision,
        "realbot.rank": str(course.rank),
        "realbot.alpha": f"{course.alpha:g}",
        "realbot.steps": str(steps),
        "realbot.pictures": pictures,
    }
    keep(path, _ordered(safetensors.torch.save(layers, about)))


def _ordered(data: bytes) -> bytes:
    """The same safetensors file with its header in order: the library writes metadata in another one each time."""
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]
