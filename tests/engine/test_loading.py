from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import tiny
from engine.test_stages import Easel
from realbot.engine import loading
from realbot.errors import ConfigError, ModelMissing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved("flux", tmp_path_factory.mktemp("flux") / "model")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def load(path: Path | str, name: str = "mini", engine: dict[str, Any] | None = None, **model: Any) -> loading.Loaded:
    return loading.load({"name": name, "path": str(path), **model}, engine or {})


def test_loads_a_folder_and_says_where_it_runs(folder: Path) -> None:
    loaded = load(folder)
    assert loaded.label == "cpu, float32"
    assert loaded.pipeline.transformer.dtype == torch.float32
    assert (loaded.memory, loaded.mergeable) == (0, "")
    assert load(folder, dtype="bfloat16").label == "cpu, bfloat16"


@pytest.mark.parametrize("offload", ["model", "sequential", "group"])
def test_offloading_needs_a_gpu_and_is_not_claimed_without_one(folder: Path, offload: str) -> None:
    assert load(folder, engine={"offload": offload}, device="cpu").label == "cpu, float32"


@pytest.mark.parametrize("part", ["model_index.json", "transformer/config.json", "vae"])
def test_a_folder_that_lacks_something_is_one_sentence_with_a_remedy(copy: Path, part: str) -> None:
    gone = copy / part
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(ModelMissing, match=r"set model\.path") as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_a_weight_file_that_is_cut_short_is_said(copy: Path) -> None:
    file = next((copy / "transformer").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        load(copy)


def test_pickled_weights_are_never_read(copy: Path) -> None:
    file = next((copy / "transformer").glob("*.safetensors"))
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()
    with pytest.raises(ModelMissing):
        load(copy)


def test_a_model_that_was_never_downloaded_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelMissing, match=r"hf download someone/their-flux") as caught:
        load("someone/their-flux", name="flux-dev")
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cuda:7") as caught:
        load(folder, device="cuda:7")
    assert caught.value.key == "model.device"


def test_schnell_is_not_taken_for_dev(tmp_path: Path) -> None:
    folder = tiny.saved("flux", tmp_path / "schnell", guidance=False, dynamic=False)
    with pytest.raises(ConfigError, match="flux-schnell"):
        load(folder, name="flux-dev")
    loading.load({"name": "flux-schnell", "path": str(folder)}, {})


def test_an_attention_backend_is_taken_or_refused_by_name(folder: Path) -> None:
    load(folder, engine={"attention": "native"})
    for name in ("nonsense", "flash"):
        with pytest.raises(ConfigError, match=name) as caught:
            load(folder, engine={"attention": name})
        assert caught.value.key == "engine.attention"


def test_bitsandbytes_is_asked_for_by_name(folder: Path) -> None:
    with pytest.raises(ConfigError, match="pip install bitsandbytes"):
        load(folder, engine={"quantize": "nf4"})


def test_eight_bit_floats_store_less_and_still_paint(folder: Path) -> None:
    plain, small = Easel("flux", folder), Easel("flux", folder, quantize="fp8")
    stored = {p.dtype for p in small.pipe.transformer.transformer_blocks.parameters()}
    assert torch.float8_e4m3fn in stored
    assert small.painter.loaded.label == "cpu, float32, quantized fp8"
    assert small.painter.fingerprint != plain.painter.fingerprint
    close = abs(small.pixels().astype(float) - plain.pixels().astype(float)).mean()
    assert 0 < close < 20
    assert "engine.quantize" in small.painter.loaded.mergeable


def test_tiles_decode_nearly_the_same_picture_under_another_fingerprint(folder: Path) -> None:
    whole, tiles = Easel("flux", folder, vae_tiling="off"), Easel("flux", folder, vae_tiling="on")
    assert whole.painter.fingerprint != tiles.painter.fingerprint
    asked = {"width": 192, "height": 128}
    one, other = whole.pixels(**asked).astype(float), tiles.pixels(**asked).astype(float)
    assert one.shape == other.shape == (128, 192, 3)
    assert 0 < abs(one - other).mean() < 25


