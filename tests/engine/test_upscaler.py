"""Enlarging: a model file through spandrel, the networks of pyanime4k, plain resampling; and the engine around them."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine import tiny
from engine.canvas import Easel
from realbot.engine import Cancelled, Fact, Failed, Produced, RunKey, Started, Step, Work, upscaler
from realbot.engine.upscaler import Anime4K, Lanczos, Model
from realbot.errors import ConfigError, EngineError
from realbot.jobs import Upscale, to_json

CPU = torch.device("cpu")
needs_spandrel = pytest.mark.skipif(
    importlib.util.find_spec("spandrel") is None, reason="spandrel is not installed (pip install --no-deps spandrel)"
)
needs_pyanime4k = pytest.mark.skipif(
    importlib.util.find_spec("pyanime4k") is None, reason="pyanime4k is not installed (the extra upscale)"
)


def network(path: Path, scale: int = 2, features: int = 16, seed: int = 0) -> Path:
    """A small network of the Real-ESRGAN "compact" layout with random weights."""
    torch.manual_seed(seed)
    weights: dict[str, torch.Tensor] = {}
    sizes = [3, features, features, features, 3 * scale * scale]
    for n, (before, after) in enumerate(itertools.pairwise(sizes)):
        weights[f"body.{2 * n}.weight"] = torch.randn(after, before, 3, 3) * 0.1
        weights[f"body.{2 * n}.bias"] = torch.zeros(after)
        if after == features:
            weights[f"body.{2 * n + 1}.weight"] = torch.full((features,), 0.25)
    save_file(weights, path)
    return path


def photo(width: int, height: int) -> Image.Image:
    small = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def nothing(_n: int, _of: int) -> None:
    pass


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize(
    "kind",
    [
        "lanczos",
        pytest.param("anime4k", marks=needs_pyanime4k),
        pytest.param("x2", marks=needs_spandrel),
        pytest.param("x4", marks=needs_spandrel),
    ],
)
def test_a_picture_becomes_exactly_so_much_larger_and_the_same_each_time(
    tmp_path: Path, kind: str, factor: int
) -> None:
    def make() -> upscaler.Upscaler:
        if kind in ("x2", "x4"):
            return Model(network(tmp_path / f"{kind}.safetensors", int(kind[1])), CPU)
        return Lanczos() if kind == "lanczos" else Anime4K()

    picture = photo(56, 40)
    one = make()
    large = one.enlarge(picture, factor, nothing)
    assert (large.mode, large.size) == ("RGB", (56 * factor, 40 * factor))
    assert one.enlarge(picture, factor, nothing).tobytes() == large.tobytes()
    again = make()
    assert again.enlarge(picture, factor, nothing).tobytes() == large.tobytes()
    assert again.identity == one.identity


@pytest.mark.parametrize("kind", ["lanczos", pytest.param("anime4k", marks=needs_pyanime4k)])
def test_what_is_enlarged_is_still_the_same_picture(kind: str) -> None:
    picture = photo(96, 64)
    large = (Lanczos() if kind == "lanczos" else Anime4K()).enlarge(picture, 2, nothing)
    small = large.resize(picture.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(small).astype(float) - np.asarray(picture)).mean() < 4


@needs_spandrel
class TestModel:
    def test_tiles_leave_no_seam(self, tmp_path: Path) -> None:
        model = Model(network(tmp_path / "2x-small.safetensors"), CPU)
        picture, parts = photo(200, 152), []
        large = model.enlarge(picture, 2, lambda n, of: parts.append((n, of)))
        assert parts == [(n, 6) for n in range(1, 7)]
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
        whole = (model._network(pixels)[0] * 255).round().permute(1, 2, 0).numpy()
        assert np.abs(np.asarray(large).astype(float) - whole).max() <= 1

    def test_its_name_is_that_of_its_file_and_its_bytes_are_its_identity(self, tmp_path: Path) -> None:
        first = Model(network(tmp_path / "4x-sharp.safetensors"), CPU)
        other = Model(network(tmp_path / "4x-other.safetensors", seed=1), CPU)
        assert first.name == "4x-sharp"
        assert first.identity != other.identity

    def test_stopping_between_tiles_stops(self, tmp_path: Path) -> None:
        class Stop(Exception):
            pass

        def on_part(n: int, _of: int) -> None:
            if n == 2:
                raise Stop

        model = Model(network(tmp_path / "a.safetensors"), CPU)
        with pytest.raises(Stop):
            model.enlarge(photo(400, 400), 2, on_part)

    def test_numbers_that_are_no_picture_are_an_error(self, tmp_path: Path) -> None:
        path = network(tmp_path / "a.safetensors")
        model = Model(path, CPU)
        with torch.no_grad():
            next(model._network.model.parameters()).fill_(float("nan"))
        with pytest.raises(EngineError, match="NaN"):
            model.enlarge(photo(64, 64), 2, nothing)

    def test_it_needs_no_torchvision_and_leaves_no_trace_of_one(self) -> None:
        upscaler._spandrel()
        assert not [name for name in sys.modules if name.partition(".")[0] == "torchvision"]

    @pytest.mark.parametrize("kind", ["missing", "pickle", "other", "nothing"])
    def test_a_file_that_cannot_be_used_is_named_with_the_reason(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / ("model.pth" if kind == "pickle" else "model.safetensors")
        if kind == "other":
            save_file({"lora_A": torch.zeros(2, 2)}, path)
        elif kind == "nothing":
            path.write_bytes(b"")
        with pytest.raises(ConfigError) as caught:
            upscaler.upscaler({"model": str(path)}, CPU)
        assert caught.value.key == "upscale.model"
        assert str(path) in str(caught.value)


def test_a_model_without_spandrel_is_a_config_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscaler.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="--no-deps spandrel"):
        upscaler.upscaler({"model": str(tmp_path / "a.safetensors")}, CPU)


def test_without_a_model_it_is_pyanime4k_if_installed_else_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscaler.importlib.util, "find_spec", lambda _name: None)
    assert isinstance(upscaler.upscaler({}, CPU), Lanczos)
    monkeypatch.undo()
    if importlib.util.find_spec("pyanime4k") is not None:
        assert isinstance(upscaler.upscaler({"model": None}, CPU), Anime4K)


class TestEngine:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def easel(cls, tmp_path_factory: pytest.TempPathFactory) -> Easel:
        return Easel("sd15", tiny.saved("sd15", tmp_path_factory.mktemp("model")))

    def work(self, folder: Path, job: str = "up", factor: int = 2, size: tuple[int, int] = (48, 32)) -> Work:
        path = folder / "small.png"
        photo(*size).save(path)
        image = hashlib.sha256(path.read_bytes()).hexdigest()
        return Work(RunKey(job, 1), to_json(Upscale(source=image, factor=factor)), files={image: str(path)})

    def run(self, easel: Easel, work: Work, tell: Any = None, stop: threading.Event | None = None) -> Fact:
        easel.facts = []
        return easel.painter.paint(work, stop or threading.Event(), tell or easel.facts.append)

    def test_the_engine_enlarges_and_says_how(self, easel: Easel, tmp_path: Path) -> None:
        answer = self.run(easel, self.work(tmp_path, factor=4))
        assert isinstance(answer, Produced), answer
        with Image.open(answer.pictures[0].path) as image:
            assert (image.format, image.size) == ("PNG", (192, 128))
        assert answer.notes == (("upscaled", easel.painter.upscaler.name),)
        assert [type(fact) for fact in easel.facts] == [Started, Step]
        assert set(answer.stages) == {"encode", "upscale", "save"}
        assert hashlib.sha256(Path(answer.pictures[0].path).read_bytes()).hexdigest() == answer.pictures[0].sha256

    def test_which_upscaler_it_is_belongs_to_the_fingerprint(self, easel: Easel, tmp_path: Path) -> None:
        from realbot.engine.painter import Painter

        if importlib.util.find_spec("spandrel") is None:
            pytest.skip("spandrel is not installed")
        path = network(tmp_path / "a.safetensors")
        other = Painter(easel.painter.loaded, tmp_path, {}, {"model": str(path)})
        assert other.fingerprint != easel.painter.fingerprint
        answer = other.paint(self.work(tmp_path, "model"), threading.Event(), lambda _: None)
        assert isinstance(answer, Produced)
        assert answer.notes == (("upscaled", "a"),)

    @needs_spandrel
    def test_cancel_means_the_next_tile_is_not_computed(self, easel: Easel, tmp_path: Path) -> None:
        from realbot.engine.painter import Painter

        path = network(tmp_path / "a.safetensors")
        other = Painter(easel.painter.loaded, tmp_path, {}, {"model": str(path)})
        stop = threading.Event()
        work = self.work(tmp_path, "stopped", size=(400, 400))
        assert other.paint(work, stop, lambda fact: isinstance(fact, Step) and stop.set()) == Cancelled(work.key, 1)
        assert not list(tmp_path.glob("stopped*"))

    def test_what_cannot_be_enlarged_is_a_bad_request(self, easel: Easel, tmp_path: Path) -> None:
        good = self.work(tmp_path)
        bad = [
            Work(RunKey("gone", 1), good.request),
            Work(RunKey("factor", 1), {**good.request, "factor": 3}, files=good.files),
            Work(
                RunKey("whose", 1),
                {**good.request, "source": "ab" * 32},
                files={"ab" * 32: next(iter(good.files.values()))},
            ),
        ]
        for work in bad:
            answer = self.run(easel, work)
            assert isinstance(answer, Failed)
            assert answer.kind == "bad_request"
