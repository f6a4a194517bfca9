"""Editing by instruction: a tiny FLUX Kontext beside diffusers' own pipelines."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from engine import tiny
from engine.canvas import SIDE, Easel
from engine.lorafiles import write_lora
from realbot.engine import Cancelled, Fact, Failed, Produced, Step, Work, loading, models, schedulers
from realbot.errors import ConfigError, Invalid
from realbot.jobs import Generate, StyleUse, to_json

KONTEXT = models.PRESETS["flux-kontext"]


@pytest.fixture(scope="module")
def easel(tmp_path_factory: pytest.TempPathFactory) -> Easel:
    folder = tmp_path_factory.mktemp("kontext")
    return Easel("kontext", tiny.saved("flux", folder, pipeline="FluxKontextPipeline"))


@pytest.fixture
def asked(tmp_path: Path) -> dict[str, Any]:
    """A source that is wider than high, to be painted small."""
    return {**kept(tmp_path, drawn((120, 80))), "width": 96, "height": SIDE, "steps": 2}


def drawn(size: tuple[int, int], colour: str = "red") -> Image.Image:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).ellipse((10, 10, size[0] // 2, size[1] - 10), colour)
    return picture


def kept(folder: Path, picture: Image.Image, field: str = "source") -> dict[str, Any]:
    path = folder / f"{field}.png"
    picture.save(path)
    image = hashlib.sha256(path.read_bytes()).hexdigest()
    return {field: image, "files": {image: str(path)}}


def bare(easel: Easel, name: str = "FluxKontextPipeline") -> Any:
    import diffusers

    pipeline = getattr(diffusers, name).from_pretrained(easel.folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def opened(asked: dict[str, Any], field: str = "source") -> Image.Image:
    return Image.open(asked["files"][asked[field]])


def test_a_folder_that_names_the_pipeline_is_known_by_it(easel: Easel) -> None:
    named = models.preset("my-own", easel.folder)
    assert (named.family, named.edits, named.pipeline, named.guidance) == ("flux", True, "FluxKontextPipeline", 2.5)
    assert type(loading.load({"name": "my-own", "path": str(easel.folder)}, {}).pipeline).__name__ == named.pipeline
    assert not models.preset("mini").edits


def test_a_model_that_edits_and_one_that_does_not_are_not_taken_for_each_other(easel: Easel, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"set model\.name to 'flux-kontext'"):
        models.preset("flux-dev", easel.folder)
    with pytest.raises(ConfigError, match=r"set model\.name to 'flux-dev'"):
        models.preset("flux-kontext", tiny.saved("flux", tmp_path / "dev"))


@pytest.mark.parametrize("scheduler", models.FLOW)
def test_an_instruction_paints_what_the_bare_pipeline_paints(
    easel: Easel, asked: dict[str, Any], scheduler: str
) -> None:
    plain = bare(easel)
    if scheduler != "euler":
        plain.scheduler = schedulers.make(scheduler, "flux", dict(plain.scheduler.config))
    expected = plain(
        opened(asked),
        "make the apple green",
        negative_prompt="blur",
        true_cfg_scale=2.0,
        width=96,
        height=SIDE,
        max_area=96 * SIDE,
        num_inference_steps=2,
        guidance_scale=2.5,
        generator=torch.Generator("cpu").manual_seed(4),
    ).images[0]
    words = {"prompt": "make the apple green", "negative": "blur", "true_cfg": 2.0, "seed": 4}
    assert np.array_equal(easel.pixels(**words, **asked, scheduler=scheduler), np.asarray(expected))


def test_with_nothing_said_it_is_the_call_that_diffusers_shows(easel: Easel, tmp_path: Path) -> None:
    """The source's shape, in a size that the model was trained on, at a guidance of 2.5."""
    asked = kept(tmp_path, drawn((300, 200)))
    width, height = models.shape((300, 200), KONTEXT)
    assert (width, height) == (1248, 832)
    plain = bare(easel)(
        image=opened(asked),
        prompt="make the apple green",
        width=width,
        height=height,
        guidance_scale=2.5,
        num_inference_steps=1,
        generator=torch.Generator().manual_seed(42),
    ).images[0]
    found = easel.pixels(prompt="make the apple green", seed=42, steps=1, **asked, width=width, height=height)
    assert np.array_equal(found, np.asarray(plain))


def test_without_a_source_it_paints_from_words(easel: Easel) -> None:
    expected = bare(easel)(
        prompt="a cat",
        width=SIDE,
        height=SIDE,
        max_area=SIDE * SIDE,
        num_inference_steps=3,
        guidance_scale=2.5,
        generator=torch.Generator("cpu").manual_seed(1),
    ).images[0]
    assert np.array_equal(easel.pixels(), np.asarray(expected))


def test_the_source_is_seen_and_not_only_the_words(easel: Easel, asked: dict[str, Any], tmp_path: Path) -> None:
    other = {**asked, **kept(tmp_path / "..", drawn((120, 80), "blue"))}
    seen = [easel.hashes(**asked), easel.hashes(**other), easel.hashes(width=96, height=SIDE, steps=2)]
    seen += [easel.hashes(prompt="make it blue", **asked), easel.hashes(seed=2, **asked)]
    assert len({one for (one,) in seen}) == 5


