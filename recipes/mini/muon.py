"""Muon for matrices and convolutions, AdamW for the rest; a learning rate that rises, stays and falls to zero.

Keller Jordan et al., 2024: the momentum is made orthogonal by five Newton-Schulz steps; the step is scaled by
0.2 sqrt(max(rows, columns)) (Liu et al., 2025), so one learning rate serves both. torch.optim.Muon works in bfloat16,
which processors without it emulate a hundred times slower, and takes no convolutions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import nn


def orthogonal(g: torch.Tensor) -> torch.Tensor:
    """The nearest semi-orthogonal matrices to a stack of them, float32 [n, rows, columns], roughly."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = g.shape[1] > g.shape[2]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Steps matrices and convolution kernels along the orthogonalised momentum."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        for group in self.param_groups:
            same = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                same[p.flatten(1).shape].append((p, p.grad.lerp(buffer, group["momentum"]).flatten(1)))
            for (rows, columns), entries in same.items():
                updates = orthogonal(torch.stack([u for _, u in entries]))
                for (p, _), u in zip(entries, updates, strict=True):
                    p.add_(u.view_as(p), alpha=-group["lr"] * 0.2 * max(rows, columns) ** 0.5)


class Pair:
    """Both optimizers as one."""

    def __init__(self, module: nn.Module, matrices: Callable[[str, nn.Parameter], bool], lr: float) -> None:
        named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
        first = [p for n, p in named if p.ndim >= 2 and matrices(n, p)]
        chosen = {id(p) for p in first}
        rest = [p for _, p in named if id(p) not in chosen]
        self.lr = lr
        self.parts: list[torch.optim.Optimizer] = []
        if rest:
            self.parts.append(torch.optim.AdamW(rest, lr, betas=(0.9, 0.98), weight_decay=0.0))
        if first:
            self.parts.append(Muon(first, lr))
        self.parameters = [p for _, p in named]

    def rate(self, done: float, hold: float = 0.3) -> None:
        """Set the learning rate for `done` in 0..1: up for 3 %, level to `hold`, then down to zero."""
        value = self.lr * min(1.0, done / 0.03 + 0.02, max(0.0, 1 - done) / (1 - hold))
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = value

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for part in self.parts:
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
