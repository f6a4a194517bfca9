"""IP-Adapter and Redux with random weights, built here and read as the operator's are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine import tiny
from engine.canvas import SIDE, Easel
from realbot.engine import loading
from realbot.engine.imageprompt import imageprompt
from realbot.engine.painter import Painter
from realbot.errors import ConfigError

WIDTH = 32


def redux(folder: Path) -> Path:
    from diffusers import FluxPriorReduxPipeline
    from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
    from transformers import SiglipImageProcessorPil, SiglipVisionConfig, SiglipVisionModel

    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = SiglipVisionConfig(
            hidden_size=16,
            intermediate_size=17,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        )
        FluxPriorReduxPipeline(
            image_encoder=SiglipVisionModel(config),
            feature_extractor=SiglipImageProcessorPil(size={"height": 32, "width": 32}),
            image_embedder=ReduxImageEncoder(redux_dim=16, txt_in_features=WIDTH),
        ).save_pretrained(folder)
    return folder


def adapter(folder: Path, unet: Any, *, plus: bool = False) -> Path:
    """An IP-Adapter file as they are published, with its encoder beside it."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    generator = torch.Generator().manual_seed(5)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) / shape[-1] ** 0.5

    cross = unet.config.cross_attention_dim
    weights = {"image_proj.proj.weight": random(4 * cross, WIDTH), "image_proj.proj.bias": random(4 * cross)}
    weights |= {"image_proj.norm.weight": torch.ones(cross), "image_proj.norm.bias": torch.zeros(cross)}
    number = 1
    for name, processor in unet.attn_processors.items():
        if name.endswith("attn2.processor"):
            attention = unet.get_submodule(name.removesuffix(".processor"))
            for part in ("to_k", "to_v"):
                weights[f"ip_adapter.{number}.{part}_ip.weight"] = random(*getattr(attention, part).weight.shape)
            number += 2
        assert processor is not None
    folder.mkdir()
    save_file(weights, folder / "ip-adapter.safetensors")
    with torch.random.fork_rng():
        torch.manual_seed(4)
        config = CLIPVisionConfig(
            hidden_size=16, intermediate_size=17, num_hidden_layers=2, num_attention_heads=2, image_size=32,
            patch_size=8, projection_dim=WIDTH,
        )  # fmt: skip
        CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    return folder / "ip-adapter.safetensors"


def kept(folder: Path, seed: int) -> tuple[str, dict[str, str]]:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    path = folder / f"picture{seed}.png"
    Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)
    image = hashlib.sha256(path.read_bytes()).hexdigest()
    return image, {image: str(path)}


@pytest.fixture(scope="module", params=["flux", "sd15", "sdxl"])
def easels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Easel, Easel, Path]:
    """One without weights for references, one with them, and those."""
    folder = tmp_path_factory.mktemp(request.param)
    tiny.saved(request.param, folder)
    plain, other = Easel(request.param, folder), Easel(request.param, folder)
    weights = redux(folder / "redux") if request.param == "flux" else adapter(folder / "ip", plain.pipe.unet)
    other.painter = Painter(other.painter.loaded, other.spool, {}, {}, {"model": str(weights)})
    return plain, other, weights


def test_D4_the_weights_are_on_the_denoiser_only_for_pictures_with_a_reference(
    easels: tuple[Easel, Easel, Path], tmp_path: Path
) -> None:
    plain, easel, _ = easels
    (image, files), (second, others) = kept(tmp_path, 1), kept(tmp_path, 2)
    words = plain.hashes()
    assert easel.hashes() == words
    asked = {"reference": image, "files": files}
    first = easel.hashes(**asked)
    assert plain.hashes(**asked) != first
    found = {words[0], first[0], easel.hashes(reference=second, files=others)[0]}
    found |= {easel.hashes(**asked, reference_weight=weight)[0] for weight in (0.2, 1.0)}
    assert len(found) == 5
    assert easel.hashes() == words
    assert easel.hashes(**asked) == first


def test_they_go_with_a_source_a_mask_and_a_negative_prompt(easels: tuple[Easel, Easel, Path], tmp_path: Path) -> None:
    _, easel, _ = easels
    (image, files), (source, sources) = kept(tmp_path, 1), kept(tmp_path, 2)
    Image.new("L", (SIDE, SIDE), 255).save(tmp_path / "mask.png")
    mask = hashlib.sha256((tmp_path / "mask.png").read_bytes()).hexdigest()
    every = files | sources | {mask: str(tmp_path / "mask.png")}
    cases: list[dict[str, Any]] = [
        {"source": source, "strength": 0.7},
        {"source": source, "mask": mask},
        {"negative": "a dog", "guidance": 4.0},
        {"guidance": 1.0},
    ]
    for case in cases:
        bare = easel.hashes(files=every, **case)
        assert easel.hashes(files=every, **case, reference=image) != bare
        assert easel.hashes(files=every, **case) == bare


def test_C5_what_the_weights_are_is_in_the_fingerprint(easels: tuple[Easel, Easel, Path], tmp_path: Path) -> None:
    plain, easel, weights = easels
    assert plain.painter.fingerprint != easel.painter.fingerprint
    copy = tmp_path / "spool"
    copy.mkdir()
    file = weights if weights.is_file() else next(weights.rglob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    before = file.read_bytes()
    file.write_bytes(bytes(data))
    try:
        changed = Painter(easel.painter.loaded, copy, {}, {}, {"model": str(weights)})
    finally:
        file.write_bytes(before)
    assert changed.fingerprint not in (plain.painter.fingerprint, easel.painter.fingerprint)


def test_weights_that_are_missing_or_of_another_kind_are_a_wrong_setting(
    easels: tuple[Easel, Easel, Path], tmp_path: Path
) -> None:
    plain, _, weights = easels
    loaded = plain.painter.loaded
    processors = {} if plain.family == "flux" else dict(plain.pipe.unet.attn_processors)
    (tmp_path / "empty").mkdir()
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\0" * 20)
    encoder = {} if plain.family == "flux" else {"encoder": str(weights.with_name("image_encoder"))}
    for name in ("gone", "empty", "other.safetensors", "broken.safetensors"):
        with pytest.raises(ConfigError) as caught:
            imageprompt({"model": str(tmp_path / name), **encoder}, loaded)
        assert caught.value.key == "reference.model"
        assert "\n" not in str(caught.value)
    if plain.family != "flux":
        with pytest.raises(ConfigError) as caught:
            imageprompt({"model": str(weights), "encoder": str(tmp_path / "gone")}, loaded)
        assert caught.value.key == "reference.encoder"
        assert all(plain.pipe.unet.attn_processors[name] is own for name, own in processors.items())


def test_a_family_without_such_weights_says_so(tmp_path: Path) -> None:
    tiny.saved("sd3", tmp_path)
    loaded = loading.load({"name": "sd35", "path": str(tmp_path)}, {})
    with pytest.raises(ConfigError, match="references work without"):
        imageprompt({"model": str(tmp_path)}, replace(loaded, mergeable=""))
