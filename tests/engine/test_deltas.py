"""Style files that cannot be used are refused by name and reason, and change nothing."""

from __future__ import annotations

import os
import pickle
import random
from pathlib import Path

import pytest
import torch
from diffusers import (
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
)
from lorafiles import kohya_tensors, random_tensors, sha256_of, write, write_lora, xlabs_tensors
from networks import (
    PLENTY,
    SIZE,
    bits,
    clip,
    flux,
    same,
    unet,
)

from realbot.engine.deltas import RANK_LIMIT
from realbot.engine.loras import Loras
from realbot.errors import StyleBroken


def refused(loras: Loras, path: Path, sha256: str | None = None) -> str:
    with pytest.raises(StyleBroken) as caught:
        loras.apply([(path, sha256 or sha256_of(path), 1.0)])
    sentence = str(caught.value)
    assert path.stem in sentence and sentence.endswith(".") and "\n" not in sentence
    return sentence


def broken_tensors(model: FluxTransformer2DModel, kind: str) -> dict[str, torch.Tensor]:
    tensors = random_tensors({"transformer": model})
    a = "transformer.transformer_blocks.0.attn.to_q.lora_A.weight"
    b = a.replace("lora_A", "lora_B")
    if kind == "nan":
        tensors[b][0, 0] = float("nan")
    elif kind == "infinity":
        tensors[a][0, 0] = float("inf")
    elif kind == "magnitude":
        tensors[b] *= 1e6
    elif kind == "alpha":
        tensors[a.replace("lora_A.weight", "alpha")] = torch.tensor(1e9)
    elif kind == "rank 0":
        tensors[a], tensors[b] = torch.zeros(0, SIZE), torch.zeros(SIZE, 0)
    elif kind == "rank 4096":
        tensors[a], tensors[b] = torch.full((4096, SIZE), 1e-3), torch.full((SIZE, 4096), 1e-3)
    elif kind == "ranks":
        tensors[a] = torch.ones(5, SIZE)
    elif kind == "half":
        del tensors[b]
    elif kind == "shape":
        tensors[a] = torch.ones(4, 2 * SIZE)
    elif kind == "layer":
        tensors["transformer.transformer_blocks.18.attn.to_q.lora_A.weight"] = tensors.pop(a)
        tensors["transformer.transformer_blocks.18.attn.to_q.lora_B.weight"] = tensors.pop(b)
    elif kind == "list":
        tensors[b] = torch.ones(SIZE)
    elif kind == "dimensions":
        tensors[b] = torch.ones(1, 1, SIZE, 4, 1)
    elif kind == "integers":
        tensors[b] = torch.ones(SIZE, 4, dtype=torch.int8)
    elif kind == "alphas":
        tensors[a.replace("lora_A.weight", "alpha")] = torch.ones(3)
    elif kind == "zeros":
        tensors = {key: torch.zeros_like(value) for key, value in tensors.items()}
    elif kind == "empty":
        tensors = {}
    elif kind == "dora":
        tensors[a.replace("lora_A.weight", "dora_scale")] = torch.ones(SIZE)
    elif kind == "peft dora":
        tensors[a.replace("lora_A.weight", "lora_magnitude_vector")] = torch.ones(SIZE)
    elif kind == "bias":
        tensors[b.replace("weight", "bias")] = torch.ones(SIZE)
    elif kind in {"loha", "lokr"}:
        parts = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b") if kind == "loha" else ("lokr_w1", "lokr_w2")
        key = "lora_unet_double_blocks_0_img_attn_proj"
        tensors = {f"{key}.{part}": torch.ones(4, 4) for part in parts}
        tensors[f"{key}.alpha"] = torch.tensor(4.0)
    elif kind == "control":
        tensors = {
            "double_blocks.0.img_attn.norm.query_norm.scale": torch.ones(16),
            "double_blocks.0.img_attn.proj.lora_A.weight": torch.ones(4, SIZE),
            "double_blocks.0.img_attn.proj.lora_B.weight": torch.ones(SIZE, 4),
        }
    elif kind == "converted control":
        tensors["transformer.transformer_blocks.0.attn.norm_q.weight"] = torch.ones(16)
    elif kind == "unknown":
        tensors["transformer.something.else"] = torch.ones(4, 4)
    elif kind == "sdxl":
        tensors = {
            "lora_unet_input_blocks_4_1_proj_in.lora_down.weight": torch.ones(4, 64),
            "lora_unet_input_blocks_4_1_proj_in.lora_up.weight": torch.ones(64, 4),
        }
    elif kind == "sdxl diffusers":
        tensors = random_tensors({"unet": unet()})
    elif kind == "encoder only":
        tensors = random_tensors({"text_encoder": clip()}, layers=("q_proj",))
    return tensors


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nan", "NaN or infinity in 'transformer.transformer_blocks.0.attn.to_q.lora_B.weight'"),
        ("infinity", "NaN or infinity in 'transformer.transformer_blocks.0.attn.to_q.lora_A.weight'"),
        ("magnitude", "changes layer 'transformer_blocks.0.attn.to_q' by up to"),
        ("alpha", "changes layer 'transformer_blocks.0.attn.to_q' by up to"),
    ],
)
def test_L4_not_finite_or_absurd_is_refused(tmp_path, model, loras, kind, reason):
    path = tmp_path / "bad style.safetensors"
    write(path, broken_tensors(model, kind))
    before = bits(model)
    assert reason in refused(loras, path)
    assert same(before, model)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("rank 0", "rank 0"),
        ("rank 4096", f"rank 4096; from 1 to {RANK_LIMIT} is allowed"),
        ("ranks", "halves of rank 5 and 4"),
        ("half", "only one of its two halves"),
        ("shape", "made for another model: layer 'transformer_blocks.0.attn.to_q' is 32x64 in the file and 32x32"),
        ("layer", "made for another model: this one has no layer 'transformer.transformer_blocks.18.attn.to_q'"),
        ("dimensions", "in 5 dimensions; at most 4 are allowed"),
        ("list", "a list instead of a matrix"),
        ("integers", "as int8; floats are needed"),
        ("alphas", "with 3 numbers; one is needed"),
        ("zeros", "changes no layer of this model"),
        ("empty", "changes no layer of this model"),
        ("encoder only", "changes no layer of this model"),
        ("dora", "is a DoRA"),
        ("peft dora", "is a DoRA"),
        ("bias", "changes biases"),
        ("loha", "is a LoHa, which changes no layer here"),
        ("lokr", "is a LoKr, which changes no layer here"),
        ("control", "is a control LoRA"),
        ("converted control", "is a control LoRA"),
        ("unknown", "holds 'something.else', which is not part of a LoRA"),
        ("sdxl", "cannot be read as a LoRA for FluxPipeline: 'Incompatible keys detected"),
        ("sdxl diffusers", "made for another model"),
    ],
)
def test_L5_what_does_not_fit_is_refused(tmp_path, model, loras, kind, reason):
    path = tmp_path / "bad style.safetensors"
    write(path, broken_tensors(model, kind))
    before = bits(model)
    assert reason in refused(loras, path)
    assert same(before, model) and loras.resident_bytes == 0


