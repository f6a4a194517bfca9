"""Styles are merged to what diffusers computes, and the base comes back bit by bit."""

from __future__ import annotations

import random

import accelerate
import pytest
import torch
from diffusers import (
    FluxPipeline,
    StableDiffusionXLPipeline,
)
from lorafiles import random_tensors, sha256_of, write, write_lora
from networks import (
    PLENTY,
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

from realbot.engine.loras import Loras
from realbot.errors import StyleBroken


def test_one_lora_equals_diffusers(tmp_path, model, loras):
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": model}, layers=None, rank=4)
    base = flux_output(model)
    assert loras.apply([(path, digest, 0.7)])
    merged = flux_output(model)
    assert close(merged, diffusers_flux([(path, 0.7)]))
    assert not torch.allclose(merged, base, atol=1e-3)


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_several_loras_with_weights_equal_diffusers(tmp_path, model, loras):
    files = []
    for number, (rank, weight) in enumerate(((4, 0.8), (2, 1.3), (8, -0.5))):
        path = tmp_path / f"style{number}.safetensors"
        ends = None if number == 0 else ("to_q", "proj_out", "ff.net.2")[: number + 1]
        write_lora(path, {"transformer": model}, layers=ends, rank=rank, seed=number)
        files.append((path, weight))
    loras.apply([(path, sha256_of(path), weight) for path, weight in files])
    assert close(flux_output(model), diffusers_flux(files))


def test_text_encoder_part_is_applied_when_the_encoder_is_given(tmp_path):
    transformer, encoder = flux(), clip()
    path = tmp_path / "both.safetensors"
    ends = ("q_proj", "k_proj", "v_proj", "out_proj", "to_q")
    tensors = random_tensors({"transformer": transformer, "text_encoder": encoder}, layers=ends)
    digest = write(path, tensors)
    pipeline = flux_pipeline(flux(), clip())
    pipeline.load_lora_weights(str(path), adapter_name="both")
    pipeline.set_adapters(["both"], [0.6])

    both = Loras({"transformer": transformer, "text_encoder": encoder}, FluxPipeline, PLENTY)
    before = bits(transformer, encoder)
    assert both.active("text_encoder") == ()
    both.apply([(path, digest, 0.6)])
    assert both.active("text_encoder") == both.active("transformer") == ((digest, 0.6),)
    assert close(clip_output(encoder), clip_output(pipeline.text_encoder))
    assert close(flux_output(transformer), flux_output(pipeline.transformer))
    both.apply(())
    assert same(before, transformer, encoder)

    alone = Loras({"transformer": transformer}, FluxPipeline, PLENTY)
    alone.apply([(path, digest, 0.6)])
    assert close(flux_output(transformer), flux_output(pipeline.transformer))


def test_unet_with_convolutions_equals_diffusers(tmp_path):
    net = unet()
    path = tmp_path / "locon.safetensors"
    digest = write_lora(path, {"unet": net}, layers=None, rank=4)
    pipeline = sdxl_pipeline(unet())
    pipeline.load_lora_weights(str(path), adapter_name="locon")
    pipeline.set_adapters(["locon"], [0.7])
    before = bits(net)
    loras = Loras({"unet": net}, StableDiffusionXLPipeline, PLENTY)
    loras.apply([(path, digest, 0.7)])
    assert net.conv_in.weight.ndim == 4 and not torch.equal(net.conv_in.weight, unet().conv_in.weight)
    assert close(unet_output(net), unet_output(pipeline.unet))
    loras.apply(())
    assert same(before, net)


def test_bfloat16_weights_are_rounded_once(tmp_path):
    model = flux(dtype=torch.bfloat16)
    path = tmp_path / "half.safetensors"
    digest = write_lora(path, {"transformer": model}, dtype=torch.bfloat16)
    loras = Loras({"transformer": model}, FluxPipeline, PLENTY)
    layer = model.transformer_blocks[0].attn.to_q
    before = layer.weight.clone()
    loras.apply([(path, digest, 0.7)])
    delta = loras.load(path, digest).layers["transformer", "transformer_blocks.0.attn.to_q"]
    exact = before.double() + 0.7 * delta.b.double() @ delta.a.double()
    step = (layer.weight.double() - exact).abs()
    assert bool((step <= exact.abs() * 2**-8 * 1.001 + 1e-9).all())
    loras.apply(())
    assert torch.equal(layer.weight, before)


def test_G17_200_random_switches_leave_no_trace(tmp_path):
    model = flux(dtype=torch.bfloat16)
    loras = Loras({"transformer": model}, FluxPipeline, PLENTY)
    styles = []
    for number in range(6):
        path = tmp_path / f"style{number}.safetensors"
        ends = None if number % 2 else ("to_q", "to_k", "proj_mlp")
        styles.append((path, write_lora(path, {"transformer": model}, layers=ends, seed=number, strength=0.5)))
    before, picture = bits(model), flux_output(model)
    first: dict[tuple, torch.Tensor] = {}
    chance = random.Random(5)
    for switch in range(200):
        chosen = chance.sample(styles, chance.randint(0, 3))
        uses = [(path, digest, chance.choice((0.5, 1.0, 1.5))) for path, digest in chosen]
        loras.apply(uses)
        if switch % 10 == 0 and uses:
            key = tuple(sorted((digest, weight) for _, digest, weight in uses))
            output = flux_output(model)
            assert torch.equal(first.setdefault(key, output), output)
        if switch % 50 == 49:
            loras.apply(())
            assert torch.equal(flux_output(model), picture)
    loras.apply(())
    assert same(before, model)
    assert torch.equal(flux_output(model), picture)


def test_G17_a_set_gives_the_same_bytes_whatever_came_before_and_in_any_order(tmp_path, model, loras):
    uses = []
    for number in range(3):
        path = tmp_path / f"style{number}.safetensors"
        uses.append((path, write_lora(path, {"transformer": model}, seed=number), 0.5 + number))
    loras.apply(uses)
    together = bits(model)
    loras.apply(uses[:1])
    assert not same(together, model)
    loras.apply(list(reversed(uses)))
    assert same(together, model)


def test_G16_memory_does_not_grow_over_switches(tmp_path, model, loras):
    uses = []
    for number in range(4):
        path = tmp_path / f"style{number}.safetensors"
        uses.append((path, write_lora(path, {"transformer": model}, seed=number), 1.0))
    for use in uses:
        loras.apply([use])
    settled = loras.extra_bytes
    for turn in range(40):
        loras.apply([uses[turn % 4]])
    assert loras.extra_bytes == settled
    touched = {layer for path, digest, _ in uses for layer in loras.load(path, digest).layers}
    pristine = sum(model.get_submodule(name).weight.nbytes for _, name in touched)
    assert settled == pristine + loras.resident_bytes


def test_weights_keep_their_place_in_memory(tmp_path, model, loras):
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": model}, layers=None)
    places = [parameter.data_ptr() for parameter in model.parameters()]
    loras.apply([(path, digest, 1.0)])
    loras.apply(())
    assert [parameter.data_ptr() for parameter in model.parameters()] == places


def test_applying_the_current_set_writes_nothing(tmp_path, model, loras):
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": model})
    assert not loras.apply(())
    assert loras.apply([(path, digest, 1.0)])
    path.unlink()
    assert not loras.apply([(path, digest.upper(), 1.0)])
    assert not loras.apply([(path, digest, 0.5), (path, digest, 0.5)])
    assert loras.current == ((digest, 1.0),)
    assert loras.apply([(path, digest, 0.0)])
    assert loras.current == ()


def test_untouched_layers_have_no_copy(tmp_path, model, loras):
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": model}, layers=("transformer_blocks.0.attn.to_q",))
    assert loras.extra_bytes == 0
    loras.load(path, digest)
    resident = loras.extra_bytes
    loras.apply([(path, digest, 1.0)])
    names = [name for _, name in loras.load(path, digest).layers]
    assert loras.extra_bytes - resident == sum(model.get_submodule(name).weight.nbytes for name in names) > 0


def test_memory_bound_drops_the_least_recently_used(tmp_path, model):
    styles = []
    for number in range(4):
        path = tmp_path / f"style{number}.safetensors"
        styles.append((path, write_lora(path, {"transformer": model}, seed=number)))
    size = Loras({"transformer": model}, FluxPipeline, PLENTY).load(*styles[0]).size
    loras = Loras({"transformer": model}, FluxPipeline, 3 * size + size // 2)
    for style in (*styles[:3], styles[0], styles[3]):
        assert loras.prefetch(*style)
        assert loras.resident_bytes <= 3 * size + size // 2
    styles[1][0].unlink()
    for path, _ in (styles[0], styles[2], styles[3]):
        path.unlink()
    assert [loras.prefetch(*style) for style in styles] == [True, False, True, True]


def test_styles_too_large_for_the_bound_are_refused(tmp_path, model):
    styles = []
    for number in range(3):
        path = tmp_path / f"style{number}.safetensors"
        styles.append((path, write_lora(path, {"transformer": model}, seed=number)))
    size = Loras({"transformer": model}, FluxPipeline, PLENTY).load(*styles[0]).size
    loras = Loras({"transformer": model}, FluxPipeline, 2 * size + size // 2)
    before = bits(model)
    with pytest.raises(StyleBroken, match=r"together and engine\.style_memory_mb allows"):
        loras.apply([(*style, 1.0) for style in styles])
    assert same(before, model) and loras.current == () and loras.resident_bytes <= 2 * size + size // 2
    small = Loras({"transformer": model}, FluxPipeline, 1000)
    with pytest.raises(StyleBroken, match=r"'style0' is 0 MB and engine\.style_memory_mb allows 0"):
        small.load(*styles[0])


def test_a_refused_style_leaves_the_applied_ones(tmp_path, model, loras):
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    digest = write_lora(good, {"transformer": model})
    write(bad, {key: value * float("nan") for key, value in random_tensors({"transformer": model}).items()})
    loras.apply([(good, digest, 1.0)])
    applied = bits(model)
    with pytest.raises(StyleBroken, match="'bad'"):
        loras.apply([(good, digest, 0.5), (bad, sha256_of(bad), 1.0)])
    assert same(applied, model) and loras.current == ((digest, 1.0),)
    with pytest.raises(StyleBroken, match="finite"):
        loras.apply([(good, digest, float("nan"))])
    assert same(applied, model)


def test_a_failure_while_writing_leaves_the_base(tmp_path, model, loras, monkeypatch):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    before = bits(model)
    loras.apply([(one, write_lora(one, {"transformer": model}, layers=("to_k", "proj_out")), 1.0)])
    merge, calls = loras._merge, []

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("no memory")
        merge(*arguments)

    monkeypatch.setattr(loras, "_merge", fail)
    second = write_lora(two, {"transformer": model}, seed=2)
    with pytest.raises(torch.OutOfMemoryError):
        loras.apply([(two, second, 1.0)])
    assert same(before, model) and loras.current == () and loras.active("transformer") == ()
    monkeypatch.undo()
    assert loras.apply([(two, second, 1.0)])
    assert close(flux_output(model), diffusers_flux([(two, 1.0)]))


def test_sequential_offload_is_merged_where_the_weights_rest(tmp_path, model):
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": model})
    expected = diffusers_flux([(path, 0.7)])
    base = flux_output(model)
    accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    assert model.proj_out.weight.is_meta
    loras = Loras({"transformer": model}, FluxPipeline, PLENTY)
    loras.apply([(path, digest, 0.7)])
    assert close(flux_output(model), expected)
    loras.apply(())
    assert torch.equal(flux_output(model), base)


def test_group_offload_is_merged_where_the_weights_rest(tmp_path, model):
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": model})
    expected, base = diffusers_flux([(path, 0.7)]), flux_output(model)
    model.enable_group_offload(
        onload_device=torch.device("cpu"), offload_device=torch.device("cpu"), offload_type="leaf_level"
    )
    loras = Loras({"transformer": model}, FluxPipeline, PLENTY)
    loras.apply([(path, digest, 0.7)])
    assert close(flux_output(model), expected)
    loras.apply(())
    assert torch.equal(flux_output(model), base)
