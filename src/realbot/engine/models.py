"""Model families and presets: what a model accepts, what it does when nothing is said, and how it is recognised.

No torch here: the studio resolves requests with this table while the engine may run on another machine.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from realbot.errors import ConfigError, Invalid, ModelMissing
from realbot.grammar import nearest
from realbot.jobs import Generate, canonical
from realbot.phrases import Phrase, listed

#: "embedded": guidance is an input of the model and a negative prompt needs true CFG; "true": classifier-free
#: guidance; "none": distilled without guidance.
Guidance = Literal["embedded", "true", "none"]
Notes = tuple[tuple[str, str], ...]

FLOW = ("euler", "dpm++2m", "unipc")
DIFFUSION = ("euler", "euler-a", "dpm++2m", "dpm++2m-karras", "ddim", "unipc")
_ALIASES = {
    "eulerancestral": "euler-a",
    "flowmatcheuler": "euler",
    "dpm++": "dpm++2m",
    "dpmsolver++": "dpm++2m",
    "karras": "dpm++2m-karras",
    "dpm++karras": "dpm++2m-karras",
}
#: How far a picture goes from its source when nothing is said.
STRENGTH = 0.6
#: How much of its reference's look a picture takes when nothing is said; `benchmarks/reference.py` measures it.
REFERENCE_WEIGHT = 0.4
#: Bytes of a safetensors header at most, as the format's own reader has it.
_HEADER_LIMIT = 100_000_000


@dataclass(frozen=True, slots=True)
class Family:
    """Models that share an architecture, and so pipelines, schedulers and styles."""

    name: str
    pipeline: str  #: class in diffusers
    denoiser: str  #: component that is called at each step
    multiple: int  #: sides are multiples of this, in pixels
    schedulers: tuple[str, ...]
    default_scheduler: str
    cfg: Guidance
    half: str  #: what dtype "auto" means on a GPU

    @property
    def from_picture(self) -> str:
        """The class in diffusers for image-to-image."""
        return self.pipeline.replace("Pipeline", "Img2ImgPipeline")

    @property
    def inpaint(self) -> str:
        """The class in diffusers that paints a part of a picture."""
        return self.pipeline.replace("Pipeline", "InpaintPipeline")


@dataclass(frozen=True, slots=True)
class Preset:
    """A model by the name people know it by, with its defaults and ranges. Sides are in pixels."""

    name: str
    family: str
    source: str  #: folder, single file or name on the Hugging Face hub
    width: int
    height: int
    steps: int
    guidance: float
    max_tokens: int
    min_side: int
    max_side: int
    cfg: Guidance
    true_cfg: float = 1.0  #: taken when a negative prompt is given and nothing is said; 1 where it does not apply


FAMILIES = {
    family.name: family
    for family in (
        Family("flux", "FluxPipeline", "transformer", 16, FLOW, "euler", "embedded", "bfloat16"),
        Family("sdxl", "StableDiffusionXLPipeline", "unet", 8, DIFFUSION, "euler", "true", "float16"),
        Family("sd15", "StableDiffusionPipeline", "unet", 8, DIFFUSION, "dpm++2m-karras", "true", "float16"),
        Family("sd3", "StableDiffusion3Pipeline", "transformer", 16, FLOW, "euler", "true", "bfloat16"),
    )
}


def bundled() -> Path:
    """The folder of the model that comes with realbot."""
    return Path(__file__).resolve().parent.parent / "mini" / "model"


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("mini", "flux", str(bundled()), 128, 128, 12, 3.0, 32, 64, 256, "embedded", 2.0),
        Preset(
            "flux-dev", "flux", "black-forest-labs/FLUX.1-dev", 1024, 1024, 28, 3.5, 512, 256, 2048, "embedded", 3.5
        ),
        Preset("flux-schnell", "flux", "black-forest-labs/FLUX.1-schnell", 1024, 1024, 4, 0.0, 256, 256, 2048, "none"),
        Preset("sdxl", "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", 1024, 1024, 30, 5.0, 77, 512, 2048, "true"),
        Preset("sd15", "sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", 512, 512, 30, 7.5, 77, 256, 1024, "true"),
        Preset("sd35", "sd3", "stabilityai/stable-diffusion-3.5-medium", 1024, 1024, 28, 4.5, 256, 256, 1440, "true"),
    )
}
DEFAULT_PRESET = {"flux": "flux-dev", "sdxl": "sdxl", "sd15": "sd15", "sd3": "sd35"}


def preset(name: str, path: str | Path | None = None) -> Preset:
    """The preset of that name; with a path its weights come from there, and a name of one's own is allowed.

    Raises ConfigError for an unknown name and for weights of another family, ModelMissing for a path without a model.
    """
    known = PRESETS.get(name)
    if path is None:
        if known is None:
            raise ConfigError(
                f"model.name is {name!r}; the presets are {listed(tuple(PRESETS))}"
                f"{_did_you_mean(name, PRESETS)}; for another model also set model.path.",
                key="model.name",
            )
        return known
    if not is_local(path):
        return replace(preset(name), source=str(path))
    family = identify(path)
    if known is None:
        return replace(PRESETS[DEFAULT_PRESET[family]], name=name, source=str(path))
    if family != known.family:
        raise ConfigError(
            f"model.path holds a model of the family {family}, but model.name {name!r} is of the family"
            f" {known.family}; set model.name to {DEFAULT_PRESET[family]!r} or to a name of your own.",
            key="model.path",
        )
    return replace(known, source=str(path))


def is_local(source: str | Path) -> bool:
    """Whether a source is a path on this machine and not a name on the hub."""
    text = str(source)
    named = re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", text) is not None
    return Path(text).expanduser().exists() or not named or text.endswith(".safetensors")


def identify(path: str | Path) -> str:
    """The family of the model in a folder or a single safetensors file. Raises ModelMissing when there is none."""
    path = Path(path).expanduser()
    if path.is_dir():
        index = path / "model_index.json"
        try:
            name = json.loads(index.read_text("utf-8"))["_class_name"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelMissing(
                f"The folder {path} holds no model: model_index.json is missing or broken;"
                " set model.path to a folder in the diffusers layout."
            ) from error
        for family in FAMILIES.values():
            if name == family.pipeline:
                return family.name
        raise ModelMissing(f"The folder {path} holds a {name}, which realbot cannot run; use {_supported()}.")
    if not path.is_file():
        raise ModelMissing(f"There is no model at {path}; set model.path to a folder or a .safetensors file.")
    return _by_keys(path, set(header(path)))


def _by_keys(path: Path, keys: set[str]) -> str:
    keys = {key.removeprefix("model.diffusion_model.") for key in keys}
    if "double_blocks.0.img_attn.qkv.weight" in keys:
        return "flux"
    if "joint_blocks.0.context_block.attn.qkv.weight" in keys:
        return "sd3"
    if "input_blocks.0.0.weight" in keys:
        return "sdxl" if "label_emb.0.0.weight" in keys else "sd15"
    raise ModelMissing(f"The file {path} is not a whole model of a kind realbot can run; use {_supported()}.")


def header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file: tensor name to dtype, shape and place. Raises ModelMissing for other files."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= min(_HEADER_LIMIT, path.stat().st_size - 8):
                raise ValueError
            data = json.loads(file.read(size))
        if not isinstance(data, dict):
            raise ValueError  # noqa: TRY004
    except (OSError, ValueError) as error:
        raise ModelMissing(
            f"The file {path} is not a safetensors file or is cut short; download it again"
            " (other formats can run code and are never read)."
        ) from error
    return data


def scheduler(word: str, preset: Preset) -> tuple[str, Notes]:
    """The family's own name for a scheduler as people write it, and a note when another one stands in for it.

    Raises Invalid, naming the valid ones.
    """
    family = FAMILIES[preset.family]
    plain = re.sub(r"[\s_-]+", "", word.strip().lower()).replace("pp", "++")
    names = {name.replace("-", ""): name for name in family.schedulers}
    name = names.get(plain) or _ALIASES.get(plain, "")
    if name in family.schedulers:
        return name, ()
    if "ddim" not in family.schedulers and plain == "ddim":
        return "euler", (("scheduler", "ddim"),)
    raise Invalid(
        "{model} has no scheduler {name!r}; it has {names}.",
        model=preset.name,
        name=word,
        names=listed(family.schedulers),
        word=word,
        nearest=nearest(word, family.schedulers) or family.default_scheduler,
    )


def resolve(request: Generate, preset: Preset) -> tuple[Generate, Notes]:
    """The request with no field left to a default except the seed, and notes on what was changed.

    A resolved request resolves to itself; a negative prompt that is added to one turns true CFG on. Raises Invalid
    with the range and the nearest valid value.
    """
    if request.model not in (None, preset.name):
        raise Invalid(
            "The model {asked!r} is not loaded; pictures are painted with {model}.",
            asked=request.model,
            model=preset.name,
            word=str(request.model),
            nearest=preset.name,
        )
    if request.source is None and (request.mask or request.region):
        raise Invalid("A mask or a region is a part of a picture; say with source which one.", word="mask")
    steps = preset.steps if request.steps is None else request.steps
    if steps < 1:
        raise Invalid(
            "{steps} steps are too few; 1 is the least, {usual} is usual.",
            steps=steps,
            usual=preset.steps,
            word=str(steps),
        )
    name, notes = scheduler(request.scheduler or FAMILIES[preset.family].default_scheduler, preset)
    true_cfg = _true_cfg(request, preset)
    if request.true_cfg is not None and request.true_cfg != true_cfg:
        notes += (("true_cfg", f"{true_cfg:g}"),)
    return (
        replace(
            request,
            model=preset.name,
            width=_side(Phrase("width"), request.width, preset.width, preset),
            height=_side(Phrase("height"), request.height, preset.height, preset),
            steps=steps,
            guidance=_guidance(request, preset),
            true_cfg=true_cfg,
            scheduler=name,
            strength=_strength(request),
            reference_weight=_reference_weight(request),
        ),
        notes,
    )


def denoised(request: Generate) -> int:
    """The steps that a resolved request really takes: with a source picture the last ones only, by its strength."""
    steps = request.steps or 0
    # Ten steps at 0.7 are seven, whatever the product is in binary.
    return steps if request.strength is None else math.ceil(round(steps * request.strength, 6))


def shape(size: tuple[int, int], preset: Preset) -> tuple[int, int]:
    """Width and height to paint in for a source picture of this size.

    The shape stays, the area is at most that of the model's usual picture, and the sides are ones it takes.
    """
    step = FAMILIES[preset.family].multiple
    scale = min(1.0, math.sqrt(preset.width * preset.height / (size[0] * size[1])))
    low, high = -(-preset.min_side // step) * step, preset.max_side // step * step
    width, height = (min(max(round(side * scale / step) * step, low), high) for side in size)
    return width, height


def _side(what: Phrase, asked: int | None, default: int, preset: Preset) -> int:
    if asked is None:
        return default
    step = FAMILIES[preset.family].multiple
    if not preset.min_side <= asked <= preset.max_side:
        near = min(max(asked, preset.min_side), preset.max_side)
        raise Invalid(
            "The {side} {asked} is out of range; {model} takes {low} to {high} pixels.",
            side=what,
            asked=asked,
            model=preset.name,
            low=preset.min_side,
            high=preset.max_side,
            word=str(asked),
            nearest=str(near),
        )
    if asked % step:
        low = asked // step * step
        high = low + step
        pair = [str(side) for side in (low, high) if preset.min_side <= side <= preset.max_side]
        raise Invalid(
            "The {side} {asked} is not a multiple of {step}; the nearest are {pair}.",
            side=what,
            asked=asked,
            step=step,
            pair=listed(pair),
            word=str(asked),
            nearest=min(pair, key=lambda side: abs(int(side) - asked)),
        )
    return asked


def _guidance(request: Generate, preset: Preset) -> float:
    value = request.guidance
    if value is None:
        return preset.guidance
    if not math.isfinite(value) or value < 0:
        raise Invalid(
            "A guidance of {value:g} makes no sense; {usual:g} is usual.",
            value=value,
            usual=preset.guidance,
            word=f"{value:g}",
        )
    if preset.cfg == "none" and value != preset.guidance:
        raise Invalid("{model} was made to work without guidance; leave it out.", model=preset.name, word="guidance")
    return float(value)


def _strength(request: Generate) -> float | None:
    value = request.strength
    if request.source is None:
        if value is not None:
            raise Invalid("A strength needs a source picture; leave it out.", word="strength")
        return None
    if value is None:
        # What is marked is to be replaced.
        return STRENGTH if request.mask is None else 1.0
    if not 0 <= value <= 1:
        near = min(max(value, 0.0), 1.0) if math.isfinite(value) else STRENGTH
        raise Invalid(
            "A strength of {value:g} is out of range; it goes from 0 to 1.",
            value=value,
            word=f"{value:g}",
            nearest=f"{near:g}",
        )
    return float(value)


def _reference_weight(request: Generate) -> float | None:
    value = request.reference_weight
    if request.reference is None and value is not None:
        raise Invalid("A weight of the look needs a reference picture; leave it out.", word="reference_weight")
    if value is not None and not 0 <= value <= 1:
        word = f"{value:g}"
        raise Invalid("The look's weight {value:g} is out of range; it goes from 0 to 1.", value=value, word=word)
    return value if value is not None or request.reference is None else REFERENCE_WEIGHT


def _true_cfg(request: Generate, preset: Preset) -> float:
    value = request.true_cfg
    if preset.cfg == "none" and request.negative:
        raise Invalid("{model} takes no negative prompt; say in the prompt what you want instead.", model=preset.name)
    if value is not None and (not math.isfinite(value) or value < 1):
        raise Invalid(
            "A true_cfg of {value:g} is too small; 1 turns it off.", value=value, word=f"{value:g}", nearest="1"
        )
    if preset.cfg != "embedded":
        if value not in (None, 1):
            if preset.cfg == "true":
                raise Invalid("{model} takes no true_cfg; use guidance.", model=preset.name, word="true_cfg")
            raise Invalid("{model} takes no true_cfg; leave it out.", model=preset.name, word="true_cfg")
        return 1.0
    if value is None or (value == 1 and request.negative):
        return preset.true_cfg if request.negative else 1.0
    return float(value)


def fingerprint(parts: Mapping[str, Any]) -> str:
    """One name for everything besides the request that decides the bytes of a picture: 32 hex digits."""
    return hashlib.sha256(canonical(dict(parts))).hexdigest()[:32]


def _did_you_mean(word: str, names: Iterable[str]) -> str:
    near = nearest(word, names)
    return f" (did you mean {near}?)" if near else ""


def _supported() -> str:
    return "FLUX.1, SDXL, SD 1.5 or SD 3.5"
