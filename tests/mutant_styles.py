"""LoRA files broken in the ways that strangers and accidents break them; no model library is needed to make them."""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

HUGE = (2**31, 2**40, 2**47, 2**63, 10 * 2**30, 10**18)
NAMES = ("../../etc/passwd", "a\0b", "\u202egnp", "__metadata__", "", ".", "lora_A.weight", "x" * 20_000, "\ud800")
WILD = {
    "F64": [struct.pack("<d", n) for n in (float("nan"), float("inf"), 1e300, 5e-324)],
    "F32": [struct.pack("<f", n) for n in (float("nan"), -float("inf"), 3e38, 1e-45)],
    "F16": [struct.pack("<e", n) for n in (float("nan"), float("inf"), 65504.0)],
    "BF16": [b"\xc0\x7f", b"\x80\xff", b"\x7f\x7f", b"\x01\x00"],
}
#: Adapter settings as trainers write them into the header, gone wrong.
SETTINGS = (
    "{", "[]", "null", "1", '"x"', "[" * 5_000, '{"a":' * 5_000, '{"transformer.lora_alpha": 1e308}',
    '{"transformer.lora_alpha": NaN}', '{"transformer.lora_alpha": null}', '{"transformer.lora_alpha": [4]}',
    '{"transformer.lora_alpha": true}', '{"transformer.lora_alpha": "4"}', '{"transformer.lora_alpha": -1e999}',
    '{"unet.lora_alpha": {}}', '{"transformer.lora_alpha": 4, "transformer.alpha_pattern": [1]}',
    '{"transformer.lora_alpha": 4, "transformer.alpha_pattern": {"to_q": "x"}}',
    '{"transformer.lora_alpha": 4, "transformer.alpha_pattern": {"": 1e300}}',
    '{"transformer.lora_alpha": 4, "transformer.alpha_pattern": 7}', '{"transformer.use_dora": 1}',
    '{"transformer.lora_alpha": ' + "9" * 5_000 + "}", '{"transformer.lora_alpha": ' + "9" * 400 + "}",
)  # fmt: skip


@dataclass
class File:
    """A safetensors file taken apart."""

    header: dict[str, Any]
    data: bytearray

    @classmethod
    def of(cls, content: bytes) -> File:
        size = int.from_bytes(content[:8], "little")
        return cls(json.loads(content[8 : 8 + size]), bytearray(content[8 + size :]))

    def tensors(self) -> list[str]:
        return [name for name in self.header if name != "__metadata__" and isinstance(self.header[name], dict)]

    def packed(self) -> bytes:
        text = json.dumps(self.header).encode()
        return struct.pack("<Q", len(text)) + text + self.data

    def grown(self, name: str, shape: list[int], dtype: str, numbers: bytes) -> None:
        """The tensor with these numbers at the end of the file, and its old place given to a filler."""
        entry = self.header[name]
        self.header[f"{name}.filler"] = {"dtype": "U8", "shape": [_size(entry)], "data_offsets": entry["data_offsets"]}
        place = [len(self.data), len(self.data) + len(numbers)]
        self.header[name] = {"dtype": dtype, "shape": shape, "data_offsets": place}
        self.data += numbers


Fault: TypeAlias = Callable[[File, random.Random], None]


def _size(entry: dict[str, Any]) -> int:
    begin, end = entry["data_offsets"]
    return max(0, end - begin)


def _some(file: File, rng: random.Random) -> tuple[str, dict[str, Any]]:
    name = rng.choice(file.tensors())
    return name, file.header[name]


def offsets(file: File, rng: random.Random) -> None:
    _, entry = _some(file, rng)
    begin, end = entry["data_offsets"]
    entry["data_offsets"] = rng.choice(
        [
            [begin + 1, end + 1],
            [begin, end + rng.choice(HUGE)],
            [end, begin],
            [-4, end - begin - 4],
            [begin],
            [begin, begin],
            list(_some(file, rng)[1]["data_offsets"]),
            [float(begin), end],
            ["0", "4"],
        ]
    )


