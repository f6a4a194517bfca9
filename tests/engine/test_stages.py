"""The painter on tiny models of every family, beside diffusers' own pipelines where they can tell."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine import tiny
from engine.canvas import SIDE, Easel
from engine.lorafiles import write_lora
from realbot.engine import Cancelled, Fact, Failed, Produced, RunKey, Started, Step, Work, models, painter
from realbot.jobs import StyleUse, Train, to_json


@pytest.fixture(scope="module", params=list(tiny.FAMILIES))
def easel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Easel:
    return Easel(request.param, tiny.saved(request.param, tmp_path_factory.mktemp(request.param)))


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Easel:
    return Easel("flux", tiny.saved("flux", tmp_path_factory.mktemp("flux")))


@pytest.fixture
def forwards(flux: Easel) -> Iterator[list[int]]:
    """One entry for each pass through the transformer."""
    calls: list[int] = []
    hook = flux.pipe.transformer.register_forward_hook(lambda *_: calls.append(1))
    yield calls
    hook.remove()


def test_paints_what_the_bare_pipeline_paints(easel: Easel) -> None:
    """Three stages with cached embeds give the very pixels of one call of the pipeline."""
    import diffusers

    family = models.FAMILIES[easel.painter.loaded.preset.family]
    bare = getattr(diffusers, family.pipeline).from_pretrained(easel.folder)
    bare.set_progress_bar_config(disable=True)
    flow = family.name in ("flux", "sd3")
    if not flow:
        bare.scheduler = diffusers.EulerDiscreteScheduler.from_config(bare.scheduler.config)
    extra: dict[str, Any] = {"true_cfg_scale": 2.5} if family.name == "flux" else {}
    if flow:
        extra["max_sequence_length"] = easel.painter.loaded.preset.max_tokens
    expected = bare(
        "a red cat",
        negative_prompt="dog",
        width=SIDE,
        height=SIDE,
        num_inference_steps=3,
        guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5),
        **extra,
    ).images[0]
    asked = {"true_cfg": 2.5} if family.name == "flux" else {}
    found = easel.pixels(prompt="a red cat", negative="dog", seed=5, guidance=4.0, scheduler="euler", **asked)
    assert np.array_equal(found, np.asarray(expected))


def test_every_scheduler_of_the_family_paints_its_own_picture(easel: Easel) -> None:
    names = models.FAMILIES[easel.family].schedulers
    found = {name: easel.hashes(scheduler=name, steps=4)[0] for name in names}
    assert len(set(found.values())) == len(names)
    assert easel.hashes(scheduler=names[0], steps=4) == [found[names[0]]]


def test_every_parameter_changes_the_picture(easel: Easel) -> None:
    cfg = {"true_cfg": 3.0, "negative": "dog"} if easel.family == "flux" else {"negative": "dog"}
    changes: list[dict[str, Any]] = [
        {},
        {"prompt": "a dog"},
        {"seed": 2},
        {"steps": 4},
        {"guidance": 6.0},
        cfg,
        {**cfg, "negative": "cow"},
        {"width": SIDE + 16},
        {"height": SIDE + 16},
    ]
    assert len({easel.hashes(**change)[0] for change in changes}) == len(changes)


def test_what_a_place_avoids_stands_before_what_a_person_does(easel: Easel) -> None:
    cfg = {"true_cfg": 3.0} if easel.family == "flux" else {"guidance": 4.0}
    both = easel.hashes(negative="dog", avoid="cow", **cfg)
    assert both == easel.hashes(negative="cow, dog", **cfg) != easel.hashes(negative="dog", **cfg)
    assert easel.hashes(avoid="cow", **cfg) == easel.hashes(negative="cow", **cfg)


def test_a_repeated_prompt_is_not_encoded_again(easel: Easel) -> None:
    easel.hashes(prompt="only once", negative="this too")
    misses = easel.painter.embeds.misses
    for change in ({"seed": 9}, {"steps": 2}, {"guidance": 6.0}, {"scheduler": "unipc"}):
        easel.hashes(prompt="only once", negative="this too", **change)
    assert easel.painter.embeds.misses == misses


def test_D4_the_same_request_gives_the_same_bytes_whatever_ran_before(easel: Easel) -> None:
    asked = {"prompt": "a green frog", "negative": "dog", "seed": 77}
    first = easel.hashes(**asked)
    easel.hashes(prompt="else", scheduler=models.FAMILIES[easel.family].schedulers[-1], seed=3, steps=2)
    assert easel.hashes(**asked) == first
    fresh = Easel(easel.family, easel.folder)
    assert fresh.painter.fingerprint == easel.painter.fingerprint
    assert fresh.hashes(**asked) == first


def test_picture_i_has_seed_plus_i_and_is_the_one_that_seed_gives(flux: Easel) -> None:
    answer = flux.paint(count=3, seed=2**32 - 2)
    assert isinstance(answer, Produced)
    assert [p.seed for p in answer.pictures] == [2**32 - 2, 2**32 - 1, 0]
    singles = [flux.hashes(seed=p.seed)[0] for p in answer.pictures]
    assert [p.sha256 for p in answer.pictures] == singles
    assert len(set(singles)) == 3


def test_told_in_order_with_steps_over_all_pictures(flux: Easel) -> None:
    answer = flux.paint(count=2, steps=4)
    assert isinstance(answer, Produced)
    assert isinstance(flux.facts[0], Started)
    steps = [fact for fact in flux.facts if isinstance(fact, Step)]
    assert [(step.n, step.of) for step in steps] == [(n, 8) for n in range(1, 9)]
    assert set(answer.stages) == {"switch", "encode", "denoise", "decode", "save"}
    assert sum(answer.stages.values()) <= answer.seconds < sum(answer.stages.values()) + 1


@pytest.mark.parametrize("at", [1, 2, 5])
def test_cancel_means_the_next_step_does_not_run(flux: Easel, forwards: list[int], at: int) -> None:
    before = flux.hashes(seed=4)
    forwards.clear()
    stop = threading.Event()

    def tell(fact: Fact) -> None:
        if isinstance(fact, Step) and fact.n == at:
            stop.set()

    work = flux.work(steps=3, count=2)
    answer = flux.paint(work, tell=tell, cancelled=stop)
    assert answer == Cancelled(work.key, at)
    assert len(forwards) == at
    assert not list(flux.spool.glob(f"{work.key}*"))
    assert flux.hashes(seed=4) == before


def test_a_run_that_is_cancelled_before_it_starts_computes_nothing(flux: Easel, forwards: list[int]) -> None:
    stop = threading.Event()
    stop.set()
    misses = flux.painter.embeds.misses
    answer = flux.paint(prompt="never seen", cancelled=stop)
    assert isinstance(answer, Cancelled)
    assert (len(forwards), flux.painter.embeds.misses) == (0, misses)


def test_true_cfg_doubles_a_step_and_guidance_does_not(flux: Easel, forwards: list[int]) -> None:
    flux.hashes(steps=3, guidance=7.0)
    assert len(forwards) == 3
    forwards.clear()
    flux.hashes(steps=3, negative="dog")
    assert len(forwards) == 6


def test_a_prompt_that_is_too_long_is_cut_and_says_what_is_lost(easel: Easel) -> None:
    most = easel.painter.loaded.preset.max_tokens
    words = " ".join(["cat"] * most)
    answer = easel.paint(prompt=f"a red {words} last words")
    assert isinstance(answer, Produced)
    [(kind, lost)] = answer.notes
    assert kind == "prompt_cut"
    assert lost.startswith("cat cat")
    assert lost.endswith("last words")
    kept = f"a red {words} last words".removesuffix(lost)
    whole = easel.paint(prompt=kept)
    assert isinstance(whole, Produced)
    assert whole.notes == ()


def test_an_empty_prompt_paints(easel: Easel) -> None:
    assert isinstance(easel.paint(prompt=""), Produced)


@pytest.mark.parametrize("parameters", ["", "a cat\nSteps: 3, Seed: 5, Size: 64x64", "Kätzchen 🐱 Seed: 55\nSeed: 5"])
def test_generation_parameters_are_written_into_the_png_only_when_given(flux: Easel, parameters: str) -> None:
    answer = flux.paint(replace(flux.work(seed=5, count=2), parameters=parameters))
    assert isinstance(answer, Produced)
    for seed, picture in enumerate(answer.pictures, 5):
        with Image.open(picture.path) as image:
            image.load()
            found = image.info.get("parameters", "")
        assert found == re.sub(r"Seed: 5\b", f"Seed: {seed}", parameters)
        data = Path(picture.path).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (picture.sha256, picture.size)


def test_previews_are_small_jpegs_that_are_gone_at_the_end(flux: Easel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painter, "_PREVIEW_PAUSE", 0.0)
    seen: list[tuple[str, tuple[int, int]]] = []

    def tell(fact: Fact) -> None:
        if isinstance(fact, Step) and fact.preview:
            with Image.open(fact.preview) as image:
                image.load()
                seen.append((str(image.format), image.size))
            assert Path(fact.preview).stat().st_size < 20_000

    flux.paint(tell=tell, width=64, height=128, steps=4)
    assert seen
    assert set(seen) == {("JPEG", (128, 256))}
    assert not [path for path in flux.spool.iterdir() if path.suffix != ".png"]
    quiet = flux.work()
    flux.paint(replace(quiet, preview=False))
    assert not [fact for fact in flux.facts if isinstance(fact, Step) and fact.preview]


def test_previews_can_be_turned_off_and_change_no_bytes(flux: Easel) -> None:
    plain = Easel("flux", flux.folder, previews=False)
    assert plain.hashes() == flux.hashes()
    assert not [fact for fact in plain.facts if isinstance(fact, Step) and fact.preview]


def test_a_picture_of_nan_is_a_failure(flux: Easel) -> None:
    before = flux.hashes()
    with torch.no_grad():
        bias = flux.pipe.vae.decoder.conv_out.bias
        kept = bias.clone()
        bias.fill_(float("nan"))
        answer = flux.paint()
        bias.copy_(kept)
    assert isinstance(answer, Failed)
    assert (answer.kind, answer.engine_ok) == ("engine", True)
    assert "NaN" in answer.detail
    assert flux.hashes() == before


def test_an_all_black_picture_is_a_failure(flux: Easel) -> None:
    with torch.no_grad():
        bias = flux.pipe.vae.decoder.conv_out.bias
        kept = bias.clone()
        bias.fill_(-100.0)
        answer = flux.paint()
        bias.copy_(kept)
    assert isinstance(answer, Failed)
    assert answer.kind == "engine"
    assert "black" in answer.detail


def test_a_run_that_takes_longer_than_its_budget_ends(flux: Easel) -> None:
    answer = flux.paint(replace(flux.work(), budget=0.0))
    assert isinstance(answer, Failed)
    assert (answer.kind, answer.engine_ok) == ("deadline", True)


@pytest.mark.parametrize(
    ("error", "kind", "sound"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "out_of_memory", True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory", True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "engine", False),
        (RuntimeError("shapes cannot be multiplied"), "engine", True),
    ],
)
def test_what_goes_wrong_inside_has_a_kind(flux: Easel, error: Exception, kind: str, sound: bool) -> None:
    def raises(*_: Any) -> None:
        raise error

    hook = flux.pipe.transformer.register_forward_pre_hook(raises)
    answer = flux.paint()
    hook.remove()
    assert isinstance(answer, Failed)
    assert (answer.kind, answer.engine_ok) == (kind, sound)
    assert answer.detail.endswith(".")
    assert isinstance(flux.paint(), Produced)


def test_what_the_engine_does_not_know_is_a_bad_request(flux: Easel) -> None:
    works = [
        flux.work(seed=None),
        flux.work(source="ab" * 32),
        flux.work(width=65),
        Work(RunKey("train", 1), to_json(Train(style="s", trigger="t", images=()))),
        Work(RunKey("other", 1), {"verb": "generate", "prompt": "x", "wings": 2}),
        Work(RunKey("verb", 1), {"verb": "sing"}),
    ]
    for work in works:
        answer = flux.paint(work)
        assert isinstance(answer, Failed)
        assert answer.kind == "bad_request", answer


class TestStyles:
    @pytest.fixture
    def style(self, flux: Easel, tmp_path: Path) -> dict[str, dict[str, str]]:
        path = tmp_path / "ink.safetensors"
        digest = write_lora(path, {"transformer": flux.pipe.transformer}, strength=2.0)
        return {"ink": {"path": str(path), "sha256": digest}}

    def test_a_style_changes_the_picture_by_its_weight_and_leaves_no_trace(
        self, flux: Easel, style: dict[str, dict[str, str]]
    ) -> None:
        def styled(weight: float) -> str:
            answer = flux.paint(replace(flux.work(styles=(StyleUse("ink", weight),)), styles=style))
            assert isinstance(answer, Produced), answer
            return answer.pictures[0].sha256

        plain = flux.hashes()[0]
        full, half = styled(1.0), styled(0.5)
        assert len({plain, full, half}) == 3
        assert flux.hashes() == [plain]
        assert styled(1.0) == full

    def test_a_style_that_is_not_there_is_told_by_name(self, flux: Easel) -> None:
        answer = flux.paint(flux.work(styles=(StyleUse("gone"),)))
        assert isinstance(answer, Failed)
        assert answer.kind == "style"
        assert "gone" in answer.detail

    def test_text_encoders_with_a_style_have_their_own_embeds(self, tmp_path: Path) -> None:
        easel = Easel("sd15", tiny.saved("sd15", tmp_path / "model"))
        path = tmp_path / "text.safetensors"
        parts = {"text_encoder": easel.pipe.text_encoder, "unet": easel.pipe.unet}
        digest = write_lora(path, parts, layers=("q_proj", "v_proj", "to_q"), strength=2.0)
        work = replace(easel.work(styles=(StyleUse("text"),)), styles={"text": {"path": str(path), "sha256": digest}})
        plain = easel.hashes()
        misses = easel.painter.embeds.misses
        styled = easel.paint(work)
        assert isinstance(styled, Produced), styled
        assert easel.painter.embeds.misses > misses
        assert [styled.pictures[0].sha256] != plain
        assert easel.hashes() == plain
