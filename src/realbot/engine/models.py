"""Model families and presets: what a model accepts, what it does when nothing is said, and how it is recognised.

No torch here: the studio resolves requests with this table while the engine may run on another machine.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from realbot.engine.modelfiles import SUPPORTED, family_of, is_local, pipeline_of
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
REFERENCE_WEIGHT = 0.25
#: The class in diffusers whose models see the source beside the picture: what is said of it is an instruction.
EDITING = "FluxKontextPipeline"
#: Width and height that those models were trained on.
_EDITED = (
    *((672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104)),
    *((1024, 1024), (1104, 944), (1184, 880), (1248, 832), (1328, 800), (1392, 752), (1456, 720), (1504, 688)),
    (1568, 672),
)


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
    edits: bool = False  #: words about a source are an instruction, and there is no strength

    @property
    def pipeline(self) -> str:
        """The class in diffusers for this model."""
        return EDITING if self.edits else FAMILIES[self.family].pipeline

    @property
    def from_picture(self) -> str:
        """The class in diffusers that begins with a picture."""
        return EDITING if self.edits else self.pipeline.replace("Pipeline", "Img2ImgPipeline")

    @property
    def inpaint(self) -> str:
        """The class in diffusers that paints a part of a picture."""
        return self.pipeline.replace("Pipeline", "InpaintPipeline")


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
        Preset(
            "flux-kontext",
            "flux",
            "black-forest-labs/FLUX.1-Kontext-dev",
            *(1024, 1024, 28, 2.5, 512, 256, 2048),
            "embedded",
            3.5,
            edits=True,
        ),
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
    found = Path(path).expanduser()
    fits = PRESETS[usual(found)]
    if known is None:
        return replace(fits, name=name, source=str(path))
    if fits.family != known.family:
        raise ConfigError(
            f"model.path holds a model of the family {fits.family}, but model.name {name!r} is of the family"
            f" {known.family}; set model.name to {fits.name!r} or to a name of your own.",
            key="model.path",
        )
    if found.is_dir() and fits.edits != known.edits:
        raise ConfigError(
            f"model.path holds a model for {fits.pipeline}, but model.name {name!r} is one for {known.pipeline};"
            f" set model.name to {fits.name!r} or to a name of your own.",
            key="model.path",
        )
    return replace(known, source=str(path))


def identify(path: str | Path) -> str:
    """The family of the model in a folder or a single safetensors file. Raises ModelMissing when there is none."""
    return PRESETS[usual(Path(path).expanduser())].family


def usual(path: Path) -> str:
    """The preset that fits the model in a folder or a single file best. Raises ModelMissing when there is none."""
    if path.is_dir():
        name = pipeline_of(path)
        if name == EDITING:
            return "flux-kontext"
        for family in FAMILIES.values():
            if name == family.pipeline:
                return DEFAULT_PRESET[family.name]
        raise ModelMissing(f"The folder {path} holds a {name}, which realbot cannot run; use {SUPPORTED}.")
    if not path.is_file():
        raise ModelMissing(f"There is no model at {path}; set model.path to a folder or a .safetensors file.")
    return DEFAULT_PRESET[family_of(path)]


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
    if preset.edits and request.source is not None and request.reference is not None:
        raise Invalid("{model} looks at one picture only; leave out the source or the reference.", model=preset.name)
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
            strength=_strength(request, preset),
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
    if preset.edits:
        aspect = size[0] / size[1]
        return min(_EDITED, key=lambda sides: (abs(aspect - sides[0] / sides[1]), sides))
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


def _strength(request: Generate, preset: Preset) -> float | None:
    value = request.strength
    if preset.edits and value is not None:
        raise Invalid(
            "{model} takes no strength: say in words what is to change in the picture.",
            model=preset.name,
            word="strength",
        )
    if request.source is None and value is not None:
        raise Invalid("A strength needs a source picture; leave it out.", word="strength")
    if request.source is None or preset.edits:
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
