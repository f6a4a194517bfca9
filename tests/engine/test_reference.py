"""The look of a reference picture: shared attention with every family, and what `mini` makes of it."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine import tiny
from engine.canvas import SIDE, Easel
from realbot.engine import Cancelled, Fact, Failed, Step, models
from realbot.engine.stages import Start
from realbot.jobs import Generate, StyleUse

Kept = tuple[str, dict[str, str]]
Keep = Callable[..., Kept]


def noise(seed: int, width: int = SIDE, height: int = SIDE) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module", params=list(tiny.FAMILIES))
def easel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Easel:
    return Easel(request.param, tiny.saved(request.param, tmp_path_factory.mktemp(request.param)))


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Keeps a picture as a file: its id, and what the work says of it."""

    def kept(picture: Image.Image) -> Kept:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        picture.save(path)
        image = hashlib.sha256(path.read_bytes()).hexdigest()
        return image, {image: str(path)}

    return kept


def processors(easel: Easel) -> dict[str, Any]:
    return dict(getattr(easel.pipe, models.FAMILIES[easel.family].denoiser).attn_processors)


def test_D4_a_reference_changes_the_picture_and_leaves_nothing_behind(easel: Easel, keep: Keep) -> None:
    image, files = keep(noise(1))
    other, others = keep(noise(2))
    before, plain = processors(easel), easel.hashes()
    asked = {"reference": image, "files": files}
    first = easel.hashes(**asked)
    found = {plain[0], first[0], easel.hashes(reference=other, files=others)[0]}
    found |= {easel.hashes(**asked, reference_weight=weight)[0] for weight in (0.2, 0.9)}
    assert len(found) == 5
    assert easel.hashes() == plain
    assert easel.hashes(**asked) == first
    assert Easel(easel.family, easel.folder).hashes(**asked) == first
    after = processors(easel)
    assert all(after[name] is processor for name, processor in before.items())
    denoiser = getattr(easel.pipe, models.FAMILIES[easel.family].denoiser)
    assert not denoiser._forward_pre_hooks


def test_a_weight_of_0_is_the_picture_without(easel: Easel, keep: Keep) -> None:
    image, files = keep(noise(1))
    assert easel.hashes(reference=image, files=files, reference_weight=0.0) == easel.hashes()


def test_more_weight_is_further_away(easel: Easel, keep: Keep) -> None:
    image, _ = keep(noise(1))

    def latents(weight: float) -> torch.Tensor:
        request = Generate(prompt="a cat", steps=3, width=SIDE, height=SIDE, reference=image, reference_weight=weight)
        asked, _ = models.resolve(request, easel.painter.loaded.preset)
        stages = easel.painter.stages
        return stages.denoise(asked, stages.encode(asked), 1, lambda *_: None, Start(reference=noise(1)))

    plain = latents(0.0)
    away = [float((latents(weight) - plain).abs().mean()) for weight in (0.1, 0.5, 0.9)]
    assert away == sorted(away)
    assert away[0] < away[1] < away[2]


def test_it_goes_with_a_source_a_mask_and_a_negative_prompt(easel: Easel, keep: Keep) -> None:
    (image, files), (source, sources) = keep(noise(1)), keep(noise(2))
    mask, masks = keep(Image.new("L", (SIDE, SIDE), 255))
    every = files | sources | masks
    cases: list[dict[str, Any]] = [
        {"source": source, "strength": 0.7},
        {"source": source, "mask": mask},
        {"negative": "a dog", "guidance": 4.0},
        {"scheduler": models.FAMILIES[easel.family].schedulers[-1]},
        {"width": 2 * SIDE},
    ]
    for case in cases:
        plain = easel.hashes(files=every, **case)
        assert easel.hashes(files=every, **case, reference=image) != plain
        assert easel.hashes(files=every, **case) == plain


def test_a_reference_costs_one_look_a_step_and_nothing_where_there_is_none(easel: Easel, keep: Keep) -> None:
    image, files = keep(noise(1))
    denoiser = getattr(easel.pipe, models.FAMILIES[easel.family].denoiser)
    calls: list[int] = []
    forward = denoiser.forward

    def counted(*args: Any, **told: Any) -> Any:
        calls.append(1)
        return forward(*args, **told)

    denoiser.forward = counted
    try:
        counts = []
        for asked in ({}, {"reference": image, "files": files}, {"reference": image, "files": files, "negative": "x"}):
            calls.clear()
            easel.hashes(**asked, steps=4, **({} if easel.family == "flux" else {"guidance": 4.0}))
            counts.append(len(calls))
    finally:
        del denoiser.forward
    assert counts == [4, 8, 12 if easel.family == "flux" else 8]


def test_cancel_leaves_nothing_behind(easel: Easel, keep: Keep) -> None:
    image, files = keep(noise(1))
    plain, before = easel.hashes(), processors(easel)
    stop = threading.Event()

    def tell(fact: Fact) -> None:
        if isinstance(fact, Step):
            stop.set()

    work = easel.work(reference=image, files=files, steps=6)
    assert easel.paint(work, tell=tell, cancelled=stop) == Cancelled(work.key, 1)
    assert all(processors(easel)[name] is processor for name, processor in before.items())
    assert easel.hashes() == plain


def test_a_reference_that_is_not_there_is_a_bad_request(easel: Easel) -> None:
    answer = easel.paint(reference="ab" * 32)
    assert isinstance(answer, Failed)
    assert (answer.kind, answer.engine_ok) == ("bad_request", True)


@pytest.mark.slow
@pytest.mark.parametrize("content", ["text", "source"])
def test_mini_takes_the_look_and_the_object_stays(content: str, tmp_path: Path) -> None:
    """Eight pictures of what `benchmarks/reference.py` measures with a hundred."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from reference import Measure, Studio

    measure = Measure(Studio(tmp_path), 8)
    row = measure.run("realism", measure.references("realism"), models.REFERENCE_WEIGHT, content)
    assert row.nearer >= 6  # of a hundred it is 88 from words and 82 from a source
    assert row.gain > 1
    assert row.object >= 5
    assert row.background == 8


def test_it_goes_with_styles_whose_weights_are_merged(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    from reference import Studio

    studio = Studio(tmp_path)
    asked: dict[str, Any] = {"prompt": "a red apple", "seed": 1, "steps": 3, "width": 64, "height": 64}
    plain, ink = studio.paint(**asked), studio.paint(**asked, styles=(StyleUse("ink"),))
    looked = {
        studio.paint(**asked, reference=ink),
        studio.paint(**asked, reference=ink, styles=(StyleUse("realism"),)),
        studio.paint(**asked, reference=ink, styles=(StyleUse("ink", 0.5), StyleUse("realism", 0.5))),
    }
    assert len(looked | {plain, ink}) == 5
    assert studio.paint(**asked, styles=(StyleUse("ink"),)) == ink
    assert studio.paint(**asked) == plain
