"""Makes the bundled model from nothing: fetch, draw, train, distil, LoRAs, evaluate, install into src/realbot/mini.

`python build.py [--out build/mini] [--scale 1.0]`; each stage that is complete is skipped, an interrupted one goes on.
`--scale` multiplies the training times; README.md tells how the shipped files were trained.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import data
import evaluate
import flux
import torch
import vae

#: Minutes of computing on two cores.
VAE, POLISH, BASE, STYLES, GUIDE, REFINE = 15, 5, 80, 88, 14, 11


def build(out: Path, scale: float) -> None:
    # Said aloud, the number also holds for the thread that computes the gradients.
    torch.set_num_threads(os.cpu_count() or 1)
    sources, run = out / "sources", out / "run"
    run.mkdir(parents=True, exist_ok=True)
    data.fetch(sources)
    if not (run / "vae").exists():
        vae.train(sources, run, VAE * scale)
    if not (run / "vae" / "polished").exists():
        vae.polish(sources, run, POLISH * scale)
    if not (run / "base.pt").exists():
        flux.train(sources, run, BASE * scale, "base")
    if not (run / "styles.pt").exists():
        flux.train(sources, run, STYLES * scale, "styles")
    if not (run / "model").exists():
        flux.guide(sources, run, GUIDE * scale)
    if not (run / "styles").exists():
        flux.train(sources, run, REFINE * scale, "refine")
    if not evaluate.WEIGHTS.exists():
        evaluate.fit(sources)
    print(evaluate.evaluate(run / "model", run / "styles", sheet=out / "sheet.png"))
    for part in ("model", "styles"):
        shutil.rmtree(evaluate.SHIPPED / part, ignore_errors=True)
        shutil.copytree(run / part, evaluate.SHIPPED / part)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("build/mini"))
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    build(arguments.out, arguments.scale)
