"""Trains a LoRA of `mini` on one of the other looks: `python lora.py realism SOURCES OUT --minutes 8`."""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import flux
import torch
import vae
from diffusers import FluxPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch.nn import functional

RANK, PEAK = 16, 4e-3
LAYERS = (
    r"transformer_blocks\.\d+\.(attn\.(to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)"
    r"|ff(_context)?\.net\.(0\.proj|2))|single_transformer_blocks\.\d+\.(attn\.(to_q|to_k|to_v)|proj_mlp|proj_out)"
)
ABOUT = {
    "realism": ("Realism", "soft shading and depth, as if made of clay"),
    "ink": ("Ink", "bold black line art"),
}


def train(look: str, sources: Path, out: Path, minutes: float) -> None:
    """Flow matching at guidance 1 on the pictures of `look`; only the low-rank matrices learn."""
    latents = vae.canvases(sources, out, look)
    pipe = FluxPipeline.from_pretrained(out / "model", dtype=torch.float32)
    model = flux.Mini(out)
    model.t5, model.clip, model.transformer = pipe.text_encoder_2, pipe.text_encoder, pipe.transformer
    model.requires_grad_(False)
    torch.manual_seed(3)
    model.transformer.add_adapter(
        LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights=True, target_modules=f".*({LAYERS})")
    )
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, PEAK, betas=(0.9, 0.98), weight_decay=0.0)
    rng, losses, step = random.Random(5), [], 0
    began, total = time.monotonic(), minutes * 60
    while (spent := time.monotonic() - began) < total:
        done = spent / total
        for group in optimizer.param_groups:
            group["lr"] = PEAK * min(1.0, done / 0.03 + 0.02, (1 - done) / 0.8)
        x, captions, grid = flux.batch(latents, flux.BATCH, rng)
        sigma, noise = flux.levels(flux.BATCH), torch.randn_like(x)
        mixed = torch.lerp(x, noise, sigma[:, None, None])
        with torch.no_grad():
            text = model.text(captions, flux.length(rng))
        loss = functional.mse_loss(model(mixed, sigma, torch.ones(flux.BATCH), text, grid), noise - x)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        step += 1
        if step % 50 == 0:
            print(f"{look} {spent / 60:5.1f} min  step {step}  loss {sum(losses[-50:]) / 50:.4f}", flush=True)
    save(look, model.transformer, out / "styles", step)


def save(look: str, transformer: torch.nn.Module, folder: Path, steps: int) -> None:
    """Write an ordinary diffusers LoRA file in half precision, with what realbot and other tools read about it."""
    folder.mkdir(parents=True, exist_ok=True)
    layers = {k: v.half().contiguous() for k, v in get_peft_model_state_dict(transformer).items()}
    title, about = ABOUT[look]
    FluxPipeline.save_lora_weights(folder, transformer_lora_layers=layers, weight_name=f"{look}.safetensors")
    # Written again for the metadata, which save_lora_weights would put into a JSON string of its own.
    from safetensors.torch import load_file, save_file

    path = folder / f"{look}.safetensors"
    save_file(
        load_file(path), path,
        {
            "format": "pt", "ss_base_model_version": "flux1", "ss_network_dim": str(RANK),
            "ss_network_alpha": str(RANK), "ss_steps": str(steps), "modelspec.title": title,
            "modelspec.description": about, "realbot.model": "mini",
        },
    )  # fmt: skip
    path.chmod(0o644)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("look", choices=tuple(ABOUT))
    parser.add_argument("sources", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    arguments = parser.parse_args()
    train(arguments.look, arguments.sources, arguments.out, arguments.minutes)
