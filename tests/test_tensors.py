"""The safetensors format and what a LoRA must hold: every fault is refused by its name, nothing is unpickled."""

import io
import json
import os
import pickle
import random
import struct
import time
import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest
from safetensors import SafetensorError, deserialize

from crafted import LAYER, framed, packed, reason, tensor
from realbot.styles import Styles
from realbot.tensors import MAX_HEADER, Broken, read_checked


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "styles"
    path.mkdir()
    return path


def test_files_of_the_library_are_accepted_whatever_the_dialect(folder):
    numpy = pytest.importorskip("numpy")
    from safetensors.numpy import save_file

    for n, (first, second) in enumerate(
        [
            ("x.lora_A.weight", "x.lora_B.weight"),
            ("lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight"),
            ("unet.x.lora.down.weight", "unet.x.lora.up.weight"),
            ("unet.x.processor.to_q_lora.down.weight", "unet.x.processor.to_q_lora.up.weight"),
            ("double_blocks.0.processor.qkv_lora1.down.weight", "double_blocks.0.processor.qkv_lora1.up.weight"),
        ]
    ):
        for kind in ("float16", "float32", "float64"):
            layer = {first: numpy.full((4, 8), 0.25, kind), second: numpy.zeros((16, 4), kind)}
            layer["x.alpha"] = numpy.array(4.0, kind)
            save_file(layer, folder / f"{kind}-{n}.safetensors", {"format": "np"})
    conv = {"x.lora_A.weight": numpy.ones((4, 8, 3, 3), "f4"), "x.lora_B.weight": numpy.ones((8, 4, 1, 1), "f4")}
    save_file(conv, folder / "conv.safetensors")
    styles = Styles([folder])
    assert not styles.broken
    assert len(styles.names()) == 16
    assert styles.get("float32-4").family == "flux"


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("ending", [".safetensors", ".pt", ".ckpt", ".bin", ".pth", ".PT"])
def test_L1_a_pickle_is_refused_and_never_run(folder, ending, protocol):
    canary = folder.parent / "canary"
    assert reason(folder, pickle.dumps(Canary(canary), protocol) * 3, f"bad{ending}")
    assert not canary.exists()


def test_L1_a_zip_with_another_name_is_called_what_it_is(folder):
    assert "pickle with another name" in reason(folder, b"PK\x03\x04" + bytes(100))


ENTRY = '"x.lora_A.weight":{"dtype":"F32","shape":%s,"data_offsets":%s}'
CRAFTED = {
    "empty": (b"", "cut short"),
    "length only": (struct.pack("<Q", 2**40), "header of more than 1024 KiB"),
    "length beyond the end": (struct.pack("<Q", 100) + b"{}", "ends before its header"),
    "no JSON": (framed(b"{nope"), "not valid JSON"),
    "not UTF-8": (framed(b'{"\xff":1}'), "not valid JSON"),
    "a list": (framed(b"[]"), "not an object"),
    "NaN in JSON": (framed(b'{"a":NaN}'), "not valid JSON"),
    "the same name twice": (framed(b'{"a":1,"a":1}'), "not valid JSON"),
    "deep": (framed(b'{"a":' + b"[" * 100_000), "not valid JSON"),
    "long number": (framed(b'{"a":' + b"9" * 100_000 + b"}"), "not valid JSON"),
    "metadata of numbers": (framed(b'{"__metadata__":{"a":1}}'), "metadata that is not text"),
    "metadata list": (framed(b'{"__metadata__":[]}'), "metadata that is not text"),
    "no tensors": (framed(b"{}"), "holds no LoRA layers"),
    "data without tensors": (framed(b"{}", b"1234"), "longer than its tensors"),
    "field missing": (framed(b'{"a":{"dtype":"F32"}}'), "without dtype, shape"),
    "field more": (framed(b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"b":1}}'), "without dtype, shape"),
    "three offsets": (framed(b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0,0]}}'), "without dtype, shape"),
    "unknown numbers": (framed(b'{"a":{"dtype":"OBJ","shape":[0],"data_offsets":[0,0]}}'), "unknown kind"),
    "negative": (framed(f"{{{ENTRY % ('[-1,-4]', '[0,16]')}}}".encode(), bytes(16)), "impossible"),
    "true for 1": (framed(f"{{{ENTRY % ('[true,4]', '[0,16]')}}}".encode(), bytes(16)), "impossible"),
    "fraction": (framed(f"{{{ENTRY % ('[1.0,4]', '[0,16]')}}}".encode(), bytes(16)), "impossible"),
    "overflow": (framed(f"{{{ENTRY % ('[4611686018427387904,4]', '[0,0]')}}}".encode()), "impossible"),
    "shape and size disagree": (framed(f"{{{ENTRY % ('[2,4]', '[0,16]')}}}".encode(), bytes(16)), "disagree"),
    "backwards": (framed(f"{{{ENTRY % ('[0]', '[4,0]')}}}".encode(), bytes(4)), "disagree"),
    "gap at the start": (framed(f"{{{ENTRY % ('[1,4]', '[4,20]')}}}".encode(), bytes(20)), "overlap or leave a gap"),
    "trailing data": (packed() + b"x", "longer than its tensors"),
    "cut off": (packed()[:-1], "shorter than its tensors"),
}  # fmt: skip


