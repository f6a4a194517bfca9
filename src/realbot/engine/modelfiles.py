"""Model folders and files before anything is loaded: whether they are here, and what they say of themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from realbot.errors import ModelMissing

#: Bytes of a safetensors header at most, as the format's own reader has it.
_HEADER_LIMIT = 100_000_000
SUPPORTED = "FLUX.1, FLUX.1 Kontext, SDXL, SD 1.5 or SD 3.5"


def is_local(source: str | Path) -> bool:
    """Whether a source is a path on this machine and not a name on the hub."""
    text = str(source)
    named = re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", text) is not None
    return Path(text).expanduser().exists() or not named or text.endswith(".safetensors")


def pipeline_of(folder: Path) -> str:
    """The class in diffusers that a folder names. Raises ModelMissing when it names none."""
    try:
        name = json.loads((folder / "model_index.json").read_text("utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelMissing(
            f"The folder {folder} holds no model: model_index.json is missing or broken;"
            " set model.path to a folder in the diffusers layout."
        ) from error
    return str(name)


def family_of(path: Path) -> str:
    """The family of a single file, by the names of its tensors. Raises ModelMissing where it is none of them."""
    keys = {key.removeprefix("model.diffusion_model.") for key in header(path)}
    if "double_blocks.0.img_attn.qkv.weight" in keys:
        return "flux"
    if "joint_blocks.0.context_block.attn.qkv.weight" in keys:
        return "sd3"
    if "input_blocks.0.0.weight" in keys:
        return "sdxl" if "label_emb.0.0.weight" in keys else "sd15"
    raise ModelMissing(f"The file {path} is not a whole model of a kind realbot can run; use {SUPPORTED}.")


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
    except (OSError, ValueError, RecursionError) as error:
        raise ModelMissing(
            f"The file {path} is not a safetensors file or is cut short; download it again"
            " (other formats can run code and are never read)."
        ) from error
    return data
