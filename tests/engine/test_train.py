"""Training of a style: it can be paused, killed and gone on with, and leaves the base model alone."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from engine import tiny
from engine.canvas import SIDE, Easel
from realbot.engine import Produced
from realbot.engine.lessons import shape
from realbot.engine.models import PRESETS
from realbot.engine.objectives import Objective
from realbot.engine.train import Trainer
from realbot.errors import ConfigError, EngineError, Invalid, OutOfMemory
from realbot.jobs import StyleUse
from realbot.training import Course, Example, Progress

COURSE = Course(
    style="dots", trigger="dots", steps=6, rank=4, alpha=8, rate=1e-2, batch=2, validate_every=2, save_every=3,
    sample_every=6, seed=3,
)  # fmt: skip
Make = Callable[..., Trainer]


@pytest.fixture(scope="module", params=list(tiny.FAMILIES))
def easel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Easel:
    return small(Easel(request.param, tiny.saved(request.param, tmp_path_factory.mktemp(request.param))))


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Easel:
    return small(Easel("flux", tiny.saved("flux", tmp_path_factory.mktemp("flux"))))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """Twelve pictures of random dots, three of them wide."""
    folder, chance, found = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), []
    for index in range(12):
        path = folder / f"{index}.png"
        size = (96, 48) if index % 4 == 3 else (64, 64)
        dots = chance.integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
        Image.fromarray(dots).resize(size, Image.Resampling.NEAREST).save(path)
        found.append(Example(path, f"dots, number {index}", hashlib.sha256(path.read_bytes()).hexdigest()))
    return found


def small(easel: Easel) -> Easel:
    """The same with a preset whose usual picture is as small as the tests'."""
    painter = easel.painter
    preset = replace(painter.loaded.preset, width=SIDE, height=SIDE, min_side=SIDE // 2, steps=2)
    painter.loaded = painter.stages._loaded = replace(painter.loaded, preset=preset)
    return easel


def trainer(easel: Easel, examples: list[Example], folder: Path, course: Course = COURSE) -> Trainer:
    return Trainer(easel.painter.loaded, easel.painter.stages, course, examples, folder)


def always(_: Progress) -> bool:
    return True


def until(step: int) -> Callable[[Progress], bool]:
    return lambda progress: progress.step != step


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "pictures_per_second"} for row in csv.DictReader(file)]


def test_learns_what_it_is_shown_and_leaves_the_base_model_alone(
    easel: Easel, examples: list[Example], tmp_path: Path
) -> None:
    """A picture after training has the very pixels of the one before; the weights and modules are the same objects."""
    denoiser = easel.painter.loras._reader._modules[
        "unet" if easel.painter.loaded.preset.family in ("sd15", "sdxl") else "transformer"
    ]
    before = easel.pixels(prompt="a cat", seed=5)
    weights = {name: weight.clone() for name, weight in denoiser.state_dict().items()}
    modules = {name: id(module) for name, module in denoiser.named_modules()}
    taught = trainer(easel, examples, tmp_path, replace(COURSE, steps=40, validate_every=20, sample_every=40))
    assert taught.run(always) == "finished"
    assert {name: id(module) for name, module in denoiser.named_modules()} == modules
    assert equal(dict(denoiser.state_dict()), weights)
    assert np.array_equal(easel.pixels(prompt="a cat", seed=5), before)
    held_out = [float(row["validation"]) for row in rows(tmp_path) if row["validation"]]
    assert len(held_out) == 3
    assert held_out[-1] < held_out[0]


def test_the_style_can_be_asked_for_and_loads_in_diffusers(
    easel: Easel, examples: list[Example], tmp_path: Path
) -> None:
    import diffusers

    taught = trainer(easel, examples, tmp_path)
    taught.run(always)
    path = taught.export(tmp_path / "styles" / "dots.safetensors")
    plain = easel.pixels(prompt="a cat", seed=5)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    work = easel.work(prompt="a cat", seed=5, styles=(StyleUse("dots"),))
    answer = easel.paint(replace(work, styles={"dots": {"path": str(path), "sha256": sha256}}))
    assert isinstance(answer, Produced), answer
    ours = np.asarray(Image.open(answer.pictures[0].path))
    assert not np.array_equal(ours, plain)
    with safe_open(path, "pt") as file:
        about = file.metadata()
    assert about["modelspec.title"] == about["modelspec.trigger_phrase"] == "dots"
    assert about["realbot.model"] == easel.painter.loaded.preset.name
    assert (about["realbot.rank"], about["realbot.alpha"], len(about["realbot.pictures"])) == ("4", "8", 64)

    pipe = easel.painter.loaded.pipeline
    theirs = type(pipe).from_pretrained(easel.folder)
    assert isinstance(theirs, diffusers.DiffusionPipeline)
    theirs.load_lora_weights(str(path))
    adapted: Any = getattr(theirs, "transformer", None) or theirs.unet
    base: Any = getattr(pipe, "transformer", None) or pipe.unet
    layers = {n: m for n, m in adapted.named_modules() if hasattr(m, "get_delta_weight")}
    trained = {n.rpartition(".")[0] for n in taught.weights()}
    assert set(layers) == trained
    easel.painter.loras.apply([(path, sha256, 1.0)])
    try:
        for name, layer in layers.items():
            merged = layer.get_base_layer().weight + layer.get_delta_weight("default_0")
            assert torch.allclose(merged, base.get_submodule(name).weight, atol=1e-5), name
    finally:
        easel.painter.loras.apply(())