@pytest.mark.parametrize("name", CRAFTED)
def test_L2_L3_a_malformed_file_is_refused_with_its_fault(folder, name):
    content, says = CRAFTED[name]
    assert says in reason(folder, content)
    if name not in ("no tensors", "the same name twice", "field more"):
        with pytest.raises(SafetensorError):
            deserialize(content)


def test_L2_overlap_is_refused(folder):
    header = json.loads(packed()[8:].split(b"}}")[0] + b"}}")
    first, second = header.values()
    second["data_offsets"] = [64, 64 + 256]
    assert "overlap" in reason(folder, framed(json.dumps(header).encode(), bytes(320)))
    assert first["data_offsets"] == [0, 128]


def test_L2_what_is_accepted_the_library_accepts():
    """Random changes to a good file: accepting is only right where the library accepts too."""
    rng = random.Random(5)
    good = packed(metadata={"realbot.title": "x"})
    data = sum(len(numbers) for _, _, numbers in LAYER.values())
    accepted = 0
    for _ in range(20_000):
        content = bytearray(good)
        for _ in range(rng.choice((1, 1, 2, 4))):
            spot = rng.randrange(len(good) - data)
            match rng.randrange(3):
                case 0:
                    content[spot] = rng.choice(b'0123456789,:[]{}"\\ FBIU\x00\xff')
                case 1:
                    content[spot : spot + 1] = b""
                case _:
                    content[spot:spot] = bytes([rng.choice(b'0123456789,:[]{}"')])
        if rng.random() < 0.5:
            content[:8] = struct.pack("<Q", max(0, len(content) - 8 - data))
        try:
            read_checked(io.BytesIO(content), len(content), sha256())
        except Broken:
            continue
        accepted += 1
        deserialize(bytes(content))
    assert accepted > 200


def test_L3_a_header_bomb_costs_neither_time_nor_memory(folder):
    entries = ",".join(f'"{n}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for n in range(16_000))
    header = f"{{{entries}}}".encode()
    assert 900_000 < len(header) < MAX_HEADER
    began = time.process_time()
    assert reason(folder, framed(header)) == "holds no LoRA layers"
    assert time.process_time() - began < 2
    tracemalloc.start()
    assert reason(folder, framed(header)) == "holds no LoRA layers"
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()
    assert "header of more than" in reason(folder, framed(b" " * (MAX_HEADER + 1)))


def number(kind: str, value: float) -> bytes:
    if kind == "BF16":
        return struct.pack("<f", value)[2:]
    return struct.pack({"F16": "<e", "F32": "<f", "F64": "<d"}[kind], value)


@pytest.mark.parametrize("kind", ["F16", "BF16", "F32", "F64"])
@pytest.mark.parametrize("value", [float("nan"), -float("nan"), float("inf"), -float("inf")])
def test_L4_numbers_that_are_not_finite_are_refused(folder, kind, value):
    half = number(kind, 0.5)
    layer = {
        "x.lora_A.weight": tensor(4, 8, dtype=kind, number=half, last=number(kind, value)),
        "x.lora_B.weight": tensor(8, 4, dtype=kind, number=half),
    }
    assert reason(folder, packed(layer)) == "holds numbers that are not finite"


@pytest.mark.parametrize("kind", ["F16", "BF16", "F32", "F64"])
@pytest.mark.parametrize("value", [0.0, -0.0, 1e-7, 1.0, -300.0, 65504.0])
def test_L4_ordinary_numbers_are_accepted(folder, kind, value):
    given = number(kind, value)
    layer = {
        "x.lora_A.weight": tensor(4, 8, dtype=kind, number=given),
        "x.lora_B.weight": tensor(8, 4, dtype=kind, number=given),
    }
    (folder / "x.safetensors").write_bytes(packed(layer))
    assert Styles([folder]).names() == ["x"]


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"model.weight": tensor(4, 4)}, "holds no LoRA layers"),
        ({"x.hada_w1_a": tensor(4, 4)}, "holds no LoRA layers"),
        ({"x.lora_A.weight": tensor(4, 8)}, "do not fit together"),
        ({"x.lora_A.weight": tensor(4, 8), "y.lora_B.weight": tensor(8, 4)}, "do not fit together"),
        ({"x.lora_A.weight": tensor(4, 8), "x.lora_B.weight": tensor(8, 2)}, "do not fit together"),
        (
            {"x_lora1.down.weight": tensor(4, 8), "x_lora2.up.weight": tensor(8, 4)},
            "do not fit together",
        ),
        ({"x.lora_A.weight": tensor(0, 8), "x.lora_B.weight": tensor(8, 0)}, "rank that is not between 1 and 1024"),
        ({"x.lora_A.weight": tensor(4096, 1), "x.lora_B.weight": tensor(1, 4096)}, "rank that is not between"),
        ({"x.lora_A.weight": tensor(4), "x.lora_B.weight": tensor(4)}, "rank that is not between"),
        (
            {
                "x.lora_A.weight": tensor(4, 8, dtype="I8", number=b"\1"),
                "x.lora_B.weight": tensor(8, 4, dtype="I8", number=b"\1"),
            },
            "not F16, BF16, F32 or F64",
        ),
    ],
)
def test_L5_what_is_no_lora_is_refused(folder, layer, says):
    assert says in reason(folder, packed(layer))
