"""Low-rank matrices beside the layers of a denoiser, attached to be trained and taken off again without a trace."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn

_ADAPTER = "default"
#: Which layers are trained: attention and feed-forward, as fullmatch has them.
_ATTENTION = r"(to_q|to_k|to_v|to_out\.0|add_q_proj|add_k_proj|add_v_proj|to_add_out)"
_FEED = r"ff(_context)?\.net\.(0\.proj|2)"
TARGETS = {
    "flux": rf"(transformer_blocks\.\d+\.(attn\.{_ATTENTION}|{_FEED})"
    r"|single_transformer_blocks\.\d+\.(attn\.(to_q|to_k|to_v)|proj_mlp|proj_out))",
    "sd3": rf"transformer_blocks\.\d+\.(attn2?\.{_ATTENTION}|{_FEED})",
    "sdxl": rf".*attentions\.\d+\.transformer_blocks\.\d+\.(attn\d\.{_ATTENTION}|{_FEED})",
    "sd15": rf".*attentions\.\d+\.transformer_blocks\.\d+\.(attn\d\.{_ATTENTION}|{_FEED})",
}


class _Sum(torch.autograd.Function):  # type: ignore[misc]
    """x W' + bias + scale (x A') B', in as few passes over memory as there are products."""

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        a, b = a.to(weight.dtype), b.to(weight.dtype)
        inner = rows @ a.T
        out = rows @ weight.T if bias is None else torch.addmm(bias, rows, weight.T)
        out.addmm_(inner, b.T, alpha=scale)
        ctx.save_for_backward(rows, weight, a, b, inner)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        rows, weight, a, b, inner = ctx.saved_tensors
        grad = grad.reshape(-1, grad.shape[-1]).to(weight.dtype)
        back = (grad @ b).mul_(ctx.scale)
        below = None
        if ctx.needs_input_grad[0]:
            below = (grad @ weight).addmm_(back, a).view(ctx.shape).to(ctx.dtype)
        up = (grad.T @ inner).mul_(ctx.scale)
        return below, None, None, (back.T @ rows).float(), up.float(), None


class _Lean(LoraLinear):  # type: ignore[misc]
    """peft's layer for one adapter that is never merged nor switched; its matrices stay in float32."""

    def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        base, a, b = self.base_layer, self.lora_A[_ADAPTER].weight, self.lora_B[_ADAPTER].weight
        out: torch.Tensor = _Sum.apply(x, base.weight, base.bias, a, b, self.scaling[_ADAPTER])
        return out


class LowRank:
    """The matrices A and B of one style in training."""

    def __init__(self, denoiser: nn.Module, family: str, rank: int, alpha: float, seed: int) -> None:
        self._denoiser, self._family, self.rank, self.alpha, self._seed = denoiser, family, rank, alpha, seed
        self._layers: dict[str, nn.Module] = {}
        #: "LAYER.lora_A" and "LAYER.lora_B" in float32, sorted by name.
        self.weights: dict[str, nn.Parameter] = {}

    @contextmanager
    def attached(self, recompute: bool = False) -> Iterator[None]:
        """While it lasts the denoiser is the one with the style; before and after it is the very same base model.

        `recompute` turns gradient checkpointing on.
        """
        denoiser: Any = self._denoiser
        asked = [parameter.requires_grad for parameter in denoiser.parameters()]
        own = "peft_config" in vars(denoiser)
        try:
            self._attach()
            if recompute:
                denoiser.enable_gradient_checkpointing()
            yield
        finally:
            if recompute:
                denoiser.disable_gradient_checkpointing()
            for name, module in list(denoiser.named_modules()):
                if isinstance(module, _Lean):
                    denoiser.set_submodule(name, module.base_layer)
            if not own and "peft_config" in vars(denoiser):
                del denoiser.peft_config
            for parameter, wanted in zip(denoiser.parameters(), asked, strict=True):
                parameter.requires_grad_(wanted)

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take the values of these weights, by the same names."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[name])

    def _attach(self) -> None:
        if self._layers:
            for name, module in self._layers.items():
                self._denoiser.set_submodule(name, module)
            self._denoiser.requires_grad_(False)
            for weight in self.weights.values():
                weight.requires_grad_(True)
            return
        config = LoraConfig(r=self.rank, lora_alpha=self.alpha, target_modules=TARGETS[self._family])
        config._register_custom_module({nn.Linear: _Lean})
        with torch.random.fork_rng(devices=[]):
            inject_adapter_in_model(config, self._denoiser, _ADAPTER)
        self._layers = {name: module for name, module in self._denoiser.named_modules() if isinstance(module, _Lean)}
        for name in sorted(self._layers):
            layer: Any = self._layers[name]
            for half, matrix in (("lora_A", layer.lora_A[_ADAPTER]), ("lora_B", layer.lora_B[_ADAPTER])):
                matrix.float()
                self.weights[f"{name}.{half}"] = matrix.weight
                self._begin(f"{name}.{half}", matrix.weight)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _begin(self, name: str, weight: nn.Parameter) -> None:
        """B is zero, A is drawn from the seed and the layer's name alone, so that the start is the style's own."""
        if name.endswith("lora_B"):
            weight.zero_()
            return
        bound = 1 / math.sqrt(weight.shape[1])
        drawn = torch.rand(weight.shape, generator=generator(self._seed, name)) * 2 - 1
        weight.copy_(drawn * bound)


def generator(seed: int, *purpose: object) -> torch.Generator:
    """Chance on the CPU that depends on the seed and on what it is for, and on nothing that happened before."""
    text = "\0".join(map(str, (seed, *purpose)))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return torch.Generator("cpu").manual_seed(number >> 1)