def test_L5_a_flux_file_is_refused_by_sdxl_and_a_foreign_dialect_too(tmp_path):
    loras = Loras({"unet": unet()}, StableDiffusionXLPipeline, PLENTY)
    path = tmp_path / "flux.safetensors"
    write(path, random_tensors({"transformer": flux()}))
    assert "made for another model" in refused(loras, path)
    write(path, kohya_tensors(flux()))
    refused(loras, path)
    tensors = {
        "lora_unet_mid_block_attentions_0_proj_in.hada_w1_a": torch.ones(4, 4),
        "lora_unet_mid_block_attentions_0_proj_in.alpha": torch.tensor(1.0),
    }
    write(path, tensors)
    assert "is a LoHa" in refused(loras, path)
    write(path, {"lora_unet_mid_block_attentions_0_proj_in.lora_mid.weight": torch.ones(4, 4, 1, 1)})
    assert "LoCon" in refused(loras, path)


@pytest.mark.parametrize("scheme", ["int8", "float8", "subclass"])
def test_L5_a_quantized_base_is_refused_and_says_what_to_do(tmp_path, model, scheme):
    class Packed(torch.nn.Parameter):
        pass

    path = tmp_path / "ink.safetensors"
    write_lora(path, {"transformer": model})
    layer = model.transformer_blocks[1].attn.to_v
    packed = {
        "int8": lambda: torch.nn.Parameter(layer.weight.to(torch.int8), requires_grad=False),
        "float8": lambda: torch.nn.Parameter(layer.weight.to(torch.float8_e4m3fn), requires_grad=False),
        "subclass": lambda: Packed(layer.weight.data, requires_grad=False),
    }
    layer.weight = packed[scheme]()
    loras = Loras({"transformer": model}, FluxPipeline, PLENTY)
    assert "quantized model; set engine.quantize to none" in refused(loras, path)


