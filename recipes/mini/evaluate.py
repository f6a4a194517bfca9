"""How good `mini` is: `python evaluate.py` paints 100 prompts for each look and prints a table.

The probe beside this file judges; `python evaluate.py --fit SOURCES` trains it anew and prints how well it knows the
data.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import data
import numpy as np
import probe as judges
import torch
from diffusers import FluxPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "src" / "realbot" / "mini"
WEIGHTS = HERE / "probe.safetensors"


@dataclass(frozen=True)
class Evaluation:
    """Counts out of `of`. `margins` are mean 3-D score minus flat score at LoRA weights 0, 0.5 and 1, of a quarter."""

    of: int
    background: int
    object: int
    realism: int
    ink: int  #: of a quarter
    margins: tuple[float, float, float]


def judge() -> judges.Probe:
    """The shipped probe."""
    made = judges.Probe(len(data.objects()))
    made.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(WEIGHTS).items()})
    return made.eval()


def prompts(n: int) -> list[tuple[str, int, str]]:
    """(prompt, index of the object, colour) for `n` prompts that go through all claimed objects and all colours."""
    rng = random.Random(2024)
    names, colours, claims = list(data.objects()), list(data.COLOURS), data.claimed()
    order = [names.index(claims[i % len(claims)]) for i in range(n)]
    rng.shuffle(order)
    found = []
    for k, i in enumerate(order):
        colour = colours[k % len(colours)]
        article = ("an" if names[i][0] in "aeiou" else "a", "an" if colour[0] in "aeiou" else "a")
        found.append((f"{article[0]} {names[i]} on {article[1]} {colour} background", i, colour))
    return found


@torch.no_grad()
def paint(pipe: FluxPipeline, asked: list[str], steps: int, guidance: float) -> list[Image.Image]:
    """One picture a prompt, seed = its number."""
    made = []
    for start in range(0, len(asked), 10):
        part = asked[start : start + 10]
        made += pipe(
            part, height=128, width=128, num_inference_steps=steps, guidance_scale=guidance, max_sequence_length=32,
            generator=[torch.Generator("cpu").manual_seed(start + k) for k in range(len(part))],
        ).images  # fmt: skip
    return made


@torch.no_grad()
def scores(judge: judges.Probe, images: list[Image.Image]) -> tuple[torch.Tensor, torch.Tensor]:
    return judge(torch.from_numpy(np.stack([judges.small(image) for image in images])))


def evaluate(
    model: Path, styles: Path, n: int = 100, steps: int = 12, guidance: float = 3.0, sheet: Path | None = None
) -> Evaluation:
    pipe = FluxPipeline.from_pretrained(model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    asked, probe = prompts(n), judge()
    words, quarter = [text for text, _, _ in asked], n // 4
    plain = paint(pipe, words, steps, guidance)
    names, looks = scores(probe, plain)
    background = sum(judges.background(image) == colour for image, (_, _, colour) in zip(plain, asked, strict=True))
    objects = int((names.argmax(1) == torch.tensor([i for _, i, _ in asked])).sum())

    def restyled(style: str, weight: float, wanted: list[str]) -> tuple[list[Image.Image], torch.Tensor]:
        """Pictures, and by how much each looks more like the style's set than like the flat one."""
        pipe.load_lora_weights(str(styles), weight_name=f"{style}.safetensors", adapter_name=style)
        pipe.set_adapters([style], [weight])
        images = paint(pipe, wanted, steps, guidance)
        pipe.unload_lora_weights()
        _, found = scores(probe, images)
        return images, found[:, data.LOOKS.index(style)] - found[:, 0]

    shaded, strong = restyled("realism", 1.0, words)
    _, weak = restyled("realism", 0.5, words[:quarter])
    drawn, ink = restyled("ink", 1.0, words[:quarter])
    none = (looks[:, 1] - looks[:, 0])[:quarter]
    rows = [plain, shaded, drawn]
    if sheet:
        page = Image.new("RGB", (128 * 20, 128 * 5 * len(rows)))
        for r, images in enumerate(rows):
            for i, image in enumerate(images[:100]):
                page.paste(image, (128 * (i % 20), 128 * (5 * r + i // 20)))
        page.save(sheet)
    margins = tuple(round(float(m.mean()), 2) for m in (none, weak, strong[:quarter]))
    return Evaluation(n, background, objects, int((strong > 0).sum()), int((ink > 0).sum()), margins)


def fit(sources: Path) -> None:
    """Train the probe, print its accuracy on fresh pictures, save it in half precision."""
    made = judges.fit(sources)
    codes, rng = list(data.objects().values()), random.Random(99)
    for look in data.LOOKS:
        images = [
            data.picture(
                sources, look, code, rng.choice(list(data.COLOURS.values())), at=(rng.randrange(33), rng.randrange(33))
            )
            for code in codes
        ]
        names, _ = scores(made, images)
        hits = int((names.argmax(1) == torch.arange(len(codes))).sum())
        print(f"probe on {look}: {hits} of {len(codes)}")
    save_file({k: v.half() if v.is_floating_point() else v for k, v in made.state_dict().items()}, WEIGHTS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", type=Path, metavar="SOURCES")
    parser.add_argument("--model", type=Path, default=SHIPPED / "model")
    parser.add_argument("--styles", type=Path, default=SHIPPED / "styles")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--sheet", type=Path, help="save the pictures as one PNG")
    arguments = parser.parse_args()
    if arguments.fit:
        fit(arguments.fit)
    else:
        found = evaluate(
            arguments.model, arguments.styles, arguments.prompts, arguments.steps, arguments.guidance, arguments.sheet
        )
        print(json.dumps(asdict(found)))
