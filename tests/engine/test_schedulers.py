from __future__ import annotations

import math

import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    PNDMScheduler,
)

from realbot.engine import models, schedulers

DYNAMIC = dict(
    FlowMatchEulerDiscreteScheduler(
        shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256
    ).config
)
STATIC = dict(FlowMatchEulerDiscreteScheduler(shift=3.0).config)
SD15 = dict(PNDMScheduler(beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1).config)
SDXL = dict(
    EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading", use_karras_sigmas=True).config
)
BASES = {"flux": DYNAMIC, "sd3": STATIC, "sd15": SD15, "sdxl": SDXL}
PAIRS = [(family.name, name) for family in models.FAMILIES.values() for name in family.schedulers]


def started(family: str, name: str, steps: int, mu: float = 0.8) -> object:
    scheduler = schedulers.make(name, family, BASES[family])
    if family == "flux":
        options = {} if name != "euler" else {"sigmas": [1 - i / steps for i in range(steps)]}
        options = options or {"num_inference_steps": steps}
        scheduler.set_timesteps(**options, mu=mu)
    else:
        scheduler.set_timesteps(steps)
    return scheduler


@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_a_perfect_model_is_followed_to_its_picture(family: str, name: str) -> None:
    """A denoiser that always knows the answer must be led exactly there, whatever the solver."""
    target = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    scheduler = started(family, name, 20)
    sample = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    flow = family in ("flux", "sd3")
    generator = torch.Generator().manual_seed(3)
    for t in scheduler.timesteps:
        if flow:
            sigma = t / 1000
            output = (sample - target) / sigma
        else:
            read = scheduler.scale_model_input(sample, t)
            alpha = scheduler.alphas_cumprod[int(t)]
            output = (read - alpha.sqrt() * target) / (1 - alpha).sqrt()
        extra = {"generator": generator} if name == "euler-a" else {}
        sample = scheduler.step(output, t, sample, **extra, return_dict=False)[0]
    assert (sample - target).abs().max() < 0.05


@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_the_estimate_is_what_the_model_aims_at(family: str, name: str) -> None:
    target = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    scheduler = started(family, name, 10)
    estimate = schedulers.Estimate(scheduler)
    assert estimate.latents() is None
    sample = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    sample = sample * getattr(scheduler, "init_noise_sigma", 1.0)
    t = scheduler.timesteps[0]
    if family in ("flux", "sd3"):
        output = (sample - target) / (t / 1000)
    else:
        read = scheduler.scale_model_input(sample, t)
        alpha = scheduler.alphas_cumprod[int(t)]
        output = (read - alpha.sqrt() * target) / (1 - alpha).sqrt()
    scheduler.step(output, t, sample, return_dict=False)
    found = estimate.latents()
    assert found is not None
    assert (found - target).abs().max() < 0.01


@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_two_jobs_share_no_state(family: str, name: str) -> None:
    one, two = started(family, name, 8), started(family, name, 5)
    assert one is not two
    assert (len(one.timesteps), len(two.timesteps)) == (8, 5)


@pytest.mark.parametrize("name", ["euler", "dpm++2m", "unipc"])
def test_the_models_own_shift_is_kept(name: str) -> None:
    """All solvers of a flow model walk over the same noise levels, those that its resolution asks for."""
    for mu in (0.5, 1.15):
        sigmas = started("flux", name, 10, mu).sigmas
        middle = float(sigmas[5])
        assert middle == pytest.approx(math.exp(mu) / (math.exp(mu) + 1), abs=0.07)
    assert float(started("sd3", name, 10).sigmas[5]) == pytest.approx(3 * 0.5 / (1 + 2 * 0.5), abs=0.07)


@pytest.mark.parametrize("name", ["dpm++2m", "unipc"])
def test_a_constant_shift_survives_the_flux_pipelines_mu(name: str) -> None:
    """FLUX.1-schnell has shift 1 whatever the size; the pipeline computes mu from base_shift and max_shift."""
    base = dict(FlowMatchEulerDiscreteScheduler(shift=1.0).config)
    config = schedulers.make(name, "flux", base).config
    assert (config.base_shift, config.max_shift) == (0.0, 0.0)


def test_karras_is_asked_for_by_name_only() -> None:
    names = models.FAMILIES["sdxl"].schedulers
    karras = [n for n in names if schedulers.make(n, "sdxl", SDXL).config.get("use_karras_sigmas")]
    assert karras == ["dpm++2m-karras"]
