"""Enlarging pictures: a model file of the operator's, else the small networks of pyanime4k, else plain resampling.

Every one gives the same bytes for the same picture; which one it was goes into the engine's fingerprint.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from PIL import Image

from realbot.errors import ConfigError, EngineError

#: Called after each part with the parts done and the parts in all. Raising in it ends the work.
OnPart: TypeAlias = Callable[[int, int], None]

#: Sides of a tile in pixels of the small picture, on a GPU and on a CPU, and what is seen beyond each edge of it.
_TILE, _SMALL_TILE, _MARGIN = 512, 96, 16
_NETWORK = "arnet-hdn"


class Upscaler(Protocol):
    """One way of enlarging."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def identity(self) -> tuple[str, ...]:
        """What besides the picture decides the bytes."""
        ...

    def enlarge(self, picture: Image.Image, factor: int, on_part: OnPart) -> Image.Image:
        """An RGB picture with each side times `factor`."""
        ...


def upscaler(settings: Mapping[str, Any], device: torch.device) -> Upscaler:
    """The one that the section `upscale` of the settings asks for, else the best that is installed.

    Raises ConfigError when the model file cannot be used.
    """
    if settings.get("model"):
        return Model(Path(settings["model"]).expanduser(), device)
    return Anime4K() if importlib.util.find_spec("pyanime4k") is not None else Lanczos()


class Lanczos:
    """Resampling with Pillow: always there, invents nothing."""

    name = "lanczos"
    identity = ("lanczos",)

    def enlarge(self, picture: Image.Image, factor: int, on_part: OnPart) -> Image.Image:
        large = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.LANCZOS)
        on_part(1, 1)
        return large


class Anime4K:
    """The networks inside the package pyanime4k, on the CPU: fast, crisp edges."""

    name = "anime4k"

    def __init__(self) -> None:
        self.identity: tuple[str, ...] = ("anime4k", importlib.metadata.version("pyanime4k"), _NETWORK)
        self._processor: Any = None

    def enlarge(self, picture: Image.Image, factor: int, on_part: OnPart) -> Image.Image:
        if self._processor is None:
            core = importlib.import_module("pyanime4k.pyac").pyac.core
            self._processor = core.Processor(core.Processor.CPU, 0, _NETWORK)
        large = self._processor(np.array(picture), float(factor))
        on_part(1, 1)
        return Image.fromarray(np.asarray(large))


class Model:
    """A model file of any architecture that spandrel knows, in tiles, on the engine's device."""

    def __init__(self, path: Path, device: torch.device) -> None:
        """Raises ConfigError when spandrel is missing, or the file is not an RGB upscaler in safetensors."""
        self.name = path.stem
        self._device = device
        self._network = _load(path)
        half = device.type == "cuda" and self._network.supports_half
        self._network.to(device, torch.float16 if half else torch.float32)
        self._network.model.requires_grad_(False)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.identity: tuple[str, ...] = ("spandrel", importlib.metadata.version("spandrel"), digest, str(half))

    def enlarge(self, picture: Image.Image, factor: int, on_part: OnPart) -> Image.Image:
        """As often as the model's own scale needs; what is too large then is made smaller by resampling."""
        scale, passes = self._network.scale, 1
        while scale**passes < factor:
            passes += 1
        size = (picture.width * factor, picture.height * factor)
        widths = [(picture.width * scale**n, picture.height * scale**n) for n in range(passes)]
        of = sum(len(list(self._tiles(*side))) for side in widths)
        done = 0
        for _ in range(passes):
            large = Image.new("RGB", (picture.width * scale, picture.height * scale))
            for box in self._tiles(*picture.size):
                large.paste(self._part(picture, box), (box[0] * scale, box[1] * scale))
                done += 1
                on_part(done, of)
            picture = large
        return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)

    def _tiles(self, width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
        """The parts of a picture as left, top, right, bottom; one where the model must see all of it."""
        side = _SMALL_TILE if self._device.type == "cpu" else _TILE
        if self._network.tiling.name != "SUPPORTED":
            side = max(width, height)
        for top in range(0, height, side):
            for left in range(0, width, side):
                yield left, top, min(left + side, width), min(top + side, height)

    def _part(self, picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
        """A tile enlarged, computed with a margin of what is around it, so that no seam is seen."""
        left, top, right, bottom = box
        x, y = max(left - _MARGIN, 0), max(top - _MARGIN, 0)
        around = picture.crop((x, y, min(right + _MARGIN, picture.width), min(bottom + _MARGIN, picture.height)))
        pixels = torch.from_numpy(np.array(around)).permute(2, 0, 1)[None]
        given = pixels.to(self._device, self._network.dtype) / 255
        large = self._network(given)[0].float()
        if not bool(torch.isfinite(large).all()):
            raise EngineError("The upscaling model computed numbers that are no picture (NaN).")
        scale = self._network.scale
        part = Image.fromarray(large.mul(255).round().to(torch.uint8).permute(1, 2, 0).cpu().contiguous().numpy())
        return part.crop(((left - x) * scale, (top - y) * scale, (right - x) * scale, (bottom - y) * scale))


def _load(path: Path) -> Any:
    if importlib.util.find_spec("spandrel") is None:
        raise ConfigError(
            "upscale.model needs the package spandrel; run pip install --no-deps spandrel einops, or leave it out.",
            key="upscale.model",
        )
    if path.suffix != ".safetensors":
        raise ConfigError(
            f"upscale.model {path} is not a .safetensors file; other formats can run code and are never read.",
            key="upscale.model",
        )
    try:
        network = _spandrel().ModelLoader("cpu").load_from_file(path)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise ConfigError(
            f"upscale.model {path} cannot be loaded ({reason}); choose another file, or leave it out.",
            key="upscale.model",
        ) from error
    kind = getattr(network, "purpose", "")
    if kind not in ("SR", "FaceSR") or network.scale < 2 or network.input_channels != 3 or network.output_channels != 3:
        raise ConfigError(
            f"upscale.model {path} does not enlarge colour pictures; choose another file, or leave it out.",
            key="upscale.model",
        )
    return network


def _spandrel() -> Any:
    """The package; its architectures that need torchvision refuse to run where that is missing or broken."""
    try:
        return importlib.import_module("spandrel")
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] in ("spandrel", "torchvision")]:
            del sys.modules[name]
    functional: Any = types.ModuleType("torchvision.transforms.functional")
    functional.InterpolationMode = types.SimpleNamespace(NEAREST=0, BILINEAR=2)
    functional.rotate = functional.normalize = _needs_torchvision
    stubs = [types.ModuleType("torchvision"), types.ModuleType("torchvision.transforms"), functional]
    sys.modules.update({stub.__name__: stub for stub in stubs})
    try:
        return importlib.import_module("spandrel")
    finally:
        # Left behind, they would be taken for the real package by others.
        for stub in stubs:
            del sys.modules[stub.__name__]


def _needs_torchvision(*_: Any, **__: Any) -> Any:
    raise RuntimeError("this architecture needs torchvision")
