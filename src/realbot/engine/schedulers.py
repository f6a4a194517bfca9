"""The names people know as scheduler objects of the family, a new one for every job.

Flow-matching models get solvers over their own sigmas; the shift of the noise schedule stays the model's.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Mapping
from typing import Any

_EULER_FLOW = "FlowMatchEulerDiscreteScheduler"
_CLASSES = {
    "euler": "EulerDiscreteScheduler",
    "euler-a": "EulerAncestralDiscreteScheduler",
    "dpm++2m": "DPMSolverMultistepScheduler",
    "dpm++2m-karras": "DPMSolverMultistepScheduler",
    "ddim": "DDIMScheduler",
    "unipc": "UniPCMultistepScheduler",
}
_FLOW_FAMILIES = ("flux", "sd3")
_KARRAS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")


def make(name: str, family: str, base: Mapping[str, Any]) -> Any:
    """A new scheduler object by a resolved name; `base` is the configuration of the model's own scheduler."""
    flow = family in _FLOW_FAMILIES
    kind = _EULER_FLOW if flow and name == "euler" else _CLASSES[name]
    cls = getattr(importlib.import_module("diffusers"), kind)
    config = {key: value for key, value in base.items() if not key.startswith("_")}
    if flow:
        if kind == _EULER_FLOW:
            return cls.from_config(config)
        return _steered(cls.from_config({**config, **_flow(family, config)}))
    extra: dict[str, Any] = dict.fromkeys(_KARRAS, False)
    if name.startswith("dpm++2m"):
        extra |= {"algorithm_type": "dpmsolver++", "solver_order": 2, "use_karras_sigmas": name.endswith("karras")}
    if name == "ddim":
        # The class clips to [-1, 1] unless told otherwise, which is meant for pixels; latents are larger.
        extra |= {"clip_sample": False, "set_alpha_to_one": config.get("set_alpha_to_one", False)}
    return cls.from_config({**config, **extra})


def _steered(solver: Any) -> Any:
    """A general solver with what image-to-image pipelines of flow models ask of Euler.

    They hand over sigmas where text-to-image leaves them to the solver, and call `scale_noise`, which in flow sigmas
    is the solver's own `add_noise`.
    """
    own = solver.set_timesteps

    def set_timesteps(num_inference_steps: int | None = None, sigmas: Any = None, **options: Any) -> None:
        own(len(sigmas) if num_inference_steps is None else num_inference_steps, **options)

    solver.set_timesteps = set_timesteps
    solver.scale_noise = lambda sample, timestep, noise: solver.add_noise(sample, noise, timestep)
    return solver


def _flow(family: str, base: Mapping[str, Any]) -> dict[str, Any]:
    """What a general solver needs in order to walk the flow of this model."""
    shift = float(base.get("shift", 1.0))
    dynamic = bool(base.get("use_dynamic_shifting", False))
    flow = {
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "use_dynamic_shifting": dynamic,
        "time_shift_type": "exponential",
        "flow_shift": shift,
        "algorithm_type": "dpmsolver++",
        "solver_order": 2,
        "final_sigmas_type": "zero",
        **dict.fromkeys(_KARRAS, False),
    }
    if family == "flux" and not dynamic:
        # FluxPipeline always hands over a mu, and exp(mu) is the shift: a constant mu keeps the model's own.
        flow |= {"use_dynamic_shifting": True, "base_shift": math.log(shift), "max_shift": math.log(shift)}
    return flow


class Estimate:
    """Watches one scheduler at work and knows the clean latents it is heading for."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._last: tuple[Any, Any, Any] | None = None
        step = scheduler.step

        @functools.wraps(step)
        def watched(model_output: Any, timestep: Any, sample: Any, *args: Any, **options: Any) -> Any:
            result = step(model_output, timestep, sample, *args, **options)
            self._last = (model_output, sample, result)
            return result

        scheduler.step = watched

    def latents(self) -> Any | None:
        """The estimate of x0 after the latest step, shaped as the pipeline's latents; None before the first.

        Multistep solvers keep it, Euler and DDIM of the SD family return it, and on a straight flow it is x - σ·v.
        """
        if self._last is None:
            return None
        output, sample, result = self._last
        kept = getattr(self._scheduler, "model_outputs", None)
        if kept:
            return kept[-1]
        if isinstance(result, tuple) and len(result) > 1:
            return result[1]
        sigma = self._scheduler.sigmas[self._scheduler.step_index - 1]
        return sample.float() - sigma.to(sample.device) * output.float()