def test_the_revision_follows_the_weights_and_nothing_else(copy: Path) -> None:
    first = load(copy).revision
    (copy / "README.md").write_text("words")
    (copy / "unused").mkdir()
    (copy / "unused" / "more.safetensors").write_bytes(b"x")
    assert load(copy).revision == first
    file = next((copy / "transformer").glob("*.safetensors"))
    tensors = load_file(file)
    tensors["proj_out.weight"].flatten()[0] += 1e-3
    save_file(tensors, file)
    assert load(copy).revision != first


def test_a_large_file_is_sampled_and_a_file_of_the_hub_goes_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_WHOLE", 1000)
    monkeypatch.setattr(loading, "_BLOCK", 10)
    monkeypatch.setattr(loading, "_BLOCKS", 20)
    file = tmp_path / "large.safetensors"
    data = bytes(range(256)) * 40
    file.write_bytes(data)
    first = loading.content(file)
    for place in (0, len(data) - 1):
        file.write_bytes(data[:place] + b"\xaa" + data[place + 1 :])
        assert loading.content(file) != first
    blob = tmp_path / ("ab" * 32)
    blob.write_bytes(data)
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    assert loading.content(link) == "ab" * 32


def test_a_single_file_holds_the_transformer_and_a_folder_the_rest(tmp_path: Path) -> None:
    """The layout in which large models are given away: one file, under the names of its own authors."""
    folder = tiny.saved("sd3", tmp_path / "model")
    file = tmp_path / "sd3.safetensors"
    save_file(original(load_file(next((folder / "transformer").glob("*.safetensors")))), file)
    loaded = load(file, name="own", base=str(folder))
    assert (loaded.preset.name, loaded.preset.family) == ("own", "sd3")
    whole = load(folder, name="own")
    expected, found = (one.pipeline.transformer.state_dict() for one in (whole, loaded))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert loaded.revision != whole.revision


def test_a_single_file_without_the_rest_says_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "sd3.safetensors"
    save_file({"joint_blocks.0.context_block.attn.qkv.weight": torch.zeros(1)}, file)
    with pytest.raises(ModelMissing, match=r"hf download stabilityai/stable-diffusion-3\.5-medium"):
        load(file, name="sd35")


def original(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """An SD 3 transformer of one block of diffusers under the names of the original release."""
    out = {"pos_embed": state.pop("pos_embed.pos_embed")}

    def move(new: str, *old: str, swap: bool = False) -> None:
        for kind in ("weight", "bias"):
            whole = torch.cat([state.pop(f"{name}.{kind}") for name in old])
            out[f"{new}.{kind}"] = torch.cat(whole.chunk(2)[::-1]) if swap else whole

    move("x_embedder.proj", "pos_embed.proj")
    move("context_embedder", "context_embedder")
    for new, old in (("t_embedder", "timestep"), ("y_embedder", "text")):
        move(f"{new}.mlp.0", f"time_text_embed.{old}_embedder.linear_1")
        move(f"{new}.mlp.2", f"time_text_embed.{old}_embedder.linear_2")
    image, text, block = "joint_blocks.0.x_block", "joint_blocks.0.context_block", "transformer_blocks.0"
    move(f"{image}.attn.qkv", *(f"{block}.attn.to_{x}" for x in "qkv"))
    move(f"{text}.attn.qkv", *(f"{block}.attn.add_{x}_proj" for x in "qkv"))
    move(f"{image}.attn.proj", f"{block}.attn.to_out.0")
    move(f"{image}.adaLN_modulation.1", f"{block}.norm1.linear")
    move(f"{text}.adaLN_modulation.1", f"{block}.norm1_context.linear", swap=True)
    move(f"{image}.mlp.fc1", f"{block}.ff.net.0.proj")
    move(f"{image}.mlp.fc2", f"{block}.ff.net.2")
    move("final_layer.linear", "proj_out")
    move("final_layer.adaLN_modulation.1", "norm_out.linear", swap=True)
    assert not state, sorted(state)
    return out
