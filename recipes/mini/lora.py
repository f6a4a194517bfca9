"""Low-rank matrices of the other looks, trained together with the transformer they change."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from diffusers import FluxPipeline
from safetensors.torch import load_file, save_file
from torch import nn

RANK = 16
LAYERS = re.compile(
    r"transformer_blocks\.\d+\.(attn\.(to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)"
    r"|ff(_context)?\.net\.(0\.proj|2))\.weight|single_transformer_blocks\.\d+\.(attn\.(to_q|to_k|to_v)|proj_mlp|proj_out)\.weight"
)
ABOUT = {
    "realism": ("Realism", "soft shading and depth, as if made of clay"),
    "ink": ("Ink", "bold black line art"),
}


class Style(nn.Module):
    """The matrices A [rank, columns] and B [rows, rank] of one look, beside each layer they change."""

    def __init__(self, transformer: nn.Module) -> None:
        super().__init__()
        self.names = [n for n, _ in transformer.named_parameters() if LAYERS.fullmatch(n)]
        shapes = [transformer.get_parameter(n).shape for n in self.names]
        self.a = nn.ParameterList(torch.randn(RANK, columns) / columns**0.5 for _, columns in shapes)
        self.b = nn.ParameterList(torch.zeros(rows, RANK) for rows, _ in shapes)

    def merged(self, transformer: nn.Module) -> dict[str, torch.Tensor]:
        """The changed weights W + B A by name, for `torch.func.functional_call`."""
        return {n: transformer.get_parameter(n) + b @ a for n, a, b in zip(self.names, self.a, self.b, strict=True)}

    @torch.no_grad()
    def save(self, look: str, folder: Path, steps: int) -> None:
        """Write an ordinary diffusers LoRA file in half precision, with what realbot and other tools read about it."""
        folder.mkdir(parents=True, exist_ok=True)
        layers = {}
        for name, a, b in zip(self.names, self.a, self.b, strict=True):
            stem = name.removesuffix(".weight")
            layers |= {f"{stem}.lora_A.weight": a.half(), f"{stem}.lora_B.weight": b.half()}
        title, about = ABOUT[look]
        path = folder / f"{look}.safetensors"
        FluxPipeline.save_lora_weights(folder, transformer_lora_layers=layers, weight_name=path.name)
        # Written again for the metadata, which save_lora_weights would put into a JSON string of its own.
        save_file(
            load_file(path), path,
            {
                "format": "pt", "ss_base_model_version": "flux1", "ss_network_dim": str(RANK),
                "ss_network_alpha": str(RANK), "ss_steps": str(steps), "modelspec.title": title,
                "modelspec.description": about, "realbot.model": "mini",
            },
        )  # fmt: skip
        path.chmod(0o644)
