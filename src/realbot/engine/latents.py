"""Latents: the scale between the VAE and the denoiser, and a rough picture of unfinished ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from PIL import Image

_SIDE = 256
_SAMPLES, _SAMPLE_SIDE = 4, 64


def scaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """What the VAE encoded, as the denoiser knows it."""
    std, mean = _moments(vae, latents)
    return (latents - mean) * vae.config.scaling_factor / std


def unscaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """What the denoiser made, as the VAE decodes it."""
    std, mean = _moments(vae, latents)
    return latents * std / vae.config.scaling_factor + mean


def overflows(vae: Any) -> bool:
    """Whether this VAE must run in float32 although its weights are float16."""
    return bool(vae.dtype == torch.float16 and getattr(vae.config, "force_upcast", False))


def _moments(vae: Any, latents: torch.Tensor) -> tuple[Any, Any]:
    mean, std = getattr(vae.config, "latents_mean", None), getattr(vae.config, "latents_std", None)
    if mean is not None and std is not None:
        shape = (1, -1, 1, 1)
        return latents.new_tensor(std).view(shape), latents.new_tensor(mean).view(shape)
    return 1, getattr(vae.config, "shift_factor", None) or 0


class Preview:
    """Latents to a small JPEG in about a millisecond."""

    def __init__(self, vae: Any, device: torch.device) -> None:
        """Fits the map; `vae` is an AutoencoderKL that runs on `device`, wherever its weights rest."""
        self._weights = _fit(vae, device)

    def image(self, latents: torch.Tensor) -> Image.Image:
        """Latents (1, channels, height, width) as a picture whose longer side is 256 pixels."""
        flat = latents[0].detach().float().cpu().flatten(1).T
        rgb = (flat @ self._weights[:-1] + self._weights[-1]).clamp(0, 1).nan_to_num(0)
        height, width = latents.shape[-2:]
        pixels = (rgb * 255).round().to(torch.uint8).reshape(height, width, 3)
        scale = _SIDE / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return Image.fromarray(pixels.numpy()).resize(size, Image.Resampling.BICUBIC)

    def write(self, latents: torch.Tensor, path: Path) -> None:
        """Replace the file in one step, so that a reader never sees half of it."""
        part = path.with_suffix(".part")
        self.image(latents).save(part, "JPEG", quality=80)
        os.replace(part, path)  # noqa: PTH105


@torch.no_grad()  # type: ignore[untyped-decorator]
def _fit(vae: Any, device: torch.device) -> torch.Tensor:
    """Least squares from the latents of smooth random pictures to their colours: (channels + 1, 3), the last a bias."""
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.rand(_SAMPLES, 3, 5, 5, generator=generator)
    pictures = torch.nn.functional.interpolate(coarse, size=_SAMPLE_SIDE, mode="bicubic", align_corners=True).clamp(
        0, 1
    )
    dtype = vae.dtype
    upcast = overflows(vae)
    if upcast:
        vae.to(torch.float32)
    moments = vae.encode((pictures * 2 - 1).to(device, vae.dtype)).latent_dist.mode()
    latents = scaled(vae, moments).float().cpu()
    if upcast:
        vae.to(dtype)
    colours = torch.nn.functional.adaptive_avg_pool2d(pictures, latents.shape[-2:])
    rows = latents.permute(0, 2, 3, 1).flatten(0, 2)
    rows = torch.cat([rows, torch.ones(len(rows), 1)], 1)
    ridge = 1e-3 * torch.eye(rows.shape[1])
    return torch.linalg.solve(rows.T @ rows + ridge, rows.T @ colours.permute(0, 2, 3, 1).flatten(0, 2))
