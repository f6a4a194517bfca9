"""Judges of a picture: which object, which background, which look. A small convolutional probe trained on the data."""

from __future__ import annotations

import random
from pathlib import Path

import data
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

SIDE = 48  # pixels the probe sees


class Probe(nn.Module):
    """Scores [n, objects] and [n, looks] for pictures [n, 3, 48, 48] in [-1, 1]."""

    def __init__(self, objects: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        last = 3
        for width in (24, 48, 96, 128):
            layers += [nn.Conv2d(last, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
            last = width
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.object = nn.Linear(128 * 9, objects)
        self.look = nn.Linear(128 * 9, len(data.LOOKS))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.body(x)
        return self.object(h), self.look(h)


def small(image: Image.Image) -> np.ndarray:
    return data.tensor(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX))


def fit(sources: Path, steps: int = 700) -> Probe:
    """Train on all looks with random places, colours and blur, so that it judges shape and not the smallest detail."""
    torch.manual_seed(11)
    rng = random.Random(11)
    codes = list(data.objects().values())
    probe = Probe(len(codes))
    optimizer = torch.optim.AdamW(probe.parameters(), 3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in range(steps):
        wanted = [(rng.randrange(len(codes)), rng.randrange(3)) for _ in range(48)]
        pictures = []
        for i, look in wanted:
            side = rng.choice((88, 96, 104))
            at = (rng.randrange(129 - side), rng.randrange(129 - side))
            image = data.picture(
                sources, data.LOOKS[look], codes[i], rng.choice(list(data.COLOURS.values())), (128, 128), side, at
            )
            pictures.append(small(image))
        x = torch.from_numpy(np.stack(pictures)) + 0.08 * torch.randn(48, 3, SIDE, SIDE)
        names, looks = probe(x)
        loss = functional.cross_entropy(names, torch.tensor([i for i, _ in wanted])) + functional.cross_entropy(
            looks, torch.tensor([k for _, k in wanted])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return probe.eval()


def background(image: Image.Image) -> str:
    """The named colour nearest to the median of the picture's border."""
    a = np.asarray(image.convert("RGB"), np.float32)
    border = np.concatenate(
        [a[:6].reshape(-1, 3), a[-6:].reshape(-1, 3), a[:, :6].reshape(-1, 3), a[:, -6:].reshape(-1, 3)]
    )
    middle = np.median(border, axis=0)
    return min(data.COLOURS, key=lambda name: float(np.square(middle - np.array(data.COLOURS[name])).sum()))
