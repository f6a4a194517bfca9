"""`realbot doctor` and what paints: the model's files, the styles, the device's memory, an engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from doctors import expect, settings, told
from pools import InProcessPool, lora
from realbot.config import Settings
from realbot.doctor import model, named
from realbot.styles import Styles

GPU = {"name": "NVIDIA H100", "free": 70 << 30, "total": 80 << 30}


@pytest.fixture
def flux(tmp_path):
    """A copy of the bundled model."""
    return Path(shutil.copytree(model.preset("mini").source, tmp_path / "flux"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
MODEL = {
    "cut": (lambda root: cut(root / WEIGHTS), "cut short", "get it again"),
    "pointer": (lambda root: (root / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\n"),
                "git-lfs placeholder", "git lfs pull"),
    "part": (lambda root: shutil.rmtree(root / "vae"), "vae of the model is missing", "et the model again"),
    "index": (lambda root: (root / "model_index.json").write_text("{"), "missing or broken", "diffusers layout"),
    "shards": (lambda root: (root / "transformer" / "x.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model-00002.safetensors"}}'), "model-00002", "et the model again"),
    "hash": (lambda root: (root / "SHA256SUMS").write_text(f"{'0' * 64}  {WEIGHTS}\n"), "bytes that it should",
             "again"),
}  # fmt: skip


@pytest.mark.parametrize("fault", MODEL)
def test_a_model_that_is_not_whole(tmp_path, flux, fault):
    harm, said, remedy = MODEL[fault]
    harm(flux)
    found, _ = model.model(settings(tmp_path, model={"name": "own", "path": str(flux)}), whole=False)
    expect(found, "model", "wrong", said, remedy)


def test_a_whole_model_and_its_hashes(tmp_path, flux):
    sums = subprocess.run(["sha256sum", WEIGHTS], cwd=flux, capture_output=True, text=True, check=True).stdout
    (flux / "SHA256SUMS").write_text(sums)
    found, size = model.model(settings(tmp_path, model={"name": "own", "path": str(flux)}), whole=False)
    expect(found, "model", "good", "1 files have the hash", "")
    assert size > 1 << 20


@pytest.mark.parametrize(
    ("section", "said", "remedy"),
    [
        ({"name": "flux-devv"}, "did you mean flux-dev", "et model.path"),
        ({"name": "own", "path": "/nowhere/model"}, "no model", "Set model.path"),
        ({"name": "flux-dev"}, "not on this machine", "download"),
    ],
)
def test_a_model_that_is_not_there(tmp_path, monkeypatch, section, said, remedy):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def absent(*_, **__):
        raise LocalEntryNotFoundError("absent")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", absent)
    found, _ = model.model(settings(tmp_path, model=section), whole=False)
    finding = told(found, "model")
    assert (finding.verdict, said in finding.said) == ("wrong", True), finding
    assert remedy in finding.remedy, finding


def test_memory_of_the_device(tmp_path):
    weights = 34 << 30
    small = {**GPU, "total": 24 << 30, "free": 20 << 30}
    expect(model.memory(settings(tmp_path), weights, {"devices": [GPU]}), "GPU", "good", "NVIDIA H100", "")
    expect(model.memory(settings(tmp_path), weights, {"devices": [small]}), "GPU", "unwise", "takes about 34", "nf4")
    smaller = settings(tmp_path, engine={"quantize": "nf4"})
    expect(model.memory(smaller, weights, {"devices": [small]}), "GPU", "good", "", "")


def test_styles_that_are_broken(tmp_path):
    lora(tmp_path / "ink.safetensors")
    (tmp_path / "oil.safetensors").write_bytes(b"not a style")
    (tmp_path / "old.pt").write_bytes(b"")
    found = [*model.styles(Styles([tmp_path]))]
    assert {one.said.split()[0] for one in found if one.verdict == "unwise"} == {"oil.safetensors", "old.pt"}
    assert re.search("1 can be used: ink [0-9a-f]{8}", told(found, "styles").said)


async def test_an_engine_that_paints(tmp_path):
    made = []

    def pool(spool):
        made.append(InProcessPool(spool, fingerprint="f" * 64))
        return made[-1]

    finding = await model.engine(pool, settings(tmp_path), "e" * 64)
    assert (finding.verdict, "painted anew" in finding.said) == ("good", True), finding


@pytest.mark.slow
async def test_an_engine_that_cannot_start(tmp_path):
    from realbot import app

    lost = Settings(paths={"data": tmp_path}, model={"name": "own", "path": str(tmp_path)})
    (tmp_path / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    finding = await model.engine(lambda spool: app.pool(lost, spool), lost, "")
    assert (finding.verdict, "cannot be loaded" in finding.said) == ("wrong", True), finding


def test_files_that_settings_name_and_that_are_not_there(tmp_path):
    (tmp_path / "file").touch()
    chosen = settings(
        tmp_path,
        upscale={"model": tmp_path / "4x.safetensors"},
        reference={"model": tmp_path / "redux"},
        backup={"folder": tmp_path / "copies"},
        log={"file": tmp_path / "realbot.log"},
    )
    found = [*named.files(chosen)]
    expect(found, "upscale.model", "wrong", "4x.safetensors", "leave upscale.model out")
    expect(found, "reference.model", "wrong", "redux", "Put the file there")
    assert [*named.files(settings(tmp_path))] == []


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(named.os, "access", lambda path, _: Path(path) != tmp_path)
    chosen = settings(tmp_path, backup={"folder": tmp_path / "a" / "b"}, log={"file": tmp_path / "realbot.log"})
    found = [*named.files(chosen)]
    expect(found, "backup.folder", "wrong", "cannot be written", "user that runs realbot")
    expect(found, "log.file", "wrong", "cannot be written", "log.file")


async def test_a_checker_of_pictures_that_cannot_be_loaded(tmp_path):
    assert await named.checker(settings(tmp_path)) == []
    found = await named.checker(settings(tmp_path, safety={"checker": str(tmp_path)}))
    assert (found[0].verdict, bool(found[0].remedy)) == ("wrong", True), found