def test_paused_training_gives_the_very_weights_of_one_that_was_not(
    easel: Easel, examples: list[Example], tmp_path: Path
) -> None:
    before = easel.pixels(prompt="a picture in between", seed=1)
    whole = trainer(easel, examples, tmp_path / "whole")
    whole.run(always)
    here = trainer(easel, examples, tmp_path / "paused")
    assert here.run(until(2)) == "paused"
    assert np.array_equal(easel.pixels(prompt="a picture in between", seed=1), before)
    torch.rand(7)
    assert here.run(until(5)) == "paused"
    anew = trainer(easel, examples, tmp_path / "paused")
    assert anew.step == 5
    assert equal(anew.weights(), here.weights())
    assert anew.run(always) == "finished"
    assert equal(anew.weights(), whole.weights())
    assert rows(tmp_path / "paused") == rows(tmp_path / "whole")
    for each, folder in ((whole, "whole"), (anew, "paused")):
        each.export(tmp_path / folder / "style.safetensors")
    files = [(tmp_path / folder / "style.safetensors").read_bytes() for folder in ("whole", "paused")]
    assert files[0] == files[1]


def test_a_look_that_is_interrupted_is_made_when_the_training_goes_on(
    flux: Easel, examples: list[Example], tmp_path: Path
) -> None:
    """However often a picture comes in between, the weights and the best of them are those of one in one go."""
    course = replace(COURSE, sample_every=3)
    whole = trainer(flux, examples, tmp_path / "whole", course)
    whole.run(always)
    chance, here = np.random.default_rng(1), trainer(flux, examples, tmp_path / "cut", course)
    pauses = 0
    while here.run(always, lambda: bool(chance.random() < 0.3)) == "paused":
        pauses += 1
        if chance.random() < 0.3:
            here = trainer(flux, examples, tmp_path / "cut", course)
    assert pauses > 3
    assert equal(here.weights(), whole.weights())
    files = []
    for each, name in ((whole, "whole"), (here, "cut")):
        files.append(each.export(tmp_path / name / "style.safetensors").read_bytes())
        grids = sorted(path.name for path in (tmp_path / name).glob("samples-*"))
        assert grids == ["samples-000003.png", "samples-000006.png"]
    assert files[0] == files[1]


def test_a_crash_goes_on_from_the_last_checkpoint(flux: Easel, examples: list[Example], tmp_path: Path) -> None:
    course = replace(COURSE, accumulation=2)
    whole = trainer(flux, examples, tmp_path / "whole", course)
    whole.run(always)

    def crash(progress: Progress) -> bool:
        if progress.step == 5:
            raise KeyboardInterrupt
        return True

    broken = trainer(flux, examples, tmp_path / "crashed", course)
    with pytest.raises(KeyboardInterrupt):
        broken.run(crash)
    anew = trainer(flux, examples, tmp_path / "crashed", course)
    assert anew.step == 3
    anew.run(always)
    assert equal(anew.weights(), whole.weights())
    assert rows(tmp_path / "crashed") == rows(tmp_path / "whole")


