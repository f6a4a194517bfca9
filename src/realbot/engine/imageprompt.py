"""The look of a reference picture through weights that were trained for it: IP-Adapter for UNets, Redux for FLUX.

They are read once, when the engine starts, and are on the denoiser only while a picture with a reference is painted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image

from realbot.engine.loading import Loaded, content
from realbot.errors import ConfigError

#: The attention of SDXL that carries style and no layout (Wang et al., "InstantStyle", 2024).
_STYLE = "up_blocks.0.attentions.1."


class ImagePrompt(Protocol):
    """One set of weights."""

    @property
    def identity(self) -> tuple[str, ...]:
        """What besides the request decides the bytes."""
        ...

    def joined(self, picture: Image.Image, weight: float, told: dict[str, Any], guided: bool) -> Any:
        """A context in which the family's pipelines, called with what it gives, paint with the reference in view.

        `told` are the prompts as the pipeline takes them; `guided` says that it also paints without them.
        """
        ...


def imageprompt(settings: Mapping[str, Any], loaded: Loaded) -> ImagePrompt | None:
    """The weights that the section `reference` of the settings names; None where it names none.

    Raises ConfigError when they are not there or do not fit the model.
    """
    if not settings.get("model"):
        return None
    path = Path(settings["model"]).expanduser()
    if not path.exists():
        raise ConfigError(f"There is nothing at {path}; set reference.model to weights.", key="reference.model")
    family = loaded.preset.family
    try:
        if family == "flux":
            return Redux(path, loaded)
        if family in ("sd15", "sdxl"):
            return IPAdapter(path, settings.get("encoder"), loaded)
    except (ConfigError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ConfigError(
            f"The weights at {path} cannot be used with {loaded.preset.name} ({reason}); set reference.model to"
            f" {'a Redux folder' if family == 'flux' else 'an IP-Adapter made for it'}, or leave it out.",
            key="reference.model",
        ) from error
    raise ConfigError(
        f"No weights for reference pictures are known for {loaded.preset.name}; leave reference.model out,"
        " references work without.",
        key="reference.model",
    )


class Redux:
    """FLUX.1 Redux: a picture as more words of the prompt."""

    def __init__(self, folder: Path, loaded: Loaded) -> None:
        from diffusers import FluxPriorReduxPipeline

        options = {"dtype": loaded.dtype, "local_files_only": True, "use_safetensors": True}
        nobody = dict.fromkeys(("text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"))
        self._prior: Any = FluxPriorReduxPipeline.from_pretrained(folder, **options, **nobody)
        self._prior.set_progress_bar_config(disable=True)
        self._prior.to(loaded.device)
        made, taken = self._prior.image_embedder.config.txt_in_features, loaded.pipeline.transformer.config
        if made != taken.joint_attention_dim:
            raise ValueError(f"it speaks in {made} numbers, the model hears {taken.joint_attention_dim}")
        files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json"))
        self.identity: tuple[str, ...] = ("redux", *(content(file) for file in files))

    @contextmanager
    def joined(
        self, picture: Image.Image, weight: float, told: dict[str, Any], guided: bool
    ) -> Iterator[dict[str, Any]]:
        words = told["prompt_embeds"]
        with torch.no_grad():
            seen = self._prior.encode_image(picture, self._prior._execution_device, 1)
            more = self._prior.image_embedder(seen).image_embeds.to(words)
        view = {"prompt_embeds": torch.cat([words, weight * more], 1)}
        if guided:
            # As many words as the other has, which the pipeline insists on, and nothing of the picture in them.
            view["negative_prompt_embeds"] = torch.cat([told["negative_prompt_embeds"], torch.zeros_like(more)], 1)
        yield {**told, **view}


class IPAdapter:
    """IP-Adapter: a picture beside the prompt, with cross-attention of its own."""

    def __init__(self, path: Path, encoder: str | Path | None, loaded: Loaded) -> None:
        from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

        file = path if path.is_file() else next(iter(sorted(path.glob("*.safetensors"))), None)
        if file is None or file.suffix != ".safetensors":
            raise ConfigError(f"There is no .safetensors file at {path}; set reference.model.", key="reference.model")
        folder = Path(encoder).expanduser() if encoder else file.with_name("image_encoder")
        if not folder.is_dir():
            raise ConfigError(
                f"There is no image encoder at {folder}; set reference.encoder to its folder.", key="reference.encoder"
            )
        self._sdxl = loaded.preset.family == "sdxl"
        self._encoder: Any = CLIPVisionModelWithProjection.from_pretrained(
            folder, dtype=loaded.dtype, local_files_only=True, use_safetensors=True
        )
        self._encoder.to(loaded.device).eval()
        side = self._encoder.config.image_size
        self._processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
        self._unet = unet = loaded.pipeline.unet
        before = dict(unet.attn_processors)
        try:
            loaded.pipeline.load_ip_adapter(
                str(file.parent), subfolder="", weight_name=file.name, image_encoder_folder=None, local_files_only=True
            )
            self._projection, self._processors = unet.encoder_hid_proj, dict(unet.attn_processors)
        finally:
            self._off(before)
        # The adapter brings new objects for self-attention too, which may attend in another way than the engine's.
        self._processors |= {name: own for name, own in before.items() if name.endswith("attn1.processor")}
        weights = (path for path in folder.iterdir() if path.suffix in (".safetensors", ".json"))
        self.identity: tuple[str, ...] = ("ip-adapter", content(file), *(content(one) for one in sorted(weights)))

    @contextmanager
    def joined(
        self, picture: Image.Image, weight: float, told: dict[str, Any], guided: bool
    ) -> Iterator[dict[str, Any]]:
        embeds = self._embeds(picture)
        if guided:
            embeds = torch.cat([self._embeds(None), embeds])
        styled = self._sdxl and any(_STYLE in name for name in self._processors)
        for name, processor in self._processors.items():
            if hasattr(processor, "to_k_ip"):
                processor.scale = [weight if not styled or _STYLE in name else 0.0]
        before = dict(self._unet.attn_processors)
        self._unet.set_attn_processor(dict(self._processors))
        self._unet.encoder_hid_proj = self._projection
        self._unet.config.encoder_hid_dim_type = "ip_image_proj"
        try:
            yield {**told, "ip_adapter_image_embeds": [embeds]}
        finally:
            self._off(before)

    def _off(self, before: dict[str, Any]) -> None:
        self._unet.set_attn_processor(dict(before))
        self._unet.encoder_hid_proj = None
        self._unet.config.encoder_hid_dim_type = None

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _embeds(self, picture: Image.Image | None) -> torch.Tensor:
        """What the encoder sees in a picture, or in none: the last layer but one for projections that ask for it."""
        from diffusers.models.embeddings import ImageProjection

        device, dtype = self._unet.device, self._encoder.dtype
        side = self._encoder.config.image_size
        pixels = self._processor(picture or Image.new("RGB", (side, side)), return_tensors="pt").pixel_values
        pixels = pixels.to(device, dtype)
        if isinstance(self._projection.image_projection_layers[0], ImageProjection):
            found = self._encoder(pixels).image_embeds
            return (torch.zeros_like(found) if picture is None else found)[None]
        pixels = torch.zeros_like(pixels) if picture is None else pixels
        return self._encoder(pixels, output_hidden_states=True).hidden_states[-2][None]
