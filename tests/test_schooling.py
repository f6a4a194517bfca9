"""`realbot train`: a training as a newcomer meets it, with the bundled model and real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from realbot import schooling
from realbot.config import Settings
from realbot.errors import ConfigError, Invalid
from realbot.styles import Styles
from realbot.training import Course

REALBOT = [sys.executable, "-W", "error::ResourceWarning", "-m", "realbot"]
SHORT = ("--steps", "12", "--rank", "2", "--batch", "2")
ASKED = Course(style="dots", trigger="dots", steps=4, rank=2, alpha=2)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder, chance = tmp_path / "images", np.random.default_rng(0)
    folder.mkdir()
    for number in range(6):
        coarse = Image.fromarray(chance.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((128, 128), Image.Resampling.NEAREST).save(folder / f"a thing {number}.png")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(paths={"data": tmp_path / "data"})


def start(cwd: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("REALBOT_")}
    return subprocess.Popen(
        [*REALBOT, "train", *arguments], cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def train(cwd: Path, *arguments: str) -> tuple[int, str]:
    process = start(cwd, *arguments)
    out, err = process.communicate(timeout=280)
    assert "Traceback" not in out + err, err
    return process.returncode, out + err


@pytest.mark.slow
def test_a_style_is_trained_interrupted_gone_on_with_and_there_to_be_asked_for(tmp_path: Path, images: Path) -> None:
    code, said = train(tmp_path, "whole", "--images", str(images), "--trigger", "dots", *SHORT)
    assert code == 0, said
    assert "6 pictures to learn from" in said
    assert "may use" in said
    assert "about" in said
    assert "style:whole" in said
    assert [style.name for style in Styles([tmp_path / "data" / "styles"]).all()] == ["whole"]
    left = sorted(path.name for path in (tmp_path / "data" / "training" / "whole").iterdir())
    assert left == ["chart.png", "metrics.csv", "samples-000012.png"]

    process = start(tmp_path, "parts", "--images", str(images), "--trigger", "dots", *SHORT)
    metrics = tmp_path / "data" / "training" / "parts" / "metrics.csv"
    deadline = time.monotonic() + 200
    while not (metrics.exists() and metrics.read_text().count("\n") > 3):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, out + err
    assert "realbot train parts --resume" in out
    assert not (tmp_path / "data" / "styles" / "parts.safetensors").exists()
    code, said = train(tmp_path, "parts", "--resume")
    assert code == 0, said
    assert "Going on after step" in said
    one, other = (load_file(tmp_path / "data" / "styles" / f"{name}.safetensors") for name in ("parts", "whole"))
    assert all(one[name].equal(other[name]) for name in one)


def test_what_cannot_be_trained_is_one_sentence(tmp_path: Path, images: Path) -> None:
    code, said = train(tmp_path, "dots")
    assert (code, said) == (2, "realbot: Say which pictures: --images FOLDER.\n")
    code, said = train(tmp_path, "dots", "--resume")
    assert code == 2
    assert "No training of dots was begun" in said


def test_a_training_that_was_begun_is_not_begun_again(settings: Settings, images: Path) -> None:
    with schooling.begun(settings, ASKED, images) as first:
        kept = [example.path.read_bytes() for example in first.checked.examples]
        with pytest.raises(ConfigError, match="another realbot"), schooling.resumed(settings, "dots"):
            pass
    with pytest.raises(Invalid, match="--resume"), schooling.begun(settings, ASKED, images):
        pass
    for path in images.iterdir():
        path.unlink()
    with schooling.resumed(settings, "DOTS") as again:
        assert again.course == first.course
        assert again.checked.digest == first.checked.digest
        assert [example.path.read_bytes() for example in again.checked.examples] == kept


def test_a_name_that_is_taken_and_a_damaged_folder_are_told(settings: Settings, images: Path) -> None:
    taken = settings.paths.data / "styles" / "dots.safetensors"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"")
    with pytest.raises(Invalid, match="already"), schooling.begun(settings, ASKED, images):
        pass
    taken.unlink()
    with schooling.begun(settings, ASKED, images) as first:
        pass
    (first.folder / "course.json").write_text(json.dumps({"course": {}}))
    with pytest.raises(Invalid, match="damaged"), schooling.resumed(settings, "dots"):
        pass


def test_a_set_that_is_refused_leaves_nothing_to_go_on_with(settings: Settings, images: Path) -> None:
    for path in list(images.iterdir())[:3]:
        path.write_bytes(b"")
    with pytest.raises(Invalid, match="at least 4"), schooling.begun(settings, ASKED, images):
        pass
    with pytest.raises(Invalid, match="No training"), schooling.resumed(settings, "dots"):
        pass
