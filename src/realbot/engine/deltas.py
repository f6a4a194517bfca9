"""LoRA files of any dialect diffusers knows, read into canonical A and B for one model or refused with one sentence."""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import safetensors.torch
import torch
from diffusers.utils import convert_state_dict_to_peft, convert_unet_state_dict_to_peft
from diffusers.utils.state_dict_utils import StateDictType

from realbot.errors import StyleBroken

HEADER_LIMIT = 1024 * 1024
RANK_LIMIT = 1024
#: Those of a convolution's weight; torch itself counts to 64 only.
DIMENSIONS = 4
#: Bound on the root mean square of a change; base weights are around 0.02, trained changes below 0.1.
CHANGE_LIMIT = 10.0

_FLOATS = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
_FOREIGN = (
    ("dora_scale", "is a DoRA, whose magnitudes cannot be merged"),
    ("lora_magnitude_vector", "is a DoRA, whose magnitudes cannot be merged"),
    ("hada_", "is a LoHa, which changes no layer here"),
    ("lokr_", "is a LoKr, which changes no layer here"),
    (".oft_", "is an OFT, which changes no layer here"),
    ("lora_mid", "is a Tucker-decomposed LoCon, which cannot be merged"),
    ("lora_embedding_", "changes token embeddings, which cannot be merged"),
    ("query_norm.scale", "is a control LoRA, which needs a control picture"),
    ("key_norm.scale", "is a control LoRA, which needs a control picture"),
    (".norm_q.weight", "is a control LoRA, which needs a control picture"),
    (".norm_k.weight", "is a control LoRA, which needs a control picture"),
    ("lora_controlnet", "is a control LoRA, which needs a control picture"),
    ("lora_B.bias", "changes biases, which cannot be merged"),
    ("lora_up.bias", "changes biases, which cannot be merged"),
)
#: FLUX.1-schnell is FLUX.1-dev without this embedder, and their LoRAs are exchanged freely.
_OPTIONAL = "time_text_embed.guidance_embedder."

#: Component and layer, ("transformer", "transformer_blocks.0.attn.to_q").
Layer: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Delta:
    """What one LoRA adds to one layer at weight 1: scale * b @ a, reshaped to the layer's weight."""

    a: torch.Tensor  #: [rank, inputs * kernel], in the file's precision, on the CPU
    b: torch.Tensor  #: [outputs, rank]
    scale: float


@dataclass(frozen=True, slots=True)
class Lora:
    """A canonical LoRA: the layers it changes, whatever dialect its file was written in."""

    sha256: str
    layers: Mapping[Layer, Delta]
    size: int  #: bytes in RAM


class _Unfit(Exception):
    """Why a file is refused; ends the sentence that begins with its name."""


