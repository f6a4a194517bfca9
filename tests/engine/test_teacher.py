"""Training as work of the engine: it tells how it goes, gives way to pictures, and ends in a style and a chart."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import tiny
from engine.canvas import Easel
from engine.test_train import small
from realbot.engine import Cancelled, Fact, Failed, Produced, RunKey, Started, Step, Work, teacher
from realbot.jobs import StyleUse, Train, to_json

STEPS = 20


@pytest.fixture(scope="module")
def easel(tmp_path_factory: pytest.TempPathFactory) -> Easel:
    easel = small(Easel("flux", tiny.saved("flux", tmp_path_factory.mktemp("flux"))))
    renewed(easel)
    return easel


def renewed(easel: Easel) -> None:
    """As if the engine had started anew."""
    easel.painter._teacher = teacher.Teacher(easel.painter.loaded, easel.painter.stages)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder, chance, found = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), {}
    for index in range(8):
        path = folder / f"{index}.png"
        dots = Image.fromarray(chance.integers(0, 256, (8, 8, 3), np.uint8))
        dots.resize((64, 64), Image.Resampling.NEAREST).save(path)
        found[hashlib.sha256(path.read_bytes()).hexdigest()] = str(path)
    return found


def lesson(files: dict[str, str], folder: Path, attempt: int = 1, job: str = "train1") -> Work:
    asked = Train(style="dots", trigger="dots", images=tuple(files), steps=STEPS, rank=2, rate=1e-2, batch=2)
    return Work(RunKey(job, attempt), to_json(asked), files=files, folder=str(folder))


def weights(fact: Fact) -> bytes:
    assert isinstance(fact, Produced), fact
    assert fact.weights is not None
    data = Path(fact.weights.path).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (fact.weights.sha256, fact.weights.size)
    return data


def test_a_training_tells_how_it_goes_and_ends_in_a_style_and_a_chart(
    easel: Easel, files: dict[str, str], tmp_path: Path
) -> None:
    before = easel.pixels(prompt="dots", seed=4)
    answer = easel.paint(lesson(files, tmp_path / "run"))
    data = weights(answer)
    steps = [fact for fact in easel.facts if isinstance(fact, Step) and fact.numbers]
    assert isinstance(easel.facts[0], Started)
    assert [step.n for step in steps] == list(range(1, STEPS + 1))
    assert all(step.of == STEPS for step in steps)
    assert {"loss", "smoothed", "validation", "rate", "speed", "left"} == set(steps[-1].numbers)
    assert [step.n for step in steps if step.preview] == [5, 10, 15, 20]
    assert isinstance(answer, Produced)
    with Image.open(answer.pictures[0].path) as chart:
        assert chart.width == 960
        assert chart.height > 480, "the samples are below the chart"
    assert not list(easel.spool.glob("*.jpg"))
    assert np.array_equal(easel.pixels(prompt="dots", seed=4), before)
    # The style moves the picture.
    path = tmp_path / "dots.safetensors"
    path.write_bytes(data)
    work = easel.work(prompt="dots", seed=4, styles=(StyleUse("dots", 1.0),))
    style = {"dots": {"path": str(path), "sha256": hashlib.sha256(data).hexdigest()}}
    styled = easel.paint(Work(work.key, work.request, styles=style))
    assert isinstance(styled, Produced), styled
    assert not np.array_equal(np.asarray(Image.open(styled.pictures[0].path)), before)


def test_it_gives_way_to_a_picture_at_any_moment_and_comes_to_the_same_style(
    easel: Easel, files: dict[str, str], tmp_path: Path
) -> None:
    whole = weights(easel.paint(lesson(files, tmp_path / "whole", job="whole")))
    before = easel.pixels(prompt="a cat", seed=9)
    attempt, pauses, late = 1, 0, []
    while True:
        stop, told = threading.Event(), 0

        def tell(fact: Fact, stop: threading.Event = stop) -> None:
            nonlocal told
            if isinstance(fact, Step):
                told += 1
                if stop.is_set():
                    late.append(fact.n)
                if told == 3:
                    stop.set()

        answer = easel.paint(lesson(files, tmp_path / "cut", attempt), tell=tell, cancelled=stop)
        if isinstance(answer, Produced):
            break
        assert isinstance(answer, Cancelled), answer
        pauses += 1
        attempt += 1
        assert np.array_equal(easel.pixels(prompt="a cat", seed=9), before)
        if pauses == 3:
            # As if the engine had died: the next one goes on from the checkpoint.
            renewed(easel)
    assert pauses >= 5
    assert not late, "it went on after it was told to stop"
    assert weights(answer) == whole


def test_the_memory_of_a_training_that_was_given_up_is_freed(
    easel: Easel, files: dict[str, str], tmp_path: Path
) -> None:
    stop = threading.Event()
    answer = easel.paint(lesson(files, tmp_path / "gone"), tell=lambda _: stop.set(), cancelled=stop)
    assert isinstance(answer, Cancelled)
    (tmp_path / "gone").mkdir(exist_ok=True)
    easel.paint(prompt="a cat")
    for path in (tmp_path / "gone").iterdir():
        path.unlink()
    (tmp_path / "gone").rmdir()
    easel.paint(prompt="a cat")
    assert easel.painter._teacher._trainer is None
    assert not easel.painter._teacher._memory


def test_pictures_that_are_lost_are_one_sentence(easel: Easel, files: dict[str, str], tmp_path: Path) -> None:
    work = lesson(files, tmp_path)
    answer = easel.paint(Work(work.key, work.request, folder=str(tmp_path)))
    assert answer == Failed(work.key, "bad_request", "The pictures to learn from are not on this engine.")