def dtypes(file: File, rng: random.Random) -> None:
    _, entry = _some(file, rng)
    same = {4: ("F32", "I32", "U32"), 2: ("F16", "BF16", "I16"), 1: ("F8_E4M3", "F8_E5M2", "I8", "BOOL")}
    kind = rng.choice([*WILD, "I64", "BOOL", "F8_E4M3", "F4", "C64", "OBJ", "", None, 7])
    entry["dtype"] = rng.choice([kind, *next((kinds for kinds in same.values() if entry["dtype"] in kinds), ())])


def eights(file: File, rng: random.Random) -> None:
    """A tensor of 8-bit floats or whole numbers that fills its place."""
    _, entry = _some(file, rng)
    width = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}.get(str(entry["dtype"]), 1)
    if entry["shape"]:
        entry["shape"] = [*entry["shape"][:-1], entry["shape"][-1] * width]
    entry["dtype"] = rng.choice(["F8_E4M3", "F8_E5M2", "I8", "U8", "BOOL", "F8_E8M0"])


def shapes(file: File, rng: random.Random) -> None:
    _, entry = _some(file, rng)
    shape = entry["shape"]
    count = 1
    for side in shape:
        count *= side
    choices = [shape[::-1], [count], [1, count], [count, 1], [*shape, 1], [1, *shape], [1] * 64 + shape]
    choices += [[0, *shape], [rng.choice(HUGE), 1], [-1, -count], [True, count], [1.5, 2], [], [[]], "4"]
    entry["shape"] = rng.choice(choices)


def ranks(file: File, rng: random.Random) -> None:
    """Both halves of a layer with another rank, and the numbers for it."""
    name, entry = _some(file, rng)
    pairs = (("lora_A", "lora_B"), ("lora_down", "lora_up"), (".down.", ".up."))
    rank = rng.choice([0, 1, 7, 1024, 1025, 4096, 20_000])
    for first, second in pairs:
        if first in name or second in name:
            down, up = name.replace(second, first), name.replace(first, second)
            for one, axis in ((down, 0), (up, 1)):
                entry = file.header.get(one)
                if isinstance(entry, dict) and isinstance(entry.get("shape"), list) and len(entry["shape"]) >= 2:
                    shape = list(entry["shape"])
                    shape[axis] = rank
                    count = 1
                    for side in shape:
                        count *= side if isinstance(side, int) else 1
                    if 0 <= count < 4_000_000:
                        file.grown(one, shape, "F16", b"\0\x14" * count)
            return


def numbers(file: File, rng: random.Random) -> None:
    _, entry = _some(file, rng)
    wild = WILD.get(str(entry["dtype"]))
    if wild and _size(entry) >= len(wild[0]):
        width = len(wild[0])
        value, begin = rng.choice(wild), entry["data_offsets"][0]
        fill = rng.random() < 0.3
        for at in range(begin, begin + _size(entry), width) if fill else (begin,):
            file.data[at : at + width] = value


def names(file: File, rng: random.Random) -> None:
    name, entry = _some(file, rng)
    found = rng.choice(
        [
            lambda: rng.choice(NAMES),
            lambda: name + rng.choice(NAMES),
            lambda: rng.choice(NAMES) + name,
            lambda: name.replace("lora_A", "lora_B").replace("down", "up"),
            lambda: name.replace("transformer.", "").replace("unet.", ""),
            lambda: name.replace(".", "_"),
            lambda: name.replace("lora_", "hada_"),
            lambda: name.replace("weight", "bias"),
            lambda: name.replace("attn", "norm"),
            lambda: "text_encoder." + name,
            lambda: "diffusion_model." + name,
            name.upper,
        ]
    )()
    del file.header[name]
    file.header[found] = entry


def numbered(file: File, rng: random.Random) -> None:
    """Blocks that there are not, up to billions of them."""
    for name in rng.sample(file.tensors(), rng.randint(1, min(4, len(file.tensors())))):
        number = str(rng.choice([19, 57, 10**4, 10**6, 10**9, 10**30, -1]))
        file.header[re.sub(r"\d+", number, name, count=1)] = file.header.pop(name)


