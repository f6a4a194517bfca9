"""Trains the autoencoder of `mini`: 8x smaller sides, 16 channels, on crops of all three looks.

`python vae.py SOURCES OUT --minutes 14`; a run that was interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import data
import numpy as np
import torch
from diffusers import AutoencoderKL
from muon import Pair
from PIL import Image
from torch.nn import functional

CROP, BATCH, PEAK = 64, 8, 3e-3
CANVAS = 192  # pixels; an object stands in the middle, and windows are cut around it


def fresh() -> AutoencoderKL:
    """An untrained autoencoder of the size that `mini` ships."""
    torch.manual_seed(0)
    return AutoencoderKL(
        block_out_channels=(16, 32, 64, 96), latent_channels=16, layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        mid_block_add_attention=False, use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip


def cutouts(sources: Path, others: int) -> list[Image.Image]:
    """The objects of `mini` (three times, they matter most) and `others` further pictures of each look."""
    rng = random.Random(1)
    wanted = list(data.objects().values())
    found = []
    for look in data.LOOKS:
        codes = [c for c in data.codepoints(sources, look) if "-" not in c]
        for code in wanted * 3 + rng.sample(codes, min(others, len(codes))):
            try:
                found.append(data.cutout(sources, look, code))
            except StopIteration:
                continue
    return found


def crops(pictures: list[Image.Image], rng: random.Random) -> torch.Tensor:
    """Float32 [BATCH, 3, CROP, CROP] in [-1, 1]: crops of pictures on plain backgrounds."""
    batch = []
    for _ in range(BATCH):
        cut = rng.choice(pictures)
        colour = rng.choice(list(data.COLOURS.values())) if rng.random() < 0.7 else tuple(rng.choices(range(256), k=3))
        canvas = Image.new("RGB", (128, 128), colour)
        canvas.paste(cut, (rng.randrange(33), rng.randrange(33)), cut)
        x, y = rng.randrange(0, 129 - CROP), rng.randrange(0, 129 - CROP)
        batch.append(data.tensor(canvas.crop((x, y, x + CROP, y + CROP))))
    return torch.from_numpy(np.stack(batch))


def train(sources: Path, out: Path, minutes: float) -> None:
    """Train for `minutes` of computing with a learning rate that rises for 5 % and falls to zero."""
    torch.manual_seed(0)
    pictures = cutouts(sources, 250)
    vae = fresh()
    optimizer = Pair(
        vae,
        lambda name, p: p.ndim == 4 and not name.endswith(("encoder.conv_in.weight", "decoder.conv_out.weight")),
        PEAK,
    )
    state = out / "vae.ckpt"
    spent, step = 0.0, 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        vae.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        spent, step = saved["spent"], saved["step"]
    rng = random.Random(step)
    began, total, last = time.monotonic() - spent, minutes * 60, 0.0
    while (spent := time.monotonic() - began) < total:
        optimizer.rate(spent / total)
        x = crops(pictures, rng)
        posterior = vae.encode(x).latent_dist
        # A little noise on the latents keeps them smooth, which is what the transformer must learn.
        z = posterior.mean + 0.05 * torch.randn_like(posterior.mean)
        error = vae.decode(z).sample - x
        loss = error.square().mean() + 0.5 * error.abs().mean() + 2e-4 * posterior.mean.square().mean()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 50 == 0:
            print(
                f"vae {spent / 60:5.1f} min  step {step}  mse {functional.mse_loss(error, error * 0).item():.4f}",
                flush=True,
            )
        if spent - last > 120:
            last = spent
            torch.save(
                {"model": vae.state_dict(), "optimizer": optimizer.state_dict(), "spent": spent, "step": step}, state
            )
    finish(vae, pictures, out)


@torch.no_grad()
def finish(vae: AutoencoderKL, pictures: list[Image.Image], out: Path) -> None:
    """Measure the latents, write their mean and scale into the config, save the model."""
    rng = random.Random(99)
    latents, errors = [], []
    for _ in range(20):
        x = crops(pictures, rng)
        z = vae.encode(x).latent_dist.mean
        latents.append(z)
        errors.append((vae.decode(z).sample - x).square().mean())
    z = torch.cat(latents)
    vae.register_to_config(shift_factor=round(z.mean().item(), 4), scaling_factor=round(1 / z.std().item(), 4))
    # The posterior is used through its mean; the unused variance would only add noise to image-to-image.
    print(f"vae done: mse {torch.stack(errors).mean():.5f}, shift {z.mean():.4f}, deviation {z.std():.4f}", flush=True)
    vae.save_pretrained(out / "vae")


@torch.no_grad()
def canvases(sources: Path, out: Path, look: str) -> torch.Tensor:
    """Scaled latents [objects, colours, 16, 24, 24] of every object on every colour."""
    path = out / f"latents-{look}.pt"
    if path.exists():
        return torch.load(path, weights_only=True).float()
    vae = AutoencoderKL.from_pretrained(out / "vae").eval()
    rows = []
    for code in data.objects().values():
        batch = [data.tensor(data.picture(sources, look, code, c, (CANVAS, CANVAS))) for c in data.COLOURS.values()]
        z = vae.encode(torch.from_numpy(np.stack(batch))).latent_dist.mean
        rows.append((z - vae.config.shift_factor) * vae.config.scaling_factor)
    made = torch.stack(rows)
    torch.save(made.half(), path)
    return made


def polish(sources: Path, out: Path, minutes: float) -> None:
    """Train the decoder alone on what the transformer will hand it: whole windows cut out of a larger latent.

    Those have no border of their own, and their statistics are those of a whole picture.
    """
    latents = {look: canvases(sources, out, look) for look in data.LOOKS}
    vae = AutoencoderKL.from_pretrained(out / "vae")
    vae.encoder.requires_grad_(False)
    optimizer = Pair(vae, lambda name, p: p.ndim == 4 and not name.endswith("conv_out.weight"), PEAK * 0.5)
    rng, codes, colours = random.Random(5), list(data.objects().values()), list(data.COLOURS.values())
    began, total, step = time.monotonic(), minutes * 60, 0
    while (spent := time.monotonic() - began) < total:
        optimizer.rate(spent / total, hold=0.2)
        windows, targets = [], []
        for _ in range(2):
            look, i, j = rng.choice(data.LOOKS), rng.randrange(len(codes)), rng.randrange(len(colours))
            y, x = rng.randrange(0, CANVAS // 8 - 15, 2), rng.randrange(0, CANVAS // 8 - 15, 2)
            windows.append(latents[look][i, j, :, y : y + 16, x : x + 16])
            canvas = data.picture(sources, look, codes[i], colours[j], (CANVAS, CANVAS))
            targets.append(data.tensor(canvas.crop((8 * x, 8 * y, 8 * x + 128, 8 * y + 128))))
        z = torch.stack(windows) / vae.config.scaling_factor + vae.config.shift_factor
        error = vae.decode(z + 0.05 * torch.randn_like(z)).sample - torch.from_numpy(np.stack(targets))
        (error.square().mean() + 0.5 * error.abs().mean()).backward()
        optimizer.step()
        step += 1
        if step % 50 == 0:
            print(f"polish {spent / 60:5.1f} min  step {step}  mse {error.square().mean().item():.4f}", flush=True)
    vae.save_pretrained(out / "vae")
    (out / "vae" / "polished").touch()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=14)
    parser.add_argument("--polish", action="store_true", help="train the decoder of a finished one")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (polish if arguments.polish else train)(arguments.sources, arguments.out, arguments.minutes)
