"""Painting from a picture: tiny models of every family beside diffusers' own pipelines, and what `mini` makes of it."""

from __future__ import annotations

import hashlib
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine import tiny
from engine.canvas import SIDE, Easel
from realbot.engine import Cancelled, Fact, Failed, Produced, RunKey, Step, Work, loading, models
from realbot.engine.painter import Painter
from realbot.errors import Invalid
from realbot.jobs import Generate, StyleUse, to_json

Pixels = np.ndarray[Any, Any]


def kept(folder: Path, picture: Image.Image) -> tuple[str, dict[str, str]]:
    """The picture as a file: its id, and what the work says of it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{len(list(folder.iterdir()))}.png"
    picture.save(path)
    image = hashlib.sha256(path.read_bytes()).hexdigest()
    return image, {image: str(path)}


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module", params=list(tiny.FAMILIES))
def easel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Easel:
    return Easel(request.param, tiny.saved(request.param, tmp_path_factory.mktemp(request.param)))


@pytest.fixture
def source(tmp_path: Path) -> tuple[str, dict[str, str]]:
    return kept(tmp_path / "sources", noise(SIDE, SIDE))


def told(easel: Easel) -> list[tuple[int, int]]:
    return [(fact.n, fact.of) for fact in easel.facts if isinstance(fact, Step)]


def test_paints_what_the_bare_image_to_image_pipeline_paints(easel: Easel, source: tuple[str, dict[str, str]]) -> None:
    import diffusers

    family = models.FAMILIES[easel.family]
    bare = getattr(diffusers, easel.painter.loaded.preset.from_picture).from_pretrained(easel.folder)
    bare.set_progress_bar_config(disable=True)
    flow = family.schedulers is models.FLOW
    if not flow:
        bare.scheduler = diffusers.EulerDiscreteScheduler.from_config(bare.scheduler.config)
    extra: dict[str, Any] = {"true_cfg_scale": 2.5} if family.name == "flux" else {}
    if flow:
        extra |= {"width": SIDE, "height": SIDE, "max_sequence_length": easel.painter.loaded.preset.max_tokens}
    image, files = source
    expected = bare(
        "a red cat",
        image=Image.open(files[image]),
        strength=0.6,
        negative_prompt="dog",
        num_inference_steps=5,
        guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5),
        **extra,
    ).images[0]
    asked = {"true_cfg": 2.5} if family.name == "flux" else {}
    asked |= {"source": image, "strength": 0.6, "files": files}
    found = easel.pixels(prompt="a red cat", negative="dog", seed=5, steps=5, guidance=4.0, scheduler="euler", **asked)
    assert np.array_equal(found, np.asarray(expected))


def test_it_works_on_the_weights_that_paint_from_words(easel: Easel, source: tuple[str, dict[str, str]]) -> None:
    image, files = source
    easel.hashes(source=image, files=files)
    second = easel.painter.stages._on_same_weights(easel.painter.loaded.preset.from_picture)
    assert type(second).__name__ == easel.painter.loaded.preset.from_picture
    modules = {name for name, part in second.components.items() if isinstance(part, torch.nn.Module)}
    assert "vae" in modules
    assert all(getattr(second, name) is getattr(easel.pipe, name) for name in modules)


def test_the_steps_are_those_that_are_really_taken(easel: Easel, source: tuple[str, dict[str, str]]) -> None:
    image, files = source
    calls: list[int] = []
    denoiser = getattr(easel.pipe, models.FAMILIES[easel.family].denoiser)
    hook = denoiser.register_forward_hook(lambda *_: calls.append(1))
    cases = {0.0: 0, 0.1: 1, 0.35: 3, 0.5: 4, 0.7: 5, 1.0: 7}
    for strength, steps in cases.items():
        calls.clear()
        easel.hashes(source=image, files=files, steps=7, guidance=1.0, strength=strength)
        assert len(calls) == steps
        assert told(easel) == [(n, max(steps, 1)) for n in range(1, max(steps, 1) + 1)]
    easel.hashes(source=image, files=files, steps=7, guidance=1.0, strength=0.35, count=2)
    assert told(easel) == [(n, 6) for n in range(1, 7)]
    hook.remove()


def test_every_scheduler_starts_from_a_picture(easel: Easel, source: tuple[str, dict[str, str]]) -> None:
    image, files = source
    names = models.FAMILIES[easel.family].schedulers
    found = {easel.hashes(source=image, files=files, strength=0.6, scheduler=name, steps=6)[0] for name in names}
    assert len(found) == len(names)


def test_D4_the_same_picture_and_seed_give_the_same_bytes_whatever_ran_before(
    easel: Easel, source: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    image, files = source
    other, others = kept(tmp_path / "sources", noise(SIDE, SIDE, seed=1))
    asked = {"source": image, "strength": 0.6, "files": files, "steps": 4}
    words = easel.hashes()
    first = easel.hashes(**asked)
    changes: list[dict[str, Any]] = [
        {"strength": 0.9},
        {"source": other, "files": others},
        {"seed": 2},
        {"prompt": "a dog"},
        {"scheduler": models.FAMILIES[easel.family].schedulers[-1]},
    ]
    assert len({easel.hashes(**{**asked, **change})[0] for change in changes} | set(first)) == len(changes) + 1
    assert easel.hashes(**asked) == first
    assert easel.hashes() == words
    assert Easel(easel.family, easel.folder).hashes(**asked) == first


def test_D4_tiles_of_a_large_picture_do_not_stay_for_the_next(
    easel: Easel, source: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    image, files = source
    kept_whole = replace(easel.painter.loaded, tile_from=SIDE * SIDE)
    painter = Painter(kept_whole, tmp_path / "spool", {})
    (tmp_path / "spool").mkdir()

    def digest(**request: Any) -> str:
        answer = painter.paint(easel.work(**request), threading.Event(), lambda _: None)
        assert isinstance(answer, Produced), answer
        return answer.pictures[0].sha256

    before = [digest(source=image, files=files, strength=strength, steps=4) for strength in (0.0, 0.5)]
    digest(width=4 * SIDE, height=4 * SIDE, steps=1)
    assert [digest(source=image, files=files, strength=strength, steps=4) for strength in (0.0, 0.5)] == before


def test_cancel_means_the_next_step_does_not_run(easel: Easel, source: tuple[str, dict[str, str]]) -> None:
    image, files = source
    words = easel.hashes()
    calls: list[int] = []
    denoiser = getattr(easel.pipe, models.FAMILIES[easel.family].denoiser)
    hook = denoiser.register_forward_hook(lambda *_: calls.append(1))
    stop = threading.Event()

    def tell(fact: Fact) -> None:
        if isinstance(fact, Step) and fact.n == 2:
            stop.set()

    work = easel.work(source=image, files=files, steps=8, strength=0.5, guidance=1.0)
    assert easel.paint(work, tell=tell, cancelled=stop) == Cancelled(work.key, 2)
    assert len(calls) == 2
    hook.remove()
    assert easel.hashes() == words


def test_a_picture_of_another_shape_is_cut_not_squeezed(easel: Easel, tmp_path: Path) -> None:
    wide = Image.new("RGB", (4 * SIDE, SIDE), "red")
    wide.paste(noise(SIDE, SIDE), (3 * SIDE // 2, 0))
    image, files = kept(tmp_path / "sources", wide)
    middle, middles = kept(tmp_path / "sources", noise(SIDE, SIDE))
    asked = {"strength": 0.5, "steps": 4}
    assert easel.hashes(source=image, files=files, **asked) == easel.hashes(source=middle, files=middles, **asked)


def test_a_picture_that_is_not_there_or_damaged_is_a_bad_request(easel: Easel, tmp_path: Path) -> None:
    image, files = kept(tmp_path / "sources", noise(SIDE, SIDE))
    Path(files[image]).write_bytes(Path(files[image]).read_bytes()[:-20])
    for given in ({}, {image: str(tmp_path / "gone.png")}, files):
        answer = easel.paint(source=image, files=given)
        assert isinstance(answer, Failed)
        assert (answer.kind, answer.engine_ok) == ("bad_request", True)


@pytest.mark.parametrize(
    ("size", "preset", "expected"),
    [
        ((128, 128), "mini", (128, 128)),
        ((4000, 3000), "mini", (144, 112)),
        ((3000, 4000), "flux-dev", (880, 1184)),
        ((64, 64), "flux-dev", (256, 256)),
        ((8000, 400), "flux-dev", (2048, 256)),
        ((513, 512), "sd15", (512, 512)),
    ],
)
def test_the_shape_of_the_source_is_kept_in_sizes_that_the_model_takes(
    size: tuple[int, int], preset: str, expected: tuple[int, int]
) -> None:
    found = models.shape(size, models.PRESETS[preset])
    assert found == expected
    asked = Generate(prompt="x", source="ab" * 32, width=found[0], height=found[1])
    resolved, _ = models.resolve(asked, models.PRESETS[preset])
    assert resolved.strength == models.STRENGTH
    assert models.resolve(resolved, models.PRESETS[preset]) == (resolved, ())


def test_a_strength_without_a_picture_is_refused() -> None:
    with pytest.raises(Invalid, match="needs a source"):
        models.resolve(Generate(prompt="x", strength=0.5), models.PRESETS["mini"])


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Painter:
    loading.quiet()
    return Painter(loading.load({"name": "mini"}, {}), tmp_path_factory.mktemp("spool"), {})


@pytest.fixture(scope="module")
def apple(mini: Painter) -> tuple[str, dict[str, str], Pixels]:
    answer = paint(mini, prompt="a red apple on a blue background", steps=8)
    path = answer.pictures[0].path
    return answer.pictures[0].sha256, {answer.pictures[0].sha256: path}, pixels(answer)


class TestMini:
    """What the pictures show."""

    def test_strength_0_keeps_the_picture(self, mini: Painter, apple: tuple[str, dict[str, str], Pixels]) -> None:
        image, files, before = apple
        found = pixels(paint(mini, files, prompt="a green frog", source=image, strength=0.0))
        assert np.abs(found - before).mean() < 12

    @pytest.mark.parametrize("scheduler", models.FLOW)
    def test_a_high_strength_follows_the_prompt(
        self, mini: Painter, apple: tuple[str, dict[str, str], Pixels], scheduler: str
    ) -> None:
        image, files, _ = apple
        asked = {"source": image, "strength": 0.9, "steps": 8, "scheduler": scheduler}
        red, green, blue = border(pixels(paint(mini, files, prompt="a red apple on a yellow background", **asked)))
        assert min(red, green) > 150
        assert blue < 130

    def test_a_subtle_variation_is_nearer_to_its_picture_than_a_strong_one(
        self, mini: Painter, apple: tuple[str, dict[str, str], Pixels]
    ) -> None:
        image, files, before = apple

        def away(strength: float) -> float:
            asked = {"prompt": "an apple", "source": image, "strength": strength, "steps": 8}
            return float(np.mean([np.abs(pixels(paint(mini, files, **asked, seed=n)) - before).mean() for n in (1, 2)]))

        subtle, strong = away(0.35), away(0.9)
        assert subtle < 20
        assert 1.5 * subtle < strong

    def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
        self, mini: Painter, apple: tuple[str, dict[str, str], Pixels]
    ) -> None:
        image, files, _ = apple
        asked = {"prompt": "an apple", "source": image, "strength": 0.5, "steps": 6}
        first, again, other = (paint(mini, files, **asked, seed=seed).pictures[0].sha256 for seed in (1, 1, 2))
        assert first == again != other

    def test_two_styles_go_with_a_picture(self, mini: Painter, apple: tuple[str, dict[str, str], Pixels]) -> None:
        image, files, _ = apple
        folder = models.bundled().with_name("styles")
        styles = {
            name: {
                "path": str(folder / f"{name}.safetensors"),
                "sha256": hashlib.sha256((folder / f"{name}.safetensors").read_bytes()).hexdigest(),
            }
            for name in ("realism", "ink")
        }
        asked = {"prompt": "a red apple on a blue background", "source": image, "strength": 0.6, "steps": 6}
        plain = pixels(paint(mini, files, **asked))
        uses = {name: (StyleUse(name),) for name in styles} | {"both": (StyleUse("realism", 0.5), StyleUse("ink", 0.5))}
        found = [pixels(paint(mini, files, styles, **asked, styles=use)) for use in uses.values()]
        for one in found:
            assert np.abs(one - plain).mean() > 3
        assert min(np.abs(found[2] - found[0]).mean(), np.abs(found[2] - found[1]).mean()) > 3
        assert np.array_equal(pixels(paint(mini, files, **asked)), plain)

    def test_cancel_works(self, mini: Painter, apple: tuple[str, dict[str, str], Pixels]) -> None:
        image, files, _ = apple
        stop = threading.Event()

        def tell(fact: Fact) -> None:
            if isinstance(fact, Step):
                stop.set()

        request, _ = models.resolve(
            Generate(prompt="an apple", source=image, strength=0.5, seed=1, width=128, height=128), mini.loaded.preset
        )
        work = Work(RunKey("stopped", 1), to_json(request), files=files)
        assert mini.paint(work, stop, tell) == Cancelled(work.key, 1)


@pytest.mark.slow
def test_the_higher_the_strength_the_further_from_the_source(tmp_path: Path) -> None:
    """Six pictures at three strengths of what `benchmarks/source.py` measures with sixty at six."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    import reference
    import source

    strengths = (0.15, 0.5, 0.9)
    found = source.measured(reference.Studio(tmp_path), 6, strengths)
    assert found.shape == (6, len(strengths), len(source.WAYS))
    for way, name in enumerate(source.WAYS):
        assert source.spearman(list(strengths), found[:, :, way].mean(0).tolist()) == pytest.approx(-1), name
    errors = found[:, :, source.WAYS.index("error")]
    assert [source.spearman(list(strengths), row) for row in errors.tolist()] == pytest.approx([-1] * 6)


def paint(
    mini: Painter, files: dict[str, str] | None = None, looks: dict[str, dict[str, str]] | None = None, /, **asked: Any
) -> Produced:
    request, _ = models.resolve(Generate(**{"seed": 1} | asked), mini.loaded.preset)
    name = hashlib.sha256(repr(sorted(asked.items(), key=str)).encode()).hexdigest()[:16]
    work = replace(Work(RunKey(name, 1), to_json(request)), files=files or {}, styles=looks or {})
    answer = mini.paint(work, threading.Event(), lambda _: None)
    assert isinstance(answer, Produced), answer
    return answer


def pixels(answer: Produced) -> Pixels:
    with Image.open(answer.pictures[0].path) as image:
        return np.asarray(image.convert("RGB")).astype(float)


def border(found: Pixels) -> Pixels:
    """The mean colour of the uppermost rows."""
    return np.asarray(found[:6].reshape(-1, 3).mean(0))
