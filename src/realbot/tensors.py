"""The safetensors format, checked by hand: an 8-byte length, a JSON header, and tensors without gaps or overlap.

Numbers are looked at as bytes, so that registration needs no model library.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol

MAX_HEADER = 1 << 20
MAX_TENSORS = 20_000
MAX_RANK = 1024
CHUNK = 1 << 22
#: Bytes of one number.
WIDTHS = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
#: Highest bytes of numbers that are infinite, no number, or larger than 1e38 (for F16: not finite).
WILD = {"F64": b"\x7f\xff", "F32": b"\x7f\xff", "BF16": b"\x7f\xff", "F16": b"\x7c\x7d\x7e\x7f\xfc\xfd\xfe\xff"}
#: How the names of a layer's matrices end; XLabs has `qkv_lora1.down.weight`, early diffusers `to_q_lora.down.weight`.
FIRST = (".lora_A.weight", ".lora_A.default.weight", ".lora_down.weight", ".down.weight")
SECOND = (".lora_B.weight", ".lora_B.default.weight", ".lora_up.weight", ".up.weight")


class Broken(Exception):
    """Why a file cannot be used, as the rest of a sentence that starts with its name."""


class Digest(Protocol):
    """What `hashlib.sha256()` returns."""

    def update(self, data: bytes, /) -> None: ...


class Tensor(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_checked(file: BinaryIO, size: int, digest: Digest) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Read a whole LoRA file: the shape of each tensor, and the metadata. `digest` takes in every byte.

    Raises Broken for a malformed file, numbers that are not finite, and files that are no LoRA.
    """
    start = _exactly(file, 8, digest)
    length = int.from_bytes(start, "little")
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")) and length > MAX_HEADER:
        raise Broken("is a pickle with another name, which can run code; convert it to .safetensors")
    if length > MAX_HEADER:
        raise Broken(f"has a header of more than {MAX_HEADER >> 10} KiB")
    if length > size - 8:
        raise Broken("ends before its header does")
    tensors, metadata = _header(_exactly(file, length, digest), size - 8 - length)
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    _lora(shapes, {tensor.name: tensor.dtype for tensor in tensors})
    for tensor in tensors:
        _finite(file, tensor, digest)
    if file.read(1):
        raise Broken("changed while it was read")
    return shapes, metadata


def _exactly(file: BinaryIO, count: int, digest: Digest) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise Broken("is cut short")
    digest.update(data)
    return data


def _header(text: bytes, available: int) -> tuple[list[Tensor], dict[str, str]]:
    """The tensors in the order of their bytes, which fill the rest of the file exactly."""
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Broken("has a header that is not valid JSON") from None
    if not isinstance(header, dict):
        raise Broken("has a header that is not an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Broken("has metadata that is not text")
    if len(header) > MAX_TENSORS:
        raise Broken(f"has more than {MAX_TENSORS} tensors")
    tensors = sorted((_tensor(name, entry) for name, entry in header.items()), key=lambda t: (t.begin, t.end))
    position = 0
    for tensor in tensors:
        if tensor.begin != position:
            raise Broken("has tensors that overlap or leave a gap")
        position = tensor.end
    if position != available:
        raise Broken("is longer than its tensors" if position < available else "is shorter than its tensors")
    return tensors, metadata


def _tensor(name: str, entry: Any) -> Tensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [begin, end]} if len(entry) == 3:
            numbers = [*shape, begin, end]
        case _:
            raise Broken("has a tensor without dtype, shape and data_offsets")
    if dtype not in WIDTHS:
        raise Broken("has a tensor of an unknown kind of numbers")
    if len(shape) > 8 or any(type(n) is not int or not 0 <= n < 2**48 for n in numbers):
        raise Broken("has a tensor with an impossible shape or offset")
    if end - begin != math.prod(shape) * WIDTHS[dtype]:
        raise Broken("has a tensor whose size and shape disagree")
    return Tensor(name, dtype, tuple(shape), begin, end)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _refuse(name: str) -> None:
    raise ValueError(name)


def _lora(shapes: dict[str, tuple[int, ...]], dtypes: dict[str, str]) -> None:
    """Every layer has both of its matrices, of one rank, in floating point."""
    ranks = dict(_ranks(shapes, FIRST, 0))
    others = dict(_ranks(shapes, SECOND, 1))
    if not ranks and not others:
        raise Broken("holds no LoRA layers")
    if ranks != others:
        raise Broken("has a LoRA layer whose two matrices do not fit together")
    if not all(1 <= rank <= MAX_RANK for rank in ranks.values()):
        raise Broken(f"has a rank that is not between 1 and {MAX_RANK}")
    if any(dtypes[name] not in WILD for name in shapes if name.endswith((*FIRST, *SECOND))):
        raise Broken("has LoRA layers that are not F16, BF16, F32 or F64")


def _ranks(shapes: dict[str, tuple[int, ...]], endings: tuple[str, ...], axis: int) -> Iterator[tuple[str, int]]:
    for name, shape in shapes.items():
        ending = next((ending for ending in endings if name.endswith(ending)), None)
        if ending is not None:
            yield name.removesuffix(ending), shape[axis] if len(shape) in (2, 4) else 0


def _finite(file: BinaryIO, tensor: Tensor, digest: Digest) -> None:
    width, wild = WIDTHS[tensor.dtype], WILD.get(tensor.dtype)
    left = tensor.end - tensor.begin
    while left:
        data = _exactly(file, min(left, CHUNK), digest)
        left -= len(data)
        highest = data[width - 1 :: width]
        if wild is not None and len(highest.translate(None, wild)) < len(highest):
            raise Broken("holds numbers that are not finite")
