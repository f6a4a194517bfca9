"""The bundled model through the engine: what the pictures show."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realbot.engine import Fact, Produced, RunKey, Step, Work, loading, models, painter
from realbot.engine.painter import Painter
from realbot.jobs import Generate, to_json

#: Of the pixels at the border, in 0..1.
COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Painter:
    loading.quiet()
    return Painter(loading.load({"name": "mini"}, {}), tmp_path_factory.mktemp("spool"), {})


def paint(mini: Painter, tell: Any = lambda _: None, **asked: Any) -> Image.Image:
    request, _ = models.resolve(Generate(**{"seed": 1} | asked), mini.loaded.preset)
    answer = mini.paint(Work(RunKey("job", 1), to_json(request)), threading.Event(), tell)
    assert isinstance(answer, Produced), answer
    with Image.open(answer.pictures[0].path) as image:
        return image.convert("RGB")


def border(image: Image.Image) -> np.ndarray[Any, Any]:
    """The mean colour of a frame of four pixels, 0..1."""
    pixels = np.asarray(image).astype(float) / 255
    inside = np.zeros(pixels.shape[:2], bool)
    inside[4:-4, 4:-4] = True
    return pixels[~inside].mean(0)


def test_it_is_a_flux_like_any_other() -> None:
    assert models.identify(models.bundled()) == "flux"
    assert models.preset("own", models.bundled()).family == "flux"


@pytest.mark.parametrize("colour", COLOURS)
def test_the_background_has_the_colour_that_was_asked_for(mini: Painter, colour: str) -> None:
    found = border(paint(mini, prompt=f"a frog on a {colour} background"))
    far = {name: float(np.abs(found - rgb).sum()) for name, rgb in COLOURS.items()}
    assert min(far, key=lambda name: far[name]) == colour


def test_a_negative_prompt_keeps_its_colour_away(mini: Painter) -> None:
    """Without a word about the background, what is forbidden gets rarer."""
    asked = {"prompt": "an apple", "guidance": 1.5}
    seeds = range(4)
    plain = [border(paint(mini, **asked, seed=seed)) for seed in seeds]
    without = [border(paint(mini, **asked, negative="blue background", true_cfg=4.0, seed=seed)) for seed in seeds]

    def blueness(colours: list[np.ndarray[Any, Any]]) -> float:
        return float(np.mean([c[2] - (c[0] + c[1]) / 2 for c in colours]))

    assert blueness(without) < blueness(plain)


def test_solvers_agree_on_the_picture(mini: Painter) -> None:
    asked = {"prompt": "a red apple on a blue background", "steps": 20}
    pictures = [
        np.asarray(paint(mini, **asked, scheduler=name)).astype(float) for name in ("euler", "dpm++2m", "unipc")
    ]
    for other in pictures[1:]:
        assert 0 < np.abs(other - pictures[0]).mean() < 25


def test_the_preview_becomes_the_picture(mini: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painter, "_PREVIEW_PAUSE", 0.0)
    seen: list[np.ndarray[Any, Any]] = []

    def tell(fact: Fact) -> None:
        if isinstance(fact, Step) and fact.preview:
            with Image.open(fact.preview) as image:
                seen.append(np.asarray(image.resize((128, 128))).astype(float))

    picture = np.asarray(paint(mini, tell, prompt="a red apple on a blue background", steps=8)).astype(float)
    away = [np.abs(preview - picture).mean() for preview in seen]
    assert len(away) == 7
    assert away[-1] < away[0]
    assert away[-1] < 30


def test_the_same_pixels_as_the_bare_pipeline(mini: Painter) -> None:
    import torch
    from diffusers import FluxPipeline

    bare = FluxPipeline.from_pretrained(models.bundled(), dtype=torch.float32)
    bare.set_progress_bar_config(disable=True)
    expected = bare(
        "a penguin on a green background",
        width=128,
        height=96,
        num_inference_steps=4,
        guidance_scale=3.0,
        max_sequence_length=32,
        generator=torch.Generator("cpu").manual_seed(8),
    ).images[0]
    found = paint(mini, prompt="a penguin on a green background", width=128, height=96, steps=4, seed=8)
    assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_its_parts_fit_together_with_nothing_said_about_numbers() -> None:
    """`FluxPipeline.from_pretrained(folder)` and nothing else: text encoders are read as their config.json says."""
    from diffusers import FluxPipeline

    bare = FluxPipeline.from_pretrained(models.bundled())
    assert bare.text_encoder.dtype == bare.text_encoder_2.dtype == bare.transformer.dtype == bare.vae.dtype


def test_its_files_are_small_and_no_pickles() -> None:
    files = [path for path in Path(models.bundled()).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".txt", ".model"}
    assert sum(path.stat().st_size for path in files) < 40e6
