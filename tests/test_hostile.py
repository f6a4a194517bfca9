"""Uploads that mean harm: mutated, enormous, of other formats, with names and addresses that lead elsewhere."""

from __future__ import annotations

import collections
import inspect
import random
import socket
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import mutant_styles
import mutants
from crafted import packed, tensor
from realbot import grammar, uploads
from realbot.darkroom import Darkroom
from realbot.errors import Invalid
from realbot.jobs import Generate
from realbot.rulebook import Limits
from realbot.store import Store
from realbot.styles import Styles
from realbot.uploads import Uploads
from studios import ANNA, rig
from test_uploads import drawing, file, taken


@pytest.mark.parametrize("kind", mutants.KINDS)
async def test_I6_mutated_files_come_to_a_picture_or_one_sentence(tmp_path: Path, kind: str):
    """Through the door that all uploads take; benchmarks/hostile.py brings ten thousand."""
    rng = random.Random(kind)
    sound = mutants.whole(kind)
    async with Store.open(tmp_path / "data") as store:
        brought = Uploads(store)
        await brought.take(ANNA, sound, Limits())
        for _ in range(4):
            try:
                image = await brought.take(ANNA, mutants.mutated(sound, rng), Limits())
            except Invalid as error:
                assert "\n" not in str(error)
            else:
                with Image.open(await store.picture(image)) as picture:
                    assert (picture.format, picture.mode) == ("PNG", "RGB")


@pytest.mark.parametrize("kind", ["png palette", "webp clear", "jpeg print"])
def test_I1_the_largest_pictures_take_less_than_512_mb_and_two_seconds_of_a_processor(tmp_path: Path, kind: str):
    sides = (7000, 4000) if kind.startswith("webp") else (8000, 5000)
    script = (
        "import os, subprocess, sys; sys.path.append(sys.argv[1]); import mutants;"
        f"data = mutants.whole({kind!r}, {sides}); open(sys.argv[2], 'wb').write(len(data).to_bytes(8, 'big') + data)"
    )
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", script, here, str(tmp_path / "large")], check=True)
    measure = (
        "import os, subprocess, sys; p = subprocess.Popen(sys.argv[2:], stdin=open(sys.argv[1], 'rb'), env={},"
        " stdout=subprocess.DEVNULL); _, status, used = os.wait4(p.pid, 0);"
        " print(status, used.ru_maxrss, used.ru_utime + used.ru_stime)"
    )
    task = [sys.executable, "-I", "-c", uploads._CHILD, "plain", '{"pixels": 40000000}']
    done = subprocess.run(
        [sys.executable, "-I", "-c", measure, str(tmp_path / "large"), *task], capture_output=True, check=True
    )
    status, kilobytes, seconds = done.stdout.split()
    assert int(status) == 0
    assert int(kilobytes) < 512 * 1024
    # Twice what is promised, as other tests heat the same cores.
    assert float(seconds) < 4


async def test_I1_a_webp_may_be_less_large_as_its_library_takes_more(tmp_path: Path):
    async with Store.open(tmp_path / "data") as store:
        with pytest.raises(Invalid, match="8000×5000 pixels; at most 28000000"):
            await Uploads(store).take(ANNA, file(Image.new("RGB", (8000, 5000)), "WEBP"), Limits())


FOREIGN = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "pdf": b"%PDF-1.7\n1 0 obj\n", "psd": b"8BPS\0\1",
    "fits": b"SIMPLE  =                    T", "tiff": b"II*\0\x08\0\0\0", "icon": b"\0\0\1\0\1\0", "elf": b"\x7fELF",
    "exe": b"MZ\x90\0", "zip": b"PK\3\4", "gzip": b"\x1f\x8b\x08", "heic": b"\0\0\0\x18ftypheic",
    "avif": b"\0\0\0\x18ftypavif",
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg xl": b"\xff\x0a", "pnm": b"P6\n8 8\n255\n", "tga": b"\0\0\2\0\0",
    "pcx": b"\x0a\5\1\x08", "dds": b"DDS |", "wmf": b"\xd7\xcd\xc6\x9a", "html": b"<!doctype html><script>1</script>",
    "python": b"import os\n", "pickle": b"\x80\x04\x95", "mp4": b"\0\0\0\x18ftypmp42", "ogg": b"OggS",
    "sqlite": b"SQLite format 3\0",
    "url": b"http://169.254.169.254/latest/meta-data/",
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("posing", [b"", b"\x89PNG\r\n\x1a\n"])
async def test_I3_other_formats_are_refused_also_behind_the_beginning_of_a_png(
    tmp_path: Path, name: str, posing: bytes
):
    async with Store.open(tmp_path / "data") as store:
        with pytest.raises(Invalid, match=r"not a PNG|damaged"):
            await Uploads(store).take(ANNA, posing + FOREIGN[name] + bytes(400), Limits())


