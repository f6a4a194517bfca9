"""Encoded prompts, kept by what they were made from: most recently used first, bounded in bytes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as the denoiser reads it. `tokens` (1, length, width); `pooled` (1, width) or None; in main memory."""

    tokens: torch.Tensor
    pooled: torch.Tensor | None
    cut: str = ""  #: the end of the prompt that did not fit

    @property
    def size(self) -> int:
        """Bytes."""
        tensors = [self.tokens] if self.pooled is None else [self.tokens, self.pooled]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class Embeds:
    """A cache of encoded prompts. `hits` and `misses` count look-ups: a miss is one run of the text encoders."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes; 0 keeps nothing."""
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[bytes, Encoded] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def get(self, prompt: str, max_tokens: int, revision: str, encode: Callable[[], Encoded]) -> Encoded:
        """The prompt as encoded before, else by `encode` now; `revision` names the exact text encoders."""
        head = f"{max_tokens}\0{revision}\0".encode()
        key = hashlib.sha256(head + prompt.encode("utf-8", "surrogatepass")).digest()
        if key in self._kept:
            self.hits += 1
            self._kept.move_to_end(key)
            return self._kept[key]
        self.misses += 1
        encoded = encode()
        if encoded.size <= self._limit:
            self._kept[key] = encoded
            self._size += encoded.size
            while self._size > self._limit:
                self._size -= self._kept.popitem(last=False)[1].size
        return encoded
