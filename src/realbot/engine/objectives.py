"""What a denoiser is taught: the velocity from picture to noise, or the noise, as its family was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from realbot.engine.embeds import Encoded
from realbot.engine.loading import Loaded

#: Spread and middle of the noise levels before the sigmoid, a little towards noise (Esser et al., 2024).
_SPREAD, _MIDDLE = 1.1, 0.35


@dataclass(frozen=True, slots=True)
class Batch:
    """`latents` and `noise` [n, channels, height, width], `chance` [n] in 0..1, which becomes the noise level."""

    latents: torch.Tensor
    noise: torch.Tensor
    chance: torch.Tensor
    words: Sequence[Encoded]


class Objective:
    """The loss of one loaded model."""

    def __init__(self, loaded: Loaded) -> None:
        from diffusers import DDPMScheduler

        self._pipe, self._family = loaded.pipeline, loaded.preset.family
        self._device, self._dtype = loaded.device, loaded.dtype
        self._schedule: Any = None
        if self._family in ("sd15", "sdxl"):
            self._schedule = DDPMScheduler.from_config(self._pipe.scheduler.config)

    def losses(self, batch: Batch) -> torch.Tensor:
        """The mean squared error of each picture [n], float32."""
        x, noise = batch.latents.to(self._device), batch.noise.to(self._device)
        tokens = torch.cat([words.tokens for words in batch.words]).to(self._device, self._dtype)
        pooled = self._pooled(batch.words)
        if self._schedule is None:
            told, target = self._velocity(x, noise, batch.chance, tokens, pooled)
        else:
            told, target = self._noise(x, noise, batch.chance, tokens, pooled)
        return (told.float() - target).square().flatten(1).mean(1)

    def _velocity(
        self, x: torch.Tensor, noise: torch.Tensor, chance: torch.Tensor, tokens: torch.Tensor, pooled: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        level = torch.sigmoid(torch.special.ndtri(chance.clamp(1e-4, 1 - 1e-4)) * _SPREAD + _MIDDLE).to(self._device)
        mixed = torch.lerp(x, noise, level[:, None, None, None])
        if self._family == "sd3":
            told = self._pipe.transformer(
                hidden_states=mixed.to(self._dtype),
                timestep=level * 1000,
                encoder_hidden_states=tokens,
                pooled_projections=pooled,
                return_dict=False,
            )[0]
            return told, noise - x
        transformer, n, (height, width) = self._pipe.transformer, len(x), x.shape[2:]
        told = transformer(
            hidden_states=self._packed(mixed).to(self._dtype),
            timestep=level.to(self._dtype),
            # What distilled guidance does not change; it is turned up when pictures are painted.
            guidance=torch.ones(n, device=self._device) if transformer.config.guidance_embeds else None,
            pooled_projections=pooled,
            encoder_hidden_states=tokens,
            txt_ids=torch.zeros(tokens.shape[1], 3, device=self._device, dtype=self._dtype),
            img_ids=self._pipe._prepare_latent_image_ids(n, height // 2, width // 2, self._device, self._dtype),
            return_dict=False,
        )[0]
        return told, self._packed(noise - x)

    def _noise(
        self, x: torch.Tensor, noise: torch.Tensor, chance: torch.Tensor, tokens: torch.Tensor, pooled: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        schedule = self._schedule
        count = schedule.config.num_train_timesteps
        timesteps = (chance * count).long().clamp(0, count - 1).to(self._device)
        mixed = schedule.add_noise(x, noise, timesteps)
        extra: dict[str, Any] = {}
        if self._family == "sdxl":
            height, width = (side * self._pipe.vae_scale_factor for side in x.shape[2:])
            size = torch.tensor([[height, width, 0, 0, height, width]], device=self._device, dtype=self._dtype)
            extra["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": size.expand(len(x), -1)}
        told = self._pipe.unet(mixed.to(self._dtype), timesteps, tokens, return_dict=False, **extra)[0]
        match schedule.config.prediction_type:
            case "v_prediction":
                return told, schedule.get_velocity(x, noise, timesteps)
            case "sample":
                return told, x
            case _:
                return told, noise

    def _packed(self, latents: torch.Tensor) -> torch.Tensor:
        packed: torch.Tensor = self._pipe._pack_latents(latents, len(latents), latents.shape[1], *latents.shape[2:])
        return packed

    def _pooled(self, words: Sequence[Encoded]) -> torch.Tensor | None:
        found = [one.pooled for one in words if one.pooled is not None]
        return torch.cat(found).to(self._device, self._dtype) if found else None
