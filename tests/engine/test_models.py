from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from realbot.engine import modelfiles, models
from realbot.errors import ConfigError, Invalid, ModelMissing
from realbot.jobs import Generate, from_json, to_json

MINI = models.preset("mini")
DEV = models.preset("flux-dev")


def written(path: Path, keys: list[str]) -> Path:
    """A safetensors file with one number under each of these keys."""
    header = {key: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i, key in enumerate(keys)}
    body = json.dumps(header).encode()
    path.write_bytes(len(body).to_bytes(8, "little") + body + b"\0" * 4 * len(keys))
    return path


def indexed(folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": name}))
    return folder


@pytest.mark.parametrize("preset", models.PRESETS.values(), ids=lambda p: p.name)
def test_resolve_fills_every_default_but_the_seed(preset: models.Preset) -> None:
    resolved, notes = models.resolve(Generate(prompt="a cat"), preset)
    left = {name for name, value in to_json(resolved).items() if value is None}
    assert left == {"seed", "source", "mask", "region", "reference", "reference_weight", "strength"}
    assert notes == ()
    assert (resolved.width, resolved.height, resolved.steps) == (preset.width, preset.height, preset.steps)
    assert resolved.scheduler == models.FAMILIES[preset.family].default_scheduler


@pytest.mark.parametrize("preset", models.PRESETS.values(), ids=lambda p: p.name)
def test_a_resolved_request_resolves_to_itself(preset: models.Preset) -> None:
    negative = "" if preset.cfg == "none" else "dog"
    once, _ = models.resolve(Generate(prompt="a cat", negative=negative, scheduler="DPM++ 2M"), preset)
    assert models.resolve(once, preset) == (once, ())
    assert from_json(to_json(once)) == once


@pytest.mark.parametrize("preset", models.PRESETS.values(), ids=lambda p: p.name)
def test_defaults_are_inside_the_presets_own_ranges(preset: models.Preset) -> None:
    step = models.FAMILIES[preset.family].multiple
    for side in (preset.width, preset.height, preset.min_side, preset.max_side):
        assert side % step == 0
        assert preset.min_side <= side <= preset.max_side


@pytest.mark.parametrize(
    ("word", "preset", "name"),
    [
        ("Euler", "flux-dev", "euler"),
        ("DPM++ 2M", "flux-dev", "dpm++2m"),
        ("dpmpp_2m", "mini", "dpm++2m"),
        ("UniPC", "sd35", "unipc"),
        ("euler a", "sdxl", "euler-a"),
        ("Euler Ancestral", "sd15", "euler-a"),
        ("DPM++ 2M Karras", "sd15", "dpm++2m-karras"),
        ("DDIM", "sdxl", "ddim"),
    ],
)
def test_schedulers_are_known_by_the_names_people_use(word: str, preset: str, name: str) -> None:
    assert models.scheduler(word, models.preset(preset)) == (name, ())


@pytest.mark.parametrize("preset", ["flux-dev", "flux-schnell", "mini", "sd35"])
def test_ddim_on_a_flow_model_is_euler_and_says_so(preset: str) -> None:
    resolved, notes = models.resolve(Generate(prompt="x", scheduler="ddim"), models.preset(preset))
    assert resolved.scheduler == "euler"
    assert notes == (("scheduler", "ddim"),)


@pytest.mark.parametrize(("word", "near"), [("eulr", "euler"), ("dpm++2n", "dpm++2m"), ("euler a", "euler")])
def test_an_unknown_scheduler_names_the_valid_ones_and_the_nearest(word: str, near: str) -> None:
    with pytest.raises(Invalid, match=r"euler, dpm\+\+2m and unipc") as caught:
        models.resolve(Generate(prompt="x", scheduler=word), DEV)
    assert (caught.value.word, caught.value.nearest) == (word, near)


@pytest.mark.parametrize(
    ("width", "near"), [(1000, {"992", "1008"}), (1017, {"1008", "1024"}), (2047, {"2032", "2048"})]
)
def test_a_side_that_does_not_fit_names_the_two_nearest(width: int, near: set[str]) -> None:
    with pytest.raises(Invalid, match="width") as caught:
        models.resolve(Generate(prompt="x", width=width), DEV)
    assert all(side in str(caught.value) for side in near)
    assert abs(int(caught.value.nearest) - width) <= 8


@pytest.mark.parametrize(("height", "near"), [(32, "64"), (272, "256"), (0, "64"), (-128, "64")])
def test_a_side_out_of_range_names_the_range(height: int, near: str) -> None:
    with pytest.raises(Invalid, match=r"height .* 64 to 256") as caught:
        models.resolve(Generate(prompt="x", height=height), MINI)
    assert caught.value.nearest == near


def test_a_negative_prompt_turns_true_cfg_on_where_guidance_is_embedded() -> None:
    plain, _ = models.resolve(Generate(prompt="x"), DEV)
    assert (plain.true_cfg, plain.guidance) == (1.0, 3.5)
    with_negative, notes = models.resolve(Generate(prompt="x", negative="dog"), DEV)
    assert with_negative.true_cfg == DEV.true_cfg > 1
    assert notes == ()
    own, _ = models.resolve(Generate(prompt="x", negative="dog", true_cfg=2.5), DEV)
    assert own.true_cfg == 2.5
    assert models.resolve(replace(plain, negative="dog"), DEV)[1] == (("true_cfg", "3.5"),)


@pytest.mark.parametrize(
    ("request_", "preset", "says"),
    [
        (Generate(prompt="x", negative="dog"), "flux-schnell", "no negative prompt"),
        (Generate(prompt="x", guidance=3.5), "flux-schnell", "without guidance"),
        (Generate(prompt="x", true_cfg=2.0), "flux-schnell", "no true_cfg"),
        (Generate(prompt="x", true_cfg=2.0), "sdxl", "use guidance"),
        (Generate(prompt="x", true_cfg=0.5), "mini", "1 turns it off"),
        (Generate(prompt="x", guidance=-1.0), "mini", "guidance of -1"),
        (Generate(prompt="x", guidance=math.nan), "mini", "guidance of nan"),
        (Generate(prompt="x", steps=0), "mini", "0 steps"),
        (Generate(prompt="x", model="sdxl"), "mini", "not loaded"),
        (Generate(prompt="x", source="ab" * 32, strength=1.5), "mini", "from 0 to 1"),
        (Generate(prompt="x", source="ab" * 32, strength=math.nan), "mini", "from 0 to 1"),
        (Generate(prompt="x", mask="ab" * 32), "sdxl", "say with source"),
        (Generate(prompt="x", region="left"), "mini", "say with source"),
        (Generate(prompt="x", reference_weight=0.5), "sd15", "needs a reference picture"),
        (Generate(prompt="x", reference="ab" * 32, reference_weight=1.5), "mini", "from 0 to 1"),
        (Generate(prompt="x", reference="ab" * 32, reference_weight=math.nan), "mini", "from 0 to 1"),
        (Generate(prompt="x", strength=0.5), "mini", "source picture"),
    ],
)
def test_what_a_model_cannot_do_is_refused_in_one_sentence(request_: Generate, preset: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as caught:
        models.resolve(request_, models.preset(preset))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean flux-dev") as caught:
        models.preset("fluxdev")
    assert caught.value.key == "model.name"


@pytest.mark.parametrize(
    ("pipeline", "family"),
    [(family.pipeline, family.name) for family in models.FAMILIES.values()],
)
def test_a_folder_is_known_by_its_pipeline(tmp_path: Path, pipeline: str, family: str) -> None:
    folder = indexed(tmp_path / "model", pipeline)
    assert models.identify(folder) == family
    own = models.preset("my-own", folder)
    assert (own.name, own.family, own.source) == ("my-own", family, str(folder))


@pytest.mark.parametrize(
    ("keys", "family"),
    [
        (["double_blocks.0.img_attn.qkv.weight"], "flux"),
        (["model.diffusion_model.double_blocks.0.img_attn.qkv.weight"], "flux"),
        (["model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight"], "sd3"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "sd15"),
        (["model.diffusion_model.input_blocks.0.0.weight", "model.diffusion_model.label_emb.0.0.weight"], "sdxl"),
    ],
)
def test_a_single_file_is_known_by_its_tensors(tmp_path: Path, keys: list[str], family: str) -> None:
    assert models.identify(written(tmp_path / "model.safetensors", keys)) == family


def test_a_lora_is_not_taken_for_a_model(tmp_path: Path) -> None:
    file = written(tmp_path / "style.safetensors", ["transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight"])
    with pytest.raises(ModelMissing, match="not a whole model"):
        models.identify(file)


@pytest.mark.parametrize(
    "name", ["WanPipeline", "FluxFillPipeline", "Flux2Pipeline", "StableDiffusionXLImg2ImgPipeline"]
)
def test_another_pipeline_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelMissing, match=name):
        models.identify(indexed(tmp_path / "model", name))


def test_weights_of_another_family_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"family sdxl.*flux") as caught:
        models.preset("flux-dev", indexed(tmp_path / "model", "StableDiffusionXLPipeline"))
    assert caught.value.key == "model.path"


