"""A part of a picture that is painted anew: what the model sees of it, and how what it painted is put back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter

#: The soft edge of a mask: a share of the longer side, and pixels of that side in which it is computed.
_FEATHER, _SIDE = 0.012, 512
#: How far tones are evened out beyond the edge: a share of the longer side, and pixels of it in which it is computed.
_REACH, _COARSE = 0.06, 128
#: The furthest that a tone is moved, of 255: what is further off is another thing and not a tone.
_MOST = 32


@dataclass(frozen=True, slots=True)
class Part:
    """A picture, RGB, and its mask of the same size in which white is what is painted."""

    picture: Image.Image
    mask: Image.Image

    @classmethod
    def of(cls, picture: Image.Image, mask: Image.Image) -> Part:
        """With a mask of any mode and size; half light counts as white."""
        fitted = mask.convert("L")
        if fitted.size != picture.size:
            fitted = fitted.resize(picture.size, Image.Resampling.BILINEAR)
        return cls(picture, fitted.point(lambda value: 255 if value >= 128 else 0))

    def seen(self, size: tuple[int, int], cell: int) -> tuple[Image.Image, Image.Image]:
        """Picture and mask in the size that is painted; the mask is whole squares of `cell` pixels, one a latent."""
        picture = self.picture
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        grid = self.mask.resize((size[0] // cell, size[1] // cell), Image.Resampling.BOX)
        return picture, grid.point(lambda value: 255 if value else 0).resize(size, Image.Resampling.NEAREST)

    def restored(self, painted: Image.Image) -> Image.Image:
        """The picture in its own size with what was painted; outside the mask each pixel is what it was."""
        if painted.size != self.picture.size:
            painted = painted.resize(self.picture.size, Image.Resampling.LANCZOS)
        return Image.composite(_evened(painted, self.picture, self.mask), self.picture, _soft(self.mask))


def _evened(painted: Image.Image, picture: Image.Image, mask: Image.Image) -> Image.Image:
    """What was painted, its tones near the edge moved as far as they are off where the picture stays."""
    own, was = (torch.from_numpy(np.array(one, np.float32)).permute(2, 0, 1)[None] for one in (painted, picture))
    kept = 1 - torch.from_numpy(np.array(mask, np.float32))[None, None] / 255
    high, wide = mask.height, mask.width
    scale = min(1.0, _COARSE / max(high, wide))
    coarse = (max(1, round(high * scale)), max(1, round(wide * scale)))
    both = torch.nn.functional.interpolate(torch.cat([(was - own) * kept, kept], 1), coarse, mode="area")
    blurred = _blurred(both, _REACH * max(coarse))
    known = blurred[:, 3:]
    shift = (blurred[:, :3] / known.clamp(min=1e-3)).clamp(-_MOST, _MOST) * (2 * known).clamp(max=1)
    shift = torch.nn.functional.interpolate(shift, (high, wide), mode="bilinear")
    evened = (own + shift).clamp(0, 255).round().to(torch.uint8)
    return Image.fromarray(evened[0].permute(1, 2, 0).numpy())


def _blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """A Gaussian blur, (1, channels, height, width); beyond the border it goes on as at the border."""
    reach = max(1, math.ceil(3 * sigma))
    bell = torch.exp(-(torch.arange(-reach, reach + 1, dtype=torch.float32) ** 2) / (2 * sigma**2))
    bell = (bell / bell.sum()).expand(image.shape[1], 1, -1)
    wide = torch.nn.functional.pad(image, (reach, reach, reach, reach), mode="replicate")
    down = torch.nn.functional.conv2d(wide, bell[..., None], groups=image.shape[1])
    return torch.nn.functional.conv2d(down, bell[:, :, None], groups=image.shape[1])


def _soft(mask: Image.Image) -> Image.Image:
    """A mask that fades to black at its own edge, within it, and stays whole where it is too thin for that."""
    scale = min(1.0, _SIDE / max(mask.size))
    size = (max(1, round(mask.width * scale)), max(1, round(mask.height * scale)))
    small = mask if size == mask.size else mask.resize(size, Image.Resampling.BOX)
    sigma = max(_FEATHER * max(size), 0.5)
    blurred = torch.from_numpy(np.asarray(small.filter(ImageFilter.GaussianBlur(sigma)), np.float32))
    reach = math.ceil(2 * sigma)
    # In a thin stroke the blurred mask peaks low; measured by that peak its middle is whole.
    peak = torch.nn.functional.max_pool2d(blurred[None], 2 * reach + 1, 1, reach)[0].clamp(min=1)
    ramp = ((2 * blurred / peak - 1).clamp(0, 1) * 255).round().to(torch.uint8)
    return ImageChops.darker(Image.fromarray(ramp.numpy()).resize(mask.size, Image.Resampling.BILINEAR), mask)