def missing(file: File, rng: random.Random) -> None:
    name, entry = _some(file, rng)
    del file.header[name]
    if rng.random() < 0.7:
        filler = {"dtype": "U8", "shape": [_size(entry)], "data_offsets": entry["data_offsets"]}
        file.header[rng.choice(["filler", f"{name}.scale", f"{name}.alpha"])] = filler


def added(file: File, rng: random.Random) -> None:
    """Something more for a layer, as other kinds of adapters have it."""
    name, _ = _some(file, rng)
    stem = re.sub(r"\.?(lora_A|lora_B|lora_down|lora_up|down|up|alpha)(\.weight)?$", "", name)
    end = rng.choice(["alpha", "dora_scale", "lora_mid.weight", "diff", "diff_b", "lora_magnitude_vector", "scale"])
    shape = rng.choice([[], [1], [3], [2, 2], [0]])
    data = rng.choice(WILD["F32"] + [struct.pack("<f", n) for n in (0.0, -4.0, 1e9, 4.0)])
    count = 1
    for side in shape:
        count *= side
    place = [len(file.data), len(file.data) + 4 * count]
    file.header[f"{stem}.{end}"] = {"dtype": "F32", "shape": shape, "data_offsets": place}
    file.data += data * count


def metadata(file: File, rng: random.Random) -> None:
    text = rng.choice(["\x1b[2J\u202e\0", "<script>@everyone", "x" * 900_000, "\n" * 1000, "%s{0}{name}", "\ud800"])
    key = rng.choice(["realbot.title", "modelspec.description", "ss_output_name", "realbot.family", "x" * 5000])
    found: Any = rng.choice([{key: text}, {key: 1}, {key: None}, [], "x", None, {key: {key: []}}])
    file.header["__metadata__"] = found if rng.random() < 0.5 else {"lora_adapter_metadata": rng.choice(SETTINGS)}


def entries(file: File, rng: random.Random) -> None:
    name, _ = _some(file, rng)
    file.header[name] = rng.choice([None, [], 1, "x", {}, {"dtype": "F32"}, [[[]]], True])


STRUCTURAL: tuple[Fault, ...] = (
    offsets, dtypes, eights, shapes, ranks, numbers, names, numbered, missing, added, metadata, entries,
)  # fmt: skip


def mutated(content: bytes, rng: random.Random) -> bytes:
    """The file with one to three things wrong in it, in its structure, its bytes, or both."""
    found = content
    if rng.random() < 0.75:
        file = File.of(content)
        for _ in range(rng.choice((1, 1, 2, 3))):
            if file.tensors():
                try:
                    rng.choice(STRUCTURAL)(file, rng)
                except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                    break  # What was broken before leaves nothing to break here.
        found = file.packed()
        if rng.random() < 0.85:
            return found
    return _bytes(bytearray(found), rng)


def _bytes(found: bytearray, rng: random.Random) -> bytes:
    size = int.from_bytes(found[:8], "little")
    end = min(8 + size, len(found))
    at = rng.randrange(8, end) if end > 8 else 0
    match rng.randrange(9):
        case 0:
            found[at] = rng.choice(b'0123456789,:[]{}"\\ FBIU\0\xff')
        case 1:
            del found[at : at + rng.randint(1, 30)]
        case 2:
            del found[rng.randrange(len(found)) :]
        case 3:
            found += rng.randbytes(rng.randint(1, 200))
        case 4:
            found[:8] = struct.pack("<Q", rng.choice([0, 1, size - 1, size + 1, 2**20, 2**20 + 1, 2**40, 2**64 - 1]))
        case 5:
            again = bytes(found[8:end])
            twice = again[:-1] + b"," + again[1:]
            found[:end] = struct.pack("<Q", len(twice)) + twice
        case 6:
            deep = rng.choice([b"[", b'{"a":']) * rng.choice([900, 40_000, 200_000])
            found[:end] = struct.pack("<Q", len(deep)) + deep
        case 7:
            found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
        case _:
            found[:4] = rng.choice([b"PK\3\4", b"\x80\x02}q", b"GGUF", b"\x89HDF", b"\x7fELF"])
    return bytes(found)
