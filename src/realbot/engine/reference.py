"""The look of a reference picture for any model: its keys and values join the self-attention of the picture's tokens.

Before each step the denoiser looks at the reference, noised as much as the picture is, and each self-attention layer
keeps what it saw (Hertz et al., "Style Aligned Image Generation via Shared Attention", 2023). That alone takes no look
which the model would not paint by itself, so in the first steps the tones of the picture it is heading for are moved to
those of the reference as well (`tones.py`). Nothing of it stays on the pipeline after the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from realbot.engine.embeds import Encoded
from realbot.engine.models import FLOW, Family
from realbot.engine.tones import Tones

#: The largest share of attention that the reference gets; at 1 a picture would see nothing of itself.
_MOST = 0.98
#: The tones are moved while there is more than this share of the noise of the beginning: what follows makes of them a
#: picture that the model believes in.
_EARLY = 0.6


class Reference:
    """One reference picture at one weight, for one pipeline on its denoiser."""

    def __init__(self, pipe: Any, family: Family, latents: torch.Tensor, nothing: Encoded, weight: float) -> None:
        """`latents` (1, channels, height, width) as the denoiser knows them and of the painted size.

        `nothing` is the empty prompt, under which the denoiser looks at the reference. Of `weight`, in 0..1, the square
        is the share of attention that goes to the reference where it matches as well as the picture itself, and the
        root is how far the tones are moved.
        """
        self._tones = Tones(latents, math.sqrt(weight))
        self._shape = latents.shape[2:]
        # Squared: attention takes the object along with the look, tones do not.
        share = min(max(weight * weight, 1e-6), _MOST)
        self.bias = math.log(share / (1 - share))
        self._family = family
        self._denoiser = getattr(pipe, family.denoiser)
        self._nothing = nothing
        self._clean = _packed(latents) if family.name == "flux" else latents
        generator = torch.Generator("cpu").manual_seed(0)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        self._noise = _packed(noise) if family.name == "flux" else noise
        self._kept: list[float] = [] if family.schedulers is FLOW else pipe.scheduler.alphas_cumprod.tolist()
        self._prediction = "" if family.schedulers is FLOW else pipe.scheduler.config.prediction_type
        self._seen: float | None = None
        self._first = 0.0
        self.looking = False  #: whether the denoiser looks at the reference now, and not at the picture
        self.tokens = 0  #: of the picture, at the end or the beginning of the sequence
        self.memory: dict[str, Any] = {}

    @contextmanager
    def joined(self) -> Iterator[None]:
        """While it lasts, whatever pipeline runs on the denoiser paints with the reference in view."""
        before = dict(self._denoiser.attn_processors)
        kind = {"flux": _Flux, "sd3": _Joint}.get(self._family.name, _Own)
        self._denoiser.set_attn_processor(before | {name: kind(self, name, before[name]) for name in self._late()})
        hooks = (
            self._denoiser.register_forward_pre_hook(self._look, with_kwargs=True),
            self._denoiser.register_forward_hook(self._tone, with_kwargs=True),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._denoiser.set_attn_processor(before)
            self.memory.clear()
            self._seen = None

    def _late(self) -> list[str]:
        """The attention of the second half: the first says what is where, which is not to come from the reference."""
        names = list(self._denoiser.attn_processors)
        if self._family.denoiser == "unet":
            return [name for name in names if name.startswith("up_blocks.") and name.endswith("attn1.processor")]
        return names[len(names) // 2 :]

    def _look(self, denoiser: Any, args: tuple[Any, ...], told: dict[str, Any]) -> None:
        """Called before each step, and a second time in it where the negative prompt has a call of its own."""
        given, name = _given(args, told)
        self.tokens = given[name].shape[1] if self._family.name == "flux" else 0
        timestep = given["timestep"].reshape(-1)[:1]
        moment = float(timestep)
        if moment == self._seen:
            return
        self._first = moment if self._seen is None else self._first
        device, dtype = given[name].device, given[name].dtype
        tokens = self._nothing.tokens.to(device, dtype)
        pooled = None if self._nothing.pooled is None else self._nothing.pooled.to(device, dtype)
        view = {**given, name: self._noised(moment).to(device, dtype), "timestep": timestep}
        view["encoder_hidden_states"] = tokens
        if "pooled_projections" in view:
            view["pooled_projections"] = pooled
        if given.get("guidance") is not None:
            view["guidance"] = torch.ones_like(given["guidance"][:1])
        if given.get("added_cond_kwargs"):
            view["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": given["added_cond_kwargs"]["time_ids"][:1]}
        if "txt_ids" in view:
            view["txt_ids"] = view["txt_ids"].new_zeros(tokens.shape[1], view["txt_ids"].shape[-1])
        self.memory.clear()
        self.looking = True
        try:
            denoiser.forward(**view)
        finally:
            self.looking = False
        self._seen = moment

    def _tone(self, _denoiser: Any, args: tuple[Any, ...], told: dict[str, Any], predicted: Any) -> Any:
        """Called after each step: in the first ones, what is predicted leads to a picture in the reference's tones."""
        given, name = _given(args, told)
        moment = float(given["timestep"].reshape(-1)[0])
        if moment <= _EARLY * self._first:
            return None
        clean, noise = self._shares(moment)
        noised, found = given[name].float(), predicted[0].float()
        match self._prediction:
            case "":
                heading, back = noised - noise * found, -1 / noise
            case "epsilon":
                heading, back = (noised - noise * found) / clean, -clean / noise
            case "v_prediction":
                heading, back = clean * noised - noise * found, -1 / noise
            case _:
                heading, back = found, 1.0
        packed = self._family.name == "flux"
        # Where the negative prompt has the first half, both halves move alike, or guidance would multiply the move.
        moved = self._tones.move(_unpacked(heading[-1:], self._shape) if packed else heading[-1:])
        return (predicted[0] + back * (_packed(moved) if packed else moved).to(predicted[0].dtype), *predicted[1:])

    def _noised(self, moment: float) -> torch.Tensor:
        """The reference with as much noise as the picture has at this timestep, as the denoiser takes it."""
        clean, noise = self._shares(moment)
        return clean * self._clean + noise * self._noise

    def _shares(self, moment: float) -> tuple[float, float]:
        """How much of the picture and how much noise there is at this timestep."""
        if self._kept:
            share = self._kept[min(max(round(moment), 0), len(self._kept) - 1)]
            return math.sqrt(share), math.sqrt(1 - share)
        level = moment if self._family.name == "flux" else moment / 1000
        return 1 - level, level

    def attend(
        self, name: str, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, image: slice
    ) -> torch.Tensor:
        """Attention over (1 or 2, heads, tokens, channels), where the tokens of `image` also attend to the reference.

        While the denoiser looks at the reference, its keys and values are kept instead.
        """
        if self.looking:
            self.memory[name] = key[:, :, image], value[:, :, image]
            return scaled_dot_product_attention(query, key, value)
        keys, values = (part.expand(len(key), -1, -1, -1) for part in self.memory[name])
        bias = query.new_zeros(1, 1, 1, key.shape[2] + keys.shape[2])
        bias[..., key.shape[2] :] = self.bias
        seen = scaled_dot_product_attention(
            query[:, :, image], torch.cat([key, keys], 2), torch.cat([value, values], 2), attn_mask=bias
        )
        if seen.shape[2] == query.shape[2]:
            return seen
        attended = scaled_dot_product_attention(query, key, value)
        attended[:, :, image] = seen
        return attended


