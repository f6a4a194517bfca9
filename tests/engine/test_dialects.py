"""Every dialect of LoRA files merges to what diffusers computes from the same file."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import (
    FluxPipeline,
    StableDiffusionXLPipeline,
)
from lorafiles import kohya_tensors, random_tensors, unet_kohya_tensors, write, write_lora, xlabs_tensors
from networks import (
    PLENTY,
    SIZE,
    bits,
    clip,
    clip_output,
    close,
    diffusers_flux,
    flux,
    flux_output,
    flux_pipeline,
    same,
    sdxl_pipeline,
    unet,
    unet_output,
)
from transformers import CLIPTextModelWithProjection

from realbot.engine.loras import Loras


def test_alpha_keys_are_folded_as_diffusers_does(tmp_path, model, loras):
    path = tmp_path / "alpha.safetensors"
    digest = write_lora(path, {"transformer": model}, rank=8, alpha=2.0)
    loras.apply([(path, digest, 1.0)])
    assert close(flux_output(model), diffusers_flux([(path, 1.0)]))


@pytest.mark.parametrize("rslora", [False, True])
def test_alpha_in_the_header_is_folded_as_diffusers_does(tmp_path, model, loras, rslora):
    settings = {
        "transformer.r": 4,
        "transformer.lora_alpha": 2,
        "transformer.use_rslora": rslora,
        "transformer.target_modules": ["to_q", "to_k"],
        "transformer.alpha_pattern": {"transformer_blocks.1.attn.to_q": 1},
    }
    path = tmp_path / "trained.safetensors"
    tensors = random_tensors({"transformer": model}, layers=("to_q", "to_k"))
    digest = write(path, tensors, {"format": "pt", "lora_adapter_metadata": json.dumps(settings)})
    loras.apply([(path, digest, 1.0)])
    assert close(flux_output(model), diffusers_flux([(path, 1.0)]))


def test_xlabs_dialect_equals_diffusers(tmp_path, model, loras):
    path = tmp_path / "xlabs.safetensors"
    digest = write(path, xlabs_tensors(model))
    loras.apply([(path, digest, 0.9)])
    assert len(loras.load(path, digest).layers) == 8 * 2
    assert close(flux_output(model), diffusers_flux([(path, 0.9)]))


def test_kohya_dialect_equals_diffusers(tmp_path, model, loras):
    path = tmp_path / "kohya.safetensors"
    digest = write(path, kohya_tensors(model))
    loras.apply([(path, digest, 0.9)])
    assert len(loras.load(path, digest).layers) == 10 * 2
    assert close(flux_output(model), diffusers_flux([(path, 0.9)]))


def test_kohya_layers_outside_the_blocks_are_applied_with_their_alpha(tmp_path, model, loras):
    tensors = kohya_tensors(model)
    a, b = torch.randn(2, SIZE), torch.randn(16, 2) * 0.1
    tensors["lora_unet_final_layer_linear.lora_down.weight"] = a
    tensors["lora_unet_final_layer_linear.lora_up.weight"] = b
    tensors["lora_unet_final_layer_linear.alpha"] = torch.tensor(1.0)
    path = tmp_path / "final.safetensors"
    before = model.proj_out.weight.clone()
    loras.apply([(path, write(path, tensors), 1.0)])
    assert torch.allclose(model.proj_out.weight, before + 0.5 * b @ a, atol=1e-6)


def test_unet_kohya_dialect_with_encoders_equals_diffusers(tmp_path):
    net, one, two = unet(), clip(1), clip(2, CLIPTextModelWithProjection)
    tensors = unet_kohya_tensors(net)
    for prefix, encoder in (("lora_te1", one), ("lora_te2", two)):
        ends = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
        for key, value in random_tensors({"x": encoder}, layers=ends, seed=4).items():
            name, half, _ = key.removeprefix("x.").removeprefix("text_model.").rsplit(".", 2)
            kohya = f"{prefix}_text_model_{name.replace('.', '_')}"
            tensors[f"{kohya}.{'lora_down' if half == 'lora_A' else 'lora_up'}.weight"] = value
            tensors[f"{kohya}.alpha"] = torch.tensor(2.0)
    path = tmp_path / "sdxl.safetensors"
    digest = write(path, tensors)
    pipeline = sdxl_pipeline(unet(), clip(1), clip(2, CLIPTextModelWithProjection))
    pipeline.load_lora_weights(str(path), adapter_name="sdxl")
    pipeline.set_adapters(["sdxl"], [0.8])
    modules = {"unet": net, "text_encoder": one, "text_encoder_2": two}
    loras = Loras(modules, StableDiffusionXLPipeline, PLENTY)
    before = bits(*modules.values())
    loras.apply([(path, digest, 0.8)])
    assert close(unet_output(net), unet_output(pipeline.unet))
    assert close(clip_output(one), clip_output(pipeline.text_encoder))
    assert close(clip_output(two), clip_output(pipeline.text_encoder_2))
    loras.apply(())
    assert same(before, *modules.values())


def test_each_kohya_layer_has_its_own_alpha(tmp_path):
    net = unet()
    tensors = unet_kohya_tensors(net, alphas=(1.0, 2.0, 4.0))
    path = tmp_path / "mixed.safetensors"
    digest = write(path, tensors)
    lora = Loras({"unet": net}, StableDiffusionXLPipeline, PLENTY).load(path, digest)
    for (_, name), delta in lora.layers.items():
        assert delta.scale == float(tensors[f"lora_unet_{name.replace('.', '_')}.alpha"]) / 4


def test_float8_files_are_accepted(tmp_path, model, loras):
    path = tmp_path / "tiny.safetensors"
    tensors = {key: value.to(torch.float8_e4m3fn) for key, value in kohya_tensors(model).items() if "alpha" not in key}
    digest = write(path, tensors)
    loras.apply([(path, digest, 1.0)])
    key = "lora_unet_double_blocks_0_img_attn_proj"
    change = tensors[f"{key}.lora_up.weight"].float() @ tensors[f"{key}.lora_down.weight"].float()
    weight = flux().transformer_blocks[0].attn.to_out[0].weight + change
    assert torch.allclose(model.transformer_blocks[0].attn.to_out[0].weight, weight, atol=1e-6)


@pytest.mark.parametrize("dialect", ["comfy", "comfy xlabs", "mixture", "with text encoder"])
def test_other_flux_dialects_equal_diffusers(tmp_path, model, dialect):
    kohya = kohya_tensors(model)
    if dialect == "comfy":
        names = {"lora_unet_double_blocks_": "diffusion_model.double_blocks.", "_img_": ".img_", "_txt_": ".txt_"}
        names |= {"_qkv": ".qkv", "_proj": ".proj", "_lin.": ".lin.", "mlp_": "mlp."}
        tensors = kohya
        for old, new in names.items():
            tensors = {key.replace(old, new): value for key, value in tensors.items()}
    elif dialect == "comfy xlabs":
        tensors = {f"diffusion_model.{key}": value for key, value in xlabs_tensors(model).items()}
    else:
        tensors = {} if dialect == "mixture" else kohya
        ends = ("attn.to_q", "attn.to_out.0", "attn.add_q_proj", "q_proj", "out_proj", "fc1")
        for key, value in random_tensors({"transformer": model, "te1": clip()}, layers=ends).items():
            if dialect == "with text encoder" and not key.startswith("te1."):
                continue
            name, half, _ = key.replace("te1.", "te1.text_model.").rsplit(".", 2)
            plain = f"lora_{name.replace('.', '_')}"
            tensors[f"{plain}.{'lora_down' if half == 'lora_A' else 'lora_up'}.weight"] = value
            tensors[f"{plain}.alpha"] = torch.tensor(2.0)
    path = tmp_path / "style.safetensors"
    digest = write(path, tensors)
    encoder = clip()
    pipeline = flux_pipeline(flux(), clip())
    pipeline.load_lora_weights(str(path), adapter_name="style")
    pipeline.set_adapters(["style"], [0.9])
    loras = Loras({"transformer": model, "text_encoder": encoder}, FluxPipeline, PLENTY)
    loras.apply([(path, digest, 0.9)])
    assert not same(bits(flux()), model)
    assert bool(loras.active("text_encoder")) == (dialect in {"mixture", "with text encoder"})
    assert close(flux_output(model), flux_output(pipeline.transformer))
    assert close(clip_output(encoder), clip_output(pipeline.text_encoder))


def test_original_sdxl_block_names_equal_diffusers(tmp_path):
    net = unet()
    deep = "transformer_blocks.1.ff.net.2"
    blocks = {
        "input_blocks_1_0_in_layers_2": "down_blocks.0.resnets.0.conv1",
        "input_blocks_1_0_emb_layers_1": "down_blocks.0.resnets.0.time_emb_proj",
        "input_blocks_4_1_proj_out": "down_blocks.1.attentions.0.proj_out",
        "middle_block_1_proj_in": "mid_block.attentions.0.proj_in",
        f"output_blocks_0_1_{deep.replace('.', '_')}": f"up_blocks.0.attentions.0.{deep}",
        "output_blocks_3_0_out_layers_3": "up_blocks.1.resnets.0.conv2",
    }
    tensors = {}
    for original, name in blocks.items():
        for key, value in random_tensors({"unet": net}, layers=(name,), seed=2).items():
            half = "lora_down" if ".lora_A." in key else "lora_up"
            tensors[f"lora_unet_{original}.{half}.weight"] = value
        tensors[f"lora_unet_{original}.alpha"] = torch.tensor(2.0)
    path = tmp_path / "sgm.safetensors"
    digest = write(path, tensors)
    pipeline = sdxl_pipeline(unet())
    pipeline.load_lora_weights(str(path), adapter_name="sgm")
    pipeline.set_adapters(["sgm"], [0.9])
    loras = Loras({"unet": net}, StableDiffusionXLPipeline, PLENTY)
    assert {name for _, name in loras.load(path, digest).layers} == set(blocks.values())
    loras.apply([(path, digest, 0.9)])
    assert close(unet_output(net), unet_output(pipeline.unet))


def test_text_encoder_files_may_leave_out_projections(tmp_path, model):
    encoder = clip()
    tensors = {}
    for key, value in random_tensors({"te1": encoder}, layers=("q_proj", "fc1")).items():
        name, half, _ = key.replace("te1.", "te1.text_model.").rsplit(".", 2)
        plain = f"lora_{name.replace('.', '_')}"
        tensors[f"{plain}.{'lora_down' if half == 'lora_A' else 'lora_up'}.weight"] = value
    path = tmp_path / "words.safetensors"
    lora = Loras({"transformer": model, "text_encoder": encoder}, FluxPipeline, PLENTY).load(path, write(path, tensors))
    assert len(lora.layers) == 2 * 2
