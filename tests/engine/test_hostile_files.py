"""Style files and model folders that mean harm, on the engine's side."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import lorafiles
import pytest

import mutant_styles
from engine import tiny
from engine.canvas import Easel
from realbot.engine import Fact, Failed, Produced, Work, loading
from realbot.errors import ModelMissing
from realbot.jobs import StyleUse

ASKED = {"steps": 1, "guidance": 1.0}
DIALECTS = ("diffusers", "trained", "xlabs", "kohya", "unet diffusers", "unet kohya")


@pytest.fixture(scope="module")
def easels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Easel]:
    folder = tmp_path_factory.mktemp("models")
    return {name: Easel(name, tiny.saved(name, folder / name), style_memory_mb=64) for name in ("flux", "sdxl")}


def sound(easels: dict[str, Easel], dialect: str, path: Path) -> Easel:
    """A good file, and the model that it was made for."""
    easel = easels["sdxl" if dialect.startswith("unet") else "flux"]
    if dialect.startswith("unet"):
        unet = easel.pipe.unet
        of = {"unet": unet}
        lorafiles.write(
            path, lorafiles.unet_kohya_tensors(unet) if "kohya" in dialect else lorafiles.random_tensors(of)
        )
        return easel
    net = easel.pipe.transformer
    tensors = {
        "xlabs": lambda: lorafiles.xlabs_tensors(net),
        "kohya": lambda: lorafiles.kohya_tensors(net),
    }.get(dialect, lambda: lorafiles.random_tensors({"transformer": net}))()
    settings = {"lora_adapter_metadata": json.dumps({"transformer.r": 4, "transformer.lora_alpha": 2})}
    lorafiles.write(path, tensors, settings if dialect == "trained" else None)
    return easel


def painted(easel: Easel, path: Path, content: bytes) -> Fact:
    path.write_bytes(content)
    plain = easel.work(styles=(StyleUse("mutant"),), **ASKED)
    style = {"mutant": {"path": str(path), "sha256": hashlib.sha256(content).hexdigest()}}
    return easel.painter.paint(Work(plain.key, plain.request, style), threading.Event(), lambda _: None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_L2_L4_L5_a_mutated_style_is_painted_with_or_refused_and_leaves_no_trace(
    easels: dict[str, Easel], tmp_path: Path, dialect: str
) -> None:
    """Files as strangers break them; benchmarks/hostile_styles.py brings five thousand."""
    path = tmp_path / "mutant.safetensors"
    easel = sound(easels, dialect, path)
    content, rng = path.read_bytes(), random.Random(dialect)
    before = easel.hashes(**ASKED)
    answer = painted(easel, path, content)
    assert isinstance(answer, Produced), answer
    assert answer.pictures[0].sha256 not in before
    for _ in range(25):
        answer = painted(easel, path, mutant_styles.mutated(content, rng))
        if isinstance(answer, Failed):
            assert (answer.kind, answer.engine_ok) == ("style", True), answer
            assert answer.detail.isprintable()
            assert len(answer.detail) < 400
        assert easel.hashes(**ASKED) == before


OFFLINE = """
import socket, sys
from pathlib import Path

asked = []

def refuse(*where, **_):
    asked.append(where)
    raise OSError("no network")

socket.socket.connect, socket.getaddrinfo = refuse, refuse
from realbot.engine import worker
from realbot.errors import ModelMissing, StyleBroken

folder = sys.argv[1]
for path in ("someone/their-flux", folder):
    try:
        painter = worker._load({"model": {"name": "flux-dev", "path": path}, "spool": folder + "/spool"})
    except ModelMissing as error:
        print(error)
for name in ("someone/ink", "https://example.org/ink.safetensors", "hf://someone/ink"):
    try:
        painter.loras.apply([(name, "0" * 64, 1.0)])
    except StyleBroken as error:
        print(error)
print(asked)
"""


def test_L10_a_name_fetches_nothing(easels: dict[str, Easel]) -> None:
    """An engine as its process loads it, with every way to another machine watched."""
    command = [sys.executable, "-c", OFFLINE, str(easels["flux"].folder)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=120)
    missing, *refused, asked = done.stdout.splitlines()
    assert "someone/their-flux is not on this machine" in missing
    assert len(refused) == 3
    assert all("cannot be opened" in line for line in refused)
    assert asked == "[]"


@pytest.mark.parametrize("part", ["transformer", "_class_name", "auto_map"])
def test_L10_a_model_that_brings_code_is_refused_and_the_code_never_runs(
    easels: dict[str, Easel], tmp_path: Path, part: str
) -> None:
    folder, canary = tmp_path / "model", tmp_path / "canary"
    shutil.copytree(easels["flux"].folder, folder, ignore=shutil.ignore_patterns("spool"))
    code = f"open({str(canary)!r}, 'w').close()\nclass Evil:\n    pass\n"
    for place in (folder, folder / "transformer", folder / "text_encoder"):
        (place / "evil.py").write_text(code)
    index = folder / "model_index.json"
    told = json.loads(index.read_text())
    if part == "auto_map":
        config = folder / "text_encoder" / "config.json"
        own = json.loads(config.read_text()) | {"auto_map": {"AutoModel": "evil.Evil"}, "trust_remote_code": True}
        config.write_text(json.dumps(own))
        # What it says of code of its own is passed over: the class is one of the library's.
        loading.load({"name": "mini", "path": str(folder)}, {})
    else:
        index.write_text(json.dumps(told | {part: ["evil", "Evil"]}))
        with pytest.raises(ModelMissing) as caught:
            loading.load({"name": "mini", "path": str(folder)}, {})
        assert "\n" not in str(caught.value)
    assert not canary.exists()
