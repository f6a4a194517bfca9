"""What the terminal shows while a style is trained."""

from __future__ import annotations

import io
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from realbot.adapters import lessons
from realbot.phrases import Phrase
from realbot.training import Checked, Course, Example, OnStep, Progress

STEP = Progress(
    step=120, steps=800, loss=0.3, smoothed=0.31234, rate=1e-4, speed=12.34, seconds=65.0, validation=0.29876
)


@dataclass
class Taught:
    """A trainer that takes three steps, and is interrupted in the one that is asked for."""

    interrupted: int = 0
    step: int = 0

    def seconds(self) -> float:
        return 200.0

    def run(self, on_step: OnStep) -> Literal["finished", "stopped", "paused"]:
        while self.step < 3:
            self.step += 1
            if self.step == self.interrupted:
                os.kill(os.getpid(), signal.SIGINT)
            if not on_step(replace(STEP, step=self.step, steps=3)) and self.step < 3:
                return "paused"
        return "finished"


@dataclass
class School:
    folder: Path
    course: Course
    checked: Checked


@pytest.fixture
def school(tmp_path: Path) -> School:
    examples = tuple(Example(tmp_path / f"{n}.png", "dots", str(n) * 64) for n in range(5))
    left_out = tuple((f"bad{n}.png", Phrase("is too small")) for n in range(10))
    checked = Checked(examples, left_out, (("a.png", "b.png"),))
    return School(tmp_path, Course(style="dots", trigger="dots"), checked)


def shown(school: School, taught: Taught, *, terminal: bool = False) -> tuple[int, str]:
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=terminal, color_system=None)
    code = lessons.train(school, lambda: taught, lambda _: school.folder / "dots.safetensors", console)
    return code, out.getvalue()


def test_the_line_tells_how_far_it_is_and_when_it_is_ready() -> None:
    said = lessons.line(STEP)
    assert said == "step 120 of 800 · loss 0.3123 · held-out pictures 0.2988 · 12.3 pictures/s · ready in 1 min 5 s"
    assert lessons.line(replace(STEP, validation=None, step=800)) == "step 800 of 800 · loss 0.3123 · 12.3 pictures/s"


def test_what_was_found_and_what_it_will_take_is_told_before(school: School) -> None:
    code, said = shown(school, Taught())
    assert code == lessons.DONE
    assert "5 pictures to learn from" in said
    assert "Left out: bad0.png is too small." in said
    assert "… and 2 more." in said
    assert "a.png and b.png look nearly the same" in said
    assert "may use" in said
    assert said.index("about 3 min 20 s") < said.index("style:dots")


def test_a_terminal_sees_a_line_that_lives(school: School) -> None:
    _, said = shown(school, Taught(), terminal=True)
    assert "step 1 of 3" in said
    assert "step 3 of 3" in said


def test_an_interrupt_pauses_after_the_step_and_says_how_to_go_on(school: School) -> None:
    before = signal.getsignal(signal.SIGINT)
    taught = Taught(interrupted=2)
    code, said = shown(school, taught)
    assert (code, taught.step) == (lessons.PAUSED, 2)
    assert "Paused after step 2" in said
    assert "realbot train dots --resume" in said
    assert signal.getsignal(signal.SIGINT) is before
    code, said = shown(school, taught)
    assert code == lessons.DONE
    assert "Going on after step 2" in said
