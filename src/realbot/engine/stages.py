"""The three stages of a picture: encode the prompt, denoise latents, decode them.

Each job has its own scheduler and its own generator on the CPU, so equal requests give equal bits whatever ran before.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from PIL import Image

from realbot.engine import models, schedulers
from realbot.engine.embeds import Embeds, Encoded
from realbot.engine.imageprompt import ImagePrompt
from realbot.engine.latents import overflows, scaled, unscaled
from realbot.engine.loading import Loaded
from realbot.engine.loras import Loras
from realbot.engine.reference import Reference
from realbot.errors import EngineError
from realbot.jobs import Generate

#: Called after each step with its number, from 1, and a function that gives the clean latents it is heading for,
#: (1, channels, height, width). Raising in it ends the run: the next step does not happen.
OnStep: TypeAlias = Callable[[int, Callable[[], torch.Tensor | None]], None]


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What the denoiser is told to paint, and to avoid."""

    positive: Encoded
    negative: Encoded | None  #: None where classifier-free guidance is off
    notes: models.Notes = ()


@dataclass(frozen=True, slots=True)
class Start:
    """What a picture begins with besides noise: pictures of the request's size."""

    picture: Image.Image | None = None  #: RGB; a model that edits takes it in any size
    mask: Image.Image | None = None  #: only what is white in it changes
    reference: Image.Image | None = None  #: RGB, whose look is taken


#: Noise alone.
NOTHING = Start()