class Reader:
    """Reads LoRA files for one loaded model."""

    def __init__(self, modules: Mapping[str, torch.nn.Module], pipeline_class: type) -> None:
        """`modules` as in `loras.Loras`; the pipeline class converts the dialects of its model family."""
        self._modules = dict(modules)
        self._pipeline_class = pipeline_class
        #: Layers a LoRA may change.
        self.targets: dict[Layer, torch.nn.Module] = {
            (component, name): layer
            for component, module in self._modules.items()
            for name, layer in module.named_modules()
            if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
        }

    def read(self, path: Path, sha256: str, limit: int) -> Lora:
        """The canonical LoRA of a safetensors file of at most `limit` bytes whose content has this hash.

        Raises StyleBroken with one sentence when it cannot be used with this model.
        """
        try:
            data = _content(path, sha256, limit)
            tensors, metadata = _parse(data)
            del data
            return self._canonical(tensors, metadata, sha256)
        except _Unfit as unfit:
            raise StyleBroken(f"The style {quoted(path.stem)} {unfit}.") from unfit.__cause__

    def _canonical(self, tensors: dict[str, torch.Tensor], metadata: Mapping[str, Any], sha256: str) -> Lora:
        _check(tensors)
        halves: dict[Layer, dict[str, torch.Tensor]] = {}
        alphas: dict[Layer, float] = {}
        for component, state in self._converted(tensors).items():
            for key, value in state.items():
                name, _, half = key.removesuffix(".weight").rpartition(".")
                if key.endswith(".alpha"):
                    alphas[component, key.removesuffix(".alpha").split(".lora_A")[0]] = float(value)
                elif half in {"lora_A", "lora_B"} and key.endswith(".weight"):
                    halves.setdefault((component, name), {})[half] = value
                else:
                    _refuse_foreign(f".{key}")
                    raise _Unfit(f"holds {quoted(key)}, which is not part of a LoRA")
        layers: dict[Layer, Delta] = {}
        for layer, pair in halves.items():
            if set(pair) != {"lora_A", "lora_B"}:
                raise _Unfit(f"is incomplete: layer {quoted(layer[1])} has only one of its two halves")
            if layer not in self.targets and layer[1].startswith(_OPTIONAL):
                continue
            delta = self._delta(layer, pair["lora_A"], pair["lora_B"], alphas.get(layer), metadata)
            if delta.scale and delta.a.any() and delta.b.any():
                layers[layer] = delta
        if not layers:
            raise _Unfit("changes no layer of this model")
        return _compact(Lora(sha256, layers, 0))

    def _converted(self, tensors: dict[str, torch.Tensor]) -> dict[str, dict[str, Any]]:
        """Tensors and alphas by component, under the names peft gives them; parts for absent encoders are left out."""
        _fold_final_layer(tensors)
        options: dict[str, Any] = {"return_alphas": True}
        if "unet" in self._modules:
            options["unet_config"] = self._modules["unet"].config
        by_component: dict[str, dict[str, Any]] = {}
        try:
            converted = self._pipeline_class.lora_state_dict(tensors, **options)  # type: ignore[attr-defined]
            state, alphas = converted if isinstance(converted, tuple) else (converted, None)
            main = "unet" if "unet" in self._modules else "transformer"
            for key, value in {**state, **(alphas or {})}.items():
                head, _, rest = key.partition(".")
                component, name = (head, rest) if head == main or head.startswith("text_encoder") else (main, key)
                if component in self._modules:
                    by_component.setdefault(component, {})[name] = value
            return {part: self._renamed(part, named) for part, named in by_component.items()}
        except Exception as error:
            name = self._pipeline_class.__name__
            raise _Unfit(f"cannot be read as a LoRA for {name}: {quoted(str(error), 160)}") from error

    def _renamed(self, component: str, state: dict[str, Any]) -> dict[str, Any]:
        if component.startswith("text_encoder"):
            # Named, because guessing it fails for files that leave out some projections; it covers the newer one too.
            state = convert_state_dict_to_peft(state, StateDictType.DIFFUSERS_OLD)
        state = convert_unet_state_dict_to_peft(state)
        if component.startswith("text_encoder") and not hasattr(self._modules[component], "text_model"):
            state = {key.removeprefix("text_model."): value for key, value in state.items()}
        return state

    def _delta(
        self, layer: Layer, a: torch.Tensor, b: torch.Tensor, alpha: float | None, metadata: Mapping[str, Any]
    ) -> Delta:
        if layer not in self.targets:
            raise _Unfit(f"was made for another model: this one has no layer {quoted('.'.join(layer))}")
        weight = resting_weight(self.targets[layer])
        if type(weight) not in {torch.nn.Parameter, torch.Tensor} or weight.dtype not in _FLOATS:
            raise _Unfit("cannot be merged into a quantized model; set engine.quantize to none to use styles")
        if a.ndim < 2 or b.ndim < 2:
            raise _Unfit(f"holds a list instead of a matrix for layer {quoted(layer[1])}")
        a, b = a.flatten(1), b.flatten(1)
        rank = a.shape[0]
        if rank > RANK_LIMIT:
            raise _Unfit(f"has rank {rank}; from 1 to {RANK_LIMIT} is allowed")
        if b.shape[1] != rank:
            raise _Unfit(f"has halves of rank {rank} and {b.shape[1]} in layer {quoted(layer[1])}")
        there, here = (b.shape[0], a.shape[1]), (weight.shape[0], weight[0].numel())
        if there != here:
            raise _Unfit(
                f"was made for another model: layer {quoted(layer[1])} is {there[0]}x{there[1]} in the file "
                f"and {here[0]}x{here[1]} in the model"
            )
        scale = alpha / rank if alpha is not None else _recorded_scale(metadata, layer, rank)
        # The Frobenius norm of a product is at most the product of the norms.
        change = abs(scale) * float(a.float().norm()) * float(b.float().norm()) / math.sqrt(weight.numel())
        if not change <= CHANGE_LIMIT:
            raise _Unfit(
                f"changes layer {quoted(layer[1])} by up to {change:.3g} a weight; {CHANGE_LIMIT:g} is the most allowed"
            )
        return Delta(a, b, scale)


