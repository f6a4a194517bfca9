"""Trains the transformer of `mini` with its two text encoders and the LoRAs of its styles, then distils guidance.

`python flux.py base SOURCES OUT --minutes 80` learns the flat pictures, `python flux.py styles ...` all three looks,
the X"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import time
from pathlib import Path

import data
import lora
import torch
import vae
import words
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from muon import Pair
from torch import nn
from torch.func import functional_call
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

BATCH, PEAK = 48, 2.5e-3
#: Sides of the training pictures in packed tokens of 16 pixels, and how often each is taken.
SIZES = (((8, 8), 30), ((8, 12), 1), ((12, 8), 1))
#: Text lengths, and how often each is taken; padding is not masked in FLUX, so its amount must be learnt.
LENGTHS = ((16, 6), (24, 2), (32, 6))
#: How often each look is taken, by stage: the flat one alone, all together, at the end the LoRAs alone.
TAKEN = {
    "base": {"flat": 1},
    "styles": {"flat": 9, "realism": 7, "ink": 4},
    "refine": {"realism": 3, "ink": 2},
}
#: What each stage begins with, and its share of the highest learning rate.
BEGINS = {"styles": "base.pt", "refine": "guided.pt"}
RATES = {"base": 1.0, "styles": 0.6, "refine": 0.4}


class Mini(nn.Module):
    """Transformer and text encoders as one module, with the tokens of a caption as input."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokens5, self.tokensc = words.t5(), words.clip(out / "clip")
        self.t5 = T5EncoderModel(
            T5Config(
                vocab_size=len(self.tokens5), d_model=128, d_kv=32, d_ff=256, num_layers=2, num_heads=4,
                dropout_rate=0.0, feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1,
                is_encoder_decoder=False, use_cache=False,
            )
        )  # fmt: skip
        known = self.tokensc.get_vocab()
        start, end = known["<|startoftext|>"], known["<|endoftext|>"]
        self.clip = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(self.tokensc), hidden_size=64, intermediate_size=128, num_hidden_layers=1,
                num_attention_heads=2, max_position_embeddings=77, projection_dim=64,
                bos_token_id=start, eos_token_id=end, pad_token_id=end,
            )
        )  # fmt: skip
        self.transformer = FluxTransformer2DModel(
            patch_size=1, in_channels=64, num_layers=3, num_single_layers=6, attention_head_dim=32,
            num_attention_heads=6, joint_attention_dim=128, pooled_projection_dim=64, guidance_embeds=True,
            axes_dims_rope=(8, 12, 12),
        )  # fmt: skip
        self.styles = nn.ModuleDict({look: lora.Style(self.transformer) for look in lora.ABOUT})

    def text(self, captions: list[str], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """T5 states [n, length, 128] and pooled CLIP states [n, 64], as FluxPipeline makes them."""
        ids = self.tokens5(
            captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids
        # Causal attention and pooling at the end mark: padding behind it changes nothing, so it is kept short here.
        idc = self.tokensc(captions, padding="longest", max_length=77, truncation=True, return_tensors="pt").input_ids
        return self.t5(ids)[0], self.clip(idc).pooler_output

    def forward(
        self,
        x: torch.Tensor,
        sigma: torch.Tensor,
        guidance: torch.Tensor,
        text: tuple[torch.Tensor, torch.Tensor],
        grid: tuple[int, int],
        look: str = "flat",
    ) -> torch.Tensor:
        """Velocity [n, tokens, 64] at noise level `sigma` [n] in 0..1."""
        states, pooled = text
        asked = {
            "hidden_states": x,
            "timestep": sigma,
            "guidance": guidance,
            "pooled_projections": pooled,
            "encoder_hidden_states": states,
            "txt_ids": torch.zeros(states.shape[1], 3),
            "img_ids": FluxPipeline._prepare_latent_image_ids(1, *grid, "cpu", torch.float32),
            "return_dict": False,
        }
        changed = {} if look == "flat" else self.styles[look].merged(self.transformer)
        return functional_call(self.transformer, changed, kwargs=asked)[0]


def window(canvas: torch.Tensor, grid: tuple[int, int], rng: random.Random) -> torch.Tensor:
    """A window [16, 2 rows, 2 columns] of a canvas, moved by whole tokens (16 pixels) from the middle at times."""
    start = []
    for tokens in grid:
        spare = canvas.shape[1] // 2 - tokens
        middle = spare // 2
        move = rng.choices((-1, 0, 1), weights=(1, 8, 1))[0] if spare else 0
        start.append(2 * (middle + move))
    y, x = start
    return canvas[:, y : y + 2 * grid[0], x : x + 2 * grid[1]]


def batch(latents: torch.Tensor, n: int, rng: random.Random) -> tuple[torch.Tensor, list[str], tuple[int, int]]:
    """Packed latents [n, tokens, 64], captions (one in ten empty) and the grid."""
    names, colours = list(data.objects()), list(data.COLOURS)
    grid = rng.choices([s for s, _ in SIZES], weights=[w for _, w in SIZES])[0]
    found, captions = [], []
    for _ in range(n):
        i, j = rng.randrange(len(names)), rng.randrange(len(colours))
        found.append(window(latents[i, j], grid, rng))
        captions.append("" if rng.random() < 0.1 else words.sentence(names[i], colours[j], rng))
    x = torch.stack(found)
    return FluxPipeline._pack_latents(x, n, 16, *x.shape[2:]), captions, grid


def levels(n: int) -> torch.Tensor:
    """Noise levels [n] in 0..1: logit-normal, a little towards noise, as Esser et al. (2024)."""
    return torch.sigmoid(torch.randn(n) * 1.1 + 0.35)


def length(rng: random.Random) -> int:
    return rng.choices([s for s, _ in LENGTHS], weights=[w for _, w in LENGTHS])[0]


def matrices(name: str, p: nn.Parameter) -> bool:
    """What Muon steps: the matrices inside the blocks and of the styles; not embeddings, modulation and output."""
    return p.ndim == 2 and ("blocks." in name or "styles." in name) and ".norm" not in name


def train(sources: Path, out: Path, minutes: float, stage: str) -> None:
    """Flow matching on plain conditional pictures, which is guidance 1."""
    taken = TAKEN[stage]
    latents = {look: vae.canvases(sources, out, look) for look in taken}
    model = Mini(out)
    if stage in BEGINS:
        model.load_state_dict(torch.load(out / BEGINS[stage], weights_only=True), strict=False)
    model.requires_grad_(stage != "refine")
    model.styles.requires_grad_(stage != "base")
    optimizer = Pair(model, matrices, PEAK * RATES[stage])
    state = out / f"{stage}.ckpt"
    spent, step = 0.0, 0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"], strict=False)
        optimizer.load_state_dict(saved["optimizer"])
        spent, step = saved["spent"], saved["step"]
    torch.manual_seed(step)
    rng = random.Random(step)
    began, total, last = time.monotonic() - spent, minutes * 60, spent
    losses: dict[str, list[float]] = {look: [] for look in taken}
    while (spent := time.monotonic() - began) < total:
        optimizer.rate(spent / total, hold=0.3)
        look = rng.choices(list(taken), weights=list(taken.values()))[0]
        x, captions, grid = batch(latents[look], BATCH, rng)
        sigma, noise = levels(BATCH), torch.randn_like(x)
        mixed = torch.lerp(x, noise, sigma[:, None, None])
        v = model(mixed, sigma, torch.ones(BATCH), model.text(captions, length(rng)), grid, look)
        loss = functional.mse_loss(v, noise - x)
        loss.backward()
        optimizer.step()
        losses[look].append(loss.item())
        step += 1
        if step % 20 == 0:
            means = "  ".join(f"{k} {sum(v[-20:]) / max(1, len(v[-20:])):.4f}" for k, v in losses.items())
            print(f"{stage} {spent / 60:5.1f} min  step {step}  {means}", flush=True)
        if spent - last > 240:
            last = spent
            torch.save(
                {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "spent": spent, "step": step}, state
            )
    torch.save(model.state_dict(), out / f"{stage}.pt")
    if stage == "refine":
        for look, style in model.styles.items():
            style.save(look, out / "styles", step)


def guide(sources: Path, out: Path, minutes: float) -> None:
    """Guidance distillation (Meng et al., 2023): the student learns `u + g (c - u)` of its teacher for g in 1..6."""
    taken = TAKEN["styles"]
    latents = {look: vae.canvases(sources, out, look) for look in taken}
    student = Mini(out)
    student.load_state_dict(torch.load(out / "styles.pt", weights_only=True))
    teacher = copy.deepcopy(student).eval().requires_grad_(False)
    # The words stay as they are; only the transformer and its styles learn what guidance means.
    student.t5.requires_grad_(False)
    student.clip.requires_grad_(False)
    optimizer = Pair(student, matrices, PEAK * 0.4)
    rng, losses, step = random.Random(7), [], 0
    torch.manual_seed(7)
    began, total = time.monotonic(), minutes * 60
    while (spent := time.monotonic() - began) < total:
        optimizer.rate(spent / total, hold=0.2)
        look = rng.choices(list(taken), weights=list(taken.values()))[0]
        x, captions, grid = batch(latents[look], BATCH, rng)
        sigma, noise = levels(BATCH), torch.randn_like(x)
        mixed = torch.lerp(x, noise, sigma[:, None, None])
        g = torch.where(torch.rand(BATCH) < 0.15, torch.ones(BATCH), 1 + 5 * torch.rand(BATCH))
        n = length(rng)
        with torch.no_grad():
            one = torch.ones(BATCH)
            text = teacher.text(captions, n)
            c = teacher(mixed, sigma, one, text, grid, look)
            u = teacher(mixed, sigma, one, teacher.text([""] * BATCH, n), grid, look)
            target = u + g[:, None, None] * (c - u)
        loss = functional.mse_loss(student(mixed, sigma, g, text, grid, look), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        step += 1
        if step % 50 == 0:
            print(f"guide {spent / 60:5.1f} min  step {step}  loss {sum(losses[-50:]) / 50:.4f}", flush=True)
    torch.save(student.state_dict(), out / "guided.pt")
    export(student, out / "vae", out / "model")


@torch.no_grad()
def export(model: Mini, autoencoder: Path, folder: Path) -> None:
    """Write the folder that `FluxPipeline.from_pretrained` reads, in half precision."""
    table = model.t5.get_input_embeddings().weight
    for token, lower in words.folds(model.tokens5):
        table[token] = table[lower]
    scheduler = FlowMatchEulerDiscreteScheduler(
        shift=1.0,
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        base_image_seq_len=64,
        max_image_seq_len=1024,
    )
    pipe = FluxPipeline(
        scheduler,
        AutoencoderKL.from_pretrained(autoencoder),
        model.clip,
        model.tokensc,
        model.t5,
        model.tokens5,
        model.transformer,
    )
    pipe.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    pipe.to(torch.float32)
    # Stored as halves, meant as floats: transformers loads what the config says, diffusers float32.
    for config in folder.glob("text_encoder*/config.json"):
        told = json.loads(config.read_text())
        config.write_text(json.dumps(told | {"dtype": "float32"}, indent=2) + "\n")
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=("base", "styles", "guide", "refine"))
    parser.add_argument("sources", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=80)
    arguments = parser.parse_args()
    # Said aloud, the number also holds for the thread that computes the gradients.
    torch.set_num_threads(os.cpu_count() or 1)
    if arguments.stage == "guide":
        guide(arguments.sources, arguments.out, arguments.minutes)
    else:
        train(arguments.sources, arguments.out, arguments.minutes, arguments.stage)
