"""What does switching styles cost? A trace of requests in random style order on a small FLUX, three ways in one run.

merge     realbot: styles in RAM, merged into the weights in place from a pristine copy
reload    diffusers: load_lora_weights before and unload_lora_weights after every request
resident  diffusers: every style loaded once, set_adapters before every request

    python benchmarks/loras.py [--requests 60] [--styles 6] [--steps 8] [--device cpu] [--dtype float32]
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

import realbot
from realbot.engine.loras import Loras

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "engine"))
from lorafiles import ATTENTION, write_lora

MINI = Path(realbot.__file__).parent / "mini" / "model"
SIDE = 128


@dataclass
class Contender:
    name: str
    pipeline: FluxPipeline
    enter: Callable[[int], None]
    leave: Callable[[int], None]
    extra: Callable[[], int]
    switch: list[float] = field(default_factory=list)
    total: float = 0.0


def transformer(device: str, dtype: torch.dtype) -> tuple[FluxTransformer2DModel, str]:
    if (MINI / "transformer").is_dir():
        loaded = FluxTransformer2DModel.from_pretrained(MINI / "transformer", dtype=dtype)
        return loaded.to(device).requires_grad_(False), "the bundled mini"
    torch.manual_seed(0)
    built = FluxTransformer2DModel(
        in_channels=64,
        num_layers=3,
        num_single_layers=6,
        attention_head_dim=32,
        num_attention_heads=6,
        joint_attention_dim=192,
        pooled_projection_dim=192,
        axes_dims_rope=(8, 12, 12),
        guidance_embeds=True,
    )
    return built.to(device, dtype).requires_grad_(False), "a random FLUX of mini's size"


def pipeline_of(model: FluxTransformer2DModel) -> FluxPipeline:
    parts = dict.fromkeys(("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"))
    pipeline = FluxPipeline(scheduler=FlowMatchEulerDiscreteScheduler(), transformer=model, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def paint(pipeline: FluxPipeline, embeds: tuple[torch.Tensor, torch.Tensor], steps: int, seed: int) -> torch.Tensor:
    return pipeline(
        prompt_embeds=embeds[0],
        pooled_prompt_embeds=embeds[1],
        height=SIDE,
        width=SIDE,
        num_inference_steps=steps,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="latent",
    ).images


def wait(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def adapter_bytes(model: torch.nn.Module) -> int:
    return sum(value.nbytes for name, value in model.named_parameters() if ".lora_" in name)


def contenders(files: list[tuple[Path, str]], device: str, dtype: torch.dtype) -> list[Contender]:
    merging, reloading, resident = (pipeline_of(transformer(device, dtype)[0]) for _ in range(3))
    loras = Loras({"transformer": merging.transformer}, FluxPipeline, 1 << 30)
    for path, digest in files:
        loras.prefetch(path, digest)
    for number, (path, _) in enumerate(files):
        resident.load_lora_weights(str(path), adapter_name=f"style{number}")

    def reload(number: int) -> None:
        reloading.load_lora_weights(str(files[number][0]), adapter_name=f"style{number}")
        reloading.set_adapters([f"style{number}"], [1.0])

    return [
        Contender(
            "merge",
            merging,
            lambda number: void(loras.apply([(*files[number], 1.0)])),
            lambda number: None,
            lambda: loras.extra_bytes,
        ),
        Contender(
            "reload",
            reloading,
            reload,
            lambda number: reloading.unload_lora_weights(),
            lambda: max(path.stat().st_size for path, _ in files),
        ),
        Contender(
            "resident",
            resident,
            lambda number: resident.set_adapters([f"style{number}"], [1.0]),
            lambda number: None,
            lambda: adapter_bytes(resident.transformer),
        ),
    ]


def void(_: object) -> None:
    return None


def run(options: argparse.Namespace, folder: Path) -> None:
    dtype = getattr(torch, options.dtype)
    model, name = transformer(options.device, dtype)
    files = []
    for number in range(options.styles):
        path = folder / f"style{number}.safetensors"
        layers = ATTENTION if number % 2 == 0 else None
        files.append((path, write_lora(path, {"transformer": model}, layers=layers, rank=16, seed=number, dtype=dtype)))
    cold = Loras({"transformer": model}, FluxPipeline, 1 << 30)
    began = wait(options.device)
    cold.load(*files[1])
    cold_load = wait(options.device) - began
    began = wait(options.device)
    cold.apply([(*files[1], 1.0)])
    cold_apply = wait(options.device) - began
    cold.apply(())

    generator = torch.Generator("cpu").manual_seed(1)
    config = model.config
    embeds = (
        torch.randn(1, 32, config.joint_attention_dim, generator=generator).to(options.device, dtype),
        torch.randn(1, config.pooled_projection_dim, generator=generator).to(options.device, dtype),
    )
    base = pipeline_of(model)
    untouched = paint(base, embeds, options.steps, 0)
    racing = contenders(files, options.device, dtype)
    for contender in racing:
        for number in range(options.styles):
            contender.enter(number)
            paint(contender.pipeline, embeds, 2, 0)
            contender.leave(number)

    chance = random.Random(options.seed)
    trace = [chance.randrange(options.styles) for _ in range(options.requests)]
    base_time, apart = 0.0, 0.0
    for request, style in enumerate(trace):
        began = wait(options.device)
        paint(base, embeds, options.steps, request)
        base_time += wait(options.device) - began
        pictures = []
        for contender in racing:
            start = wait(options.device)
            contender.enter(style)
            entered = wait(options.device)
            pictures.append(paint(contender.pipeline, embeds, options.steps, request))
            painted = wait(options.device)
            contender.leave(style)
            left = wait(options.device)
            contender.switch.append(entered - start + left - painted)
            contender.total += left - start
        apart = max(apart, *(float((pictures[0] - other).abs().max()) for other in pictures[1:]))

    step = base_time / options.requests / options.steps
    size = sum(parameter.nbytes for parameter in model.parameters())
    print(f"{name}, {size / 2**20:.1f} MB, {options.device} {options.dtype}, {SIDE}x{SIDE}, {options.steps} steps,")
    print(f"{options.requests} requests over {options.styles} styles of rank 16 in random order\n")
    print(f"{'':10}{'pictures/s':>11}{'merge is':>10}{'switch ms':>11}{'p95':>8}{'in steps':>10}{'extra MB':>10}")
    print(f"{'no styles':10}{options.requests / base_time:11.2f}{base_time / racing[0].total:9.2f}x")
    for contender in racing:
        middle, high = statistics.median(contender.switch), statistics.quantiles(contender.switch, n=20)[-1]
        print(
            f"{contender.name:10}{options.requests / contender.total:11.2f}{contender.total / racing[0].total:9.2f}x"
            f"{middle * 1e3:11.2f}{high * 1e3:8.2f}{middle / step:10.2f}{contender.extra() / 2**20:10.1f}"
        )
    warm = [spent for spent, one, two in zip(racing[0].switch[1:], trace[:-1], trace[1:], strict=True) if one != two]
    print(f"\nmerge is N x as fast as the row. One step takes {step * 1e3:.1f} ms;", end=" ")
    print(f"a warm switch {statistics.median(warm) * 1e3:.1f} ms, {statistics.median(warm) / step:.2f} of a step.")
    print(f"First use of a style: {cold_load * 1e3:.1f} ms to read and check, {cold_apply * 1e3:.1f} ms to merge.")
    kept = Loras({"transformer": model}, FluxPipeline, 1 << 30)
    for path, digest in files:
        kept.apply([(path, digest, 1.0)])
    pristine = kept.extra_bytes - kept.resident_bytes
    kept.apply(())
    exact = torch.equal(untouched, paint(base, embeds, options.steps, 0))
    print(f"Pristine copies: {pristine / 2**20:.1f} MB, {100 * pristine / size:.0f} % of the transformer;", end=" ")
    print(f"styles in RAM: {kept.resident_bytes / 2**20:.1f} MB.")
    print(f"Largest difference between the three in a latent: {apart:.1e}. Base picture after it all equal: {exact}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--styles", type=int, default=6)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        run(options, Path(folder))


if __name__ == "__main__":
    main()