def _content(path: Path, sha256: str, limit: int) -> bytes:
    """The file's bytes, read once through one descriptor, so that what was hashed is what is used."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _Unfit(f"cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _Unfit("is not a regular file")
        if status.st_size > limit:
            raise _Unfit(
                f"is {status.st_size / 2**20:.0f} MB and engine.style_memory_mb allows {limit / 2**20:.0f}; raise it"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _Unfit(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _Unfit("has changed since it was registered: its sha256 differs")
    return data


def _parse(data: bytes) -> tuple[dict[str, torch.Tensor], Mapping[str, Any]]:
    """The tensors of a safetensors file and the adapter settings diffusers recorded in its header."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > len(data) - 8:
        raise _Unfit("is not a safetensors file")
    if size > HEADER_LIMIT:
        raise _Unfit(f"has a header of {size} bytes; at most {HEADER_LIMIT} are allowed")
    try:
        header = json.loads(data[8 : 8 + size])
        metadata = json.loads((header.get("__metadata__") or {}).get("lora_adapter_metadata", "{}"))
        return safetensors.torch.load(data), dict(metadata)
    except (safetensors.SafetensorError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise _Unfit("is not a safetensors file") from error


def _check(tensors: dict[str, torch.Tensor]) -> None:
    """Refuse what diffusers would drop silently or choke on; widen 8-bit floats, which it cannot scale."""
    if not tensors:
        raise _Unfit("changes no layer of this model")
    for key, tensor in tensors.items():
        _refuse_foreign(key)
        if not tensor.numel():
            raise _Unfit(f"has rank 0 in {quoted(key)}; from 1 to {RANK_LIMIT} is allowed")
        if tensor.ndim > DIMENSIONS:
            raise _Unfit(f"holds {quoted(key)} in {tensor.ndim} dimensions; at most {DIMENSIONS} are allowed")
        if key.endswith("alpha"):
            if tensor.numel() != 1:
                raise _Unfit(f"holds {quoted(key)} with {tensor.numel()} numbers; one is needed")
            tensors[key] = tensor = tensor.float()
        elif not tensor.is_floating_point():
            raise _Unfit(f"holds {quoted(key)} as {str(tensor.dtype).removeprefix('torch.')}; floats are needed")
        elif tensor.dtype not in _FLOATS:
            tensors[key] = tensor = tensor.to(torch.bfloat16)
        if not torch.isfinite(tensor).all():
            raise _Unfit(f"holds NaN or infinity in {quoted(key)}")


def _refuse_foreign(key: str) -> None:
    for mark, reason in _FOREIGN:
        if mark in key:
            raise _Unfit(reason)


def _fold_final_layer(tensors: dict[str, torch.Tensor]) -> None:
    """diffusers drops the alpha of this one layer of kohya's FLUX files, which would apply it many times too strong."""
    for key in [key for key in tensors if "final_layer" in key and key.endswith(".lora_down.weight")]:
        alpha = tensors.pop(key.removesuffix("lora_down.weight") + "alpha", None)
        if alpha is not None:
            tensors[key] = tensors[key] * (float(alpha) / tensors[key].shape[0])


def _recorded_scale(metadata: Mapping[str, Any], layer: Layer, rank: int) -> float:
    """Scale from the settings that diffusers and peft trainers write into the header; 1 without them."""
    component, name = layer
    if f"{component}.lora_alpha" not in metadata:
        return 1.0
    if metadata.get(f"{component}.use_dora"):
        raise _Unfit("is a DoRA, whose magnitudes cannot be merged")
    try:
        alpha = float(metadata[f"{component}.lora_alpha"])
        for pattern, value in (metadata.get(f"{component}.alpha_pattern") or {}).items():
            if f".{name}".endswith("." + pattern.lstrip("^")):
                alpha = float(value)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _Unfit("has adapter settings in its header that are not numbers") from error
    return alpha / (math.sqrt(rank) if metadata.get(f"{component}.use_rslora") else rank)


def _compact(lora: Lora) -> Lora:
    """Each tensor owning its memory once, page-locked where a GPU reads it, so that sizes are true."""
    owned: dict[tuple[Any, ...], torch.Tensor] = {}

    def own(tensor: torch.Tensor) -> torch.Tensor:
        place = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if place not in owned:
            kept = (
                tensor.float() if tensor.dtype == torch.float64 else tensor.clone(memory_format=torch.contiguous_format)
            )
            owned[place] = kept.pin_memory() if torch.cuda.is_available() else kept
        return owned[place]

    layers = {layer: Delta(own(delta.a), own(delta.b), delta.scale) for layer, delta in lora.layers.items()}
    return Lora(lora.sha256, layers, sum(tensor.nbytes for tensor in owned.values()))


def resting_weight(layer: torch.nn.Module) -> torch.Tensor:
    """A layer's weight where it rests: with sequential offload the module holds a shape only."""
    weight: torch.Tensor = layer.weight
    if weight.is_meta:
        resting = getattr(getattr(layer, "_hf_hook", None), "weights_map", None)
        if resting is None:
            raise StyleBroken("Styles cannot be merged while the model's weights are not in memory.")
        weight = resting["weight"]
    return weight


def quoted(text: str, limit: int = 80) -> str:
    """One printable line of at most `limit` characters, in quotes."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return repr(line if len(line) <= limit else line[: limit - 1] + "…")