def test_a_torn_checkpoint_is_told_and_one_of_another_training_refused(
    flux: Easel, examples: list[Example], tmp_path: Path
) -> None:
    first = trainer(flux, examples, tmp_path)
    first.run(until(2))
    with pytest.raises(Invalid, match="other settings"):
        trainer(flux, examples, tmp_path, replace(COURSE, rank=8))
    with pytest.raises(Invalid, match="other pictures"):
        trainer(flux, examples[:-1], tmp_path)
    data = first.checkpoint.read_bytes()
    for cut in (0, 7, len(data) // 2, len(data) - 1):
        first.checkpoint.write_bytes(data[:cut])
        with pytest.raises(EngineError, match="damaged"):
            trainer(flux, examples, tmp_path)
    first.checkpoint.write_bytes(data)
    (tmp_path / "checkpoint.safetensors.part").write_bytes(b"half of one")
    assert trainer(flux, examples, tmp_path).step == 2


def test_accumulated_batches_and_recomputed_layers_learn_the_same(
    flux: Easel, examples: list[Example], tmp_path: Path
) -> None:
    plain = trainer(flux, examples, tmp_path / "plain")
    plain.run(until(3))
    sparing = trainer(flux, examples, tmp_path / "sparing", replace(COURSE, recompute=True))
    sparing.run(until(3))
    for name, weight in plain.weights().items():
        assert torch.allclose(weight, sparing.weights()[name], atol=1e-6), name
    assert not flux.painter.loaded.pipeline.transformer.is_gradient_checkpointing


@pytest.mark.parametrize(("family", "dtype"), [("flux", "bfloat16"), ("sd15", "float16")])
def test_half_precision_learns(family: str, dtype: str, examples: list[Example], tmp_path: Path) -> None:
    """The matrices stay in float32 beside a model in half precision."""
    kept = tiny.saved(family, tmp_path / family)
    from realbot.engine import loading
    from realbot.engine.embeds import Embeds
    from realbot.engine.loras import Loras
    from realbot.engine.stages import Stages

    loaded = loading.load({"name": tiny.PRESETS[family], "path": str(kept), "dtype": dtype, "device": "cpu"}, {})
    loaded = replace(loaded, preset=replace(loaded.preset, width=SIDE, height=SIDE, steps=1))
    stages = Stages(loaded, Loras({}, type(loaded.pipeline), 0), Embeds(2**20))
    course = replace(COURSE, steps=20, validate_every=10, sample_every=99, save_every=99)
    taught = Trainer(loaded, stages, course, examples, tmp_path / "run")
    taught._sample = lambda _: tmp_path / "none.png"  # type: ignore[method-assign]
    taught.run(always)
    found = [float(row["validation"]) for row in rows(tmp_path / "run") if row["validation"]]
    assert found[-1] < found[0]
    assert {weight.dtype for weight in taught._style.weights.values()} == {torch.float32}


def test_stops_early_with_the_best_it_had(flux: Easel, examples: list[Example], tmp_path: Path) -> None:
    course = replace(COURSE, rate=0.1, alpha=64, steps=400, validate_every=1, patience=3, sample_every=999)
    taught = trainer(flux, examples, tmp_path, course)
    assert taught.run(always) == "stopped"
    found = {int(row["step"]): float(row["validation"]) for row in rows(tmp_path) if row["validation"]}
    best = min(found, key=lambda step: found[step])
    assert max(found) == best + 3
    with safe_open(taught.export(tmp_path / "best.safetensors"), "pt") as file:
        assert file.metadata()["realbot.steps"] == str(best)


def test_what_does_not_fit_or_cannot_be_written_is_one_sentence(
    flux: Easel, examples: list[Example], tmp_path: Path
) -> None:
    taught = trainer(flux, examples, tmp_path / "run")

    def full(_: Progress) -> bool:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemory, match="batch of 1"):
        taught.run(full)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EngineError, match="cannot be written"):
        taught.export(tmp_path / "file" / "dots.safetensors")


def test_numbers_that_are_none_end_it_with_one_sentence(flux: Easel, examples: list[Example], tmp_path: Path) -> None:
    taught = trainer(flux, examples, tmp_path)
    taught.run(until(3))
    kept = taught.checkpoint.read_bytes()
    with torch.no_grad():
        next(iter(taught._style.weights.values())).fill_(float("nan"))
    with pytest.raises(EngineError, match="smaller learning rate"):
        taught.run(always)
    assert taught.checkpoint.read_bytes() == kept


def test_a_model_that_takes_no_styles_is_not_trained(flux: Easel, examples: list[Example], tmp_path: Path) -> None:
    loaded = flux.painter.loaded
    for bad in (replace(loaded, mergeable="no"), replace(loaded, label="cuda:0, bfloat16, offload group")):
        with pytest.raises(ConfigError, match="cannot be trained"):
            Trainer(bad, flux.painter.stages, COURSE, examples, tmp_path)


def test_every_picture_is_shown_in_each_epoch_and_batches_have_one_size(
    flux: Easel, examples: list[Example], tmp_path: Path
) -> None:
    lessons = trainer(flux, examples, tmp_path, replace(COURSE, dropout=0.0)).lessons
    assert len(lessons.held_out) == 1
    assert not {lesson.caption for lesson in lessons.held_out} & {lesson.caption for lesson in lessons.learnt}
    known = {id(lesson.words): lesson.caption for lesson in lessons.learnt}
    count = sum(-(-len(bucket) // 2) for bucket in lessons._buckets.values())
    orders = []
    for epoch in range(2):
        batches = [lessons.batch(epoch * count + index) for index in range(count)]
        orders.append([known[id(words)] for batch in batches for words in batch.words])
        assert set(orders[-1]) == set(known.values())
    assert orders[0] != orders[1]
    assert torch.equal(lessons.batch(3).noise, lessons.batch(3).noise)


def test_v_prediction_is_learnt_as_velocity(tmp_path: Path) -> None:
    easel = Easel("sd15", tiny.saved("sd15", tmp_path / "model"))
    pipe = easel.painter.loaded.pipeline
    pipe.scheduler.register_to_config(prediction_type="v_prediction")
    assert Objective(easel.painter.loaded)._schedule.config.prediction_type == "v_prediction"


def test_shapes_have_the_area_of_the_model_and_fit_its_grid() -> None:
    assert shape(500, 500, PRESETS["flux-dev"]) == (1024, 1024)
    assert shape(4000, 3000, PRESETS["sdxl"]) == (1184, 880)
    wide, high = shape(5000, 1000, PRESETS["sd15"])
    assert wide > high
    assert wide % 16 == high % 16 == 0