class Stages:
    """The stages of one loaded model, for one thread."""

    def __init__(self, loaded: Loaded, loras: Loras, embeds: Embeds, imageprompt: ImagePrompt | None = None) -> None:
        self._loaded, self._loras, self._embeds, self._imageprompt = loaded, loras, embeds, imageprompt
        self._pipe = loaded.pipeline
        self._family = models.FAMILIES[loaded.preset.family]
        self._base = dict(self._pipe.scheduler.config)
        self._others: dict[str, Any] = {}

    def encode(self, request: Generate) -> Conditioning:
        """The prompts of a resolved request as embeds; text encoders run only for prompts not seen before."""
        positive = self._encoded(request.prompt)
        notes = (("prompt_cut", positive.cut),) if positive.cut else ()
        guided = (request.true_cfg if self._family.cfg == "embedded" else request.guidance) or 0.0
        if guided <= 1:
            return Conditioning(positive, None, notes)
        # First what the place says, which a long negative prompt of a person must not push out.
        negative = ", ".join(filter(None, (request.avoid, request.negative)))
        if self._family.name == "sdxl" and not negative and self._pipe.config.force_zeros_for_empty_prompt:
            assert positive.pooled is not None
            nothing = Encoded(torch.zeros_like(positive.tokens), torch.zeros_like(positive.pooled))
            return Conditioning(positive, nothing, notes)
        return Conditioning(positive, self._encoded(negative), notes)

    def denoise(
        self,
        request: Generate,
        conditioning: Conditioning,
        seed: int,
        on_step: OnStep,
        start: Start = NOTHING,
    ) -> torch.Tensor:
        """Latents of the picture, (1, channels, height / 8, width / 8), as the denoiser scales them.

        From a picture only the last `models.denoised` steps are taken.
        """
        assert request.width is not None and request.height is not None and request.scheduler is not None
        pipe, size = self._pipe, (request.height, request.width)
        begin: dict[str, Any] = {"height": request.height, "width": request.width}
        if start.picture is not None:
            begin, pipe = self._begun(request, start.picture, start.mask)
            if pipe is None:
                on_step(1, lambda: None)
                return self._latents(start.picture)
        elif self._loaded.preset.edits:
            begin["max_area"] = request.width * request.height
        pipe.scheduler = schedulers.make(request.scheduler, self._family.name, self._base)
        estimate = schedulers.Estimate(pipe.scheduler)

        def clean() -> torch.Tensor | None:
            latents = estimate.latents()
            return None if latents is None else self._unpacked(latents, size)

        def after(_pipe: Any, index: int, _timestep: Any, _tensors: dict[str, Any]) -> dict[str, Any]:
            self._synchronize()
            on_step(index + 1, clean)
            return {}

        try:
            with self._in_view(request, conditioning, start.reference) as told:
                latents = pipe(
                    **told,
                    guidance_scale=request.guidance,
                    **({"true_cfg_scale": request.true_cfg} if self._family.cfg == "embedded" else {}),
                    **begin,
                    num_inference_steps=request.steps,
                    generator=torch.Generator("cpu").manual_seed(seed),
                    output_type="latent",
                    callback_on_step_end=after,
                    return_dict=False,
                )[0]
        except BaseException:
            self._pipe.maybe_free_model_hooks()
            raise
        if pipe is not self._pipe:
            self._pipe.maybe_free_model_hooks()
        return self._unpacked(latents, size)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def decode(self, latents: torch.Tensor) -> Image.Image:
        """The picture of finished latents, 8 bits a channel. Raises EngineError for NaN and for an all-black one."""
        vae = self._pipe.vae
        height, width = (side * self._pipe.vae_scale_factor for side in latents.shape[-2:])
        self._tile(height, width)
        upcast = overflows(vae)
        if upcast:
            vae.to(torch.float32)
        try:
            pixels = vae.decode(unscaled(vae, latents.to(vae.dtype)), return_dict=False)[0]
        finally:
            if upcast:
                vae.to(torch.float16)
            self._pipe.maybe_free_model_hooks()
        if not bool(torch.isfinite(pixels).all()):
            raise EngineError("The model computed numbers that are no picture (NaN); another dtype may help.")
        image: Image.Image = self._pipe.image_processor.postprocess(pixels, output_type="pil")[0]
        if image.convert("L").getextrema() == (0, 0):
            raise EngineError("The model painted a picture that is black all over; another seed or dtype may help.")
        return image

    def _begun(self, request: Generate, picture: Image.Image, mask: Image.Image | None) -> tuple[dict[str, Any], Any]:
        """What a pipeline is told of the picture it begins with, and that pipeline; None where no step is taken."""
        assert request.width is not None and request.height is not None
        preset, size = self._loaded.preset, {"height": request.height, "width": request.width}
        trained = preset.edits and mask is None
        self._tile(*((preset.height, preset.width) if trained else (request.height, request.width)))
        name = preset.from_picture if mask is None else preset.inpaint
        masked = {} if mask is None else {"mask_image": mask}
        if preset.edits:
            begin = {**size, "image": picture, "max_area": request.width * request.height, **masked}
            # A picture without a mask is scaled to the nearest of the sizes that the model was trained on.
            whole = {} if trained else {"strength": 1.0, "_auto_resize": False}
            return begin | whole, self._on_same_weights(name)
        steps = models.denoised(request)
        if not steps:
            return {}, None
        flow = self._family.schedulers is models.FLOW
        # The families round the product of steps and strength each in their own way; so it falls between.
        half = -0.5 if flow else 0.5
        strength = min((steps + half) / (request.steps or 1), 1.0)
        # The SD family's image-to-image reads the size from the picture.
        sized = size if flow or mask is not None else {}
        return {**sized, "image": picture, "strength": strength, **masked}, self._on_same_weights(name)

    def _on_same_weights(self, name: str) -> Any:
        """A pipeline of the family, by its class in diffusers."""
        if name == type(self._pipe).__name__:
            return self._pipe
        if name not in self._others:
            cls = getattr(importlib.import_module("diffusers"), name)
            options = {"sd15": {"requires_safety_checker": False}, "sdxl": {"add_watermarker": False}}
            self._others[name] = cls(**self._pipe.components, **options.get(self._family.name, {}))
            self._others[name].set_progress_bar_config(disable=True)
        return self._others[name]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _latents(self, picture: Image.Image) -> torch.Tensor:
        """A picture as the denoiser knows it, the mode of what the VAE makes of it."""
        vae = self._pipe.vae
        upcast = overflows(vae)
        if upcast:
            vae.to(torch.float32)
        try:
            pixels = self._pipe.image_processor.preprocess(picture).to(self._pipe._execution_device, vae.dtype)
            return scaled(vae, vae.encode(pixels).latent_dist.mode())
        finally:
            if upcast:
                vae.to(torch.float16)

    def _tile(self, height: int, width: int) -> None:
        """Whether the VAE works in tiles depends on the size alone, never on the picture before."""
        limit = self._loaded.tile_from
        if limit is not None and height * width > limit:
            self._pipe.vae.enable_tiling()
        else:
            self._pipe.vae.disable_tiling()

    def warm(self) -> None:
        """One step of a picture for nobody, so that the first person does not wait for kernels to load."""
        side = self._loaded.preset.min_side
        request, _ = models.resolve(Generate(prompt="", steps=1, width=side, height=side), self._loaded.preset)
        nothing = self._encode("")
        guided = self._family.cfg == "true" and (request.guidance or 0) > 1
        conditioning = Conditioning(nothing, nothing if guided else None)
        self.decode(self.denoise(request, conditioning, 0, lambda _n, _clean: None))

    def _encoded(self, prompt: str) -> Encoded:
        """From the cache, which tells text encoders with one style merged from those with another."""
        parts = [name for name in self._pipe.components if name.startswith("text_encoder")]
        merged = [self._loras.active(name) for name in parts]
        revision = f"{self._loaded.revision} {merged}"
        return self._embeds.get(prompt, self._loaded.preset.max_tokens, revision, lambda: self._encode(prompt))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _encode(self, prompt: str) -> Encoded:
        pipe, device = self._pipe, self._pipe._execution_device
        most = self._loaded.preset.max_tokens
        pooled = None
        match self._family.name:
            case "flux":
                tokens, pooled, _ = pipe.encode_prompt(prompt, None, device=device, max_sequence_length=most)
            case "sdxl":
                tokens, _, pooled, _ = pipe.encode_prompt(prompt, device=device, do_classifier_free_guidance=False)
            case "sd3":
                tokens, _, pooled, _ = pipe.encode_prompt(
                    prompt, None, None, device=device, do_classifier_free_guidance=False, max_sequence_length=most
                )
            case _:
                tokens, _ = pipe.encode_prompt(prompt, device, 1, False)
        return Encoded(tokens.cpu(), None if pooled is None else pooled.cpu(), self._cut(prompt))

    def _cut(self, prompt: str) -> str:
        """The words at the end of a prompt that its longest encoder does not read."""
        pipe, most = self._pipe, self._loaded.preset.max_tokens
        if self._family.name == "flux":
            tokenizer = pipe.tokenizer_2
        elif self._family.name == "sd3" and pipe.text_encoder_3 is not None:
            tokenizer = pipe.tokenizer_3
        else:
            tokenizer = pipe.tokenizer
            most = min(most, tokenizer.model_max_length)
        keep = most - tokenizer.num_special_tokens_to_add()
        found = tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        if len(found) <= keep:
            return ""
        start = found[keep][0]
        return prompt[prompt.rfind(" ", 0, start + 1) + 1 :].strip()

    @contextmanager
    def _in_view(
        self, request: Generate, conditioning: Conditioning, picture: Image.Image | None
    ) -> Iterator[dict[str, Any]]:
        """What the pipeline is told, while the denoiser has the reference in view where there is one."""
        told = self._told(conditioning)
        weight = request.reference_weight
        if picture is None or not weight:
            yield told
        elif self._imageprompt is not None:
            with self._imageprompt.joined(picture, weight, told, conditioning.negative is not None) as more:
                yield more
        else:
            self._tile(picture.height, picture.width)
            nothing = self._encoded("")
            with Reference(self._pipe, self._family, self._latents(picture), nothing, weight).joined():
                yield told

    def _told(self, conditioning: Conditioning) -> dict[str, torch.Tensor]:
        device = self._pipe._execution_device
        told = {"prompt_embeds": conditioning.positive.tokens.to(device)}
        if conditioning.positive.pooled is not None:
            told["pooled_prompt_embeds"] = conditioning.positive.pooled.to(device)
        if conditioning.negative is not None:
            told["negative_prompt_embeds"] = conditioning.negative.tokens.to(device)
            if conditioning.negative.pooled is not None:
                told["negative_pooled_prompt_embeds"] = conditioning.negative.pooled.to(device)
        return told

    def _unpacked(self, latents: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        if self._family.name != "flux":
            return latents
        unpacked: torch.Tensor = self._pipe._unpack_latents(latents, *size, self._pipe.vae_scale_factor)
        return unpacked

    def _synchronize(self) -> None:
        """A step counts once the device has finished it; otherwise progress runs ahead and cancelling lags behind."""
        if self._loaded.device.type == "cuda":
            torch.cuda.synchronize(self._loaded.device)
        elif self._loaded.device.type == "mps":
            torch.mps.synchronize()