def test_a_hub_name_is_not_a_path() -> None:
    assert not modelfiles.is_local("black-forest-labs/FLUX.1-dev")
    assert modelfiles.is_local("/models/flux")
    assert modelfiles.is_local("./flux")
    assert modelfiles.is_local("~/flux.safetensors")
    assert models.preset("flux-dev", "someone/their-flux").source == "someone/their-flux"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" * 10, b"\xff" * 100, b"\x02\0\0\0\0\0\0\0[]", b"\x80\x02}q\0."])
def test_a_file_that_is_not_safetensors_is_never_read(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(data)
    with pytest.raises(ModelMissing, match="download it again"):
        models.identify(file)


def test_nothing_there_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"set model\.path"):
        models.identify(tmp_path / "nowhere.safetensors")
    with pytest.raises(ModelMissing, match=r"model_index\.json"):
        models.identify(tmp_path)


def test_a_fingerprint_is_of_every_part_and_of_no_order() -> None:
    parts = {"torch": "2.13", "dtype": "float32", "png": ["12", "1.3"]}
    name = models.fingerprint(parts)
    assert name == models.fingerprint(dict(reversed(parts.items())))
    others = {models.fingerprint({**parts, key: "other"}) for key in parts} | {models.fingerprint({**parts, "new": 1})}
    assert len(others | {name}) == 5
