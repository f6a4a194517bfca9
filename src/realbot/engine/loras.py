"""The styles of a loaded model: canonical LoRAs in RAM by content hash, merged into the base weights in place.

Merged weights are always computed from a pristine copy of the touched layers, W = W0 + sum(weight * scale * B @ A),
with one rounding at the end, so that removing a style is a copy and leaves no trace.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import torch

from realbot.engine.deltas import Delta, Layer, Lora, Reader, quoted, resting_weight
from realbot.errors import StyleBroken

#: A file, the sha256 of its content, and how strongly to apply it.
Use: TypeAlias = tuple[str | Path, str, float]


class Loras:
    """The styles of one loaded model. `apply` belongs to the thread that paints; the rest may be called from any."""

    def __init__(self, modules: Mapping[str, torch.nn.Module], pipeline_class: type, memory_bytes: int) -> None:
        """`modules` are the parts a style may change, under the names the pipeline gives them
        ("transformer" or "unet", "text_encoder", ...); `memory_bytes` bounds the styles kept in RAM."""
        self._reader = Reader(modules, pipeline_class)
        self._targets = self._reader.targets
        self._memory = memory_bytes
        self._resident: OrderedDict[str, Lora] = OrderedDict()
        self._lock = threading.Lock()
        self._pristine: dict[Layer, torch.Tensor] = {}
        self._current: tuple[tuple[str, float], ...] = ()
        self._changed: dict[Layer, tuple[tuple[str, float], ...]] = {}

    @property
    def current(self) -> tuple[tuple[str, float], ...]:
        """The applied styles, (sha256, weight) sorted by hash; () is the base model."""
        return self._current

    @property
    def resident_bytes(self) -> int:
        """Bytes of the styles kept in RAM, at most `memory_bytes`."""
        with self._lock:
            return sum(lora.size for lora in self._resident.values())

    @property
    def extra_bytes(self) -> int:
        """Bytes used beside the model: pristine copies of touched layers and resident styles."""
        pristine: int = sum(copy.nbytes for copy in self._pristine.values())
        return self.resident_bytes + pristine

    def active(self, component: str) -> tuple[tuple[str, float], ...]:
        """The applied styles that change this component; those of a text encoder belong in the embeds' cache key."""
        return tuple(sorted({use for (part, _), uses in self._changed.items() if part == component for use in uses}))

    def load(self, path: str | Path, sha256: str) -> Lora:
        """The canonical LoRA of a safetensors file with this content hash, from RAM when it is there.

        Raises StyleBroken with one sentence when the file cannot be used with this model.
        """
        return self._load(Path(path), sha256.lower(), frozenset())

    def prefetch(self, path: str | Path, sha256: str) -> bool:
        """Bring a style into RAM ahead of its use; False when it cannot be used, which `apply` then explains."""
        try:
            self.load(path, sha256)
        except StyleBroken:
            return False
        return True

    def apply(self, uses: Sequence[Use] = ()) -> bool:
        """Make the weights those of the base model with exactly these styles; () is the base, bit by bit.

        Returns whether anything was written. Equal sets give equal bits whatever was applied before. Raises
        StyleBroken before any weight is written; an error while writing leaves the base model.
        """
        weights: dict[str, float] = {}
        paths: dict[str, Path] = {}
        for path, sha256, weight in uses:
            key = sha256.lower()
            if not math.isfinite(weight):
                raise StyleBroken(
                    f"The style {quoted(Path(path).stem)} has the weight {weight}; it must be a finite number."
                )
            weights[key] = weights.get(key, 0.0) + weight
            paths[key] = Path(path)
        chosen = tuple(sorted((key, weight) for key, weight in weights.items() if weight != 0.0))
        if chosen == self._current:
            return False
        together = frozenset(key for key, _ in chosen)
        loras = [(self._load(paths[key], key, together), weight) for key, weight in chosen]
        deltas: dict[Layer, list[tuple[Delta, float]]] = {}
        changed: dict[Layer, tuple[tuple[str, float], ...]] = {}
        for lora, weight in loras:
            for layer, delta in lora.layers.items():
                deltas.setdefault(layer, []).append((delta, weight * delta.scale))
                changed[layer] = (*changed.get(layer, ()), (lora.sha256, weight))
        with torch.no_grad():
            fresh = {
                key: resting_weight(self._targets[key]).detach().clone() for key in deltas if key not in self._pristine
            }
            self._pristine.update(fresh)
            stale = [layer for layer in self._changed if layer not in deltas]
            try:
                for layer, parts in deltas.items():
                    self._merge(layer, parts)
                self._restore(stale)
            except BaseException:
                self._restore((*stale, *deltas))
                self._current, self._changed = (), {}
                raise
        self._current, self._changed = chosen, changed
        return True

    def _merge(self, layer: Layer, parts: Iterable[tuple[Delta, float]]) -> None:
        weight, pristine = resting_weight(self._targets[layer]), self._pristine[layer]
        precision = torch.promote_types(weight.dtype, torch.float32)
        source = pristine.to(weight.device, precision).flatten(1)
        direct = weight.dtype == precision and weight.is_contiguous()
        rows = weight.flatten(1) if direct else torch.empty_like(source)
        for delta, factor in parts:
            a = delta.a.to(weight.device, precision, non_blocking=True)
            b = delta.b.to(weight.device, precision, non_blocking=True)
            source = torch.addmm(source, b, a, alpha=factor, out=rows)
        if not direct:
            weight.copy_(rows.view(weight.shape))

    def _restore(self, layers: Iterable[Layer]) -> None:
        for layer in layers:
            resting_weight(self._targets[layer]).copy_(self._pristine[layer])

    def _load(self, path: Path, sha256: str, together: frozenset[str]) -> Lora:
        with self._lock:
            if sha256 in self._resident:
                self._resident.move_to_end(sha256)
                return self._resident[sha256]
        lora = self._reader.read(path, sha256, self._memory)
        with self._lock:
            self._keep(lora, together)
        return lora

    def _keep(self, lora: Lora, together: frozenset[str]) -> None:
        self._resident[lora.sha256] = lora
        used = sum(kept.size for kept in self._resident.values())
        for sha256 in list(self._resident):
            if used <= self._memory:
                return
            if sha256 != lora.sha256 and sha256 not in together:
                used -= self._resident.pop(sha256).size
        if used > self._memory:
            del self._resident[lora.sha256]
            raise StyleBroken(
                f"The styles of this picture need {used / 2**20:.0f} MB together and engine.style_memory_mb allows "
                f"{self._memory / 2**20:.0f}; use fewer styles or raise it."
            )
