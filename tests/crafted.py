"""LoRA files made byte by byte, good ones and bad ones."""

import json
import struct
from pathlib import Path

from realbot.styles import Styles

HALF = struct.pack("<f", 0.5)


def tensor(*shape: int, dtype: str = "F32", number: bytes = HALF, last: bytes | None = None) -> tuple:
    count = 1
    for side in shape:
        count *= side
    data = number * count
    return dtype, list(shape), data if last is None else data[: -len(last)] + last


LAYER = {"transformer.x.lora_A.weight": tensor(4, 8), "transformer.x.lora_B.weight": tensor(16, 4)}


def packed(tensors: dict | None = None, metadata: dict | None = None) -> bytes:
    header: dict = {} if metadata is None else {"__metadata__": metadata}
    data = b""
    for name, (dtype, shape, numbers) in (LAYER if tensors is None else tensors).items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    return framed(json.dumps(header).encode(), data)


def framed(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def reason(folder: Path, content: bytes, name: str = "bad.safetensors") -> str:
    """Why a file with this content is refused."""
    (folder / name).write_bytes(content)
    styles = Styles([folder])
    assert styles.names() == []
    return styles.broken[name]
