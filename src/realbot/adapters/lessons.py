"""The terminal during a training: what was found among the pictures, how long it takes, and a line that lives."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from realbot.adapters import times
from realbot.adapters.languages import _, phrase
from realbot.training import CONSENT, Checked, Course, OnStep
from realbot.training import Progress as Lesson

#: Exit codes.
DONE, PAUSED = 0, 130
#: Names of files that are told at most.
_TOLD = 8


class Trainer(Protocol):
    """What the engine's trainer promises."""

    @property
    def step(self) -> int: ...

    def run(self, on_step: OnStep) -> Literal["finished", "stopped", "paused"]: ...

    def seconds(self) -> float: ...


Taught = TypeVar("Taught", bound=Trainer)


class Schooling(Protocol):
    """What is trained, and where."""

    @property
    def folder(self) -> Path: ...

    @property
    def course(self) -> Course: ...

    @property
    def checked(self) -> Checked: ...


def told(checked: Checked, console: Console) -> None:
    """Print what was found among the pictures, and what whoever trains answers for."""
    console.print(Text(_("{count} pictures to learn from.").format(count=len(checked.examples))))
    for name, reason in checked.left_out[:_TOLD]:
        console.print(Text(_("Left out: {name} {reason}.").format(name=name, reason=phrase(reason)), style="yellow"))
    if len(checked.left_out) > _TOLD:
        console.print(Text(_("… and {count} more.").format(count=len(checked.left_out) - _TOLD), style="yellow"))
    for one, other in checked.alike[:_TOLD]:
        said = _("{one} and {other} look nearly the same; different pictures teach more.")
        console.print(Text(said.format(one=one, other=other), style="yellow"))
    console.print(Text(phrase(CONSENT), style="dim"))


def train(
    schooling: Schooling, open_trainer: Callable[[], Taught], export: Callable[[Taught], Path], console: Console
) -> int:
    """Train until it is over or until Ctrl-C, which pauses after the step under way; returns the exit code."""
    told(schooling.checked, console)
    trainer = open_trainer()
    if trainer.step:
        console.print(Text(_("Going on after step {step}.").format(step=trainer.step)))
    console.print(Text(_("This will take about {time}.").format(time=times.duration(trainer.seconds()))))
    with _interruptible() as interrupted, _line(console) as show:

        def on_step(lesson: Lesson) -> bool:
            show(lesson)
            return not interrupted()

        ending = trainer.run(on_step)
    if ending == "paused":
        console.print(Text(_("Paused after step {step}. Nothing is lost; go on with:").format(step=trainer.step)))
        console.print(Text(f"  realbot train {schooling.course.style} --resume"), soft_wrap=True)
        return PAUSED
    if ending == "stopped":
        said = _("Stopped at step {step}: it did not get better any more, and the best is kept.")
        console.print(Text(said.format(step=trainer.step)))
    path = export(trainer)
    console.print(Text(_("Saved as {path}.").format(path=path)), soft_wrap=True)
    console.print(Text(_("Ask for it with style:{name}.").format(name=path.stem)))
    console.print(Text(_("How it went: {path}.").format(path=schooling.folder / "chart.png")), soft_wrap=True)
    return DONE


def line(lesson: Lesson) -> str:
    """How far it is, in one line."""
    parts = [
        _("step {step} of {steps}").format(step=lesson.step, steps=lesson.steps),
        _("loss {loss}").format(loss=f"{lesson.smoothed:.4f}"),
    ]
    if lesson.validation is not None:
        parts.append(_("held-out pictures {loss}").format(loss=f"{lesson.validation:.4f}"))
    parts.append(_("{speed} pictures/s").format(speed=f"{lesson.speed:.1f}"))
    if lesson.step < lesson.steps:
        parts.append(_("ready in {time}").format(time=times.duration(lesson.seconds)))
    return " · ".join(parts)


@contextmanager
def _line(console: Console) -> Iterator[Callable[[Lesson], None]]:
    """Shows each step in place on a terminal; into a pipe goes one line for each grid of samples."""
    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        auto_refresh=False,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=None)

    def show(lesson: Lesson) -> None:
        bar.update(task, total=lesson.steps, completed=lesson.step, description=line(lesson), refresh=True)
        if lesson.preview is not None:
            bar.console.print(Text(line(lesson)), soft_wrap=True)

    with bar:
        yield show


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM ask for a pause; a second Ctrl-C does not wait for it."""
    asked: list[int] = []

    def hear(number: int, _frame: object) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
