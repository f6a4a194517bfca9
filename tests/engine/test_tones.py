"""The tones of what stands out of a picture, moved to those of another."""

from __future__ import annotations

import torch

from realbot.engine.tones import Tones


def thing(ground: float, tone: float, side: int = 16) -> torch.Tensor:
    """Latents of a square of one tone, a little uneven, in the middle of a plain background."""
    latents = torch.full((1, 4, side, side), ground)
    middle = slice(side // 4, side - side // 4)
    uneven = torch.randn(4, side // 2, side // 2, generator=torch.Generator().manual_seed(side)) * 0.1
    latents[0, :, middle, middle] = tone + uneven
    return latents


def test_what_stands_out_takes_the_tones_and_the_background_stays() -> None:
    picture = thing(ground=1.0, tone=2.0)
    moved = picture + Tones(thing(ground=-1.0, tone=-3.0), 1.0).move(picture)
    assert torch.equal(moved[..., :4, :], picture[..., :4, :])
    middle = moved[..., 5:11, 5:11]
    assert middle.mean() < -1
    plainer = picture[..., 5:11, 5:11]
    assert torch.corrcoef(torch.stack([middle.flatten(), plainer.flatten()]))[0, 1] > 0.3


def test_half_the_degree_is_half_the_way_and_none_is_none() -> None:
    picture, other = thing(1.0, 2.0), thing(0.0, -1.0)
    whole, half, none = (Tones(other, degree).move(picture) for degree in (1.0, 0.5, 0.0))
    assert torch.allclose(half, whole / 2)
    assert not none.any()


def test_a_picture_has_its_own_tones() -> None:
    picture = thing(1.0, 2.0)
    assert Tones(picture, 1.0).move(picture).abs().max() < 0.02


def test_the_sizes_may_differ_and_a_plain_picture_makes_no_numbers_that_are_none() -> None:
    picture, plain = thing(1.0, 2.0, side=32), torch.ones(1, 4, 16, 16)
    assert Tones(thing(0.0, 1.0), 0.7).move(picture).shape == picture.shape
    assert torch.isfinite(Tones(plain, 1.0).move(picture)).all()
    assert not Tones(picture, 1.0).move(plain).any()