def test_L1_L2_not_safetensors_is_refused_and_never_unpickled(tmp_path, loras, model):
    canary = tmp_path / "canary"

    class Payload:
        def __reduce__(self):
            return (Path.touch, (canary,))

    good = tmp_path / "good.safetensors"
    write_lora(good, {"transformer": model})
    content = good.read_bytes()
    header = int.from_bytes(content[:8], "little")
    contents = {
        "pickle": pickle.dumps(Payload()),
        "nothing": b"",
        "short": b"\x01\x02",
        "huge header": (1 << 40).to_bytes(8, "little") + content[8:],
        "cut": content[:-1],
        "trailing": content + b"\0",
        "not json": content[:8] + b"x" * header + content[8 + header :],
        "list": (2).to_bytes(8, "little") + b"[]",
        "deep": (40_000).to_bytes(8, "little") + b"[" * 40_000,
    }
    for name, bytes_ in contents.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(bytes_)
        assert "is not a safetensors file" in refused(loras, path), name
    torch.save({"canary": Payload()}, tmp_path / "torch.safetensors")
    assert "is not a safetensors file" in refused(loras, tmp_path / "torch.safetensors")
    assert not canary.exists()


def test_L3_the_header_is_bounded(tmp_path, loras):
    path = tmp_path / "wide.safetensors"
    write(path, {"transformer.x.lora_A.weight": torch.ones(2, 2)}, {"note": "x" * (1 << 20)})
    assert "header of" in refused(loras, path)


@pytest.mark.parametrize("dialect", ["xlabs", "kohya"])
def test_L2_mutated_files_load_or_are_refused(tmp_path, model, loras, dialect):
    path = tmp_path / "mutant.safetensors"
    write(path, xlabs_tensors(model) if dialect == "xlabs" else kohya_tensors(model))
    content, chance = path.read_bytes(), random.Random(3)
    header = 8 + int.from_bytes(content[:8], "little")
    outcomes = set()
    for _ in range(300):
        mutant = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            mutant[chance.randrange(8, header)] = chance.choice(b'0123456789"{}[],:._abAB')
        path.write_bytes(mutant)
        try:
            loras.load(path, sha256_of(path))
            outcomes.add("loaded")
        except StyleBroken as broken:
            outcomes.add(str(broken).split(" ", 4)[3])
    assert {"loaded", "is", "cannot"} <= outcomes


@pytest.mark.parametrize(
    "settings",
    [
        "[1]",
        '"text"',
        "1",
        '{"transformer.lora_alpha": "many"}',
        '{"transformer.lora_alpha": 1e999}',
        f'{{"transformer.lora_alpha": {"9" * 400}}}',
        "{",
    ],
)
def test_L9_strange_adapter_settings_are_refused(tmp_path, model, loras, settings):
    path = tmp_path / "odd.safetensors"
    write(path, random_tensors({"transformer": model}), {"lora_adapter_metadata": settings})
    refused(loras, path)


def test_L7_L12_a_file_that_changed_is_refused(tmp_path, model, loras):
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": model})
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "sha256 differs" in refused(loras, path, digest)


def test_L8_only_regular_files_are_read(tmp_path, loras):
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert "not a regular file" in refused(loras, tmp_path / "pipe.safetensors", "0" * 64)
    (tmp_path / "folder.safetensors").mkdir()
    assert "not a regular file" in refused(loras, tmp_path / "folder.safetensors", "0" * 64)
    assert "cannot be opened" in refused(loras, tmp_path / "missing.safetensors", "0" * 64)


def test_L9_names_and_keys_are_shown_on_one_short_line(tmp_path, model, loras):
    path = tmp_path / ("a\u202e\n" + "b" * 90 + ".safetensors")
    tensors = random_tensors({"transformer": model})
    tensors["transformer." + "\n\x1b[31m" * 100 + ".weight"] = torch.ones(2, 2)
    write(path, tensors)
    with pytest.raises(StyleBroken) as caught:
        loras.apply([(path, sha256_of(path), 1.0)])
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


def test_flux_dev_files_fit_a_model_without_guidance_embedder(tmp_path, model, loras):
    tensors = random_tensors({"transformer": model})
    for half, shape in (("lora_A", (4, 256)), ("lora_B", (SIZE, 4))):
        tensors[f"transformer.time_text_embed.guidance_embedder.linear_1.{half}.weight"] = torch.ones(shape)
    path = tmp_path / "dev.safetensors"
    digest = write(path, tensors)
    assert len(loras.load(path, digest).layers) == len(tensors) // 2
    schnell = FluxTransformer2DModel.from_config({**model.config, "guidance_embeds": False})
    assert len(Loras({"transformer": schnell}, FluxPipeline, PLENTY).load(path, digest).layers) == len(tensors) // 2 - 1
