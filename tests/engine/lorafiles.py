"""LoRA files made for a given model, for the tests of every part that takes styles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

#: Linear layers of a FLUX transformer or of a UNet's attention that a style usually changes.
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def random_tensors(
    modules: Mapping[str, torch.nn.Module],
    *,
    layers: Sequence[str] | None = ATTENTION,
    rank: int = 4,
    strength: float = 0.1,
    alpha: float | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> dict[str, torch.Tensor]:
    """A LoRA in diffusers' own naming, `transformer.NAME.lora_A.weight`, for all linear and convolution layers whose
    name ends in one of `layers` (None: all). A change is about `strength` / rank**0.5 of a weight of 1."""
    generator = torch.Generator("cpu").manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for component, module in modules.items():
        for name, layer in module.named_modules():
            if not isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
                continue
            if layers is not None and not f".{name}".endswith(tuple(f".{end}" for end in layers)):
                continue
            out, *inner = layer.weight.shape
            a = torch.randn(rank, *inner, generator=generator) / rank
            b = torch.randn(out, rank, *(1 for _ in inner[1:]), generator=generator) * strength
            tensors[f"{component}.{name}.lora_A.weight"] = a.to(dtype)
            tensors[f"{component}.{name}.lora_B.weight"] = b.to(dtype)
            if alpha is not None:
                tensors[f"{component}.{name}.alpha"] = torch.tensor(float(alpha))
    return tensors


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> str:
    """Write tensors as safetensors; the sha256 of the file."""
    save_file({key: value.contiguous() for key, value in tensors.items()}, path, metadata=dict(metadata or {}) or None)
    return sha256_of(path)


def write_lora(path: Path, modules: Mapping[str, torch.nn.Module], **how: object) -> str:
    """Write a random LoRA for the model (see `random_tensors` for the options); the sha256 of the file."""
    return write(path, random_tensors(modules, **how))  # type: ignore[arg-type]


def xlabs_tensors(transformer: torch.nn.Module, rank: int = 4, seed: int = 3) -> dict[str, torch.Tensor]:
    """XLabs' naming of a FLUX transformer: the attention of the double blocks, query, key and value as one."""
    width = transformer.inner_dim
    generator = torch.Generator("cpu").manual_seed(seed)
    tensors = {}
    for block in range(len(transformer.transformer_blocks)):
        for part, copies in (("qkv_lora1", 3), ("qkv_lora2", 3), ("proj_lora1", 1), ("proj_lora2", 1)):
            key = f"double_blocks.{block}.processor.{part}"
            tensors[f"{key}.down.weight"] = torch.randn(rank, width, generator=generator) / rank
            tensors[f"{key}.up.weight"] = torch.randn(copies * width, rank, generator=generator) * 0.1
    return tensors


def kohya_tensors(transformer: torch.nn.Module, rank: int = 4, alpha: float = 2.0) -> dict[str, torch.Tensor]:
    """sd-scripts' naming of a FLUX transformer: the double blocks, each layer with its alpha."""
    width = transformer.inner_dim
    generator = torch.Generator("cpu").manual_seed(5)
    shapes = {
        "img_attn_qkv": (3 * width, width),
        "txt_attn_qkv": (3 * width, width),
        "img_attn_proj": (width, width),
        "img_mlp_0": (4 * width, width),
        "img_mlp_2": (width, 4 * width),
        "img_mod_lin": (6 * width, width),
    }
    tensors = {}
    for block in range(len(transformer.transformer_blocks)):
        for part, (out, inner) in shapes.items():
            key = f"lora_unet_double_blocks_{block}_{part}"
            tensors[f"{key}.lora_down.weight"] = torch.randn(rank, inner, generator=generator) / rank
            tensors[f"{key}.lora_up.weight"] = torch.randn(out, rank, generator=generator) * 0.1
            tensors[f"{key}.alpha"] = torch.tensor(alpha)
    return tensors


def unet_kohya_tensors(
    net: torch.nn.Module, alphas: tuple[float, ...] = (2.0,), rank: int = 4
) -> dict[str, torch.Tensor]:
    """sd-scripts' naming of a UNet: attention, feed-forward and convolutions."""
    tensors: dict[str, torch.Tensor] = {}
    ends = ("to_q", "to_out.0", "ff.net.0.proj", "ff.net.2", "conv1", "conv2", "conv_shortcut", "time_emb_proj")
    for position, (key, value) in enumerate(random_tensors({"unet": net}, layers=ends, rank=rank, seed=9).items()):
        name, half, _ = key.removeprefix("unet.").rsplit(".", 2)
        kohya = "lora_unet_" + name.replace(".", "_")
        tensors[f"{kohya}.{'lora_down' if half == 'lora_A' else 'lora_up'}.weight"] = value
        tensors[f"{kohya}.alpha"] = torch.tensor(alphas[position // 2 % len(alphas)])
    return tensors