class _Flux:
    """FluxAttnProcessor with the reference; the text comes first."""

    def __init__(self, reference: Reference, name: str, _before: Any) -> None:
        self._reference, self._name = reference, name

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> Any:
        from diffusers.models.embeddings import apply_rotary_emb

        query, key, value = _projected(attn, "to_qkv", ("to_q", "to_k", "to_v"), hidden_states)
        query, key = attn.norm_q(query), attn.norm_k(key)
        if encoder_hidden_states is not None:
            names = ("add_q_proj", "add_k_proj", "add_v_proj")
            first = _projected(attn, "to_added_qkv", names, encoder_hidden_states)
            query = torch.cat([attn.norm_added_q(first[0]), query], 1)
            key = torch.cat([attn.norm_added_k(first[1]), key], 1)
            value = torch.cat([first[2], value], 1)
        if image_rotary_emb is not None:
            query = apply_rotary_emb(query, image_rotary_emb, sequence_dim=1)
            key = apply_rotary_emb(key, image_rotary_emb, sequence_dim=1)
        text = query.shape[1] - self._reference.tokens
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        seen = self._reference.attend(self._name, query, key, value, slice(text, None))
        seen = seen.transpose(1, 2).flatten(2).to(query.dtype)
        if encoder_hidden_states is None:
            return seen
        return attn.to_out[1](attn.to_out[0](seen[:, text:].contiguous())), attn.to_add_out(seen[:, :text].contiguous())


