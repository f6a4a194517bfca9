"""The tones of a picture, in its latents: those of what stands out of it are moved to those of another picture.

As Reinhard et al. ("Color Transfer between Images", 2001) with the mean and the spread of each channel, but weighted by
how far a place is from the picture's prevailing one, so that a plain background stays what the words say.
"""

from __future__ import annotations

import torch

#: How far a place must be from the prevailing one to count half, as a share of the mean squared distance.
_HALF = 0.5


class Tones:
    """Those of one picture, to be taken to a degree."""

    def __init__(self, latents: torch.Tensor, degree: float) -> None:
        """`latents` (1, channels, height, width), `degree` in 0..1."""
        self._degree = degree
        places = latents.float().flatten(2)
        self._mean, self._spread = _moments(places, _standing_out(places))

    def move(self, latents: torch.Tensor) -> torch.Tensor:
        """What is to be added to latents of any size so that they have these tones."""
        places = latents.float().flatten(2)
        weight = _standing_out(places)
        mean, spread = _moments(places, weight)
        # What has no spread stays as flat as it is.
        wanted = (places - mean) * (self._spread / (spread + 1e-3)).clamp(max=4) + self._mean
        return (self._degree * weight * (wanted - places)).view_as(latents)


def _standing_out(places: torch.Tensor) -> torch.Tensor:
    """In 0..1 how far each place (1, 1, places) is from the prevailing one, the median of each channel."""
    away = (places - places.median(2, keepdim=True).values).square().sum(1, keepdim=True)
    return away / (away + _HALF * away.mean() + 1e-6)


def _moments(places: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted mean and standard deviation of each channel (1, channels, 1)."""
    share = weight / (weight.sum() + 1e-6)
    mean = (places * share).sum(2, keepdim=True)
    return mean, ((places - mean).square() * share).sum(2, keepdim=True).sqrt()
