"""What torch finds on this machine, in a process of its own: `python -m realbot.engine.survey` prints JSON."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import Any


def survey() -> dict[str, Any]:
    """Versions, devices with their memory in bytes, and why a library cannot be loaded."""
    told: dict[str, Any] = {"torch": "", "devices": [], "mps": False, "torchvision": ""}
    try:
        import torch
    except Exception as error:  # A broken build fails in as many ways as there are builds.
        return {**told, "error": _short(error)}
    told |= {"torch": torch.__version__, "cuda": torch.version.cuda or torch.version.hip or ""}
    try:
        told["mps"] = torch.backends.mps.is_available()
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            told["devices"].append({"name": torch.cuda.get_device_name(index), "free": free, "total": total})
    except Exception as error:
        told["device_error"] = _short(error)
    if importlib.util.find_spec("torchvision") is not None:
        try:
            import torchvision  # noqa: F401
        except Exception as error:
            told["torchvision"] = _short(error)
    return told


def _short(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


if __name__ == "__main__":
    json.dump(survey(), sys.stdout)