class _Joint:
    """JointAttnProcessor2_0 with the reference; the text comes last, or not at all."""

    def __init__(self, reference: Reference, name: str, _before: Any) -> None:
        self._reference, self._name = reference, name

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        *_args: Any,
        **_options: Any,
    ) -> Any:
        image = hidden_states.shape[1]
        parts = [getattr(attn, name)(hidden_states) for name in ("to_q", "to_k", "to_v")]
        query, key, value = (part.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for part in parts)
        query = query if attn.norm_q is None else attn.norm_q(query)
        key = key if attn.norm_k is None else attn.norm_k(key)
        if encoder_hidden_states is not None:
            parts = [getattr(attn, name)(encoder_hidden_states) for name in ("add_q_proj", "add_k_proj", "add_v_proj")]
            last = [part.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for part in parts]
            last[0] = last[0] if attn.norm_added_q is None else attn.norm_added_q(last[0])
            last[1] = last[1] if attn.norm_added_k is None else attn.norm_added_k(last[1])
            query, key, value = (torch.cat(pair, 2) for pair in zip((query, key, value), last, strict=True))
        seen = self._reference.attend(self._name, query, key, value, slice(0, image))
        seen = seen.transpose(1, 2).flatten(2).to(query.dtype)
        painted = attn.to_out[1](attn.to_out[0](seen[:, :image]))
        if encoder_hidden_states is None:
            return painted
        words = seen[:, image:]
        return painted, words if attn.context_pre_only else attn.to_add_out(words)


class _Own:
    """The self-attention of a UNet: its own processor, with the reference's features among those attended to."""

    def __init__(self, reference: Reference, name: str, before: Any) -> None:
        self._reference, self._name, self._before = reference, name, before

    def __call__(self, attn: Any, hidden_states: torch.Tensor, *args: Any, **options: Any) -> Any:
        reference = self._reference
        if reference.looking:
            reference.memory[self._name] = hidden_states
            return self._before(attn, hidden_states, *args, **options)
        batch, own = hidden_states.shape[:2]
        other = reference.memory[self._name].expand(batch, -1, -1)
        bias = hidden_states.new_zeros(batch, 1, own + other.shape[1])
        bias[..., own:] = reference.bias
        options |= {"encoder_hidden_states": torch.cat([hidden_states, other], 1), "attention_mask": bias}
        return self._before(attn, hidden_states, **options)


def _given(args: tuple[Any, ...], told: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What the denoiser is called with, and under which name it gets the noised latents."""
    given = dict(zip(("sample", "timestep"), args, strict=False)) | told
    return given, "hidden_states" if "hidden_states" in given else "sample"


def _projected(attn: Any, fused: str, names: tuple[str, ...], states: torch.Tensor) -> list[torch.Tensor]:
    """Query, key and value, (batch, tokens, heads, channels)."""
    together = attn.fused_projections and hasattr(attn, fused)
    parts = getattr(attn, fused)(states).chunk(3, -1) if together else [getattr(attn, name)(states) for name in names]
    return [part.unflatten(-1, (-1, attn.head_dim)) for part in parts]


def _packed(latents: torch.Tensor) -> torch.Tensor:
    """Latents as FLUX takes them, four neighbours a token: (1, tokens, 4 · channels)."""
    batch, channels, height, width = latents.shape
    cells = latents.view(batch, channels, height // 2, 2, width // 2, 2)
    return cells.permute(0, 2, 4, 1, 3, 5).reshape(batch, height * width // 4, 4 * channels)


def _unpacked(tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """The opposite of `_packed`, for latents of this height and width."""
    height, width = size
    cells = tokens.view(len(tokens), height // 2, width // 2, -1, 2, 2)
    return cells.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), -1, height, width)