def test_a_mask_bounds_what_the_instruction_changes(easel: Easel, tmp_path: Path) -> None:
    asked = kept(tmp_path, drawn((96, SIDE)))
    mask = Image.new("L", (96, SIDE), 0)
    mask.paste(255, (48, 0, 96, SIDE))
    masked = kept(tmp_path, mask, "mask")
    latents = bare(easel, "FluxKontextInpaintPipeline")(
        opened(asked),
        None,
        mask,
        "make the apple green",
        strength=1.0,
        width=96,
        height=SIDE,
        max_area=96 * SIDE,
        _auto_resize=False,
        num_inference_steps=3,
        guidance_scale=2.5,
        generator=torch.Generator("cpu").manual_seed(1),
    ).images[0]
    found = easel.pixels(
        prompt="make the apple green",
        source=asked["source"],
        mask=masked["mask"],
        files=asked["files"] | masked["files"],
        width=96,
        height=SIDE,
    )
    assert np.array_equal(found[:, :48], np.asarray(opened(asked))[:, :48])
    # Nearer to the edge its tones are the picture's.
    assert np.array_equal(found[:, 70:], np.asarray(latents)[:, 70:])


def test_D4_the_same_instruction_gives_the_same_bytes_whatever_ran_before(easel: Easel, asked: dict[str, Any]) -> None:
    words, first = easel.hashes(), easel.hashes(**asked)
    easel.hashes(**asked, seed=9, scheduler="unipc", prompt="else")
    assert easel.hashes(**asked) == first
    assert easel.hashes() == words
    assert Easel("kontext", easel.folder).hashes(**asked) == first


def test_several_pictures_have_the_seeds_that_follow_and_all_steps_count(easel: Easel, asked: dict[str, Any]) -> None:
    both = easel.hashes(**asked, count=2)
    assert [(fact.n, fact.of) for fact in easel.facts if isinstance(fact, Step)] == [(n, 4) for n in range(1, 5)]
    assert both == [*easel.hashes(**asked), *easel.hashes(**asked, seed=2)]


def test_previews_have_the_shape_of_the_picture(
    easel: Easel, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realbot.engine.painter._PREVIEW_PAUSE", 0.0)
    sizes: list[tuple[int, int]] = []

    def tell(fact: Fact) -> None:
        if isinstance(fact, Step) and fact.preview:
            with Image.open(fact.preview) as picture:
                sizes.append(picture.size)

    work = easel.work(**asked)
    answer = easel.paint(Work(work.key, work.request, files=work.files, preview=True), tell=tell)
    assert isinstance(answer, Produced), answer
    assert sizes == [(256, 171)]


def test_cancel_means_the_next_step_does_not_run(easel: Easel, asked: dict[str, Any]) -> None:
    before = easel.hashes(**asked)
    stop = threading.Event()

    def tell(fact: Fact) -> None:
        if isinstance(fact, Step) and fact.n == 2:
            stop.set()

    work = easel.work(**asked | {"steps": 8})
    assert easel.paint(work, tell=tell, cancelled=stop) == Cancelled(work.key, 2)
    assert easel.hashes(**asked) == before


def test_a_style_changes_an_edited_picture_and_leaves_no_trace(
    easel: Easel, asked: dict[str, Any], tmp_path: Path
) -> None:
    before = easel.hashes(**asked)
    path = tmp_path / "ink.safetensors"
    digest = write_lora(path, {"transformer": easel.pipe.transformer}, strength=0.5)
    work = easel.work(styles=(StyleUse("ink"),), **asked)
    styled = Work(work.key, work.request, {"ink": {"path": str(path), "sha256": digest}}, files=work.files)
    answer = easel.paint(styled)
    assert isinstance(answer, Produced), answer
    assert answer.pictures[0].sha256 not in before
    assert easel.hashes(**asked) == before


@pytest.mark.parametrize(
    ("more", "says"),
    [({"strength": 0.5}, "takes no strength"), ({"reference": "cd" * 32}, "one picture only")],
)
def test_what_does_not_go_with_an_instruction_is_refused(
    easel: Easel, asked: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        models.resolve(Generate(prompt="make it green", source="ab" * 32, **more), KONTEXT)
    assert "\n" not in str(caught.value)
    answer = easel.paint(**asked, **more)
    assert isinstance(answer, Failed)
    assert (answer.kind, answer.engine_ok) == ("bad_request", True)


def test_a_resolved_instruction_has_no_strength_and_resolves_to_itself() -> None:
    for mask in (None, "cd" * 32):
        resolved, notes = models.resolve(Generate(prompt="make it green", source="ab" * 32, mask=mask), KONTEXT)
        assert (resolved.strength, resolved.guidance, resolved.steps, notes) == (None, 2.5, 28, ())
        assert models.denoised(resolved) == 28
        assert models.resolve(resolved, KONTEXT) == (resolved, ())


def test_every_shape_comes_to_the_size_that_the_pipeline_would_choose() -> None:
    from diffusers.pipelines.flux.pipeline_flux_kontext import PREFERRED_KONTEXT_RESOLUTIONS as SIZES

    for width in range(200, 3000, 57):
        aspect = width / 700
        _, *expected = min((abs(aspect - w / h), w, h) for w, h in SIZES)
        assert models.shape((width, 700), KONTEXT) == tuple(expected)


def test_a_look_can_still_be_taken_without_a_source(easel: Easel, tmp_path: Path) -> None:
    reference = kept(tmp_path, drawn((SIDE, SIDE)), "reference")
    assert easel.hashes(**reference) != easel.hashes()
    request, _ = models.resolve(Generate(prompt="a cat", reference=reference["reference"]), KONTEXT)
    assert request.reference_weight == models.REFERENCE_WEIGHT
    assert to_json(request)["reference"] == reference["reference"]


def test_the_next_picture_does_not_depend_on_the_size_of_the_one_before(easel: Easel, asked: dict[str, Any]) -> None:
    before = easel.hashes(**asked)
    assert isinstance(easel.paint(width=4 * SIDE, height=2 * SIDE, steps=1), Produced)
    assert easel.hashes(**asked) == before