def test_I7_a_picture_has_no_name_but_that_of_its_bytes():
    for door in (Darkroom.upload, Darkroom.mask, Darkroom.mask_from_alpha, Darkroom.mask_by_strokes):
        assert set(inspect.signature(door).parameters) <= {"self", "user", "source", "data", "origin"}


async def test_I7_what_a_file_is_called_or_said_to_be_does_not_matter(tmp_path: Path):
    """A JPEG whose metadata calls it something else, with names that lead elsewhere."""
    for name in ("../../x.png", "a\0b", "\u202egnp.exe", "CON", "/etc/passwd"):
        exif = Image.Exif()
        exif[0x010D] = name
        picture, content = await taken(tmp_path, file(drawing(), "JPEG", exif=exif))
        assert picture.format == "PNG"
        assert b"passwd" not in content
    names = {path.name for path in (tmp_path / "data" / "pictures").rglob("*.png")}
    assert all(len(one) == 68 for one in names)
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/x.png",
        "http://localhost/x.png",
        "http://2130706433/",
        "http://[::1]/",
        "file:///etc/passwd",
    ],
)
async def test_I8_an_address_is_never_a_picture_and_nothing_is_fetched(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
):
    asked: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, where: asked.append(where))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: asked.append(where))
    async with rig(tmp_path) as r:
        for field in ("source", "mask", "reference"):
            assert grammar.parse(f"a cat {field}:{address}") == Generate(prompt=f"a cat {field}:{address}")
            with pytest.raises(Invalid, match="not the id of a picture"):
                await r.ask("a cat", **{"source": await r.studio.upload(ANNA, file(drawing())), field: address})
        with pytest.raises(Invalid, match="not a PNG"):
            await r.studio.upload(ANNA, address.encode())
    assert asked == []


STYLES = {
    "diffusers": ("transformer.transformer_blocks.0.attn.to_q.lora_A.weight", "lora_A", "lora_B"),
    "xlabs": ("double_blocks.0.processor.qkv_lora1.down.weight", ".down.", ".up."),
    "kohya": ("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", "lora_down", "lora_up"),
}


@pytest.mark.parametrize("dialect", STYLES)
def test_L2_L4_L5_L9_mutated_styles_are_offered_or_refused_in_one_sentence(tmp_path: Path, dialect: str):
    """As the registry meets them; benchmarks/hostile_styles.py brings five thousand, to the engine too."""
    name, down, up = STYLES[dialect]
    sound = packed({name: tensor(4, 8), name.replace(down, up): tensor(16, 4)}, {"realbot.title": "Ink"})
    path, rng = tmp_path / "ink.safetensors", random.Random(dialect)
    path.write_bytes(sound)
    assert Styles([tmp_path]).names() == ["ink"]
    ends: collections.Counter[str] = collections.Counter()
    tracemalloc.start()
    for _ in range(250):
        path.write_bytes(mutant_styles.mutated(sound, rng))
        began = time.process_time()
        styles = Styles([tmp_path])
        # Twice what is promised, as other tests heat the same cores.
        assert time.process_time() - began < 4
        why = styles.broken.get(path.name, "")
        ends[why] += 1
        assert bool(why) != bool(styles.names())
        assert why.isprintable()
        assert len(why) < 200
        for style in styles.all():
            assert (style.title + style.trigger + style.description).isprintable()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20
    assert len(ends) > 10
